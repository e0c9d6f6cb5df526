"""Attack A7: a station names another station's transaction by its sequential id (CVE-2026-28230).

Two stations, each with a bridge of its own, before one backend that numbers transactions 1, 2, 3 for everybody and
takes anybody's word for any of them.
"""

import itertools
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.bridge.books import Books, Json, Transaction
from gateway.bridge.ports import FOREIGN_TRANSACTION
from gateway.bridge.v16_v16 import V16ToV16
from gateway.bridge.v201_v16 import Settings, V201ToV16
from gateway.session.ports import JournalEntry
from gateway.upstream.journal import JournaledLedger

AT = "2026-05-01T09:00:00Z"
LATER = "2026-05-01T10:00:00Z"


class Backend:
    """What CVE-2026-28230 found: whoever names a transaction stops it."""

    def __init__(self) -> None:
        self.numbers = itertools.count(1)
        self.running: dict[int, str] = {}
        """transactionId -> the idTag that began it."""
        self.heard: list[tuple[str, int]] = []
        """(action, transactionId) of every message that names one."""

    async def call(self, action: str, payload: Json) -> Json:
        if action == "StartTransaction":
            number = next(self.numbers)
            self.running[number] = payload["idTag"]
            return {"transactionId": number, "idTagInfo": {"status": "Accepted"}}
        if "transactionId" in payload:
            self.heard.append((action, payload["transactionId"]))
        if action == "StopTransaction":
            self.running.pop(payload["transactionId"], None)
        return {"idTagInfo": {"status": "Accepted"}} if action == "Authorize" else {}


class Disk:
    """The part of the journal's store that a backend which always answers leaves to be used."""

    def __init__(self) -> None:
        self.aside: list[tuple[str, Json]] = []

    async def append(
        self, identity: str, epoch: int, tx: Transaction, action: str, payload: Json, *, released: bool = False
    ) -> JournalEntry:
        return JournalEntry(1, identity, tx.station_tx, action, payload, 0)

    async def settle(self, *_: Any) -> None: ...

    async def save(self, *_: Any) -> None: ...

    async def set_aside(self, action: str, payload: Json, reason: str) -> None:
        self.aside.append((action, payload))


class Station:
    """One station's place in the gateway."""

    def __init__(self, backend: Backend, version: str) -> None:
        self.disk = Disk()
        self.books = Books()
        self.commands: list[tuple[str, Json]] = []
        self.events: list[tuple[str, str]] = []
        self.ledger = JournaledLedger(
            "CS",
            self.disk,  # type: ignore[arg-type]  # what is never called isn't there
            self.books.transactions,
            call=backend.call,
            is_up=lambda: True,
            epoch=lambda: 1,
            late_answer=_nothing,
            depth=0,
            set_aside=self.disk.set_aside,
            withheld=set(),
        )
        parts: dict[str, Any] = {
            "books": self.books,
            "ledger": self.ledger,
            "call_station": self._command,
            "call_backend": backend.call,
            "note": lambda topic, text: None,
            "report": lambda kind, detail: self.events.append((kind, detail)),
            "clock": lambda: datetime(2026, 5, 1, tzinfo=UTC),
            "save_connector": _nothing,
            "afterwards": lambda follow_up: None,
        }
        self.bridge: V16ToV16 | V201ToV16 = (
            V16ToV16(**parts) if version == "1.6" else V201ToV16(**parts, save_page=_nothing, settings=Settings())
        )

    async def _command(self, action: str, payload: Json) -> Json:
        self.commands.append((action, payload))
        return {"status": "Rejected"}

    async def says(self, action: str, **payload: Any) -> Json:
        return await self.bridge.from_station(action, payload)

    async def event(self, kind: str, seq_no: int, tx: str, **more: Any) -> Json:
        register = {"value": 1000.0 + seq_no, "context": "Sample.Periodic"}
        return await self.says(
            "TransactionEvent",
            eventType=kind,
            seqNo=seq_no,
            timestamp=AT,
            triggerReason="RemoteStop",
            transactionInfo={"transactionId": tx},
            meterValue=[{"timestamp": AT, "sampledValue": [register]}],
            **more,
        )


async def _nothing(*_: Any) -> None: ...


@pytest.fixture
def backend() -> Backend:
    return Backend()


