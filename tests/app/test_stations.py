"""The factory of station runtimes, on a real store and with backends that aren't there."""

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.app.foundation import Foundation
from gateway.app.stations import MOVED_AT_ONCE, MOVES, StationFactory
from gateway.bridge.books import Page, Transaction, TransactionState
from gateway.session.ports import BootStatus, Proof, StationRecord
from gateway.wire.versions import Version


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
        ledger.registers.went_through(tx)
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


# --- several backends


BACKENDS = {name: {"url": f"wss://{name}.example.com/{{identity}}"} for name in ("legacy", "north")}


@pytest.fixture
def routed(foundation: Foundation, configured: Callable[..., Any]) -> Foundation:
    """Two backends; a group goes to the second one."""
    config = configured(
        backends=BACKENDS,
        default_backend="legacy",
        routes=[{"group": "depot", "backend": "north"}],
        connector_tables=[{"group": "depot", "connectors": {"1.1": 7}}],
    )
    return dataclasses.replace(foundation, config=config)


async def _connected(factory: StationFactory, record: StationRecord) -> Any:
    """Let a station in; return its runtime and the socket."""
    entry = await factory.directory.enter(record, Proof(2), Version.V201)
    socket = SimpleNamespace(closed=[], send=lambda _: True, pause=lambda: None, resume=lambda: None)
    socket.close = lambda code=1000, reason="": socket.closed.append(code)
    peer = factory.sink(entry)
    peer.connected(socket)
    return entry.station, socket


async def test_a_connected_station_moves_when_it_may_and_not_before(routed: Foundation) -> None:
    factory = StationFactory(routed)
    record = await _registered(routed)
    station, socket = await _connected(factory, record)
    tx = Transaction("t1", TransactionState.OPEN, backend_tx=7, connector_id=1)
    station.books.transactions["t1"] = tx
    await routed.journal.save("CS1", station.epoch, tx)

    await routed.stations.set_group("CS1", "depot")
    record = dataclasses.replace(record, group="depot")
    factory.follow(record)
    factory.move_on()
    assert socket.closed == []

    tx.state = TransactionState.ENDED
    await routed.journal.save("CS1", station.epoch, tx)
    factory.move_on()
    assert socket.closed == [MOVES]
    entry = await factory.directory.enter(record, Proof(2), Version.V201)
    assert entry.station is not station
    assert factory._runtimes["CS1"].backend == "north"
    assert factory._settings(record, "north").connectors == {(1, 1): 7}
    factory.move_on()
    assert factory._moving == set()
    await factory.close()


async def test_not_all_are_cut_at_once(routed: Foundation) -> None:
    factory = StationFactory(routed)
    sockets = []
    for number in range(MOVED_AT_ONCE + 1):
        identity = f"CS{number}"
        add = routed.stations.add(identity, profile=2, serial=None, backend=None, password_hash=None)
        _, socket = await _connected(factory, await add)
        sockets.append(socket)
        factory.follow(StationRecord(identity, 2, group="depot"))
    for cut in (MOVED_AT_ONCE, MOVED_AT_ONCE + 1):
        factory.move_on()
        assert sum(len(socket.closed) for socket in sockets) == cut
    await factory.directory.close()
    await factory.close()


async def test_a_change_that_is_taken_back_moves_nobody(routed: Foundation) -> None:
    factory = StationFactory(routed)
    record = await _registered(routed)
    _, socket = await _connected(factory, record)
    factory.follow(dataclasses.replace(record, group="depot"))
    factory.follow(record)
    factory.move_on()
    factory.follow(StationRecord("CS9", 2, group="depot"))
    assert (socket.closed, factory._moving) == ([], set())
    await factory.close()


