"""TransactionEvents as dialogues with a station, a ledger and a backend."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from gateway.bridge.books import Json, Page, TransactionState
from gateway.bridge.v201_v16.tokens import alias_of
from gateway.bridge.v201_v16.transactions import ANSWERS_MAX
from gateway.wire.errors import CallError

if TYPE_CHECKING:
    from tests.bridge.v201_v16.conftest import World

CARD = "04A2B3C4"
AT = "2026-05-01T09:00:00Z"
ACCEPTED = {"idTokenInfo": {"status": "Accepted"}}


def conf(status: str, number: int = 1001) -> Json:
    return {"transactionId": number, "idTagInfo": {"status": status}}


def start(**fields: Any) -> tuple[str, Json]:
    return "StartTransaction", {"connectorId": 1, "idTag": CARD, "meterStart": 1000, "timestamp": AT, **fields}


def status(number: int, name: str, at: str = AT) -> tuple[str, Json]:
    return "StatusNotification", {"connectorId": number, "errorCode": "NoError", "status": name, "timestamp": at}


class TestWholeSession:
    async def test_plug_first(self, world: "World") -> None:
        await world.status(1, "Occupied")
        answers = [
            await world.event(
                "Started",
                0,
                trigger="CablePluggedIn",
                evse=1,
                state="EVConnected",
                wh=1000,
                context="Transaction.Begin",
            ),
            await world.event("Updated", 1, at="2026-05-01T09:01:00Z", trigger="Authorized", token=CARD),
            await world.event(
                "Updated", 2, at="2026-05-01T09:01:05Z", trigger="ChargingStateChanged", state="Charging"
            ),
            await world.event("Updated", 3, at="2026-05-01T09:10:00Z", wh=2500),
            await world.event(
                "Ended",
                4,
                at="2026-05-01T09:30:00Z",
                trigger="StopAuthorized",
                token=CARD,
                reason="Local",
                state="EVConnected",
                wh=5000,
                context="Transaction.End",
            ),
        ]
        await world.status(1, "Available", at="2026-05-01T09:31:00Z")

        assert answers == [{}, ACCEPTED, {}, {}, {}]
        sample = {"value": "2500", "unit": "Wh", "context": "Sample.Periodic"}
        end = {"value": "5000", "unit": "Wh", "context": "Transaction.End"}
        assert world.heard() == [
            status(1, "Preparing", "2026-05-01T08:00:00Z"),
            start(),
            status(1, "Charging", "2026-05-01T09:01:05Z"),
            (
                "MeterValues",
                {
                    "connectorId": 1,
                    "transactionId": 1001,
                    "meterValue": [{"timestamp": "2026-05-01T09:10:00Z", "sampledValue": [sample]}],
                },
            ),
            (
                "StopTransaction",
                {
                    "transactionId": 1001,
                    "meterStop": 5000,
                    "timestamp": "2026-05-01T09:30:00Z",
                    "idTag": CARD,
                    "reason": "Local",
                    "transactionData": [{"timestamp": "2026-05-01T09:30:00Z", "sampledValue": [end]}],
                },
            ),
            status(1, "Finishing", "2026-05-01T09:30:00Z"),
            status(1, "Available", "2026-05-01T09:31:00Z"),
        ]

    async def test_token_first(self, world: "World") -> None:
        await world.status(1, "Available")
        first = await world.event("Started", 0, trigger="Authorized", token=CARD, state="Idle")
        await world.event(
            "Updated", 1, at="2026-05-01T09:01:00Z", trigger="CablePluggedIn", evse=1, state="EVConnected", wh=1000
        )
        await world.event("Updated", 2, at="2026-05-01T09:02:00Z", trigger="ChargingStateChanged", state="Charging")

        assert first == ACCEPTED
        assert [action for action, _ in world.heard()] == [
            "StatusNotification",
            "Authorize",
            "StartTransaction",
            "MeterValues",
            "StatusNotification",
            "StatusNotification",
        ]
        assert world.books.transactions["TX-1"].started_at == AT
        assert world.books.transactions["TX-1"].meter_start == 1000

    async def test_two_evses_do_not_mix(self, world: "World") -> None:
        for number, evse in [(1, 1), (2, 2)]:
            await world.event("Started", 0, tx=f"TX-{number}", evse=evse, token=f"0000000{number}", wh=number * 100)
        for number in (2, 1):
            await world.event("Ended", 1, tx=f"TX-{number}", wh=number * 1000, context="Transaction.End")

        money = [(a, p) for a, p in world.heard() if a in {"StartTransaction", "StopTransaction"}]
        assert [(a, p.get("connectorId"), p.get("transactionId"), p.get("meterStop")) for a, p in money] == [
            ("StartTransaction", 1, None, None),
            ("StartTransaction", 2, None, None),
            ("StopTransaction", None, 1002, 2000),
            ("StopTransaction", None, 1001, 1000),
        ]


class TestStart:
    async def test_reservation_and_energy_in_kwh(self, world: "World") -> None:
        sample = {"value": 1.0, "unitOfMeasure": {"unit": "kWh"}, "context": "Transaction.Begin"}
        await world.event(
            "Started",
            evse=1,
            token=CARD,
            reservationId=5,
            meterValue=[{"timestamp": AT, "sampledValue": [sample]}],
        )

        assert world.heard()[0] == start(reservationId=5)

    @pytest.mark.parametrize("token", [{"idToken": "", "type": "NoAuthorization"}, {"idToken": "", "type": "Central"}])
    async def test_without_authorization_begins_under_the_default_tag(self, world: "World", token: Json) -> None:
        answer = await world.event("Started", evse=1, token=token, wh=1000)

        assert world.heard()[0] == start(idTag="VOLTGATE")
        assert answer == ACCEPTED

    async def test_a_backend_that_does_not_know_the_default_tag_is_noted(self, world: "World") -> None:
        world.backend.answers["StartTransaction"] = conf("Invalid")

        answer = await world.event("Started", evse=1, token={"idToken": "", "type": "NoAuthorization"}, wh=1000)

        assert answer == {"idTokenInfo": {"status": "Invalid"}}
        assert "VOLTGATE" in world.notes["default-tag"]

    async def test_a_long_token_has_an_alias(self, world: "World") -> None:
        await world.event("Started", evse=1, token={"idToken": "x" * 36, "type": "Central"}, wh=1000)

        assert world.heard()[0] == start(idTag=alias_of("x" * 36))

    async def test_the_remote_start_it_names_gives_the_token(self, world: "World") -> None:
        await world.status(1, "Available")
        await world.from_backend("RemoteStartTransaction", {"idTag": CARD, "connectorId": 1})
        ((_, request),) = world.heard("station")

        answer = await world.event("Started", trigger="RemoteStart", evse=1, remote=request["remoteStartId"], wh=1000)

        assert world.heard()[0] == start()
        assert answer == {}
        assert world.books.page(Page.REMOTE_STARTS) == {}
        assert world.books.transactions["TX-1"].remote_start_id == request["remoteStartId"]

    async def test_without_a_register_the_evses_last_one_counts(self, world: "World") -> None:
        meter_value = [{"timestamp": AT, "sampledValue": [{"value": 1000}]}]
        await world.from_station("MeterValues", {"evseId": 1, "meterValue": meter_value})
        world.dialogue.clear()

        await world.event("Started", evse=1, token=CARD)

        assert world.heard()[0] == start()

    async def test_without_any_register_it_is_0_and_noted(self, world: "World") -> None:
        await world.event("Started", evse=1, token=CARD)

        assert world.heard()[0] == start(meterStart=0)
        assert "TxStartedMeasurands" in world.notes["meter-start"]

    async def test_an_evse_without_connector(self, world: "World") -> None:
        await world.status(2, "Available", connector=1)
        await world.status(2, "Occupied", connector=2)
        world.dialogue.clear()

        await world.event("Started", evse={"id": 2}, token=CARD, wh=1000)

        assert world.heard()[0] == start(connectorId=3)

    @pytest.mark.parametrize("refusal", ["Blocked", "Expired", "Invalid", "ConcurrentTx"])
    async def test_a_refused_token_is_told_in_the_answer(self, world: "World", refusal: str) -> None:
        world.backend.answers["StartTransaction"] = conf(refusal)

        answer = await world.event("Started", evse=1, token=CARD, wh=1000)

        assert answer == {"idTokenInfo": {"status": refusal}}
        assert world.actions("station") == []
        assert world.books.transactions["TX-1"].deauthorized

    async def test_a_refused_token_that_the_event_did_not_carry_is_stopped_by_command(self, world: "World") -> None:
        await world.event("Started", 0, trigger="Authorized", token=CARD)
        world.backend.answers["StartTransaction"] = conf("Blocked")
        world.station.answers["RequestStopTransaction"] = {"status": "Rejected"}

        assert await world.event("Updated", 1, trigger="CablePluggedIn", evse=1, state="EVConnected") == {}
        assert world.heard("station") == [("RequestStopTransaction", {"transactionId": "TX-1"})]
        assert "refused-start" in world.notes

        world.station.answers["RequestStopTransaction"] = {"status": "Accepted"}
        await world.event("Updated", 2, state="Charging", trigger="ChargingStateChanged")
        assert world.actions("station") == ["RequestStopTransaction"]

        await world.event("Updated", 3, wh=1100)
        await world.event("Ended", 4, wh=1200)
        assert world.actions("station") == []

    async def test_the_end_of_a_refused_transaction_needs_no_command(self, world: "World") -> None:
        await world.event("Started", 0, trigger="Authorized", token=CARD)
        world.backend.answers["StartTransaction"] = conf("Blocked")
        world.station.up = False
        await world.event("Updated", 1, trigger="CablePluggedIn", evse=1)
        world.station.up = True

        await world.event("Ended", 2, wh=1200)

        assert world.actions("station") == []
        assert world.books.page(Page.TO_STOP) == {}

    async def test_a_backend_that_will_not_have_it_is_asked_for_the_token_alone(self, world: "World") -> None:
        world.ledger.refuses_start = True
        world.backend.answers["Authorize"] = {"idTagInfo": {"status": "Blocked"}}

        assert await world.event("Started", evse=1, token=CARD, wh=1000) == {"idTokenInfo": {"status": "Blocked"}}

        await world.event("Ended", 1, wh=1100)
        assert [p["transactionId"] for a, p in world.heard() if a == "StopTransaction"] == [-1]


class TestHeld:
    async def test_is_persisted_and_only_its_status_is_told(self, world: "World") -> None:
        await world.status(1, "Available")
        world.dialogue.clear()

        await world.event("Started", 0, trigger="CablePluggedIn", evse=1, state="EVConnected", wh=1000)

        assert world.heard() == [status(1, "Preparing")]
        assert [tx.station_tx for tx in world.ledger.held] == ["TX-1"]
        assert world.books.transactions["TX-1"].state is TransactionState.HELD

    async def test_a_refused_token_is_forgotten_and_another_one_taken(self, world: "World") -> None:
        world.backend.answers["Authorize"] = {"idTagInfo": {"status": "Blocked"}}
        assert await world.event("Started", 0, trigger="Authorized", token="BAD") == {
            "idTokenInfo": {"status": "Blocked"}
        }
        await world.event("Updated", 1, trigger="CablePluggedIn", evse=1, wh=1000)
        assert world.actions() == ["Authorize", "MeterValues", "StatusNotification"]

        assert await world.event("Updated", 2, trigger="Authorized", token=CARD) == ACCEPTED

        assert world.heard()[0] == start()

    async def test_an_unjudged_token_is_kept(self, world: "World") -> None:
        world.backend.up = False
        assert await world.event("Started", 0, trigger="Authorized", token=CARD) == {}
        world.backend.up = True

        await world.event("Updated", 1, trigger="CablePluggedIn", evse=1, wh=1000)

        assert world.heard()[0] == start()

    async def test_a_started_event_that_comes_late_gives_time_and_register(self, world: "World") -> None:
        await world.event("Updated", 1, at="2026-05-01T09:05:00Z", evse=1, wh=1100, state="EVConnected")
        assert "unseen-start" in world.notes

        await world.event("Started", 0, wh=1000, token=CARD, state="Idle")

        assert world.heard()[-1] == start()
        assert world.books.transactions["TX-1"].charging_state == "EVConnected"
        assert world.books.transactions["TX-1"].last_register == 1100


class TestStatuses:
    @pytest.mark.parametrize(
        ("steps", "expected"),
        [
            (["Charging", "SuspendedEV", "Charging"], ["Charging", "SuspendedEV", "Charging"]),
            (["Charging", "SuspendedEVSE"], ["Charging", "SuspendedEVSE"]),
            (["Charging", "EVConnected"], ["Charging", "SuspendedEVSE"]),
            (["Charging", "Charging"], ["Charging"]),
        ],
    )
    async def test_follow_the_charging_state(self, world: "World", steps: list[str], expected: list[str]) -> None:
        await world.event("Started", 0, evse=1, token=CARD, wh=1000, state="EVConnected")
        assert [p["status"] for _, p in world.heard()[1:]] == ["Preparing"]

        for number, state in enumerate(steps, 1):
            await world.event("Updated", number, trigger="ChargingStateChanged", state=state)

        assert [payload["status"] for _, payload in world.heard()] == expected

    async def test_of_an_old_event_do_not_deny_the_present(self, world: "World") -> None:
        await world.status(1, "Available")
        world.dialogue.clear()

        await world.event("Started", 0, evse=1, token=CARD, wh=1000, state="Charging", offline=True)
        await world.event("Ended", 1, wh=1500, state="EVConnected", offline=True)

        assert world.actions() == ["StartTransaction", "StopTransaction"]

    async def test_the_other_connector_is_blocked_meanwhile(self, world: "World") -> None:
        await world.status(1, "Available", connector=1)
        await world.status(1, "Available", connector=2)
        world.dialogue.clear()

        await world.event("Started", 0, evse=1, token=CARD, wh=1000, state="Charging")
        await world.event("Ended", 1, wh=1500)
        await world.status(1, "Available", connector=1)

        told = [(p["connectorId"], p["status"]) for a, p in world.heard() if a == "StatusNotification"]
        assert told == [(1, "Charging"), (2, "Unavailable"), (1, "Finishing"), (1, "Available"), (2, "Available")]


async def test_a_bad_message_changes_nothing(world: "World", new_event: Callable[..., Json]) -> None:
    bad = new_event("Started", evse=1, token=CARD, meterValue=[{"timestamp": "noon", "sampledValue": [{"value": 1}]}])

    with pytest.raises(CallError):
        await world.bridge.from_station("TransactionEvent", bad)

    assert world.books.transactions == {}
    assert world.heard() == []


async def test_the_last_answers_are_known_again_and_those_of_all_that_run(world: "World") -> None:
    world.backend.answers["StartTransaction"] = conf("ConcurrentTx")
    refused = await world.event("Started", 0, tx="refused", token=CARD)
    world.backend.answers["StartTransaction"] = conf("Accepted", 1002)
    for number in range(ANSWERS_MAX + 1):
        await world.event("Started", 0, tx=f"TX-{number}", token=CARD)
    for number in range(ANSWERS_MAX + 1):
        await world.event("Ended", 1, tx=f"TX-{number}")
    await world.event("Started", 0, tx="another", token=CARD)
    world.heard()

    assert await world.event("Started", 0, tx="refused", token=CARD) == refused
    for number in range(1, ANSWERS_MAX + 1):
        assert await world.event("Started", 0, tx=f"TX-{number}", token=CARD) == ACCEPTED
    assert "TX-0" not in world.context.memory.answers
    assert world.heard() == []