class TestStationsOfOcpp16:
    @pytest.fixture
    async def victim(self, backend: Backend) -> Station:
        station = Station(backend, "1.6")
        answer = await station.says("StartTransaction", connectorId=1, idTag="VICTIM", meterStart=0, timestamp=AT)
        assert answer["transactionId"] == 1
        return station

    @pytest.fixture
    async def attacker(self, backend: Backend, victim: Station) -> AsyncIterator[Station]:
        station = Station(backend, "1.6")
        await station.says("StartTransaction", connectorId=1, idTag="ATTACKER", meterStart=0, timestamp=AT)
        yield station
        await station.ledger.quiesce()

    async def test_a_guessed_number_stops_nothing(self, backend: Backend, attacker: Station) -> None:
        stop = {"transactionId": 1, "meterStop": 9_999_999, "timestamp": LATER, "idTag": "ATTACKER"}

        assert await attacker.says("StopTransaction", **stop) == {}

        assert backend.running[1] == "VICTIM"
        assert backend.heard == []
        assert attacker.disk.aside == [("StopTransaction", stop)]
        assert [kind for kind, _ in attacker.events] == [FOREIGN_TRANSACTION]

    async def test_nor_does_it_add_to_a_bill(self, backend: Backend, attacker: Station) -> None:
        sample = {"timestamp": LATER, "sampledValue": [{"value": "9999999"}]}
        values = {"connectorId": 1, "transactionId": 1, "meterValue": [sample]}

        assert await attacker.says("MeterValues", **values) == {}

        assert backend.heard == []
        assert attacker.disk.aside == [("MeterValues", values)]
        assert [kind for kind, _ in attacker.events] == [FOREIGN_TRANSACTION]

    async def test_to_try_them_all_reaches_its_own_alone(
        self, backend: Backend, victim: Station, attacker: Station
    ) -> None:
        for number in range(-1, 50):
            await attacker.says("StopTransaction", transactionId=number, meterStop=number, timestamp=LATER)

        assert backend.running == {1: "VICTIM"}
        assert backend.heard == [("StopTransaction", -1), ("StopTransaction", 2)]
        assert len(attacker.events) == 49
        await victim.says("StopTransaction", transactionId=1, meterStop=5000, timestamp=LATER)
        assert backend.running == {}
        assert victim.events == []

    async def test_a_backends_command_reaches_the_station_that_it_names_which_refuses(
        self, victim: Station, attacker: Station
    ) -> None:
        answer = await attacker.bridge.from_backend("RemoteStopTransaction", {"transactionId": 1})

        assert answer == {"status": "Rejected"}
        assert attacker.commands == [("RemoteStopTransaction", {"transactionId": 1})]
        assert victim.commands == []


class TestStationsOfOcpp201:
    @pytest.fixture
    async def victim(self, backend: Backend) -> Station:
        station = Station(backend, "2.0.1")
        token = {"idToken": "VICTIM", "type": "ISO14443"}
        await station.event("Started", 0, "TX-VICTIM", idToken=token, evse={"id": 1, "connectorId": 1})
        assert backend.running == {1: "VICTIM"}
        return station

    @pytest.fixture
    async def attacker(self, backend: Backend, victim: Station) -> AsyncIterator[Station]:
        station = Station(backend, "2.0.1")
        yield station
        await station.ledger.quiesce()

    @pytest.mark.parametrize("name", ["TX-VICTIM", "1"])
    @pytest.mark.parametrize("kind", ["Updated", "Ended"])
    async def test_another_stations_transaction_id_is_the_attackers_own(
        self, backend: Backend, victim: Station, attacker: Station, name: str, kind: str
    ) -> None:
        """2.0.1 has no numbers: the same string of two stations is two transactions."""
        await attacker.event(kind, 7, name, evse={"id": 1, "connectorId": 1})

        assert backend.running[1] == "VICTIM"
        assert all(number != 1 for _, number in backend.heard)
        await victim.event("Ended", 1, "TX-VICTIM")
        assert 1 not in backend.running

    async def test_with_a_token_it_pays_for_itself(self, backend: Backend, victim: Station, attacker: Station) -> None:
        token = {"idToken": "ATTACKER", "type": "ISO14443"}
        await attacker.event("Started", 0, "TX-VICTIM", idToken=token, evse={"id": 1, "connectorId": 1})
        await attacker.event("Ended", 1, "TX-VICTIM")

        assert backend.running == {1: "VICTIM"}
        assert backend.heard == [("StopTransaction", 2)]

    async def test_a_backends_command_for_another_stations_transaction_is_rejected(
        self, victim: Station, attacker: Station
    ) -> None:
        answer = await attacker.bridge.from_backend("RemoteStopTransaction", {"transactionId": 1})

        assert answer == {"status": "Rejected"}
        assert attacker.commands == victim.commands == []
