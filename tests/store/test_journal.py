"""The journal: nothing lost, nothing out of order, one owner. On either database."""

import asyncio
import json
import random
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.bridge.books import Transaction, TransactionState
from gateway.session.ports import JournalEntry, JournalFull, Register, StaleEpoch
from gateway.session.quarantine import FOLLOWS, REFUSED, Selection, State, Why
from gateway.session.tally import Leg
from gateway.store.database import Database
from gateway.store.journal import Journal
from gateway.store.quarantine import REASON_MAX, Quarantine
from gateway.store.quarantine_decisions import QuarantineDecisions
from gateway.store.stations import Stations

Open = Callable[..., Awaitable[Database]]
NO = Why(REFUSED, "no")
PAYLOAD = {"connectorId": 1, "meterValue": [{"timestamp": "2026-03-01T12:00:00Z", "sampledValue": [{"value": "0"}]}]}


def tx(state: TransactionState = TransactionState.OPEN, seq_no: int = 0) -> Transaction:
    return Transaction("T1", state, last_seq_no=seq_no)


async def ids(journal: Journal, identity: str = "CS1") -> list[int]:
    return [entry.id for entry in await journal.pending(identity)]


# --- registers


async def test_registers_are_noted_and_nothing_else_of_a_transaction_is(journal: Journal, epoch: int) -> None:
    held = Transaction("T1", TransactionState.OPEN, backend_tx=7, last_register=1000, last_seq_no=3)
    await journal.save("CS1", epoch, held)
    await journal.save("CS1", epoch, Transaction("T2", last_register=5))
    await journal.save_registers([Register("CS1", epoch, "T1", 2500), Register("CS1", epoch, "unknown", 1)])
    held.last_register = 2500
    assert await journal.transactions("CS1") == [held, Transaction("T2", last_register=5)]


async def test_a_stale_owners_registers_are_passed_over(journal: Journal, stations: Stations, epoch: int) -> None:
    await journal.save("CS1", epoch, Transaction("T1", last_register=1000))
    await stations.take("CS1", 1)
    await journal.save_registers([Register("CS1", epoch, "T1", 2500), Register("CS9", epoch, "T1", 1)])
    assert [each.last_register for each in await journal.transactions("CS1")] == [1000]


# --- one station's messages


async def test_a_message_and_its_transaction_are_written_together(journal: Journal, epoch: int) -> None:
    starting = tx(TransactionState.STARTING)
    entry = await journal.append("CS1", epoch, starting, "StartTransaction", PAYLOAD)
    assert entry == JournalEntry(entry.id, "CS1", "T1", "StartTransaction", PAYLOAD, 0)
    assert await journal.pending("CS1") == [entry]
    assert await journal.transactions("CS1") == [starting]
    assert await journal.depths() == {"CS1": 1}


async def test_messages_keep_their_order(journal: Journal, epoch: int) -> None:
    entries = [await journal.append("CS1", epoch, tx(), "MeterValues", {"n": n}) for n in range(5)]
    assert await journal.pending("CS1") == entries
    assert await journal.pending("CS1", limit=2) == entries[:2]
    await journal.settle(entries[2], epoch, tx())
    assert await journal.pending("CS1") == [*entries[:2], *entries[3:]]


async def test_what_is_of_some_transactions_can_be_left_out(journal: Journal, epoch: int) -> None:
    names = ["T1", "T2", "T1", "T3", "T2"]
    entries = [await journal.append("CS1", epoch, Transaction(name), "MeterValues", {}) for name in names]
    assert await journal.pending("CS1", beside=["T1"]) == [entries[1], entries[3], entries[4]]
    assert await journal.pending("CS1", limit=1, beside=["T1", "T2", "T9"]) == [entries[3]]
    assert await journal.pending("CS1", beside=["T1", "T2", "T3"]) == []


