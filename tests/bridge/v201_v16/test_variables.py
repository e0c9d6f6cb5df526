"""How many variables go into one message, by the station's own limits."""

import json
from typing import TYPE_CHECKING, Any

import pytest

from gateway.bridge.books import Json
from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.v201_v16 import variables
from gateway.bridge.v201_v16.configuration_keys import Variable
from gateway.bridge.v201_v16.variables import get_variables, set_variables
from gateway.wire.errors import CallError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bridge.v201_v16.conftest import World

TWENTY = [Variable("Comp", f"Variable{number:02}") for number in range(20)]


def accepted(payload: Json) -> Json:
    (data,) = payload.values()
    name = "getVariableResult" if "getVariableData" in payload else "setVariableResult"
    results = [{"component": each["component"], "variable": each["variable"]} for each in data]
    more: Json = {"attributeStatus": "Accepted"} | ({"attributeValue": "x"} if name == "getVariableResult" else {})
    return {name: [{**each, **more} for each in results]}


def sizes(world: "World") -> list[tuple[int, int]]:
    """Return how many items each message had, and how many bytes."""
    heard = world.heard("station")
    return [
        (len(next(iter(payload.values()))), len(json.dumps([2, "x" * 36, action, payload])))
        for action, payload in heard
    ]


@pytest.fixture
def limited(world: "World", new_entry: "Callable[..., Json]") -> Any:
    """A station whose inventory tells its limits."""

    async def build(**limits: str) -> "World":
        world.station.answers.update(GetVariables=accepted, SetVariables=accepted)
        entries = []
        for name, value in limits.items():
            variable, _, action = name.partition("_")
            entries.append(new_entry(f"DeviceDataCtrlr.{variable}[{action}]", value))
        if entries:
            await world.learns(*entries)
        return world

    return build


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, [16, 4]),
        ({"ItemsPerMessage_GetVariables": "7"}, [7, 7, 6]),
        ({"ItemsPerMessage_GetVariables": "500"}, [20]),
        ({"ItemsPerMessage_SetVariables": "7"}, [16, 4]),
        ({"ItemsPerMessage_GetVariables": "0"}, [16, 4]),
        ({"ItemsPerMessage_GetVariables": "many"}, [16, 4]),
        ({"BytesPerMessage_GetVariables": "1"}, [1] * 20),
        ({"BytesPerMessage_GetVariables": "100000"}, [16, 4]),
    ],
)
async def test_items_of_one_message(limited: Any, limits: dict[str, str], expected: list[int]) -> None:
    world = await limited(**limits)

    found = await get_variables(world.context, TWENTY)

    assert [count for count, _ in sizes(world)] == expected
    assert found == {variable.path: "x" for variable in TWENTY}


@pytest.mark.parametrize("most", [300, 500, 1000])
async def test_bytes_of_one_message(limited: Any, most: int) -> None:
    world = await limited(BytesPerMessage_GetVariables=str(most), ItemsPerMessage_GetVariables="100")

    await get_variables(world.context, TWENTY)

    heard = sizes(world)
    assert all(size <= most for _, size in heard)
    assert heard[0][0] > 1


async def test_settings_in_as_many_messages_as_it_takes(limited: Any) -> None:
    world = await limited(ItemsPerMessage_SetVariables="1")

    results = await set_variables(world.context, [(variable, "5") for variable in TWENTY[:3]])

    assert [count for count, _ in sizes(world)] == [1, 1, 1]
    assert [result["variable"]["name"] for result in results] == ["Variable00", "Variable01", "Variable02"]


async def test_no_message_is_larger_than_any_station_wants(limited: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variables, "ITEMS_MAX", 10)
    world = await limited(ItemsPerMessage_GetVariables="500")

    await get_variables(world.context, TWENTY)

    assert [count for count, _ in sizes(world)] == [10, 10]


async def test_nothing_to_ask(limited: Any) -> None:
    world = await limited()

    assert await get_variables(world.context, []) == {}
    assert world.heard("station") == []


@pytest.mark.parametrize(
    ("error", "asked"),
    [(CallError(ErrorCode.NOT_SUPPORTED), 1), (CallError(ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION), 7)],
)
async def test_a_station_that_refuses(limited: Any, error: CallError, asked: int) -> None:
    world = await limited()
    world.station.answers["GetVariables"] = error

    assert await get_variables(world.context, TWENTY[:4]) == {}
    assert len(world.heard("station")) == asked


async def test_a_station_that_is_away(limited: Any) -> None:
    world = await limited()
    world.station.answers.update(GetVariables=PeerUnavailable("gone"), SetVariables=PeerUnavailable("gone"))

    with pytest.raises(CallError, match="gave no answer"):
        await get_variables(world.context, TWENTY)
    with pytest.raises(PeerUnavailable):
        await set_variables(world.context, [(TWENTY[0], "5")])
