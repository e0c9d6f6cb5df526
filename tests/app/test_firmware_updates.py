"""Updates on a real store: whose desk it is, which stations hear the plain message, what is taken up again."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from gateway.app.firmware_updates import StationUpdates
from gateway.app.foundation import Foundation
from gateway.session.firmware import NewUpdate, UpdateSource, UpdateState
from gateway.session.ports import StationRecord
from tests.services.conftest import KeptEvents
from tests.services.firmware_town import LOCATION, Catalogue, FakeLinks, UpdatedStation


class House:
    """Updates of one gateway, with the stations that it says are here."""

    def __init__(self, foundation: Foundation, config: Any) -> None:
        self.foundation, self.config = foundation, config
        self.here: dict[str, Any] = {}
        self.catalogue = Catalogue()
        self.made = self.restarted()

    def restarted(self) -> StationUpdates:
        self.made = StationUpdates(
            self.config,
            self.foundation.stations._database,
            cast("Any", self.catalogue),
            cast("Any", FakeLinks()),
            live=self.here.get,
            security=KeptEvents(),
            tasks=self.foundation.tasks,
        )
        return self.made


@pytest.fixture
def house(foundation: Foundation, configured: Callable[..., Any], tmp_path: Any) -> House:
    (tmp_path / "roots.pem").write_text("")
    maker = {"roots": "roots.pem"}
    plain = [{"identity": "OLD-*"}, {"group": "old"}]
    return House(foundation, configured(firmware={"manufacturers": {"m": maker}, "without_signature": plain}))


@pytest.mark.parametrize(
    ("identity", "group", "expected"),
    [("OLD-1", None, True), ("CS1", "old", True), ("CS1", None, False), ("CS1", "new", False)],
)
def test_who_hears_the_plain_message(house: House, identity: str, group: str | None, expected: bool) -> None:
    assert house.made._is_plain(StationRecord(identity, 2, group=group)) is expected


async def test_an_earlier_runs_update_goes_on_when_the_station_is_back(house: House) -> None:
    station = UpdatedStation()
    await house.foundation.stations.add("CS1", profile=2, serial=None, backend=None, password_hash=None)
    new = NewUpdate(identity="CS1", image_id=None, source=UpdateSource.BACKEND, by="legacy", location=LOCATION)
    await house.made.updates.place(new)

    again = house.restarted()
    house.here["CS1"] = (station, "legacy")
    await again.load()
    again.opened(cast("Any", station))
    (work,) = [task for task in house.foundation.tasks._running if "CS1" in task.get_name()]
    await work

    (update,) = await again.updates.list(identity="CS1")
    assert (update.state, update.untold) == (UpdateState.REFUSED, False)  # its image is gone
    assert station.statuses == ["DownloadFailed"]


def test_a_desk_knows_its_station_and_whose_orders_it_takes(house: House) -> None:
    station = UpdatedStation()

    desk = house.made.desk(cast("Any", station), "legacy")

    assert (desk.station, desk.backend, desk.publishing) == (station, "legacy", house.made.publishing)
