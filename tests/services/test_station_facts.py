"""What a station says of its chains and its ids, in the words of either version; and what nobody believes."""

from typing import Any

import pytest

from gateway.bridge.ports import PeerUnavailable
from gateway.services.station_facts import CONTROLLERS_MAX, ChainSizes, secc_ids
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.versions import Version
from tests.services.conftest import ScriptedStation, get_variables

KEY = "CertificateSignedMaxChainSize"


@pytest.mark.parametrize(
    ("said", "size"), [("5600", 5600), ("10000", 10000), ("0", None), ("-1", None), ("many", None), ("9" * 50, None)]
)
async def test_how_long_a_chain_may_be(said: str, size: int | None) -> None:
    newer, older = ScriptedStation(), ScriptedStation(version=Version.V16)
    newer.says("GetVariables", get_variables(said))
    older.says("GetConfiguration", {"configurationKey": [{"key": KEY.lower(), "readonly": True, "value": said}]})
    for station in (newer, older):
        sizes = ChainSizes()
        assert await sizes.of(station) == size
        assert await sizes.of(station) == size
        assert len(station.calls) == 1
    assert older.calls == [("GetConfiguration", {"key": [KEY]})]


@pytest.mark.parametrize(
    ("version", "action", "answer"),
    [
        (Version.V201, "GetVariables", get_variables(None, "UnknownVariable")),
        (Version.V201, "GetVariables", CallError(ErrorCode.NOT_IMPLEMENTED)),
        (Version.V16, "GetConfiguration", {"unknownKey": [KEY]}),
        (Version.V16, "GetConfiguration", {"configurationKey": [{"key": KEY, "readonly": True}]}),
        (Version.V16, "GetConfiguration", CallError(ErrorCode.NOT_IMPLEMENTED)),
    ],
)
async def test_one_that_does_not_say(version: Version, action: str, answer: Any) -> None:
    station = ScriptedStation(version=version)
    station.says(action, answer)
    assert await ChainSizes().of(station) is None


async def test_one_that_is_away_is_asked_again() -> None:
    station, sizes = ScriptedStation(), ChainSizes()
    station.says("GetVariables", PeerUnavailable("gone"), get_variables("6000"))
    with pytest.raises(PeerUnavailable):
        await sizes.of(station)
    assert await sizes.of(station) == 6000


async def test_one_that_refused_a_chain_is_asked_anew() -> None:
    station, sizes = ScriptedStation(), ChainSizes()
    station.says("GetVariables", get_variables("6000"), get_variables("900"))
    assert (await sizes.of(station), sizes.is_doubtful(station)) == (6000, False)
    sizes.has_refused(station.identity)
    assert (await sizes.of(station), sizes.is_doubtful(station)) == (900, True)


def by_evse(ids: dict[int | None, str]) -> Any:
    def answer(payload: Any) -> Any:
        evse = payload["getVariableData"][0]["component"].get("evse", {}).get("id")
        found = ids.get(evse)
        return get_variables(found, "Accepted" if found else "UnknownComponent")(payload)

    return answer


@pytest.mark.parametrize(
    ("ids", "found"),
    [
        ({}, []),
        ({None: "SECC"}, ["SECC"]),
        ({1: "A", 2: "B", 4: "D"}, ["A", "B"]),
        ({None: "SECC", 1: "A"}, ["SECC", "A"]),
        (dict.fromkeys(range(1, 99), "X"), ["X"] * CONTROLLERS_MAX),
    ],
)
async def test_ids_towards_vehicles(ids: dict[int | None, str], found: list[str]) -> None:
    station = ScriptedStation()
    station.says("GetVariables", by_evse(ids))
    assert [each async for each in secc_ids(station)] == found


async def test_16_has_no_word_for_them() -> None:
    station = ScriptedStation(version=Version.V16)
    assert [each async for each in secc_ids(station)] == []
    assert station.calls == []
