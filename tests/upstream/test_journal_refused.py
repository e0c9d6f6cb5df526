"""What a backend refuses (CALLERROR) keeps back its own transaction, and no other."""

import asyncio
from typing import Any
from unittest.mock import AsyncMock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.bridge.books import Json, Transaction, TransactionState
from gateway.bridge.ports import PeerUnavailable
from gateway.session.stages import NotSendable
from gateway.upstream import journal as module
from gateway.upstream import offers
from gateway.upstream.journal import JournaledLedger
from gateway.wire.errors import CallError, ErrorCode

ACCEPTED = {"status": "Accepted"}


class Backend:
    """Refuses what is of the connectors in ``refuses``, as trouble of its own; a start gets the connector's number."""

    def __init__(self) -> None:
        self.up = True
        self.refuses: set[int] = set()
        self.leaves_at: set[str] = set()
        """Actions at which it closes the connection, or is silent."""
        self.is_silent = False
        self.unsendable: set[str] = set()
        """Actions that our own side doesn't let out."""
        self.heard: list[tuple[int, str]] = []
        self.offered = 0
        self.is_cut = False
        """True: the connection is lost with the next message."""

    async def call(self, action: str, payload: Json) -> Json:
        await asyncio.sleep(0)
        if self.is_cut:
            self.up = self.is_cut = False
        if not self.up:
            raise PeerUnavailable("gone")
        if action in self.leaves_at:
            self.offered += 1
            self.up = self.is_silent
            raise PeerUnavailable("no answer")
        if action in self.unsendable:
            raise NotSendable(ErrorCode.INTERNAL_ERROR, "idTag: too long")
        self.offered += 1
        number: int = payload["transactionId"] if action != "StartTransaction" else payload["connectorId"]
        if number in self.refuses:
            raise CallError(ErrorCode.INTERNAL_ERROR, "database down")
        self.heard.append((number, action))
        return {"transactionId": number, "idTagInfo": ACCEPTED} if action == "StartTransaction" else {}


class Desk:
    """A ledger whose transactions are numbered by their connector; ``tx(1)`` has begun at the backend."""

    def __init__(self, journal: Any) -> None:
        self.journal = journal
        self.backend = Backend()
        self.transactions: dict[str, Transaction] = {}
        self.ledger = self._new(0)

    def _new(self, depth: int) -> JournaledLedger:
        async def late(_: Transaction, __: Json) -> None: ...

        return JournaledLedger(
            "CS1",
            self.journal,
            self.transactions,
            call=self.backend.call,
            is_up=lambda: self.backend.up,
            epoch=lambda: 1,
            late_answer=late,
            depth=depth,
            set_aside=AsyncMock(),
            withheld=set(),
        )

    async def restart(self) -> None:
        await self.ledger.quiesce()
        self.ledger = self._new(len(self.journal.entries))

    def tx(self, number: int) -> Transaction:
        opened = Transaction(str(number), TransactionState.OPEN, backend_tx=number, connector_id=number)
        return self.transactions.setdefault(str(number), opened)

    async def start(self, number: int) -> Json | None:
        tx = self.transactions[str(number)] = Transaction(str(number), connector_id=number)
        return await self.ledger.start(tx, {"connectorId": number})

    async def meter(self, number: int) -> None:
        await self.ledger.meter(self.tx(number), {"connectorId": number})

    async def stop(self, number: int) -> Json | None:
        return await self.ledger.stop(self.tx(number), {"meterStop": 1})

    async def time_passes(self) -> None:
        """What was refused is due."""
        self.ledger._kept_back.release_all()
        self.ledger._drains._time_has_come()
        await self.settle()

    async def settle(self) -> None:
        if self.ledger._drains._task is not None:
            await asyncio.wait([self.ledger._drains._task])

    def waiting(self) -> list[tuple[str, str]]:
        return [(entry.station_tx, entry.action) for entry in self.journal.entries]


@pytest.fixture
async def desk(memory_journal: Any) -> Any:
    made = Desk(memory_journal)
    yield made
    await made.ledger.quiesce()


async def test_another_transaction_goes_on_at_once_and_in_order(desk: Desk) -> None:
    desk.backend.refuses = {1}
    await desk.meter(1)
    await desk.stop(1)

    assert await desk.start(2) is not None
    await desk.meter(2)
    assert await desk.stop(2) == {}

    assert desk.backend.heard == [(2, "StartTransaction"), (2, "MeterValues"), (2, "StopTransaction")]
    assert desk.waiting() == [("1", "MeterValues"), ("1", "StopTransaction")]
    desk.backend.refuses = set()
    await desk.time_passes()
    assert desk.backend.heard[3:] == [(1, "MeterValues"), (1, "StopTransaction")]
    assert (desk.ledger.depth, desk.ledger.is_clear) == (0, True)