async def test_a_station_is_told_its_group_while_it_is_connected(routed: Foundation) -> None:
    factory = StationFactory(routed)
    record = await _registered(routed)
    station, socket = await _connected(factory, record)
    seen: list[str | None] = []
    station.when_regrouped = lambda: seen.append(station.record.group)
    factory.follow(dataclasses.replace(record, group="yard"))
    factory.follow(dataclasses.replace(record, group="yard"))
    factory.follow(record)

    assert (seen, socket.closed) == (["yard", None], [])
    assert factory.live("CS1") == (station, "legacy")
    assert factory.live("CS9") is None
    await factory.close()


async def test_one_that_comes_back_by_itself_moves_then_if_it_may(routed: Foundation) -> None:
    factory = StationFactory(routed)
    record = await _registered(routed)
    depot = dataclasses.replace(record, group="depot")
    station = (await factory.directory.enter(record, Proof(2), Version.V201)).station
    station.books.transactions["t1"] = Transaction("t1", TransactionState.HELD)
    await routed.stations.set_group("CS1", "depot")
    assert (await factory.directory.enter(depot, Proof(2), Version.V201)).station is station
    station.books.transactions["t1"].state = TransactionState.ENDED
    assert (await factory.directory.enter(depot, Proof(2), Version.V201)).station is not station
    await factory.close()


async def test_no_station_moves_while_its_backend_may_have_what_it_was_not_answered(routed: Foundation) -> None:
    """A StartTransaction on its way is in no books yet: repeated to another backend it would be two transactions."""
    factory = StationFactory(routed)
    record = await _registered(routed)
    depot = dataclasses.replace(record, group="depot")
    station, socket = await _connected(factory, record)
    station.gate.answered(BootStatus.ACCEPTED)
    answered = asyncio.Event()

    async def asks(_: str, __: Any) -> Any:
        await answered.wait()
        return {}

    station.bridge = SimpleNamespace(from_station=asks)
    handling = asyncio.create_task(station.from_station("TransactionEvent", {}))
    await routed.stations.set_group("CS1", "depot")
    factory.follow(depot)
    factory.move_on()
    assert socket.closed == []
    station.cut(1006, "the network is gone")
    assert (await factory.directory.enter(depot, Proof(2), Version.V201)).station is station

    answered.set()
    await handling
    assert (await factory.directory.enter(depot, Proof(2), Version.V201)).station is not station
    await factory.directory.close()
    await factory.close()


async def test_after_a_restart_with_other_routes_a_journal_still_goes_where_it_belongs(routed: Foundation) -> None:
    factory = StationFactory(routed)
    record = await _registered(routed)
    station = (await factory.directory.enter(record, Proof(2), Version.V201)).station
    tx = Transaction("t1", TransactionState.STARTING, connector_id=1)
    await routed.journal.append("CS1", station.epoch, tx, "StartTransaction", {"x": 1})
    await factory.close()
    await routed.stations.set_group("CS1", "depot")
    again = StationFactory(routed)
    await again.resume()
    assert again._runtimes["CS1"].backend == "legacy"
    assert again._moving == {"CS1"}
    again.move_on()
    await again.close()
    again.move_on()
    assert again._moving == set()


async def test_what_belongs_to_a_backend_that_is_gone_is_dialled_nowhere(
    routed: Foundation, configured: Callable[..., Any]
) -> None:
    record = await _registered(routed)
    await routed.books.belong("CS1", {"name": "gone", "url": "wss://gone/{identity}"}, is_new=False)
    epoch = await routed.stations.take("CS1", 0)
    await routed.journal.append("CS1", epoch, Transaction("t1", connector_id=1), "StartTransaction", {"x": 1})
    factory = StationFactory(routed)
    entry = await factory.directory.enter(record, Proof(2), Version.V201)
    assert factory._runtimes["CS1"].backend == "gone"
    factory._runtimes["CS1"].legs.start()
    assert not await entry.station.backend.wait_up(5.0)
    await factory.close()


