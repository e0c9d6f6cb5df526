"""The pool: turns in order, steps in threads, and no turn for those who keep others waiting."""

from __future__ import annotations

import asyncio
import functools
import threading
from typing import TYPE_CHECKING

import pytest

from gateway.transport.handshakes import UNDELIVERED_MAX, HandshakePool
from gateway.transport.limits import Limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Until = Callable[[Callable[[], object]], Awaitable[None]]


ADDRESS = "192.0.2.1"


class Caller:
    """A handshake that notes what happens to it."""

    def __init__(self, pool: HandshakePool, log: list[str], name: str) -> None:
        self._pool = pool
        self._log = log
        self._name = name

    def turn(self) -> None:
        self._log.append(f"{self._name} turn")

    def lose_turn(self, reason: str) -> None:
        self._log.append(f"{self._name} lost: {reason}")
        self._pool.leave(self)


@pytest.fixture
async def small_pool() -> AsyncIterator[Callable[..., HandshakePool]]:
    pools: list[HandshakePool] = []

    def make(**limits: float) -> HandshakePool:
        pool = HandshakePool(Limits(**{"max_handshakes": 2} | limits), threads=1)  # type: ignore[arg-type]  # mixed table
        pools.append(pool)
        return pool

    yield make
    for pool in pools:
        pool.close()


async def turns() -> None:
    """Let what was called soon happen."""
    for _ in range(3):
        await asyncio.sleep(0)


async def test_turns_are_given_in_order(small_pool: Callable[..., HandshakePool]) -> None:
    pool = small_pool()
    log: list[str] = []
    callers = [Caller(pool, log, name) for name in "abcde"]
    for caller in callers:
        pool.enter(caller, ADDRESS)
    assert log == ["a turn", "b turn"]
    assert (pool.under_way, pool.waiting) == (2, 3)

    pool.leave(callers[1])
    pool.leave(callers[3])  # gives up its place in the queue
    await turns()
    assert log == ["a turn", "b turn", "c turn"]

    pool.leave(callers[1])  # has left before: frees nothing
    await turns()
    assert (pool.under_way, pool.waiting) == (2, 1)

    pool.leave(callers[0])
    await turns()
    assert log[-1] == "e turn"


async def test_one_address_has_one_line_and_the_lines_take_turns(small_pool: Callable[..., HandshakePool]) -> None:
    """However many connections a stranger has, a station of another address waits for one of them (attacks A5, C3)."""
    pool = small_pool(max_handshakes=1)
    log: list[str] = []
    first, *crowd = (Caller(pool, log, f"stranger {n}") for n in range(100))
    stations = [Caller(pool, log, name) for name in ("station", "neighbour", "station 6")]
    pool.enter(first, "2001:db8::1")
    for n, caller in enumerate(crowd):
        pool.enter(caller, f"2001:db8::{n}")  # the same /64
    for caller, address in zip(stations, ("192.0.2.1", "192.0.2.1", "2001:db8:0:1::1"), strict=True):
        pool.enter(caller, address)
    order = [first, crowd[0], stations[0], stations[2], crowd[1], stations[1]]
    for caller in order:
        pool.leave(caller)
        await turns()
    assert log == [
        "stranger 0 turn",
        "stranger 1 turn",
        "station turn",
        "station 6 turn",
        "stranger 2 turn",
        "neighbour turn",
        "stranger 3 turn",
    ]
    for caller in crowd[2:]:
        pool.leave(caller)
    await turns()
    assert (pool.waiting, pool._lines) == (0, {})


async def test_steps_run_in_a_thread_and_answer_on_the_loop(small_pool: Callable[..., HandshakePool]) -> None:
    pool = small_pool()
    caller = Caller(pool, [], "a")
    pool.enter(caller, ADDRESS)
    answer: asyncio.Future[tuple[str, str]] = asyncio.get_running_loop().create_future()
    pool.run(
        caller,
        lambda: threading.current_thread().name,
        lambda name: answer.set_result((name, threading.current_thread().name)),
    )
    ran_in, answered_in = await asyncio.wait_for(answer, 10)
    assert ran_in == "tls-handshake-0"
    assert answered_in == threading.current_thread().name


