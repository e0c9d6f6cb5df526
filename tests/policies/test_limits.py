"""Token buckets: as many as the burst, then as fast as the rate, whoever asks and whatever the clock does."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.limits import BUCKETS_MAX, TOKENS_MAX, Level, Limit, compile_limit
from policies.words import Facts, Kind, Memory, RuleError, Stage, Surroundings, Target

HEARTBEAT = Target(Stage.FROM_STATION, Kind.CALL, "ocpp1.6", "Heartbeat")
AUTHORIZE = Target(Stage.FROM_STATION, Kind.CALL, "ocpp1.6", "Authorize")


@dataclass
class Site:
    """Stations on one clock and one shared memory."""

    now: float = 1000.0
    shared: Memory = field(default_factory=Memory)

    def station(self, address: str = "192.0.2.1") -> Surroundings:
        return Surroundings(
            now=lambda: 0.0,
            monotonic=lambda: self.now,
            facts=lambda: Facts("CS-1", address=address),
            owns=lambda _: False,
            shared=self.shared,
        )


@pytest.fixture
def site() -> Site:
    return Site()


def limit(rate: str = "10/minute", burst: int | None = 3, by: str = "station", target: Target = HEARTBEAT) -> Limit:
    spec = {"by": by, "rate": rate} | ({} if burst is None else {"burst": burst})
    return compile_limit("flood", spec, target)


def taken(limit: Limit, station: Surroundings, times: int = 100) -> int:
    """Return how many of ``times`` messages at once are within the limit."""
    return sum(limit.take(HEARTBEAT, station) for _ in range(times))


@pytest.mark.parametrize("burst", [1, 2, 10, 1000])
def test_the_burst_is_within_the_limit_and_one_more_is_over(site: Site, burst: int) -> None:
    station, flood = site.station(), limit(burst=burst)

    assert [flood.take(HEARTBEAT, station) for _ in range(burst + 1)] == [True] * burst + [False]


@pytest.mark.parametrize(
    ("rate", "seconds"), [("1/second", 1), ("7/second", 1 / 7), ("10/minute", 6), ("3/hour", 1200), ("1/day", 86_400)]
)
def test_one_token_comes_back_when_its_time_is_over_and_no_sooner(site: Site, rate: str, seconds: float) -> None:
    station, flood = site.station(), limit(rate, 5)
    taken(flood, station)

    for _ in range(10):
        site.now += seconds * 0.999
        assert taken(flood, station) == 0
        site.now += seconds * 0.001
        assert taken(flood, station) == 1


def test_parts_of_a_token_add_up(site: Site) -> None:
    station, flood = site.station(), limit("10/minute", 1)
    taken(flood, station)

    results = []
    for _ in range(12):
        site.now += 1.0
        results.append(flood.take(HEARTBEAT, station))
    assert results == ([False] * 5 + [True]) * 2


def test_a_bucket_holds_no_more_than_its_burst_however_long_it_rests(site: Site) -> None:
    station, flood = site.station(), limit("10/second", 3)
    taken(flood, station)
    site.now += 1e9

    assert taken(flood, station) == 3


def test_without_a_burst_it_is_the_count_of_the_rate(site: Site) -> None:
    assert taken(limit("10/hour", None), site.station()) == 10


def test_each_station_has_its_own(site: Site) -> None:
    flood = limit(by="station")

    assert [taken(flood, site.station()), taken(flood, site.station())] == [3, 3]


def test_stations_behind_one_address_share_one(site: Site) -> None:
    flood = limit(by="address")

    assert [taken(flood, site.station(address)) for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2")] == [3, 0, 3]


@pytest.mark.parametrize(("by", "of_the_other_action"), [("action", 3), ("global", 0), ("station", 0), ("address", 0)])
def test_only_a_limit_by_action_tells_actions_apart(site: Site, by: str, of_the_other_action: int) -> None:
    station = site.station()
    taken(limit(by=by), station)

    assert taken(limit(by=by, target=AUTHORIZE), station) == of_the_other_action


@pytest.mark.parametrize("by", ["action", "global"])
def test_all_stations_share_these(site: Site, by: str) -> None:
    flood = limit(by=by)

    assert [taken(flood, site.station("192.0.2.1")), taken(flood, site.station("192.0.2.2"))] == [3, 0]


def test_rules_have_buckets_of_their_own(site: Site) -> None:
    station = site.station()
    taken(limit(), station)

    assert taken(compile_limit("other", {"by": "station", "rate": "1/day"}, HEARTBEAT), station) == 1


@pytest.mark.parametrize(("before", "after", "left"), [(10, 3, 3), (3, 10, 2), (2, 2, 1)])
def test_a_reload_keeps_what_is_in_a_bucket_clamped_to_the_new_burst(
    site: Site, before: int, after: int, left: int
) -> None:
    station = site.station()
    limit(burst=before).take(HEARTBEAT, station)

    assert taken(limit(burst=after), station) == left


def test_after_a_reload_the_new_rate_counts_from_then_on(site: Site) -> None:
    station = site.station()
    taken(limit("1/hour", 5), station)
    site.now += 1800
    fast = limit("1/second", 5)

    assert taken(fast, station) == 0
    site.now += 1
    assert taken(fast, station) == 1


@pytest.mark.parametrize("jump", [0.0, -1.0, -1e9])
def test_a_clock_that_stands_still_or_runs_back_gives_nothing_and_takes_nothing(site: Site, jump: float) -> None:
    station, flood = site.station(), limit("1/second", 3)
    flood.take(HEARTBEAT, station)
    site.now += jump

    assert taken(flood, station) == 2
    site.now += 1
    assert taken(flood, station) == 1


def test_a_look_takes_nothing_and_leaves_nothing(site: Site) -> None:
    station, flood = site.station(), limit("1/minute", 2)

    assert flood.peek(HEARTBEAT, station) == Level(2, 2, 0.0)
    assert not station.memory.buckets
    taken(flood, station, 1)
    assert flood.peek(HEARTBEAT, station) == Level(1, 2, 0.0)
    taken(flood, station)
    site.now += 15
    level = flood.peek(HEARTBEAT, station)
    assert (level.tokens, level.wait) == pytest.approx((0.25, 45))
    assert taken(flood, station) == 0


def test_buckets_are_bounded(site: Site) -> None:
    flood = limit("1/hour", 2, by="address")
    for number in range(BUCKETS_MAX + 500):
        flood.take(HEARTBEAT, site.station(str(number)))

    assert len(site.shared.buckets) <= BUCKETS_MAX


def test_who_comes_under_many_addresses_gets_no_fresh_bucket_for_one_that_is_empty(site: Site) -> None:
    flood = limit("1/hour", 3, by="address")
    taken(flood, site.station("abuser"))
    for number in range(BUCKETS_MAX + 2000):
        flood.take(HEARTBEAT, site.station(str(number)))

    assert taken(flood, site.station("abuser")) == 0


def test_full_buckets_go_before_any_other(site: Site) -> None:
    flood = limit("1/hour", 3, by="address")
    for number in range(BUCKETS_MAX // 2):
        flood.take(HEARTBEAT, site.station(f"old {number}"))
    site.now += 3600
    for number in range(BUCKETS_MAX):
        flood.take(HEARTBEAT, site.station(f"new {number}"))

    kept = site.shared.buckets
    assert all(("flood", f"new {number}") in kept for number in range(BUCKETS_MAX))


@given(
    st.integers(1, 50),
    st.integers(1, 50),
    st.lists(st.tuples(st.floats(0, 30, allow_nan=False), st.integers(1, 20)), max_size=40),
)
def test_no_span_of_time_passes_more_than_burst_and_refill(
    count: int, burst: int, moments: list[tuple[float, int]]
) -> None:
    site = Site()
    station, flood = site.station(), limit(f"{count}/minute", burst)
    passed: list[tuple[float, int]] = []
    for pause, messages in moments:
        site.now += pause
        passed.append((site.now, taken(flood, station, messages)))

    for first in range(len(passed)):
        for last in range(first, len(passed)):
            span = passed[last][0] - passed[first][0]
            assert sum(n for _, n in passed[first : last + 1]) <= burst + span * count / 60 + 1e-6


@pytest.mark.parametrize(
    ("spec", "where", "words"),
    [
        ({"by": "station"}, "rate", '"10/hour"'),
        ({"by": "station", "rate": 10}, "rate", '"10/hour"'),
        ({"by": "station", "rate": "10"}, "rate", '"10/hour"'),
        ({"by": "station", "rate": "10/week"}, "rate", '"10/hour"'),
        ({"by": "station", "rate": "-1/hour"}, "rate", '"10/hour"'),
        ({"by": "station", "rate": "1.5/hour"}, "rate", '"10/hour"'),
        ({"by": "station", "rate": "\u0661/hour"}, "rate", '"10/hour"'),
        ({"by": "station", "rate": "0/hour"}, "rate", f"1 to {TOKENS_MAX}"),
        ({"by": "station", "rate": f"{TOKENS_MAX + 1}/hour"}, "rate", f"1 to {TOKENS_MAX}"),
        ({"rate": "1/hour"}, "by", "station, address, action, global"),
        ({"by": "moon", "rate": "1/hour"}, "by", "station, address, action, global"),
        ({"by": ["station"], "rate": "1/hour"}, "by", "station, address, action, global"),
        ({"by": "station", "rate": "1/hour", "burst": 0}, "burst", "whole number"),
        ({"by": "station", "rate": "1/hour", "burst": TOKENS_MAX + 1}, "burst", "whole number"),
        ({"by": "station", "rate": "1/hour", "burst": 1.5}, "burst", "whole number"),
        ({"by": "station", "rate": "1/hour", "burst": True}, "burst", "whole number"),
        ({"by": "station", "rate": "1/hour", "bursts": 1}, "bursts", "unknown key"),
    ],
    ids=str,
)
def test_what_is_no_limit(spec: Mapping[str, Any], where: str, words: str) -> None:
    with pytest.raises(RuleError, match=words) as refusal:
        compile_limit("flood", spec, HEARTBEAT, ("limit",))
    assert refusal.value.where == ("limit", where)


def test_the_largest_limit(site: Site) -> None:
    flood = limit(f"{TOKENS_MAX}/second", TOKENS_MAX)

    assert flood.peek(HEARTBEAT, site.station()).tokens == TOKENS_MAX