async def test_what_our_own_side_does_not_let_out_is_set_aside_at_once(desk: Desk) -> None:
    """The schema and the policy say the same of it in ten seconds, and for a day."""
    desk.backend.unsendable = {"MeterValues", "StopTransaction"}
    await desk.meter(1)
    await desk.stop(1)
    await desk.time_passes()

    assert (desk.waiting(), desk.ledger.depth, desk.backend.offered) == ([], 0, 0)
    assert [action for action, _ in desk.journal.refused] == ["MeterValues", "StopTransaction"]
    assert await desk.start(2) is not None


@pytest.mark.parametrize("is_silent", [False, True])
async def test_a_message_that_the_backend_never_answers_holds_up_no_other(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, *, is_silent: bool
) -> None:
    """Offered at each reconnection, it kept the leg from ever lasting, and was booked anew each time."""
    desk.backend.is_silent = is_silent
    desk.backend.leaves_at = {"MeterValues"}
    await desk.meter(1)
    for _ in range(offers.LOSSES_MAX):
        assert await desk.start(2) is None
        desk.backend.up = True
        await desk.ledger.drain()
    assert desk.backend.heard == []
    desk.backend.up = True
    await desk.ledger.drain()
    assert [action for _, action in desk.backend.heard] == ["StartTransaction"] * offers.LOSSES_MAX
    assert await desk.stop(2) == {}
    assert (desk.backend.up, desk.backend.offered) == (True, 2 * offers.LOSSES_MAX + 2)

    desk.backend.leaves_at = set()
    monkeypatch.setattr(offers, "TIMER_SLACK", offers.RETRY_WAIT_MAX)
    await desk.ledger.drain()
    assert desk.backend.heard[-1] == (1, "MeterValues")
    assert (desk.ledger.depth, desk.ledger._kept_back._losses) == (0, {})


async def test_a_refused_start_keeps_back_its_own_meter_values_and_stop(desk: Desk) -> None:
    desk.backend.refuses = {1}
    assert await desk.start(1) is None
    await desk.meter(1)
    assert await desk.stop(1) is None
    offered = desk.backend.offered
    assert await desk.start(2) is not None
    assert (offered, desk.backend.offered) == (1, 2)

    desk.backend.refuses = set()
    await desk.time_passes()

    assert [action for number, action in desk.backend.heard if number == 1] == [
        "StartTransaction",
        "MeterValues",
        "StopTransaction",
    ]


async def test_after_an_outage_all_but_the_refused_is_delivered(desk: Desk) -> None:
    desk.backend.up = False
    for number in (1, 2, 3):
        await desk.start(number)
    for number in (1, 2, 3):
        await desk.stop(number)
    desk.backend.up, desk.backend.refuses = True, {2}

    await desk.ledger.drain()

    assert desk.backend.heard == [
        (1, "StartTransaction"),
        (3, "StartTransaction"),
        (1, "StopTransaction"),
        (3, "StopTransaction"),
    ]
    assert desk.waiting() == [("2", "StartTransaction"), ("2", "StopTransaction")]
    assert await desk.start(4) is not None


async def test_while_the_backend_is_merely_away_nothing_overtakes(desk: Desk) -> None:
    desk.backend.up = False
    await desk.meter(1)
    assert await desk.start(2) is None
    assert not desk.ledger.may_begin


async def test_after_a_cut_nothing_overtakes_before_the_journal_is_delivered(desk: Desk) -> None:
    """The leg is up a moment before its greeting has come to the journal."""
    desk.backend.is_cut = True
    await desk.start(1)
    desk.backend.up = True
    await desk.meter(1)
    await desk.settle()
    await desk.ledger.drain()
    assert desk.backend.heard == [(1, "StartTransaction"), (1, "MeterValues")]


async def test_an_answer_that_never_came_keeps_back_everybody(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.backend.refuses = {1}
    await desk.meter(1)
    with monkeypatch.context() as patch:

        async def lose(_: str, __: Json) -> Json:
            raise PeerUnavailable("no answer in time")

        patch.setattr(desk.ledger, "_call", lose)
        await desk.meter(2)
    await desk.meter(3)
    await desk.settle()

    assert desk.backend.heard == []
    await desk.time_passes()
    assert desk.backend.heard == [(2, "MeterValues"), (3, "MeterValues")]


async def test_a_backend_that_refuses_everything_is_left_alone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REFUSALS_MAX", 2)
    desk.backend.up = False
    for number in range(1, 6):
        await desk.meter(number)
    desk.backend.up, desk.backend.refuses = True, {1, 2, 3, 4, 5}

    await desk.ledger.drain()
    assert desk.backend.offered == 2
    await desk.meter(5)
    await desk.settle()
    assert [entry.attempts for entry in desk.journal.entries] == [1, 1, 1, 1, 0, 0]
    desk.backend.refuses = set()
    await desk.time_passes()
    assert desk.backend.heard == [(number, "MeterValues") for number in (1, 2, 3, 4, 5, 5)]


async def test_the_sooner_retry_holds(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offers, "RETRY_WAIT", 100.0)
    desk.backend.refuses = {1, 2}
    await desk.meter(1)
    first = desk.ledger._drains._timer
    monkeypatch.setattr(offers, "RETRY_WAIT", 10.0)
    await desk.meter(2)
    second = desk.ledger._drains._timer
    await desk.meter(1)
    assert first is not None
    assert second is not None
    assert (first.cancelled(), desk.ledger._drains._timer) == (True, second)
    assert round(first.when() - second.when()) == 90


async def test_a_retry_finds_nothing_due_and_waits_on(desk: Desk) -> None:
    desk.backend.refuses = {1}
    await desk.meter(1)
    offered = desk.backend.offered
    desk.ledger._drains._time_has_come()
    await desk.settle()
    assert desk.backend.offered == offered
    assert desk.ledger._drains._timer is not None


STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["start", "meter", "stop"]), st.integers(1, 4)),
        st.tuples(st.sampled_from(["refuse", "heal"]), st.integers(1, 4)),
        st.tuples(st.sampled_from(["down", "cut", "up", "drain", "retry", "restart"]), st.just(0)),
    ),
    max_size=40,
)


