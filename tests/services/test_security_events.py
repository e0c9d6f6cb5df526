"""The security log: to the store, the log and the metric; and what floods, liars and a lost store do to it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from gateway.services import security_events
from gateway.services.security_events import QUEUE_MAX, TEXT_MAX, TRIM_EVERY, SecurityEventLog
from gateway.services.security_floods import REPORTS_MAX
from gateway.session.ports import StoreAway
from gateway.session.security import EventRow, Kind, SecurityEvent, SecurityLog, Source
from gateway.session.tally import Tally
from gateway.wire.schemas import operation
from gateway.wire.versions import Version
from tests.services.conftest import FakeTime, Owned, ScriptedStation, settle

NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVENT: Final = SecurityEvent(Kind.FAILED_TO_AUTHENTICATE, "wrong password", "CS1", "10.1.2.3")


class Store:
    def __init__(self) -> None:
        self.rows: list[EventRow] = []
        self.batches: list[int] = []
        self.trimmed: list[int] = []
        self.is_away = False
        self.faults: list[Exception] = []

    async def add_many(self, rows: Sequence[EventRow]) -> None:
        if self.is_away:
            raise StoreAway("locked")
        if self.faults:
            raise self.faults.pop()
        self.batches.append(len(rows))
        self.rows += rows

    async def trim(self, keep: int) -> int:
        self.trimmed.append(keep)
        return 0


class Desk:
    def __init__(self, time: FakeTime) -> None:
        self.store = Store()
        self.tally = Tally()
        self.time = time
        self.owned = Owned()
        self.log = SecurityEventLog(
            self.store,
            self.tally,
            keep=5000,
            clock=time,
            now=lambda: NOON + timedelta(seconds=time.now),
            sleep=time.sleep,
        )

    async def tick(self, seconds: float = 1.0) -> None:
        if not self.owned.tasks:
            self.owned.spawn(self.log.run(), "run")
            await settle()
        await self.time.pass_by(seconds)

    async def told(self, station: ScriptedStation, **payload: Any) -> None:
        payload = {"type": "TamperDetectionActivated", "timestamp": "2026-03-01T11:00:00Z", **payload}
        schemas = operation(station.version, "SecurityEventNotification")
        schemas.request.check(payload)
        answer = await self.log.notification(station, payload)
        schemas.response.check(answer)
        assert answer == {}


@pytest.fixture
async def desk(time: FakeTime) -> AsyncIterator[Desk]:
    made = Desk(time)
    yield made
    await made.owned.cancel()


def test_it_is_a_security_log(time: FakeTime) -> None:
    log: SecurityLog = Desk(time).log
    assert callable(log.note)


# --- what the gateway saw


async def test_an_event_is_a_line_a_count_and_a_row(desk: Desk) -> None:
    with capture_logs() as lines:
        desk.log.note(replace(EVENT, presented={"user": "CS2"}))
    (line,) = lines
    assert line == {
        "log_level": "warning",
        "event": "security_event",
        "kind": "FailedToAuthenticateAtCsms",
        "source": "gateway",
        "detail": "wrong password",
        "identity": "CS1",
        "remote": "10.1.2.3",
        "presented": {"user": "CS2"},
        "count": 1,
    }
    assert desk.tally.security_events == {("FailedToAuthenticateAtCsms", "gateway"): 1}
    assert desk.store.rows == []
    await desk.tick()
    assert desk.store.rows == [EventRow(replace(EVENT, presented={"user": "CS2"}, at=NOON))]


async def test_alike_events_are_one_row_and_then_their_number(desk: Desk) -> None:
    with capture_logs() as lines:
        for _ in range(1000):
            desk.log.note(EVENT)
        await desk.tick()
        assert (len(desk.store.rows), len(lines)) == (1, 1)
        await desk.tick(60)
    assert [row.count for row in desk.store.rows] == [1, 999]
    assert [line["count"] for line in lines] == [1, 999]
    assert desk.tally.security_events.total() == 1000


async def test_what_a_peer_says_is_escaped_and_cut(desk: Desk) -> None:
    event = SecurityEvent(
        "Kind\n" * 30,
        "\x1b[31mok\r\nfaked line" + "x" * 400,
        "CS1\u202e",
        "fe80::1%\x07",
        {"user\n": "\x00" * 400, **{str(each): "" for each in range(100)}},
        at=datetime(2026, 3, 1, 12, 0, 1),  # noqa: DTZ001 - a caller's mistake must not hold up the rows behind it
    )
    with capture_logs() as lines:
        desk.log.note(event)
    await desk.tick()
    (row,) = desk.store.rows
    kept = row.event
    assert kept.detail.startswith("\\x1b[31mok\\r\\nfaked line")
    texts = [kept.kind, kept.detail, kept.identity, kept.remote, *kept.presented, *kept.presented.values()]
    assert all(text is not None and text.isprintable() for text in texts)
    assert (len(kept.kind), len(kept.detail), len(kept.presented)) == (50, TEXT_MAX, 12)
    assert kept.at == NOON + timedelta(seconds=1)
    assert "\n" not in str(lines[0]["detail"])
    assert desk.tally.security_events == {("other", "gateway"): 1}


# --- what a station reported


async def test_a_report_is_durable_when_it_is_answered(desk: Desk) -> None:
    await desk.told(ScriptedStation(), techInfo="lid open")
    (row,) = desk.store.rows
    assert (row.event.kind, row.event.detail, row.event.identity) == ("TamperDetectionActivated", "lid open", "CS1")
    assert (row.event.source, row.event.at) == (Source.STATION, NOON - timedelta(hours=1))
    assert desk.tally.security_events == {("TamperDetectionActivated", "station"): 1}


@pytest.mark.parametrize(
    ("version", "kind", "kept", "label"),
    [
        (Version.V16, "InvalidChargePointCertificate", "InvalidChargingStationCertificate", None),
        (Version.V16, "CentralSystemFailedToAuthentication", "CsmsFailedToAuthenticate", None),
        (Version.V16, "FirmwareUpdated", "FirmwareUpdated", None),
        (Version.V201, "InvalidChargePointCertificate", "InvalidChargePointCertificate", "other"),
        (Version.V201, "VendorThing", "VendorThing", "other"),
        (Version.V201, "DowngradeAttempted", "DowngradeAttempted", None),
    ],
)
async def test_the_names_of_16_are_mapped_and_unknown_ones_are_other(
    desk: Desk, version: Version, kind: str, kept: str, label: str | None
) -> None:
    await desk.told(ScriptedStation(version=version), type=kind)
    (row,) = desk.store.rows
    assert (row.event.kind, row.event.source) == (kept, Source.STATION)
    assert desk.tally.security_events == {(label or kept, "station"): 1}


@pytest.mark.parametrize(
    ("version", "timestamp", "at"),
    [
        (Version.V201, "2026-03-01T13:00:00+02:00", datetime(2026, 3, 1, 11, tzinfo=UTC)),
        (Version.V16, "2026-03-01T11:00:00", datetime(2026, 3, 1, 11, tzinfo=UTC)),
        (Version.V16, "0001-01-01T00:00:00+14:00", None),
        (Version.V16, "9999-12-31T23:59:59-14:00", None),
    ],
)
async def test_a_stations_clock_may_say_anything(
    desk: Desk, version: Version, timestamp: str, at: datetime | None
) -> None:
    await desk.told(ScriptedStation(version=version), timestamp=timestamp)
    (row,) = desk.store.rows
    assert row.event.at == (at or NOON)
    assert row.event.presented == ({} if at else {"timestamp": timestamp})


async def test_a_leap_second_is_no_time_of_pythons_but_no_reason_to_refuse_either(desk: Desk) -> None:
    payload = {"type": "ResetOrReboot", "timestamp": "2016-12-31T23:59:60Z"}
    assert await desk.log.notification(ScriptedStation(), payload) == {}
    assert desk.store.rows[0].event.at == NOON


async def test_what_a_station_reports_is_never_the_gateways_own(desk: Desk) -> None:
    await desk.log.record(SecurityEvent(Kind.CERTIFICATE_REVOKED, "", "CS1", source=Source.GATEWAY))
    assert desk.store.rows[0].event.source is Source.STATION


async def test_a_flood_of_reports_is_answered_and_counted(desk: Desk) -> None:
    station = ScriptedStation()
    for each in range(REPORTS_MAX + 40):
        await desk.told(station, type=f"Vendor{each}")
    assert len(desk.store.rows) == REPORTS_MAX
    assert desk.tally.security_events == {("other", "station"): REPORTS_MAX + 40}
    await desk.tick(60)
    assert (desk.store.rows[-1].event.kind, desk.store.rows[-1].count) == ("SuppressedEvents", 40)
    assert desk.store.rows[-1].event.source is Source.GATEWAY


async def test_a_report_without_a_store_is_not_answered_but_remembered(desk: Desk) -> None:
    desk.store.is_away = True
    with pytest.raises(StoreAway):
        await desk.told(ScriptedStation())
    desk.store.is_away = False
    await desk.tick()
    assert [row.event.kind for row in desk.store.rows] == ["TamperDetectionActivated"]


@given(
    st.text(max_size=50),
    st.text(max_size=255),
    st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=14))])),
)
def test_whatever_a_station_says_is_answered(kind: str, info: str, at: datetime) -> None:
    async def tell() -> None:
        desk = Desk(FakeTime())
        payload = {"type": kind, "techInfo": info, "timestamp": at.isoformat()}
        assert await desk.log.notification(ScriptedStation(), payload) == {}
        (row,) = desk.store.rows
        assert row.event.kind.isprintable()
        assert row.event.detail.isprintable()
        assert row.event.at is not None
        assert row.event.at.utcoffset() == timedelta(0)

    asyncio.run(tell())


# --- the store


async def test_rows_wait_for_the_store_in_their_order(desk: Desk) -> None:
    desk.store.is_away = True
    with capture_logs() as lines:
        for each in range(3):
            desk.log.note(replace(EVENT, identity=f"CS{each}"))
            await desk.tick()
        assert [line["event"] for line in lines].count("security_events_wait") == 1
        assert desk.log.waiting == 3
        desk.store.is_away = False
        await desk.tick()
    assert [row.event.identity for row in desk.store.rows] == ["CS0", "CS1", "CS2"]
    assert desk.log.waiting == 0


async def test_the_newest_are_kept_and_the_lost_are_counted(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security_events, "QUEUE_MAX", 5)
    assert QUEUE_MAX == 10_000
    for each in range(8):
        desk.log.note(replace(EVENT, identity=f"CS{each}"))
    await desk.tick()
    lost, *rest = desk.store.rows
    assert (lost.event.kind, lost.count) == ("LostEvents", 3)
    assert [row.event.identity for row in rest] == ["CS3", "CS4", "CS5", "CS6", "CS7"]


async def test_written_in_batches_and_trimmed_now_and_then(desk: Desk) -> None:
    for minute in range(3):
        for each in range(501):
            desk.log.note(replace(EVENT, identity=f"CS{minute} {each}"))
        await desk.tick(60)
    assert desk.store.batches == [500, 1] * 3
    assert TRIM_EVERY == 1000
    assert desk.store.trimmed == [5000, 5000]


async def test_the_end_writes_what_was_only_counted_too(desk: Desk) -> None:
    for _ in range(4):
        desk.log.note(EVENT)
    await desk.log.flush()
    assert [row.count for row in desk.store.rows] == [1, 3]
    desk.store.is_away = True
    desk.log.note(replace(EVENT, identity="CS9"))
    with capture_logs() as lines:
        await desk.log.flush()
    assert lines[-1] == {"log_level": "error", "event": "security_events_lost", "count": 1}


async def test_a_write_that_is_cut_off_is_made_again_at_the_end(desk: Desk) -> None:
    begun = asyncio.Event()

    async def hang(rows: Sequence[EventRow]) -> None:
        begun.set()
        await asyncio.Future()

    written, desk.store.add_many = desk.store.add_many, hang  # type: ignore[method-assign]  # it hangs
    desk.log.note(EVENT)
    await desk.tick()
    assert begun.is_set()
    await desk.owned.cancel()
    desk.store.add_many = written  # type: ignore[method-assign]  # it works again
    await desk.log.flush()
    assert [row.event.identity for row in desk.store.rows] == ["CS1"]


async def test_rows_that_the_store_cannot_hold_keep_no_others_from_it(desk: Desk) -> None:
    desk.store.faults = [ValueError("a value that no column takes")]
    desk.log.note(EVENT)
    with capture_logs() as lines:
        await desk.tick()
    desk.log.note(replace(EVENT, identity="CS2"))
    await desk.tick()
    assert [(line["event"], line["count"]) for line in lines] == [("security_events_refused", 1)]
    assert [row.event.identity for row in desk.store.rows] == ["CS2"]
    desk.store.faults = [ValueError("a value that no column takes")]
    desk.log.note(replace(EVENT, identity="CS3"))
    await desk.log.flush()
