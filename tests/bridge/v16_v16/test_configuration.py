"""GetConfiguration and ChangeConfiguration of the backend."""

from typing import TYPE_CHECKING

import pytest

from gateway.bridge.books import Json
from gateway.bridge.ports import DOWNGRADE, RECONFIGURATION
from gateway.wire.errors import CallError, ErrorCode

if TYPE_CHECKING:
    from tests.bridge.v16_v16.conftest import World


@pytest.mark.parametrize("status", ["Accepted", "Rejected", "RebootRequired", "NotSupported"])
async def test_a_change_is_the_stations_business(world: "World", status: str) -> None:
    request = {"key": "HeartbeatInterval", "value": "300"}
    world.station.answers["ChangeConfiguration"] = {"status": status}

    assert await world.from_backend("ChangeConfiguration", request) == {"status": status}
    assert world.heard("station") == [("ChangeConfiguration", request)]
    assert world.reports == []


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("AuthorizationKey", "53454352455450415353", RECONFIGURATION),
        ("authorizationKEY ", "53454352455450415353", RECONFIGURATION),
        ("CpoName", "Somebody", RECONFIGURATION),
        ("AdditionalRootCertificateCheck", "false", RECONFIGURATION),
        ("SecurityProfile", "0", DOWNGRADE),
        ("SECURITYPROFILE", "3", RECONFIGURATION),
    ],
)
async def test_the_stations_security_is_out_of_reach(world: "World", key: str, value: str, kind: str) -> None:
    answer = await world.from_backend("ChangeConfiguration", {"key": key, "value": value})

    assert answer == {"status": "NotSupported"}
    assert world.heard("station") == []
    ((reported, detail),) = world.reports
    assert reported == kind
    assert "5345" not in detail


async def test_what_a_station_tells_passes(world: "World") -> None:
    told = {"configurationKey": [{"key": "NumberOfConnectors", "readonly": True, "value": "2"}], "unknownKey": ["X"]}
    world.station.answers["GetConfiguration"] = told

    assert await world.from_backend("GetConfiguration", {"key": ["NumberOfConnectors", "X"]}) == told
    assert world.heard("station") == [("GetConfiguration", {"key": ["NumberOfConnectors", "X"]})]


@pytest.mark.parametrize("told", [{}, {"unknownKey": ["X"]}, {"configurationKey": []}])
async def test_an_answer_without_keys(world: "World", told: Json) -> None:
    world.station.answers["GetConfiguration"] = told

    assert await world.from_backend("GetConfiguration", {}) == told


@pytest.mark.parametrize("key", ["AuthorizationKey", "AUTHORIZATIONKEY", "AuthorizationKey "])
async def test_but_never_its_password(world: "World", key: str) -> None:
    other = {"key": "SecurityProfile", "readonly": False, "value": "2"}
    world.station.answers["GetConfiguration"] = {
        "configurationKey": [{"key": key, "readonly": False, "value": "53454352455450415353"}, other]
    }

    answer = await world.from_backend("GetConfiguration", {})

    assert answer == {"configurationKey": [{"key": key, "readonly": False}, other]}


async def test_a_station_that_refuses_is_quoted(world: "World") -> None:
    world.station.answers["GetConfiguration"] = CallError(ErrorCode.INTERNAL_ERROR, "busy")

    with pytest.raises(CallError, match="busy"):
        await world.from_backend("GetConfiguration", {})
