"""Token buckets against a model that is too simple to be wrong, and what they are used for."""

from fractions import Fraction

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.edge.failures import Buckets, FailureLimits, Failures, TooManyAtOnce, TooManyFailures


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class BucketsAgainstAModel(RuleBasedStateMachine):
    """3 tokens at most, one comes back every 8 seconds: numbers that floats hold exactly."""

    keys = st.sampled_from("abc")

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.buckets: Buckets[str] = Buckets(60 / 8, 3, clock=self.clock)
        self.model = dict.fromkeys("abc", Fraction(3))
        self.taken = dict.fromkeys("abc", 0)

    @rule(seconds=st.integers(0, 40))
    def time_passes(self, seconds: int) -> None:
        self.clock.now += seconds
        self.model = {key: min(Fraction(3), level + Fraction(seconds, 8)) for key, level in self.model.items()}

    @rule(key=keys)
    def take(self, key: str) -> None:
        is_there = self.model[key] >= 1
        assert self.buckets.take(key) is is_there
        if is_there:
            self.model[key] -= 1
            self.taken[key] += 1

    @rule(key=keys)
    def give_back(self, key: str) -> None:
        if self.taken[key]:
            self.taken[key] -= 1
            self.buckets.give_back(key)
            self.model[key] = min(Fraction(3), self.model[key] + 1)

    @invariant()
    def waits_are_right(self) -> None:
        for key, level in self.model.items():
            assert self.buckets.wait(key) == max(0, (1 - level) * 8)


TestBuckets = BucketsAgainstAModel.TestCase


def test_what_is_remembered_is_bounded_and_the_longest_untouched_goes_first() -> None:
    buckets: Buckets[int] = Buckets(1, 2, most=3, clock=Clock())
    for key in (1, 2, 3, 1, 4):
        assert buckets.take(key)
    assert len(buckets) == 3
    assert not buckets.take(1)
    assert buckets.take(2)
    assert buckets.take(2)


def test_a_full_bucket_is_not_kept() -> None:
    buckets: Buckets[str] = Buckets(1, 2, clock=Clock())
    buckets.take("a")
    buckets.give_back("a")
    assert len(buckets) == 0


LIMITS = FailureLimits(connections_per_address=6, passwords_per_address=4, passwords_per_identity=2)


def test_an_address_that_fails_too_often_is_turned_away_for_a_while() -> None:
    clock = Clock()
    failures = Failures(LIMITS, clock=clock)
    for n in range(6):
        assert failures.screen(f"2001:db8::{n}") is None
        failures.connection_failed(f"2001:db8::{n}")
    assert failures.screen("2001:db8::99") == "TOO_MANY"
    assert failures.screen("2001:db8:0:1::1") is None
    failures.connection_failed("2001:db8::1")
    clock.now += 10
    assert failures.screen("2001:db8::99") is None


def _tries(failures: Failures, *attempts: tuple[str, str]) -> list[bool]:
    heard = []
    for address, identity in attempts:
        try:
            with failures.reserve(address, identity):
                pass
            heard.append(True)
        except TooManyFailures:
            heard.append(False)
    return heard


def test_per_identity_per_address_and_the_try_that_each_address_has_of_its_own() -> None:
    clock = Clock()
    failures = Failures(LIMITS, clock=clock)
    assert _tries(failures, *[("10.0.0.1", "CS1")] * 4) == [True, True, True, False]
    assert _tries(failures, *[("10.0.0.2", "CS1")] * 2) == [True, False]
    assert _tries(failures, ("10.0.0.1", "CS2"), ("10.0.0.1", "CS3")) == [True, False]
    clock.now += 29
    assert _tries(failures, *[("10.0.0.3", "CS1")] * 2) == [True, False]
    clock.now += 1
    assert _tries(failures, *[("10.0.0.3", "CS1")] * 3) == [True, False, False]  # the identity's bucket has one again


def test_a_refusal_says_how_long_and_takes_nothing() -> None:
    clock = Clock()
    failures = Failures(LIMITS, clock=clock)
    _tries(failures, *[("10.0.0.1", "CS1")] * 3)
    for _ in range(10):
        with pytest.raises(TooManyFailures, match="this identity") as caught:
            failures.reserve("10.0.0.1", "CS1")
        assert caught.value.wait == pytest.approx(30.0)
    assert _tries(failures, ("10.0.0.1", "CS2")) == [True]
    with pytest.raises(TooManyFailures, match="this address") as caught:
        failures.reserve("10.0.0.1", "CS2")
    assert caught.value.wait == pytest.approx(15.0)


def test_what_is_being_compared_is_no_failure_yet() -> None:
    """Many stations of one address at once are busy, not wrong: what they hear counts against nobody."""
    clock = Clock()
    failures = Failures(LIMITS, clock=clock)
    under_way = [failures.reserve("10.0.0.1", f"CS{n}") for n in range(4)]
    with pytest.raises(TooManyAtOnce, match="4 passwords of this address"):
        failures.reserve("10.0.0.1", "CS9")
    for wrong in under_way[:2]:
        with wrong:
            pass
    with pytest.raises(TooManyAtOnce, match="2 passwords of this address"):
        failures.reserve("10.0.0.1", "CS9")
    with under_way[2]:
        pass
    with pytest.raises(TooManyFailures, match="this address"):  # by now most of them were wrong
        failures.reserve("10.0.0.1", "CS9")
    with under_way[3]:
        under_way[3].give_back()
    failures.reserve("10.0.0.1", "CS9")


def test_what_fits_is_given_back() -> None:
    failures = Failures(LIMITS, clock=Clock())
    for _ in range(20):
        failures.reserve("10.0.0.1", "CS1").give_back()
    _tries(failures, *[("10.0.0.1", "CS1")] * 2)
    for _ in range(20):
        failures.reserve("10.0.0.1", "CS1").give_back()
    assert _tries(failures, *[("10.0.0.1", "CS1")] * 2) == [True, False]
