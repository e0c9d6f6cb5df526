"""What the station keeps: its password, the roots it was given, its private key and its certificate.

password             Basic password, given by the installer
csms-root.pem        whom it trusts to be the CSMS
cso-root.pem         the operator's CA, whose certificates it accepts for itself
firmware-roots.pem   its manufacturer's root, and firmware-cas.pem the CAs below it: what they let sign, it installs
station.key|.pem     its key and certificate chain, once it has them
pending.key          the key of the CSR that is under way; it becomes station.key (A02.FR.02: fresh each time)
"""

import base64
import os
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import ExtensionPolicy, PolicyBuilder, Store, VerificationError

CHAIN_MAX: Final = 10_000
"""Characters of a certificateChain (SecurityCtrlr.MaxCertificateChainSize)."""


class CertificateRefused(Exception):
    """The station doesn't take a certificate (OCPP 2.0.1 A02.FR.06, FR.07, FR.16); the text says why."""

    def __init__(self, text: str, reason_code: str = "InvalidCertificate") -> None:
        super().__init__(text)
        self.reason_code = reason_code


@dataclass(frozen=True, slots=True)
class FirmwareSigner:
    """Somebody who signs for the station's manufacturer."""

    name: str
    key: ec.EllipticCurvePublicKey

    def has_signed(self, sha256: bytes, signature: str) -> bool:
        """Return whether a signature in base64 is its own over the image of this digest (L01.FR.12)."""
        try:
            self.key.verify(base64.b64decode(signature), sha256, ec.ECDSA(Prehashed(hashes.SHA256())))
        except (InvalidSignature, ValueError):
            return False
        return True


class StationFolder:
    """The station's memory. ``serial`` and ``operator`` are what its certificate must say (A00.FR.509, FR.511)."""

    def __init__(self, path: Path, *, serial: str, operator: str) -> None:
        self._path = path
        self._serial = serial
        self._operator = operator

    def __repr__(self) -> str:
        return f"<StationFolder {self._path}>"

    @property
    def password(self) -> str:
        """The Basic password."""
        return (self._path / "password").read_text()

    @property
    def has_certificate(self) -> bool:
        """True once the station has a certificate of its own: from then on it uses security profile 3."""
        return (self._path / "station.pem").exists()

    def tls_context(self) -> ssl.SSLContext:
        """Return the TLS settings: TLS 1.2 or later, the CSMS root alone, the own certificate when there is one."""
        context = ssl.create_default_context(cafile=self._path / "csms-root.pem")
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.has_certificate:
            context.load_cert_chain(self._path / "station.pem", self._path / "station.key")
        return context

    def new_csr(self) -> str:
        """Make a fresh key pair and return its PKCS#10 request in PEM (A02.FR.02, FR.03)."""
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        _write_secret(self._path / "pending.key", pem)
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, self._operator),
                x509.NameAttribute(NameOID.COMMON_NAME, self._serial),
            ]
        )
        request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
        return request.public_bytes(Encoding.PEM).decode()

    def install(self, chain_pem: str) -> x509.Certificate:
        """Check a chain, leaf first, and put it into use. Raises :class:`CertificateRefused`."""
        if len(chain_pem) > CHAIN_MAX:
            raise CertificateRefused(f"the chain has more than {CHAIN_MAX} characters", "TooLargeElement")
        pending = self._path / "pending.key"
        if not pending.exists():
            raise CertificateRefused("no CSR is under way")
        try:
            leaf, *intermediates = x509.load_pem_x509_certificates(chain_pem.encode())
        except ValueError:
            raise CertificateRefused("the chain is not certificates in PEM") from None
        key = load_pem_private_key(pending.read_bytes(), None)
        if _spki(leaf.public_key()) != _spki(key.public_key()):
            raise CertificateRefused("the certificate is for another key than the CSR's")
        _check_subject(leaf, NameOID.COMMON_NAME, self._serial)
        _check_subject(leaf, NameOID.ORGANIZATION_NAME, self._operator)
        _check_path(leaf, intermediates, self._certificates("cso-root.pem"))
        _write_secret(self._path / "station.pem", chain_pem.encode())
        pending.replace(self._path / "station.key")
        return leaf

    def firmware_signer(self, pem: str) -> FirmwareSigner:
        """Check a signing certificate (L01.FR.11), and return whose it is. Raises :class:`CertificateRefused`."""
        if not (self._path / "firmware-roots.pem").exists():
            raise CertificateRefused("the station knows no manufacturer's root")
        try:
            leaf = x509.load_pem_x509_certificate(pem.encode())
        except ValueError:
            raise CertificateRefused("the signing certificate isn't one in PEM") from None
        _check_path(leaf, self._certificates("firmware-cas.pem"), self._certificates("firmware-roots.pem"))
        key = leaf.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise CertificateRefused("the station verifies ECDSA alone")
        return FirmwareSigner(leaf.subject.rfc4514_string(), key)

    def _certificates(self, name: str) -> list[x509.Certificate]:
        return x509.load_pem_x509_certificates((self._path / name).read_bytes())


def _check_path(leaf: x509.Certificate, intermediates: list[x509.Certificate], roots: list[x509.Certificate]) -> None:
    """Build the path to a root, valid now (RFC 5280 6; A02.FR.06). Raises :class:`CertificateRefused`.

    A station's certificate has neither SAN nor EKU by right (A00.FR.511, FR.514), nor has a firmware signer's: of the
    leaf, the path alone counts.
    """
    verifier = (
        PolicyBuilder()
        .store(Store(roots))
        .time(datetime.now(UTC))
        .extension_policies(ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=ExtensionPolicy.permit_all())
        .build_client_verifier()
    )
    try:
        verifier.verify(leaf, intermediates)
    except VerificationError as error:
        raise CertificateRefused(f"no valid path to a root that counts: {error}") from None


def _check_subject(leaf: x509.Certificate, attribute: x509.ObjectIdentifier, expected: str) -> None:
    values = [found.value for found in leaf.subject.get_attributes_for_oid(attribute)]
    if values != [expected]:
        name = x509.NameAttribute(attribute, expected).rfc4514_attribute_name
        raise CertificateRefused(f"{name} is {values}, not {expected!r}")


def _spki(key: object) -> bytes:
    """Return a public key's SubjectPublicKeyInfo, by which keys of any kind compare."""
    data: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]  # every kind of public key has it, their union type doesn't say so
    return data


def _write_secret(path: Path, content: bytes) -> None:
    """Write a file that its owner alone may read, from its first moment."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
