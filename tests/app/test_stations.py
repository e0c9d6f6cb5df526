"""The factory of station runtimes, on a real store and with backends that aren't there."""

import dataclasses
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.app.stations import Foundation, StationFactory, message_ids
from gateway.app.tasks import Tasks
from gateway.bridge.books import Transaction, TransactionState
from gateway.bridge.v16_v16 import V16ToV16
from gateway.bridge.v201_v16 import V201ToV16
from gateway.session.ports import Proof, StationRecord
from gateway.session.security import SecurityEvent
from gateway.session.tally import Tally
from gateway.store.books import StoredBooks
from gateway.store.connectors import Connectors
from gateway.store.database import Database
from gateway.store.journal import Journal
from gateway.store.pages import Pages
from gateway.store.stations import Stations
from gateway.transport import HandshakePool, Limits
from gateway.upstream.dialing import BackendAddress
from gateway.wire.versions import Version
from policies.engine import load as load_policy


class Events:
    """A security log that keeps what is noted."""

    def __init__(self) -> None:
        self.noted: list[SecurityEvent] = []

    def note(self, event: SecurityEvent) -> None:
        """Keep it."""
        self.noted.append(event)


@pytest.fixture
async def foundation(configured: Callable[..., Any], tmp_path: Path) -> AsyncIterator[Foundation]:
    database = await Database.open(f"sqlite+aiosqlite:///{tmp_path}/voltgate.db", exclusive=True)
    pool, tasks = HandshakePool(), Tasks()
    nowhere = BackendAddress("legacy", lambda _: "ws://127.0.0.1:1/x", Version.V16, None, None)
    yield Foundation(
        config=configured(),
        stations=Stations(database),
        journal=Journal(database, 10),
        connectors=Connectors(database),
        pages=Pages(database),
        books=StoredBooks(database),
        addresses={"legacy": nowhere},
        policy=load_policy("legacy-1.6"),
        tally=Tally(),
        limits=Limits(),
        pool=pool,
        services={},
        tasks=tasks,
        security=Events(),
        joined=lambda _: None,
        when_provisional=lambda _: None,
    )
    await tasks.close()
    pool.close()
    await database.close()


@pytest.fixture
async def factory(foundation: Foundation) -> AsyncIterator[StationFactory]:
    made = StationFactory(foundation)
    yield made
    await made.close()


async def _registered(foundation: Foundation, backend: str | None = None) -> StationRecord:
    return await foundation.stations.add("CS1", profile=2, serial=None, backend=backend, password_hash=None)


async def test_a_station_that_leaves_with_nothing_to_deliver_is_dropped(
    factory: StationFactory, foundation: Foundation
) -> None:
    entry = await factory.directory.enter(await _registered(foundation), Proof(2), Version.V201)
    factory.sink(entry)
    assert await factory.leave(entry.station)
    assert (factory.links_up, factory.journal_entries) == (0, 0)


async def test_what_an_earlier_run_left_is_taken_up_without_the_station(
    factory: StationFactory, foundation: Foundation
) -> None:
    record = await _registered(foundation)
    epoch = await foundation.stations.take("CS1", 0)
    await foundation.journal.append("CS1", epoch, Transaction("t1", connector_id=1), "StartTransaction", {"x": 1})
    await factory.resume()
    station = factory.directory.get("CS1")
    assert station is not None
    assert (factory.journal_entries, station.record.identity) == (1, record.identity)
    assert not await factory.leave(station)


async def test_nothing_is_dialled_for_a_station_that_was_removed(
    factory: StationFactory, foundation: Foundation
) -> None:
    await _registered(foundation)
    epoch = await foundation.stations.take("CS1", 0)
    await foundation.journal.append("CS1", epoch, Transaction("t1", connector_id=1), "StartTransaction", {"x": 1})
    await factory.resume()
    station = factory.directory.get("CS1")
    assert station is not None
    await factory.expel(station)
    assert (factory.directory.get("CS1"), factory.journal_entries) == (None, 0)
    await factory.expel(station)


async def test_a_station_that_leaves_in_a_transaction_finds_its_register_again(
    factory: StationFactory, foundation: Foundation
) -> None:
    entry = await factory.directory.enter(await _registered(foundation), Proof(2), Version.V201)
    station = entry.station
    tx = Transaction("t1", TransactionState.OPEN, backend_tx=7, connector_id=1, last_register=1000)
    station.books.transactions["t1"] = tx
    await foundation.journal.save("CS1", station.epoch, tx)
    ledger = factory._runtimes["CS1"].ledger
    for register, saving in ((5000, factory.save_registers()), (9500, factory.leave(station))):
        tx.last_register = register
        ledger._unsaved["t1"] = tx
        await saving
        assert [each.last_register for each in await foundation.journal.transactions("CS1")] == [register]


