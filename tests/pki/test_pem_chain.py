"""A chain in PEM as stations write it, and as attackers do."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.pem_chain import CERTIFICATES_MAX, CHARACTERS_MAX, ChainMalformed, read_chain


def block(der: bytes, width: int = 64) -> str:
    text = base64.b64encode(der).decode()
    lines = "\n".join(text[at : at + width] for at in range(0, len(text), width))
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize("written", ["{0}{1}", "\n {0}\r\n\t{1} ", "{0}\n\n{1}"])
def test_blocks_in_their_order(written: str) -> None:
    assert read_chain(written.format(block(b"leaf" * 40), block(b"ca"))) == (b"leaf" * 40, b"ca")


@pytest.mark.parametrize("escape", ["\\n", "\\r\\n", "\r\n", " "])
def test_lines_as_stations_in_the_field_break_them(escape: str) -> None:
    assert read_chain((block(b"leaf" * 40) + block(b"ca")).replace("\n", escape)) == (b"leaf" * 40, b"ca")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "x",
        "{0}x",
        "x{0}",
        "{0}x{0}",
        "-----BEGIN CERTIFICATE-----\nAAAA",
        "-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\nA*==\n-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\nä\n-----END CERTIFICATE-----",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        "-----BEGIN CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
    ],
)
def test_what_is_no_chain(text: str) -> None:
    with pytest.raises(ChainMalformed):
        read_chain(text.format(block(b"leaf")))


def test_its_bounds() -> None:
    assert len(read_chain(block(b"x") * CERTIFICATES_MAX)) == CERTIFICATES_MAX
    with pytest.raises(ChainMalformed, match="more than 5"):
        read_chain(block(b"x") * (CERTIFICATES_MAX + 1))
    assert read_chain(block(b"x").ljust(CHARACTERS_MAX)) == (b"x",)
    with pytest.raises(ChainMalformed, match="10001 characters"):
        read_chain(block(b"x").ljust(CHARACTERS_MAX + 1))
    assert read_chain(block(b"x").ljust(100), characters=100) == (b"x",)
    with pytest.raises(ChainMalformed, match="101 characters, at most 100"):
        read_chain(block(b"x").ljust(101), characters=100)


@given(st.text(max_size=60) | st.from_regex(r"(-----(BEGIN|END) CERTIFICATE-----|[A-Za-z0-9+/=\s]){0,12}"))
def test_nothing_else_comes_out_of_it(text: str) -> None:
    try:
        found = read_chain(text)
    except ChainMalformed:
        return
    assert found