async def happen(desk: Desk, said: dict[int, list[str]], step: str, number: int) -> None:
    """Let the station do ``step``, where it can."""
    actions = said.setdefault(number, [])
    if step == "start" and not actions:
        actions.append("StartTransaction")
        await desk.start(number)
    elif step != "start" and actions and actions[-1] != "StopTransaction":
        actions.append("MeterValues" if step == "meter" else "StopTransaction")
        await (desk.meter if step == "meter" else desk.stop)(number)


@settings(max_examples=200, deadline=None)
@given(steps=STEPS)
async def test_within_a_transaction_the_order_is_kept_whatever_happens(new_journal: Any, steps: Any) -> None:
    desk = Desk(new_journal())
    said: dict[int, list[str]] = {}
    for step, number in steps:
        if step in {"start", "meter", "stop"}:
            await happen(desk, said, step, number)
        elif step in {"refuse", "heal"}:
            (desk.backend.refuses.add if step == "refuse" else desk.backend.refuses.discard)(number)
        elif step == "retry":
            await desk.time_passes()
        elif step == "restart":
            await desk.restart()
        elif step == "drain":
            await desk.ledger.drain()
        else:
            desk.backend.up, desk.backend.is_cut = step != "down", step == "cut"
        await desk.settle()
    desk.backend.up, desk.backend.is_cut, desk.backend.refuses = True, False, set()
    await desk.ledger.drain()
    await desk.ledger.quiesce()
    heard = {number: [action for each, action in desk.backend.heard if each == number] for number in said}
    assert heard == said
    assert (desk.ledger.depth, desk.journal.entries) == (0, [])


@pytest.mark.parametrize("refused", [set(), {1}])
@pytest.mark.parametrize("is_written_first", [True, False])
async def test_what_is_being_written_when_a_drain_ends_is_delivered_and_not_overtaken(
    desk: Desk, refused: set[int], is_written_first: bool
) -> None:
    """The store takes its time with a start that goes behind a drain, and the drain comes to its end meanwhile."""
    desk.backend.up = False
    await desk.meter(1)
    desk.backend.up, desk.backend.refuses = True, refused
    append, call, asked, go_on = desk.journal.append, desk.backend.call, asyncio.Event(), asyncio.Event()

    async def slow_append(*args: Any, **more: Any) -> Any:
        entry = await append(*args, **more) if is_written_first else None
        asked.set()
        await go_on.wait()
        return entry or await append(*args, **more)

    async def slow_call(action: str, payload: Json) -> Json:
        await asked.wait()
        return await call(action, payload)

    desk.journal.append, desk.ledger._call = slow_append, slow_call
    drain = asyncio.ensure_future(desk.ledger.drain())
    await asyncio.sleep(0)
    start = asyncio.ensure_future(desk.start(2))
    await drain
    go_on.set()
    await start
    await desk.stop(2)
    await desk.settle()

    heard = [(number, action) for number, action in desk.backend.heard if number != 1]
    assert heard == [(2, "StartTransaction"), (2, "StopTransaction")]
    assert desk.ledger.depth == len(desk.journal.entries) == len(refused)


async def test_what_is_written_while_a_drain_reads_is_delivered_and_not_overtaken(desk: Desk) -> None:
    """The drain has read that nothing waits but what is refused; before it hears so, a start is appended."""
    desk.backend.up = False
    await desk.meter(1)
    desk.backend.up, desk.backend.refuses = True, {1}
    pending = desk.journal.pending
    begun: list[Json | None] = []

    async def slow_pending(identity: str, *, beside: list[str]) -> Any:
        found = await pending(identity, beside=beside)
        if not found and not begun:
            begun.append(await desk.start(2))
        return found

    desk.journal.pending = slow_pending
    await desk.ledger.drain()
    await desk.stop(2)
    await desk.settle()

    heard = [(number, action) for number, action in desk.backend.heard if number != 1]
    assert (begun, heard) == ([None], [(2, "StartTransaction"), (2, "StopTransaction")])
