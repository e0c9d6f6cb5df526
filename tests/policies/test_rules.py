"""A rule as its file says it: its places are those of the file."""

import pytest

from policies.rules import Match, Place, Rule
from policies.words import Effect, Mode, Stage


def place(line: int) -> Place:
    return Place("site.yaml", line)


RULE = Rule(
    "url",
    "B6",
    (Stage.FROM_BACKEND,),
    Match(),
    fields=({"path": "location"},),
    any=(),
    when=None,
    effect=Effect.DENY,
    spec={"text": "no"},
    mode=Mode.ENFORCE,
    place=place(3),
    places={("fields",): place(6), ("fields", 0): place(7), ("fields", 0, "path"): place(8), ("deny",): place(9)},
)


def test_a_place_is_said_as_editors_read_it() -> None:
    assert str(place(3)) == "site.yaml:3"


@pytest.mark.parametrize(
    ("where", "line"),
    [
        (("fields", 0, "path"), 8),
        (("fields", 0, "not", "url"), 7),
        (("fields", 3), 6),
        (("deny", "text"), 9),
        (("when",), 3),
        ((), 3),
    ],
)
def test_an_error_is_at_its_line_or_the_nearest_around_it(where: tuple[str | int, ...], line: int) -> None:
    assert RULE.place_of(where) == place(line)
