"""What the backend commands, as dialogues."""

import itertools
from typing import TYPE_CHECKING

import pytest

from gateway.bridge.books import Json, Page, Transaction, TransactionState
from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.v201_v16 import remote_control
from gateway.bridge.v201_v16.tokens import tag_for
from gateway.wire.errors import CallError, ErrorCode

if TYPE_CHECKING:
    from tests.bridge.v201_v16.conftest import World

CARD = "04A2B3C4"
NOW_ID = 41_947_200
"""remoteStartId at the test clock's time: 485.5 days of seconds since 2025."""
SILENCE = PeerUnavailable("gone")
CALLERROR = CallError(ErrorCode.INTERNAL_ERROR, "broken")
PROFILE: Json = {
    "chargingProfileId": 7,
    "stackLevel": 1,
    "chargingProfilePurpose": "TxProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.1}]},
}


@pytest.fixture
async def two_evses(world: "World") -> "World":
    await world.status(1, "Available")
    await world.status(2, "Available")
    world.dialogue.clear()
    return world


class TestRemoteStart:
    @pytest.mark.parametrize(
        ("id_tag", "kind"),
        [(CARD, "ISO14443"), ("E004015012345678", "ISO15693"), ("DEABCC12345678", "eMAID"), ("app-17", "Central")],
    )
    async def test_says_the_token_with_its_type(self, world: "World", id_tag: str, kind: str) -> None:
        assert await world.from_backend("RemoteStartTransaction", {"idTag": id_tag}) == {"status": "Accepted"}

        assert world.heard("station") == [
            ("RequestStartTransaction", {"idToken": {"idToken": id_tag, "type": kind}, "remoteStartId": NOW_ID})
        ]
        assert world.books.page(Page.REMOTE_STARTS) == {str(NOW_ID): id_tag}

    @pytest.mark.parametrize(("number", "evse_id"), [(1, 1), (2, 2), (0, None)])
    async def test_on_a_station_that_has_reported_no_connector_yet(
        self, world: "World", number: int, evse_id: int | None
    ) -> None:
        payload = {"idTag": CARD, "connectorId": number}

        answer = await world.from_backend("RemoteStartTransaction", payload)

        assert answer == {"status": "Rejected" if evse_id is None else "Accepted"}
        assert [asked["evseId"] for _, asked in world.heard("station")] == ([] if evse_id is None else [evse_id])

    async def test_of_an_alias_says_the_token_behind_it(self, world: "World") -> None:
        token = {"idToken": "a-token-of-more-than-20", "type": "Local"}
        alias = tag_for(world.context, token)

        await world.from_backend("RemoteStartTransaction", {"idTag": alias})

        assert world.heard("station")[0][1]["idToken"] == token

    async def test_on_a_connector_goes_to_its_evse(self, two_evses: "World") -> None:
        await two_evses.from_backend("RemoteStartTransaction", {"idTag": CARD, "connectorId": 2})

        assert two_evses.heard("station")[0][1]["evseId"] == 2

    @pytest.mark.parametrize("number", [0, 3, -1])
    async def test_on_a_connector_that_there_is_not(self, two_evses: "World", number: int) -> None:
        answer = await two_evses.from_backend("RemoteStartTransaction", {"idTag": CARD, "connectorId": number})

        assert answer == {"status": "Rejected"}
        assert two_evses.heard("station") == []

    async def test_ids_are_never_used_twice(self, world: "World") -> None:
        for _ in range(3):
            await world.from_backend("RemoteStartTransaction", {"idTag": CARD})

        ids = [request["remoteStartId"] for _, request in world.heard("station")]
        assert ids == [NOW_ID, NOW_ID + 1, NOW_ID + 2]

    @pytest.mark.parametrize(
        ("outcome", "remembered"), [({"status": "Rejected"}, False), (CALLERROR, False), (SILENCE, True)]
    )
    async def test_that_the_station_does_not_accept(
        self, world: "World", outcome: Json | Exception, remembered: bool
    ) -> None:
        world.station.answers["RequestStartTransaction"] = outcome

        answer = await world.from_backend("RemoteStartTransaction", {"idTag": CARD})

        assert answer == {"status": "Rejected"}
        assert bool(world.books.page(Page.REMOTE_STARTS)) is remembered

    async def test_of_a_transaction_that_has_begun_already(self, world: "World") -> None:
        await world.event("Started", 0, trigger="CablePluggedIn", evse=1, wh=1000)
        world.station.answers["RequestStartTransaction"] = {"status": "Accepted", "transactionId": "TX-1"}

        await world.from_backend("RemoteStartTransaction", {"idTag": CARD, "connectorId": 1})
        await world.event("Updated", 1, trigger="RemoteStart", remote=NOW_ID)

        assert [p["idTag"] for a, p in world.heard() if a == "StartTransaction"] == [CARD]

    async def test_the_ones_still_open_are_bounded(self, world: "World", monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(remote_control, "REMOTE_STARTS_MAX", 2)
        for name in ("a", "b", "c"):
            await world.from_backend("RemoteStartTransaction", {"idTag": name})

        assert list(world.books.page(Page.REMOTE_STARTS).values()) == ["b", "c"]


class TestProfile:
    """How a profile is translated stands in test_charging_profiles.py."""

    async def test_of_a_remote_start_goes_along(self, two_evses: "World") -> None:
        profile = {**PROFILE, "transactionId": 5, "validFrom": "2026-05-01T10:00:00+02:00"}

        await two_evses.from_backend(
            "RemoteStartTransaction", {"idTag": CARD, "connectorId": 2, "chargingProfile": profile}
        )

        assert two_evses.heard("station")[0][1]["chargingProfile"] == {
            "id": 7,
            "stackLevel": 1,
            "chargingProfilePurpose": "TxProfile",
            "chargingProfileKind": "Relative",
            "validFrom": "2026-05-01T08:00:00Z",
            "chargingSchedule": [{"id": 7, **PROFILE["chargingSchedule"]}],
        }
        assert two_evses.pages[Page.CHARGING_PROFILES] == {
            "7": {"evseId": 2, "chargingProfilePurpose": "TxProfile", "stackLevel": 1, "remoteStartId": NOW_ID}
        }

    @pytest.mark.parametrize("outcome", [{"status": "Rejected"}, CALLERROR, SILENCE])
    async def test_of_a_remote_start_that_the_station_does_not_accept(
        self, world: "World", outcome: Json | Exception
    ) -> None:
        world.station.answers["RequestStartTransaction"] = outcome

        await world.from_backend("RemoteStartTransaction", {"idTag": CARD, "chargingProfile": PROFILE})

        assert world.books.page(Page.CHARGING_PROFILES) == {}

    @pytest.mark.parametrize(
        "wrong",
        [
            {"chargingProfilePurpose": "ChargePointMaxProfile"},
            {"chargingProfilePurpose": "TxDefaultProfile"},
            {"validTo": "tomorrow"},
        ],
    )
    async def test_that_is_none_for_a_transaction_is_rejected(self, world: "World", wrong: Json) -> None:
        profile = {**PROFILE, **wrong}

        answer = await world.bridge.from_backend("RemoteStartTransaction", {"idTag": CARD, "chargingProfile": profile})

        assert answer == {"status": "Rejected"}
        assert world.heard("station") == []


class TestRemoteStop:
    async def test_names_the_stations_own_transaction(self, world: "World") -> None:
        await world.event("Started", evse=1, token=CARD, wh=1000)

        assert await world.from_backend("RemoteStopTransaction", {"transactionId": 1001}) == {"status": "Accepted"}
        assert world.heard("station") == [("RequestStopTransaction", {"transactionId": "TX-1"})]

    @pytest.mark.parametrize("outcome", [{"status": "Rejected"}, CALLERROR, SILENCE])
    async def test_that_the_station_does_not_accept(self, world: "World", outcome: Json | Exception) -> None:
        await world.event("Started", evse=1, token=CARD, wh=1000)
        world.station.answers["RequestStopTransaction"] = outcome

        assert await world.from_backend("RemoteStopTransaction", {"transactionId": 1001}) == {"status": "Rejected"}

    @pytest.mark.parametrize("number", [1002, -1, 0])
    async def test_of_an_unknown_transaction_does_not_reach_the_station(self, world: "World", number: int) -> None:
        await world.event("Started", evse=1, token=CARD, wh=1000)

        assert await world.from_backend("RemoteStopTransaction", {"transactionId": number}) == {"status": "Rejected"}
        assert world.heard("station") == []

    async def test_of_one_that_is_over(self, world: "World") -> None:
        await world.event("Started", 0, evse=1, token=CARD, wh=1000)
        await world.event("Ended", 1, wh=1100)

        assert await world.from_backend("RemoteStopTransaction", {"transactionId": 1001}) == {"status": "Rejected"}

    async def test_of_a_number_that_the_backend_used_twice_means_the_running_one(self, world: "World") -> None:
        world.books.transactions = {
            "old": Transaction("old", TransactionState.ENDED, backend_tx=1),
            "lost": Transaction("lost", TransactionState.OPEN, backend_tx=1),
            "new": Transaction("new", TransactionState.OPEN, backend_tx=1),
        }

        await world.from_backend("RemoteStopTransaction", {"transactionId": 1})

        assert world.heard("station") == [("RequestStopTransaction", {"transactionId": "new"})]


class TestReset:
    @pytest.mark.parametrize(("kind", "said"), [("Hard", "Immediate"), ("Soft", "OnIdle")])
    @pytest.mark.parametrize(
        ("outcome", "expected"),
        [
            ({"status": "Accepted"}, "Accepted"),
            ({"status": "Scheduled"}, "Accepted"),
            ({"status": "Rejected"}, "Rejected"),
            (CALLERROR, "Rejected"),
            (SILENCE, "Rejected"),
        ],
    )
    async def test_as_a_table(
        self, world: "World", kind: str, said: str, outcome: Json | Exception, expected: str
    ) -> None:
        world.station.answers["Reset"] = outcome

        assert await world.from_backend("Reset", {"type": kind}) == {"status": expected}
        assert world.heard("station") == [("Reset", {"type": said})]
        assert world.context.memory.soft_reset is (expected == "Accepted" and kind == "Soft")

    async def test_a_hard_one_overtakes_a_soft_one(self, world: "World") -> None:
        await world.from_backend("Reset", {"type": "Soft"})
        await world.from_backend("Reset", {"type": "Hard"})

        assert not world.context.memory.soft_reset


class TestUnlock:
    @pytest.mark.parametrize(
        ("outcome", "expected"),
        [
            ({"status": "Unlocked"}, "Unlocked"),
            ({"status": "UnlockFailed"}, "UnlockFailed"),
            ({"status": "OngoingAuthorizedTransaction"}, "UnlockFailed"),
            ({"status": "UnknownConnector"}, "NotSupported"),
            (CALLERROR, "UnlockFailed"),
            (SILENCE, "UnlockFailed"),
        ],
    )
    async def test_as_a_table(self, two_evses: "World", outcome: Json | Exception, expected: str) -> None:
        two_evses.station.answers["UnlockConnector"] = outcome

        assert await two_evses.from_backend("UnlockConnector", {"connectorId": 2}) == {"status": expected}
        assert two_evses.heard("station") == [("UnlockConnector", {"evseId": 2, "connectorId": 1})]

    @pytest.mark.parametrize("number", [0, 3])
    async def test_of_a_connector_that_there_is_not(self, two_evses: "World", number: int) -> None:
        assert await two_evses.from_backend("UnlockConnector", {"connectorId": number}) == {"status": "NotSupported"}
        assert two_evses.heard("station") == []


class TestTrigger:
    @pytest.mark.parametrize(
        ("asked", "said"),
        [
            ("BootNotification", "BootNotification"),
            ("DiagnosticsStatusNotification", "LogStatusNotification"),
            ("FirmwareStatusNotification", "FirmwareStatusNotification"),
            ("Heartbeat", "Heartbeat"),
            ("MeterValues", "MeterValues"),
        ],
    )
    @pytest.mark.parametrize("status", ["Accepted", "Rejected", "NotImplemented"])
    async def test_as_a_table(self, world: "World", asked: str, said: str, status: str) -> None:
        world.station.answers["TriggerMessage"] = {"status": status}

        assert await world.from_backend("TriggerMessage", {"requestedMessage": asked}) == {"status": status}
        assert world.heard("station") == [("TriggerMessage", {"requestedMessage": said})]

    async def test_on_a_connector(self, two_evses: "World") -> None:
        await two_evses.from_backend("TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 2})

        request = {"requestedMessage": "MeterValues", "evse": {"id": 2, "connectorId": 1}}
        assert two_evses.heard("station") == [("TriggerMessage", request)]

    async def test_on_a_connector_that_there_is_not(self, two_evses: "World") -> None:
        request = {"requestedMessage": "StatusNotification", "connectorId": 9}

        assert await two_evses.from_backend("TriggerMessage", request) == {"status": "Rejected"}
        assert two_evses.heard("station") == []

    @pytest.mark.parametrize("more", [{}, {"connectorId": 0}])
    async def test_of_every_status(self, two_evses: "World", more: Json) -> None:
        answer = await two_evses.from_backend("TriggerMessage", {"requestedMessage": "StatusNotification", **more})

        assert answer == {"status": "Accepted"}
        assert [request["evse"] for _, request in two_evses.heard("station")] == [
            {"id": 1, "connectorId": 1},
            {"id": 2, "connectorId": 1},
        ]

    @pytest.mark.parametrize(
        ("first", "second", "expected"),
        [
            *((a, b, "Accepted") for a, b in itertools.permutations(["Accepted", "Rejected"])),
            ("NotImplemented", "Rejected", "Rejected"),
            ("NotImplemented", "NotImplemented", "NotImplemented"),
        ],
    )
    async def test_of_every_status_is_as_good_as_its_best(
        self, two_evses: "World", first: str, second: str, expected: str
    ) -> None:
        statuses = iter([first, second])
        two_evses.station.answers["TriggerMessage"] = lambda _: {"status": next(statuses)}

        answer = await two_evses.from_backend("TriggerMessage", {"requestedMessage": "StatusNotification"})

        assert answer == {"status": expected}

    async def test_of_every_status_ends_with_a_station_that_does_not_answer(self, two_evses: "World") -> None:
        two_evses.station.answers["TriggerMessage"] = SILENCE

        answer = await two_evses.from_backend("TriggerMessage", {"requestedMessage": "StatusNotification"})

        assert answer == {"status": "Rejected"}
        assert two_evses.actions("station") == ["TriggerMessage"]

    async def test_of_every_status_without_connectors(self, world: "World") -> None:
        answer = await world.from_backend("TriggerMessage", {"requestedMessage": "StatusNotification"})

        assert answer == {"status": "Rejected"}

    @pytest.mark.parametrize("outcome", [CALLERROR, SILENCE])
    async def test_that_the_station_does_not_answer(self, world: "World", outcome: Exception) -> None:
        world.station.answers["TriggerMessage"] = outcome

        answer = await world.from_backend("TriggerMessage", {"requestedMessage": "DiagnosticsStatusNotification"})

        assert answer == {"status": "Rejected"}
        assert not world.context.memory.diagnostics_asked


class TestExtendedTrigger:
    @pytest.mark.parametrize(
        "asked",
        ["BootNotification", "FirmwareStatusNotification", "Heartbeat", "LogStatusNotification", "MeterValues"],
    )
    @pytest.mark.parametrize("status", ["Accepted", "Rejected", "NotImplemented"])
    async def test_as_a_table(self, known_world: "World", asked: str, status: str) -> None:
        known_world.station.answers["TriggerMessage"] = {"status": status}

        answer = await known_world.from_backend("ExtendedTriggerMessage", {"requestedMessage": asked})

        assert answer == {"status": status}
        assert known_world.heard("station") == [("TriggerMessage", {"requestedMessage": asked})]
        waits = (known_world.context.memory.log_asked, known_world.context.memory.firmware_asked)
        is_told = status == "Accepted"
        assert waits == (
            is_told and asked == "LogStatusNotification",
            is_told and asked == "FirmwareStatusNotification",
        )

    async def test_of_a_status_of_a_connector(self, known_world: "World") -> None:
        await known_world.status(1, "Available")
        known_world.dialogue.clear()

        asked = {"requestedMessage": "StatusNotification", "connectorId": 1}
        assert await known_world.from_backend("ExtendedTriggerMessage", asked) == {"status": "Accepted"}

        request = {"requestedMessage": "StatusNotification", "evse": {"id": 1, "connectorId": 1}}
        assert known_world.heard("station") == [("TriggerMessage", request)]

    async def test_of_a_certificate_is_not_the_backends_business(self, known_world: "World") -> None:
        answer = await known_world.from_backend(
            "ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"}
        )

        assert answer == {"status": "NotImplemented"}
        assert [kind for kind, _ in known_world.reports] == ["ReconfigurationOfSecurityParameters"]
        assert known_world.dialogue == []

    @pytest.mark.parametrize("outcome", [CALLERROR, SILENCE])
    async def test_that_the_station_does_not_answer(self, known_world: "World", outcome: Exception) -> None:
        known_world.station.answers["TriggerMessage"] = outcome

        answer = await known_world.from_backend("ExtendedTriggerMessage", {"requestedMessage": "LogStatusNotification"})

        assert answer == {"status": "Rejected"}
        assert not known_world.context.memory.log_asked