async def test_an_id_is_never_used_again(journal: Journal, epoch: int) -> None:
    first = await journal.append("CS1", epoch, tx(), "MeterValues", PAYLOAD)
    await journal.settle(first, epoch, tx())
    assert (await journal.append("CS1", epoch, tx(), "MeterValues", PAYLOAD)).id > first.id


async def test_what_is_written_is_what_was_handed_over_at_the_call(journal: Journal, epoch: int) -> None:
    payload, mutable = {"b": 1, "a": [2.50, "\0"]}, tx(seq_no=1)
    appending = asyncio.ensure_future(journal.append("CS1", epoch, mutable, "MeterValues", payload))
    await asyncio.sleep(0)
    payload["c"] = 3
    mutable.last_seq_no = 2
    entry = await appending
    assert json.dumps(entry.payload) == json.dumps({"b": 1, "a": [2.5, "\0"]})
    assert await journal.pending("CS1") == [entry]
    assert (await journal.transactions("CS1"))[0].last_seq_no == 1


async def test_settling_removes_the_message_and_updates_the_transaction(
    journal: Journal, epoch: int, entry: JournalEntry
) -> None:
    started = tx(TransactionState.OPEN)
    started.backend_tx = 4711
    await journal.settle(entry, epoch, started)
    assert await journal.pending("CS1") == []
    assert await journal.transactions("CS1") == [started]
    assert await journal.depths() == {}


async def test_an_attempt_is_counted(journal: Journal, epoch: int, entry: JournalEntry) -> None:
    await journal.retry(entry, epoch)
    await journal.retry(entry, epoch)
    assert [waiting.attempts for waiting in await journal.pending("CS1")] == [2]


async def test_what_the_backend_refuses_is_quarantined_as_it_was(
    journal: Journal, quarantine: Quarantine, epoch: int, entry: JournalEntry
) -> None:
    await journal.retry(entry, epoch)
    refused = Why(REFUSED, "PropertyConstraintViolation")
    await journal.refuse(entry, epoch, tx(TransactionState.UNSTARTED), refused)
    assert await journal.pending("CS1") == []
    assert await journal.depths() == {}
    assert [t.state for t in await journal.transactions("CS1")] == [TransactionState.UNSTARTED]
    (aside,) = await quarantine.list()
    assert (aside.id, aside.identity, aside.station_tx, aside.action) == (entry.id, "CS1", "T1", "StartTransaction")
    assert (aside.payload, aside.attempts, aside.reason) == (entry.payload, 1, "PropertyConstraintViolation")
    assert (aside.leg, aside.protocol, aside.state) == (Leg.BACKEND, "ocpp1.6", State.HELD)
    assert aside.recorded_at == aside.kept_at


async def test_a_hostile_reason_does_not_hold_the_journal_up(
    journal: Journal, quarantine: Quarantine, epoch: int, entry: JournalEntry
) -> None:
    await journal.refuse(entry, epoch, tx(), Why(REFUSED, "\0" + "x" * 2 * REASON_MAX))
    (aside,) = await quarantine.list("CS1")
    assert aside.reason == "\N{REPLACEMENT CHARACTER}" + "x" * (REASON_MAX - 1)


async def test_a_message_that_a_person_released_says_so(journal: Journal, epoch: int, entry: JournalEntry) -> None:
    released = await journal.append("CS1", epoch, tx(), "MeterValues", PAYLOAD, released=True)
    assert [each.released for each in await journal.pending("CS1")] == [False, True]
    assert await journal.pending("CS1") == [entry, released]


async def test_what_is_said_twice_counts_once(
    journal: Journal, quarantine: Quarantine, epoch: int, entry: JournalEntry
) -> None:
    waiting = await journal.append("CS1", epoch, tx(), "MeterValues", PAYLOAD)
    for _ in range(2):
        await journal.settle(entry, epoch, tx())
    await journal.refuse(entry, epoch, tx(), NO)
    await journal.retry(entry, epoch)
    assert await ids(journal) == [waiting.id]
    assert await journal.depths() == {"CS1": 1}
    assert await quarantine.list() == []


