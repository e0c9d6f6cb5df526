"""Reservations, as dialogues."""

from typing import TYPE_CHECKING

import pytest

from gateway.bridge.books import Json
from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.v201_v16.tokens import tag_for
from gateway.wire.errors import CallError, ErrorCode

if TYPE_CHECKING:
    from tests.bridge.v201_v16.conftest import World

CARD = "04A2B3C4"
TOKEN = {"idToken": CARD, "type": "ISO14443"}
RESERVE: Json = {"connectorId": 2, "expiryDate": "2026-05-01T16:00:00+02:00", "idTag": CARD, "reservationId": 5}
SILENCE = PeerUnavailable("gone")
CALLERROR = CallError(ErrorCode.NOT_SUPPORTED, "no reservations")


@pytest.fixture
async def two_evses(world: "World") -> "World":
    await world.status(1, "Available")
    await world.status(2, "Available")
    world.dialogue.clear()
    world.station.answers |= {"ReserveNow": {"status": "Accepted"}, "CancelReservation": {"status": "Accepted"}}
    return world


class TestReserveNow:
    async def test_all_fields(self, two_evses: "World") -> None:
        answer = await two_evses.from_backend("ReserveNow", {**RESERVE, "parentIdTag": "GROUP"})

        assert answer == {"status": "Accepted"}
        request = {
            "id": 5,
            "expiryDateTime": "2026-05-01T14:00:00Z",
            "idToken": TOKEN,
            "evseId": 2,
            "groupIdToken": {"idToken": "GROUP", "type": "Central"},
        }
        assert two_evses.heard("station") == [("ReserveNow", request)]

    async def test_of_any_connector_names_no_evse(self, two_evses: "World") -> None:
        await two_evses.from_backend("ReserveNow", {**RESERVE, "connectorId": 0, "parentIdTag": ""})

        assert two_evses.heard("station")[0][1].keys() == {"id", "expiryDateTime", "idToken"}

    async def test_of_an_alias_says_the_token_behind_it(self, two_evses: "World") -> None:
        token = {"idToken": "a-token-of-more-than-20", "type": "Local"}

        await two_evses.from_backend("ReserveNow", {**RESERVE, "idTag": tag_for(two_evses.context, token)})

        assert two_evses.heard("station")[0][1]["idToken"] == token

    async def test_on_a_station_that_has_reported_no_connector_yet(self, world: "World") -> None:
        world.station.answers["ReserveNow"] = {"status": "Accepted"}

        assert await world.from_backend("ReserveNow", RESERVE) == {"status": "Accepted"}
        assert world.heard("station")[0][1]["evseId"] == 2

    @pytest.mark.parametrize("status", ["Accepted", "Faulted", "Occupied", "Rejected", "Unavailable"])
    async def test_statuses(self, two_evses: "World", status: str) -> None:
        two_evses.station.answers["ReserveNow"] = {"status": status, "statusInfo": {"reasonCode": "Any"}}

        assert await two_evses.from_backend("ReserveNow", RESERVE) == {"status": status}

    @pytest.mark.parametrize("outcome", [CALLERROR, SILENCE])
    async def test_that_the_station_does_not_answer(self, two_evses: "World", outcome: Exception) -> None:
        two_evses.station.answers["ReserveNow"] = outcome

        assert await two_evses.from_backend("ReserveNow", RESERVE) == {"status": "Rejected"}

    @pytest.mark.parametrize(
        "wrong",
        [
            {"connectorId": 3},
            {"connectorId": -1},
            {"expiryDate": "2026-05-01T12:00:00Z"},
            {"expiryDate": "2026-05-01T11:59:59.999Z"},
            {"expiryDate": "0001-01-01T00:00:00+14:00"},
        ],
    )
    async def test_that_does_not_reach_the_station(self, two_evses: "World", wrong: Json) -> None:
        assert await two_evses.bridge.from_backend("ReserveNow", {**RESERVE, **wrong}) == {"status": "Rejected"}
        assert two_evses.heard("station") == []

    async def test_that_ends_in_a_moment_does(self, two_evses: "World") -> None:
        await two_evses.from_backend("ReserveNow", {**RESERVE, "expiryDate": "2026-05-01T12:00:00.001Z"})

        assert two_evses.heard("station")[0][1]["expiryDateTime"] == "2026-05-01T12:00:00.001Z"

    async def test_of_one_connector_of_two_says_so_in_the_log(self, two_evses: "World") -> None:
        await two_evses.from_backend("ReserveNow", RESERVE)
        assert two_evses.notes == {}

        await two_evses.status(2, "Available", connector=2)
        await two_evses.from_backend("ReserveNow", RESERVE)
        assert two_evses.notes.keys() == {"reservation-evse"}


class TestCancel:
    @pytest.mark.parametrize(
        ("outcome", "expected"),
        [
            ({"status": "Accepted"}, "Accepted"),
            ({"status": "Rejected"}, "Rejected"),
            (CALLERROR, "Rejected"),
            (SILENCE, "Rejected"),
        ],
    )
    async def test_as_a_table(self, two_evses: "World", outcome: Json | Exception, expected: str) -> None:
        two_evses.station.answers["CancelReservation"] = outcome

        assert await two_evses.from_backend("CancelReservation", {"reservationId": 5}) == {"status": expected}
        assert two_evses.heard("station") == [("CancelReservation", {"reservationId": 5})]


class TestEnd:
    @pytest.mark.parametrize("update", ["Expired", "Removed"])
    @pytest.mark.parametrize("status", ["Available", "Faulted"])
    @pytest.mark.parametrize("update_first", [True, False])
    async def test_the_backend_hears_of_the_connector_once(
        self, two_evses: "World", update: str, status: str, update_first: bool
    ) -> None:
        await two_evses.status(2, "Reserved")
        two_evses.dialogue.clear()
        payload = {"reservationId": 5, "reservationUpdateStatus": update}

        if update_first:
            assert await two_evses.from_station("ReservationStatusUpdate", payload) == {}
        await two_evses.status(2, status)
        if not update_first:
            assert await two_evses.from_station("ReservationStatusUpdate", payload) == {}

        assert [(a, p["connectorId"], p["status"]) for a, p in two_evses.heard()] == [("StatusNotification", 2, status)]

    async def test_used_by_a_transaction_it_is_named_in_its_start(self, two_evses: "World") -> None:
        await two_evses.event("Started", evse=2, token=CARD, wh=1000, reservationId=5)

        starts = [payload for action, payload in two_evses.heard() if action == "StartTransaction"]
        assert [payload["reservationId"] for payload in starts] == [5]
