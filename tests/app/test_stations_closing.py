"""The factory of station runtimes when the gateway ends while stations leave."""

import asyncio

import pytest

from gateway.app.foundation import Foundation
from gateway.app.stations import StationFactory
from gateway.bridge.books import Json, Page, Transaction
from gateway.session.ports import Proof, Register, StoreAway
from gateway.session.station import Station
from gateway.wire.versions import Version


async def _entered(factory: StationFactory, foundation: Foundation) -> Station:
    record = await foundation.stations.add("CS1", profile=2, serial=None, backend=None, password_hash=None)
    return (await factory.directory.enter(record, Proof(2), Version.V201)).station


class _SlowPages:
    """A store that writes pages when it may."""

    def __init__(self, foundation: Foundation, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.may_write = asyncio.Event(), asyncio.Event()
        self.written: list[str] = []
        monkeypatch.setattr(foundation.pages, "save_many", self._save_many)

    async def _save_many(self, pages: list[tuple[str, Page, Json]]) -> None:
        self.begun.set()
        await self.may_write.wait()
        self.written.extend(identity for identity, _, _ in pages)


async def test_closing_waits_for_who_takes_a_runtime_apart_already(
    foundation: Foundation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is closed after it: what the other still writes would be lost."""
    factory = StationFactory(foundation)
    station = await _entered(factory, foundation)
    station.books.changed(Page.BACKEND)
    slow = _SlowPages(foundation, monkeypatch)
    leaving = asyncio.create_task(factory.leave(station))
    await slow.begun.wait()
    closing = asyncio.create_task(factory.close())
    for _ in range(10):
        await asyncio.sleep(0)
    assert not closing.done()
    slow.may_write.set()
    await closing
    assert (slow.written, factory.left) == (["CS1"], 1)
    assert await leaving


async def test_a_runtime_is_taken_apart_by_the_next_one_where_the_first_was_cancelled(
    foundation: Foundation, monkeypatch: pytest.MonkeyPatch
) -> None:
    factory = StationFactory(foundation)
    station = await _entered(factory, foundation)
    ledger = factory._runtimes["CS1"].ledger
    begun = asyncio.Event()

    async def never() -> None:
        begun.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as stuck:
        stuck.setattr(ledger, "quiesce", never)
        leaving = asyncio.create_task(factory.leave(station))
        await begun.wait()
        leaving.cancel()
        await asyncio.wait([leaving])
    await factory.close()
    assert (factory.left, factory.live("CS1")) == (1, None)


async def test_a_station_may_leave_after_its_runtime_was_closed(foundation: Foundation) -> None:
    factory = StationFactory(foundation)
    station = await _entered(factory, foundation)
    await factory.close()
    assert await factory.leave(station)


async def test_a_station_that_leaves_while_its_runtime_is_closed_has_nothing_dialled_for_it(
    foundation: Foundation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits for the backend stays in the journal: who dialled then was never stopped."""
    factory = StationFactory(foundation)
    station = await _entered(factory, foundation)
    runtime = factory._runtimes["CS1"]
    runtime.ledger._depth = 1
    stopping, may_stop = asyncio.Event(), asyncio.Event()
    stop = runtime.legs.backend.stop

    async def slow() -> None:
        await stop()
        stopping.set()
        await may_stop.wait()

    monkeypatch.setattr(runtime.legs.backend, "stop", slow)
    closing = asyncio.create_task(factory.close())
    await stopping.wait()
    leaving = asyncio.create_task(factory.leave(station))
    for _ in range(5):
        await asyncio.sleep(0)
    dialling = [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("backend link")]
    may_stop.set()
    await closing
    assert (dialling, await leaving) == ([], True)
    await stop()


async def test_closing_waits_for_what_is_being_saved_of_all(
    foundation: Foundation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has taken the pages already, and it is cancelled after the factory is closed."""
    factory = StationFactory(foundation)
    station = await _entered(factory, foundation)
    station.books.changed(Page.BACKEND)
    slow = _SlowPages(foundation, monkeypatch)
    saving = asyncio.create_task(factory.save_registers())
    await slow.begun.wait()
    closing = asyncio.create_task(factory.close())
    for _ in range(10):
        await asyncio.sleep(0)
    slow.may_write.set()
    await closing
    saving.cancel()
    await asyncio.wait([saving])
    assert slow.written == ["CS1"]


async def test_saving_fails_while_a_station_leaves(foundation: Foundation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anything but a store that is away would end all saving until the next start."""
    factory = StationFactory(foundation)
    station = await _entered(factory, foundation)
    station.books.changed(Page.BACKEND)

    async def save_many(_: object) -> None:
        await factory.leave(station)
        raise StoreAway("it is away")

    monkeypatch.setattr(foundation.pages, "save_many", save_many)
    await factory.save_registers()
    assert factory.live("CS1") is None


async def test_what_a_store_that_is_away_did_not_take_is_saved_the_next_time(
    foundation: Foundation, monkeypatch: pytest.MonkeyPatch
) -> None:
    factory = StationFactory(foundation)
    station = await _entered(factory, foundation)
    tx = station.books.transactions["t1"] = Transaction("t1", last_register=1500)
    factory._runtimes["CS1"].ledger.registers.went_through(tx)
    station.books.changed(Page.REGISTERS)
    registers: list[Register] = []
    slow = _SlowPages(foundation, monkeypatch)
    slow.may_write.set()

    async def save(_: object) -> None:
        raise StoreAway("it is away")

    async def save_registers(found: list[Register]) -> None:
        registers.extend(found)

    with monkeypatch.context() as away:
        away.setattr(foundation.journal, "save_registers", save)
        await factory.save_registers()
    assert slow.written == []
    monkeypatch.setattr(foundation.journal, "save_registers", save_registers)
    await factory.save_registers()
    assert registers == [Register("CS1", station.epoch, "t1", 1500)]
    assert slow.written == ["CS1"]
    await factory.close()
