"""The strict decoder under attack C1: whatever the bytes, a value within the bounds or JsonRejected."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.wire.strict_json import MAX_DEPTH, MAX_INTEGER, JsonRejected, dumps, loads

MARK = "Zebra"
"""What a peer wrote: no message may repeat it."""

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.floats(-(2.0**62), 2.0**62)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8", exclude_characters="\0")), inner)
    ),
    max_leaves=12,
)


def nested(depth: int, opening: bytes = b"[", core: bytes = b"", closing: bytes = b"]") -> bytes:
    return opening * depth + core + closing * depth


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"[]", []),
        (b' {"a" : [1, -2.5, true, false, null]} ', {"a": [1, -2.5, True, False, None]}),
        (b'"\\u0041\\n\\u0001"', "A\n\1"),
        (b'"\\ud83d\\ude00"', "\N{GRINNING FACE}"),
        ("\N{GRINNING FACE}".join('""').encode(), "\N{GRINNING FACE}"),
        (b'"\\\\u0000"', r"\u0000"),
        (b'"\\\\\\\\u0000"', r"\\u0000"),
        (b"1e-5000", 0),
        (b"0.1", 0.1),
        (b'{"":1}', {"": 1}),
        (b"null", None),
    ],
)
def test_honest_json_is_read(text: bytes, value: Any) -> None:
    assert loads(text) == value


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(nested(100_000), id="arrays 100 000 deep"),
        pytest.param(b"[" * 100_000, id="arrays 100 000 deep, never closed"),
        pytest.param(nested(100_000, b'{"a":', b"1", b"}"), id="objects 100 000 deep"),
        pytest.param(b"9" * 5000, id="integer of 5 000 digits"),
        pytest.param(b"-" + b"9" * 5000, id="negative integer of 5 000 digits"),
        pytest.param(b"9" * 5000 + b".5", id="float of 5 000 digits"),
        pytest.param(b'{"a":[{"b":' + b"9" * 5000 + b"}]}", id="integer of 5 000 digits deep down"),
        b"NaN",
        b"[Infinity]",
        b"[-Infinity]",
        b"1e400",
        b'{"a":-1e400}',
        b"[1e19]",
        b'{"a":1,"a":1}',
        b'{"a":1,"\\u0061":2}',
        b'{"a":{"b":1,"b":2}}',
        b'"\\ud800"',
        b'"\\udc00"',
        b'"\\udc00\\ud800"',
        b'{"\\ud800":1}',
        b'"\xed\xa0\x80"',
        b'"\xff"',
        b'"\xc0\x80"',
        b'"\xf4\x90\x80\x80"',
        b'"\x00"',
        b'"\\u0000"',
        b'"\\\\\\u0000"',
        b'"\\\\u0000 \\u0000"',
        b'{"\\u0000": 1}',
        b'"\n"',
        b'"\\x41"',
        b"\xef\xbb\xbf[]",
        b"\xff\xfe[\x00]\x00",
        b"[] []",
        b"[]\x00",
        b"\xc2\xa0[]",
        b"[1,]",
        b'{"a":1,}',
        b"{'a':1}",
        b"{a:1}",
        b"[1 2]",
        b"// no\n[]",
        b"01",
        b"+1",
        b".5",
        b"1.",
        b"0x10",
        b"1_000",
        b"--1",
        b"True",
        b"nul",
        b'"open',
        b"",
        b" ",
        b"\x00",
    ],
)
def test_what_no_honest_peer_sends_is_refused(text: bytes) -> None:
    with pytest.raises(JsonRejected):
        loads(text)


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")], ids=["arrays", "objects"])
def test_the_depth_is_taken_at_its_limit_and_not_one_past_it(opening: bytes, closing: bytes) -> None:
    loads(nested(MAX_DEPTH, opening, b"1", closing))

    with pytest.raises(JsonRejected, match="nested deeper than 32 levels"):
        loads(nested(MAX_DEPTH + 1, opening, b"1", closing))


def test_the_depth_is_that_of_the_deepest_branch() -> None:
    with pytest.raises(JsonRejected, match="nested deeper"):
        loads(b"[[],{}," + nested(MAX_DEPTH) + b",1]")


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(["[%s]", '{"a":%s}', '[{},"x",%s,1.0]', '{"a":2e0,"b":[],"c":%s,"d":{}}']),
        min_size=MAX_DEPTH - 3,
        max_size=MAX_DEPTH + 2,
    )
)
def test_the_depth_is_counted_through_any_mixture_of_arrays_and_objects(levels: list[str]) -> None:
    text = "[]"
    for level in levels:
        text = level % text

    if len(levels) < MAX_DEPTH:
        assert loads(text.encode()) == json.loads(text)
    else:
        with pytest.raises(JsonRejected, match="nested deeper than 32 levels"):
            loads(text.encode())


@pytest.mark.parametrize("form", [b"%d", b"[%d]", b'{"a":%d}', b'{"a":[0,{"b":%d}]}'])
def test_a_number_is_taken_at_its_limit_and_not_one_past_it(form: bytes) -> None:
    for sign in (1, -1):
        assert b"%d" % (sign * MAX_INTEGER) in dumps(loads(form % (sign * MAX_INTEGER)))
        with pytest.raises(JsonRejected, match="a number of more than 63 bits"):
            loads(form % (sign * (MAX_INTEGER + 1)))


@pytest.mark.parametrize("text", [b"9223372036854774784.0", b"9.223372036854774784e18"])
def test_the_largest_number_with_a_point_is_taken(text: bytes) -> None:
    assert loads(text) == 2**63 - 1024


@pytest.mark.parametrize("text", [b"9223372036854775808.0", b"-9223372036854775808.0", b"1e308"])
def test_one_past_the_largest_number_with_a_point_is_refused(text: bytes) -> None:
    with pytest.raises(JsonRejected, match="a number of more than 63 bits"):
        loads(text)


@pytest.mark.parametrize("text", [b"1", b"1.0", b"1e0", b"10e-1", b"0.1e1", b"1.000"])
@pytest.mark.parametrize("form", [b"%s", b"[%s]", b'{"a":%s}', b'[{"a":["x",0.5,%s,2.5]}]'])
def test_an_integer_is_an_int_however_it_is_spelt(form: bytes, text: bytes) -> None:
    """Draft 6 takes 1.0 for an integer, draft 4 (OCPP 1.6) doesn't, and our code counts with int."""
    assert repr(loads(form % text)) == repr(loads(form % b"1"))


