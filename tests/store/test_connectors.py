"""The connectors of a station, on either database."""

import pytest
from sqlalchemy.exc import IntegrityError

from gateway.bridge.books import Connector
from gateway.store.connectors import Connectors
from gateway.store.stations import NotRegistered, Stations

REPORT = {"connectorId": 1, "status": "Available", "errorCode": "NoError"}


@pytest.mark.usefixtures("epoch")
async def test_connectors_come_back_in_the_order_of_their_numbers(connectors: Connectors) -> None:
    second = Connector(1, 2, 2, "Occupied", REPORT)
    first = Connector(2, 1, 1)
    await connectors.save("CS1", second)
    await connectors.save("CS1", first)
    assert await connectors.load("CS1") == [first, second]


@pytest.mark.usefixtures("epoch")
async def test_a_later_status_replaces_the_earlier(connectors: Connectors) -> None:
    await connectors.save("CS1", Connector(1, 1, 1, "Available", REPORT))
    await connectors.save("CS1", Connector(1, 1, 1, "Faulted", None))
    assert await connectors.load("CS1") == [Connector(1, 1, 1, "Faulted", None)]


@pytest.mark.usefixtures("epoch")
async def test_a_number_belongs_to_one_connector(connectors: Connectors) -> None:
    await connectors.save("CS1", Connector(1, 1, 1))
    with pytest.raises(IntegrityError):
        await connectors.save("CS1", Connector(2, 1, 1))
    assert await connectors.load("CS1") == [Connector(1, 1, 1)]


@pytest.mark.usefixtures("epoch")
async def test_stations_have_connectors_of_their_own(connectors: Connectors, stations: Stations) -> None:
    await stations.add("CS2", profile=1, serial=None, backend=None, password_hash=None)
    await connectors.save("CS1", Connector(1, 1, 1, "Available"))
    await connectors.save("CS2", Connector(1, 1, 1, "Faulted"))
    assert [c.status for c in await connectors.load("CS1")] == ["Available"]


async def test_a_station_that_was_removed_has_none(connectors: Connectors) -> None:
    with pytest.raises(NotRegistered):
        await connectors.save("CS1", Connector(1, 1, 1))
    assert await connectors.load("CS1") == []
