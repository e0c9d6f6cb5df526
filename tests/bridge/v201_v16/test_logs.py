"""GetDiagnostics and GetLog as dialogues, the statuses that follow as tables."""

from typing import TYPE_CHECKING, Any

import pytest

from gateway.bridge.books import Page
from gateway.bridge.locations import LOCATION_MAX
from gateway.bridge.ports import UNSAFE_LOCATION, LogOrdered, PeerUnavailable
from gateway.bridge.requests import UNDER_WAY_MAX
from gateway.wire.errors import CallError, ErrorCode
from tests.bridge.log_desk import OURS, FakeLogDesk

if TYPE_CHECKING:
    from gateway.bridge.books import Json
    from tests.bridge.v201_v16.conftest import World

FTP = "ftp://files.example.com/in"
DIAGNOSTICS = {"location": FTP}
STATUSES = [
    *((s, s) for s in ("Idle", "Uploading", "Uploaded")),
    *(
        (s, "UploadFailed")
        for s in ("BadMessage", "NotSupportedOperation", "PermissionDenied", "UploadFailure", "AcceptedCanceled")
    ),
]
UNFIT = ["file:///etc/shadow", "gopher://example.com/", "https://example.com/" + "x" * LOCATION_MAX]


def log_of(request_id: int = 7, log_type: str = "SecurityLog", **log: Any) -> "Json":
    """Return a GetLog.req of the white paper."""
    return {"logType": log_type, "requestId": request_id, "log": {"remoteLocation": FTP, **log}}


async def diagnostics(world: "World") -> int:
    """The backend asks for diagnostics; return the requestId that the station is asked under."""
    await world.from_backend("GetDiagnostics", DIAGNOSTICS)
    return asked_id(world)


async def log(world: "World", request_id: int = 7) -> int:
    """The same of a log."""
    await world.from_backend("GetLog", log_of(request_id))
    return asked_id(world)


def asked_id(world: "World") -> int:
    ((action, payload),) = world.heard("station")
    assert action == "GetLog"
    number: int = payload["requestId"]
    return number


async def status(world: "World", text: str, request_id: int | None = None) -> list[tuple[str, "Json"]]:
    """The station sends LogStatusNotification; return what the backend hears."""
    payload: Json = {"status": text} if request_id is None else {"status": text, "requestId": request_id}
    assert await world.from_station("LogStatusNotification", payload) == {}
    return world.heard()


# --- GetDiagnostics


async def test_diagnostics_are_a_log_with_a_request_id(world: "World") -> None:
    asked = {
        "location": FTP,
        "startTime": "2026-05-01T10:00:00+02:00",
        "stopTime": "2026-05-01T09:00:00.123456Z",
        "retries": 3,
        "retryInterval": 60,
    }

    assert await world.from_backend("GetDiagnostics", asked) == {"fileName": "log.zip"}

    ((_, payload),) = world.heard("station")
    assert payload.pop("requestId") > 0
    assert payload == {
        "logType": "DiagnosticsLog",
        "log": {
            "remoteLocation": FTP,
            "oldestTimestamp": "2026-05-01T08:00:00Z",
            "latestTimestamp": "2026-05-01T09:00:00.123Z",
        },
        "retries": 3,
        "retryInterval": 60,
    }


async def test_a_time_that_can_not_be_read_bounds_nothing(world: "World") -> None:
    await world.bridge.from_backend("GetDiagnostics", {**DIAGNOSTICS, "startTime": "yesterday"})

    ((_, payload),) = world.heard("station")
    assert payload["log"] == {"remoteLocation": FTP}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"status": "Accepted", "filename": "a.zip"}, {"fileName": "a.zip"}),
        ({"status": "AcceptedCanceled", "filename": "b.zip"}, {"fileName": "b.zip"}),
        ({"status": "Accepted"}, {}),
        ({"status": "Rejected"}, {}),
        ({"status": "Rejected", "filename": "c.zip"}, {}),
        (CallError(ErrorCode.NOT_SUPPORTED, "no"), {}),
        (PeerUnavailable("gone"), {}),
    ],
)
async def test_a_file_name_is_that_of_a_file_which_will_come(
    world: "World", answer: "Json | Exception", expected: "Json"
) -> None:
    world.station.answers["GetLog"] = answer

    assert await world.from_backend("GetDiagnostics", DIAGNOSTICS) == expected
    assert world.heard() == []


@pytest.mark.parametrize("location", UNFIT)
async def test_an_unfit_location_never_reaches_the_station(world: "World", location: str) -> None:
    assert await world.from_backend("GetDiagnostics", {"location": location}) == {}

    assert world.dialogue == [("backend", "DiagnosticsStatusNotification", {"status": "UploadFailed"})]
    ((kind, detail),) = world.reports
    assert kind == UNSAFE_LOCATION
    assert location not in detail


