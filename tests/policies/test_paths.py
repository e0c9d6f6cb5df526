"""Paths: how they are written, what is said of those that aren't, and what they find."""

import contextlib
import re
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.paths import EACH, PATH_MAX, STEPS_MAX, WITHIN, Path, PathError, Steps, parse, spell, texts_within

NAMES = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=8).filter(
    lambda text: text[0].isalpha()
)
SEGMENTS = st.tuples(NAMES, st.lists(st.just(EACH), max_size=2)).map(lambda pair: (pair[0], *pair[1]))
STEPS = st.lists(SEGMENTS, min_size=1, max_size=5).map(lambda many: tuple(step for each in many for step in each))


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("timestamp", Path(("timestamp",))),
        ("idToken.idToken", Path(("idToken", "idToken"))),
        (
            "meterValue[].sampledValue[].value",
            Path(("meterValue", EACH, "sampledValue", EACH, "value")),
        ),
        ("key[]", Path(("key", EACH))),
        ("a[][].b", Path(("a", EACH, EACH, "b"))),
        ("**", Path((), is_anywhere=True)),
        ("**.customData", Path(("customData",), is_anywhere=True)),
        ("**.component.name", Path(("component", "name"), is_anywhere=True)),
    ],
)
def test_how_paths_are_written(text: str, path: Path) -> None:
    assert parse(text) == path
    assert str(path) == text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "a path has 1 to 256 characters"),
        ("a" * (PATH_MAX + 1), "a path has 1 to 256 characters"),
        (".".join("a" * (STEPS_MAX + 1)), "a path has at most 14 names and []"),
        ("a" + "[]" * STEPS_MAX, "a path has at most 14 names and []"),
        ("a..b", "a field's name was expected at character 3, where '.' stands"),
        (".a", "a field's name was expected at character 1, where '.' stands"),
        ("a.", "a field's name was expected at character 3, where its end stands"),
        ("a b", "`.` and a name, or `[]`, was expected at character 2, where ' ' stands"),
        ("a[0].b", "at character 2, where '[' stands; `[]` stands for every element, a single one can't be named"),
        ("a[", "at character 2, where '[' stands"),
        ("[].a", "a field's name was expected at character 1, where '[' stands"),
        ("a.**", "at character 3, where '*' stands; `**` may only begin a path"),
        ("**a", "at character 1, where '*' stands"),
        ("**.", "at character 4, where its end stands"),
        ("***", "at character 1"),
        ("1a", "at character 1, where '1' stands"),
        ("ä", "at character 1, where 'ä' stands"),
        ("$value", "at character 1, where '$' stands"),
    ],
)
def test_what_is_no_path(text: str, complaint: str) -> None:
    with pytest.raises(PathError, match=re.escape(complaint)):
        parse(text)


def test_the_longest_path() -> None:
    assert parse("a" * PATH_MAX).steps == ("a" * PATH_MAX,)


@settings(deadline=None)
@given(STEPS.filter(lambda steps: len(steps) <= STEPS_MAX), st.booleans())
def test_every_path_is_read_as_it_is_written(steps: Steps, is_anywhere: bool) -> None:
    path = Path(steps, is_anywhere)

    assert parse(str(path)) == path


@settings(deadline=None)
@given(st.text(string.ascii_letters + ".[]* \u00e9\n", max_size=12))
def test_any_text_is_a_path_or_refused_as_one(text: str) -> None:
    with contextlib.suppress(PathError):
        assert str(parse(text)) == text


def test_texts_in_what_no_schema_describes_are_found_at_every_depth() -> None:
    value = {"text": "t", "number": 5, "list": ["u", {"deep": "v"}], "nothing": None}

    assert sorted(texts_within(value)) == ["deep", "list", "nothing", "number", "t", "text", "u", "v"]
    assert list(texts_within("t")) == ["t"]
    assert list(texts_within(5)) == []


def test_steps_in_words() -> None:
    assert spell(("customData", WITHIN)) == "customData.**"
