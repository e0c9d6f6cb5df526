"""What follows an answer: in order, one at a time, never before it, and not without bound."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from gateway.session.follow_ups import WAITING_MAX, FollowUps
from gateway.session.stages import BACKEND_16

if TYPE_CHECKING:
    from tests.session.conftest import Talk


class Desk:
    """Follow-ups with names; those in ``held`` wait for their future."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.held: dict[str, asyncio.Future[None]] = {}
        self.tasks: list[asyncio.Task[None]] = []
        self.follow_ups = FollowUps("CS1", self._spawn)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(work, name=name))

    def add(self, name: str) -> None:
        async def follow_up() -> None:
            if name in self.held:
                await self.held[name]
            self.done.append(name)

        self.follow_ups.add(follow_up)

    def hold(self, name: str) -> asyncio.Future[None]:
        self.held[name] = asyncio.get_running_loop().create_future()
        return self.held[name]

    async def answered(self) -> None:
        self.follow_ups.answered()
        for _ in range(5):
            await asyncio.sleep(0)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    yield made
    for task in made.tasks:
        task.cancel()
    await asyncio.gather(*made.tasks, return_exceptions=True)


async def test_nothing_is_done_before_the_answer(desk: Desk) -> None:
    desk.add("a")
    await asyncio.sleep(0)
    assert desk.done == []

    await desk.answered()
    assert desk.done == ["a"]
    assert [task.get_name() for task in desk.tasks] == ["follow-ups CS1"]


async def test_an_answer_that_nothing_follows_costs_no_task(desk: Desk) -> None:
    await desk.answered()

    assert desk.tasks == []


async def test_they_are_done_one_after_the_other_in_one_task(desk: Desk) -> None:
    first = desk.hold("a")
    desk.add("a")
    desk.add("b")
    await desk.answered()
    desk.add("c")
    await desk.answered()
    assert desk.done == []

    first.set_result(None)
    await desk.answered()
    assert desk.done == ["a", "b", "c"]
    assert len(desk.tasks) == 1


async def test_one_that_fails_does_not_keep_the_next_from_its_turn(desk: Desk) -> None:
    desk.hold("a").set_exception(RuntimeError("broken"))
    desk.add("a")
    desk.add("b")
    await desk.answered()
    assert isinstance(desk.tasks[0].exception(), RuntimeError)

    await desk.answered()
    assert desk.done == ["b"]


async def test_of_too_many_the_newest_is_dropped_and_the_log_says_so(desk: Desk) -> None:
    names = [str(n) for n in range(WAITING_MAX + 1)]
    with capture_logs() as logs:
        for name in names[:-1]:
            desk.add(name)
        assert logs == []
        desk.add(names[-1])

    assert [(entry["event"], entry["identity"]) for entry in logs] == [("follow_up_dropped", "CS1")]
    await desk.answered()
    assert desk.done == names[:-1]


async def test_on_the_wire_the_answer_is_first(new_talk: Callable[..., "Talk"]) -> None:
    """The handler asks for it at once, and waits before it answers; the backend reads the answer before the CALL."""
    tasks: list[asyncio.Task[None]] = []

    def spawn(work: Coroutine[Any, Any, None], name: str) -> None:
        tasks.append(asyncio.get_running_loop().create_task(work, name=name))

    follow_ups = FollowUps("CS1", spawn)

    async def tell() -> None:
        await talk.peer.call("FirmwareStatusNotification", {"status": "DownloadFailed"})

    async def update(action: str, payload: Any) -> Any:
        follow_ups.add(tell)
        for _ in range(5):
            await asyncio.sleep(0)
        return {}

    talk = new_talk(BACKEND_16, update)
    talk.when_answered = follow_ups.answered
    request = {"location": "ftp://example.com/", "retrieveDate": "2026-05-01T12:00:00Z"}

    answer, told = await talk.hears([2, "1", "UpdateFirmware", request])

    assert answer == [3, "1", {}]
    assert told[2:] == ["FirmwareStatusNotification", {"status": "DownloadFailed"}]
    await talk.hears([3, told[1], {}])
    await asyncio.gather(*tasks)
