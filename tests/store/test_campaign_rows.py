"""A campaign's rows, read and written: what they hold is looked at in the tests of those that use them."""

from typing import Any

from gateway.session.firmware import CampaignState, NewCampaign
from gateway.session.firmware_campaigns import CampaignProgress
from gateway.store.campaign_rows import CAMPAIGN_COLUMNS, PLAN_COLUMNS, campaign_record, progress_of
from gateway.store.database import Database
from tests.campaigns import NOON


def test_a_row_as_a_record() -> None:
    row: dict[str, Any] = {column.key: None for column in CAMPAIGN_COLUMNS}
    row |= {
        "id": 3,
        "name": "autumn",
        "image_id": 7,
        "group": "depot",
        "batch_size": 2,
        "halt_above": 5,
        "halt_after": 6,
    }
    row |= {"state": "halted", "reason": "why", "created_at": NOON, "created_by": "ann"}
    row |= {"changed_at": NOON, "changed_by": "voltgate"}
    record = campaign_record(row)  # type: ignore[arg-type]  # a mapping, as a row is
    assert record.plan == NewCampaign("autumn", 7, "depot", (), 2, 5, 6)
    assert (record.id, record.state, record.reason) == (3, CampaignState.HALTED, "why")


def test_each_field_of_a_plan_has_its_column_but_the_stations() -> None:
    assert {column.key for column in PLAN_COLUMNS} == set(NewCampaign.__dataclass_fields__) - {"stations"}


async def test_of_no_campaign_nothing_is_counted(database: Database) -> None:
    assert await database.read(lambda connection: progress_of(connection, 1)) == {1: CampaignProgress()}