async def test_the_location_is_judged_before_its_schema_would(world: "World") -> None:
    """The bridge is handed nothing that breaks the schema; a control character is its business all the same."""
    assert await world.bridge.from_backend("GetDiagnostics", {"location": "https://example.com/\r\nX: y"}) == {}
    assert world.dialogue == []


@pytest.mark.parametrize(("text", "expected"), STATUSES)
async def test_what_becomes_of_the_upload_is_told(world: "World", text: str, expected: str) -> None:
    number = await diagnostics(world)

    assert await status(world, text, number) == [("DiagnosticsStatusNotification", {"status": expected})]


async def test_after_the_last_word_nothing_is_told(world: "World") -> None:
    number = await diagnostics(world)

    heard = [await status(world, text, number) for text in ("Uploading", "Uploading", "Uploaded", "Uploaded")]

    assert [len(each) for each in heard] == [1, 1, 1, 0]


async def test_a_first_status_that_comes_before_the_answer_is_told(world: "World") -> None:
    heard: list[Any] = []

    async def upload_at_once(action: str, payload: "Json") -> "Json":
        heard.extend(await status(world, "Uploading", payload["requestId"]))
        return {"status": "Accepted"}

    world.context.call_station = upload_at_once
    await world.bridge.from_backend("GetDiagnostics", DIAGNOSTICS)

    assert heard == [("DiagnosticsStatusNotification", {"status": "Uploading"})]


@pytest.mark.parametrize("answer", [{"status": "Rejected"}, PeerUnavailable("gone")])
async def test_what_was_refused_is_not_told_of(world: "World", answer: "Json | Exception") -> None:
    world.station.answers["GetLog"] = answer
    number = await diagnostics(world)

    assert await status(world, "Uploading", number) == []


@pytest.mark.parametrize("number", [None, 0, 1, -1, 2**31])
async def test_a_log_of_somebody_else_is_not_the_backends_business(world: "World", number: int | None) -> None:
    await diagnostics(world)

    assert await status(world, "Uploading", number) == []


async def test_the_station_is_answered_while_the_backend_is_away(world: "World") -> None:
    number = await diagnostics(world)
    world.backend.up = False

    assert await status(world, "Uploaded", number) == []


async def test_the_older_upload_has_ended_where_the_station_dropped_it(world: "World") -> None:
    older = await diagnostics(world)
    world.station.answers["GetLog"] = {"status": "AcceptedCanceled"}
    newer = await diagnostics(world)

    assert await status(world, "AcceptedCanceled", older) == []
    assert await status(world, "Uploaded", newer) == [("DiagnosticsStatusNotification", {"status": "Uploaded"})]


async def test_two_uploads_at_once_are_both_told_of(world: "World") -> None:
    first, second = await diagnostics(world), await diagnostics(world)

    assert first < second
    assert len(await status(world, "Uploaded", first)) == len(await status(world, "Uploaded", second)) == 1


async def test_an_upload_goes_on_over_a_restart_and_its_number_is_not_used_again(world: "World") -> None:
    number = await diagnostics(world)
    world.restart()

    assert await diagnostics(world) > number
    assert await status(world, "Uploaded", number) == [("DiagnosticsStatusNotification", {"status": "Uploaded"})]


async def test_what_is_remembered_is_bounded(world: "World") -> None:
    numbers = [await diagnostics(world) for _ in range(UNDER_WAY_MAX + 1)]

    assert await status(world, "Uploaded", numbers[0]) == []
    assert len(await status(world, "Uploaded", numbers[1])) == 1


async def test_an_upload_costs_one_write_when_it_begins_and_one_when_it_ends(world: "World") -> None:
    number = await diagnostics(world)
    assert world.page_writes == [Page.REQUESTS]

    await status(world, "Uploading", number)
    assert world.page_writes == [Page.REQUESTS]
    await status(world, "Uploaded", number)
    assert world.page_writes == [Page.REQUESTS] * 2


# --- what the backend triggers


@pytest.mark.parametrize(("text", "expected"), STATUSES)
async def test_a_triggered_status_is_told_once(world: "World", text: str, expected: str) -> None:
    await world.from_backend("TriggerMessage", {"requestedMessage": "DiagnosticsStatusNotification"})
    world.dialogue.clear()

    assert await status(world, text) == [("DiagnosticsStatusNotification", {"status": expected})]
    assert await status(world, text) == []


async def test_of_somebody_elses_upload_who_triggers_hears_idle(known_world: "World") -> None:
    world = known_world
    number = await log(world)
    await world.from_backend("TriggerMessage", {"requestedMessage": "DiagnosticsStatusNotification"})
    world.dialogue.clear()

    assert await status(world, "Uploading", number) == [
        ("DiagnosticsStatusNotification", {"status": "Idle"}),
        ("LogStatusNotification", {"status": "Uploading", "requestId": 7}),
    ]


