"""NotifyEvent: answered here, and what 1.6 gets to know by it."""

from typing import TYPE_CHECKING, Any

import pytest

from gateway.bridge.books import Json, Page
from gateway.bridge.v201_v16.monitoring import error_code, tells_of_problem
from gateway.wire.errors import CallError

if TYPE_CHECKING:
    from tests.bridge.v201_v16.conftest import World

AT = "2026-05-01T08:00:00Z"


def datum(component: str, variable: str, value: str, evse: Json | None = None, at: str = AT, **more: Any) -> Json:
    place: Json = {"name": component}
    if evse is not None:
        place["evse"] = evse
    return {
        "eventId": 1,
        "timestamp": at,
        "trigger": "Delta",
        "actualValue": value,
        "eventNotificationType": "HardWiredNotification",
        "component": place,
        "variable": {"name": variable},
        **more,
    }


async def notify(world: "World", *data: Json) -> Json:
    return await world.from_station("NotifyEvent", {"generatedAt": AT, "seqNo": 0, "eventData": list(data)})


def states(world: "World") -> list[tuple[int, str, str]]:
    return [(payload["connectorId"], payload["status"], payload["errorCode"]) for _, payload in world.heard()]


async def test_the_availability_of_a_connector_is_its_status(world: "World") -> None:
    answer = await notify(
        world,
        datum("Connector", "AvailabilityState", "Occupied", {"id": 1, "connectorId": 1}, at="2026-05-01T08:00:01Z"),
        datum("connector", "availabilitystate", "Available", {"id": 1, "connectorId": 1}),
        datum("Connector", "AvailabilityState", "Available", {"id": 2}),
    )

    assert answer == {}
    assert states(world) == [(1, "Available", "NoError"), (2, "Available", "NoError"), (1, "Preparing", "NoError")]


async def test_what_a_periodic_monitor_repeats_is_no_news(world: "World") -> None:
    await notify(world, datum("Connector", "AvailabilityState", "Occupied", {"id": 1, "connectorId": 1}))
    await notify(world, datum("Connector", "AvailabilityState", "Occupied", {"id": 1, "connectorId": 1}))

    assert states(world) == [(1, "Preparing", "NoError")]


async def test_what_another_backend_has_heard_this_one_has_not(world: "World") -> None:
    """A station that has moved to another backend has been spoken of there, and not here."""
    event = datum("Connector", "AvailabilityState", "Occupied", {"id": 1, "connectorId": 1})
    await notify(world, event)
    world.books.connectors[1, 1].reported = {}
    world.dialogue.clear()

    await notify(world, event)

    assert states(world) == [(1, "Preparing", "NoError")]


async def test_the_availability_of_the_station_is_connector_0(world: "World") -> None:
    await notify(world, datum("ChargingStation", "AvailabilityState", "Unavailable"))
    await notify(world, datum("ChargingStation", "AvailabilityState", "Occupied"))

    assert states(world) == [(0, "Unavailable", "NoError"), (0, "Available", "NoError")]


@pytest.mark.parametrize(
    "element",
    [
        datum("EVSE", "AvailabilityState", "Occupied", {"id": 1}),
        datum("Connector", "AvailabilityState", "Occupied"),
        datum("Connector", "AvailabilityState", "Broken", {"id": 1, "connectorId": 1}),
        datum("TokenReader", "Temperature", "17"),
    ],
    ids=["of an EVSE", "without a place", "no such state", "nothing of concern"],
)
async def test_what_1_6_has_no_place_for(world: "World", element: Json) -> None:
    assert await notify(world, element) == {}
    assert states(world) == []


async def test_a_bad_timestamp_is_refused_before_anything_is_done(world: "World") -> None:
    bad = {**datum("Connector", "AvailabilityState", "Occupied", {"id": 1}), "timestamp": "noon"}

    with pytest.raises(CallError, match=r"eventData\.timestamp"):
        await world.bridge.from_station("NotifyEvent", {"eventData": [datum("RCD", "Tripped", "true"), bad]})

    assert world.pages == {}