class Socket:
    """A WebSocket on whose other end a station takes note of what it is sent."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[Any] = asyncio.Queue()

    def send(self, text: bytes) -> bool:
        """Keep a frame."""
        self.sent.put_nowait(json.loads(text))
        return True

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Nobody closes here."""

    def pause(self) -> None:
        """Nobody is too fast here."""

    def resume(self) -> None:
        """The same."""

    async def ping(self, timeout: float) -> bool:
        """It is alive."""
        return True


async def test_a_station_that_was_accepted_is_asked_for_its_inventory_which_is_kept(foundation: Foundation) -> None:
    factory = StationFactory(dataclasses.replace(foundation, quiet=0))
    await _registered(foundation)
    epoch = await foundation.stations.take("CS1", 2, Version.V201)
    boot = {"reason": "PowerUp", "chargingStation": {"model": "M", "vendorName": "V", "firmwareVersion": "1.0"}}
    await foundation.stations.save_boot("CS1", epoch, BootStatus.ACCEPTED, 300, boot, reported=True)
    record = await foundation.stations.find("CS1")
    assert record is not None
    entry = await factory.directory.enter(record, Proof(2), Version.V201)
    socket, peer = Socket(), factory.sink(entry)
    peer.connected(socket)

    _, message_id, action, request = await socket.sent.get()
    assert (action, request["reportBase"]) == ("GetBaseReport", "FullInventory")
    peer.message(json.dumps([3, message_id, {"status": "Accepted"}]).encode())
    datum = {
        "component": {"name": "Connector", "evse": {"id": 1, "connectorId": 2}},
        "variable": {"name": "Available"},
        "variableAttribute": [{"value": "true"}],
    }
    report = {
        "requestId": request["requestId"],
        "generatedAt": "2026-05-01T08:00:00Z",
        "seqNo": 0,
        "reportData": [datum],
    }
    peer.message(json.dumps([2, "r", "NotifyReport", report]).encode())
    assert await socket.sent.get() == [3, "r", {}]

    books, _ = await foundation.books.load("CS1")
    assert books.pages[Page.DEVICE_MODEL]["firmware"] == "1.0"
    assert books.connectors[1, 2].number == 1
    peer.give_up("the test is over")
    await factory.directory.close()
    await factory.close()


async def test_nothing_of_a_station_that_has_left_waits_until_it_would_be_asked(
    factory: StationFactory, foundation: Foundation
) -> None:
    record = await _registered(foundation)
    epoch = await foundation.stations.take("CS1", 2, Version.V201)
    await foundation.stations.save_boot("CS1", epoch, BootStatus.ACCEPTED, 300, {"reason": "PowerUp"}, reported=True)
    entry = await factory.directory.enter(record, Proof(2), Version.V201)
    peer = factory.sink(entry)
    peer.connected(Socket())
    (settling,) = [each for each in asyncio.all_tasks() if each.get_name() == "settle in CS1"]
    peer.give_up("it is gone")
    await factory.directory.close()
    with pytest.raises(asyncio.CancelledError):
        await settling


@pytest.mark.parametrize(
    ("backend", "version", "knows"),
    [
        ({}, Version.V201, False),
        ({"plug_and_charge": True}, Version.V16, True),
        ({"protocol": "ocpp2.0.1"}, Version.V201, True),
        ({"protocol": "ocpp2.0.1", "plug_and_charge": False}, Version.V201, False),
    ],
)
async def test_which_backends_know_contracts(
    foundation: Foundation,
    configured: Callable[..., Any],
    backend: dict[str, Any],
    version: Version,
    knows: bool,
) -> None:
    config = configured(backends={"legacy": {"url": "wss://csms.example.com/{identity}", **backend}})
    spoken = Version(config.backends["legacy"].protocol)
    nowhere = dataclasses.replace(foundation.addresses["legacy"], version=spoken)
    on = dataclasses.replace(foundation, config=config, addresses={"legacy": nowhere})
    factory = StationFactory(on)
    station = await factory.build(await _registered(on), version)
    assert station.knows_contracts is knows
    await factory.close()
