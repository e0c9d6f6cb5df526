"""Where a station may be sent, as a table."""

import pytest

from gateway.bridge.locations import LOCATION_MAX, is_fit


@pytest.mark.parametrize(
    "location",
    [
        "ftp://example.com/in",
        "FTP://user:pass@example.com:2121/in/",
        "ftps://10.0.0.1/",
        "http://[2001:db8::1]:8080/put?a=b&c=d",
        "https://bucket.example.com/log%20file.zip?X-Sig=a~b_c-d",
        "sftp://host",
        "https://example.com/" + "x" * (LOCATION_MAX - 20),
    ],
)
def test_a_place_for_logs(location: str) -> None:
    assert is_fit(location)


@pytest.mark.parametrize(
    "location",
    [
        "",
        "example.com/in",
        "//example.com/in",
        "file:///etc/shadow",
        "gopher://example.com/",
        "javascript:alert(1)",
        "httpss://example.com/",
        "https:example.com",
        "https:///in",
        "https://:443/in",
        "https://user@/in",
        "https://example.com:99999/",
        "https://example.com:port/",
        "https://[::1/",
        "https://example.com/\r\nHost: other",
        "https://example.com/\x00",
        "https://example.com/\x1b[2J",
        " https://example.com/",
        "https://example.com/ in",
        "https://example.com/\n",
        "https://example.com/`reboot`",
        "https://example.com/|reboot",
        'https://example.com/"',
        "https://exämple.com/",
        "https://example.com/" + "x" * (LOCATION_MAX - 19),
    ],
)
def test_no_place_for_anything(location: str) -> None:
    assert not is_fit(location)


def test_the_bound_is_the_callers() -> None:
    assert is_fit("ftp://h/", 8)
    assert not is_fit("ftp://h/x", 8)
