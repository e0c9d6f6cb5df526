"""The messages by which a vehicle gets its contract certificate, as values (ISO 15118-2 8.4.3, ISO 15118-20 8.3.4).

Certificates are DER. The classes of -20 end in 20; those of -2 have no suffix.
"""

import enum
from dataclasses import dataclass
from typing import Final

from pki.iso15118.exi import Schema

SESSION_ID_SIZE_MAX: Final = 8
"""Octets of a SessionID."""


class Action(enum.Enum):
    """What a vehicle wants (OCPP 2.0.1 CertificateActionEnumType)."""

    INSTALL = "Install"
    UPDATE = "Update"


@dataclass(frozen=True, slots=True)
class Reference:
    """One reference of a SignedInfo: what is signed, and its digest."""

    uri: str
    """``#`` and the Id of the signed element."""
    digest: bytes
    digest_method: str
    transforms: tuple[str, ...]
    id: str | None = None


@dataclass(frozen=True, slots=True)
class SignedInfo:
    """What a signature is over (XML Signature 4.4)."""

    canonicalization_method: str
    signature_method: str
    references: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """An XML signature."""

    signed_info: SignedInfo
    value: bytes
    """r||s, each as long as the curve's order: 64 octets for P-256, 132 for P-521."""
    id: str | None = None
    extras: tuple[str, ...] = ()
    """What a received one has beyond this, like ``KeyInfo in Signature``: XML Signature knows it, ISO 15118 forbids it
    ([V2G2-771]). Such a signature is neither written nor accepted."""


@dataclass(frozen=True, slots=True)
class Notification:
    """A fault that a header of -2 tells of."""

    fault_code: str
    fault_message: str | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a message; it isn't signed."""

    session_id: bytes
    signature: Signature | None = None
    notification: Notification | None = None
    """-2 alone."""
    timestamp: int | None = None
    """Seconds since 1970; -20 alone, which must have it."""


@dataclass(frozen=True, slots=True)
class RootCertificateId:
    """A root that the vehicle trusts (X509IssuerSerialType)."""

    issuer_name: str
    serial_number: int


@dataclass(frozen=True, slots=True)
class CertificateChain:
    """A leaf and the CAs above it, without the root."""

    certificate: bytes
    sub_certificates: tuple[bytes, ...] = ()
    id: str | None = None


@dataclass(frozen=True, slots=True)
class CertificateInstallationReq:
    """A vehicle without a contract asks for one (-2)."""

    header: Header
    id: str
    oem_provisioning_certificate: bytes
    """The leaf alone; the manufacturer's sub-CAs aren't sent."""
    root_certificate_ids: tuple[RootCertificateId, ...]


@dataclass(frozen=True, slots=True)
class CertificateUpdateReq:
    """A vehicle whose contract certificate ends soon asks for the next one (-2)."""

    header: Header
    id: str
    contract_chain: CertificateChain
    """ContractSignatureCertChain: the certificate that it has."""
    emaid: str
    root_certificate_ids: tuple[RootCertificateId, ...]


@dataclass(frozen=True, slots=True)
class ContractData:
    """The four signed parts of an answer of -2, each with an Id of its own."""

    chain: CertificateChain
    """ContractSignatureCertChain; its ``id`` is set."""
    encrypted_private_key: bytes
    encrypted_private_key_id: str
    dh_public_key: bytes
    dh_public_key_id: str
    emaid: str
    emaid_id: str


@dataclass(frozen=True, slots=True)
class CertificateInstallationRes:
    """The answer to CertificateInstallationReq (-2)."""

    header: Header
    response_code: str
    cps_chain: CertificateChain
    """SAProvisioningCertificateChain; its leaf signs, itself it isn't signed."""
    contract: ContractData


@dataclass(frozen=True, slots=True)
class CertificateUpdateRes:
    """The answer to CertificateUpdateReq (-2)."""

    header: Header
    response_code: str
    cps_chain: CertificateChain
    contract: ContractData
    retry_counter: int | None = None
    """Days until the vehicle may ask again, where there was no certificate: 0 at once, -1 never."""


@dataclass(frozen=True, slots=True)
class CertificateInstallationReq20:
    """A vehicle asks for its contracts, one by one (-20)."""

    header: Header
    oem_chain: CertificateChain
    """OEMProvisioningCertificateChain, signed; its ``id`` is set."""
    root_certificate_ids: tuple[RootCertificateId, ...]
    maximum_contract_certificate_chains: int
    prioritized_emaids: tuple[str, ...] = ()


class KeyWrapping(enum.Enum):
    """How a contract key of -20 is encrypted: the name of its element."""

    SECP521 = "SECP521_EncryptedPrivateKey"
    X448 = "X448_EncryptedPrivateKey"
    TPM = "TPM_EncryptedPrivateKey"


@dataclass(frozen=True, slots=True)
class SignedInstallationData:
    """The signed part of an answer of -20."""

    id: str
    contract_chain: CertificateChain
    ecdh_curve: str
    """SECP521 or X448."""
    dh_public_key: bytes
    key_wrapping: KeyWrapping
    encrypted_private_key: bytes


@dataclass(frozen=True, slots=True)
class CertificateInstallationRes20:
    """The answer to CertificateInstallationReq of -20."""

    header: Header
    response_code: str
    evse_processing: str
    """Finished, or Ongoing."""
    cps_chain: CertificateChain
    installation_data: SignedInstallationData
    remaining_contract_certificate_chains: int


Request = CertificateInstallationReq | CertificateUpdateReq | CertificateInstallationReq20
Response = CertificateInstallationRes | CertificateUpdateRes | CertificateInstallationRes20
Message = Request | Response


def schema_of(message: Message) -> Schema:
    """Return which generation a message is of: by its namespace OCPP tells them apart (iso15118SchemaVersion)."""
    is_20 = isinstance(message, CertificateInstallationReq20 | CertificateInstallationRes20)
    return Schema.ISO_20 if is_20 else Schema.ISO_2
