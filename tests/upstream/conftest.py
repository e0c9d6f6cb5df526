"""A journal in memory, from the port's contract, for the tests of what stands on it; and a leg that dials at once."""

import copy
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from gateway.bridge.books import Json, Transaction, TransactionState
from gateway.session.ports import JournalEntry, JournalFull, Register, StaleEpoch
from gateway.session.quarantine import Why
from gateway.upstream import link
from tests.upstream.legs import Leg


class MemoryJournal:
    """Fulfils JournalStore; what it holds is a copy, as after a restart."""

    def __init__(self, limit: int = 1000) -> None:
        self.epoch = 1
        self.limit = limit
        self.entries: list[JournalEntry] = []
        self.refused: list[tuple[str, str]] = []
        self.whys: list[Why] = []
        self.has_room = True
        """False: the quarantine is full."""
        self.saved: dict[str, Transaction] = {}
        self._next = 1

    def _check(self, epoch: int) -> None:
        if epoch != self.epoch:
            raise StaleEpoch

    async def save(self, identity: str, epoch: int, tx: Transaction) -> None:
        self._check(epoch)
        self.saved[tx.station_tx] = copy.copy(tx)

    async def append(
        self, identity: str, epoch: int, tx: Transaction, action: str, payload: Json, *, released: bool = False
    ) -> JournalEntry:
        self._check(epoch)
        if len(self.entries) >= self.limit:
            raise JournalFull
        entry = JournalEntry(self._next, identity, tx.station_tx, action, copy.deepcopy(payload), 0, released)
        self._next += 1
        self.entries.append(entry)
        self.saved[tx.station_tx] = copy.copy(tx)
        return entry

    async def settle(self, entry: JournalEntry, epoch: int, tx: Transaction) -> None:
        self._check(epoch)
        self.entries = [each for each in self.entries if each.id != entry.id]
        self.saved[tx.station_tx] = copy.copy(tx)

    async def save_registers(self, registers: Sequence[Register]) -> None:
        for each in registers:
            if each.epoch == self.epoch:
                self.saved[each.station_tx].last_register = each.wh

    async def retry(self, entry: JournalEntry, epoch: int) -> None:
        self._check(epoch)
        self.entries = [
            replace(each, attempts=each.attempts + 1) if each.id == entry.id else each for each in self.entries
        ]

    async def refuse(self, entry: JournalEntry, epoch: int, tx: Transaction, why: Why) -> None:
        if not self.has_room:
            raise JournalFull
        await self.settle(entry, epoch, tx)
        self.refused.append((entry.action, why.reason))
        self.whys.append(why)

    async def set_aside(self, action: str, payload: Json, reason: str) -> None:
        """The quarantine's part, as the bridge has it."""
        self.refused.append((action, reason))

    async def pending(self, identity: str, limit: int = 100, *, beside: Sequence[str] = ()) -> Sequence[JournalEntry]:
        return [entry for entry in self.entries if entry.station_tx not in beside][:limit]

    def restarted(self) -> dict[str, Transaction]:
        """The transactions as a new process loads them."""
        return {key: copy.copy(tx) for key, tx in self.saved.items() if tx.state is not TransactionState.ENDED}


@pytest.fixture(scope="session")
def new_journal() -> type[MemoryJournal]:
    """Makes journals; for property tests, which want a new one per example."""
    return MemoryJournal


@pytest.fixture
def memory_journal() -> MemoryJournal:
    return MemoryJournal()


@pytest.fixture
async def leg(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Leg]:
    """One that hardly waits between two dials."""
    monkeypatch.setattr(link, "BACKOFF_FIRST", 0.001)
    monkeypatch.setattr(link, "BACKOFF_MAX", 0.002)
    made = Leg()
    yield made
    await made.link.stop()
