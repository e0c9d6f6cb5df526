"""The journalled ledger as dialogues: what the bridge delivers, what the backend hears, what is on disk meanwhile."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.bridge.books import Json, Transaction, TransactionState
from gateway.bridge.ports import PeerUnavailable
from gateway.session.ports import JournalFull, Register, StaleEpoch, StoreAway
from gateway.session.quarantine import REFUSED
from gateway.upstream import offers
from gateway.upstream.journal import JournaledLedger
from gateway.wire.errors import CallError, ErrorCode

START: Json = {"connectorId": 1, "idTag": "TAG", "meterStart": 1000, "timestamp": "2026-01-01T00:00:00Z"}
STOP: Json = {"meterStop": 2000, "timestamp": "2026-01-01T01:00:00Z"}
METER: Json = {"connectorId": 1, "meterValue": []}
ACCEPTED = {"status": "Accepted"}


class Backend:
    """A 1.6 backend after a script: "answer", "lose" (not heard), "late" (done, no answer), "refuse", "trouble"."""

    def __init__(self) -> None:
        self.up = True
        self.script: list[str] = []
        self.heard: list[tuple[str, Json]] = []
        self.ids: dict[str, int] = {}
        self.answered = asyncio.Event()

    async def call(self, action: str, payload: Json) -> Json:
        await asyncio.sleep(0)
        step = self.script.pop(0) if self.script else "answer"
        if not self.up or step == "lose":
            raise PeerUnavailable("gone")
        if step in {"refuse", "trouble"}:
            code = ErrorCode.PROPERTY_CONSTRAINT_VIOLATION if step == "refuse" else ErrorCode.INTERNAL_ERROR
            raise CallError(code, "no such connector" if step == "refuse" else "database down")
        self.heard.append((action, payload))
        if step == "late":
            raise PeerUnavailable("no answer in time")
        if action == "MeterValues":
            self.answered.set()
        if action == "StartTransaction":
            number = self.ids.setdefault(str(sorted(payload.items())), 700 + len(self.ids))
            return {"transactionId": number, "idTagInfo": ACCEPTED}
        return {"idTagInfo": ACCEPTED} if action == "StopTransaction" else {}

    @property
    def actions(self) -> list[str]:
        return [action for action, _ in self.heard]


class Desk:
    """One ledger with its backend and its journal."""

    def __init__(self, journal: Any, transactions: dict[str, Transaction] | None = None, depth: int = 0) -> None:
        self.journal = journal
        self.backend = Backend()
        self.epoch = 1
        self.transactions = transactions if transactions is not None else {}
        self.late: list[tuple[str, Json]] = []
        self.kept: list[tuple[str, str]] = []
        self.withheld: set[str] = set()
        self.emptied = 0
        self.ledger = JournaledLedger(
            "CS1",
            journal,
            self.transactions,
            call=self.backend.call,
            is_up=lambda: self.backend.up,
            epoch=lambda: self.epoch,
            late_answer=self._late,
            depth=depth,
            emptied=self._empty,
            set_aside=self._set_aside,
            kept=lambda rule, action: self.kept.append((rule, action)),
            withheld=self.withheld,
        )

    async def _set_aside(self, action: str, payload: Json, reason: str) -> None:
        self.journal.refused.append((action, reason))

    def _empty(self) -> None:
        self.emptied += 1

    async def _late(self, tx: Transaction, conf: Json) -> None:
        self.late.append((tx.station_tx, conf))

    def tx(self, name: str = "t1") -> Transaction:
        return self.transactions.setdefault(name, Transaction(name, connector_id=1))


@pytest.fixture
async def desk(memory_journal: Any) -> Any:
    made = Desk(memory_journal)
    yield made
    await made.ledger.quiesce()


async def test_a_session_with_the_backend_up_leaves_nothing_behind(desk: Desk) -> None:
    tx = desk.tx()
    assert await desk.ledger.start(tx, START) == {"transactionId": 700, "idTagInfo": ACCEPTED}
    assert (tx.state, tx.backend_tx) == (TransactionState.OPEN, 700)
    await desk.ledger.meter(tx, METER)
    assert await desk.ledger.stop(tx, STOP) == {"idTagInfo": ACCEPTED}
    assert tx.state is TransactionState.ENDED
    assert desk.backend.heard == [
        ("StartTransaction", START),
        ("MeterValues", METER | {"transactionId": 700}),
        ("StopTransaction", STOP | {"transactionId": 700}),
    ]
    assert desk.journal.entries == []
    assert desk.journal.saved["t1"].state is TransactionState.ENDED


async def test_the_start_is_on_disk_before_it_is_sent(desk: Desk) -> None:
    seen: list[list[str]] = []
    original = desk.backend.call

    async def spy(action: str, payload: Json) -> Json:
        seen.append([entry.action for entry in desk.journal.entries])
        return await original(action, payload)

    desk.ledger._call = spy
    await desk.ledger.start(desk.tx(), START)
    assert seen == [["StartTransaction"]]


async def test_meter_values_touch_no_disk_while_the_backend_answers(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    tx = desk.tx()
    await desk.ledger.start(tx, START)

    async def no_write(*_: Any, **__: Any) -> None:
        pytest.fail("a database write per meter value")

    for name in ("save", "append", "settle"):
        monkeypatch.setattr(desk.journal, name, no_write)
    await desk.ledger.meter(tx, METER)
    assert desk.backend.actions == ["StartTransaction", "MeterValues"]


async def test_registers_that_went_straight_through_are_handed_out_once(desk: Desk) -> None:
    tx = desk.tx()
    await desk.ledger.start(tx, START)
    assert desk.ledger.registers.take() == []
    tx.last_register = 1500
    await desk.ledger.meter(tx, METER)
    assert desk.ledger.registers.take() == [Register("CS1", 1, "t1", 1500)]
    assert desk.ledger.registers.take() == []
    await desk.ledger.meter(tx, METER)
    await desk.ledger.stop(tx, STOP)
    assert desk.ledger.registers.take() == []


async def test_a_whole_session_while_the_backend_is_away_is_delivered_in_order(desk: Desk) -> None:
    tx = desk.tx()
    desk.backend.up = False
    assert await desk.ledger.start(tx, START) is None
    await desk.ledger.meter(tx, METER)
    assert await desk.ledger.stop(tx, STOP) is None
    assert desk.ledger.depth == 3
    desk.backend.up = True
    await desk.ledger.drain()
    assert desk.backend.heard == [
        ("StartTransaction", START),
        ("MeterValues", METER | {"transactionId": 700}),
        ("StopTransaction", STOP | {"transactionId": 700}),
    ]
    assert desk.ledger.depth == 0
    assert desk.late == [("t1", {"transactionId": 700, "idTagInfo": ACCEPTED})]


async def test_what_comes_while_older_entries_wait_goes_behind_them(desk: Desk) -> None:
    tx = desk.tx()
    desk.backend.script = ["lose"]
    assert await desk.ledger.start(tx, START) is None
    await desk.ledger.meter(tx, METER)
    assert desk.backend.heard == []
    await desk.ledger.drain()
    assert desk.backend.actions == ["StartTransaction", "MeterValues"]


async def test_what_comes_during_a_drain_is_delivered_by_it(desk: Desk) -> None:
    first, second = desk.tx("t1"), desk.tx("t2")
    desk.backend.up = False
    await desk.ledger.start(first, START)
    desk.backend.up = True
    original = desk.backend.call

    async def meanwhile(action: str, payload: Json) -> Json:
        if not desk.backend.heard:
            assert await desk.ledger.start(second, START | {"meterStart": 5}) is None
        return await original(action, payload)

    desk.ledger._call = meanwhile
    await desk.ledger.drain()
    assert desk.backend.actions == ["StartTransaction", "StartTransaction"]
    assert desk.ledger.depth == 0


async def test_a_message_that_waits_for_nobody_is_delivered_at_once(memory_journal: Any) -> None:
    before = Desk(memory_journal)
    before.backend.up = False
    await before.ledger.start(before.tx(), START)
    desk = Desk(memory_journal, memory_journal.restarted(), depth=1)
    await desk.ledger.meter(desk.tx(), METER)
    await asyncio.wait_for(desk.backend.answered.wait(), 5)
    assert desk.backend.actions == ["StartTransaction", "MeterValues"]
    await desk.ledger.quiesce()


async def test_an_unknown_outcome_is_repeated_identically(desk: Desk) -> None:
    tx = desk.tx()
    desk.backend.script = ["late"]
    assert await desk.ledger.start(tx, START) is None
    await desk.ledger.drain()
    assert desk.backend.heard == [("StartTransaction", START)] * 2
    assert tx.backend_tx == 700


async def test_after_a_crash_the_journal_is_delivered_by_the_next_process(memory_journal: Any) -> None:
    before = Desk(memory_journal)
    before.backend.up = False
    await before.ledger.start(before.tx(), START)
    await before.ledger.stop(before.tx(), STOP)
    after = Desk(memory_journal, memory_journal.restarted(), depth=2)
    await after.ledger.drain()
    assert after.backend.heard == [("StartTransaction", START), ("StopTransaction", STOP | {"transactionId": 700})]
    assert memory_journal.entries == []
    await before.ledger.quiesce()


async def test_a_start_that_is_refused_for_good_is_set_aside_and_the_stop_goes_with_minus_one(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offers, "RETRY_WAIT", 3600.0)
    tx = desk.tx()
    desk.backend.script = ["refuse"] * 3
    assert await desk.ledger.start(tx, START) is None
    await desk.ledger.drain()
    assert desk.ledger.depth == 1
    await desk.ledger.drain()
    assert desk.ledger.depth == 0
    assert tx.state is TransactionState.UNSTARTED
    assert desk.kept == [(REFUSED, "StartTransaction")]
    assert desk.journal.refused == [("StartTransaction", "PropertyConstraintViolation: no such connector")]
    await desk.ledger.meter(tx, METER)
    await desk.ledger.stop(tx, STOP)
    assert desk.backend.heard == [("MeterValues", METER), ("StopTransaction", STOP | {"transactionId": -1})]


async def test_a_backend_in_trouble_is_offered_a_start_for_a_day(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(desk.ledger._drains, "_timer", None)
    original = loop.call_later

    def call_later(wait: float, work: Callable[[], None]) -> asyncio.TimerHandle:
        waits.append(wait)
        return original(3600, work)

    monkeypatch.setattr(loop, "call_later", call_later)
    tx = desk.tx()
    desk.backend.script = ["trouble"] * 20
    assert await desk.ledger.start(tx, START) is None
    for _ in range(19):
        desk.ledger._drains._timer = None
        await desk.ledger.drain()
    assert (tx.state, desk.ledger.depth, desk.kept) == (TransactionState.STARTING, 1, [])
    assert [round(wait) for wait in waits[:7]] == [10, 20, 40, 80, 160, 300, 300]
    await desk.ledger.drain()
    assert (tx.state, tx.backend_tx, desk.emptied) == (TransactionState.OPEN, 700, 1)


async def test_trouble_that_never_ends_is_set_aside_in_the_end(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offers, "TROUBLE_ATTEMPTS", 2)
    desk.backend.script = ["trouble"] * 2
    await desk.ledger.start(desk.tx(), START)
    await desk.ledger.drain()
    assert (desk.ledger.depth, desk.kept) == (0, [(REFUSED, "StartTransaction")])


async def test_a_nudge_delivers_what_could_not_go_before(desk: Desk) -> None:
    desk.backend.up = False
    await desk.ledger.start(desk.tx(), START)
    desk.backend.up = True
    desk.ledger.nudge()
    assert desk.ledger._drains._task is not None
    await desk.ledger._drains._task
    assert (desk.ledger.depth, desk.emptied) == (0, 1)
    desk.ledger.nudge()
    assert desk.backend.actions == ["StartTransaction"]


async def test_refused_meter_values_are_kept_and_offered_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offers, "RETRY_WAIT", 0.0)
    tx = desk.tx()
    await desk.ledger.start(tx, START)
    desk.backend.script = ["refuse"]
    await desk.ledger.meter(tx, METER)
    assert desk.ledger.depth == 1
    await asyncio.wait_for(desk.backend.answered.wait(), 5)
    await desk.ledger.drain()
    assert desk.ledger.depth == 0
    assert desk.backend.actions == ["StartTransaction", "MeterValues"]


async def test_a_store_that_fails_after_the_backend_answered_costs_a_repetition_and_no_answer(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any) -> None:
        raise StoreAway("disk full")

    settle = desk.journal.settle
    monkeypatch.setattr(desk.journal, "settle", away)
    tx = desk.tx()
    assert await desk.ledger.start(tx, START) == {"transactionId": 700, "idTagInfo": ACCEPTED}
    assert (tx.state, desk.ledger.depth) == (TransactionState.OPEN, 1)
    monkeypatch.setattr(desk.journal, "settle", settle)
    await desk.ledger.drain()
    assert desk.backend.heard == [("StartTransaction", START)]
    assert (tx.backend_tx, desk.ledger.depth) == (700, 0)


async def test_a_full_journal_says_so_and_keeps_what_it_has(desk: Desk) -> None:
    desk.backend.up = False
    desk.journal.limit = 1
    await desk.ledger.start(desk.tx("t1"), START)
    with pytest.raises(JournalFull):
        await desk.ledger.start(desk.tx("t2"), START)
    assert desk.ledger.depth == 1


async def test_an_older_owner_writes_nothing(desk: Desk) -> None:
    desk.journal.epoch = 2
    with pytest.raises(StaleEpoch):
        await desk.ledger.start(desk.tx(), START)
    assert desk.backend.heard == []


async def test_a_drain_that_is_cut_off_while_it_settles_keeps_the_count(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The backend answers and closes at once: the leg's loss cancels the drain, and the store is writing."""
    desk.backend.up = False
    await desk.ledger.start(desk.tx(), START)
    desk.backend.up = True
    written, asked = asyncio.Event(), asyncio.Event()
    original = desk.journal.settle

    async def slow(*arguments: Any) -> None:
        await original(*arguments)
        asked.set()
        await written.wait()

    monkeypatch.setattr(desk.journal, "settle", slow)
    drain = asyncio.create_task(desk.ledger.drain())
    await asked.wait()
    drain.cancel()
    await asyncio.sleep(0)
    written.set()
    with pytest.raises(asyncio.CancelledError):
        await drain
    assert (desk.ledger.depth, desk.journal.entries) == (0, [])


