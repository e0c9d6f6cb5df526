"""YAML with the line of everything, strict and bounded."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from policies.documents import MAX_BYTES, MAX_DEPTH, Document, contents, read


def data_of(text: str) -> Any:
    document = read(text.encode(), "f")
    assert document.problems == []
    return document.data


def refusals_of(raw: bytes) -> list[str]:
    return [str(each) for each in read(raw, "f").problems]


def test_each_key_and_element_has_its_line() -> None:
    document = read(b"name: x\nrules:\n- id: a\n  fields:\n  - {path: p,\n     like: [q,\n      r]}\n- id: b\n", "f")

    lines = {where: place.line for where, place in document.places.items()}
    assert lines == {
        (): 1,
        ("name",): 1,
        ("rules",): 2,
        ("rules", 0): 3,
        ("rules", 0, "id"): 3,
        ("rules", 0, "fields"): 4,
        ("rules", 0, "fields", 0): 5,
        ("rules", 0, "fields", 0, "path"): 5,
        ("rules", 0, "fields", 0, "like"): 6,
        ("rules", 0, "fields", 0, "like", 0): 6,
        ("rules", 0, "fields", 0, "like", 1): 7,
        ("rules", 1): 8,
        ("rules", 1, "id"): 8,
    }
    assert str(document.place(("rules", 1, "deny", "error"))) == "f:8"
    assert str(Document("g").place(("rules",))) == "g:1"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("~", None),
        ("''", ""),
        ("true", True),
        ("no", "no"),
        ("Off", "Off"),
        ("'true'", "true"),
        ("12", 12),
        ("-12", -12),
        ("012", 12),
        ("0x1F", "0x1F"),
        ("10:30", "10:30"),
        ("1_000", "1_000"),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("-.5", -0.5),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("1e999", "1e999"),
        ("9" * 5000, "9" * 5000),
        ("2026-01-31", "2026-01-31"),
        ("$name", "$name"),
        ("|\n a\n b\n", "a\nb\n"),
    ],
)
def test_scalars_are_what_the_core_schema_says(text: str, value: object) -> None:
    found = data_of(text)

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["1: x", "null: x", "true: x", "2026-01-31: x", "<<: x"])
def test_a_key_is_always_a_text(text: str) -> None:
    assert data_of(text) == {text.partition(":")[0]: "x"}


@pytest.mark.parametrize(
    ("raw", "refusal"),
    [
        (b"a: 1\nb: 2\na: 3", "f:3: the key 'a' is doubled: keep one"),
        (b"x: {a: 1,\n b: 2, a: 3}", "f:2: the key 'a' is doubled: keep one"),
        (b"a: &x 1", "f:1: anchors and aliases aren't read"),
        (b"a: 1\nb: *x", "f:2: anchors and aliases aren't read"),
        (b"&x a: 1", "f:1: not YAML as policies have it: a key must be plain text"),
        (b"name:\n  !!python/object/apply:os.system [id]", "f:2: tags aren't read"),
        (b"name: !!int 5", "f:1: tags aren't read"),
        (b"!!str name: 5", "f:1: not YAML as policies have it: a key must be plain text"),
        (b"{[a]: b}", "f:1: not YAML as policies have it: a key must be plain text"),
        (b"a: 1\n---\nb: 2", "f:2: not YAML of one document"),
        (b"a: b: c", "f:1: not YAML: mapping values are not allowed"),
        (b"a: '\0'", "f: not YAML: "),
        (b"a: 1\nb: \xff", "f:2: not YAML: not UTF-8"),
        (b"\xff\xfea\0", "f:1: not YAML: not UTF-8"),
        (b"[" * 100_000, "f:1: deeper than 32 levels"),
        (b"".join(b" " * depth + b"a:\n" for depth in range(100)), "f:33: deeper than 32 levels"),
        (b"%YAML 9.0\n---\na", "f:1: not YAML"),
    ],
)
def test_what_is_not_read_is_named_with_its_line(raw: bytes, refusal: str) -> None:
    assert refusals_of(raw)[0].startswith(refusal)


def test_all_doubled_keys_are_named() -> None:
    assert len(refusals_of(b"a: 1\na: 2\nb: {c: 1, c: 2}\n")) == 2


@pytest.mark.parametrize(("depth", "is_read"), [(MAX_DEPTH, True), (MAX_DEPTH + 1, False)])
def test_depth_is_bounded(depth: int, is_read: bool) -> None:
    assert (not refusals_of(b"[" * depth + b"]" * depth)) is is_read


@pytest.mark.parametrize(("size", "is_read"), [(MAX_BYTES, True), (MAX_BYTES + 1, False)])
def test_size_is_bounded(size: int, is_read: bool) -> None:
    assert (not refusals_of(b"a: 1\n#".ljust(size, b"x"))) is is_read


def test_a_byte_order_mark_is_read_over() -> None:
    assert data_of("\ufeffa: 1") == {"a": 1}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc ", max_size=3), inner, max_size=4),
    max_leaves=10,
)


@given(_JSON)
def test_what_is_written_is_read_again(value: Any) -> None:
    assert data_of(yaml.safe_dump(value)) == value


@given(st.binary(max_size=60) | st.text(st.sampled_from("anr:[]{}-&*!|>?% \n'\"#1"), max_size=40).map(str.encode))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    document = read(raw, "f")

    assert document.data is None or () in document.places
    assert all(each.place.source == "f" for each in document.problems)


def test_of_a_file_no_more_is_read_than_shows_that_it_is_too_large(tmp_path: Path) -> None:
    file = tmp_path / "long.yaml"
    file.write_bytes(b"#" * (MAX_BYTES + 500))

    assert contents(file) == b"#" * (MAX_BYTES + 1)


def test_what_never_ends_is_not_read() -> None:
    with pytest.raises(OSError, match="not a regular file"):
        contents(Path("/dev/zero"))
