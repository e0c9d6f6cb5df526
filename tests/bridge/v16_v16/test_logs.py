"""GetDiagnostics and GetLog as dialogues; the numbers are the backend's own."""

from typing import TYPE_CHECKING, Any

import pytest

from gateway.bridge.books import Books, Page
from gateway.bridge.locations import LOCATION_MAX, LOCATION_MAX_16
from gateway.bridge.ports import UNSAFE_LOCATION, LogOrdered, NotSent, PeerUnavailable
from gateway.wire.errors import CallError, ErrorCode
from tests.bridge.log_desk import OURS, FakeLogDesk

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.bridge.books import Json
    from tests.bridge.v16_v16.conftest import World

FTP = "ftp://files.example.com/in"


def log_of(request_id: int = 7, **log: Any) -> "Json":
    """Return a GetLog.req."""
    return {"logType": "SecurityLog", "requestId": request_id, "log": {"remoteLocation": FTP, **log}}


async def status(world: "World", text: str, request_id: int | None = None) -> list["Json"]:
    """The station sends LogStatusNotification; return what the backend hears."""
    payload: Json = {"status": text} if request_id is None else {"status": text, "requestId": request_id}
    world.dialogue.clear()
    assert await world.from_station("LogStatusNotification", payload) == {}
    return [said for _, said in world.heard()]


@pytest.mark.parametrize(
    "payload",
    [
        {"location": FTP, "retries": 3, "startTime": "2026-05-01T08:00:00"},
        {"location": "https://example.com/" + "x" * (LOCATION_MAX_16 - 20)},
    ],
)
async def test_diagnostics_are_relayed(world: "World", payload: "Json") -> None:
    world.station.answers["GetDiagnostics"] = {"fileName": "log.zip"}

    assert await world.from_backend("GetDiagnostics", payload) == {"fileName": "log.zip"}
    assert world.heard("station") == [("GetDiagnostics", payload)]


async def test_diagnostics_of_a_station_that_is_away(world: "World") -> None:
    world.station.up = False

    with pytest.raises(PeerUnavailable):
        await world.from_backend("GetDiagnostics", {"location": FTP})


@pytest.mark.parametrize("location", ["file:///etc/shadow", "https://example.com/" + "x" * LOCATION_MAX_16])
async def test_an_unfit_location_never_reaches_the_station(world: "World", location: str) -> None:
    assert await world.from_backend("GetDiagnostics", {"location": location}) == {}

    assert world.dialogue == [("backend", "DiagnosticsStatusNotification", {"status": "UploadFailed"})]
    assert [kind for kind, _ in world.reports] == [UNSAFE_LOCATION]


async def test_a_log_for_an_unfit_location_is_rejected(known_world: "World") -> None:
    for location in ("gopher://example.com/", "https://h/\r\n", "https://h/" + "x" * LOCATION_MAX):
        answer = await known_world.bridge.from_backend("GetLog", log_of(remoteLocation=location))
        assert answer == {"status": "Rejected"}

    assert known_world.dialogue == []
    assert len(known_world.reports) == 3


@pytest.mark.parametrize("answer", [{"status": "Accepted", "filename": "a.zip"}, {"status": "AcceptedCanceled"}])
async def test_a_log_and_what_becomes_of_it(known_world: "World", answer: "Json") -> None:
    known_world.station.answers["GetLog"] = answer

    assert await known_world.from_backend("GetLog", log_of()) == answer
    assert known_world.heard("station") == [("GetLog", log_of())]

    heard = [await status(known_world, text, 7) for text in ("Uploading", "Uploading", "Uploaded", "Uploaded")]
    uploading, uploaded = ([{"status": text, "requestId": 7}] for text in ("Uploading", "Uploaded"))
    assert heard == [uploading, uploading, uploaded, []]


@pytest.mark.parametrize("outcome", [{"status": "Rejected"}, CallError(ErrorCode.NOT_IMPLEMENTED, "what?")])
async def test_a_log_that_was_refused_is_not_told_of(known_world: "World", outcome: "Json | Exception") -> None:
    known_world.station.answers["GetLog"] = outcome
    if isinstance(outcome, CallError):
        with pytest.raises(CallError):
            await known_world.from_backend("GetLog", log_of())
    else:
        assert await known_world.from_backend("GetLog", log_of()) == outcome

    assert await status(known_world, "Uploading", 7) == []


async def test_a_station_that_gave_no_answer_may_have_heard(known_world: "World") -> None:
    known_world.station.answers["GetLog"] = PeerUnavailable("silence")
    with pytest.raises(PeerUnavailable):
        await known_world.from_backend("GetLog", log_of())

    assert await status(known_world, "Uploaded", 7) == [{"status": "Uploaded", "requestId": 7}]


@pytest.mark.parametrize("number", [None, 0, 8])
async def test_a_log_of_somebody_else_is_not_the_backends_business(known_world: "World", number: int | None) -> None:
    await known_world.from_backend("GetLog", log_of())

    assert await status(known_world, "Uploading", number) == []


@pytest.mark.parametrize(("number", "expected"), [(None, "Uploading"), (8, "Idle")])
async def test_a_triggered_status_is_told_once(known_world: "World", number: int | None, expected: str) -> None:
    await known_world.from_backend("ExtendedTriggerMessage", {"requestedMessage": "LogStatusNotification"})

    assert await status(known_world, "Uploading", number) == [{"status": expected}]
    assert await status(known_world, "Uploading", number) == []


async def test_the_station_is_answered_while_the_backend_is_away(known_world: "World") -> None:
    await known_world.from_backend("GetLog", log_of())
    known_world.backend.up = False

    assert await status(known_world, "Uploaded", 7) == []


async def test_a_log_goes_on_over_a_restart(known_world: "World", new_world: "Callable[..., World]") -> None:
    await known_world.from_backend("GetLog", log_of())
    assert known_world.books.unsaved == {Page.REQUESTS}

    again = new_world(Books(pages=dict(known_world.books.pages)), security_extension=True)

    assert await status(again, "Uploaded", 7) == [{"status": "Uploaded", "requestId": 7}]


# --- where the gateway receives them


async def test_diagnostics_come_to_the_gateway(world: "World") -> None:
    desk = world.context.logs = FakeLogDesk()
    world.station.answers["GetDiagnostics"] = {"fileName": "log.zip"}

    assert await world.from_backend("GetDiagnostics", {"location": FTP, "retries": 1}) == {"fileName": "log.zip"}

    assert world.heard("station") == [("GetDiagnostics", {"location": OURS, "retries": 1})]
    ordered = LogOrdered("GetDiagnostics", "DiagnosticsLog", FTP, None, None)
    assert desk.answers == [(ordered, True, "log.zip")]


async def test_a_log_comes_to_the_gateway(known_world: "World") -> None:
    desk = known_world.context.logs = FakeLogDesk()

    await known_world.from_backend("GetLog", log_of(oldestTimestamp="2026-05-01T08:00:00Z"))

    asked = log_of(remoteLocation=OURS, oldestTimestamp="2026-05-01T08:00:00Z")
    assert known_world.heard("station") == [("GetLog", asked)]
    assert desk.placed == [LogOrdered("GetLog", "SecurityLog", FTP, 7, 7)]


async def test_what_can_not_be_received_is_not_asked_for(known_world: "World") -> None:
    known_world.context.logs = FakeLogDesk(None)
    for action, payload in (("GetLog", log_of()), ("GetDiagnostics", {"location": FTP})):
        with pytest.raises(NotSent):
            await known_world.from_backend(action, payload)

    assert known_world.dialogue == []
    assert await status(known_world, "Uploading", 7) == []
