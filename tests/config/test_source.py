"""YAML texts and what is read of them."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.source import DEPTH_MAX, ECHO_MAX, FILE_SIZE_MAX, ConfigError, Source, printable, read, spell


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "voltgate.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def refusal(folder: Path, text: str | bytes) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(write(folder, text))
    return [line.removeprefix(str(folder / "voltgate.yaml")) for line in caught.value.lines]


def test_values_come_with_their_places(tmp_path: Path) -> None:
    source = read(
        write(tmp_path, "operator: CPO\nlisteners:\n  - bind: a\n\n  - bind: b\nlimits: {x: 1.5, y: [true]}\n")
    )

    assert source.data == {
        "operator": "CPO",
        "listeners": [{"bind": "a"}, {"bind": "b"}],
        "limits": {"x": 1.5, "y": [True]},
    }
    name = str(tmp_path / "voltgate.yaml")
    assert source.place(("operator",)) == f"{name}:1"
    assert source.place(("listeners", 1)) == f"{name}:5"
    assert source.place(("listeners", 1, "bind")) == f"{name}:5"
    assert source.place(("listeners", 1, "tls", "roots")) == f"{name}:5", "the nearest key that was written"
    assert source.place(("backends",)) == name


def test_an_empty_file_is_an_empty_tree(tmp_path: Path) -> None:
    assert read(write(tmp_path, "# nothing\n")).data == {}


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    assert read(write(tmp_path, b"\xef\xbb\xbfoperator: CPO")).data == {"operator": "CPO"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\na: 2\nb: {c: 1, c: 2}", ":2: a: stands here twice (first in line 1); remove one"),
        ("- a", ":1: must be a mapping of keys (`backends:` and so on)"),
        ("a: &x 1\nb: *x", ":1: anchors (&) and aliases (*) aren't read; write the value out"),
        ("a: *x", ":1: anchors (&) and aliases (*) aren't read; write the value out"),
        ("yes: 1", ":1: a key must be text; put it in quotes"),
        ("a: {[b]: 1}", ":1: a: a key must be text; put it in quotes"),
        ("a: 2024-99-99", ":1: isn't a valid number or date; put it in quotes if it is text"),
        ("a: " + "9" * 5000, ":1: isn't a valid number or date; put it in quotes if it is text"),
        (
            "a: !!python/object/apply:os.system [id]",
            ":1: the tag tag:yaml.org,2002:python/object/apply:os.system isn't",
        ),
        ("a: !!python/name:os.system", ":1: holds a YAML tag that isn't read; write a plain value"),
        ("a: !!set {x}", ":1: the tag tag:yaml.org,2002:set isn't read; write a plain value"),
        ("<<: {a: 1}", ":1: holds a YAML tag that isn't read; write a plain value"),
        ("a: 1\nb: \x01", ":2: holds a control character; remove it"),
        (b"a: 1\nb: \xff", ":2: isn't UTF-8 text; save the file as UTF-8"),
        ("a: 1\nbind: [::]:80", ":2: isn't valid YAML: expected the node content, but found ':' (a value that begins"),
        ("a: 1\n---\nb: 2", ":2: isn't valid YAML: but found another document"),
        ("a:\n\t- b", ":2: isn't valid YAML: found character"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str | bytes, line: str) -> None:
    assert refusal(tmp_path, text)[0].startswith(line)


def test_every_doubled_key_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path, "a: 1\na: 2\nb: {c: 1, c: 2}") == [
        ":2: a: stands here twice (first in line 1); remove one",
        ":3: b.c: stands here twice (first in line 3); remove one",
    ]


def test_depth_at_the_limit_and_one_past_it(tmp_path: Path) -> None:
    deepest = "a: " + "[" * (DEPTH_MAX - 1) + "]" * (DEPTH_MAX - 1)
    assert "a" in read(write(tmp_path, deepest)).data
    assert refusal(tmp_path, f"a: [{deepest[3:]}]") == [f":1: is nested deeper than {DEPTH_MAX} levels"]
    assert refusal(tmp_path, "a: " + "[" * 100_000) == [f":1: is nested deeper than {DEPTH_MAX} levels"]


def test_size_at_the_limit_and_one_past_it(tmp_path: Path) -> None:
    filled = "a: 1\n#" + "x" * (FILE_SIZE_MAX - 6)
    assert read(write(tmp_path, filled)).data == {"a": 1}
    assert "larger than" in refusal(tmp_path, filled + "x")[0]


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no such file; `voltgate init DIR` writes one"):
        read(tmp_path / "voltgate.yaml")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"can't be read: Is a directory"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("listeners", 0, "tls", "certificates", 1, "key"), "listeners[0].tls.certificates[1].key"),
        (("a\x1b[31m\n",), "a\\x1b[31m\\n"),
        ((), ""),
    ],
)
def test_how_a_key_path_is_spelt(path: tuple[str | int, ...], text: str) -> None:
    assert spell(path) == text


def test_long_text_is_cut() -> None:
    assert printable("x" * ECHO_MAX) == "x" * ECHO_MAX
    assert printable("x" * (ECHO_MAX + 1)) == "x" * ECHO_MAX + "..."


def test_forgetting_a_place_forgets_those_below() -> None:
    source = Source("f", places={("a",): "1", ("a", "b"): "2", ("c",): "3"})

    source.forget(("a",))

    assert source.places == {("c",): "3"}


@given(st.text(alphabet=st.sampled_from("ab:-[]{}&*!|>'\"#%@` \n\t,?=<0.~\x00\u2028é"), max_size=60))
def test_no_text_does_anything_but_read_or_refuse(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = write(tmp_path_factory.getbasetemp(), text)
    refused: tuple[str, ...] = ()
    try:
        source = read(path)
    except ConfigError as error:
        refused = error.lines
    else:
        assert source.data == (yaml.safe_load(text.removeprefix("\ufeff")) or {})
    assert all(line.startswith(str(path)) and line.isprintable() for line in refused)
