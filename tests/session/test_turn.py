"""A turn against asyncio.Lock: the same order, and nobody is left standing when somebody in line gives up."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.session.turn import Turn

Settle = Callable[[], Awaitable[None]]


class Queue:
    """Tasks that take one turn each, and hold it until they are told to let go."""

    def __init__(self, turn: Turn | asyncio.Lock) -> None:
        self.turn = turn
        self.held: list[int] = []
        """Who has had it, in order."""
        self.holder: asyncio.Future[None] | None = None
        self.tasks: list[asyncio.Task[None]] = []

    def joins(self) -> None:
        """One more wants it."""
        self.tasks.append(asyncio.create_task(self._hold(len(self.tasks))))

    async def _hold(self, number: int) -> None:
        async with self.turn:
            assert self.holder is None
            assert self.turn.locked()
            self.held.append(number)
            self.holder = asyncio.get_running_loop().create_future()
            try:
                await self.holder
            finally:
                self.holder = None

    def lets_go(self) -> None:
        """Who has it is done with it."""
        if self.holder is not None and not self.holder.done():
            self.holder.set_result(None)

    async def ends(self) -> list[int]:
        """Let all have their turn, and return who had it, in order."""
        while not all(task.done() for task in self.tasks):
            self.lets_go()
            await asyncio.sleep(0)
        await asyncio.gather(*self.tasks, return_exceptions=True)
        assert not self.turn.locked()
        return self.held


async def test_it_is_free_held_and_free_again() -> None:
    turn = Turn()
    assert (turn.locked(), repr(turn)) == (False, "<Turn free waiting=0>")
    async with turn:
        assert (turn.locked(), repr(turn)) == (True, "<Turn held waiting=0>")
    assert not turn.locked()


async def test_it_is_free_after_an_error() -> None:
    turn = Turn()
    with pytest.raises(ZeroDivisionError):
        async with turn:
            raise ZeroDivisionError
    assert not turn.locked()


async def test_who_finds_it_free_has_it_before_anything_else_happens() -> None:
    turn = Turn()
    taking = turn.__aenter__()
    with pytest.raises(StopIteration):
        taking.send(None)
    assert turn.locked()


async def test_it_is_taken_without_a_coroutine_only_while_it_is_free(settle: Settle) -> None:
    turn = Turn()
    assert turn.take()
    assert not turn.take()

    waiting = asyncio.create_task(turn.wait())
    await settle()
    assert not waiting.done()
    turn.give()
    assert not turn.take()  # it is that one's who waits
    await waiting
    turn.give()
    assert turn.take()


async def test_it_goes_in_the_order_in_which_they_came(settle: Settle) -> None:
    queue = Queue(Turn())
    for _ in range(4):
        queue.joins()
    await settle()
    assert queue.held == [0]
    assert await queue.ends() == [0, 1, 2, 3]


async def _wants(turn: Turn, had: list[str], name: str) -> None:
    async with turn:
        had.append(name)


async def test_who_comes_as_it_is_given_up_comes_after_those_in_line(settle: Settle) -> None:
    turn = Turn()
    had: list[str] = []

    async with turn:
        waiting = asyncio.create_task(_wants(turn, had, "in line"))
        await settle()
    assert turn.locked()  # it is the other one's already
    await asyncio.gather(waiting, _wants(turn, had, "late"))
    assert had == ["in line", "late"]


@pytest.mark.parametrize("cancelled", [1, 2, 3])
async def test_who_gives_up_in_line_is_passed_over(settle: Settle, cancelled: int) -> None:
    queue = Queue(Turn())
    for _ in range(4):
        queue.joins()
    await settle()
    queue.tasks[cancelled].cancel()
    await settle()
    assert await queue.ends() == [each for each in range(4) if each != cancelled]


async def test_who_is_cancelled_as_its_turn_comes_passes_it_on(settle: Settle) -> None:
    turn = Turn()
    had: list[str] = []

    async with turn:
        first, second = (
            asyncio.create_task(_wants(turn, had, "first")),
            asyncio.create_task(_wants(turn, had, "second")),
        )
        await settle()
    first.cancel()  # it has been handed the turn, and has not run since
    with pytest.raises(asyncio.CancelledError):
        await first
    await second
    assert (had, turn.locked()) == (["second"], False)


async def test_who_is_cancelled_just_before_its_turn_comes_is_passed_over(settle: Settle) -> None:
    turn = Turn()

    async def wants() -> None:
        async with turn:
            raise AssertionError("it was cancelled")

    async with turn:
        only = asyncio.create_task(wants())
        await settle()
        only.cancel()  # and has not run since
    assert not turn.locked()
    with pytest.raises(asyncio.CancelledError):
        await only


STEPS = st.lists(st.tuples(st.sampled_from(["joins", "lets go", "cancels", "runs"]), st.integers(0, 9)), max_size=40)


@settings(deadline=None)
@given(STEPS)
def test_whatever_happens_it_is_had_as_a_lock_would_be(steps: list[tuple[str, int]]) -> None:
    async def had(turn: Turn | asyncio.Lock) -> list[int]:
        queue = Queue(turn)
        for step, number in steps:
            if step == "joins":
                queue.joins()
            elif step == "lets go":
                queue.lets_go()
            elif step == "cancels":
                for task in queue.tasks[number : number + 1]:
                    task.cancel()
            else:
                for _ in range(4):
                    await asyncio.sleep(0)
        return await queue.ends()

    assert asyncio.run(had(Turn())) == asyncio.run(had(asyncio.Lock()))
