"""The Authorization header, as a table and as an attacker."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge.basic import BasicCredentials, CredentialsRejected, parse_basic


def _header(raw: bytes, scheme: str = "Basic") -> str:
    return f"{scheme} {base64.b64encode(raw).decode()}"


@pytest.mark.parametrize(
    ("header", "user", "password"),
    [
        (_header(b"CS1:secret"), "CS1", b"secret"),
        (_header(b"CS1:with:colons"), "CS1", b"with:colons"),
        (_header(b"CS1:"), "CS1", b""),
        (_header(b"CS1:\xff\x00raw"), "CS1", b"\xff\x00raw"),
        (_header(b"CS1:secret", "basic"), "CS1", b"secret"),
        (_header("CS1:pässword".encode()), "CS1", "pässword".encode()),
    ],
)
def test_read(header: str, user: str, password: bytes) -> None:
    assert parse_basic(header) == BasicCredentials(user, password)


@pytest.mark.parametrize(
    "header",
    ["", "Basic", "Basic ", "Basic ???", "Bearer abc", _header(b"nocolon"), _header(b"\xff:x"), "Basic é", "Basic YQ"],
)
def test_refused(header: str) -> None:
    with pytest.raises(CredentialsRejected):
        parse_basic(header)


@given(st.text())
def test_nothing_else_is_raised_and_nothing_is_repeated(text: str) -> None:
    complaint = ""
    try:
        parse_basic(f"Basic {text}")
    except CredentialsRejected as error:
        complaint = str(error)
    assert len(text) < 12 or text not in complaint


def test_the_password_is_not_in_the_repr() -> None:
    assert "hunter2" not in repr(parse_basic(_header(b"CS1:hunter2")))
