"""One timer for all that a station's CALLs ask others."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest

from gateway.bridge.books import Json
from gateway.bridge.ports import PeerUnavailable
from gateway.session.answer_time import ANSWER_WITHIN, AnswerTime

if TYPE_CHECKING:
    from tests.session.conftest import FakeClock

Settle = Callable[[], Awaitable[None]]


async def answered() -> Json:
    return {"by": "a peer"}


async def never() -> Json:
    await asyncio.Event().wait()
    return {}


def handling(time: AnswerTime, *asked: Callable[[], Awaitable[Json]]) -> "asyncio.Task[list[Json | str]]":
    """Begin to handle a CALL that asks these, one after the other."""

    async def handle() -> list[Json | str]:
        heard: list[Json | str] = []
        time.begin(time.loop.time() + ANSWER_WITHIN)
        for each in asked:
            try:
                heard.append(await time.ask("Authorize", each()))  # type: ignore[arg-type]  # a coroutine
            except PeerUnavailable as away:
                heard.append(str(away))
        time.end()
        return heard

    return asyncio.create_task(handle())


LATE = "no time is left for Authorize: the station waits for its answer"


async def test_a_later_call_has_its_own_time_though_the_timer_is_that_of_an_earlier_one(
    clock: "FakeClock", settle: Settle
) -> None:
    time = AnswerTime()
    assert await handling(time, answered) == [{"by": "a peer"}]
    await clock.advance(ANSWER_WITHIN - 1)
    second = handling(time, never)
    await settle()
    await clock.advance(2)  # the first one's timer fires
    assert not second.done()
    await clock.advance(ANSWER_WITHIN - 1)
    assert await second == [LATE]


async def test_it_is_late_at_once_when_the_time_is_over(clock: "FakeClock", settle: Settle) -> None:
    time = AnswerTime()
    both = handling(time, never, answered)
    await settle()
    await clock.advance(ANSWER_WITHIN)
    assert await both == [LATE, LATE]


async def test_the_timer_finds_nobody_waiting(clock: "FakeClock", settle: Settle) -> None:
    time = AnswerTime()
    assert await handling(time, answered) == [{"by": "a peer"}]
    await clock.advance(ANSWER_WITHIN + 1)
    third = handling(time, answered, never)
    await settle()
    assert not third.done()
    await clock.advance(ANSWER_WITHIN)
    assert await third == [{"by": "a peer"}, LATE]


async def test_who_is_cancelled_by_others_stays_cancelled(settle: Settle) -> None:
    asking = handling(AnswerTime(), never)
    await settle()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_who_is_cancelled_by_others_just_then_stays_cancelled(clock: "FakeClock", settle: Settle) -> None:
    asking = handling(AnswerTime(), never)
    asyncio.get_running_loop().call_later(ANSWER_WITHIN, asking.cancel)
    await settle()
    await clock.advance(ANSWER_WITHIN)
    with pytest.raises(asyncio.CancelledError):
        await asking


async def answered_all_the_same() -> Json:
    try:
        return await never()
    except asyncio.CancelledError:
        return {"by": "a peer"}


async def gives_up_by_itself() -> Json:
    try:
        return await never()
    except asyncio.CancelledError:
        raise PeerUnavailable("it was cancelled") from None


async def test_of_what_is_cut_short_no_cancellation_is_left_over(clock: "FakeClock", settle: Settle) -> None:
    for asking, heard in (answered_all_the_same, {"by": "a peer"}), (gives_up_by_itself, "it was cancelled"):
        task = handling(AnswerTime(), asking)
        await settle()
        await clock.advance(ANSWER_WITHIN)
        assert await task == [heard]
        assert task.cancelling() == 0
