"""The device model: guarded variables aren't set, secrets aren't told, and the order of the results is the items'."""

from typing import TYPE_CHECKING, Any

import pytest

from gateway.bridge.books import Json
from gateway.bridge.ports import DOWNGRADE, RECONFIGURATION, PeerUnavailable
from gateway.bridge.v201_v201.variables import shown_events, shown_report

if TYPE_CHECKING:
    from tests.bridge.v201_v201.conftest import World

HEARTBEAT = ("OCPPCommCtrlr", "HeartbeatInterval")
PASSWORD = ("SecurityCtrlr", "BasicAuthPassword")
PRIORITY = ("OCPPCommCtrlr", "NetworkConfigurationPriority")
RATE = ("SmartChargingCtrlr", "Enabled")


def named(name: tuple[str, str], **fields: Any) -> Json:
    return {"component": {"name": name[0]}, "variable": {"name": name[1]}, **fields}


def setting(name: tuple[str, str], value: str = "1", **fields: Any) -> Json:
    return named(name, attributeValue=value, **fields)


def set_answer(request: Json) -> Json:
    kept = ("attributeType", "component", "variable")
    return {
        "setVariableResult": [
            {"attributeStatus": "Accepted", **{name: item[name] for name in kept if name in item}}
            for item in request["setVariableData"]
        ]
    }


def get_answer(request: Json) -> Json:
    return {
        "getVariableResult": [
            {"attributeStatus": "Accepted", "attributeValue": "told", **item} for item in request["getVariableData"]
        ]
    }


def statuses(results: list[Json]) -> list[tuple[str, str]]:
    return [(result["variable"]["name"], result["attributeStatus"]) for result in results]


async def test_what_is_not_guarded_passes_as_it_is(world: "World") -> None:
    world.station.answers["SetVariables"] = set_answer
    request = {"setVariableData": [setting(HEARTBEAT, attributeType="Target"), setting(RATE)]}
    assert await world.from_backend("SetVariables", request) == set_answer(request)
    assert world.heard("station") == [("SetVariables", request)]
    assert world.reports == []


async def test_guarded_items_are_rejected_in_their_places_and_the_others_go_to_the_station(world: "World") -> None:
    world.station.answers["SetVariables"] = set_answer
    items = [
        setting(PASSWORD, "s3cret-s3cret-s3cret", attributeType="Actual"),
        setting(HEARTBEAT, "60"),
        setting(PRIORITY, "2,1"),
        setting(RATE, "true"),
    ]
    answer = await world.from_backend("SetVariables", {"setVariableData": items})
    assert world.heard("station") == [("SetVariables", {"setVariableData": [items[1], items[3]]})]
    assert statuses(answer["setVariableResult"]) == [
        ("BasicAuthPassword", "Rejected"),
        ("HeartbeatInterval", "Accepted"),
        ("NetworkConfigurationPriority", "Rejected"),
        ("Enabled", "Accepted"),
    ]
    assert answer["setVariableResult"][0]["attributeType"] == "Actual"
    assert [kind for kind, _ in world.reports] == [RECONFIGURATION, RECONFIGURATION]
    assert "s3cret" not in str(world.reports)


async def test_where_all_are_guarded_the_station_is_not_asked(world: "World") -> None:
    items = [setting(("securityctrlr ", "securityprofile"), "1"), setting(("NetworkConfiguration", "OcppCsmsUrl"))]
    answer = await world.from_backend("SetVariables", {"setVariableData": items})
    assert statuses(answer["setVariableResult"]) == [("securityprofile", "Rejected"), ("OcppCsmsUrl", "Rejected")]
    assert world.dialogue == []
    assert [kind for kind, _ in world.reports] == [DOWNGRADE, RECONFIGURATION]


