"""The records of a deployment, opened beside a gateway."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.app.problems import StartFailed
from gateway.app.records import certificate_records, station_records
from gateway.store.unavailable import StoreUnavailable


async def test_stations_and_certificates(configured: Callable[..., Any]) -> None:
    config = configured()
    async with station_records(config) as stations:
        made = await stations.add("CS1", profile=2, serial="SN1")
        assert made.password is not None
    async with station_records(config) as stations:
        record = await stations.show("CS1")
        assert (record.serial, record.minimum_profile) == ("SN1", 2)
        assert made.password not in str(record.password_hash)
    async with certificate_records(config) as certificates:
        assert list(await certificates.list()) == []


async def test_a_store_that_cannot_be_opened_is_one_line(configured: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "voltgate.db").write_text("no database at all, and long enough to be read as one" * 100)
    with pytest.raises(StartFailed, match=r"store\.url: .*voltgate\.db"):
        async with station_records(configured()):
            pass


async def test_a_store_that_fails_in_use_is_one_line(configured: Callable[..., Any]) -> None:
    with pytest.raises(StartFailed, match=r"^store\.url: the disk is full$"):
        async with station_records(configured()):
            raise StoreUnavailable("the disk is full")