def test_a_fraction_stays() -> None:
    assert repr(loads(b'{"a":[1.5,0.0,-0.25],"b":2.0}')) == "{'a': [1.5, 0, -0.25], 'b': 2}"


def test_true_is_no_number() -> None:
    assert loads(b"[true,1]")[0] is True


@pytest.mark.parametrize(
    "text",
    [
        f'{{"{MARK}":1,"{MARK}":2}}',
        f'{{"{MARK} at line 1":1,"{MARK} at line 1":2}}',
        f'{{"{MARK}":{MARK}}}',
        f'["{MARK}]',
        f"{MARK}",
        f'"\\{MARK}"',
        f'"{MARK}\\ud800{MARK}"',
        f'{{"{MARK}":1e999}}',
        f'["{MARK}"] {MARK}',
        f'{{"{MARK}\x1b[31m":1}}',
    ],
)
def test_the_refusal_never_repeats_what_the_peer_wrote(text: str) -> None:
    with pytest.raises(JsonRejected) as refusal:
        loads(text.encode())

    assert MARK not in str(refusal.value)
    assert str(refusal.value).isprintable()
    assert refusal.value.__cause__ is None
    assert refusal.value.__context__ is None or refusal.value.__suppress_context__


@settings(deadline=None)
@given(st.binary())
def test_any_bytes_are_read_or_rejected(text: bytes) -> None:
    said = ""
    try:
        loads(text)
    except JsonRejected as refusal:
        said = str(refusal)
    assert said.isprintable()


@settings(deadline=None)
@given(st.text(st.sampled_from('[]{}:,"\\u0dD8eE+-.19 \ntrfalsn\x00\xe9'), max_size=60))
def test_anything_that_looks_like_json_is_read_or_rejected(text: str) -> None:
    try:
        value = loads(text.encode())
    except JsonRejected:
        return
    assert_equal_numbers(value, json.loads(text))


@settings(max_examples=60, deadline=None)
@given(json_values)
def test_what_is_written_is_read_back(value: Any) -> None:
    read = loads(dumps(value))

    assert read == value
    assert dumps(read) == dumps(loads(dumps(read)))


@pytest.mark.parametrize("value", [2**64, {1: 2}, {"a": "\ud800"}, object(), [b"bytes"]])
def test_what_json_cannot_hold_is_not_written(value: Any) -> None:
    with pytest.raises(TypeError):
        dumps(value)


def assert_equal_numbers(ours: Any, theirs: Any) -> None:
    """The standard library is laxer (duplicate keys, NaN), but what we read it reads the same."""
    if isinstance(ours, float):
        assert math.isclose(ours, theirs)
    else:
        assert ours == theirs