async def test_a_peer_that_sends_its_flight_byte_by_byte_keeps_nobody_waiting(
    small_pool: Callable[..., HandshakePool], until: Until
) -> None:
    """Each byte runs a step and none finishes the flight: the patience counts from our own last word."""
    pool = small_pool(handshake_patience=0.05, max_handshakes=1)
    log: list[str] = []
    drip, second = (Caller(pool, log, name) for name in ("drip", "second"))
    pool.enter(drip, ADDRESS)
    pool.await_peer(drip, anew=True)
    pool.enter(second, ADDRESS)

    def next_byte(_: object = None) -> None:
        if "second turn" not in log:
            pool.await_peer(drip, anew=False)
            pool.run(drip, lambda: None, next_byte)

    next_byte()
    await until(lambda: "second turn" in log)
    assert log[1].startswith("drip lost")


async def test_who_waits_for_his_peer_too_long_loses_his_turn_to_others(
    small_pool: Callable[..., HandshakePool], until: Until
) -> None:
    pool = small_pool(handshake_patience=0.01)
    log: list[str] = []
    silent, busy, third = (Caller(pool, log, name) for name in ("silent", "busy", "third"))
    pool.enter(silent, ADDRESS)
    pool.enter(busy, ADDRESS)
    pool.await_peer(silent, anew=True)
    pool.await_peer(busy, anew=True)
    gate = threading.Event()
    pool.run(busy, gate.wait, lambda _: None)
    pool.enter(third, ADDRESS)
    await until(lambda: "third turn" in log)
    gate.set()
    assert log[2:] == ["silent lost: no flight of the TLS handshake in 0.01 s while others waited", "third turn"]


async def test_nobody_loses_his_turn_while_nobody_waits(small_pool: Callable[..., HandshakePool]) -> None:
    pool = small_pool(handshake_patience=0.001)
    log: list[str] = []
    silent, other = Caller(pool, log, "silent"), Caller(pool, log, "other")
    pool.enter(silent, ADDRESS)
    pool.await_peer(silent, anew=True)
    expired = asyncio.Event()
    asyncio.get_running_loop().call_later(0.01, expired.set)
    await expired.wait()
    pool.enter(other, ADDRESS)
    await turns()
    assert log == ["silent turn", "other turn"]


async def test_closing_ends_those_who_wait(small_pool: Callable[..., HandshakePool]) -> None:
    pool = small_pool(max_handshakes=1)
    log: list[str] = []
    for name in "abc":
        caller = Caller(pool, log, name)
        pool.enter(caller, ADDRESS)
        pool.await_peer(caller, anew=True)
    threads = list(pool._threads)
    pool.close()
    for thread in threads:
        thread.join(10)
    assert log == ["a turn", "b lost: shutting down", "c lost: shutting down"]
    assert not any(thread.is_alive() for thread in threads)


def test_a_step_that_outlives_its_loop_is_forgotten(small_pool_threads: Callable[[], HandshakePool]) -> None:
    pool = small_pool_threads()
    gate = threading.Event()

    async def begin() -> None:
        caller = Caller(pool, [], "a")
        pool.enter(caller, ADDRESS)
        pool.run(caller, gate.wait, lambda _: pytest.fail("the loop is closed"))

    asyncio.run(begin())
    gate.set()
    pool.close()
    for thread in pool._threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in pool._threads)


@pytest.fixture
def small_pool_threads() -> Callable[[], HandshakePool]:
    return lambda: HandshakePool(threads=1)


async def test_no_more_steps_are_done_than_the_loop_has_heard_of(
    small_pool: Callable[..., HandshakePool], until: Until
) -> None:
    """A loop that comes late finds a few outcomes, not hundreds: else it would come ever later."""
    pool = small_pool()
    heard: list[int] = []
    full, one_more = threading.Event(), threading.Event()

    def step(number: int) -> int:
        if number == UNDELIVERED_MAX:
            full.set()
        elif number > UNDELIVERED_MAX:
            one_more.set()
        return number

    count = 3 * UNDELIVERED_MAX
    for number in range(1, count + 1):
        pool.run(Caller(pool, [], "a"), functools.partial(step, number), heard.append)
    assert full.wait(10)  # on the loop's own thread, which hears of nothing meanwhile
    assert not one_more.wait(0.1)
    assert heard == []

    await until(lambda: len(heard) == count)
    assert heard == list(range(1, count + 1))
