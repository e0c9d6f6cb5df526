"""For which stations a rule is."""

import pytest

from policies.rules import Match
from policies.scopes import EVERYBODY, covering, scope_of
from policies.words import Facts

STATION = Facts("CS-7", group="depot", backend="legacy")


@pytest.mark.parametrize(
    ("match", "outside"),
    [
        (Match(), None),
        (Match(stations=("CS-7",)), None),
        (Match(stations=("XX", "CS-*")), None),
        (Match(stations=("cs-*",)), ("match", "station")),
        (Match(stations=("CS-",)), ("match", "station")),
        (Match(stations=("CS-[1-6]",)), ("match", "station")),
        (Match(groups=("dep?t",)), None),
        (Match(groups=("street",)), ("match", "group")),
        (Match(stations=("CS-*",), groups=("street",)), ("match", "group")),
        (Match(backends=("legacy",), groups=("*",), stations=("*",)), None),
        (Match(backends=("new",)), ("match", "backend")),
    ],
)
def test_a_match_is_for_the_stations_that_all_its_globs_name(match: Match, outside: tuple[str, str] | None) -> None:
    assert scope_of(match).outside(STATION) == outside


def test_a_station_without_a_group_is_in_none() -> None:
    assert scope_of(Match(groups=("*",))).outside(Facts("CS-7")) == ("match", "group")


def test_equal_matches_are_one_scope() -> None:
    assert scope_of(Match(stations=("a", "b"))) == scope_of(Match(stations=("a", "b"), actions=("Reset",)))
    assert scope_of(Match(actions=("Reset",))) == EVERYBODY
    assert len({scope_of(Match(groups=("a",))), scope_of(Match(groups=("a",))), scope_of(Match(stations=("a",)))}) == 2


def test_the_scopes_of_a_station_are_found_at_once() -> None:
    scopes = [EVERYBODY, scope_of(Match(groups=("depot",))), scope_of(Match(groups=("street",)))]

    assert covering(scopes, STATION) == {0, 1}
    assert covering(scopes, Facts("X")) == {0}


@pytest.mark.timeout(20)
def test_a_glob_of_many_stars_stalls_nothing() -> None:
    assert scope_of(Match(stations=("*a" * 40 + "b",))).outside(Facts("a" * 48)) == ("match", "station")
