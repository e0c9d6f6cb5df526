"""Smart charging, as tables and dialogues with a station that keeps the rules of 2.0.1."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.bridge.books import Json, Page, TransactionState
from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.v201_v16.smart_charging import composite_schedule
from gateway.wire.errors import CallError, ErrorCode

if TYPE_CHECKING:
    from tests.bridge.v201_v16.conftest import World

CARD = "04A2B3C4"
SILENCE = PeerUnavailable("gone")
NOT_SUPPORTED = CallError(ErrorCode.NOT_SUPPORTED, "no smart charging")
NOT_IMPLEMENTED = CallError(ErrorCode.NOT_IMPLEMENTED, "what is that")
BROKEN = CallError(ErrorCode.INTERNAL_ERROR, "broken")
ACCEPTED: Json = {"status": "Accepted"}
REJECTED: Json = {"status": "Rejected"}
DUPLICATE: Json = {"status": "Rejected", "statusInfo": {"reasonCode": "DuplicateProfile"}}
PURPOSES = ("TxDefaultProfile", "TxProfile", "ChargePointMaxProfile")


def profile(number: int = 7, purpose: str = "TxDefaultProfile", level: int = 1, **fields: Any) -> Json:
    return {
        "chargingProfileId": number,
        "stackLevel": level,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Relative",
        "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.1}]},
        **fields,
    }


class Charger:
    """The profiles of a 2.0.1 station, which replaces by id and refuses a second one in the same place."""

    def __init__(self, world: "World") -> None:
        self.installed: dict[int, Json] = {}
        world.station.answers |= {"SetChargingProfile": self.set, "ClearChargingProfile": self.clear}

    def set(self, request: Json) -> Json:
        wanted = {"evseId": request["evseId"], **request["chargingProfile"]}
        for number, known in self.installed.items():
            if number != wanted["id"] and (_place(known) == _place(wanted) or _overlaps(known, wanted)):
                return DUPLICATE
        self.installed[wanted["id"]] = wanted
        return ACCEPTED

    def clear(self, request: Json) -> Json:
        named = [number for number, known in self.installed.items() if _is_named(request, known)]
        for number in named:
            del self.installed[number]
        return {"status": "Accepted" if named else "Unknown"}


def _place(installed: Json) -> tuple[Any, ...]:
    owner = installed.get("transactionId") or ("evse", installed["evseId"])
    return installed["chargingProfilePurpose"], installed["stackLevel"], owner


def _overlaps(known: Json, wanted: Json) -> bool:
    """True for a default of the whole station and one of an EVSE, at the same level (K01.FR.52, FR.53)."""
    are_defaults = known["chargingProfilePurpose"] == wanted["chargingProfilePurpose"] == "TxDefaultProfile"
    is_same_level = known["stackLevel"] == wanted["stackLevel"]
    return bool(are_defaults and is_same_level and (known["evseId"] == 0) != (wanted["evseId"] == 0))


def _is_named(request: Json, installed: Json) -> bool:
    if "chargingProfileId" in request:
        return bool(installed["id"] == request["chargingProfileId"])
    return bool(request["chargingProfileCriteria"].items() <= installed.items())


@pytest.fixture
async def charging(world: "World") -> "World":
    """A station with two EVSEs; transaction 1001 (TX-1) runs on the first."""
    await world.status(1, "Available")
    await world.status(2, "Available")
    await world.event("Started", evse=1, token=CARD, wh=1000)
    world.dialogue.clear()
    world.station.answers |= {"SetChargingProfile": ACCEPTED, "ClearChargingProfile": ACCEPTED}
    return world


async def set_profile(world: "World", connector: int, wanted: Json) -> str:
    answer = await world.from_backend("SetChargingProfile", {"connectorId": connector, "csChargingProfiles": wanted})
    return str(answer["status"])


class TestSet:
    @pytest.mark.parametrize(
        ("connector", "purpose", "evse", "said"),
        [
            (0, "ChargePointMaxProfile", 0, "ChargingStationMaxProfile"),
            (0, "TxDefaultProfile", 0, "TxDefaultProfile"),
            (2, "TxDefaultProfile", 2, "TxDefaultProfile"),
            (1, "TxProfile", 1, "TxProfile"),
        ],
    )
    async def test_goes_to_the_evse(
        self, charging: "World", connector: int, purpose: str, evse: int, said: str
    ) -> None:
        assert await set_profile(charging, connector, profile(purpose=purpose)) == "Accepted"

        [(action, request)] = charging.heard("station")
        assert (action, request["evseId"]) == ("SetChargingProfile", evse)
        assert request["chargingProfile"]["chargingProfilePurpose"] == said
        assert request["chargingProfile"].get("transactionId") == ("TX-1" if purpose == "TxProfile" else None)

    @pytest.mark.parametrize("named", [{}, {"transactionId": 1001}])
    async def test_of_a_transaction_names_it_as_the_station_does(self, charging: "World", named: Json) -> None:
        assert await set_profile(charging, 1, profile(purpose="TxProfile", **named)) == "Accepted"

        assert charging.heard("station")[0][1]["chargingProfile"]["transactionId"] == "TX-1"

    async def test_of_another_purpose_names_no_transaction(self, charging: "World") -> None:
        await set_profile(charging, 1, profile(transactionId=1001))

        assert "transactionId" not in charging.heard("station")[0][1]["chargingProfile"]

    @pytest.mark.parametrize(
        ("connector", "wanted"),
        [
            (3, profile()),
            (-1, profile()),
            (1, profile(purpose="ChargePointMaxProfile")),
            (0, profile(purpose="TxProfile")),
            (0, profile(purpose="TxProfile", transactionId=1001)),
            (2, profile(purpose="TxProfile")),
            (2, profile(purpose="TxProfile", transactionId=1001)),
            (1, profile(purpose="TxProfile", transactionId=1002)),
            (1, profile(purpose="TxProfile", transactionId=-1)),
            (1, profile(validFrom="tomorrow")),
            (1, profile(chargingSchedule={"chargingRateUnit": "A", "chargingSchedulePeriod": []})),
        ],
        ids=[
            "unknown connector",
            "negative connector",
            "station's limit on a connector",
            "transaction on no connector",
            "named transaction on no connector",
            "no transaction there",
            "transaction of another connector",
            "unknown transaction",
            "no transaction",
            "unreadable time",
            "no period",
        ],
    )
    async def test_that_does_not_reach_the_station(self, charging: "World", connector: int, wanted: Json) -> None:
        payload = {"connectorId": connector, "csChargingProfiles": wanted}

        assert await charging.bridge.from_backend("SetChargingProfile", payload) == {"status": "Rejected"}
        assert charging.heard("station") == []

    @pytest.mark.parametrize("number", [None, 1001])
    async def test_of_a_transaction_that_is_over(self, charging: "World", number: int | None) -> None:
        await charging.event("Ended", 1, wh=1100)
        charging.dialogue.clear()

        named = {} if number is None else {"transactionId": number}
        assert await set_profile(charging, 1, profile(purpose="TxProfile", **named)) == "Rejected"
        assert charging.heard("station") == []

    async def test_of_a_transaction_that_the_backend_has_not_heard_of_yet(self, charging: "World") -> None:
        await charging.event("Started", tx="TX-2", evse=2, trigger="CablePluggedIn", wh=1000)

        assert charging.books.transactions["TX-2"].state is TransactionState.HELD
        assert await set_profile(charging, 2, profile(purpose="TxProfile")) == "Rejected"

    async def test_on_a_station_that_has_reported_no_connector_yet(self, world: "World") -> None:
        world.station.answers["SetChargingProfile"] = ACCEPTED

        assert await set_profile(world, 2, profile()) == "Accepted"
        assert world.heard("station")[0][1]["evseId"] == 2

    @pytest.mark.parametrize(
        ("outcome", "expected", "is_remembered"),
        [
            (ACCEPTED, "Accepted", True),
            (REJECTED, "Rejected", False),
            (BROKEN, "Rejected", False),
            (NOT_SUPPORTED, "NotSupported", False),
            (NOT_IMPLEMENTED, "NotSupported", False),
            (SILENCE, "Rejected", True),
        ],
    )
    async def test_statuses(
        self, charging: "World", outcome: Json | Exception, expected: str, is_remembered: bool
    ) -> None:
        charging.station.answers["SetChargingProfile"] = outcome

        assert await set_profile(charging, 1, profile()) == expected
        assert ("7" in charging.pages.get(Page.CHARGING_PROFILES, {})) is is_remembered

    async def test_of_one_connector_of_two_says_so_in_the_log(self, charging: "World") -> None:
        await set_profile(charging, 2, profile())
        assert charging.notes == {}

        await charging.status(2, "Available", connector=2)
        await set_profile(charging, 3, profile())
        assert charging.notes.keys() == {"evse-shared"}


class TestReplace:
    @pytest.mark.parametrize(
        ("connector", "purpose"), [(0, "ChargePointMaxProfile"), (0, "TxDefaultProfile"), (1, "TxProfile")]
    )
    async def test_another_id_in_the_same_place(self, charging: "World", connector: int, purpose: str) -> None:
        charger = Charger(charging)
        await set_profile(charging, connector, profile(7, purpose))
        charging.dialogue.clear()

        assert await set_profile(charging, connector, profile(8, purpose)) == "Accepted"

        [(first, cleared), (second, _)] = charging.heard("station")
        assert (first, cleared, second) == ("ClearChargingProfile", {"chargingProfileId": 7}, "SetChargingProfile")
        assert list(charger.installed) == [8]
        assert list(charging.pages[Page.CHARGING_PROFILES]) == ["8"]

    async def test_the_same_id_again_is_one_call_and_no_write(self, charging: "World") -> None:
        Charger(charging)
        await set_profile(charging, 1, profile())
        charging.page_writes.clear()
        charging.dialogue.clear()

        assert await set_profile(charging, 1, profile()) == "Accepted"

        assert charging.actions("station") == ["SetChargingProfile"]
        assert charging.page_writes == []

    async def test_is_known_after_a_restart(self, charging: "World") -> None:
        charger = Charger(charging)
        await set_profile(charging, 2, profile(7))

        charging.restart()
        await set_profile(charging, 2, profile(8))

        assert list(charger.installed) == [8]

    @pytest.mark.parametrize("outcome", [REJECTED, BROKEN, NOT_SUPPORTED])
    async def test_a_refusal_leaves_what_is_true(self, charging: "World", outcome: Json | Exception) -> None:
        await set_profile(charging, 1, profile(7))
        await set_profile(charging, 2, profile(9))
        charging.station.answers["SetChargingProfile"] = outcome

        await set_profile(charging, 1, profile(8))

        assert list(charging.pages[Page.CHARGING_PROFILES]) == ["9"]

    @pytest.mark.parametrize(
        ("outcome", "expected"),
        [(BROKEN, "Rejected"), (SILENCE, "Rejected"), (NOT_IMPLEMENTED, "NotSupported")],
    )
    async def test_nothing_is_set_while_the_old_one_stands(
        self, charging: "World", outcome: Exception, expected: str
    ) -> None:
        await set_profile(charging, 1, profile(7))
        charging.station.answers["ClearChargingProfile"] = outcome
        charging.dialogue.clear()

        assert await set_profile(charging, 1, profile(8)) == expected
        assert charging.actions("station") == ["ClearChargingProfile"]
        assert list(charging.books.page(Page.CHARGING_PROFILES)) == ["7"]

    @pytest.mark.parametrize(("connector", "purpose"), [(0, "ChargePointMaxProfile"), (1, "TxProfile")])
    async def test_one_that_nobody_remembers(self, charging: "World", connector: int, purpose: str) -> None:
        charger = Charger(charging)
        await set_profile(charging, connector, profile(7, purpose))
        charging.books.page(Page.CHARGING_PROFILES).clear()
        charging.dialogue.clear()

        assert await set_profile(charging, connector, profile(8, purpose)) == "Accepted"

        assert charging.actions("station") == ["SetChargingProfile", "ClearChargingProfile", "SetChargingProfile"]
        assert list(charger.installed) == [8]
        assert charging.notes == {}

    async def test_a_default_of_the_whole_station_is_not_cleared_for_one_of_a_connector(
        self, charging: "World"
    ) -> None:
        charging.station.answers |= {"SetChargingProfile": DUPLICATE, "ClearChargingProfile": {"status": "Unknown"}}

        assert await set_profile(charging, 1, profile(8)) == "Rejected"

        assert [request for action, request in charging.heard("station") if action == "ClearChargingProfile"] == [
            {
                "chargingProfileCriteria": {
                    "evseId": 1,
                    "chargingProfilePurpose": "TxDefaultProfile",
                    "stackLevel": 1,
                }
            }
        ]
        assert charging.notes.keys() == {"default-profile-overlap"}

    async def test_a_profile_ends_with_its_transaction(self, charging: "World") -> None:
        Charger(charging)
        await set_profile(charging, 1, profile(7, "TxProfile"))
        await charging.event("Ended", 1, wh=1100)
        await charging.event("Started", tx="TX-2", evse=1, token=CARD, wh=1100)
        charging.dialogue.clear()

        assert await set_profile(charging, 1, profile(8, "TxProfile")) == "Accepted"

        assert charging.actions("station") == ["SetChargingProfile"]
        assert list(charging.pages[Page.CHARGING_PROFILES]) == ["8"]

    async def test_a_transaction_that_ends_while_the_station_is_asked(self, charging: "World") -> None:
        def end(_: Json) -> Json:
            charging.books.transactions["TX-1"].state = TransactionState.STOPPING
            return ACCEPTED

        charging.station.answers["SetChargingProfile"] = end

        assert await set_profile(charging, 1, profile(7, "TxProfile")) == "Accepted"
        assert charging.books.page(Page.CHARGING_PROFILES) == {}

    async def test_the_profile_of_a_remote_start(self, charging: "World") -> None:
        wanted = profile(7, "TxProfile")
        await charging.from_backend(
            "RemoteStartTransaction", {"idTag": CARD, "connectorId": 2, "chargingProfile": wanted}
        )
        [(_, start)] = charging.heard("station")
        await charging.event("Started", tx="TX-2", evse=2, token=CARD, remote=start["remoteStartId"], wh=1000)
        charging.dialogue.clear()

        await set_profile(charging, 2, profile(8, "TxProfile"))

        assert charging.heard("station")[0] == ("ClearChargingProfile", {"chargingProfileId": 7})


class TestClear:
    @pytest.mark.parametrize(
        ("payload", "expected"),
        [
            ({"id": 7}, [{"chargingProfileId": 7}]),
            ({"id": 7, "connectorId": 9, "stackLevel": 1}, [{"chargingProfileId": 7}]),
            (
                {"connectorId": 2, "chargingProfilePurpose": "TxProfile", "stackLevel": 3},
                [{"evseId": 2, "chargingProfilePurpose": "TxProfile", "stackLevel": 3}],
            ),
            (
                {"chargingProfilePurpose": "ChargePointMaxProfile"},
                [{"chargingProfilePurpose": "ChargingStationMaxProfile"}],
            ),
            (
                {},
                [
                    {"chargingProfilePurpose": "ChargingStationMaxProfile"},
                    {"chargingProfilePurpose": "TxDefaultProfile"},
                    {"chargingProfilePurpose": "TxProfile"},
                ],
            ),
            (
                {"stackLevel": 3},
                [
                    {"chargingProfilePurpose": "ChargingStationMaxProfile", "stackLevel": 3},
                    {"chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 3},
                    {"chargingProfilePurpose": "TxProfile", "stackLevel": 3},
                ],
            ),
            (
                {"connectorId": 0},
                [
                    {"evseId": 0, "chargingProfilePurpose": "ChargingStationMaxProfile"},
                    {"evseId": 0, "chargingProfilePurpose": "TxDefaultProfile"},
                ],
            ),
            (
                {"connectorId": 1},
                [
                    {"evseId": 1, "chargingProfilePurpose": "TxDefaultProfile"},
                    {"evseId": 1, "chargingProfilePurpose": "TxProfile"},
                ],
            ),
            ({"connectorId": 3}, []),
            ({"connectorId": -1, "chargingProfilePurpose": "TxProfile"}, []),
        ],
    )
    async def test_what_the_station_is_asked(self, charging: "World", payload: Json, expected: list[Json]) -> None:
        answer = await charging.from_backend("ClearChargingProfile", payload)

        assert answer == {"status": "Accepted" if expected else "Unknown"}
        requests = [asked if "chargingProfileId" in asked else {"chargingProfileCriteria": asked} for asked in expected]
        assert charging.heard("station") == [("ClearChargingProfile", request) for request in requests]

    @pytest.mark.parametrize(
        ("outcomes", "expected", "asked"),
        [
            (["Unknown", "Accepted", "Unknown"], "Accepted", 3),
            (["Unknown", "Unknown", "Unknown"], "Unknown", 3),
            (["Accepted", SILENCE], "Accepted", 2),
            ([SILENCE], "Unknown", 1),
            ([BROKEN], "Unknown", 1),
            ([NOT_SUPPORTED], "Unknown", 1),
        ],
    )
    async def test_of_all_is_as_good_as_its_best(
        self, charging: "World", outcomes: list[str | Exception], expected: str, asked: int
    ) -> None:
        answers = iter(outcomes)

        def answer(_: Json) -> Json:
            outcome = next(answers)
            if isinstance(outcome, Exception):
                raise outcome
            return {"status": outcome}

        charging.station.answers["ClearChargingProfile"] = answer

        assert await charging.from_backend("ClearChargingProfile", {}) == {"status": expected}
        assert len(charging.heard("station")) == asked

    @pytest.mark.parametrize("outcome", ["Accepted", "Unknown"])
    async def test_what_is_not_there_any_more_is_forgotten(self, charging: "World", outcome: str) -> None:
        await set_profile(charging, 2, profile(7))
        await set_profile(charging, 2, profile(8, level=2))
        charging.station.answers["ClearChargingProfile"] = {"status": outcome}

        await charging.from_backend("ClearChargingProfile", {"connectorId": 2, "stackLevel": 2})

        assert list(charging.pages[Page.CHARGING_PROFILES]) == ["7"]


SCHEDULE: Json = {
    "evseId": 2,
    "duration": 600,
    "scheduleStart": "2026-05-01T14:00:00+02:00",
    "chargingRateUnit": "W",
    "chargingSchedulePeriod": [
        {"startPeriod": 0, "limit": 11000.04, "numberPhases": 3, "phaseToUse": 1},
        {"startPeriod": 300, "limit": 3680},
    ],
}


class TestCompositeSchedule:
    @pytest.mark.parametrize(("connector", "evse"), [(0, 0), (2, 2)])
    @pytest.mark.parametrize("unit", [{}, {"chargingRateUnit": "W"}])
    async def test_both_ways(self, charging: "World", connector: int, evse: int, unit: Json) -> None:
        charging.station.answers["GetCompositeSchedule"] = {"status": "Accepted", "schedule": SCHEDULE}

        answer = await charging.from_backend(
            "GetCompositeSchedule", {"connectorId": connector, "duration": 600, **unit}
        )

        assert charging.heard("station") == [("GetCompositeSchedule", {"evseId": evse, "duration": 600, **unit})]
        assert answer == {
            "status": "Accepted",
            "connectorId": connector,
            "scheduleStart": "2026-05-01T12:00:00Z",
            "chargingSchedule": {
                "duration": 600,
                "chargingRateUnit": "W",
                "chargingSchedulePeriod": [
                    {"startPeriod": 0, "limit": 11000.0, "numberPhases": 3},
                    {"startPeriod": 300, "limit": 3680},
                ],
            },
        }

    @pytest.mark.parametrize("connector", [3, -1])
    async def test_of_a_connector_that_there_is_not(self, charging: "World", connector: int) -> None:
        answer = await charging.from_backend("GetCompositeSchedule", {"connectorId": connector, "duration": 600})

        assert answer == {"status": "Rejected"}
        assert charging.heard("station") == []

    @pytest.mark.parametrize(
        ("outcome", "expected"),
        [
            ({"status": "Accepted"}, {"status": "Accepted", "connectorId": 1}),
            ({"status": "Rejected", "schedule": SCHEDULE}, {"status": "Rejected"}),
            (BROKEN, {"status": "Rejected"}),
            (NOT_SUPPORTED, {"status": "Rejected"}),
            (SILENCE, {"status": "Rejected"}),
        ],
    )
    async def test_without_a_schedule(self, charging: "World", outcome: Json | Exception, expected: Json) -> None:
        charging.station.answers["GetCompositeSchedule"] = outcome

        assert await charging.from_backend("GetCompositeSchedule", {"connectorId": 1, "duration": 600}) == expected

    def test_whose_start_cannot_be_read(self) -> None:
        assert composite_schedule({**SCHEDULE, "scheduleStart": "2026-05-01"}, 1) == {"status": "Rejected"}

    @given(limit=st.floats(-1e9, 1e9) | st.integers(-(10**9), 10**9))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_any_limit_fits_1_6(self, fits: Callable[..., Json], limit: float) -> None:
        period = {"startPeriod": 0, "limit": limit}

        answer = composite_schedule({**SCHEDULE, "chargingSchedulePeriod": [period]}, 1)

        fits("v16", "GetCompositeSchedule", answer, response=True)


PLACES = [
    (0, "ChargePointMaxProfile"),
    (0, "TxDefaultProfile"),
    (1, "TxDefaultProfile"),
    (2, "TxDefaultProfile"),
    (1, "TxProfile"),
]
SETS = st.tuples(st.integers(1, 3), st.sampled_from(PLACES), st.integers(0, 1))
CLEARS = st.fixed_dictionaries({"id": st.integers(1, 3)}) | st.fixed_dictionaries(
    {"stackLevel": st.integers(0, 1)},
    optional={"connectorId": st.integers(0, 2), "chargingProfilePurpose": st.sampled_from(PURPOSES)},
)
COMMANDS = st.lists(st.tuples(SETS, st.none() | CLEARS | st.just("forget")), min_size=3, max_size=10)


@given(commands=COMMANDS)
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_station_has_what_a_charge_point_of_1_6_would_have(
    new_world: Callable[..., "World"], commands: list[tuple[Any, Any]]
) -> None:
    """1.6: a profile replaces the one of the same id, and the one of the same purpose, level and connector."""

    async def play() -> None:
        world = new_world()
        charger = Charger(world)
        await world.status(1, "Available")
        await world.status(2, "Available")
        await world.event("Started", evse=1, token=CARD, wh=1000)
        expected: dict[int, tuple[int, str, int]] = {}
        for (number, (connector, purpose), level), then in commands:
            place = (connector, purpose, level)
            cannot_be = any(other != number and _is_overlap(what, place) for other, what in expected.items())
            status = await set_profile(world, connector, profile(number, purpose, level))
            assert status == ("Rejected" if cannot_be else "Accepted")
            if not cannot_be:
                expected = {other: what for other, what in expected.items() if what != place}
                expected[number] = place
            if then == "forget":
                world.books.page(Page.CHARGING_PROFILES).clear()
            elif then is not None:
                answer = await world.from_backend("ClearChargingProfile", then)
                named = [other for other, what in expected.items() if _matches(then, other, what)]
                expected = {other: what for other, what in expected.items() if other not in named}
                assert (answer["status"] == "Accepted") is bool(named)
        assert {
            number: (
                held["evseId"],
                held["chargingProfilePurpose"].replace("ChargingStation", "ChargePoint"),
                held["stackLevel"],
            )
            for number, held in charger.installed.items()
        } == expected

    asyncio.run(play())


def _is_overlap(what: tuple[int, str, int], place: tuple[int, str, int]) -> bool:
    """True where 2.0.1 can't say what 1.6 can: one default for the station, another for a connector (FR.52, FR.53)."""
    return what[1:] == place[1:] and place[1] == "TxDefaultProfile" and (what[0] == 0) != (place[0] == 0)


def _matches(clear: Json, number: int, what: tuple[int, str, int]) -> bool:
    if "id" in clear:
        return bool(clear["id"] == number)
    connector, purpose, level = what
    mine = {"connectorId": connector, "chargingProfilePurpose": purpose, "stackLevel": level}
    return clear.items() <= mine.items()
