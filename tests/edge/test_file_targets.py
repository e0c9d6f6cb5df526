"""What paths name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge.file_targets import NAME_MAX, Target, file_name, target_of
from gateway.session.file_links import LinkKind

SECRET = "aB3_-" * 8 + "xyz"


@pytest.mark.parametrize("rest", ["", "/", "/box-2.0.bin", "/%2e%2e%2fetc%2fpasswd", "/..", "?a=/b"])
def test_an_image_may_have_any_one_name(rest: str) -> None:
    assert target_of(f"/firmware/{SECRET}{rest}") == Target(LinkKind.DOWNLOAD, SECRET, None)


@pytest.mark.parametrize(
    ("rest", "name"),
    [
        ("", None),
        ("/", None),
        ("/log.zip", "log.zip"),
        ("//log.zip", "log.zip"),
        ("/a/b/log.zip", "log.zip"),
        ("/..%2f..%2fetc%2fpasswd", "passwd"),
        ("/..", None),
        ("/log%0d%0a.zip", "log.zip"),
        ("/log.zip?name=other", "log.zip"),
    ],
)
def test_a_log_is_named_by_the_end_of_the_path(rest: str, name: str | None) -> None:
    assert target_of(f"/logs/{SECRET}{rest}") == Target(LinkKind.UPLOAD, SECRET, name)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "*",
        "/firmware",
        "/firmware/",
        f"/firmware/{SECRET[:-1]}",
        f"/firmware/{SECRET}x",
        f"/firmware/{SECRET}/a/b",
        f"/firmware/../{SECRET}",
        f"/firmware//{SECRET}",
        f"/Firmware/{SECRET}",
        f"/firmware/{SECRET[:-1]}%41",
        f"/firmware/{SECRET[:-1]}\N{LATIN SMALL LETTER E WITH ACUTE}",
        f"http://elsewhere.example/firmware/{SECRET}",
        f"/{SECRET}",
    ],
)
def test_nothing_else_is_a_link(path: str) -> None:
    assert target_of(path) is None


def test_the_secret_is_not_shown() -> None:
    assert SECRET not in repr(target_of(f"/logs/{SECRET}/log.zip"))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (None, None),
        ("", None),
        ("log.zip", "log.zip"),
        (r"C:\logs\log.zip", "log.zip"),
        ("../../log.zip", "log.zip"),
        ("..", None),
        (".hidden", "hidden"),
        (" log .", "log"),
        ("a\0b\x1b[31m\N{RIGHT-TO-LEFT OVERRIDE}c", "ab[31mc"),
        ("\udc80x", "x"),
        ("x" * NAME_MAX, "x" * NAME_MAX),
        ("y" + "x" * NAME_MAX, "x" * NAME_MAX),
    ],
)
def test_a_name_is_a_label(text: str | None, name: str | None) -> None:
    assert file_name(text) == name


@given(st.text())
def test_no_name_is_a_path(text: str) -> None:
    name = file_name(text)
    assert name is None or (0 < len(name) <= NAME_MAX and name.isprintable() and not set(name) & set("/\\"))
    assert name not in {".", ".."}


@given(st.text())
def test_any_path_is_taken_or_not(path: str) -> None:
    for folder in ("", "/firmware/", "/logs/", f"/logs/{SECRET}"):
        target = target_of(folder + path)
        assert target is None or len(target.secret) == len(SECRET)
