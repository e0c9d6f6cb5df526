"""What the tables of firmware themselves keep together, whoever writes them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from gateway.store.database import Database
from gateway.store.firmware_models import (
    CampaignStationRow,
    FileLinkRow,
    FirmwareCampaignRow,
    FirmwareImageRow,
    FirmwareUpdateRow,
    StationLogRow,
)
from gateway.store.models import Model

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
IMAGE = {
    "id": 1,
    **dict.fromkeys(("manufacturer", "version", "state", "added_by", "changed_by"), "-"),
    "added_at": NOW,
    "changed_at": NOW,
}
CAMPAIGN = {
    **dict.fromkeys(("name", "state", "created_by", "changed_by"), "-"),
    **dict.fromkeys(("id", "image_id", "batch_size", "halt_above", "halt_after"), 1),
    "created_at": NOW,
    "changed_at": NOW,
}
UPDATE = {
    **dict.fromkeys(("identity", "source", "by", "location", "state"), "-"),
    **dict.fromkeys(("id", "image_id", "campaign_id"), 1),
    "untold": False,
    "created_at": NOW,
    "changed_at": NOW,
}
STATION = {"campaign_id": 1, "identity": "-", "state": "-", "update_id": 1, "changed_at": NOW}
LOG = {
    "id": 1,
    **dict.fromkeys(("identity", "by", "action", "log_type", "state"), "-"),
    "is_told": False,
    "created_at": NOW,
    "changed_at": NOW,
}
LINK = {"kind": "-", "created_at": NOW, "expires_at": NOW}


async def put(database: Database, row: type[Model], values: dict[str, Any]) -> None:
    await database.write(lambda connection: connection.execute(insert(row), values))


@pytest.fixture
async def filled(database: Database) -> Database:
    """A store with one of each."""
    await put(database, FirmwareImageRow, IMAGE)
    await put(database, FirmwareCampaignRow, CAMPAIGN)
    await put(database, FirmwareUpdateRow, UPDATE)
    await put(database, CampaignStationRow, STATION)
    await put(database, StationLogRow, LOG)
    await put(database, FileLinkRow, {**LINK, "token": "for the update", "update_id": 1})
    await put(database, FileLinkRow, {**LINK, "token": "for the log", "log_id": 1})
    return database


async def tokens(database: Database) -> set[str]:
    found = await database.read(lambda connection: connection.execute(select(FileLinkRow.token)).all())
    return {token for (token,) in found}


async def test_an_image_that_updates_name_is_not_deleted(filled: Database) -> None:
    with pytest.raises(IntegrityError):
        await filled.write(lambda connection: connection.execute(delete(FirmwareImageRow)))


@pytest.mark.parametrize(
    ("row", "left"),
    [(FirmwareUpdateRow, {"for the log"}), (StationLogRow, {"for the update"})],
)
async def test_a_link_goes_with_what_it_leads_to(filled: Database, row: type[Model], left: set[str]) -> None:
    await filled.write(lambda connection: connection.execute(delete(row)))

    assert await tokens(filled) == left


async def test_a_campaign_takes_its_stations_along_and_leaves_their_updates(filled: Database) -> None:
    await filled.write(lambda connection: connection.execute(delete(FirmwareCampaignRow)))

    stations = await filled.read(lambda connection: connection.execute(select(CampaignStationRow.identity)).all())
    of_campaign = select(FirmwareUpdateRow.campaign_id)
    updates = await filled.read(lambda connection: connection.execute(of_campaign).all())
    assert stations == []
    assert [campaign for (campaign,) in updates] == [None]


async def test_two_campaigns_of_one_name_are_refused(filled: Database) -> None:
    with pytest.raises(IntegrityError):
        await put(filled, FirmwareCampaignRow, {**CAMPAIGN, "id": 2})