async def test_an_answer_that_could_not_be_written_down_is_written_down_later(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: Any) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(desk.journal, "settle", fails)
        with pytest.raises(OSError, match="full"):
            await desk.ledger.start(desk.tx(), START)
    await desk.ledger.drain()
    assert desk.backend.heard == [("StartTransaction", START)]
    assert desk.journal.entries == []


async def test_a_drain_that_fails_is_tried_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offers, "RETRY_WAIT", 0.0)
    original, faults = desk.journal.pending, [OSError("the database is gone")]

    async def fails_once(identity: str, **more: Any) -> Any:
        if faults:
            raise faults.pop()
        return await original(identity, **more)

    monkeypatch.setattr(desk.journal, "pending", fails_once)
    tx = desk.tx()
    desk.backend.script = ["lose"]
    await desk.ledger.start(tx, START)
    await desk.ledger.meter(tx, METER)
    await asyncio.wait_for(desk.backend.answered.wait(), 5)
    assert desk.backend.actions == ["StartTransaction", "MeterValues"]


async def test_what_must_not_reach_the_backend_is_kept_and_holds_nothing_up(desk: Desk) -> None:
    tx = desk.tx()
    await desk.ledger.start(tx, START)
    await desk.ledger.set_aside("StopTransaction", STOP | {"transactionId": 4711}, "a stranger's")
    assert desk.journal.refused == [("StopTransaction", "a stranger's")]
    assert (desk.ledger.depth, desk.ledger.is_clear) == (0, True)
    assert desk.backend.actions == ["StartTransaction"]


