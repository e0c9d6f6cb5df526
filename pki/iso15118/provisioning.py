"""Who provides contract certificates: what each is given and gives, whoever it is."""

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from pki.iso15118.exi import Schema
from pki.iso15118.messages import Action, Request


class Refusal(enum.Enum):
    """Why a vehicle gets no certificate. The value names it in audit, metrics and the station's statusInfo."""

    TOO_LARGE = "TooLarge"
    MALFORMED = "Malformed"
    """Not EXI of the schema, not canonical, or another message than the station said."""
    SIGNATURE_PROFILE = "SignatureProfile"
    """Algorithms, transforms or references that ISO 15118 doesn't allow."""
    DIGEST_MISMATCH = "DigestMismatch"
    SIGNATURE_INVALID = "SignatureInvalid"
    CHAIN_UNTRUSTED = "ChainUntrusted"
    CERTIFICATE_EXPIRED = "CertificateExpired"
    CERTIFICATE_NOT_YET_VALID = "CertificateNotYetValid"
    CERTIFICATE_REVOKED = "CertificateRevoked"
    CERTIFICATE_PROFILE = "CertificateProfile"
    REPLAYED = "Replayed"
    RATE_LIMIT = "RateLimitExceeded"
    NO_CONTRACT = "NoContract"
    """No contract, none that is valid now, or the eMAID of an update is another's."""
    PROVIDER_UNAVAILABLE = "ProviderUnavailable"
    PROVIDER_TIMEOUT = "ProviderTimeout"
    PROVIDER_REFUSED = "ProviderRefused"
    PROVIDER_ANSWER = "ProviderAnswerInvalid"
    """What the provider gave was checked and isn't what was asked for."""
    NOT_CONFIGURED = "NotConfigured"


class ProvisioningRefused(Exception):
    """No certificate. The text is the operator's: what is wrong, what to do; no key, nothing unbounded of a peer's."""

    def __init__(self, refusal: Refusal, text: str) -> None:
        super().__init__(text)
        self.refusal = refusal
        self.withdrawn: x509.Certificate | None = None
        """A contract certificate that was issued and isn't given out: it is being revoked; for the audit."""


@dataclass(frozen=True, slots=True)
class VerifiedRequest:
    """A request whose signature leads to a trusted root."""

    message: Request
    schema: Schema
    action: Action
    exi: bytes
    """As it came, which is canonical."""
    path: tuple[x509.Certificate, ...]
    """Of the vehicle's certificate, leaf first, root last: OEM provisioning, or for updates the old contract."""
    key: ec.EllipticCurvePublicKey
    """To which the contract's private key is encrypted ([V2G2-820], [V2G2-821])."""
    pcid: str | None
    """CN of the OEM provisioning certificate, in capitals; None for updates."""
    emaid: str | None
    """CN of the old contract certificate in its wire form; None for installations."""
    warnings: tuple[str, ...] = ()
    """What breaks the certificate profiles of ISO 15118 and was let pass."""


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract that a vehicle is entitled to."""

    emaid: str
    """In capitals, without hyphens."""
    pcid: str | None
    """Whose it is; None where only the eMAID is known."""
    valid_until: datetime | None = None
    """Aware; its certificate doesn't outlive it."""


@dataclass(frozen=True, slots=True)
class Provision:
    """What a provider gives: the whole answer for the vehicle, and what the audit keeps of it."""

    exi: bytes
    """CertificateInstallationRes or CertificateUpdateRes, under the SessionID of the request."""
    emaid: str
    certificate: x509.Certificate
    """The contract certificate."""
    cps_certificate: x509.Certificate
    """The leaf that signed."""
    remaining: int | None = None
    """Contracts that are still to come (-20 RemainingContractCertificateChains)."""
    warnings: tuple[str, ...] = ()
    """What breaks the certificate profiles and was let pass, or may keep the vehicle from taking it."""


class ContractProvider(Protocol):
    """Provides contract certificates."""

    async def provide(self, request: VerifiedRequest, contract: Contract | None, *, remaining: int) -> Provision:
        """Return the answer to ``request``, for ``contract``; None: the provider knows itself which.

        ``remaining`` contracts are to come after this one (-20). Raises :class:`ProvisioningRefused`; who calls bounds
        the time.
        """

    async def close(self) -> None:
        """End what is under way."""
