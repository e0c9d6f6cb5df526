"""The quarantine: kept once, in order, by the owner alone; what a person said of a begin is said of what follows."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.bridge.books import Transaction, TransactionState
from gateway.bridge.given_numbers import given
from gateway.session.ports import JournalEntry, JournalFull, StaleEpoch
from gateway.session.quarantine import FOLLOWS, Kept, QuarantinedMessage, Selection, State, Why
from gateway.session.tally import Leg
from gateway.store import quarantine as module
from gateway.store.books import StoredBooks
from gateway.store.database import Database
from gateway.store.journal import Journal
from gateway.store.quarantine import REASON_MAX, Quarantine
from gateway.store.quarantine_decisions import QuarantineDecisions
from gateway.store.stations import Stations
from gateway.store.transactions import ENDED_KEPT_IN_BOOKS

START = {"connectorId": 1, "idTag": "TAG", "meterStart": 7, "timestamp": "2026-03-01T12:00:00Z"}
INVALID = {"transactionId": 0, "idTagInfo": {"status": "Invalid"}}


def event(kind: str, seq_no: int = 0, tx: str = "T1") -> dict[str, Any]:
    return {"eventType": kind, "seqNo": seq_no, "transactionInfo": {"transactionId": tx}}


def said(action: str, payload: dict[str, Any], rule: str = "no-big-ids", answer: Any = None, **why: Any) -> Kept:
    protocol = "ocpp2.0.1" if action == "TransactionEvent" else "ocpp1.6"
    return Kept(Leg.STATION, protocol, action, payload, Why(rule, "because", **why), answer or {})


def started(tx: str = "T1", seq_no: int = 0) -> Kept:
    return said("TransactionEvent", event("Started", seq_no, tx), gathers=True)


def follower(seq_no: int, tx: str = "T1", kind: str = "Updated") -> Kept:
    return said("TransactionEvent", event(kind, seq_no, tx), FOLLOWS)


async def kept(quarantine: Quarantine, epoch: int, message: Kept) -> QuarantinedMessage:
    made = await quarantine.append("CS1", epoch, message)
    assert made is not None
    return made[0]


async def states(quarantine: Quarantine) -> list[str]:
    return [each.state.value for each in await quarantine.list("CS1", states=list(State))]


# --- keeping


async def test_a_message_is_kept_whole(quarantine: Quarantine, epoch: int, entry: JournalEntry) -> None:
    payload = {"vendorId": "V", "data": "\0", "a": [2.5]}
    message = said("DataTransfer", payload, answer={"status": "Rejected"})
    made = await kept(quarantine, epoch, message)
    assert [made] == await quarantine.list()
    assert made == await quarantine.find(made.id)
    assert list(made.payload) == ["vendorId", "data", "a"]
    assert (made.payload, made.answer, made.rule, made.reason) == (
        payload,
        {"status": "Rejected"},
        "no-big-ids",
        "because",
    )
    assert (made.state, made.leg, made.protocol, made.station_tx) == (State.HELD, Leg.STATION, "ocpp1.6", "")
    assert (made.attempts, made.last_error, made.decided_at) == (0, "", None)
    assert made.id > entry.id
    assert await quarantine.find(made.id + 1) is None


async def test_numbers_rise_over_the_journal_and_the_quarantine(
    journal: Journal, quarantine: Quarantine, epoch: int, entry: JournalEntry
) -> None:
    made = await kept(quarantine, epoch, said("DataTransfer", {"vendorId": "V"}))
    later = await journal.append("CS1", epoch, Transaction("T1"), "MeterValues", {})
    assert entry.id < made.id < later.id
    assert await journal.depths() == {"CS1": 2}


async def test_what_is_repeated_identically_is_kept_once(quarantine: Quarantine, epoch: int) -> None:
    first = await kept(quarantine, epoch, started())
    again = Kept(Leg.STATION, "ocpp2.0.1", "TransactionEvent", dict(reversed(event("Started").items())), Why("x", "y"))
    assert await kept(quarantine, epoch, again) == first
    assert await kept(quarantine, epoch, replace(again, payload=event("Started", 1))) != first
    assert len(await quarantine.list()) == 2


async def test_what_is_about_no_transaction_may_be_said_again_when_it_is_decided(
    quarantine: Quarantine, decisions: QuarantineDecisions, epoch: int
) -> None:
    data, start = said("DataTransfer", {"vendorId": "V"}), started()
    first, begun = await kept(quarantine, epoch, data), await kept(quarantine, epoch, start)
    assert await kept(quarantine, epoch, data) == first
    await decisions.discard(Selection([first.id, begun.id]), "me", "no")
    assert (await kept(quarantine, epoch, data)).id > begun.id
    assert (await kept(quarantine, epoch, start)).id == begun.id


async def test_its_bound_is_what_is_undecided(database: Database, decisions: QuarantineDecisions, epoch: int) -> None:
    quarantine = Quarantine(database, limit=2)
    first, second = [await kept(quarantine, epoch, started(f"T{n}")) for n in range(2)]
    with pytest.raises(JournalFull, match="the quarantine of station 'CS1' holds 2 messages, its bound"):
        await quarantine.append("CS1", epoch, started("T2"))
    assert await kept(quarantine, epoch, started("T0")) == first
    await decisions.release(Selection([second.id]), "me")
    with pytest.raises(JournalFull):
        await quarantine.append("CS1", epoch, started("T2"))
    await decisions.discard(Selection([first.id]), "me", "no")
    await kept(quarantine, epoch, started("T2"))


async def test_a_stale_owner_keeps_and_delivers_nothing(
    quarantine: Quarantine, decisions: QuarantineDecisions, stations: Stations, epoch: int
) -> None:
    message = await kept(quarantine, epoch, started())
    await decisions.release(Selection([message.id]), "me")
    await stations.take("CS1", 1)
    for write in (
        quarantine.append("CS1", epoch, started("T2")),
        quarantine.delivered(message, epoch),
        quarantine.put_back(message, epoch, "no"),
    ):
        with pytest.raises(StaleEpoch):
            await write
    assert await states(quarantine) == ["released"]


# --- the numbers that a 1.6 station is given


async def test_a_start_gets_a_number_that_nothing_else_has(
    journal: Journal, quarantine: Quarantine, epoch: int
) -> None:
    first = await kept(quarantine, epoch, said("StartTransaction", START, answer=INVALID, gathers=True))
    number = given(first.id)
    assert first.answer == {"transactionId": number, "idTagInfo": {"status": "Invalid"}}
    assert first.station_tx == str(number)
    # What the next row would give is the backend's own by chance, and the one behind it a transaction's name.
    await journal.save("CS1", epoch, Transaction("x", backend_tx=number - 1))
    await journal.save("CS1", epoch, Transaction(str(number - 2)))
    second = await kept(quarantine, epoch, said("StartTransaction", START | {"meterStart": 8}, answer=INVALID))
    assert second.answer["transactionId"] == number - 3
    follows = said("MeterValues", {"connectorId": 1, "transactionId": number, "meterValue": []}, FOLLOWS)
    assert (await kept(quarantine, epoch, follows)).station_tx == first.station_tx


async def test_a_number_of_a_million_rows_before_is_not_given_twice(
    quarantine: Quarantine, epoch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "given", lambda _: 2_147_483_647)
    starts = [said("StartTransaction", START | {"meterStart": n}, answer=INVALID) for n in range(3)]
    numbers = [(await kept(quarantine, epoch, start)).answer["transactionId"] for start in starts]
    assert numbers == [2_147_483_647, 2_147_483_646, 2_147_483_645]


# --- what follows a begin


async def test_what_follows_a_begin_stands_as_that_does(
    quarantine: Quarantine, decisions: QuarantineDecisions, epoch: int
) -> None:
    begin = await kept(quarantine, epoch, started())
    assert (await kept(quarantine, epoch, follower(1))).state is State.HELD
    await decisions.release(Selection([begin.id]), "me")
    later = await kept(quarantine, epoch, follower(2))
    assert (later.state, later.decided_by) == (State.RELEASED, "me")
    await quarantine.delivered(begin, epoch)
    assert (await kept(quarantine, epoch, follower(3))).state is State.RELEASED

    other = await kept(quarantine, epoch, started("T2"))
    await decisions.discard(Selection([other.id]), "you", "a test")
    gone = await kept(quarantine, epoch, follower(1, "T2"))
    assert (gone.state, gone.decided_by, gone.decision) == (State.DISCARDED, "you", "a test")


async def test_a_name_that_is_used_again_after_a_discarded_begin_is_free(
    quarantine: Quarantine, decisions: QuarantineDecisions, epoch: int
) -> None:
    begin = await kept(quarantine, epoch, started())
    anew = follower(5, kind="Started")
    assert (await kept(quarantine, epoch, anew)).state is State.HELD
    await decisions.discard(Selection(identity="CS1", station_tx="T1"), "me", "no")
    assert await quarantine.append("CS1", epoch, follower(6, kind="Started")) is None
    found = await quarantine.find(begin.id)
    assert found is not None
    assert not found.gathers


async def test_the_books_know_what_is_gathered(
    database: Database, journal: Journal, quarantine: Quarantine, epoch: int, entry: JournalEntry
) -> None:
    books, _ = await StoredBooks(database).load("CS1")
    assert (books.quarantined, books.withheld) == ({}, set())
    message = started("T7")
    begin = await kept(quarantine, epoch, message)
    await journal.refuse(entry, epoch, Transaction("T1"), Why("no-start", "x", gathers=True))
    books, _ = await StoredBooks(database).load("CS1")
    assert (books.quarantined, books.withheld) == ({"T7": message.digest}, {"T1"})
    assert await quarantine.delivered(begin, epoch)
    books, _ = await StoredBooks(database).load("CS1")
    assert books.quarantined == {}


async def test_what_is_withheld_from_the_backend_follows_there(
    journal: Journal, quarantine: Quarantine, decisions: QuarantineDecisions, epoch: int, entry: JournalEntry
) -> None:
    tx = Transaction("T1")
    await journal.refuse(entry, epoch, tx, Why("no-start", "x", gathers=True))
    await decisions.release(Selection([entry.id]), "me")
    meter = await journal.append("CS1", epoch, tx, "MeterValues", {})
    await journal.refuse(meter, epoch, tx, Why(FOLLOWS, "x"))
    assert [each.id for each in await quarantine.released("CS1")] == [entry.id, meter.id]


# --- delivery


async def test_delivered_ends_the_gathering_when_nothing_is_left(
    quarantine: Quarantine, decisions: QuarantineDecisions, epoch: int
) -> None:
    begin, after = await kept(quarantine, epoch, started()), await kept(quarantine, epoch, follower(1))
    await decisions.release(Selection([begin.id]), "me")
    assert await quarantine.stations_with_released() == ["CS1"]
    assert [each.id for each in await quarantine.released("CS1", limit=1)] == [begin.id]
    assert not await quarantine.delivered(begin, epoch)
    assert await quarantine.delivered(after, epoch)
    assert await states(quarantine) == ["delivered", "delivered"]
    assert await quarantine.stations_with_released() == []


async def test_a_follower_that_is_held_for_itself_ends_no_gathering_before_the_begin(
    quarantine: Quarantine, decisions: QuarantineDecisions, epoch: int
) -> None:
    alone = await kept(quarantine, epoch, said("TransactionEvent", event("Updated", 4)))
    await decisions.release(Selection([alone.id]), "me")
    assert not await quarantine.delivered(alone, epoch)


async def test_what_the_backend_does_not_take_is_held_again_with_what_follows(
    quarantine: Quarantine, decisions: QuarantineDecisions, epoch: int
) -> None:
    begin, after = await kept(quarantine, epoch, started()), await kept(quarantine, epoch, follower(1))
    await decisions.release(Selection([begin.id]), "me")
    await quarantine.put_back(begin, epoch, "\0" + "x" * 2 * REASON_MAX)
    first, second = await quarantine.list("CS1")
    assert (first.state, first.attempts, first.decided_by, first.decided_at) == (State.HELD, 1, "", None)
    assert first.last_error == "\N{REPLACEMENT CHARACTER}" + "x" * (REASON_MAX - 1)
    assert (second.id, second.state) == (after.id, State.HELD)
    assert f"message {begin.id}" in second.last_error


async def test_a_follower_that_is_not_taken_comes_back_alone(
    quarantine: Quarantine, decisions: QuarantineDecisions, epoch: int
) -> None:
    begin, *after = [await kept(quarantine, epoch, each) for each in (started(), follower(1), follower(2))]
    await decisions.release(Selection([begin.id]), "me")
    await quarantine.delivered(begin, epoch)
    await quarantine.put_back(after[0], epoch, "FormationViolation")
    assert await states(quarantine) == ["delivered", "held", "released"]
    assert await quarantine.delivered(after[1], epoch)


# --- looking


async def test_a_transaction_is_known_however_long_ago_it_ended(
    database: Database, quarantine: Quarantine, epoch: int
) -> None:
    journal = Journal(database)
    ended = [Transaction(f"T{n}", TransactionState.ENDED, backend_tx=n) for n in range(ENDED_KEPT_IN_BOOKS + 1)]
    for tx in ended:
        await journal.save("CS1", epoch, tx)
    assert await journal.transactions("CS1") == ended[1:]
    assert await quarantine.transaction("CS1", "T0") == ended[0]
    assert await quarantine.transaction("CS1", "T-1") is None
    assert await quarantine.transaction("CS2", "T0") is None


async def test_what_is_listed(
    quarantine: Quarantine, decisions: QuarantineDecisions, stations: Stations, epoch: int
) -> None:
    await stations.add("CS2", profile=1, serial=None, backend=None, password_hash=None)
    other_epoch = await stations.take("CS2", 1)
    made = [await kept(quarantine, epoch, started(f"T{n}")) for n in range(3)]
    appended = await quarantine.append("CS2", other_epoch, said("DataTransfer", {"vendorId": "V"}, rule="other"))
    assert appended is not None
    other, is_new = appended
    assert is_new
    assert await quarantine.append("CS2", other_epoch, said("DataTransfer", {"vendorId": "V"})) == (other, False)
    await decisions.discard(Selection([made[0].id]), "me", "no")
    await decisions.release(Selection([made[1].id]), "me")

    async def ids(*arguments: Any, **wanted: Any) -> list[int]:
        return [each.id for each in await quarantine.list(*arguments, **wanted)]

    assert await ids() == [made[1].id, made[2].id, other.id]
    assert await ids("CS2") == await ids(rule="other") == [other.id]
    assert await ids("CS1", states=list(State)) == [each.id for each in made]
    assert await ids("CS1", station_tx="T2") == [made[2].id]
    assert await ids(limit=1, after_id=made[1].id) == [made[2].id]
    assert await quarantine.counts() == {State.HELD: 2, State.RELEASED: 1}


async def test_an_empty_one_counts_to_nothing(quarantine: Quarantine) -> None:
    assert await quarantine.counts() == {State.HELD: 0, State.RELEASED: 0}


async def test_the_newest_decided_ones_are_kept(
    quarantine: Quarantine, decisions: QuarantineDecisions, epoch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DECIDED_KEPT", 2)
    made = [await kept(quarantine, epoch, started(f"T{n}")) for n in range(5)]
    await decisions.discard(Selection([each.id for each in made[:3]]), "me", "no")
    assert [each.id for each in await quarantine.list("CS1", states=list(State))] == [each.id for each in made[1:]]
    await decisions.release(Selection([made[3].id]), "me")
    await quarantine.delivered(made[3], epoch)
    assert await states(quarantine) == ["discarded", "delivered", "held"]