async def test_it_is_clear_while_what_is_sent_keeps_the_order(desk: Desk) -> None:
    seen = [desk.ledger.is_clear]
    desk.backend.up = False
    seen.append(desk.ledger.is_clear)
    await desk.ledger.start(desk.tx(), START)
    desk.backend.up = True
    seen.append(desk.ledger.is_clear)
    await desk.ledger.drain()
    seen.append(desk.ledger.is_clear)
    async with desk.ledger._sending:
        seen.append(desk.ledger.is_clear)
    assert seen == [True, False, False, True, False]


async def test_what_the_backend_refuses_keeps_no_new_transaction_from_beginning(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is offered again for up to a day; a 1.6 station's next start would be put off for as long."""
    monkeypatch.setattr(offers, "RETRY_WAIT", 3600.0)
    tx = desk.tx()
    await desk.ledger.start(tx, START)
    desk.backend.script = ["refuse"]
    await desk.ledger.meter(tx, METER)
    assert (desk.ledger.depth, desk.ledger.is_clear, desk.ledger.may_begin) == (1, False, True)
    desk.backend.up = False
    assert not desk.ledger.may_begin
    desk.backend.up = True
    async with desk.ledger._sending:
        assert not desk.ledger.may_begin
    desk.backend.script = ["refuse"]
    await desk.ledger.drain()
    assert (desk.ledger.depth, desk.ledger.may_begin) == (1, True)
    await desk.ledger.drain()
    assert (desk.ledger.depth, desk.ledger.is_clear, len(desk.ledger._kept_back)) == (0, True, 0)


async def test_what_was_only_put_off_must_be_delivered_first(desk: Desk) -> None:
    desk.backend.up = False
    await desk.ledger.start(desk.tx(), START)
    desk.backend.up = True
    assert not desk.ledger.may_begin


async def test_held_and_closed_transactions_are_persisted(desk: Desk) -> None:
    tx = desk.tx()
    states = []
    for persist in (desk.ledger.hold, desk.ledger.close):
        await persist(tx)
        states.append(desk.journal.saved["t1"].state)
    assert states == [TransactionState.HELD, TransactionState.ENDED]
    assert desk.backend.heard == []


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(["start", "meter", "stop", "down", "up", "drain", "lose next", "late next", "crash"]),
        min_size=1,
        max_size=40,
    )
)
def test_whatever_happens_each_session_is_delivered_once_and_in_order(new_journal: Any, steps: list[str]) -> None:
    asyncio.run(_play(new_journal(), steps))


