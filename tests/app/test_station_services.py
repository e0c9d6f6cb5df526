"""The gateway's own services on a real store and the embedded CA: what begins when a station comes in."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from structlog.testing import capture_logs

from gateway.app import station_services
from gateway.app.problems import StartFailed
from gateway.app.station_services import StationServices, offers
from gateway.app.tasks import Tasks
from gateway.config import Config
from gateway.session.boot import BootGate
from gateway.session.ports import BootStatus, Proof, Provisional, StationRecord, StoreAway
from gateway.session.security import Kind, SecurityEvent
from gateway.session.station import Station
from gateway.session.tally import Tally
from gateway.session.upgrades import UpgradeRecord
from gateway.store.certificates import CertificateState
from gateway.store.database import Database
from gateway.store.stations import Stations
from gateway.wire.versions import Version

PATIENCE = 10.0
"""Seconds after which a test has failed."""


@dataclass
class FakeStation:
    """A connected station that accepts whatever it is asked."""

    identity: str = "CS1"
    proof: Proof = field(default_factory=lambda: Proof(2))
    record: StationRecord = field(default_factory=lambda: StationRecord("CS1", 2, "SN1"))
    version: Version = Version.V201
    gate: BootGate = field(default_factory=lambda: BootGate(BootStatus.PENDING))
    is_connected: bool = True
    bridge: SimpleNamespace = field(default_factory=SimpleNamespace)
    calls: asyncio.Queue[tuple[str, Any]] = field(default_factory=asyncio.Queue)

    @property
    def provisional(self) -> Provisional | None:
        return self.proof.provisional

    @property
    def profile(self) -> int:
        return self.proof.profile

    async def call_station(self, action: str, payload: Any) -> Any:
        self.calls.put_nowait((action, payload))
        return {"status": "Accepted"}

    def disconnect(self, code: int, reason: str) -> None:
        self.is_connected = False

    async def asked(self) -> tuple[str, Any]:
        async with asyncio.timeout(PATIENCE):
            return await self.calls.get()


def runtime(station: FakeStation) -> Station:
    return cast("Station", station)


class House:
    """The services, and what they stand on."""

    def __init__(self, config: Config, database: Database) -> None:
        self.tasks = Tasks()
        self.stations = Stations(database)
        self.services = StationServices(
            config, database, self.stations, Tally(), self.tasks, is_connected=lambda _: False
        )

    async def idle(self) -> None:
        """Wait for what was begun."""
        async with asyncio.timeout(PATIENCE):
            while self.tasks._running:
                await asyncio.wait(list(self.tasks._running))

    async def certificate(self, station: FakeStation) -> x509.Certificate:
        """Have the station's CSR signed, and take what comes."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "SN1")])
        csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
        sign = self.services.by_action[station.version, "SignCertificate"]
        assert await sign(runtime(station), {"csr": csr.public_bytes(Encoding.PEM).decode()}) == {"status": "Accepted"}
        action, payload = await station.asked()
        assert action == "CertificateSigned"
        await self.idle()
        return x509.load_pem_x509_certificate(payload["certificateChain"].encode())


@pytest.fixture
async def house(configured: Callable[..., Config], tmp_path: Path) -> AsyncIterator[House]:
    database = await Database.open(f"sqlite+aiosqlite:///{tmp_path}/voltgate.db", exclusive=True)
    made = House(configured(), database)
    await made.stations.add("CS1", profile=2, serial="SN1", backend=None, password_hash=None)
    yield made
    await made.tasks.close()
    await database.close()


def test_the_actions_of_both_versions_that_never_reach_a_backend(house: House) -> None:
    assert set(house.services.by_action) == {
        (version, action) for version in Version for action in ("SignCertificate", "SecurityEventNotification")
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


async def test_a_certificate_is_signed_delivered_and_in_the_inventory(house: House) -> None:
    leaf = await house.certificate(FakeStation())
    (record,) = await house.services.certificates_on_file.list("CS1")
    assert (int(record.serial, 16), record.state) == (leaf.serial_number, CertificateState.INSTALLED)


async def test_whoever_comes_with_a_newer_certificate_has_given_up_the_older(house: House) -> None:
    station = FakeStation()
    older, newer = await house.certificate(station), await house.certificate(station)
    station.proof = Proof(3, path=(newer, older))
    house.services.joined(runtime(station))
    await house.idle()
    states = {int(each.serial, 16): each.state for each in await house.services.certificates_on_file.list("CS1")}
    assert states == {
        older.serial_number: CertificateState.SUPERSEDED,
        newer.serial_number: CertificateState.INSTALLED,
    }


@pytest.mark.parametrize("begin", [StationServices.joined, StationServices.renew_provisional])
async def test_a_provisional_station_is_asked_for_a_csr_by_itself(
    house: House, begin: Callable[[StationServices, Station], None]
) -> None:
    station = FakeStation(proof=Proof(3, provisional=Provisional.FACTORY))
    begin(house.services, runtime(station))
    assert await station.asked() == ("TriggerMessage", {"requestedMessage": "SignChargingStationCertificate"})


async def test_one_that_has_not_booted_is_not_asked_yet(house: House) -> None:
    station = FakeStation(proof=Proof(3, provisional=Provisional.FACTORY), gate=BootGate(BootStatus.NONE))
    house.services.joined(runtime(station))
    await house.idle()
    assert station.calls.empty()


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


async def test_a_store_that_is_away_does_not_end_the_welcome_in_silence(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise StoreAway("locked")

    monkeypatch.setattr(house.services.upgrades, "came_back", away)
    with capture_logs() as lines:
        house.services.joined(runtime(FakeStation()))
        await house.idle()
    assert [(line["event"], line["identity"]) for line in lines] == [("welcome_incomplete", "CS1")]


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
    assert {task.get_name() for task in house.tasks._running} == {"security events", "upgrades"}


async def test_a_ca_that_can_not_be_used_ends_the_start(configured: Callable[..., Config], house: House) -> None:
    config = configured()
    folder = config.authority.station.local.dir
    (folder / "issuing.key").unlink()
    with pytest.raises(StartFailed, match=r"authority.station.local.dir: .*holds half a CA"):
        House(config, house.stations._database)


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
