"""The vehicle: what it asks for is in order, and of answers it takes the right one alone."""

import dataclasses
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.demo.vehicle import ContractRefused, Vehicle
from pki.clock import utc_now
from pki.iso15118.development import write_plug_and_charge_pki, write_vehicle
from pki.iso15118.envelope import seal_2
from pki.iso15118.exi import Schema
from pki.iso15118.messages import (
    CertificateChain,
    CertificateInstallationReq,
    CertificateInstallationRes,
    ContractData,
    Header,
)
from pki.iso15118.reading import read_message
from pki.iso15118.signature import check_signature, sign
from pki.iso15118.writing import write_message
from pki.issuing import Hierarchy, issue, new_hierarchy, new_key
from pki.pem_files import read_key
from pki.profiles import load_profile

PCID = "WVGTEST0000000001"
EMAID = "DE8EXC12345678O"

Change = Callable[[CertificateInstallationRes], CertificateInstallationRes]


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


class Service:
    """Issues contracts under the development PKI, and signs answers."""

    def __init__(self, folder: Path) -> None:
        self.chain = x509.load_pem_x509_certificates((folder / "cps.pem").read_bytes())
        self.key = self._own(folder / "cps.key")
        self.operator: Hierarchy = new_hierarchy("MO", "Example MO", utc_now(), domain_components=("MO", "MO"))

    async def answer(self, exi: bytes, change: Change = lambda answer: answer, emaid: str = EMAID) -> bytes:
        request = read_message(exi, Schema.ISO_2)
        assert isinstance(request, CertificateInstallationReq)
        vehicle = x509.load_der_x509_certificate(request.oem_provisioning_certificate).public_key()
        assert isinstance(vehicle, ec.EllipticCurvePublicKey)
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = issue(
            self.operator.issuing,
            load_profile("contract"),
            key.public_key(),
            common_name=emaid,
            organization="Example MO",
            now=utc_now(),
        )
        sealed = seal_2(key, vehicle)
        contract = ContractData(
            CertificateChain(der(leaf), (der(self.operator.issuing.certificate),), "id1"),
            sealed.encrypted_private_key,
            "id2",
            sealed.dh_public_key,
            "id3",
            EMAID,
            "id4",
        )
        cps = CertificateChain(der(self.chain[0]), tuple(map(der, self.chain[1:])))
        answer = CertificateInstallationRes(Header(request.header.session_id), "OK", cps, contract)
        return write_message(await sign(change(answer), self._sign))

    async def _sign(self, octets: bytes) -> bytes:
        r, s = decode_dss_signature(self.key.sign(octets, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)

    @staticmethod
    def _own(path: Path) -> ec.EllipticCurvePrivateKey:
        key = read_key(path)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return key


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dev")
    write_plug_and_charge_pki(folder, operator="Example CPO")
    return folder


@pytest.fixture
def service(pki: Path) -> Service:
    return Service(pki)


@pytest.fixture
def folder(pki: Path, tmp_path: Path) -> Path:
    write_vehicle(pki, tmp_path / "vehicle", pcid=PCID)
    return tmp_path / "vehicle"


@pytest.fixture
def vehicle(folder: Path) -> Vehicle:
    return Vehicle(folder)


async def test_its_request_is_signed_with_its_key_from_the_factory(vehicle: Vehicle, folder: Path, pki: Path) -> None:
    request = read_message(await vehicle.ask(), Schema.ISO_2)

    assert isinstance(request, CertificateInstallationReq)
    (certificate,) = x509.load_pem_x509_certificates((folder / "provisioning.pem").read_bytes())
    (root,) = x509.load_pem_x509_certificates((pki / "v2g-roots.pem").read_bytes())
    assert request.oem_provisioning_certificate == der(certificate)
    assert [each.serial_number for each in request.root_certificate_ids] == [root.serial_number]
    key: Any = certificate.public_key()
    check_signature(request, key)
    assert vehicle.pcid == PCID


async def test_each_request_is_a_session_of_its_own(vehicle: Vehicle) -> None:
    first, second = [read_message(await vehicle.ask(), Schema.ISO_2) for _ in range(2)]
    assert first.header.session_id != second.header.session_id


async def test_it_keeps_its_contract(vehicle: Vehicle, folder: Path, service: Service) -> None:
    taken = vehicle.take(await service.answer(await vehicle.ask()))

    assert vehicle.emaid == EMAID
    shown = x509.load_pem_x509_certificates(vehicle.contract_chain.encode())
    assert shown == [taken, service.operator.issuing.certificate]
    assert read_key(folder / "contract.key").public_key() == taken.public_key()
    assert stat.S_IMODE((folder / "contract.key").stat().st_mode) == 0o600


def other_session(answer: CertificateInstallationRes) -> CertificateInstallationRes:
    return dataclasses.replace(answer, header=Header(b"\x00"))


def failed(answer: CertificateInstallationRes) -> CertificateInstallationRes:
    return dataclasses.replace(answer, response_code="FAILED_NoCertificateAvailable")


def other_key(answer: CertificateInstallationRes) -> CertificateInstallationRes:
    """An envelope that opens, of another contract's key."""
    vehicle = ec.generate_private_key(ec.SECP256R1())
    sealed = seal_2(ec.generate_private_key(ec.SECP256R1()), vehicle.public_key())
    contract = dataclasses.replace(answer.contract, encrypted_private_key=sealed.encrypted_private_key)
    return dataclasses.replace(answer, contract=contract)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (other_session, "another session's"),
        (failed, "FAILED_NoCertificateAvailable"),
        (other_key, "private key"),
    ],
)
async def test_an_answer_that_it_does_not_take(
    vehicle: Vehicle, folder: Path, service: Service, change: Change, why: str
) -> None:
    with pytest.raises(ContractRefused, match=why):
        vehicle.take(await service.answer(await vehicle.ask(), change))
    assert not (folder / "contract.pem").exists()


async def test_a_certificate_for_another_contract(vehicle: Vehicle, service: Service) -> None:
    with pytest.raises(ContractRefused, match="another contract's"):
        vehicle.take(await service.answer(await vehicle.ask(), emaid="DE8EXC00000000X"))


async def test_a_provisioning_service_under_a_root_that_it_does_not_have(vehicle: Vehicle, tmp_path: Path) -> None:
    write_plug_and_charge_pki(tmp_path / "other", operator="Another CPO")
    with pytest.raises(ContractRefused, match="root"):
        vehicle.take(await Service(tmp_path / "other").answer(await vehicle.ask()))


async def test_a_server_of_the_right_root_that_provisions_nothing(
    vehicle: Vehicle, pki: Path, service: Service
) -> None:
    hierarchy = (pki / "v2g-ca" / "issuing.pem", pki / "v2g-ca" / "issuing.key")
    issuing = x509.load_pem_x509_certificate(hierarchy[0].read_bytes())
    key = new_key()
    leaf = issue(
        dataclasses.replace(service.operator.issuing, certificate=issuing, key=read_key(hierarchy[1])),
        load_profile("secc"),
        key.public_key(),
        common_name="DE8EXSECC001",
        organization="Example CPO",
        now=utc_now(),
    )
    service.chain[0] = leaf
    with pytest.raises(ContractRefused, match="DC isn't CPS"):
        vehicle.take(await service.answer(await vehicle.ask()))


async def test_octets_that_are_no_answer(vehicle: Vehicle) -> None:
    request = await vehicle.ask()
    with pytest.raises(ContractRefused, match="CertificateInstallationReq"):
        vehicle.take(request)
    with pytest.raises(ContractRefused):
        vehicle.take(request[:100])