async def _play(journal: Any, steps: list[str]) -> None:
    desk = Desk(journal)
    heard: list[tuple[str, Json]] = []
    count = 0
    open_tx: str | None = None
    expected: list[tuple[str, str]] = []
    for step in steps:
        if step == "start" and open_tx is None:
            count += 1
            open_tx = f"t{count}"
            expected.append(("StartTransaction", open_tx))
            await desk.ledger.start(desk.tx(open_tx), START | {"meterStart": count})
        elif step == "meter" and open_tx is not None:
            await desk.ledger.meter(desk.tx(open_tx), METER)
        elif step == "stop" and open_tx is not None:
            expected.append(("StopTransaction", open_tx))
            await desk.ledger.stop(desk.tx(open_tx), STOP | {"meterStop": count})
            open_tx = None
        elif step in {"down", "up"}:
            desk.backend.up = step == "up"
        elif step == "drain":
            await desk.ledger.drain()
        elif step in {"lose next", "late next"}:
            desk.backend.script = [step.split()[0]]
        elif step == "crash":
            await desk.ledger.quiesce()
            heard += desk.backend.heard
            ids = desk.backend.ids
            desk = Desk(journal, journal.restarted(), depth=len(journal.entries))
            desk.backend.ids = ids
    desk.backend.up, desk.backend.script = True, []
    await desk.ledger.drain()
    await desk.ledger.quiesce()
    heard += desk.backend.heard
    money = [(a, p) for a, p in heard if a != "MeterValues"]
    distinct = [each for index, each in enumerate(money) if each not in money[:index]]
    told = [(a, f"t{p['meterStart'] if a == 'StartTransaction' else p['meterStop']}") for a, p in distinct]
    assert told == expected
    assert journal.entries == []
    starts = {p["meterStart"] for a, p in distinct if a == "StartTransaction"}
    assert len(starts) == count


