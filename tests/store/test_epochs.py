"""Whoever isn't the owner any more writes nothing."""

import pytest

from gateway.session.ports import StaleEpoch
from gateway.store.database import Database
from gateway.store.epochs import HOLD, own
from gateway.store.stations import Stations


async def test_only_the_newest_epoch_holds_a_station(database: Database, stations: Stations, epoch: int) -> None:
    await database.write(lambda connection: own(connection, HOLD, "CS1", epoch))
    await stations.take("CS1", 1)
    for identity, old in (("CS1", epoch), ("CS9", epoch)):
        with pytest.raises(StaleEpoch, match=f"station '{identity}' has another owner than epoch 1"):
            await database.write(lambda connection: own(connection, HOLD, identity, old))  # noqa: B023 - awaited at once
