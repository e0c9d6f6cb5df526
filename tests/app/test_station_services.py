"""The gateway's own services on a real store and the embedded CA: what begins when a station comes in."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.app import station_services
from gateway.app.problems import StartFailed
from gateway.app.station_services import offers
from gateway.config import Config
from gateway.session.ports import Proof, StoreAway
from gateway.session.security import Kind, SecurityEvent
from gateway.session.upgrades import UpgradeRecord
from gateway.store.certificate_uses import Owner
from gateway.wire.versions import Version
from tests.app.house import FakeStation, House, open_house, runtime

PATIENCE = 10.0
"""Seconds after which a test has failed."""


@pytest.fixture
async def house(configured: Callable[..., Config], tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(configured(), tmp_path) as made:
        yield made


def test_the_actions_of_both_versions_that_never_reach_a_backend(house: House) -> None:
    assert set(house.services.by_action) == {
        *((version, action) for version in Version for action in ("SignCertificate", "SecurityEventNotification")),
        (Version.V201, "GetCertificateStatus"),
        (Version.V201, "PublishFirmwareStatusNotification"),
        (Version.V16, "DataTransfer"),
    }


@pytest.mark.parametrize("version", Version)
async def test_a_security_event_goes_to_the_bridge_once_it_is_kept(house: House, version: Version) -> None:
    station, kept_before = FakeStation(version=version), []

    async def hear(action: str, payload: Any) -> Any:
        kept_before.append((action, payload["type"], [row.kind for row in await house.services.events.list()]))
        return {"status": "this is not its business"}

    station.bridge.from_station = hear
    report = house.services.by_action[version, "SecurityEventNotification"]
    payload = {"type": "SettingSystemTime", "timestamp": "2026-05-01T08:00:00Z"}

    assert await report(runtime(station), payload) == {}
    assert kept_before == [("SecurityEventNotification", "SettingSystemTime", ["SettingSystemTime"])]


async def test_an_upgrade_is_done_when_the_station_comes_under_its_new_profile(house: House) -> None:
    upgrades, at = house.services.upgrades, datetime.now(UTC)
    record = UpgradeRecord("CS1", 3, 2, "waiting", None, "", {}, False, at, at)
    await upgrades._book.begin(record)
    await upgrades.load()
    house.services.joined(runtime(FakeStation(proof=Proof(3))))
    await house.idle()
    status = await upgrades.status("CS1")
    assert status is not None
    assert (status.step, status.is_over) == ("done", True)


@pytest.mark.parametrize("stays", [True, False])
async def test_a_station_is_welcomed_when_the_store_is_back_unless_it_has_gone(
    house: House, monkeypatch: pytest.MonkeyPatch, *, stays: bool
) -> None:
    station = FakeStation()
    older, newer = await house.certificate(station), await house.certificate(station)
    for leaf in (older, newer):
        station.proof = Proof(3, path=(leaf,))
        house.services.joined(runtime(station))
        await house.idle()
    # It falls back to the older one, and the store can't be written just then.
    monkeypatch.setattr(station_services, "WELCOMED_AGAIN", 0.0)
    uses, tries = house.services.pki._doors._uses, 0
    in_use = uses.in_use

    async def away_once(fingerprint: str) -> Owner | None:
        nonlocal tries
        tries += 1
        if tries == 1:
            station.is_connected = stays
            raise StoreAway("locked")
        return await in_use(fingerprint)

    monkeypatch.setattr(uses, "in_use", away_once)
    station.proof = Proof(3, path=(older,))
    with capture_logs() as lines:
        house.services.joined(runtime(station))
        await house.idle()
    assert [(line["event"], line["identity"]) for line in lines] == [("welcome_incomplete", "CS1")]
    record = await house.services.pki.on_file.find(format(older.serial_number, "x"))
    assert record is not None
    assert record.state.value == ("in_use" if stays else "superseded")


async def test_the_last_security_events_are_written_at_the_end(house: House) -> None:
    house.services.security.note(SecurityEvent(Kind.DOWNGRADE, "a test", "CS1"))
    assert house.services.security.waiting == 1
    await house.services.close()
    assert [each.kind for each in await house.services.events.list()] == [Kind.DOWNGRADE]


async def test_a_store_that_hangs_does_not_hold_up_the_end(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(house.services.security, "flush", hang)
    monkeypatch.setattr(station_services, "FLUSH_WITHIN", 0.0)
    with capture_logs() as lines:
        await house.services.close()
    assert [line["event"] for line in lines] == ["security_events_not_flushed"]


async def test_what_runs_beside_the_stations_is_owned(house: House) -> None:
    house.services.start()
    assert {task.get_name() for task in house.tasks._running} == {
        "security events",
        "upgrades",
        "renewals",
        "superseded certificates",
        "authority notices",
        "certificate census",
        "certificate requests",
        "overdue certificate requests",
        "trust anchors",
        "trust anchors' files",
    }


def _listener(profiles: list[int], **more: Any) -> dict[str, Any]:
    tls = {
        "certificates": [{"chain": "c.pem", "key": "file:c.key"}],
        "station_roots": "r.pem",
        "csms_roots": more.pop("csms_roots", None),
    }
    return {"bind": "127.0.0.1:0", "security_profiles": profiles, "tls": tls, **more}


def test_where_stations_of_each_profile_connect_to(configured: Callable[..., Config], tmp_path: Path) -> None:
    (tmp_path / "roots.pem").write_text("the roots")
    plain = {"bind": "127.0.0.1:0", "security_profiles": [1], "trusted_networks": ["127.0.0.0/8"]}
    listeners = [
        plain,
        _listener([2]),  # without a public_url nobody can be told of it
        _listener([2, 3], public_url="wss://a.example.com/ocpp", csms_roots="roots.pem"),
        _listener([3], public_url="wss://b.example.com/ocpp"),
    ]
    found = offers(configured(listeners=listeners))
    assert {profile: (each.url, each.roots_pem) for profile, each in found.items()} == {
        2: ("wss://a.example.com/ocpp", "the roots"),
        3: ("wss://a.example.com/ocpp", "the roots"),
    }
    assert offers(configured(listeners=listeners[:2])) == {}
    (only,) = offers(configured(listeners=[listeners[3]])).values()
    assert only.roots_pem is None


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_roots_that_can_not_be_read_end_the_start(
    configured: Callable[..., Config], tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "roots.pem").write_bytes(content)
    listener = _listener([2], public_url="wss://a.example.com/ocpp", csms_roots="roots.pem")
    with pytest.raises(StartFailed, match=r"listeners\[0\].tls.csms_roots: .*roots.pem"):
        offers(configured(listeners=[listener]))
