"""The demo's vehicle, as far as a contract certificate concerns it (ISO 15118-2): it asks for one, checks it, keeps it.

provisioning.pem|.key   what it left its factory with
v2g-roots.pem           whom it trusts
contract.pem|.key       its contract, once it has one: the certificate and the mobility operator's sub-CAs
"""

import secrets
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pki.iso15118.envelope import EnvelopeError, Sealed, open_2
from pki.iso15118.exi import ExiError, Schema
from pki.iso15118.messages import (
    SESSION_ID_SIZE_MAX,
    CertificateChain,
    CertificateInstallationReq,
    CertificateInstallationRes,
    Header,
    RootCertificateId,
)
from pki.iso15118.provisioning import ProvisioningRefused
from pki.iso15118.reading import read_message
from pki.iso15118.signature import check_signature, sign
from pki.iso15118.writing import write_message
from pki.pem_files import PUBLIC_MODE, SECRET_MODE, certificates_pem, key_pem, read_key, write_file

NUMBER_SIZE: Final = 32
"""Octets of r, and of s."""


class ContractRefused(Exception):
    """The vehicle doesn't take what it was given; the text says why."""


class Vehicle:
    """A vehicle in its folder. Blocks on its disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._certificate = _certificates(folder / "provisioning.pem")[0]
        self._key = _key(folder / "provisioning.key")
        self._roots = _certificates(folder / "v2g-roots.pem")
        self._session_id = b""

    @property
    def pcid(self) -> str:
        """Its name: the CN of its provisioning certificate."""
        return _common_name(self._certificate)

    @property
    def emaid(self) -> str:
        """The contract that it charges on. Raises FileNotFoundError when it has none."""
        return _common_name(_certificates(self._folder / "contract.pem")[0])

    @property
    def contract_chain(self) -> str:
        """The contract's certificate and sub-CAs in PEM, which it shows to the station. Raises FileNotFoundError."""
        return (self._folder / "contract.pem").read_text("ascii")

    async def ask(self) -> bytes:
        """Return a CertificateInstallationReq in EXI, signed with the key from the factory, in a new session."""
        self._session_id = secrets.token_bytes(SESSION_ID_SIZE_MAX)
        request = CertificateInstallationReq(
            Header(self._session_id),
            id="id1",
            oem_provisioning_certificate=self._certificate.public_bytes(Encoding.DER),
            root_certificate_ids=tuple(
                RootCertificateId(root.issuer.rfc4514_string(), root.serial_number) for root in self._roots
            ),
        )
        return write_message(await sign(request, self._sign))

    def take(self, exi: bytes) -> x509.Certificate:
        """Check an answer as a vehicle does, keep the contract, and return its certificate.

        Raises :class:`ContractRefused`.
        """
        try:
            message = read_message(exi, Schema.ISO_2)
            if not isinstance(message, CertificateInstallationRes):
                raise ContractRefused(f"the answer is a {type(message).__name__}")
            if not message.response_code.startswith("OK"):
                raise ContractRefused(f"the answer is {message.response_code}")
            if message.header.session_id != self._session_id:
                raise ContractRefused("the answer is another session's")
            check_signature(message, self._provisioning_service(message.cps_chain))
            contract = message.contract
            key = open_2(Sealed(contract.encrypted_private_key, contract.dh_public_key), self._key)
        except (ExiError, ProvisioningRefused, EnvelopeError) as error:
            raise ContractRefused(str(error)) from None
        chain = _chain(contract.chain)
        if key.public_key() != chain[0].public_key():
            raise ContractRefused("the private key isn't that of the contract's certificate ([V2G2-823])")
        if _common_name(chain[0]) != contract.emaid:
            raise ContractRefused("the certificate is another contract's")
        write_file(self._folder / "contract.key", key_pem(key), SECRET_MODE)
        write_file(self._folder / "contract.pem", certificates_pem(chain).encode(), PUBLIC_MODE)
        return chain[0]

    def _provisioning_service(self, sent: CertificateChain) -> ec.EllipticCurvePublicKey:
        """Return the key of the CPS's leaf, once its path leads to a root in the vehicle. Raises ContractRefused."""
        chain = _chain(sent)
        root = next((root for root in self._roots if root.subject == chain[-1].issuer), None)
        if root is None:
            raise ContractRefused("the provisioning service isn't under a root that the vehicle has")
        try:
            for certificate, issuer in pairwise((*chain, root)):
                certificate.verify_directly_issued_by(issuer)
        except Exception:  # noqa: BLE001 - a wrong name, key or signature: three kinds of error, one answer
            raise ContractRefused("the provisioning service's chain is broken") from None
        if [each.value for each in chain[0].subject.get_attributes_for_oid(NameOID.DOMAIN_COMPONENT)] != ["CPS"]:
            raise ContractRefused("whoever signed isn't a provisioning service: its DC isn't CPS ([V2G2-925])")
        key = chain[0].public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise ContractRefused("the provisioning service's key isn't one of P-256")
        return key

    async def _sign(self, octets: bytes) -> bytes:
        numbers = decode_dss_signature(self._key.sign(octets, ec.ECDSA(hashes.SHA256())))
        return b"".join(number.to_bytes(NUMBER_SIZE) for number in numbers)


def _certificates(path: Path) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(path.read_bytes())


def _key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = read_key(path)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{path}: not an elliptic curve key")
    return key


def _chain(sent: CertificateChain) -> Sequence[x509.Certificate]:
    try:
        return [x509.load_der_x509_certificate(each) for each in (sent.certificate, *sent.sub_certificates)]
    except ValueError:
        raise ContractRefused("a certificate in the answer can't be read") from None


def _common_name(certificate: x509.Certificate) -> str:
    return str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