async def test_a_drain_cancelled_in_the_middle_of_a_write_leaves_the_count_right(desk: Desk) -> None:
    """The backend's leg is lost just when the store has removed the entry: there is nothing to drain any more."""
    desk.backend.up = False
    await desk.ledger.start(desk.tx(), START)
    desk.backend.up = True
    removed, answer = asyncio.Event(), asyncio.Event()
    settle = desk.journal.settle

    async def slow_settle(*args: Any) -> None:
        await settle(*args)
        removed.set()
        await answer.wait()

    desk.journal.settle = slow_settle
    drain = asyncio.ensure_future(desk.ledger.drain())
    await removed.wait()
    drain.cancel()
    asyncio.get_running_loop().call_soon(answer.set)
    with pytest.raises(asyncio.CancelledError):
        await drain

    assert (desk.ledger.depth, desk.journal.entries) == (0, [])


async def test_a_journal_that_another_owner_has_emptied_ends_the_drain(desk: Desk) -> None:
    desk.backend.up = False
    await desk.ledger.start(desk.tx(), START)
    desk.backend.up = True
    desk.journal.entries.clear()

    async with asyncio.timeout(1):
        await desk.ledger.drain()
    assert desk.ledger.depth == 0


async def test_a_drain_that_the_store_fails_is_tried_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offers, "RETRY_WAIT", 0.01)
    desk.backend.up = False
    await desk.ledger.start(desk.tx(), START)
    desk.backend.up = True
    pending, delivered = desk.journal.pending, asyncio.Event()

    async def fails_once(identity: str, **_: Any) -> Any:
        desk.journal.pending = pending
        raise OSError("the disk is full")

    async def late(tx: Transaction, conf: Json) -> None:
        delivered.set()

    desk.journal.pending = fails_once
    desk.ledger._late_answer = late
    with pytest.raises(OSError, match="the disk is full"):
        await desk.ledger.drain()

    await delivered.wait()
    assert desk.journal.entries == []


