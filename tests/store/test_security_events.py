"""Security events, on either database."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, event

from gateway.session.identity import IDENTITY_MAX
from gateway.session.security import KIND_MAX, EventRow, Kind, SecurityEvent, Source
from gateway.store.columns import from_json_text
from gateway.store.database import Database
from gateway.store.lanes import SqliteLane
from gateway.store.security_events import (
    DETAIL_MAX,
    NAME_MAX,
    PRESENTED_MAX,
    REMOTE_MAX,
    TRIM_BATCH,
    VALUE_MAX,
    EventRecord,
    SecurityEvents,
    _presented_text,
)
from gateway.store.unavailable import StoreUnavailable

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EARLIER = NOW - timedelta(hours=1)
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def row(detail: str = "", *, kind: str = "K", identity: str | None = None, at: datetime | None = None) -> EventRow:
    return EventRow(SecurityEvent(kind, detail, identity, at=at))


def details(records: Sequence[EventRecord]) -> str:
    return "".join(record.detail for record in records)


async def test_an_event_is_kept_as_it_was_seen(security_events: SecurityEvents) -> None:
    event = SecurityEvent(
        Kind.INVALID_CERTIFICATE,
        "the certificate's O isn't the operator's",
        "CS1",
        "192.0.2.1",
        {"subject": "CN=CS1,O=Käufer", "serial": "aff"},
        Source.STATION,
        EARLIER.astimezone(timezone(timedelta(hours=2))),
    )
    await security_events.add_many([EventRow(event, 7, NOW)])
    (record,) = await security_events.list()
    assert record == EventRecord(
        id=record.id,
        at=EARLIER,
        kind="InvalidChargingStationCertificate",
        source=Source.STATION,
        identity="CS1",
        remote="192.0.2.1",
        detail="the certificate's O isn't the operator's",
        presented={"subject": "CN=CS1,O=Käufer", "serial": "aff"},
        count=7,
        last_at=NOW,
    )


async def test_an_event_that_says_little_happened_now_and_once(security_events: SecurityEvents) -> None:
    await security_events.add_many([row()])
    (record,) = await security_events.list()
    assert (record.at, record.last_at, record.count) == (NOW, NOW, 1)
    assert (record.identity, record.remote, record.presented, record.source) == (None, None, {}, Source.GATEWAY)


@pytest.mark.parametrize(
    ("column", "longest", "event"),
    [
        ("kind", KIND_MAX, lambda text: SecurityEvent(text, "")),
        ("detail", DETAIL_MAX, lambda text: SecurityEvent("K", text)),
        ("identity", IDENTITY_MAX, lambda text: SecurityEvent("K", "", text)),
        ("remote", REMOTE_MAX, lambda text: SecurityEvent("K", "", None, text)),
    ],
)
async def test_a_text_is_cut_at_its_bound_and_fit_for_the_database(
    security_events: SecurityEvents, column: str, longest: int, event: Any
) -> None:
    await security_events.add_many([EventRow(event("é" * longest)), EventRow(event("\0\ud800" + "x" * longest))])
    cut, whole = [getattr(record, column) for record in await security_events.list()]
    assert whole == "é" * longest
    assert cut == "\ufffd?" + "x" * (longest - 2)


async def test_what_was_presented_is_cut_member_by_member(security_events: SecurityEvents) -> None:
    presented = {"n" * 99: "v" * 999, **{f"m{i}": "\0" * VALUE_MAX for i in range(9)}}
    await security_events.add_many([EventRow(SecurityEvent("K", "", presented=presented))])
    (record,) = await security_events.list()
    assert record.presented["n" * NAME_MAX] == "v" * VALUE_MAX
    assert record.presented["m0"] == "\ufffd" * VALUE_MAX
    assert list(record.presented) == ["n" * NAME_MAX, "m0", "m1"]


@given(st.dictionaries(st.text(max_size=60), st.text(st.characters(codec=None, exclude_categories=()), max_size=3000)))
def test_what_was_presented_is_whole_json_within_its_bound(presented: dict[str, str]) -> None:
    text = _presented_text(presented)
    assert len(text.encode()) <= PRESENTED_MAX
    assert len(from_json_text(text)) >= min(len(presented), 1)


@pytest.mark.parametrize("escaped", ["\x01", "\N{GRINNING FACE}", '"'])
def test_one_member_always_finds_room(escaped: str) -> None:
    assert len(from_json_text(_presented_text({escaped * 99: escaped * 999}))) == 1


@pytest.mark.parametrize(
    ("at", "kept"),
    [
        (FIRST, FIRST),
        (LAST, LAST),
        (FIRST.replace(tzinfo=timezone(timedelta(hours=14))), FIRST),
        (LAST.replace(tzinfo=timezone(-timedelta(hours=12))), LAST),
    ],
)
async def test_a_stations_clock_may_be_off_by_ages(
    security_events: SecurityEvents, at: datetime, kept: datetime
) -> None:
    await security_events.add_many([row(at=at)])
    (record,) = await security_events.list()
    assert (record.at, record.last_at) == (kept, kept)
    assert await security_events.list(since=at) == [record]


async def test_many_are_kept_all_or_none(security_events: SecurityEvents) -> None:
    with pytest.raises(ValueError, match="aware"):
        await security_events.add_many([row("a", at=NOW), row("b", at=datetime(2026, 3, 1))])  # noqa: DTZ001 - naive is what is tested
    await security_events.add_many([])
    assert await security_events.list() == []


async def test_a_naive_time_is_no_beginning_of_a_listing(security_events: SecurityEvents) -> None:
    with pytest.raises(ValueError, match="aware"):
        await security_events.list(since=datetime(2026, 3, 1))  # noqa: DTZ001 - the same


# --- the listing


async def test_the_listing_is_newest_first_page_by_page(security_events: SecurityEvents) -> None:
    await security_events.add_many([row(letter) for letter in "abc"])
    await security_events.add_many([row(letter) for letter in "de"])
    first = await security_events.list(limit=2)
    second = await security_events.list(limit=2, before_id=first[-1].id)
    third = await security_events.list(limit=2, before_id=second[-1].id)
    assert [details(page) for page in (first, second, third)] == ["ed", "cb", "a"]
    assert await security_events.list(before_id=third[-1].id) == []


async def test_a_hundred_come_at_once(security_events: SecurityEvents) -> None:
    await security_events.add_many([row()] * 101)
    assert len(await security_events.list()) == 100


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"identity": "CS1"}, "ca"),
        ({"kind": "L"}, "dc"),
        ({"identity": "CS1", "kind": "L"}, "c"),
        ({"since": NOW}, "db"),
        ({"since": NOW - timedelta(microseconds=1), "kind": "K"}, "b"),
        ({"since": NOW.astimezone(timezone(timedelta(hours=5))), "identity": "CS2"}, "db"),
        ({"since": NOW + timedelta(microseconds=1)}, ""),
        ({"identity": "cs1"}, ""),
        ({"kind": "CS1"}, ""),
    ],
)
async def test_the_listing_is_narrowed(security_events: SecurityEvents, asked: dict[str, Any], found: str) -> None:
    await security_events.add_many(
        [
            row("a", identity="CS1", at=EARLIER),
            row("b", identity="CS2", at=NOW),
            row("c", identity="CS1", kind="L", at=EARLIER),
            EventRow(SecurityEvent("L", "d", "CS2", at=EARLIER), 2, NOW),
        ]
    )
    assert details(await security_events.list(**asked)) == found


@pytest.mark.parametrize(
    ("asked", "indexes"),
    [
        ({}, ["SCAN security_events"]),
        ({"before_id": 7}, ["USING INTEGER PRIMARY KEY (rowid<?)"]),
        ({"identity": "CS1"}, ["ix_security_events_identity_id (identity=?)"]),
        ({"kind": "K", "before_id": 7}, ["ix_security_events_kind_id (kind=? AND id<?)"]),
        ({"since": NOW}, ["USING INTEGER PRIMARY KEY (rowid>?)", "", "ix_security_events_last_at_id (last_at>?)"]),
    ],
)
async def test_each_listing_is_read_from_an_index_in_its_order(
    migrated_sqlite_url: str, opened: Any, asked: dict[str, Any], indexes: list[str]
) -> None:
    database: Database = await opened(migrated_sqlite_url)
    plans = list[str]()

    def explain(connection: Connection, _cursor: Any, statement: str, values: Any, _context: Any, many: bool) -> None:
        if statement.startswith("SELECT"):
            plans.extend(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values))

    assert isinstance(database._reader, SqliteLane)
    event.listen(database._reader._engine, "before_cursor_execute", explain)
    await SecurityEvents(database).list(**asked)
    assert len(plans) == len(indexes), "one more would sort"
    for plan, index in zip(plans, indexes, strict=True):
        assert index in plan


# --- trimming


@pytest.mark.parametrize(("keep", "left"), [(4, "dcba"), (3, "dcb"), (1, "d"), (0, "")])
async def test_the_oldest_are_trimmed(security_events: SecurityEvents, keep: int, left: str) -> None:
    await security_events.add_many([row(letter) for letter in "abcd"])
    assert await security_events.trim(keep) == 4 - len(left)
    assert details(await security_events.list()) == left
    assert await security_events.trim(keep) == 0


async def test_a_gap_in_the_ids_costs_no_event(security_events: SecurityEvents, database: Database) -> None:
    await security_events.add_many([row(letter) for letter in "abcd"])
    middle = (await security_events.list())[1].id
    await database.write(
        lambda connection: connection.exec_driver_sql(f"DELETE FROM security_events WHERE id = {middle}")  # noqa: S608 - a number
    )
    assert await security_events.trim(2) == 1
    assert details(await security_events.list()) == "db"


@pytest.mark.parametrize("surplus", [TRIM_BATCH - 1, TRIM_BATCH, TRIM_BATCH + 1, 2 * TRIM_BATCH + 1])
async def test_much_is_trimmed_in_batches(
    security_events: SecurityEvents, database: Database, monkeypatch: pytest.MonkeyPatch, surplus: int
) -> None:
    await security_events.add_many([row()] * (surplus + 5))
    write, batches = database.write, list[int]()

    async def counted(work: Any) -> Any:
        batches.append(await write(work))
        return batches[-1]

    monkeypatch.setattr(database, "write", counted)
    assert await security_events.trim(5) == sum(batches) == surplus
    assert max(batches) <= TRIM_BATCH
    assert len(await security_events.list()) == 5


async def test_ids_are_not_given_again_after_a_trim(security_events: SecurityEvents) -> None:
    await security_events.add_many([row("a")])
    (first,) = await security_events.list()
    await security_events.trim(0)
    await security_events.add_many([row("b")])
    (second,) = await security_events.list()
    assert second.id > first.id


# --- the store itself


async def test_a_store_that_is_away_says_so(security_events: SecurityEvents, database: Database) -> None:
    await database.close()
    for work in (security_events.add_many([row()]), security_events.list(), security_events.trim(1)):
        with pytest.raises(StoreUnavailable, match="it is closed"):
            await work


async def test_events_outlive_their_station(security_events: SecurityEvents, stations: Any) -> None:
    await stations.add("CS1", profile=1, serial=None, backend=None, password_hash=None)
    await security_events.add_many([row("a", identity="CS1")])
    await stations.remove("CS1")
    assert details(await security_events.list(identity="CS1")) == "a"


async def test_the_text_in_the_database_is_json(security_events: SecurityEvents, database: Database) -> None:
    await security_events.add_many([EventRow(SecurityEvent("K", "", presented={"b": "1", "a": "2"}))])

    def stored(connection: Connection) -> str:
        text: str = connection.exec_driver_sql("SELECT presented FROM security_events").scalar_one()
        return text

    assert await database.read(stored) == '{"b":"1","a":"2"}'
