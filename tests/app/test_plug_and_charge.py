"""A real vehicle at a station of the gateway: the embedded CAs, the real store, every part in its place."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.app.contract_authorization import ContractsOnRecord
from gateway.app.problems import StartFailed
from gateway.bridge.books import Books
from gateway.bridge.plug_and_charge_16 import VENDOR_ID
from gateway.bridge.ports import PeerUnavailable
from gateway.config import Config
from gateway.session.contracts import NewContract
from gateway.store.certificate_records import CertificateState
from gateway.store.contract_certificates import ContractCertificates
from gateway.store.contract_provisionings import ContractProvisionings
from gateway.store.contracts import Contracts
from gateway.wire.strict_json import dumps, loads
from gateway.wire.versions import Version
from pki.clock import utc_now
from pki.iso15118.certificate_profiles import common_name
from pki.iso15118.development import write_plug_and_charge_pki
from pki.iso15118.exi import Schema
from pki.iso15118.identifiers import Emaid, Pcid
from pki.iso15118.messages import CertificateChain, CertificateInstallationReq20, CertificateInstallationRes20, Header
from pki.iso15118.provisioning import Refusal
from pki.iso15118.writing import write_message
from pki.issuing import issue, new_hierarchy
from pki.pem_files import certificates_pem
from pki.profiles import KeyPolicy, load_profile
from tests.app.house import FakeStation, House, open_house
from tests.charging_vehicle import EMAID, PCID, ChargingVehicle, ev_payload
from tests.iso15118_dialogue import sign
from tests.pki.iso15118.provisioning_parts import SESSION, V2gPki, Vehicle, v2g_pki

if TYPE_CHECKING:
    from gateway.session.station import Station


@dataclass
class Stand(FakeStation):
    """A station at which vehicles stand."""

    remote: str = "192.0.2.7"
    note_vendor: str | None = None
    books: Books = field(default_factory=Books)

    async def call_backend(self, action: str, payload: Any) -> Any:
        raise PeerUnavailable("is away")


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pnc")
    write_plug_and_charge_pki(folder, operator="Example CPO")
    return folder


def configured(folder: Path, pki: Path, **keys: Any) -> Config:
    section = {
        "providers": {"own": {"native": {"cps": {"chain": str(pki / "cps.pem"), "key": f"file:{pki}/cps.key"}}}},
        "oem_roots": str(pki / "oem-roots.pem"),
        "oem_intermediates": str(pki / "oem-intermediates.pem"),
        **keys,
    }
    return Config.model_validate(
        {
            "operator": "Example CPO",
            "backends": {"legacy": {"url": "wss://csms.example.com/{identity}"}},
            "authority": {
                "station": {"local": {"dir": str(folder / "ca")}},
                "contract": {"local": {"dir": str(folder / "mo-ca")}},
                "contract_20": {"local": {"dir": str(folder / "mo-ca-20")}},
            },
            "plug_and_charge": section,
        }
    )


class Site:
    """A running gateway's services, a station and a vehicle."""

    def __init__(self, house: House, pki: Path, folder: Path) -> None:
        self.house = house
        self.station = Stand()
        self.vehicle = ChargingVehicle(pki, folder / "vehicle")
        database = house.services.events._database
        self.contracts = Contracts(database)
        self.certificates = ContractCertificates(database)
        self.audit = ContractProvisionings(database)

    async def entitle(self, pcid: str = PCID, emaid: str = EMAID) -> None:
        await self.contracts.add(NewContract(Pcid.parse(pcid), Emaid.of_peer(emaid)), "test")

    async def state_of(self, certificate: x509.Certificate) -> CertificateState:
        found = await self.certificates.find(format(certificate.serial_number, "x"))
        assert found is not None
        return found.certificate.state

    async def is_seen_with(self, certificate: x509.Certificate) -> None:
        """A vehicle has shown this contract, and it was good."""
        issuer, *_ = await self.house.services.pki.authorities.by_use["contract"].chain()
        records = ContractsOnRecord(self.certificates, self.house.services.pki.upkeep.notices.soon)
        record = await records.find(certificate.serial_number, issuer)
        assert record is not None
        await records.taken(record)

    async def hands_over(self, exi: bytes, action: str = "Install", station: Stand | None = None) -> dict[str, Any]:
        return await self.serves(ev_payload(exi, action), station)

    async def serves(self, payload: dict[str, Any], station: Stand | None = None) -> dict[str, Any]:
        serve = self.house.services.by_action[Version.V201, "Get15118EVCertificate"]
        return await serve(cast("Station", station or self.station), payload)


@asynccontextmanager
async def open_site(folder: Path, pki: Path, **keys: Any) -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack:
        house = await stack.enter_async_context(open_house(configured(folder, pki, **keys), folder))
        await house.services.prepare(stack)
        yield Site(house, pki, folder)


