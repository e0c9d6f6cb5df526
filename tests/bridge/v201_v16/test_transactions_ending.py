"""How transactions end: with energy, without, with a token or none, and what never was a session."""

from typing import TYPE_CHECKING, Any

import pytest

from gateway.bridge.books import Json, Page, TransactionState

if TYPE_CHECKING:
    from tests.bridge.v201_v16.conftest import World

CARD = "04A2B3C4"
AT = "2026-05-01T09:00:00Z"
ACCEPTED = {"idTokenInfo": {"status": "Accepted"}}


def start(**fields: Any) -> tuple[str, Json]:
    return "StartTransaction", {"connectorId": 1, "idTag": CARD, "meterStart": 1000, "timestamp": AT, **fields}


def status(number: int, name: str, at: str = AT) -> tuple[str, Json]:
    return "StatusNotification", {"connectorId": number, "errorCode": "NoError", "status": name, "timestamp": at}


async def begun(world: "World", **fields: Any) -> None:
    """A session at EVSE 1 that began with 1000 Wh and is charging."""
    await world.status(1, "Occupied")
    begin = {"evse": 1, "token": CARD, "wh": 1000, "context": "Transaction.Begin", "state": "Charging", **fields}
    await world.event("Started", 0, trigger="Authorized", **begin)
    world.dialogue.clear()


class TestEnd:
    async def test_a_cable_in_and_out_is_no_session(self, world: "World") -> None:
        await world.status(1, "Occupied")
        await world.event("Started", 0, trigger="CablePluggedIn", evse=1, state="EVConnected", wh=1000)
        world.dialogue.clear()

        await world.event("Ended", 1, trigger="EVDeparted", reason="EVDisconnected", wh=1000, context="Transaction.End")
        await world.status(1, "Available")

        assert world.heard() == [status(1, "Available", "2026-05-01T08:00:00Z")]
        assert world.books.transactions["TX-1"].state is TransactionState.ENDED

    async def test_energy_without_a_token_goes_under_the_default_tag(self, world: "World") -> None:
        await world.event("Started", 0, trigger="CablePluggedIn", evse=1, wh=1000, context="Transaction.Begin")

        await world.event("Ended", 1, reason="EVDisconnected", wh=1700, context="Transaction.End")

        (started, stopped) = world.heard()[-3:-1]
        assert started == start(idTag="VOLTGATE")
        assert (stopped[0], stopped[1]["meterStop"], stopped[1]["transactionId"]) == ("StopTransaction", 1700, 1001)
        assert "no-token" in world.notes

    @pytest.mark.parametrize(("known", "number"), [((2, 1), 2), (None, 1)])
    async def test_energy_without_a_place_is_not_lost(
        self, world: "World", known: tuple[int, int] | None, number: int
    ) -> None:
        if known is not None:
            await world.status(known[0], "Available")
        await world.event("Started", 0, token=CARD, wh=1000)
        world.dialogue.clear()

        await world.event("Ended", 1, wh=1700)

        assert world.heard()[0] == start(connectorId=number)
        assert "no-connector" in world.notes

    async def test_an_authorization_without_a_cable_is_no_session(self, world: "World") -> None:
        await world.event("Started", 0, trigger="Authorized", token=CARD)
        world.dialogue.clear()

        assert await world.event("Ended", 1, trigger="EVConnectTimeout", reason="Timeout", token=CARD) == {}

        assert world.heard() == []

    async def test_an_end_alone_that_says_all_is_a_session(self, world: "World") -> None:
        begin = {"timestamp": "2026-05-01T08:30:00Z", "sampledValue": [{"value": 400, "context": "Transaction.Begin"}]}
        end = {"timestamp": AT, "sampledValue": [{"value": 900, "context": "Transaction.End"}]}

        await world.event("Ended", 9, evse=1, token=CARD, meterValue=[begin, end])

        (started, stopped, _) = world.heard()
        assert started == start(meterStart=400, timestamp="2026-05-01T08:30:00Z")
        assert (stopped[1]["meterStop"], stopped[1]["timestamp"], stopped[1]["idTag"]) == (900, AT, CARD)

    async def test_an_end_alone_that_says_nothing_is_swallowed(self, world: "World") -> None:
        await world.event("Ended", 9, wh=900)

        assert world.heard() == []
        assert world.books.transactions["TX-1"].is_over

    async def test_the_token_that_asked_for_the_stop_goes_along(self, world: "World") -> None:
        await begun(world)
        answer = await world.event("Updated", 1, trigger="StopAuthorized", token="FRIEND", state="EVConnected")
        await world.event("Ended", 2, trigger="EVDeparted", wh=1500)

        heard = world.heard()
        assert answer == ACCEPTED
        assert heard[0] == ("Authorize", {"idTag": "FRIEND"})
        assert heard[1] == status(1, "Finishing")
        assert heard[2][1]["idTag"] == "FRIEND"
        assert world.books.page(Page.STOP_TAGS) == {}

    async def test_a_refused_second_token_stops_nothing(self, world: "World") -> None:
        await begun(world)
        world.backend.answers["Authorize"] = {"idTagInfo": {"status": "Invalid"}}

        assert await world.event("Updated", 1, trigger="Authorized", token="THIEF") == {
            "idTokenInfo": {"status": "Invalid"}
        }
        await world.event("Ended", 2, wh=1500)

        assert "idTag" not in world.heard()[-2][1]

    async def test_the_own_token_again_is_no_stop(self, world: "World") -> None:
        await begun(world)

        assert await world.event("Updated", 1, trigger="Authorized", token=CARD) == ACCEPTED

        assert world.books.page(Page.STOP_TAGS) == {}

    async def test_the_answer_carries_what_the_backend_says_of_the_token(self, world: "World") -> None:
        await begun(world)
        world.backend.answers["StopTransaction"] = {"idTagInfo": {"status": "Accepted", "parentIdTag": "FLEET"}}

        answer = await world.event("Ended", 1, token=CARD, wh=1500)

        assert answer == {
            "idTokenInfo": {"status": "Accepted", "groupIdToken": {"idToken": "FLEET", "type": "Central"}}
        }

    async def test_a_soft_reset_is_the_reason_while_it_is_pending(self, world: "World") -> None:
        await begun(world)
        await world.from_backend("Reset", {"type": "Soft"})
        await world.event("Ended", 1, trigger="ResetCommand", reason="Other", wh=1500)
        assert [p["reason"] for a, p in world.heard() if a == "StopTransaction"] == ["SoftReset"]

        await begun(world, tx="TX-2")
        await world.event("Ended", 1, tx="TX-2", trigger="ResetCommand", reason="Other", wh=1500)
        assert [p["reason"] for a, p in world.heard() if a == "StopTransaction"] == ["Other"]
