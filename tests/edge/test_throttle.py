"""Rates, with a clock that sleeping moves."""

import asyncio

import pytest

from gateway.edge.throttle import BURST, CHUNK, CHUNK_MIN, Lanes, Throttle, TooMany


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def lanes(clock: Clock, rate: int, each_rate: int) -> Lanes:
    return Lanes(rate, each_rate, clock=clock, sleep=clock.sleep)


async def test_what_passes_takes_its_time(clock: Clock) -> None:
    throttle = Throttle(1_000, clock=clock, sleep=clock.sleep)
    for _ in range(50):
        await throttle.take(100)
    assert clock.now == pytest.approx(1_000.0 + 5.0 - BURST)


async def test_a_pause_earns_no_more_than_a_burst(clock: Clock) -> None:
    throttle = Throttle(1_000, clock=clock, sleep=clock.sleep)
    await throttle.take(100)
    clock.now += 3_600
    later = clock.now
    await throttle.take(1_000)
    assert clock.now == pytest.approx(later + 1.0 - BURST)


async def test_those_who_ask_at_once_share_the_rate(clock: Clock) -> None:
    waits: list[float] = []

    async def note(seconds: float) -> None:
        waits.append(seconds)

    throttle = Throttle(1_000, clock=clock, sleep=note)
    await asyncio.gather(*(throttle.take(1_000) for _ in range(3)))
    assert waits == pytest.approx([1 - BURST, 2 - BURST, 3 - BURST])


async def test_a_stations_transfers_share_its_rate(clock: Clock) -> None:
    both = lanes(clock, 1_000_000, 1_000)
    with both.lane("CS1", 2) as first, both.lane("CS1", 2) as second:
        await first.take(1_000)
        await second.take(1_000)
    assert clock.now == pytest.approx(1_000.0 + 2.0 - BURST)


async def test_all_stations_share_the_whole_rate(clock: Clock) -> None:
    both = lanes(clock, 1_000, 1_000_000)
    with both.lane("CS1", 1) as first, both.lane("CS2", 1) as second:
        await first.take(1_000)
        await second.take(1_000)
    assert clock.now >= 1_000.0 + 2.0 - 2 * BURST


def test_one_transfer_more_than_the_bound_is_refused(clock: Clock) -> None:
    both = lanes(clock, 1_000, 1_000)
    with both.lane("CS1", 2), both.lane("CS1", 2):
        assert both.transfers == 2
        with pytest.raises(TooMany), both.lane("CS1", 2):
            pytest.fail("the third one began")
        with both.lane("CS2", 2):
            assert both.transfers == 3
    with both.lane("CS1", 1):
        assert both.transfers == 1
    assert both.transfers == 0


@pytest.mark.parametrize(
    ("rate", "each_rate", "chunk"),
    [
        (1 << 40, 1 << 40, CHUNK),
        (1 << 40, 40_000, 10_000),
        (40_000, 1 << 40, 10_000),
        (1, 1 << 40, CHUNK_MIN),
    ],
)
def test_slow_rates_go_in_small_steps(clock: Clock, rate: int, each_rate: int, chunk: int) -> None:
    assert lanes(clock, rate, each_rate).chunk == chunk
