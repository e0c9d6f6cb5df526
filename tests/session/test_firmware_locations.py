"""Locations as they are compared and shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.session.firmware import LOCATION_MAX
from gateway.session.firmware_locations import HIDDEN, comparable, file_name, location_shown


@pytest.mark.parametrize(
    ("location", "kept", "shown", "name"),
    [
        ("https://fw.example.com/a.bin", "https://fw.example.com/a.bin", "https://fw.example.com/a.bin", "a.bin"),
        ("HTTPS://FW.Example.com:443/A.bin", "https://fw.example.com/A.bin", "https://fw.example.com/A.bin", "A.bin"),
        ("ftp://u:secret@h/a/b.bin", "ftp://h/a/b.bin", "ftp://h/a/b.bin", "b.bin"),
        ("http://h:8080?token=secret", "http://h:8080/?token=secret", f"http://h:8080/?{HIDDEN}", "h"),
        ("https://[2001:DB8::1]/a#x", "https://[2001:db8::1]/a", "https://[2001:db8::1]/a", "a"),
    ],
)
def test_locations(location: str, kept: str, shown: str, name: str) -> None:
    assert (comparable(location), location_shown(location), file_name(location)) == (kept, shown, name)
    assert comparable(kept) == kept


@pytest.mark.parametrize(
    "location",
    [
        "",
        "a.bin",
        "/a.bin",
        "https://",
        "https://h:x/",
        "https://h/a b",
        "https://h\\x/",
        "https://h/\n",
        "https://ü/",
        "https://h/" + "a" * LOCATION_MAX,
    ],
)
def test_what_is_no_location(location: str) -> None:
    for read in (comparable, file_name):
        with pytest.raises(ValueError, match=r"it isn't a URL|a location has at most"):
            read(location)
    assert location_shown(location) == HIDDEN
    assert location_shown(None) is None


@given(st.text(max_size=60), st.text("aZ09.-_:/@[]%?#&=\\", max_size=40).map("https://".__add__))
def test_any_text_is_a_location_or_none(text: str, url: str) -> None:
    for each in (text, url, f"https://user:secret-word@h.example{url}?secret-word#secret-word"):
        assert "secret-word" not in (location_shown(each) or "")
        try:
            kept = comparable(each)
        except ValueError:
            continue
        assert comparable(kept) == kept
        assert "@" not in kept.partition("://")[2].partition("/")[0]
        assert file_name(each) is not None