async def test_an_entry_is_settled_by_its_own_station_only(
    journal: Journal, stations: Stations, entry: JournalEntry
) -> None:
    await stations.add("CS2", profile=1, serial=None, backend=None, password_hash=None)
    other_epoch = await stations.take("CS2", 1)
    borrowed = JournalEntry(entry.id, "CS2", "T1", entry.action, entry.payload, 0)
    await journal.settle(borrowed, other_epoch, tx())
    assert await ids(journal) == [entry.id]
    assert await journal.depths() == {"CS1": 1}


# --- the bound


async def test_the_journal_is_full_one_past_its_bound(database: Database, epoch: int) -> None:
    journal = Journal(database, limit=3)
    entries = [await journal.append("CS1", epoch, tx(seq_no=n), "MeterValues", PAYLOAD) for n in range(3)]
    with pytest.raises(JournalFull, match="'CS1' holds 3 messages, its bound"):
        await journal.append("CS1", epoch, tx(seq_no=3), "MeterValues", PAYLOAD)
    assert (await journal.transactions("CS1"))[0].last_seq_no == 2
    await journal.settle(entries[0], epoch, tx(seq_no=3))
    await journal.append("CS1", epoch, tx(seq_no=4), "MeterValues", PAYLOAD)
    assert await journal.depths() == {"CS1": 3}


async def test_what_a_full_quarantine_has_no_room_for_stays_in_the_journal(database: Database, epoch: int) -> None:
    journal, quarantine = Journal(database, quarantine_limit=2), Quarantine(database, limit=2)
    for _ in range(2):
        each = await journal.append("CS1", epoch, tx(), "MeterValues", PAYLOAD)
        await journal.refuse(each, epoch, tx(), Why("no-values", "", gathers=True))
    kept = await quarantine.list("CS1")
    third = await journal.append("CS1", epoch, tx(), "MeterValues", PAYLOAD)
    with pytest.raises(JournalFull, match="quarantine of station 'CS1' holds 2 messages, its bound"):
        await journal.refuse(third, epoch, tx(TransactionState.ENDED), NO)
    assert await journal.pending("CS1") == [third]
    assert await journal.depths() == {"CS1": 1}
    assert (await journal.transactions("CS1"))[0].state is not TransactionState.ENDED
    await QuarantineDecisions(database).discard(Selection(ids=[kept[1].id]), "me", "no")
    fourth = await journal.append("CS1", epoch, tx(), "MeterValues", PAYLOAD)
    await journal.refuse(third, epoch, tx(), NO)
    await journal.refuse(fourth, epoch, tx(), Why(FOLLOWS, ""))  # discarded with its begin: it takes no room
    assert await journal.depths() == {}


async def test_a_stale_owner_of_a_full_journal_is_told_that_it_is_stale(
    database: Database, stations: Stations, epoch: int
) -> None:
    journal = Journal(database, limit=0)
    await stations.take("CS1", 1)
    with pytest.raises(StaleEpoch):
        await journal.append("CS1", epoch, tx(), "MeterValues", PAYLOAD)


# --- one owner


async def test_a_stale_owner_writes_nothing(
    journal: Journal, quarantine: Quarantine, stations: Stations, epoch: int, entry: JournalEntry
) -> None:
    await stations.take("CS1", 1)
    before = await journal.transactions("CS1")
    for write in (
        journal.save("CS1", epoch, tx(seq_no=9)),
        journal.append("CS1", epoch, tx(seq_no=9), "MeterValues", PAYLOAD),
        journal.settle(entry, epoch, tx(seq_no=9)),
        journal.retry(entry, epoch),
        journal.refuse(entry, epoch, tx(seq_no=9), NO),
    ):
        with pytest.raises(StaleEpoch, match="another owner than epoch 1"):
            await write
    assert await journal.pending("CS1") == [entry]
    assert await journal.transactions("CS1") == before
    assert await quarantine.list() == []
    assert await journal.depths() == {"CS1": 1}


