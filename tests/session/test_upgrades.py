"""What a person reads of an upgrade that can't begin or go on."""

from datetime import UTC, datetime

from gateway.session.upgrades import UpgradeOver, UpgradeRecord, UpgradeUnderWay

NOW = datetime(2026, 3, 1, tzinfo=UTC)
RECORD = UpgradeRecord("CS1", 3, 2, "await return", 1, "", {"roots": 1}, is_over=False, started_at=NOW, changed_at=NOW)


def test_an_upgrade_under_way_says_which_one_and_what_to_do() -> None:
    under_way = UpgradeUnderWay(RECORD)
    assert under_way.record is RECORD
    assert str(under_way) == (
        "station 'CS1' is being upgraded to security profile 3 already (await return); wait for its end or cancel it"
    )


def test_an_upgrade_that_is_over_says_whose() -> None:
    over = UpgradeOver("CS1")
    assert over.identity == "CS1"
    assert str(over) == "the upgrade of station 'CS1' is not under way any more"
