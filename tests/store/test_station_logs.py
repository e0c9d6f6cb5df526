"""What is on record of stations' logs, on either database."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert

from gateway.session.firmware import REASON_MAX, FirmwareUnknown, LogRecord, LogState, NewLog
from gateway.store.database import Database
from gateway.store.firmware_models import StationLogRow
from gateway.store.station_logs import ASKED_MAX, WITHOUT_FILE_MAX, StationLogs

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FTP = "ftp://user:secret@files.example.com/in"
EVERY = frozenset(LogState)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def logs(database: Database, clock: Clock) -> StationLogs:
    return StationLogs(database, clock)


def new(identity: str = "CS1", request_id: int | None = 12, action: str = "GetLog") -> NewLog:
    return NewLog(
        identity=identity,
        by="backend",
        action=action,
        log_type="SecurityLog",
        backend_request_id=7,
        request_id=request_id,
        destination=FTP,
    )


async def add(logs: StationLogs, **fields: object) -> LogRecord:
    return (await logs.add(new(**fields)))[0]  # type: ignore[arg-type]  # a test names what it wants


async def test_a_log_is_on_record_before_its_station_hears_of_it(logs: StationLogs) -> None:
    record = await add(logs)

    assert record == await logs.find(record.id)
    assert (record.state, record.is_told, record.created_at, record.changed_at) == (LogState.ASKED, False, NOW, NOW)
    assert (record.identity, record.request_id, record.backend_request_id) == ("CS1", 12, 7)
    assert record.destination == FTP
    assert "secret" not in repr(record) + repr(new())
    assert await logs.find(record.id + 1) is None


async def test_an_operators_own_has_nobody_to_tell(logs: StationLogs) -> None:
    own = NewLog(identity="CS1", by="api", action="GetLog", log_type="SecurityLog")
    record, _ = await logs.add(own)

    assert record.is_told
    assert (await logs.number(record.id, 2**31 - 1)).request_id == 2**31 - 1
    with pytest.raises(FirmwareUnknown, match="no log 99"):
        await logs.number(99, 1)


async def test_a_log_moves_on_from_where_it_was(logs: StationLogs, clock: Clock) -> None:
    record = await add(logs)
    clock.now += timedelta(minutes=1)

    moved = await logs.move(record.id, {LogState.ASKED}, LogState.RECEIVED, sha256="ab", size=3, file_name="a.zip")

    assert moved is not None
    assert (moved.state, moved.sha256, moved.size, moved.file_name) == (LogState.RECEIVED, "ab", 3, "a.zip")
    assert moved.changed_at == clock.now
    assert await logs.move(record.id, {LogState.ASKED}, LogState.FAILED, reason="late") is None
    assert await logs.move(record.id + 1, EVERY, LogState.FAILED) is None
    assert moved.destination == FTP
    failed = await logs.move(record.id, {LogState.RECEIVED}, LogState.FAILED, reason="x\0" * REASON_MAX)
    assert failed is not None
    assert failed.reason is not None
    assert len(failed.reason) == REASON_MAX
    assert failed.destination == "ftp://files.example.com/in"


async def test_the_newest_is_found_one_that_is_waited_for_first(logs: StationLogs) -> None:
    first, second, third = await add(logs), await add(logs), await add(logs, request_id=None, action="GetDiagnostics")
    await logs.move(second.id, EVERY, LogState.FAILED)

    assert await logs.newest("CS1", request_id=12) == first
    await logs.move(first.id, EVERY, LogState.FAILED)
    assert (await logs.newest("CS1", request_id=12) or first).id == second.id
    assert await logs.newest("CS1", request_id=None, action="GetDiagnostics") == third
    assert await logs.newest("CS1", request_id=None, action="GetLog") is None
    assert await logs.newest("CS2", request_id=12) is None


async def test_lists_are_filtered_and_cut(logs: StationLogs) -> None:
    first, second, other = await add(logs), await add(logs), await add(logs, identity="CS2")
    await logs.move(second.id, EVERY, LogState.KEPT, sha256="ab", size=3)

    async def ids(**wanted: object) -> list[int]:
        return [each.id for each in await logs.list(**wanted)]  # type: ignore[arg-type]  # the filters, by name

    assert await ids() == [first.id, second.id, other.id]
    assert await ids(identity="CS1") == [first.id, second.id]
    assert await ids(states={LogState.ASKED}, limit=1) == [first.id]
    assert await ids(after_id=second.id) == [other.id]
    assert [each.id for each in await logs.oldest_files(limit=5)] == [second.id]
    assert await logs.total_size() == await logs.total_size({LogState.KEPT}) == 3
    assert await logs.total_size({LogState.RECEIVED}) == 0


async def test_the_sum_of_nothing(logs: StationLogs) -> None:
    assert await logs.total_size() == 0


async def test_who_is_still_to_hear(logs: StationLogs) -> None:
    waiting, over, heard = [await add(logs) for _ in range(3)]
    for record in (over, heard):
        await logs.move(record.id, EVERY, LogState.FAILED)
    await logs.told(heard.id)

    assert [each.id for each in await logs.untold("CS1")] == [over.id]
    await logs.move(waiting.id, EVERY, LogState.HANDED_OVER)
    assert [each.id for each in await logs.untold("CS1")] == [waiting.id, over.id]


async def test_what_is_waited_for_of_one_station_is_bounded(logs: StationLogs) -> None:
    records = [await add(logs) for _ in range(ASKED_MAX)]
    _, dropped = await logs.add(new())

    assert [each.id for each in dropped] == [records[0].id]
    assert dropped[0].state is LogState.FAILED
    assert dropped[0].destination == "ftp://files.example.com/in"
    assert (await logs.add(new("CS2")))[1] == []


async def test_what_is_on_record_without_a_file_is_bounded(logs: StationLogs, database: Database) -> None:
    kept = await add(logs)
    await logs.move(kept.id, EVERY, LogState.KEPT, sha256="ab", size=1)
    failed = {**asdict(new()), "state": "failed", "is_told": True, "created_at": NOW, "changed_at": NOW}
    rows = [failed] * (WITHOUT_FILE_MAX + 3)
    await database.write(lambda connection: connection.execute(insert(StationLogRow), rows))
    await add(logs)

    found = await logs.list(identity="CS1")
    assert len(found) == WITHOUT_FILE_MAX + 2
    assert found[0].id == kept.id


async def test_what_is_old_is_found_and_forgotten(logs: StationLogs, clock: Clock) -> None:
    old, held = await add(logs), await add(logs)
    await logs.move(held.id, EVERY, LogState.KEPT, sha256="ab", size=1)
    clock.now += timedelta(days=1)
    young = await add(logs)

    asked = await logs.unchanged_since(NOW, {LogState.ASKED}, limit=10)
    assert [each.id for each in asked] == [old.id]
    await logs.move(old.id, EVERY, LogState.FAILED)
    await logs.named(old.id, "a.zip")
    await logs.forget(NOW)
    assert len(await logs.list()) == 3
    await logs.forget(clock.now)
    assert [each.id for each in await logs.list()] == [held.id, young.id]