@pytest.mark.parametrize("from_a_drain", [False, True], ids=["live", "drain"])
async def test_a_newcomer_of_the_station_does_not_end_the_delivery(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, from_a_drain: bool
) -> None:
    """The store gives a newcomer the next epoch a moment before this runtime hears of it: an entry is being settled."""
    monkeypatch.setattr(offers, "RETRY_WAIT", 0.01)
    original = desk.journal.settle

    async def overtaken(*arguments: Any) -> None:
        monkeypatch.setattr(desk.journal, "settle", original)
        desk.journal.epoch = 2
        with pytest.raises(StaleEpoch):
            await original(*arguments)
        asyncio.get_running_loop().call_soon(setattr, desk, "epoch", 2)
        raise StaleEpoch

    emptied = asyncio.Event()
    monkeypatch.setattr(desk.ledger, "_emptied", emptied.set)
    monkeypatch.setattr(desk.journal, "settle", overtaken)
    desk.backend.up = not from_a_drain
    if from_a_drain:
        await desk.ledger.start(desk.tx(), START)
        desk.backend.up = True
        desk.ledger.nudge()
    else:
        # The backend has it, and it is in the journal: the station may hear.
        assert await desk.ledger.start(desk.tx(), START) == {"transactionId": 700, "idTagInfo": ACCEPTED}
    async with asyncio.timeout(5):
        await emptied.wait()
    assert (desk.ledger.depth, desk.journal.entries, desk.ledger.is_clear) == (0, [], True)
    assert desk.backend.heard == [("StartTransaction", START)], "what was answered isn't sent again"
    assert desk.late == [("t1", {"transactionId": 700, "idTagInfo": ACCEPTED})]


@pytest.mark.parametrize("from_a_drain", [False, True], ids=["live", "drain"])
async def test_an_epoch_that_has_become_this_owners_meanwhile_is_not_waited_for(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, from_a_drain: bool
) -> None:
    """A station that comes back while its journal is delivered must not wait for a retry with its next start."""
    monkeypatch.setattr(offers, "RETRY_WAIT", 3600.0)
    settle, emptied = desk.journal.settle, asyncio.Event()

    async def overtaken(*_: Any) -> None:
        monkeypatch.setattr(desk.journal, "settle", settle)
        desk.journal.epoch = desk.epoch = 2
        raise StaleEpoch

    monkeypatch.setattr(desk.ledger, "_emptied", emptied.set)
    monkeypatch.setattr(desk.journal, "settle", overtaken)
    desk.backend.up = not from_a_drain
    if from_a_drain:
        await desk.ledger.start(desk.tx(), START)
        desk.backend.up = True
        await desk.ledger.drain()
    else:
        # The backend has it, and it is in the journal: the station may hear.
        assert await desk.ledger.start(desk.tx(), START) == {"transactionId": 700, "idTagInfo": ACCEPTED}
    async with asyncio.timeout(5):
        await emptied.wait()
    assert (desk.ledger.depth, desk.ledger.is_clear, desk.ledger._answered) == (0, True, {})
    assert desk.backend.heard == [("StartTransaction", START)]


async def test_the_journal_of_another_owner_is_left_to_it(desk: Desk) -> None:
    desk.backend.up = False
    await desk.ledger.start(desk.tx(), START)
    desk.backend.up = True
    desk.journal.epoch = 2

    retries = []
    for _ in range(2):
        desk.ledger._drains._time_has_come()
        await cast("asyncio.Task[None]", desk.ledger._drains._task)
        retries.append(desk.ledger._drains._timer is not None)
    assert retries == [True, False]
    assert desk.backend.heard == [("StartTransaction", START)]
