"""Ranges of requests, as a table and as anything at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge.byte_ranges import ByteRange, Unsatisfiable, byte_range


@pytest.mark.parametrize(
    ("header", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-", 0, 9),
        ("bytes=3-5", 3, 5),
        ("bytes=3-99", 3, 9),
        ("bytes=9-", 9, 9),
        ("bytes=-3", 7, 9),
        ("bytes=-10", 0, 9),
        ("bytes=-11", 0, 9),
        ("BYTES = 3-5 ", 3, 5),
    ],
)
def test_one_range(header: str, first: int, last: int) -> None:
    part = byte_range(header, 10)
    assert part == ByteRange(first, last)
    assert part.length == last - first + 1


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=999999999999999999-"])
def test_nothing_in_it(header: str) -> None:
    with pytest.raises(Unsatisfiable):
        byte_range(header, 10)


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=-1"])
def test_nothing_in_an_empty_file(header: str) -> None:
    with pytest.raises(Unsatisfiable):
        byte_range(header, 0)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=5-3",
        "bytes=0-1,3-4",
        "items=0-1",
        "bytes=+1-2",
        "bytes=0x1-2",
        "bytes=\N{ARABIC-INDIC DIGIT ONE}-",
        "bytes=1-2\n",
        f"bytes={'9' * 19}-",
    ],
)
def test_what_is_no_range_asks_for_all(header: str | None) -> None:
    assert byte_range(header, 10) is None


@given(st.one_of(st.text(max_size=30), st.from_regex(r"bytes=\d{0,4}-\d{0,4}", fullmatch=True)), st.integers(0, 5000))
def test_a_range_is_always_inside_the_file(header: str, size: int) -> None:
    try:
        part = byte_range(header, size)
    except Unsatisfiable:
        return
    assert part is None or 0 <= part.first <= part.last < size
