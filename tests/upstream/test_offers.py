"""How long a refused transaction waits."""

import asyncio
import gc
from unittest.mock import AsyncMock

import pytest
from structlog.testing import capture_logs

from gateway.bridge.books import Transaction, TransactionState
from gateway.session.ports import JournalEntry, JournalFull, StaleEpoch
from gateway.upstream.offers import KeptBack, may_be_taken, moved, to_its_end
from gateway.wire.errors import ErrorCode


@pytest.mark.parametrize(("attempts", "wait"), [(0, 10), (1, 20), (4, 160), (5, 300), (299, 300)])
async def test_the_wait_doubles_up_to_a_bound(attempts: int, wait: int) -> None:
    kept = KeptBack()
    kept.add("t1", attempts)
    assert round(kept.wait) == wait
    assert ("t1" in kept, len(kept), kept.names) == (True, 1, ["t1"])


async def test_only_those_whose_time_has_come_are_released(monkeypatch: pytest.MonkeyPatch) -> None:
    now = asyncio.get_running_loop().time()
    kept = KeptBack()
    kept.add("soon", 0)
    kept.add("late", 3)
    kept.release_due()
    assert kept.names == ["soon", "late"]
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now + 11)
    assert kept.wait == 0.0
    kept.release_due()
    assert kept.names == ["late"]
    kept.release_all()
    assert len(kept) == 0


@pytest.mark.parametrize(
    ("code", "attempts"),
    [
        (ErrorCode.INTERNAL_ERROR, 300),
        (ErrorCode.GENERIC_ERROR, 300),
        (ErrorCode.PROPERTY_CONSTRAINT_VIOLATION, 3),
        (ErrorCode.NOT_SUPPORTED, 3),
    ],
)
def test_how_often_a_message_is_offered(code: ErrorCode, attempts: int) -> None:
    assert [may_be_taken(code, attempt) for attempt in (1, attempts - 1, attempts)] == [True, True, False]


@pytest.mark.parametrize(
    ("fault", "is_moved", "state"),
    [(JournalFull, False, TransactionState.STOPPING), (None, True, TransactionState.ENDED)],
)
async def test_what_finds_no_room_leaves_the_books_as_they_were(
    fault: type[Exception] | None, is_moved: bool, state: TransactionState
) -> None:
    entry = JournalEntry(1, "CS1", "T1", "StopTransaction", {}, 0)
    tx = Transaction("T1", TransactionState.STOPPING)
    assert await moved(entry, tx, AsyncMock(side_effect=fault)()) is is_moved
    assert tx.state is state


async def test_who_is_cancelled_during_a_write_is_so_after_it() -> None:
    go_on, done = asyncio.Event(), asyncio.Event()

    async def write() -> None:
        await go_on.wait()
        done.set()

    caller = asyncio.ensure_future(to_its_end(write(), "a write"))
    await asyncio.sleep(0)
    caller.cancel()
    asyncio.get_running_loop().call_soon(go_on.set)
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert done.is_set()


async def test_a_write_that_fails_when_its_caller_is_given_up_is_told_of() -> None:
    """asyncio would say that nobody retrieved its exception, some time later."""
    began, may_end = asyncio.Event(), asyncio.Event()

    async def write() -> None:
        began.set()
        await may_end.wait()
        raise StaleEpoch("it has another owner")

    unheard: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
    caller = asyncio.ensure_future(to_its_end(write(), "a write"))
    await began.wait()
    with capture_logs() as lines:
        caller.cancel()
        await asyncio.sleep(0)
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await caller
        gc.collect()
    assert [(line["event"], line["reason"]) for line in lines] == [("not_done_at_its_end", "it has another owner")]
    assert not unheard
