"""What the log may call inexact is on the page, and nothing else is."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from gateway.bridge import v201_v16
from gateway.bridge.v201_v16.inexact import INEXACT

if TYPE_CHECKING:
    from gateway.bridge.books import Json
    from tests.bridge.v201_v16.conftest import World

AT: Final = "2026-05-01T08:00:00Z"
CARD: Final = {"idToken": "04A2B3C4", "type": "ISO14443"}
PROBLEM: Final = {
    "eventId": 1,
    "timestamp": AT,
    "trigger": "Alerting",
    "actualValue": "true",
    "eventNotificationType": "HardWiredNotification",
    "component": {"name": "RCD"},
    "variable": {"name": "Tripped"},
}


def values(**sample: Any) -> "list[Json]":
    """A meterValue."""
    return [{"timestamp": AT, "sampledValue": [{"value": 1, **sample}]}]


def key(name: str, value: str) -> "Json":
    """A ChangeConfiguration.req."""
    return {"key": name, "value": value}


FROM_STATION: "Final[list[tuple[str, Json, str | None]]]" = [
    # action, request, the topic of the note
    ("MeterValues", {"evseId": 1, "meterValue": values()}, None),
    ("MeterValues", {"evseId": 1, "meterValue": values(measurand="Energy.Active.Net")}, "measurand"),
    ("MeterValues", {"evseId": 1, "meterValue": values(unitOfMeasure={"unit": "MWh"})}, "energy-unit"),
    ("Authorize", {"idToken": CARD}, None),
    ("Authorize", {"idToken": CARD, "certificate": "PEM"}, "contract-certificate"),
    ("NotifyEvent", {"generatedAt": AT, "seqNo": 0, "eventData": [{**PROBLEM, "techInfo": "x" * 50}]}, None),
    ("NotifyEvent", {"generatedAt": AT, "seqNo": 0, "eventData": [{**PROBLEM, "techInfo": "x" * 51}]}, "fault-text"),
]
FROM_BACKEND: "Final[list[tuple[str, Json, str | None]]]" = [
    ("GetDiagnostics", {"location": "ftp://x/", "startTime": AT}, None),
    ("GetDiagnostics", {"location": "ftp://x/", "startTime": AT, "stopTime": "0000-01-01T00:00:00Z"}, "log-times"),
    ("ChangeConfiguration", key("MeterValuesSampledData", "SoC,Voltage"), None),
    ("ChangeConfiguration", key("MeterValuesSampledData", "Voltage.L1"), "configuration-measurands"),
    ("ChangeConfiguration", key("StopTxnSampledData", "SoC,Energy.Active.Import.Register"), None),
    ("ChangeConfiguration", key("StopTxnSampledData", "SoC"), "configuration-measurands"),
]


@pytest.mark.parametrize(("action", "request_", "topic"), FROM_STATION)
async def test_what_a_station_says(world: "World", action: str, request_: "Json", topic: str | None) -> None:
    await world.from_station(action, request_)

    assert list(world.notes) == ([] if topic is None else [topic])


@pytest.mark.parametrize(("action", "request_", "topic"), FROM_BACKEND)
async def test_what_a_backend_says(world: "World", action: str, request_: "Json", topic: str | None) -> None:
    world.station.answers |= {"SetVariables": accept_all}
    await world.from_backend(action, request_)

    assert list(world.notes) == ([] if topic is None else [topic])


def accept_all(request: "Json") -> "Json":
    """The answer to SetVariables."""
    named = [{name: datum[name] for name in ("component", "variable")} for datum in request["setVariableData"]]
    return {"setVariableResult": [{**each, "attributeStatus": "Accepted"} for each in named]}


@pytest.mark.parametrize(("id_tag", "topic"), [("04A2B3C4", None), ("1234", "token-type")])
async def test_a_token_of_a_local_list(world: "World", id_tag: str, topic: str | None) -> None:
    world.station.answers["SendLocalList"] = {"status": "Accepted"}
    entry = {"idTag": id_tag, "idTagInfo": {"status": "Accepted"}}
    request = {"listVersion": 1, "updateType": "Full", "localAuthorizationList": [entry]}
    await world.from_backend("SendLocalList", request)

    assert list(world.notes) == ([] if topic is None else [topic])


@pytest.mark.parametrize(("status", "topic"), [("Accepted", None), ("Scheduled", "reset-scheduled")])
async def test_a_reset(world: "World", status: str, topic: str | None) -> None:
    world.station.answers["Reset"] = {"status": status}
    await world.from_backend("Reset", {"type": "Soft"})

    assert list(world.notes) == ([] if topic is None else [topic])


@pytest.mark.parametrize(("letters", "topic"), [(20, None), (21, "boot-vendor")])
async def test_a_vendor(world: "World", letters: int, topic: str | None) -> None:
    station = {"model": "M", "vendorName": "V" * letters}
    await world.bridge.booted({"reason": "PowerUp", "chargingStation": station})

    assert list(world.notes) == ([] if topic is None else [topic])


async def test_measurands_that_1_6_does_not_know_are_left_out_of_a_key(world: "World") -> None:
    def measurands(request: "Json") -> "Json":
        text = "Voltage,Energy.Active.Net"
        return {
            "getVariableResult": [
                {**datum, "attributeStatus": "Accepted", "attributeValue": text} for datum in request["getVariableData"]
            ]
        }

    world.station.answers["GetVariables"] = measurands
    told = await world.from_backend("GetConfiguration", {"key": ["MeterValuesSampledData"]})

    assert told["configurationKey"][0]["value"] == "Voltage"
    assert list(world.notes) == ["configuration-measurands"]


def topics(source: str) -> Iterator[str]:
    """Yield the first argument of every ``note(...)`` call of a source text."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and "note" in {getattr(node.func, "attr", ""), getattr(node.func, "id", "")}:
            topic = node.args[0]
            assert isinstance(topic, ast.Constant), f"line {node.lineno}: a topic is a text in place"
            assert isinstance(topic.value, str), f"line {node.lineno}: a topic is a text"
            yield topic.value


def test_how_topics_are_found() -> None:
    assert list(topics('context.note("a", "b")\nself.context.note("c", f"{d}")\nnote("e", f)\nnote_register(1)')) == [
        "a",
        "c",
        "e",
    ]


def test_every_topic_is_on_the_page_and_every_one_there_is_used() -> None:
    files = Path(next(iter(v201_v16.__path__))).glob("*.py")
    assert {topic for file in files for topic in topics(file.read_text())} == INEXACT.keys()
