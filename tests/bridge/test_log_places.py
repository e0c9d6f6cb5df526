"""Where a log goes, and what the desk is told of the station's answer: as a table."""

import pytest

from gateway.bridge.books import Json
from gateway.bridge.log_places import ask_for_log
from gateway.bridge.ports import LogOrdered, NotSent, PeerUnavailable
from gateway.wire.errors import CallError, ErrorCode
from tests.bridge.log_desk import OURS, FakeLogDesk

ORDERED = LogOrdered("GetLog", "SecurityLog", "ftp://user:secret@files.example.com/in", 7, 12)


class Station:
    """Answers once, and remembers where it was sent."""

    def __init__(self, answer: Json | Exception) -> None:
        self._answer = answer
        self.sent_to: list[str] = []

    async def ask(self, location: str) -> Json:
        self.sent_to.append(location)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


async def test_without_a_desk_it_goes_where_the_backend_wants_it() -> None:
    station = Station({"status": "Accepted"})

    assert await ask_for_log(None, ORDERED, station.ask) == {"status": "Accepted"}
    assert station.sent_to == [ORDERED.location]


@pytest.mark.parametrize(
    ("answer", "is_accepted", "file_name"),
    [
        ({"status": "Accepted", "filename": "a.zip"}, True, "a.zip"),
        ({"status": "AcceptedCanceled"}, True, None),
        ({"status": "Rejected", "filename": "a.zip"}, False, "a.zip"),
        ({"fileName": "b.zip"}, True, "b.zip"),
        ({}, False, None),
    ],
)
async def test_a_desk_hears_the_answer(answer: Json, is_accepted: bool, file_name: str | None) -> None:
    desk, station = FakeLogDesk(), Station(answer)

    assert await ask_for_log(desk, ORDERED, station.ask) == answer
    assert station.sent_to == [OURS]
    assert desk.placed == [ORDERED]
    assert desk.answers == [(ORDERED, is_accepted, file_name)]


@pytest.mark.parametrize("error", [CallError(ErrorCode.NOT_SUPPORTED, "no"), NotSent("gone")])
async def test_a_station_that_has_not_taken_it_uploads_nothing(error: Exception) -> None:
    desk = FakeLogDesk()

    with pytest.raises(type(error)):
        await ask_for_log(desk, ORDERED, Station(error).ask)
    assert desk.answers == [(ORDERED, False, None)]


async def test_a_station_that_gave_no_answer_may_have_heard() -> None:
    desk = FakeLogDesk()

    with pytest.raises(PeerUnavailable):
        await ask_for_log(desk, ORDERED, Station(PeerUnavailable("silence")).ask)
    assert desk.answers == []


async def test_where_nothing_can_be_received_the_station_is_not_asked() -> None:
    desk, station = FakeLogDesk(None), Station({})

    with pytest.raises(NotSent):
        await ask_for_log(desk, ORDERED, station.ask)
    assert not station.sent_to
    assert not desk.answers


def test_a_location_is_not_in_what_is_printed() -> None:
    assert "secret" not in repr(ORDERED)
