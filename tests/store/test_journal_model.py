"""The journal against a model of it: whatever the order of the calls, it holds what the model holds."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gateway.bridge.books import Json, Transaction, TransactionState
from gateway.session.ports import JournalEntry, JournalFull, StaleEpoch
from gateway.session.quarantine import REFUSED, Why
from gateway.store.database import Database
from gateway.store.journal import Journal
from gateway.store.quarantine import Quarantine
from gateway.store.stations import Stations

LIMIT = 4
STATION = "CS1"
NO = Why(REFUSED, "no")

payloads = st.dictionaries(
    st.text(max_size=3), st.integers(-9, 9) | st.text(max_size=3) | st.lists(st.booleans()), max_size=3
)
transactions = st.builds(
    Transaction,
    station_tx=st.sampled_from(["T1", "T2", "T3"]),
    state=st.sampled_from(TransactionState),
    backend_tx=st.none() | st.integers(-1, 2**31),
    last_seq_no=st.integers(-1, 5),
    energy_flowed=st.booleans(),
)


class JournalModel(RuleBasedStateMachine):
    """One station of one store, with its present owner and all that were before."""

    def __init__(self, database: Database, runner: asyncio.Runner) -> None:
        super().__init__()
        self.runner = runner
        self.stations = Stations(database)
        self.journal = Journal(database, limit=LIMIT)
        self.quarantine = Quarantine(database)
        self.epochs: list[int] = []
        self.waiting: list[JournalEntry] = []
        self.gone: list[JournalEntry] = []
        self.aside: list[tuple[int, str]] = []
        self.books: dict[str, Transaction] = {}

    def run(self, call: Awaitable[Any]) -> Any:
        async def run() -> Any:
            return await call

        return self.runner.run(run())

    def run_as_stale(self, call: Awaitable[Any]) -> None:
        with pytest.raises(StaleEpoch):
            self.run(call)

    @initialize()
    def register(self) -> None:
        self.run(self.stations.add(STATION, profile=1, serial=None, backend=None, password_hash=None))
        self.take()

    def teardown(self) -> None:
        self.run(self.stations.remove(STATION, force=True))

    @rule()
    def take(self) -> None:
        self.epochs.append(self.run(self.stations.take(STATION, 1)))

    @rule(tx=transactions)
    def save(self, tx: Transaction) -> None:
        self.run(self.journal.save(STATION, self.epochs[-1], tx))
        self.books[tx.station_tx] = tx

    @rule(tx=transactions, payload=payloads)
    def append(self, tx: Transaction, payload: Json) -> None:
        call = self.journal.append(STATION, self.epochs[-1], tx, "MeterValues", payload)
        if len(self.waiting) == LIMIT:
            with pytest.raises(JournalFull):
                self.run(call)
            return
        self.waiting.append(self.run(call))
        self.books[tx.station_tx] = tx

    @precondition(lambda self: self.waiting)
    @rule(tx=transactions, data=st.data())
    def settle(self, tx: Transaction, data: st.DataObject) -> None:
        entry = data.draw(st.sampled_from(self.waiting))
        self.run(self.journal.settle(entry, self.epochs[-1], tx))
        self._leave(entry, tx)

    @precondition(lambda self: self.waiting)
    @rule(tx=transactions, data=st.data())
    def refuse(self, tx: Transaction, data: st.DataObject) -> None:
        entry = data.draw(st.sampled_from(self.waiting))
        self.run(self.journal.refuse(entry, self.epochs[-1], tx, NO))
        self._leave(entry, tx)
        self.aside.append((entry.id, json.dumps(entry.payload)))

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        place = data.draw(st.integers(0, len(self.waiting) - 1))
        entry = self.waiting[place]
        self.run(self.journal.retry(entry, self.epochs[-1]))
        self.waiting[place] = replace(entry, attempts=entry.attempts + 1)

    @precondition(lambda self: self.gone)
    @rule(tx=transactions, data=st.data(), refused=st.booleans())
    def say_again_of_one_that_is_gone(self, tx: Transaction, data: st.DataObject, refused: bool) -> None:
        entry = data.draw(st.sampled_from(self.gone))
        epoch = self.epochs[-1]
        if refused:
            self.run(self.journal.refuse(entry, epoch, tx, NO))
        else:
            self.run(self.journal.settle(entry, epoch, tx))
        self.books[tx.station_tx] = tx

    @precondition(lambda self: len(self.epochs) > 1)
    @rule(tx=transactions, data=st.data())
    def write_as_a_former_owner(self, tx: Transaction, data: st.DataObject) -> None:
        epoch = data.draw(st.sampled_from(self.epochs[:-1]))
        self.run_as_stale(self.journal.save(STATION, epoch, tx))
        self.run_as_stale(self.journal.append(STATION, epoch, tx, "MeterValues", {}))
        for entry in (self.waiting + self.gone)[:1]:
            self.run_as_stale(self.journal.settle(entry, epoch, tx))
            self.run_as_stale(self.journal.refuse(entry, epoch, tx, NO))
            self.run_as_stale(self.journal.retry(entry, epoch))

    @invariant()
    def it_holds_what_the_model_holds(self) -> None:
        assert self.run(self.journal.pending(STATION)) == self.waiting
        others = [entry for entry in self.waiting if entry.station_tx != "T1"]
        assert self.run(self.journal.pending(STATION, beside=["T1"])) == others
        assert self.run(self.journal.depths()) == ({STATION: len(self.waiting)} if self.waiting else {})
        books = self.run(self.journal.transactions(STATION)) if self.epochs else []
        assert {tx.station_tx: tx for tx in books} == self.books
        refused = self.run(self.quarantine.list(STATION))
        ours = [(message.id, json.dumps(message.payload)) for message in refused if message.id in dict(self.aside)]
        assert ours == sorted(self.aside)

    def _leave(self, entry: JournalEntry, tx: Transaction) -> None:
        self.waiting.remove(entry)
        self.gone.append(entry)
        self.books[tx.station_tx] = tx


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner(debug=False) as runner:
        yield runner


def test_the_journal_keeps_to_its_model(
    url: str, runner: asyncio.Runner, opened_by: Callable[[asyncio.Runner, str], Database]
) -> None:
    database = opened_by(runner, url)
    run_state_machine_as_test(
        lambda: JournalModel(database, runner),  # type: ignore[arg-type]  # any callable does, says its documentation
        settings=settings(
            max_examples=12, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


@pytest.fixture
def opened_by() -> Iterator[Callable[[asyncio.Runner, str], Database]]:
    """``opened_by(runner, url)`` opens a store in the runner's loop and closes it there."""
    opened: list[tuple[asyncio.Runner, Database]] = []

    def open_it(runner: asyncio.Runner, url: str) -> Database:
        database = runner.run(Database.open(url, exclusive=False))
        opened.append((runner, database))
        return database

    yield open_it
    for runner, database in opened:
        runner.run(database.close())
