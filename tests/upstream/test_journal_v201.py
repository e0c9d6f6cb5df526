"""The journalled ledger of a 2.0.1 backend, as dialogues: TransactionEvents, whose transactionId is the station's."""

import asyncio
import copy
from typing import Any
from unittest.mock import AsyncMock

import pytest

from gateway.bridge.books import Json, Transaction, TransactionState
from gateway.bridge.ports import PeerUnavailable
from gateway.upstream.journal import JournaledLedger
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.versions import Version

REFUSED = {"idTokenInfo": {"status": "Blocked"}}


def event(kind: str, seq_no: int) -> Json:
    info = {"transactionId": "t1"}
    return {"eventType": kind, "seqNo": seq_no, "triggerReason": "Authorized", "transactionInfo": info}


STARTED, UPDATED, ENDED = event("Started", 0), event("Updated", 1), event("Ended", 2)


class Desk:
    """One ledger with a backend after a script: a payload to answer with, or an exception to raise."""

    def __init__(self, journal: Any, backend: Version = Version.V201) -> None:
        self.journal = journal
        self.version = backend
        self.up = True
        self.script: list[Json | Exception] = []
        self.heard: list[Json] = []
        self.late: list[Json] = []
        self.tx = Transaction("t1")
        self.restart(depth=0)

    def restart(self, depth: int) -> None:
        self.tx = copy.copy(self.journal.saved.get("t1", self.tx))
        self.ledger = JournaledLedger(
            "CS1",
            self.journal,
            {"t1": self.tx},
            call=self._call,
            is_up=lambda: self.up,
            epoch=lambda: 1,
            late_answer=self._late,
            depth=depth,
            set_aside=AsyncMock(),
            withheld=set(),
            backend=self.version,
        )

    async def _call(self, action: str, payload: Json) -> Json:
        await asyncio.sleep(0)
        if not self.up:
            raise PeerUnavailable("gone")
        assert action == ("TransactionEvent" if self.version is Version.V201 else "StartTransaction")
        self.heard.append(payload)
        answer = self.script.pop(0) if self.script else {}
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def _late(self, tx: Transaction, conf: Json) -> None:
        assert tx is self.tx
        self.late.append(conf)


@pytest.fixture
async def desk(memory_journal: Any) -> Any:
    made = Desk(memory_journal)
    yield made
    await made.ledger.quiesce()


async def test_a_session_with_the_backend_up_is_told_as_it_is_and_answered_as_it_is(desk: Desk) -> None:
    desk.script = [{"idTokenInfo": {"status": "Accepted"}}, {"chargingPriority": 2}, {"totalCost": 1.5}]
    assert await desk.ledger.start(desk.tx, STARTED) == {"idTokenInfo": {"status": "Accepted"}}
    assert desk.tx.state is TransactionState.OPEN
    assert await desk.ledger.meter(desk.tx, UPDATED) == {"chargingPriority": 2}
    assert await desk.ledger.stop(desk.tx, ENDED) == {"totalCost": 1.5}
    assert desk.heard == [STARTED, UPDATED, ENDED]
    assert (desk.journal.entries, desk.journal.saved["t1"].state) == ([], TransactionState.ENDED)


async def test_what_comes_while_the_backend_is_away_is_delivered_in_order(desk: Desk) -> None:
    desk.up = False
    assert await desk.ledger.start(desk.tx, STARTED) is None
    assert await desk.ledger.meter(desk.tx, UPDATED) is None
    assert await desk.ledger.stop(desk.tx, ENDED) is None
    desk.up = True
    await desk.ledger.drain()
    assert desk.heard == [STARTED, UPDATED, ENDED]
    assert desk.tx.state is TransactionState.ENDED


async def test_an_event_whose_fate_is_unknown_is_sent_again_identically_after_a_crash(desk: Desk) -> None:
    desk.script = [PeerUnavailable("no answer in time")]
    assert await desk.ledger.start(desk.tx, STARTED) is None
    await desk.ledger.quiesce()
    desk.restart(depth=len(desk.journal.entries))
    await desk.ledger.drain()
    assert desk.heard == [STARTED, STARTED]
    assert desk.tx.state is TransactionState.OPEN


async def test_a_late_verdict_is_told_for_started_and_updated_alone(desk: Desk) -> None:
    desk.up = False
    for kind, seq_no in (("start", 0), ("meter", 1), ("meter", 2), ("stop", 3)):
        word = {"start": "Started", "meter": "Updated", "stop": "Ended"}[kind]
        await getattr(desk.ledger, kind)(desk.tx, event(word, seq_no))
    desk.up = True
    desk.script = [REFUSED, {}, REFUSED, REFUSED]
    await desk.ledger.drain()
    assert desk.late == [REFUSED, REFUSED]


async def test_what_the_backend_refuses_for_good_is_set_aside_and_the_rest_goes_on(desk: Desk) -> None:
    fault = CallError(ErrorCode.PROPERTY_CONSTRAINT_VIOLATION, "no such evse")
    desk.script = [fault, fault, fault]
    assert await desk.ledger.start(desk.tx, STARTED) is None
    await desk.ledger.drain()
    await desk.ledger.drain()
    assert desk.tx.state is TransactionState.UNSTARTED
    assert await desk.ledger.stop(desk.tx, ENDED) == {}
    assert desk.heard == [STARTED, STARTED, STARTED, ENDED]
    assert desk.journal.refused == [("TransactionEvent", str(fault))]


async def test_what_waits_for_a_backend_of_another_version_is_set_aside_and_keeps_nobody_waiting(
    memory_journal: Any,
) -> None:
    older = Desk(memory_journal, Version.V16)
    older.up = False
    await older.ledger.start(older.tx, {"meterStart": 1})
    await older.ledger.meter(older.tx, {"connectorId": 1})
    newer = Desk(memory_journal, Version.V201)
    newer.restart(depth=2)
    await newer.ledger.drain()
    assert newer.heard == []
    assert [action for action, _ in memory_journal.refused] == ["StartTransaction", "MeterValues"]
    assert (newer.ledger.depth, newer.tx.state) == (0, TransactionState.UNSTARTED)
    # The transaction goes on, in the words of the new backend.
    assert await newer.ledger.stop(newer.tx, ENDED) == {}
    assert newer.heard == [ENDED]
