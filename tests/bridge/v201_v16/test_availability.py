"""StatusNotification as dialogues: what the station says, what the backend hears, and what it hears later."""

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bridge.books import Books, Connector, Json
from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.v201_v16.availability import present
from gateway.bridge.v201_v16.connectors import plugs
from gateway.wire.errors import CallError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bridge.v201_v16.conftest import World

AT = "2026-05-01T08:00:00Z"


STEPS = (
    *("up", "down", "started", "ended", "deauthorized", "leak", "no leak"),
    *(f"{status} {place}" for status in ("Available", "Occupied", "Faulted") for place in ("1.1", "1.2", "2.1")),
    *("EVConnected", "Charging", "SuspendedEV", "SuspendedEVSE"),
)
"""What may happen to a station: see :func:`take`."""


EVENTS: dict[str, tuple[str, Json]] = {
    "ended": ("Ended", {"trigger": "StopAuthorized", "wh": 9}),
    "deauthorized": ("Updated", {"trigger": "Deauthorized", "state": "EVConnected"}),
}
"""Steps of a running transaction that aren't a mere chargingState."""


async def take(world: "World", step: str, number: int) -> None:
    """One step, the ``number``-th, at its own time."""
    at = f"2026-05-01T08:{number:02}:00Z"
    word, _, place = step.partition(" ")
    running = world.books.transactions.get("TX-1")
    may_go_on = running is not None and not running.is_over
    if word in {"up", "down"}:
        world.backend.up = word == "up"
        if world.backend.up:
            await world.ledger.drain()
            await world.bridge.backend_connected()
    elif word in {"leak", "no"}:
        leak = "true" if word == "leak" else "false"
        event = {
            "eventId": 1,
            "timestamp": at,
            "trigger": "Delta",
            "actualValue": leak,
            "variable": {"name": "Tripped"},
        }
        event.update(component={"name": "RCD"}, eventNotificationType="HardWiredNotification")
        await world.from_station("NotifyEvent", {"generatedAt": at, "seqNo": 0, "eventData": [event]})
    elif place:
        if may_go_on and place == "1.1":
            return  # what hides the transaction's own state hides it from a restart, too
        evse, _, connector = place.partition(".")
        await world.status(int(evse), word, int(connector), at=at)
    elif word == "started":
        if running is None:
            await world.event("Started", number, at=at, token="T", evse=1, trigger="Authorized", wh=0)
    elif may_go_on:
        kind, fields = EVENTS.get(word, ("Updated", {"trigger": "ChargingStateChanged", "state": word}))
        await world.event(kind, number, at=at, **fields)


def to_tell(world: "World") -> list[Json]:
    """Return each connector's state, with its time where the backend has yet to hear it."""
    states = []
    for connector in plugs(world.books):
        state = present(world.context, connector)
        if (connector.reported or {}).get("status") == state["status"]:
            state.pop("timestamp", None)
        states.append(state)
    return states


def told(number: int, status: str, at: str | None = AT, error: str = "NoError") -> tuple[str, Json]:
    payload: Json = {"connectorId": number, "errorCode": error, "status": status}
    return "StatusNotification", payload if at is None else {**payload, "timestamp": at}


@pytest.mark.parametrize(
    ("status", "expected", "error"),
    [
        ("Available", "Available", "NoError"),
        ("Occupied", "Preparing", "NoError"),
        ("Reserved", "Reserved", "NoError"),
        ("Unavailable", "Unavailable", "NoError"),
        ("Faulted", "Faulted", "OtherError"),
    ],
)
async def test_a_status_without_a_transaction(world: "World", status: str, expected: str, error: str) -> None:
    assert await world.status(1, status) == {}

    assert world.heard() == [told(1, expected, error=error)]
    assert world.saved[-1].reported == told(1, expected, error=error)[1]


async def test_a_status_is_relayed_even_when_it_is_not_news(world: "World") -> None:
    await world.status(1, "Available")
    await world.status(1, "Available", at="2026-05-01T08:05:00Z")

    assert world.heard() == [told(1, "Available"), told(1, "Available", "2026-05-01T08:05:00Z")]


