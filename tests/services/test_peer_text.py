"""What a peer may do to a log or a terminal: nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.services.peer_text import ADDITIONAL_INFO_MAX, printable, status_info


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("", ""),
        ("ünïcode", "ünïcode"),
        ("a\r\nlevel=info", "a\\r\\nlevel=info"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\x9b31m", "\\x9b31m"),
        ("abc\u202edef", "abc\\u202edef"),
        ("x" * 21, "x" * 20),
        ("\n" * 20, "\\n" * 10),
    ],
)
def test_escaped_and_cut(text: str, shown: str) -> None:
    assert printable(text, 20) == shown


@given(st.text(), st.integers(0, 40))
def test_always_printable_and_never_too_long(text: str, most: int) -> None:
    shown = printable(text, most)
    assert shown.isprintable()
    assert len(shown) <= most


def test_what_a_station_is_told_fits_its_field() -> None:
    told = status_info("InvalidCSR", "x" * (ADDITIONAL_INFO_MAX + 1))
    assert told == {"reasonCode": "InvalidCSR", "additionalInfo": "x" * ADDITIONAL_INFO_MAX}
