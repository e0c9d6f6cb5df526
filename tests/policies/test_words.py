"""The words of a policy: what others rely on of them."""

import time

import pytest

from policies.words import (
    DEFAULT_RULE,
    PASSED,
    Effect,
    Facts,
    Mode,
    Outcome,
    Reason,
    RuleError,
    Stage,
    Surroundings,
    Verdict,
)


@pytest.mark.parametrize(
    ("stage", "towards_us"),
    [
        (Stage.FROM_STATION, True),
        (Stage.TO_BACKEND, False),
        (Stage.FROM_BACKEND, True),
        (Stage.TO_STATION, False),
    ],
)
def test_a_peer_speaks_or_is_spoken_to(stage: Stage, towards_us: bool) -> None:
    assert stage.is_towards_us is towards_us


def test_passing_says_nothing_and_names_no_rule() -> None:
    assert Verdict(Outcome.PASSED, DEFAULT_RULE, Reason.NO_RULE, "", None) == PASSED


def test_effects_and_modes_are_the_keys_of_the_file() -> None:
    assert [effect.value for effect in Effect] == [
        *("allow", "deny", "answer", "transform", "limit", "quarantine", "audit")
    ]
    assert Mode("observe") is Mode.OBSERVE
    with pytest.raises(ValueError, match="dry-run"):
        Mode("dry-run")


def test_an_error_knows_its_place_in_the_rule() -> None:
    error = RuleError(("fields", 0, "path"), "no such field")

    assert (error.where, str(error)) == (("fields", 0, "path"), "no such field")


def test_no_two_stations_share_a_memory() -> None:
    one, other = (Surroundings(time.time, time.monotonic, lambda: Facts("CS1"), lambda _: False) for _ in range(2))
    one.memory.buckets["rule"] = 1
    one.shared.buckets["rule"] = 1

    assert not other.memory.buckets
    assert not other.shared.buckets
