"""A log from the order to what the backend hears of it: dialogues."""

from typing import TYPE_CHECKING, Any

import pytest

from gateway.bridge.ports import LogOrdered, PeerUnavailable
from gateway.bridge.v201_v201.relaying import OWN_REQUESTS
from gateway.session.firmware import FirmwareConflict, LogState
from gateway.store.station_logs import ASKED_MAX
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.versions import Version
from tests.services.log_house import FTP, FakeStation

if TYPE_CHECKING:
    from gateway.bridge.books import Json
    from tests.services.log_house import House

ORDERED = LogOrdered("GetLog", "SecurityLog", FTP, 7, 12)


def said(status: str, number: int = 12) -> list[tuple[str, "Json"]]:
    return [("LogStatusNotification", {"status": status, "requestId": number})]


# --- the desk


async def test_an_order_is_on_record_before_the_station_hears_of_it(log_house: "House") -> None:
    desk = log_house.logs.desk(log_house.station)

    assert await desk.place(ORDERED) == "https://gateway.example.com/logs/CS1-1/"

    record = await log_house.found(1)
    assert (record.state, record.by, record.action, record.log_type) == (
        LogState.ASKED,
        "csms",
        "GetLog",
        "SecurityLog",
    )
    assert (record.destination, record.backend_request_id, record.request_id) == (FTP, 7, 12)


async def test_without_a_store_there_is_no_place(log_house: "House") -> None:
    log_house.links.is_away = True

    assert await log_house.logs.desk(log_house.station).place(ORDERED) is None


@pytest.mark.parametrize(("is_accepted", "name"), [(True, "a.zip"), (True, None), (False, None)])
async def test_the_stations_answer(log_house: "House", is_accepted: bool, name: str | None) -> None:
    desk = log_house.logs.desk(log_house.station)
    await desk.place(ORDERED)

    await desk.answered(ORDERED, is_accepted=is_accepted, file_name=name)

    record = await log_house.found(1)
    assert record.file_name == name
    assert (record.state is LogState.ASKED) == is_accepted
    assert record.is_told != is_accepted
    assert (log_house.links.closed == [1]) != is_accepted


async def test_an_answer_to_another_order_says_nothing(log_house: "House") -> None:
    desk = log_house.logs.desk(log_house.station)
    await desk.place(ORDERED)

    await desk.answered(LogOrdered("GetLog", "SecurityLog", FTP, 8, 13), is_accepted=False, file_name=None)

    assert (await log_house.found(1)).state is LogState.ASKED


async def test_the_oldest_of_too_many_has_failed_and_is_told_so(log_house: "House") -> None:
    for number in range(ASKED_MAX + 1):
        await log_house.order(number)
    await log_house.settled()

    assert (await log_house.found(1)).state is LogState.FAILED
    assert log_house.station.told == said("UploadFailure", 0)
    assert log_house.links.closed == [1]


# --- what the station says


async def test_the_backend_hears_that_it_has_been_uploaded_when_it_is_there(log_house: "House") -> None:
    record = await log_house.order()

    assert await log_house.says("Uploading") == said("Uploading")
    await log_house.upload(record)
    assert await log_house.says("Uploaded") == []

    await log_house.logs.over(await log_house.moved(record, LogState.HANDED_OVER))
    await log_house.settled()
    assert log_house.station.told == said("Uploaded")
    assert (await log_house.found(record.id)).is_told
    assert log_house.links.closed == [record.id]
    assert [await log_house.says(status) for status in ("Uploading", "Uploaded", "UploadFailure")] == [[], [], []]


async def test_diagnostics_of_a_1_6_station(log_house: "House") -> None:
    log_house.station = FakeStation(Version.V16)
    record = await log_house.order(None, action="GetDiagnostics", backend_id=None)

    assert await log_house.says("Uploading", None) == [("DiagnosticsStatusNotification", {"status": "Uploading"})]
    await log_house.upload(record)
    assert await log_house.says("Uploaded", None) == []
    await log_house.logs.over(await log_house.moved(record, LogState.FAILED))
    await log_house.settled()

    assert log_house.station.told == [("DiagnosticsStatusNotification", {"status": "UploadFailed"})]
    assert await log_house.says("Idle", None) == [("DiagnosticsStatusNotification", {"status": "Idle"})]


@pytest.mark.parametrize(
    "status", ["BadMessage", "NotSupportedOperation", "PermissionDenied", "UploadFailure", "AcceptedCanceled"]
)
async def test_a_station_that_fails_says_why(log_house: "House", status: str) -> None:
    record = await log_house.order()

    assert await log_house.says(status) == said(status)

    failed = await log_house.found(record.id)
    assert (failed.state, failed.is_told, failed.reason) == (LogState.FAILED, True, f"the station says {status}")
    assert log_house.links.closed == [record.id]
    assert await log_house.says(status) == []


