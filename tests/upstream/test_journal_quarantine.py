"""The ledger and the quarantine: what a policy withholds takes what follows along; what was released goes ahead."""

from typing import Any
from unittest.mock import AsyncMock

import pytest

from gateway.bridge.books import Json, Transaction, TransactionState
from gateway.bridge.ports import PeerUnavailable
from gateway.session.ports import StaleEpoch
from gateway.session.quarantine import FOLLOWS, REFUSED
from gateway.session.releasing import is_released, releasing
from gateway.session.stages import NotSendable
from gateway.upstream.journal import JournaledLedger
from gateway.wire.errors import CallError, ErrorCode
from policies.words import Outcome, Reason, Verdict

START: Json = {"connectorId": 1, "idTag": "TAG", "meterStart": 1, "timestamp": "2026-03-01T12:00:00Z"}
METER: Json = {"connectorId": 1, "meterValue": []}
STOP: Json = {"meterStop": 9, "timestamp": "2026-03-01T13:00:00Z"}
NO_STARTS = NotSendable(
    ErrorCode.SECURITY_ERROR, "refused by policy", Verdict(Outcome.QUARANTINED, "no-starts", Reason.MATCHED, "so")
)


class Desk:
    """A ledger, a backend behind a policy, and a journal in memory."""

    def __init__(self, journal: Any) -> None:
        self.journal = journal
        self.up = True
        self.heard: list[tuple[str, Any, bool]] = []
        self.faults: dict[str, Exception] = {}
        self.books: dict[str, Transaction] = {}
        self.withheld: set[str] = set()
        self.kept: list[tuple[str, str]] = []
        self.ledger = JournaledLedger(
            "CS1",
            journal,
            self.books,
            call=self._call,
            is_up=lambda: self.up,
            epoch=lambda: 1,
            late_answer=AsyncMock(),
            depth=0,
            set_aside=AsyncMock(),
            kept=lambda rule, action: self.kept.append((rule, action)),
            withheld=self.withheld,
        )

    async def _call(self, action: str, payload: Json) -> Json:
        if not self.up:
            raise PeerUnavailable("away")
        if action in self.faults:
            raise self.faults[action]
        self.heard.append((action, payload.get("transactionId"), is_released()))
        return {"transactionId": 77, "idTagInfo": {"status": "Accepted"}} if action == "StartTransaction" else {}

    def tx(self, name: str = "T1") -> Transaction:
        tx = self.books[name] = Transaction(name, connector_id=1)
        return tx

    async def drained(self) -> None:
        await self.ledger.drain()


@pytest.fixture
async def desk(memory_journal: Any) -> Any:
    made = Desk(memory_journal)
    yield made
    await made.ledger.quiesce()


async def _withheld(desk: Desk) -> Transaction:
    tx = desk.tx()
    desk.faults["StartTransaction"] = NO_STARTS
    assert await desk.ledger.start(tx, START) is None
    return tx


async def test_a_begin_that_a_policy_withholds_takes_the_rest_along(desk: Desk) -> None:
    tx = await _withheld(desk)
    assert (desk.withheld, desk.journal.whys[0].gathers) == ({"T1"}, True)
    await desk.ledger.meter(tx, METER)
    await desk.ledger.stop(tx, STOP)
    await desk.drained()
    assert [(why.rule, action) for why, (action, _) in zip(desk.journal.whys, desk.journal.refused, strict=True)] == [
        ("no-starts", "StartTransaction"),
        (FOLLOWS, "MeterValues"),
        (FOLLOWS, "StopTransaction"),
    ]
    assert desk.kept == [("no-starts", "StartTransaction"), (FOLLOWS, "MeterValues"), (FOLLOWS, "StopTransaction")]
    assert (tx.state, desk.heard, desk.ledger.depth) == (TransactionState.ENDED, [], 0)


async def test_other_transactions_go_on_beside_it(desk: Desk) -> None:
    await _withheld(desk)
    desk.faults.clear()
    other = desk.tx("T2")
    await desk.ledger.start(other, START)
    await desk.ledger.meter(other, METER)
    assert [action for action, *_ in desk.heard] == ["StartTransaction", "MeterValues"]


async def test_what_waits_in_the_journal_follows_too(desk: Desk) -> None:
    desk.up = False
    tx = desk.tx()
    await desk.ledger.start(tx, START)
    await desk.ledger.stop(tx, STOP)
    desk.up, desk.faults["StartTransaction"] = True, NO_STARTS
    await desk.drained()
    assert [why.rule for why in desk.journal.whys] == ["no-starts", FOLLOWS]
    assert (desk.heard, desk.ledger.depth) == ([], 0)


async def test_what_the_backend_itself_refuses_takes_nothing_along(desk: Desk) -> None:
    desk.faults["StartTransaction"] = NotSendable(ErrorCode.INTERNAL_ERROR, "it breaks the schema")
    tx = desk.tx()
    await desk.ledger.start(tx, START)
    await desk.ledger.stop(tx, STOP)
    assert [(why.rule, why.gathers) for why in desk.journal.whys] == [(REFUSED, False)]
    assert desk.heard == [("StopTransaction", -1, False)]