@pytest.mark.parametrize(
    ("number", "expected"), [(None, "Uploading"), (1, "Idle")], ids=["without requestId", "Voltgate's own"]
)
async def test_the_white_papers_trigger(known_world: "World", number: int | None, expected: str) -> None:
    world = known_world
    await world.from_backend("ExtendedTriggerMessage", {"requestedMessage": "LogStatusNotification"})
    assert world.heard("station") == [("TriggerMessage", {"requestedMessage": "LogStatusNotification"})]

    assert await status(world, "Uploading", number) == [("LogStatusNotification", {"status": expected})]
    assert await status(world, "Uploading", number) == []


# --- GetLog of the white paper


@pytest.mark.parametrize("log_type", ["DiagnosticsLog", "SecurityLog"])
async def test_a_log_goes_under_a_number_of_ours(known_world: "World", log_type: str) -> None:
    world = known_world
    asked = log_of(
        7,
        log_type,
        oldestTimestamp="2026-05-01T10:00:00+02:00",
        latestTimestamp="2026-05-01T09:00:00Z",
    )

    answer = await world.from_backend("GetLog", {**asked, "retries": 1, "retryInterval": 5})

    assert answer == {"status": "Accepted", "filename": "log.zip"}
    ((_, payload),) = world.heard("station")
    assert payload.pop("requestId") != 7
    assert payload == {
        "logType": log_type,
        "log": {
            "remoteLocation": FTP,
            "oldestTimestamp": "2026-05-01T08:00:00Z",
            "latestTimestamp": "2026-05-01T09:00:00Z",
        },
        "retries": 1,
        "retryInterval": 5,
    }


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"status": "AcceptedCanceled"}, {"status": "AcceptedCanceled"}),
        ({"status": "Rejected", "statusInfo": {"reasonCode": "NoLog"}}, {"status": "Rejected"}),
        (CallError(ErrorCode.INTERNAL_ERROR, "no"), {"status": "Rejected"}),
        (PeerUnavailable("gone"), {"status": "Rejected"}),
    ],
)
async def test_the_answer_to_a_log(known_world: "World", answer: "Json | Exception", expected: "Json") -> None:
    known_world.station.answers["GetLog"] = answer

    assert await known_world.from_backend("GetLog", log_of()) == expected


@pytest.mark.parametrize("location", [*UNFIT[:2], "https://example.com/\nX: y", "nonsense"])
async def test_a_log_for_an_unfit_location_is_rejected(known_world: "World", location: str) -> None:
    assert await known_world.from_backend("GetLog", log_of(remoteLocation=location)) == {"status": "Rejected"}

    assert known_world.dialogue == []
    assert [kind for kind, _ in known_world.reports] == [UNSAFE_LOCATION]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((s, s) for s in ("BadMessage", "Idle", "NotSupportedOperation", "PermissionDenied")),
        *((s, s) for s in ("Uploaded", "UploadFailure", "Uploading")),
        ("AcceptedCanceled", "UploadFailure"),
    ],
)
async def test_a_status_goes_under_the_backends_number(known_world: "World", text: str, expected: str) -> None:
    number = await log(known_world, 7)

    heard = await status(known_world, text, number)

    assert heard == [("LogStatusNotification", {"status": expected, "requestId": 7})]


async def test_a_canceled_log_is_told_of_under_its_own_number(known_world: "World") -> None:
    world = known_world
    older = await log(world, 7)
    world.station.answers["GetLog"] = {"status": "AcceptedCanceled"}
    newer = await log(world, 8)

    assert await status(world, "AcceptedCanceled", older) == [
        ("LogStatusNotification", {"status": "UploadFailure", "requestId": 7})
    ]
    assert await status(world, "Uploaded", newer) == [("LogStatusNotification", {"status": "Uploaded", "requestId": 8})]


async def test_who_does_not_know_the_white_paper_has_no_get_log(world: "World") -> None:
    with pytest.raises(CallError) as refused:
        await world.from_backend("GetLog", log_of())

    assert refused.value.code is ErrorCode.NOT_SUPPORTED
    assert world.dialogue == []


# --- where the gateway receives them


async def test_diagnostics_come_to_the_gateway(world: "World") -> None:
    desk = world.context.logs = FakeLogDesk()

    number = await diagnostics(world)

    ordered = LogOrdered("GetDiagnostics", "DiagnosticsLog", FTP, None, number)
    assert desk.answers == [(ordered, True, "log.zip")]


async def test_a_log_comes_to_the_gateway(known_world: "World") -> None:
    desk = known_world.context.logs = FakeLogDesk()

    await known_world.from_backend("GetLog", log_of())

    ((_, asked),) = known_world.heard("station")
    assert asked["log"] == {"remoteLocation": OURS}
    assert desk.placed == [LogOrdered("GetLog", "SecurityLog", FTP, 7, asked["requestId"])]


async def test_what_can_not_be_received_is_rejected(known_world: "World") -> None:
    known_world.context.logs = FakeLogDesk(None)

    assert await known_world.from_backend("GetLog", log_of()) == {"status": "Rejected"}
    assert await known_world.from_backend("GetDiagnostics", DIAGNOSTICS) == {}
    assert known_world.dialogue == []