async def test_the_books_come_out_of_the_store(factory: StationFactory, foundation: Foundation) -> None:
    record = await _registered(foundation)
    epoch = await foundation.stations.take("CS1", 0)
    await foundation.journal.save("CS1", epoch, Transaction("t1", connector_id=1, id_tag="TAG"))
    station = await factory.build(record, Version.V201)
    assert station.books.transactions["t1"].id_tag == "TAG"
    with pytest.raises(Exception, match="not connected"):
        await station.call_backend("Heartbeat", {})


async def test_a_backend_that_is_not_configured_any_more_is_the_default_one(
    factory: StationFactory, foundation: Foundation
) -> None:
    station = await factory.build(await _registered(foundation, backend="gone"), Version.V201)
    assert station.backend is not None


def test_message_ids_fit_and_never_repeat() -> None:
    first, second = message_ids(), message_ids()
    made = [source() for source in (first, second) for _ in range(1000)]
    assert len(set(made)) == 2000
    assert max(map(len, made)) <= 36


@pytest.mark.parametrize("version", Version)
async def test_each_version_has_its_bridge_and_its_services(foundation: Foundation, version: Version) -> None:
    async def serve(_: Any, __: Any) -> dict[str, Any]:
        return {"status": version.value}

    services = {(version, "SignCertificate"): serve}
    factory = StationFactory(dataclasses.replace(foundation, services=services))
    station = await factory.build(await _registered(foundation), version)
    assert station.version is version
    assert type(station.bridge) is {Version.V16: V16ToV16, Version.V201: V201ToV16}[version]
    assert list(station._services) == ["SignCertificate"]
    await factory.close()


async def test_an_event_bears_the_address_of_the_station_that_caused_it(foundation: Foundation) -> None:
    """Alike events of one address are kept once, so that a station can't fill the log with what it makes up."""
    events = Events()
    factory = StationFactory(dataclasses.replace(foundation, security=events))
    entry = await factory.directory.enter(await _registered(foundation), Proof(2), Version.V16, "10.0.0.9")
    station = entry.station
    station.joined(factory.sink(entry), entry.proof, entry.remote)

    for number in (7, 8):
        await station.bridge.from_station("MeterValues", {"connectorId": 1, "transactionId": number, "meterValue": []})
    await station.bridge.from_backend("ChangeConfiguration", {"key": "SecurityProfile", "value": "1"})

    assert [(event.kind, event.identity, event.remote) for event in events.noted] == [
        ("ForeignTransaction", "CS1", "10.0.0.9"),
        ("ForeignTransaction", "CS1", "10.0.0.9"),
        ("DowngradeAttempted", "CS1", None),
    ]
    await factory.close()


async def test_a_station_that_changes_its_version_keeps_its_transactions(
    factory: StationFactory, foundation: Foundation
) -> None:
    record = await _registered(foundation)
    entry = await factory.directory.enter(record, Proof(2), Version.V201)
    tx = Transaction("tx-1", TransactionState.OPEN, backend_tx=7)
    await foundation.journal.save("CS1", entry.epoch, tx)

    entry = await factory.directory.enter(record, Proof(2), Version.V16)
    assert entry.station.version is Version.V16
    assert entry.station.books.transactions["tx-1"].backend_tx == 7


@pytest.mark.parametrize(
    ("last", "now", "kept"),
    [
        (None, Version.V201, True),
        (Version.V201, Version.V201, True),
        (Version.V16, Version.V16, True),
        (Version.V201, Version.V16, False),
        (Version.V16, Version.V201, False),
        (None, Version.V16, False),
    ],
)
async def test_what_a_station_said_when_it_booted_is_for_its_own_version_only(
    factory: StationFactory, foundation: Foundation, last: Version | None, now: Version, kept: bool
) -> None:
    record = dataclasses.replace(
        await _registered(foundation), boot_payload={"reason": "PowerUp"}, boot_reported=False, version=last
    )
    built = (await factory.build(record, now)).record
    assert (built.boot_payload is not None, built.boot_reported) == (kept, not kept)
