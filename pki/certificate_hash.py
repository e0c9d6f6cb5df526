"""How OCPP names a certificate: CertificateHashData, the CertID of RFC 6960 4.1.1 in hex (OCPP 2.0.1 Part 2, M)."""

import enum
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp

SERIAL_MAX: Final = 40
"""Hex digits of a serial number: 20 octets (RFC 5280 4.1.2.2)."""

_HEX: Final = re.compile(r"[0-9a-fA-F]+")


class HashAlgorithm(enum.Enum):
    """HashAlgorithmEnumType; the value is OCPP's word."""

    SHA256 = "SHA256"
    SHA384 = "SHA384"
    SHA512 = "SHA512"

    @property
    def hash(self) -> "StrongHash":
        return _HASHES[self]


StrongHash = hashes.SHA256 | hashes.SHA384 | hashes.SHA512

_HASHES: Final[Mapping[HashAlgorithm, StrongHash]] = {
    HashAlgorithm.SHA256: hashes.SHA256(),
    HashAlgorithm.SHA384: hashes.SHA384(),
    HashAlgorithm.SHA512: hashes.SHA512(),
}


@dataclass(frozen=True, slots=True)
class CertificateHash:
    """One certificate's name, in the form in which two are compared: lower case, a serial without leading zeros."""

    algorithm: HashAlgorithm
    issuer_name: str
    """Hex of the hash over the DER of the issuer's name, as it stands in the certificate."""
    issuer_key: str
    """Hex of the hash over the value of the issuer's subjectPublicKey: no tag, length or unused-bits octet."""
    serial: str

    @property
    def payload(self) -> dict[str, str]:
        """Return CertificateHashDataType, the same in 1.6 and 2.0.1."""
        return {
            "hashAlgorithm": self.algorithm.value,
            "issuerNameHash": self.issuer_name,
            "issuerKeyHash": self.issuer_key,
            "serialNumber": self.serial,
        }

    @property
    def serial_number(self) -> int:
        return int(self.serial, 16)


def certificate_hash(
    certificate: x509.Certificate, issuer: x509.Certificate, algorithm: HashAlgorithm = HashAlgorithm.SHA256
) -> CertificateHash:
    """Return the name of ``certificate``, whose ``issuer`` is itself if it is a root. That it is so isn't verified."""
    named = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, algorithm.hash).build()
    return CertificateHash(
        algorithm, named.issuer_name_hash.hex(), named.issuer_key_hash.hex(), f"{named.serial_number:x}"
    )


def issued_by(issuer: x509.Certificate, serial: int) -> CertificateHash:
    """Return the name, in SHA-256, of what ``issuer`` issued under a serial number, however it was named before."""
    name = hashlib.sha256(issuer.subject.public_bytes()).hexdigest()
    return replace(certificate_hash(issuer, issuer), issuer_name=name, serial=f"{serial:x}")


def read_certificate_hash(payload: Mapping[str, Any]) -> CertificateHash:
    """Read CertificateHashDataType as a peer wrote it: any case, and leading zeros in the serial (identifierString).

    Raises ValueError, which names the field.
    """
    try:
        algorithm = HashAlgorithm(payload.get("hashAlgorithm"))
    except ValueError:
        raise ValueError("hashAlgorithm is none of SHA256, SHA384 and SHA512") from None
    digits = 2 * algorithm.hash.digest_size
    name, key = _hex(payload, "issuerNameHash"), _hex(payload, "issuerKeyHash")
    for field, value in (("issuerNameHash", name), ("issuerKeyHash", key)):
        if len(value) != digits:
            raise ValueError(f"{field} has {len(value)} hex digits; {algorithm.value} has {digits}")
    serial = _hex(payload, "serialNumber").lstrip("0") or "0"
    if len(serial) > SERIAL_MAX:
        raise ValueError(f"serialNumber has more than {SERIAL_MAX} hex digits")
    return CertificateHash(algorithm, name, key, serial)


def _hex(payload: Mapping[str, Any], field: str) -> str:
    value = payload.get(field)
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise ValueError(f"{field} isn't hex")
    return value.lower()