async def test_a_station_that_fails_after_it_has_uploaded_is_not_believed(log_house: "House") -> None:
    record = await log_house.order()
    await log_house.upload(record)

    assert await log_house.says("UploadFailure") == []
    assert (await log_house.found(record.id)).state is LogState.RECEIVED


async def test_a_station_that_has_uploaded_nothing_is_not_believed(log_house: "House") -> None:
    record = await log_house.order()

    assert await log_house.says("Uploaded") == said("UploadFailure")
    assert "nothing has come" in str((await log_house.found(record.id)).reason)


async def test_an_upload_that_is_under_way_is_waited_for(log_house: "House") -> None:
    record = await log_house.order()
    upload = await log_house.uploads.begin(record.id, "CS1", None, None)

    assert await log_house.says("Uploaded") == []
    await upload.finish()
    assert (await log_house.found(record.id)).state is LogState.RECEIVED


@pytest.mark.parametrize("number", [None, 99])
async def test_what_was_not_asked_for_here_goes_its_way(log_house: "House", number: int | None) -> None:
    payload: Json = {"status": "Idle"} if number is None else {"status": "Uploaded", "requestId": number}
    await log_house.order()

    await log_house.logs.log_status(log_house.station, payload)

    assert log_house.station.told == [("LogStatusNotification", payload)]


# --- a backend or station that is away


@pytest.mark.parametrize("why", ["backend", "bridge", "station"])
async def test_what_the_backend_has_missed_it_hears_when_the_station_is_back(log_house: "House", why: str) -> None:
    record = await log_house.order()
    station: Any = log_house.station
    if why == "backend":
        station.backend.is_up = False
    elif why == "bridge":
        station.fails = [PeerUnavailable("away")]
    else:
        log_house.station = None

    await log_house.logs.over(await log_house.moved(record, LogState.HANDED_OVER))
    await log_house.settled()
    assert station.told == []
    assert not (await log_house.found(record.id)).is_told

    station.backend.is_up = True
    log_house.station = station
    log_house.logs = log_house.service()  # over a restart as well
    log_house.logs.joined(station)
    await log_house.settled()
    assert station.told == said("Uploaded")


async def test_a_backend_that_answers_with_an_error_has_heard(log_house: "House") -> None:
    record = await log_house.order()
    log_house.station.fails = [CallError(ErrorCode.INTERNAL_ERROR, "")]

    await log_house.logs.over(await log_house.moved(record, LogState.KEPT))
    await log_house.settled()

    assert (await log_house.found(record.id)).is_told


# --- an operator


@pytest.mark.parametrize(
    ("version", "log_type", "action", "answer"),
    [
        (Version.V201, "SecurityLog", "GetLog", {"status": "Accepted", "filename": "a.zip"}),
        (Version.V201, "DiagnosticsLog", "GetLog", {"status": "AcceptedCanceled", "filename": "a.zip"}),
        (Version.V16, "SecurityLog", "GetLog", {"status": "Accepted", "filename": "a.zip"}),
        (Version.V16, "DiagnosticsLog", "GetDiagnostics", {"fileName": "a.zip"}),
    ],
)
async def test_an_operator_asks_for_himself(
    log_house: "House", version: Version, log_type: str, action: str, answer: "Json"
) -> None:
    log_house.station = FakeStation(version)
    log_house.station.answer = answer

    record = await log_house.logs.request(log_house.station, log_type, "api")

    ((asked, payload),) = log_house.station.asked
    assert (asked, record.action, record.file_name, record.by) == (action, action, "a.zip", "api")
    assert payload.get("requestId") == record.request_id
    assert record.request_id is None or record.request_id in OWN_REQUESTS
    assert "https://gateway.example.com/logs/CS1-1/" in str(payload)
    await log_house.upload(record)
    heard = [await log_house.says(status, record.request_id) for status in ("Uploading", "Uploaded")]
    assert heard == [[], []]
    assert (await log_house.found(record.id)).state is LogState.KEPT


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        ({"status": "Rejected"}, FirmwareConflict),
        (PeerUnavailable("silence"), PeerUnavailable),
        (CallError(ErrorCode.NOT_SUPPORTED, "no"), CallError),
    ],
)
async def test_a_station_that_has_no_log_for_him(
    log_house: "House", answer: "Json | Exception", raised: type[Exception]
) -> None:
    log_house.station.answer = answer

    with pytest.raises(raised):
        await log_house.logs.request(log_house.station, "SecurityLog", "api")

    assert (await log_house.found(1)).state is LogState.FAILED
    assert log_house.links.closed == [1]