@pytest.fixture
async def site(tmp_path: Path, pki: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path, pki) as made:
        yield made


def exi_of(answer: dict[str, Any]) -> bytes:
    return base64.b64decode(answer["exiResponse"])


async def test_a_vehicle_gets_its_contract(site: Site) -> None:
    await site.entitle()
    answer = await site.hands_over(site.vehicle.asks())
    assert answer["status"] == "Accepted"
    held = site.vehicle.takes(exi_of(answer))
    assert held.emaid == EMAID
    serial = format(held.certificate.serial_number, "x")
    on_file = await site.certificates.find(serial)
    assert on_file is not None
    assert (on_file.emaid, on_file.pcid, on_file.certificate.usage) == (EMAID, PCID, "contract")
    [record] = await site.audit.list()
    assert (record.entry.contract_serial, record.entry.provider) == (serial, "own")


async def test_a_vehicle_of_nobody(site: Site) -> None:
    answer = await site.hands_over(site.vehicle.asks())
    assert (answer["status"], answer["statusInfo"]["reasonCode"]) == ("Failed", "NoContract")
    assert site.vehicle.reads(exi_of(answer)).response_code == "FAILED_NoCertificateAvailable"
    assert await site.certificates.list() == []


async def test_a_vehicle_of_another_manufacturer(site: Site, tmp_path: Path) -> None:
    write_plug_and_charge_pki(tmp_path / "other", operator="Example CPO")
    await site.entitle()
    answer = await site.hands_over(ChargingVehicle(tmp_path / "other", tmp_path / "foreign").asks())
    assert answer["statusInfo"]["reasonCode"] == "ChainUntrusted"
    assert site.vehicle.reads(exi_of(answer)).response_code == "FAILED_CertChainError"
    [record] = await site.audit.list()
    assert record.entry.refusal is Refusal.CHAIN_UNTRUSTED
    [event] = site.house.services.security._queue
    assert event.event.kind == "SuspiciousVehicleRequest"


async def test_an_update_and_the_end_of_its_predecessor(site: Site) -> None:
    """It ends when the vehicle is seen with the next one: until then the answer may have been lost."""
    await site.entitle()
    first = site.vehicle.takes(exi_of(await site.hands_over(site.vehicle.asks())))
    answer = await site.hands_over(site.vehicle.updates(first), "Update")
    second = site.vehicle.takes(exi_of(answer))
    assert (second.emaid, second.certificate != first.certificate) == (EMAID, True)
    assert await site.state_of(first.certificate) is CertificateState.SUPERSEDED

    await site.is_seen_with(first.certificate)
    assert await site.state_of(first.certificate) is CertificateState.SUPERSEDED
    await site.is_seen_with(second.certificate)
    assert await site.state_of(first.certificate) is CertificateState.REVOKED
    authority = site.house.services.pki.authorities.by_use["contract"]
    await site.house.services.pki.upkeep.notices.tell_all()
    crl = x509.load_pem_x509_crl(await authority.crl())
    assert crl.get_revoked_certificate_by_serial_number(first.certificate.serial_number) is not None
    refused = await site.hands_over(site.vehicle.updates(first), "Update")
    assert refused["statusInfo"]["reasonCode"] == "CertificateRevoked"


async def test_an_old_answer_may_be_lost(site: Site) -> None:
    await site.entitle()
    first = site.vehicle.takes(exi_of(await site.hands_over(site.vehicle.asks())))
    await site.hands_over(site.vehicle.updates(first), "Update")
    again = await site.hands_over(site.vehicle.updates(first), "Update")
    assert site.vehicle.takes(exi_of(again)).emaid == EMAID


async def test_a_station_of_16(site: Site) -> None:
    await site.entitle()
    site.station.version = Version.V16
    data = dumps(ev_payload(site.vehicle.asks())).decode()
    payload = {"vendorId": VENDOR_ID, "messageId": "Get15118EVCertificate", "data": data}
    serve = site.house.services.by_action[Version.V16, "DataTransfer"]
    answer = await serve(cast("Station", site.station), payload)
    wrapped = loads(answer["data"].encode())
    assert (answer["status"], wrapped["status"]) == ("Accepted", "Accepted")
    assert site.vehicle.takes(exi_of(wrapped)).emaid == EMAID


async def test_a_request_that_another_station_has_copied(site: Site) -> None:
    await site.entitle()
    exi = site.vehicle.asks()
    first = await site.hands_over(exi)
    assert await site.hands_over(exi) == first
    copied = await site.hands_over(exi, station=Stand("CS2"))
    assert (copied["statusInfo"]["reasonCode"], len(await site.certificates.list())) == ("Replayed", 1)