async def test_the_other_connector_of_an_evse_in_use_is_unavailable(world: "World") -> None:
    await world.status(1, "Available", connector=1)
    await world.status(1, "Available", connector=2)
    await world.status(2, "Available", connector=1)
    world.dialogue.clear()

    await world.status(1, "Occupied", connector=1, at="2026-05-01T08:05:00Z")
    assert world.heard() == [
        told(1, "Preparing", "2026-05-01T08:05:00Z"),
        told(2, "Unavailable", "2026-05-01T08:05:00Z"),
    ]

    await world.status(1, "Available", connector=1, at="2026-05-01T08:09:00Z")
    assert world.heard() == [
        told(1, "Available", "2026-05-01T08:09:00Z"),
        told(2, "Available", "2026-05-01T08:09:00Z"),
    ]


async def test_0_and_0_is_the_station_itself(world: "World") -> None:
    await world.status(0, "Occupied", connector=0)
    await world.status(0, "Unavailable", connector=0)

    assert world.heard() == [told(0, "Available"), told(0, "Unavailable")]


async def test_a_place_that_can_not_be_changes_nothing(world: "World") -> None:
    with pytest.raises(CallError) as refused:
        await world.status(1, "Available", connector=0)

    assert refused.value.code is ErrorCode.PROPERTY_CONSTRAINT_VIOLATION
    assert world.books.connectors == {}


async def test_a_refusing_backend_is_not_asked_again(world: "World") -> None:
    world.backend.answers["StatusNotification"] = CallError(ErrorCode.INTERNAL_ERROR, "broken")

    assert await world.status(1, "Available") == {}
    await world.bridge.backend_connected()

    assert world.actions() == ["StatusNotification"]
    assert "status-refused" in world.notes


class TestBackendConnected:
    async def test_what_it_missed_is_told_once(self, world: "World") -> None:
        await world.status(1, "Available")
        await world.status(2, "Available")
        world.backend.up = False
        assert await world.status(2, "Unavailable", at="2026-05-01T08:30:00Z") == {}
        world.backend.up = True
        world.dialogue.clear()

        await world.bridge.backend_connected()
        await world.bridge.backend_connected()

        assert world.heard() == [told(2, "Unavailable", "2026-05-01T08:30:00Z")]

    async def test_a_state_that_came_and_went_is_no_news(self, world: "World") -> None:
        await world.status(1, "Available")
        world.backend.up = False
        await world.status(1, "Unavailable")
        await world.status(1, "Available", at="2026-05-01T08:40:00Z")
        world.backend.up = True
        world.dialogue.clear()

        await world.bridge.backend_connected()

        assert world.heard() == []

    async def test_the_order_is_that_of_the_numbers(self, world: "World") -> None:
        world.backend.up = False
        for evse, connector in [(3, 1), (1, 1), (0, 0)]:
            await world.status(evse, "Available", connector=connector)
        world.backend.up = True

        await world.bridge.backend_connected()

        assert world.heard() == [told(0, "Available"), told(1, "Available"), told(3, "Available")]

    async def test_a_backend_that_leaves_again_hears_the_rest_next_time(self, world: "World") -> None:
        world.backend.up = False
        await world.status(1, "Available")
        await world.status(2, "Available")

        await world.bridge.backend_connected()
        assert world.heard() == []
        world.backend.up = True
        await world.bridge.backend_connected()

        assert world.heard() == [told(1, "Available"), told(2, "Available")]

    async def test_of_a_connector_never_spoken_of_there_is_nothing_to_tell(
        self, new_world: "Callable[..., World]"
    ) -> None:
        world = new_world(books=Books(connectors={(1, 1): Connector(1, 1, 1)}))

        await world.bridge.backend_connected()

        assert world.heard() == []

    async def test_after_a_restart_the_saved_state_is_compared(self, new_world: "Callable[..., World]") -> None:
        reported = told(1, "Available")[1]
        connectors = {(1, 1): Connector(1, 1, 1, status="Unavailable", reported=reported)}
        world = new_world(books=Books(connectors=connectors))

        await world.bridge.backend_connected()

        assert world.heard() == [told(1, "Unavailable", at=None)]

    async def test_after_a_restart_finishing_is_still_finishing(self, new_world: "Callable[..., World]") -> None:
        reported = told(1, "Finishing")[1]
        connectors = {(1, 1): Connector(1, 1, 1, status="Occupied", reported=reported)}
        world = new_world(books=Books(connectors=connectors))

        await world.bridge.backend_connected()
        await world.status(1, "Occupied")
        await world.status(1, "Available")
        await world.status(1, "Occupied")

        assert world.heard() == [told(1, "Finishing"), told(1, "Available"), told(1, "Preparing")]