async def test_a_problem_explains_the_fault_until_it_is_cleared(world: "World") -> None:
    place = {"id": 1, "connectorId": 1}
    await world.status(1, "Faulted")
    await world.status(2, "Faulted")
    await notify(world, datum("RCD", "Tripped", "true", place, techCode="E" * 50, techInfo="I" * 90))
    assert states(world) == [
        (1, "Faulted", "OtherError"),
        (2, "Faulted", "OtherError"),
        (1, "Faulted", "GroundFailure"),
    ]
    reported = world.books.connectors[1, 1].reported
    assert reported is not None
    assert (reported["vendorErrorCode"], reported["info"]) == ("E" * 50, "I" * 50)

    await notify(world, datum("RCD", "Tripped", "false", place, cleared=True))
    assert states(world) == [(1, "Faulted", "OtherError")]


async def test_a_problem_of_the_station_concerns_every_connector(world: "World") -> None:
    await world.status(1, "Faulted")
    await world.status(2, "Available")
    world.dialogue.clear()

    await notify(world, datum("TokenReader", "Problem", "true"))

    assert states(world) == [(1, "Faulted", "ReaderFailure")]


async def test_what_many_problems_change_is_told_once(world: "World") -> None:
    await world.status(1, "Faulted")
    world.dialogue.clear()
    place = {"id": 1, "connectorId": 1}
    words = ["RCD", "TokenReader", "RCD", "DataLink"]

    await notify(world, *(datum(word, "Problem", "true", place) for word in words))

    assert states(world) == [(1, "Faulted", "WeakSignal")]


async def test_why_a_connector_is_faulted_outlives_a_restart(world: "World") -> None:
    place = {"id": 1, "connectorId": 1}
    await world.status(1, "Faulted")
    await notify(world, datum("RCD", "Tripped", "true", place, techInfo="leak"))
    told = world.heard()[-1]

    world.restart()
    await world.status(1, "Faulted")

    assert world.heard() == [told]
    assert told[1]["errorCode"] == "GroundFailure"


async def test_a_problem_that_is_repeated_costs_no_write(world: "World") -> None:
    for _ in range(3):
        await notify(world, datum("RCD", "Tripped", "true"))

    assert world.page_writes == [Page.FAULTS]


@pytest.mark.parametrize(
    ("component", "tech", "expected"),
    [
        ("ConnectorPlugRetentionLock", "", "ConnectorLockFailure"),
        ("ElectricalFeed", "over voltage on L1", "OverVoltage"),
        ("ElectricalFeed", "UNDERVOLTAGE", "UnderVoltage"),
        ("ElectricalFeed", "", "OtherError"),
        ("OverCurrentProtection", "", "OverCurrentFailure"),
        ("OverCurrentProtectionRecloser", "", "OverCurrentFailure"),
        ("RCD", "", "GroundFailure"),
        ("GroundIsolationProtection", "", "GroundFailure"),
        ("TokenReader", "", "ReaderFailure"),
        ("FiscalMetering", "", "PowerMeterFailure"),
        ("TemperatureSensor", "", "HighTemperature"),
        ("DataLink", "", "WeakSignal"),
        ("ISO15118Ctrlr", "", "EVCommunicationError"),
        ("CPPWMController", "", "EVCommunicationError"),
        ("ConnectedEV", "", "EVCommunicationError"),
        ("PowerContactor", "", "PowerSwitchFailure"),
        ("Controller", "", "InternalError"),
        ("CoolingSystem", "", "OtherError"),
    ],
)
def test_the_error_code_of_a_component(component: str, tech: str, expected: str) -> None:
    assert error_code(datum(component, "Problem", "true", techInfo=tech)) == expected


@pytest.mark.parametrize(
    ("variable", "value", "more", "expected"),
    [
        ("Problem", "true", {}, True),
        ("problem", "TRUE", {}, True),
        ("Tripped", "false", {}, False),
        ("Problem", "true", {"cleared": True}, False),
        ("Temperature", "91", {"trigger": "Alerting"}, True),
        ("Temperature", "40", {"trigger": "Alerting", "cleared": True}, False),
        ("Temperature", "40", {"trigger": "Periodic"}, None),
    ],
)
def test_what_is_a_problem(variable: str, value: str, more: Json, expected: bool | None) -> None:
    assert tells_of_problem(datum("TemperatureSensor", variable, value, **more)) is expected
