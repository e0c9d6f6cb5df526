"""How a charging profile is said in 2.0.1, as tables; and the page of the installed ones."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from gateway.bridge.books import Books, Json, Page, Transaction, TransactionState
from gateway.bridge.v201_v16 import charging_profiles
from gateway.bridge.v201_v16.charging_profiles import (
    INSTALLED_MAX,
    PERIODS_MAX,
    PURPOSES,
    enter,
    entry_of,
    forget,
    profile_for,
    rivals,
    transaction_profile,
)

if TYPE_CHECKING:
    from tests.bridge.v201_v16.conftest import World

NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
PERIOD: Json = {"startPeriod": 0, "limit": 16.1}
SCHEDULE: Json = {"chargingRateUnit": "A", "chargingSchedulePeriod": [PERIOD]}
START = "2026-05-01T10:00:00+02:00"
START_UTC = "2026-05-01T08:00:00Z"


def profile(schedule: Json | None = None, **fields: Any) -> Json:
    return {
        "chargingProfileId": 7,
        "stackLevel": 1,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": {**SCHEDULE, **(schedule or {})},
        **fields,
    }


def said(wanted: Json) -> Json:
    translated = profile_for(wanted, NOW)
    assert translated is not None
    return translated


def test_all_fields(fits: Callable[..., Json]) -> None:
    wanted = profile(
        {
            "startSchedule": START,
            "duration": 60,
            "minChargingRate": 6.0,
            "chargingSchedulePeriod": [{**PERIOD, "numberPhases": 3}, {"startPeriod": 30, "limit": 6}],
        },
        transactionId=5,
        chargingProfileKind="Recurring",
        recurrencyKind="Daily",
        validFrom=START,
        validTo="2026-05-02T10:00:00Z",
    )
    fits("v16", "SetChargingProfile", {"connectorId": 1, "csChargingProfiles": wanted})

    translated = said(wanted)

    fits("v201", "SetChargingProfile", {"evseId": 1, "chargingProfile": translated})
    assert translated == {
        "id": 7,
        "stackLevel": 1,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Recurring",
        "recurrencyKind": "Daily",
        "validFrom": START_UTC,
        "validTo": "2026-05-02T10:00:00Z",
        "chargingSchedule": [
            {
                "id": 7,
                "startSchedule": START_UTC,
                "duration": 60,
                "minChargingRate": 6.0,
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [
                    {"startPeriod": 0, "limit": 16.1, "numberPhases": 3},
                    {"startPeriod": 30, "limit": 6},
                ],
            }
        ],
    }


@pytest.mark.parametrize(("purpose", "expected"), PURPOSES.items())
def test_purposes(purpose: str, expected: str) -> None:
    assert said(profile(chargingProfilePurpose=purpose))["chargingProfilePurpose"] == expected
    assert expected != "ChargingStationExternalConstraints"


@pytest.mark.parametrize(
    ("purpose", "kind", "start", "valid_from", "expected_kind", "expected_start"),
    [
        ("TxProfile", "Absolute", START, None, "Absolute", START_UTC),
        ("TxProfile", "Absolute", None, None, "Relative", None),
        ("TxDefaultProfile", "Absolute", None, START, "Relative", None),
        ("TxDefaultProfile", "Relative", START, None, "Relative", None),
        ("TxDefaultProfile", "Recurring", None, None, "Recurring", None),
        ("ChargePointMaxProfile", "Absolute", START, None, "Absolute", START_UTC),
        ("ChargePointMaxProfile", "Absolute", None, START, "Absolute", START_UTC),
        ("ChargePointMaxProfile", "Absolute", None, None, "Absolute", "2026-05-01T12:00:00Z"),
    ],
)
def test_where_a_schedule_begins(
    purpose: str, kind: str, start: str | None, valid_from: str | None, expected_kind: str, expected_start: str | None
) -> None:
    wanted = profile(
        {"startSchedule": start} if start else {}, chargingProfilePurpose=purpose, chargingProfileKind=kind
    )
    translated = said(wanted if valid_from is None else {**wanted, "validFrom": valid_from})

    assert translated["chargingProfileKind"] == expected_kind
    assert translated["chargingSchedule"][0].get("startSchedule") == expected_start


def test_a_time_of_the_backend_without_a_zone_is_utc() -> None:
    assert said(profile(validFrom="2026-05-01T08:00:00"))["validFrom"] == START_UTC


@pytest.mark.parametrize("field", ["validFrom", "validTo"])
def test_a_validity_that_cannot_be_read(field: str) -> None:
    assert profile_for({**profile(), field: "0001-01-01T00:00:00+14:00"}, NOW) is None


@pytest.mark.parametrize("kind", ["Absolute", "Relative"])
def test_a_start_that_cannot_be_read(kind: str) -> None:
    assert profile_for(profile({"startSchedule": "tomorrow"}, chargingProfileKind=kind), NOW) is None


@pytest.mark.parametrize(
    ("periods", "has_form"), [(0, False), (1, True), (PERIODS_MAX, True), (PERIODS_MAX + 1, False)]
)
def test_the_number_of_periods(periods: int, has_form: bool) -> None:
    wanted = profile({"chargingSchedulePeriod": [PERIOD] * periods})

    assert (profile_for(wanted, NOW) is not None) is has_form


@pytest.mark.parametrize("purpose", PURPOSES)
def test_of_a_remote_start(purpose: str) -> None:
    translated = transaction_profile(profile(chargingProfilePurpose=purpose, transactionId=5), NOW)

    assert (translated is not None) is (purpose == "TxProfile")
    assert translated is None or "transactionId" not in translated


class TestInstalled:
    TX = Transaction("TX-1", TransactionState.OPEN, remote_start_id=3)
    DEFAULT = entry_of({"id": 1, "chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 1, "x": 0}, 1)
    OF_TX = entry_of({"id": 2, "chargingProfilePurpose": "TxProfile", "stackLevel": 1, "transactionId": "TX-1"}, 1)
    OF_START = entry_of({"id": 3, "chargingProfilePurpose": "TxProfile", "stackLevel": 1}, None, remote_start_id=3)

    def test_what_is_remembered(self) -> None:
        assert self.DEFAULT == {"evseId": 1, "chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 1}
        assert self.OF_TX == {
            "evseId": 1,
            "chargingProfilePurpose": "TxProfile",
            "stackLevel": 1,
            "transactionId": "TX-1",
        }
        assert self.OF_START == {"chargingProfilePurpose": "TxProfile", "stackLevel": 1, "remoteStartId": 3}

    @pytest.mark.parametrize(
        ("other", "is_rival"),
        [
            ({}, True),
            ({"stackLevel": 2}, False),
            ({"evseId": 2}, False),
            ({"evseId": 0}, False),
            ({"chargingProfilePurpose": "ChargingStationMaxProfile"}, False),
            ({"chargingProfilePurpose": "TxProfile"}, False),
        ],
    )
    def test_which_default_profile_is_replaced(self, other: Json, is_rival: bool) -> None:
        books = Books(pages={Page.CHARGING_PROFILES: {"1": self.DEFAULT, "9": {**self.DEFAULT, **other}}})

        assert rivals(books, 1, self.DEFAULT, None) == [9] * is_rival

    @pytest.mark.parametrize(
        ("other", "is_rival"),
        [
            (OF_TX, True),
            ({**OF_TX, "transactionId": "TX-2"}, False),
            ({**OF_TX, "stackLevel": 2}, False),
            ({**OF_TX, "evseId": 2}, True),
            (OF_START, True),
            ({**OF_START, "remoteStartId": 4}, False),
            (DEFAULT, False),
        ],
    )
    def test_which_profile_of_a_transaction_is_replaced(self, other: Json, is_rival: bool) -> None:
        books = Books(pages={Page.CHARGING_PROFILES: {"9": other}})

        assert rivals(books, 2, self.OF_TX, self.TX) == [9] * is_rival

    def test_a_transaction_without_remote_start_has_none_of_one(self) -> None:
        books = Books(pages={Page.CHARGING_PROFILES: {"9": self.OF_TX | {"transactionId": "another"}}})

        assert rivals(books, 2, self.OF_TX, Transaction("TX-9", TransactionState.OPEN)) == []

    def test_entering_the_same_again_is_no_change(self, world: "World") -> None:
        enter(world.context, 1, self.DEFAULT)
        world.books.unsaved.clear()

        enter(world.context, 1, dict(self.DEFAULT))

        assert world.books.unsaved == set()

    def test_those_of_ended_transactions_are_forgotten(self, world: "World") -> None:
        over = Transaction("TX-1", TransactionState.ENDED, remote_start_id=3)
        world.books.transactions = {"TX-1": over, "TX-2": Transaction("TX-2", TransactionState.OPEN)}
        running = {**self.OF_TX, "transactionId": "TX-2"}
        open_start = {**self.OF_START, "remoteStartId": 5}
        unknown = {**self.OF_TX, "transactionId": "TX-0"}
        entries = {"2": self.OF_TX, "3": self.OF_START, "4": unknown, "5": running, "6": open_start}
        world.books.page(Page.CHARGING_PROFILES).update(entries)

        enter(world.context, 1, self.DEFAULT)

        assert world.books.page(Page.CHARGING_PROFILES) == {"5": running, "6": open_start, "1": self.DEFAULT}

    def test_they_are_bounded(self, world: "World", monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(charging_profiles, "INSTALLED_MAX", 2)
        for number in (1, 2, 1, 3):
            enter(world.context, number, {**self.DEFAULT, "stackLevel": number})

        assert list(world.books.page(Page.CHARGING_PROFILES)) == ["2", "3"]
        assert INSTALLED_MAX > 2

    @pytest.mark.parametrize(
        ("request_of_2_0_1", "left"),
        [
            ({"chargingProfileId": 1}, ["2"]),
            ({"chargingProfileId": 9}, ["1", "2"]),
            ({"chargingProfileCriteria": {"chargingProfilePurpose": "TxProfile"}}, ["1"]),
            ({"chargingProfileCriteria": {"chargingProfilePurpose": "TxProfile", "evseId": 2}}, ["1", "2"]),
            ({"chargingProfileCriteria": {"stackLevel": 1}}, []),
        ],
    )
    def test_what_is_cleared_is_forgotten(self, world: "World", request_of_2_0_1: Json, left: list[str]) -> None:
        world.books.page(Page.CHARGING_PROFILES).update({"1": self.DEFAULT, "2": self.OF_TX})

        forget(world.context, request_of_2_0_1)

        assert list(world.books.page(Page.CHARGING_PROFILES)) == left
        assert bool(world.books.unsaved) is (len(left) < 2)