async def test_after_a_restart_it_is_no_news_either(tmp_path: Path, pki: Path) -> None:
    async with open_site(tmp_path, pki) as site:
        await site.entitle()
        exi = site.vehicle.asks()
        assert (await site.hands_over(exi))["status"] == "Accepted"
    async with open_site(tmp_path, pki) as site:
        assert (await site.hands_over(exi))["statusInfo"]["reasonCode"] == "Replayed"


async def test_without_the_section_nothing_is_served(tmp_path: Path, pki: Path) -> None:
    config = configured(tmp_path, pki).model_copy(update={"plug_and_charge": None})
    async with AsyncExitStack() as stack, open_house(config, tmp_path) as house:
        await house.services.prepare(stack)
        assert (Version.V201, "Get15118EVCertificate") not in house.services.by_action


async def test_without_a_provider_contracts_are_verified_and_certificates_left_to_the_backend(
    tmp_path: Path, pki: Path
) -> None:
    config = configured(tmp_path, pki, providers={}, oem_roots=None, oem_intermediates=None)
    async with AsyncExitStack() as stack, open_house(config, tmp_path) as house:
        await house.services.prepare(stack)
        assert (Version.V201, "Authorize") in house.services.by_action
        assert (Version.V201, "Get15118EVCertificate") not in house.services.by_action


async def test_a_start_that_fails_names_its_key(tmp_path: Path, pki: Path) -> None:
    with pytest.raises(StartFailed, match=r"plug_and_charge.oem_roots: .*nowhere.pem: No such file"):
        async with open_site(tmp_path, pki, oem_roots="/nowhere.pem"):
            pass


async def test_what_goes_on_beside(site: Site) -> None:
    site.house.services.pki.start()
    assert {"contract trust", "mobility operators"} <= {task.get_name() for task in asyncio.all_tasks()}


# --- ISO 15118-20


class Vehicle20(Vehicle):
    """One of -20, whose manufacturer is made with it; it signs what it asks."""

    def __init__(self, v2g: V2gPki, folder: Path) -> None:
        super().__init__(Schema.ISO_20, v2g.root)
        now = utc_now()
        oem = new_hierarchy("Test OEM", "OEM", now, curve="P-521", domain_components=("OEM", "OEM"))
        profile = load_profile("oem_provisioning")
        profile = profile.model_copy(update={"keys": KeyPolicy(curves=("P-521",))})
        leaf = issue(oem.issuing, profile, self.key.public_key(), common_name=PCID, organization="OEM", now=now)
        above = (oem.issuing.certificate.public_bytes(Encoding.DER),)
        self.chain = CertificateChain(leaf.public_bytes(Encoding.DER), above, "id1")
        (folder / "oem-20.pem").write_text(certificates_pem([oem.root.certificate]))

    def asks_for(self, most: int, second: int) -> bytes:
        header = Header(SESSION, timestamp=second)
        return write_message(sign(CertificateInstallationReq20(header, self.chain, self.roots, most), self.key))


@pytest.fixture
async def site_20(tmp_path: Path, pki: Path) -> AsyncIterator[tuple[Site, Vehicle20]]:
    v2g = v2g_pki(Schema.ISO_20, utc_now())
    vehicle = Vehicle20(v2g, tmp_path)
    (tmp_path / "cps-20.pem").write_text(v2g.chain_pem)
    (tmp_path / "cps-20.key").write_bytes(v2g.key_pem)
    (tmp_path / "cps-20.key").chmod(0o600)
    cps = {"chain": str(tmp_path / "cps-20.pem"), "key": f"file:{tmp_path}/cps-20.key"}
    providers = {"own": {"native": {"cps_20": cps}}}
    keys = {"providers": providers, "oem_roots": str(tmp_path / "oem-20.pem"), "oem_intermediates": None}
    async with open_site(tmp_path, pki, **keys) as site:
        yield site, vehicle


async def test_a_vehicle_of_20_gets_its_contracts_one_by_one(site_20: tuple[Site, Vehicle20]) -> None:
    site, vehicle = site_20
    emaids = [EMAID, "DE8EXC99999999", "DE8EXC00000000"]
    for emaid in emaids:
        await site.entitle(PCID, emaid)
    got = []
    for second in range(2):
        exi = vehicle.asks_for(2, second)
        payload = ev_payload(exi) | {"iso15118SchemaVersion": Schema.ISO_20.value}
        answer = await site.serves(payload)
        assert answer["status"] == "Accepted", answer
        contract, _, said = vehicle.opens(exi_of(answer))
        assert isinstance(said, CertificateInstallationRes20)
        got.append((common_name(contract), said.remaining_contract_certificate_chains))
    assert got == [(EMAID, 1), ("DE8EXC99999999", 0)]
    on_file = await site.certificates.list()
    assert [each.certificate.usage for each in on_file] == ["contract_20", "contract_20"]
    refused = await site.hands_over(site.vehicle.asks())  # one of -2: no CPS for it
    assert refused["statusInfo"]["reasonCode"] == "ChainUntrusted"
