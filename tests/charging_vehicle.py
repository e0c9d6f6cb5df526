"""A vehicle of ISO 15118-2 from the factory: it asks for its contract certificate, checks the answer, opens the key."""

import base64
import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from pki.iso15118.development import write_vehicle
from pki.iso15118.envelope import Sealed, open_2
from pki.iso15118.exi import Schema
from pki.iso15118.messages import (
    CertificateChain,
    CertificateInstallationReq,
    CertificateInstallationRes,
    CertificateUpdateReq,
    CertificateUpdateRes,
    Header,
    RootCertificateId,
)
from pki.iso15118.reading import read_message
from pki.iso15118.signature import check_signature
from pki.iso15118.writing import write_message
from pki.pem_files import parse_key
from tests.iso15118_dialogue import sign

PCID = "WEXEXAMPLE00000012"
EMAID = "DE8EXC12345678A"


@dataclass(frozen=True)
class HeldContract:
    """What a vehicle charges with."""

    chain: CertificateChain
    key: ec.EllipticCurvePrivateKey
    emaid: str

    @property
    def certificate(self) -> x509.Certificate:
        return x509.load_der_x509_certificate(self.chain.certificate)


class ChargingVehicle:
    """Built by the manufacturer whose CA is in ``pki`` (``pki.iso15118.development``)."""

    def __init__(self, pki: Path, target: Path, *, pcid: str = PCID) -> None:
        files = write_vehicle(pki, target, pcid=pcid)
        key = parse_key(files.key.read_bytes())
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self.key = key
        self.certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
        self.v2g_root = x509.load_pem_x509_certificate(files.v2g_roots.read_bytes())
        self._session = bytes(8)
        self._asked_with = key

    @property
    def _roots(self) -> tuple[RootCertificateId, ...]:
        return (RootCertificateId(self.v2g_root.subject.rfc4514_string(), self.v2g_root.serial_number),)

    def asks(self) -> bytes:
        """Return CertificateInstallationReq, signed, under a new SessionID."""
        self._session, self._asked_with = os.urandom(8), self.key
        leaf = self.certificate.public_bytes(Encoding.DER)
        return write_message(
            sign(CertificateInstallationReq(Header(self._session), "id1", leaf, self._roots), self.key)
        )

    def updates(self, held: HeldContract) -> bytes:
        """Return CertificateUpdateReq for the contract that it has."""
        self._session, self._asked_with = os.urandom(8), held.key
        chain = CertificateChain(held.chain.certificate, held.chain.sub_certificates)
        message = CertificateUpdateReq(Header(self._session), "id1", chain, held.emaid, self._roots)
        return write_message(sign(message, held.key))

    def takes(self, exi: bytes) -> HeldContract:
        """Check the answer to its last question as a vehicle does, and return the contract with its key."""
        answer = self.reads(exi)
        assert answer.header.session_id == self._session
        assert answer.response_code == "OK"
        ders = (answer.cps_chain.certificate, *answer.cps_chain.sub_certificates)
        way = [x509.load_der_x509_certificate(each) for each in ders]
        for certificate, issuer in pairwise([*way, self.v2g_root]):
            certificate.verify_directly_issued_by(issuer)
        check_signature(answer, way[0].public_key())
        data = answer.contract
        key = open_2(Sealed(data.encrypted_private_key, data.dh_public_key), self._asked_with)
        held = HeldContract(data.chain, key, data.emaid)
        assert held.certificate.public_key() == key.public_key()
        return held

    @staticmethod
    def reads(exi: bytes) -> CertificateInstallationRes | CertificateUpdateRes:
        answer = read_message(exi, Schema.ISO_2)
        assert isinstance(answer, CertificateInstallationRes | CertificateUpdateRes)
        return answer


def ev_payload(exi: bytes, action: str = "Install") -> dict[str, str]:
    """Return Get15118EVCertificateRequest of 2.0.1."""
    return {
        "iso15118SchemaVersion": Schema.ISO_2.value,
        "action": action,
        "exiRequest": base64.b64encode(exi).decode(),
    }