class TestRestart:
    async def test_what_the_backend_has_not_heard_it_hears_afterwards(self, world: "World") -> None:
        world.backend.up = False
        await world.status(1, "Available")
        await world.status(2, "Occupied", at="2026-05-01T08:30:00Z")

        world.restart()
        world.backend.up = True
        await world.bridge.backend_connected()

        assert world.heard() == [told(1, "Available"), told(2, "Preparing", "2026-05-01T08:30:00Z")]

    async def test_an_end_that_the_backend_has_not_heard_of_is_finishing(self, world: "World") -> None:
        await world.status(1, "Occupied")
        await world.event("Started", 0, token="T", evse=1, state="Charging", wh=0)
        world.backend.up = False
        await world.event("Ended", 1, at="2026-05-01T10:00:00Z", trigger="StopAuthorized", wh=9)
        world.dialogue.clear()

        world.restart()
        world.backend.up = True
        await world.bridge.backend_connected()

        assert world.heard() == [told(1, "Finishing", "2026-05-01T10:00:00Z")]

    @given(steps=st.lists(st.sampled_from(STEPS), max_size=12))
    async def test_the_same_states_are_derived_as_before(
        self, new_world: "Callable[..., World]", steps: list[str]
    ) -> None:
        world = new_world()
        for number, step in enumerate(steps, start=1):
            await take(world, step, number)
        before = to_tell(world)

        world.restart()

        assert to_tell(world) == before


class TestHeartbeat:
    async def test_is_relayed(self, world: "World") -> None:
        assert await world.from_station("Heartbeat", {}) == {"currentTime": "2026-05-01T11:59:59Z"}
        assert world.heard() == [("Heartbeat", {})]

    @pytest.mark.parametrize(
        "outcome",
        [
            PeerUnavailable("gone"),
            CallError(ErrorCode.INTERNAL_ERROR),
        ],
    )
    async def test_is_answered_here_when_the_backend_is_away(self, world: "World", outcome: Exception) -> None:
        world.backend.answers["Heartbeat"] = outcome

        assert await world.from_station("Heartbeat", {}) == {"currentTime": "2026-05-01T12:00:00Z"}


class TestChangeAvailability:
    @pytest.mark.parametrize("status", ["Accepted", "Rejected", "Scheduled"])
    async def test_of_one_connector(self, world: "World", status: str) -> None:
        await world.status(2, "Available", connector=1)
        world.dialogue.clear()
        world.station.answers["ChangeAvailability"] = {"status": status}

        answer = await world.from_backend("ChangeAvailability", {"connectorId": 2, "type": "Inoperative"})

        assert answer == {"status": status}
        assert world.heard("station") == [
            ("ChangeAvailability", {"operationalStatus": "Inoperative", "evse": {"id": 2, "connectorId": 1}})
        ]

    async def test_of_the_whole_station(self, world: "World") -> None:
        answer = await world.from_backend("ChangeAvailability", {"connectorId": 0, "type": "Operative"})

        assert answer == {"status": "Accepted"}
        assert world.heard("station") == [("ChangeAvailability", {"operationalStatus": "Operative"})]

    async def test_of_a_connector_that_there_is_not(self, world: "World") -> None:
        answer = await world.from_backend("ChangeAvailability", {"connectorId": 4, "type": "Operative"})

        assert answer == {"status": "Rejected"}
        assert world.heard("station") == []

    async def test_of_a_station_that_is_away(self, world: "World") -> None:
        world.station.up = False

        answer = await world.from_backend("ChangeAvailability", {"connectorId": 0, "type": "Operative"})

        assert answer == {"status": "Rejected"}
