"""A station as the API shows it."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.admin.roster import station_url
from gateway.session.ports import Provisional

STATIONS = "/api/v1/stations"


@pytest.mark.parametrize(("identity", "path"), [("CS1", "CS1"), ("a b", "a%20b"), ("a/b?c#d%", "a%2Fb%3Fc%23d%25")])
def test_where_a_station_is_found(identity: str, path: str) -> None:
    assert station_url(identity) == f"{STATIONS}/{path}"


async def test_what_is_connected(client: Any, office: Any, station: Any) -> None:
    station.provisional = Provisional.EXPIRED
    shown = await (await client.get(f"{STATIONS}/CS1")).json()
    assert (shown["connected"], shown["connected_profile"], shown["provisional"]) == (True, 3, "expired certificate")
    assert shown["backend_connected"] is True
    station.is_connected = False
    shown = await (await client.get(f"{STATIONS}/CS1")).json()
    assert (shown["connected"], shown["connected_profile"], shown["provisional"]) == (False, None, None)
    assert shown["backend_connected"] is True


async def test_upgrades_in_a_list_are_those_under_way(client: Any, office: Any, station: Any) -> None:
    begun = office.upgrades.begin("CS1", 3)
    (listed,) = (await (await client.get(STATIONS)).json())["stations"]
    assert listed["upgrade"]["target_profile"] == 3
    office.upgrades.records["CS1"] = replace(begun, is_over=True)
    (listed,) = (await (await client.get(STATIONS)).json())["stations"]
    assert listed["upgrade"] is None
    assert (await (await client.get(f"{STATIONS}/CS1")).json())["upgrade"]["is_over"] is True
