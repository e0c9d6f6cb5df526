"""Who has a turn, and in which order: as dialogues, and whatever comes and goes (attack A5)."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.edge.turns import TooManyWaiting, Turns

STRANGER, STATION, OTHER = "192.0.2.1", "10.0.0.1", "10.0.0.2"


class Room:
    """Some turns, and those who want one; each ends when it is told to."""

    def __init__(self, at_once: int = 1, waiting_max: int = 100) -> None:
        self.turns = Turns(at_once, waiting_max)
        self.working: list[str] = []
        self.order: list[str] = []
        self.refused: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.ends: dict[str, asyncio.Event] = {}

    async def comes(self, name: str, address: str) -> None:
        self.ends[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._work(name, address), name=name)
        await self.settle()

    async def ends_work(self, name: str) -> None:
        self.ends[name].set()
        await self.settle()

    async def leaves(self, name: str) -> None:
        self.tasks[name].cancel()
        await self.settle()

    async def settle(self) -> None:
        for _ in range(4):
            await asyncio.sleep(0)

    async def _work(self, name: str, address: str) -> None:
        try:
            async with self.turns.turn(address):
                self.order.append(name)
                self.working.append(name)
                try:
                    await self.ends[name].wait()
                finally:
                    self.working.remove(name)
        except TooManyWaiting:
            self.refused.append(name)


async def test_a_strangers_hundred_come_before_nobodys_one() -> None:
    room = Room()
    for number in range(20):
        await room.comes(f"stranger {number}", STRANGER)
    await room.comes("station", STATION)
    await room.ends_work("stranger 0")
    await room.ends_work("stranger 1")
    assert room.working == ["station"]
    assert room.order == ["stranger 0", "stranger 1", "station"]


async def test_one_address_keeps_its_order() -> None:
    room = Room(at_once=2)
    for name in "abcd":
        await room.comes(name, STATION)
    assert room.working == ["a", "b"]
    await room.ends_work("b")
    await room.ends_work("a")
    assert room.order == ["a", "b", "c", "d"]


async def test_when_it_is_full_the_last_of_the_longest_line_gives_way() -> None:
    room = Room(waiting_max=3)
    for number in range(4):
        await room.comes(f"stranger {number}", STRANGER)
    await room.comes("station", STATION)
    assert room.refused == ["stranger 3"]
    await room.comes("other", OTHER)
    assert room.refused == ["stranger 3", "stranger 2"]
    await room.comes("one more of the stranger's", STRANGER)
    assert room.refused[2:] == ["one more of the stranger's"]
    assert room.turns.waiting == 3


async def test_who_leaves_takes_nobody_with_them() -> None:
    room = Room()
    for name in "abc":
        await room.comes(name, STATION)
    await room.leaves("b")
    await room.leaves("a")
    assert (room.working, room.turns.waiting) == (["c"], 0)


async def test_one_that_leaves_as_its_turn_comes_passes_it_on() -> None:
    room = Room()
    for name in "abc":
        await room.comes(name, STATION)
    room.ends["a"].set()
    for _ in range(2):  # b has been given the turn, and hasn't taken it
        await asyncio.sleep(0)
    room.tasks["b"].cancel()
    await room.settle()
    assert room.working in (["c"], ["b"])
    for name in "bc":
        await room.ends_work(name)
    assert (room.working, room.turns.waiting) == ([], 0)
    await room.comes("d", STATION)
    assert room.working == ["d"]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["comes", "ends", "leaves"]), st.integers(0, 11), st.integers(0, 3))))
def test_there_are_never_more_at_work_and_nobody_waits_for_nothing(steps: list[tuple[str, int, int]]) -> None:
    async def play() -> None:
        room = Room(at_once=2, waiting_max=4)
        for what, which, address in steps:
            name = str(which)
            if what == "comes" and (name not in room.tasks or room.tasks[name].done()):
                await room.comes(name, f"10.0.0.{address}")
            elif what == "ends" and name in room.ends:
                await room.ends_work(name)
            elif what == "leaves" and name in room.tasks:
                await room.leaves(name)
            assert len(room.working) <= 2
            assert room.turns.waiting <= 4
            assert not (room.turns.waiting and len(room.working) < 2)
        for task in room.tasks.values():
            task.cancel()
        await asyncio.gather(*room.tasks.values(), return_exceptions=True)
        assert (room.turns.waiting, room.turns._working, room.turns._lines) == (0, 0, {})

    asyncio.run(play())


def test_a_refusal_says_why() -> None:
    async def play() -> None:
        turns = Turns(1, 1)
        async with turns.turn(STATION):
            waiting = asyncio.create_task(_one_turn(turns), name="waits")
            await asyncio.sleep(0)
            with pytest.raises(TooManyWaiting, match="1 wait already"):
                await _one_turn(turns)
        await waiting

    asyncio.run(play())


async def _one_turn(turns: Turns) -> None:
    async with turns.turn(STATION):
        pass