async def test_a_removed_station_has_no_owner(journal: Journal, stations: Stations, epoch: int) -> None:
    await stations.remove("CS1")
    with pytest.raises(StaleEpoch):
        await journal.append("CS1", epoch, tx(), "MeterValues", PAYLOAD)


async def test_in_a_race_with_a_takeover_what_was_appended_is_there_and_the_rest_refused(
    url: str, opened: Open, epoch: int
) -> None:
    old, new = await opened(url), await opened(url)

    async def take() -> None:
        await Journal(old).depths()
        await Stations(new).take("CS1", 1)

    appends = (Journal(old).append("CS1", epoch, tx(), "MeterValues", {"n": n}) for n in range(20))
    *results, _ = await asyncio.gather(*appends, take(), return_exceptions=True)
    kept = [result for result in results if isinstance(result, JournalEntry)]
    assert all(isinstance(result, (JournalEntry, StaleEpoch)) for result in results)
    assert await Journal(new).pending("CS1") == sorted(kept, key=lambda entry: entry.id)
    assert await Journal(new).depths() == ({"CS1": len(kept)} if kept else {})


async def test_stations_that_write_at_once_do_not_meet(journal: Journal, stations: Stations) -> None:
    async def work(identity: str) -> None:
        await stations.add(identity, profile=1, serial=None, backend=None, password_hash=None)
        epoch = await stations.take(identity, 1)
        entries = [await journal.append(identity, epoch, tx(), "MeterValues", {"n": n}) for n in range(4)]
        await journal.settle(entries[0], epoch, tx())
        assert await journal.pending(identity) == entries[1:]

    await asyncio.gather(*(work(f"CS{n}") for n in range(10)))
    assert await journal.depths() == {f"CS{n}": 3 for n in range(10)}


# --- what goes wrong around it


async def test_an_append_that_is_cancelled_at_any_step_is_whole_or_not_there(
    journal: Journal, stations: Stations, epoch: int
) -> None:
    for steps in range(40):
        appending = asyncio.ensure_future(journal.append("CS1", epoch, tx(seq_no=steps), "MeterValues", {"n": steps}))
        for _ in range(steps):
            await asyncio.sleep(0)
        appending.cancel()
        await asyncio.gather(appending, return_exceptions=True)
    # What nobody waits for any more may still be on its way to the disk: this one is behind it.
    await journal.append("CS1", epoch, tx(seq_no=40), "MeterValues", {"n": 40})
    assert await journal.depths() == {"CS1": len(await journal.pending("CS1"))}
    await stations.take("CS1", 1)


@pytest.mark.parametrize("round_", range(2))
async def test_nothing_that_was_promised_is_lost_by_kill_9(
    url: str, opened: Open, stations: Stations, epoch: int, round_: int
) -> None:
    """How far the process gets before it is killed is chance."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("append_until_killed.py")),
        url,
        "CS1",
        str(epoch),
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert child.stdout is not None
    said = [await child.stdout.readline() for _ in range(random.randint(1, 40 * (round_ + 1)))]  # noqa: S311 - no secret
    child.kill()
    said += (await child.stdout.read()).splitlines()
    await child.wait()

    def spoken(sign: bytes) -> list[int]:
        return [int(line[1:]) for line in said if line.startswith(sign)]

    # A server may still be ending the last statement of a client that died: a new owner is what ends that.
    await stations.take("CS1", 1)
    journal = Journal(await opened(url, exclusive=True))
    waiting = await ids(journal)
    lost = set(spoken(b"+")) - set(spoken(b"-")) - set(waiting)
    assert lost <= set(spoken(b"?")[-1:]), "only the settle in hand may be done and unsaid"
    assert len(set(waiting) - set(spoken(b"+"))) <= 1, "only the append in hand may be done and unsaid"
    assert not set(waiting) & set(spoken(b"-"))
    assert waiting == sorted(waiting)
    assert await journal.depths() == ({"CS1": len(waiting)} if waiting else {})
