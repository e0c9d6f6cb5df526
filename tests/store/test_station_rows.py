"""A record becomes a row and comes back the same."""

from collections import namedtuple
from dataclasses import fields
from typing import Any

import pytest

from gateway.session.ports import BootStatus, StationRecord
from gateway.store.station_rows import STATION_COLUMNS, station_record, station_row, version_of, version_text
from gateway.wire.versions import Version

FULL = StationRecord(
    "CS1",
    2,
    serial="SN-1",
    backend="legacy",
    password_hash="scrypt$old",
    boot_status=BootStatus.ACCEPTED,
    boot_interval=300,
    boot_payload={"reason": "PowerUp"},
    boot_reported=False,
    next_password_hash="scrypt$new",
    next_password_waits=True,
    allow_expired=True,
    allow_downgrade=True,
    pinned_version=Version.V16,
    version=Version.V201,
    group="depot-north",
)


def read_back(row: dict[str, Any]) -> StationRecord:
    names = [column.key for column in STATION_COLUMNS]
    return station_record(namedtuple("Row", names)(*(row[name] for name in names)))  # noqa: PYI024 - of columns


@pytest.mark.parametrize("record", [FULL, StationRecord("CS1", 1)], ids=["all fields", "no field"])
def test_a_record_comes_back_the_same(record: StationRecord) -> None:
    assert read_back(station_row(record)) == record


def test_every_field_of_a_record_has_its_column() -> None:
    columns = {column.key for column in STATION_COLUMNS}
    assert columns - {"station_group"} | {"group"} == {field.name for field in fields(StationRecord)}


@pytest.mark.parametrize(("serial", "name"), [("SN-1", "SN-1"), (None, "CS1")])
def test_the_certificate_name_goes_with_it(serial: str | None, name: str) -> None:
    assert station_row(StationRecord("CS1", 1, serial))["certificate_name"] == name


@pytest.mark.parametrize("version", [None, *Version])
def test_a_version_is_its_subprotocol(version: Version | None) -> None:
    assert version_text(version) == (None if version is None else version.subprotocol)
    assert version_of(version_text(version)) is version