async def test_meter_values_that_a_policy_withholds_are_kept_at_once_and_alone(desk: Desk) -> None:
    tx = desk.tx()
    await desk.ledger.start(tx, START)
    desk.faults["MeterValues"] = NO_STARTS
    assert await desk.ledger.meter(tx, METER) is None
    assert [(why.rule, why.gathers) for why in desk.journal.whys] == [("no-starts", False)]
    desk.faults.clear()
    await desk.ledger.meter(tx, METER)
    await desk.ledger.stop(tx, STOP)
    assert [action for action, *_ in desk.heard] == ["StartTransaction", "MeterValues", "StopTransaction"]
    assert (desk.ledger.depth, desk.ledger.is_clear) == (0, True)


async def test_where_the_quarantine_is_full_what_is_withheld_waits_in_the_journal_and_the_rest_goes_on(
    desk: Desk,
) -> None:
    desk.journal.has_room = False
    tx = await _withheld(desk)
    await desk.ledger.meter(tx, METER)
    await desk.ledger.stop(tx, STOP)
    assert (desk.ledger.depth, desk.journal.whys, desk.kept, tx.state) == (3, [], [], TransactionState.STOPPING)
    desk.faults.clear()
    assert desk.ledger.may_begin
    await desk.ledger.start(desk.tx("T2"), START | {"idTag": "OTHER"})
    assert [action for action, *_ in desk.heard] == ["StartTransaction"]
    desk.faults["StartTransaction"] = NO_STARTS
    desk.journal.has_room = True
    await desk.drained()
    assert [(action, why.rule) for (action, _), why in zip(desk.journal.refused, desk.journal.whys, strict=True)] == [
        ("StartTransaction", "no-starts"),
        ("MeterValues", FOLLOWS),
        ("StopTransaction", FOLLOWS),
    ]
    assert (desk.ledger.depth, tx.state) == (0, TransactionState.ENDED)


# --- what a person has let go


async def test_a_released_begin_gets_its_number_and_what_follows_goes_under_it(desk: Desk) -> None:
    tx = await _withheld(desk)
    desk.faults.clear()
    await desk.ledger.release(tx, "StartTransaction", START)
    await desk.ledger.release(tx, "MeterValues", METER)
    await desk.ledger.release(tx, "StopTransaction", STOP)
    assert desk.heard == [("StartTransaction", None, True), ("MeterValues", 77, True), ("StopTransaction", 77, True)]
    assert (tx.state, tx.backend_tx) == (TransactionState.ENDED, 77)
    assert desk.journal.saved["T1"] == tx


async def test_a_begin_that_is_released_late_leaves_an_ended_transaction_ended(desk: Desk) -> None:
    tx = await _withheld(desk)
    await desk.ledger.stop(tx, STOP)
    await desk.drained()
    desk.faults.clear()
    await desk.ledger.release(tx, "StartTransaction", START)
    assert (tx.state, tx.backend_tx) == (TransactionState.ENDED, 77)


async def test_what_is_of_no_transaction_goes_as_it_is(desk: Desk) -> None:
    await desk.ledger.release(None, "StopTransaction", STOP | {"transactionId": 4})
    assert desk.heard == [("StopTransaction", 4, True)]


async def test_a_refusal_and_a_backend_that_is_away_are_told(desk: Desk) -> None:
    tx = await _withheld(desk)
    desk.faults["StartTransaction"] = CallError(ErrorCode.FORMAT_VIOLATION, "no")
    with pytest.raises(CallError):
        await desk.ledger.release(tx, "StartTransaction", START)
    desk.up = False
    with pytest.raises(PeerUnavailable):
        await desk.ledger.release(tx, "StartTransaction", START)
    assert tx.backend_tx is None
    assert is_released() is False


async def test_what_the_store_did_not_take_is_told(desk: Desk) -> None:
    tx = await _withheld(desk)
    desk.faults.clear()
    desk.journal.epoch = 2
    with pytest.raises(StaleEpoch):
        await desk.ledger.release(tx, "StartTransaction", START)


async def test_what_goes_through_the_journal_stays_released_there(desk: Desk) -> None:
    desk.up = False
    tx = desk.tx()
    with releasing():
        await desk.ledger.start(tx, START)
    await desk.ledger.meter(tx, METER)
    desk.up = True
    with releasing():  # whoever drains
        await desk.drained()
    assert desk.heard == [("StartTransaction", None, True), ("MeterValues", 77, False)]


async def test_what_was_released_is_not_withheld_again(desk: Desk) -> None:
    desk.withheld.add("T1")
    tx = desk.tx()
    with releasing():
        await desk.ledger.meter(tx, METER)
    await desk.drained()
    assert desk.heard == [("MeterValues", None, True)]