@pytest.mark.parametrize("count", [1, 3])
async def test_a_station_that_answers_for_fewer_or_more_is_quoted(world: "World", count: int) -> None:
    result = named(HEARTBEAT, attributeStatus="Accepted")
    world.station.answers["SetVariables"] = {"setVariableResult": [result] * count}
    items = [setting(HEARTBEAT), setting(PASSWORD), setting(RATE)]
    answer = await world.from_backend("SetVariables", {"setVariableData": items})
    got = [status for _, status in statuses(answer["setVariableResult"])]
    assert got == ["Accepted", "Rejected", *["Accepted"] * (count - 1)]


async def test_a_station_that_is_away_is_not_spoken_for(world: "World") -> None:
    world.station.up = False
    with pytest.raises(PeerUnavailable):
        await world.from_backend("SetVariables", {"setVariableData": [setting(PASSWORD), setting(RATE)]})


async def test_secrets_are_not_asked_for(world: "World") -> None:
    world.station.answers["GetVariables"] = get_answer
    items = [named(HEARTBEAT), named(PASSWORD, attributeType="Actual"), named(("SecurityCtrlr", "SecurityProfile"))]
    answer = await world.from_backend("GetVariables", {"getVariableData": items})
    assert world.heard("station") == [("GetVariables", {"getVariableData": [items[0], items[2]]})]
    told = answer["getVariableResult"]
    assert [(each["attributeStatus"], each.get("attributeValue")) for each in told] == [
        ("Accepted", "told"),
        ("Rejected", None),
        ("Accepted", "told"),
    ]


async def test_only_secrets_and_no_question(world: "World") -> None:
    answer = await world.from_backend("GetVariables", {"getVariableData": [named(PASSWORD)]})
    assert statuses(answer["getVariableResult"]) == [("BasicAuthPassword", "Rejected")]
    assert world.dialogue == []


async def test_a_secret_that_nobody_asked_for_is_withheld(world: "World") -> None:
    told = {"attributeStatus": "Accepted", "attributeValue": "s3cret", **named(PASSWORD)}
    world.station.answers["GetVariables"] = {"getVariableResult": [told]}
    answer = await world.from_backend("GetVariables", {"getVariableData": [named(HEARTBEAT)]})
    assert "s3cret" not in str(answer)


async def test_without_secrets_question_and_answer_pass_as_they_are(world: "World") -> None:
    world.station.answers["GetVariables"] = get_answer
    request = {"getVariableData": [named(HEARTBEAT)]}
    assert await world.from_backend("GetVariables", request) == get_answer(request)


@pytest.mark.parametrize(
    ("name", "attribute", "is_shown"),
    [
        (HEARTBEAT, {"value": "60", "mutability": "ReadWrite"}, True),
        (HEARTBEAT, {"value": "60"}, True),
        (HEARTBEAT, {"value": "60", "mutability": "WriteOnly"}, False),
        (PASSWORD, {"value": "60", "mutability": "ReadWrite"}, False),
        (("Vendor", "AdminPIN"), {"value": "60"}, False),
        (PASSWORD, {"mutability": "WriteOnly"}, True),
    ],
)
def test_what_a_report_shows(name: tuple[str, str], attribute: Json, is_shown: bool) -> None:
    other = named(RATE, variableAttribute=[{"value": "true"}])
    report = {"requestId": 1, "reportData": [other, named(name, variableAttribute=[attribute])]}
    shown = shown_report(report)
    without = {key: value for key, value in attribute.items() if key != "value"}
    assert shown["reportData"] == [other, named(name, variableAttribute=[attribute if is_shown else without])]
    assert (shown is report) is is_shown


def test_an_empty_report() -> None:
    assert shown_report({"requestId": 1}) == {"requestId": 1}


def test_what_an_event_shows() -> None:
    events = {"eventData": [named(PASSWORD, actualValue="s3cret"), named(HEARTBEAT, actualValue="60")]}
    assert [each["actualValue"] for each in shown_events(events)["eventData"]] == ["", "60"]
    harmless = {"eventData": [named(HEARTBEAT, actualValue="60")]}
    assert shown_events(harmless) is harmless
