"""Certificate authorities: what each can do, whoever it is."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cryptography import x509

from pki.profiles import CertificateProfile


class AuthorityError(Exception):
    """No certificate; the text says why and what to do."""


class AuthorityUnavailable(AuthorityError):
    """The authority can't be used now: unreachable, sealed, expired, or its files are damaged."""


class SigningPending(AuthorityUnavailable):
    """The authority has yet to decide: the same CSR, asked again, picks the certificate up."""

    def __init__(self, text: str, retry_after: float) -> None:
        super().__init__(text)
        self.retry_after = retry_after
        """Seconds."""


class OutcomeUnknown(AuthorityUnavailable):
    """The authority was asked to sign and gave no answer: it may have signed. Asked again, it signs once more."""


class SigningRefused(AuthorityError):
    """The authority won't sign this."""


class RevocationUnsupported(SigningRefused):
    """The authority can't be told of this revocation, now or ever: a person looks at the CA."""


class IssuedMismatch(AuthorityError):
    """The authority gave something else than what was asked."""


@dataclass(frozen=True, slots=True)
class SigningRequest:
    """What an authority is asked to sign. The subject is made of these fields, never of the CSR's own.

    ``csr`` has passed :func:`pki.csr.review`; an authority takes nothing from it but the public key.
    """

    csr: x509.CertificateSigningRequest
    common_name: str
    organization: str
    profile: CertificateProfile
    names: tuple[str, ...] = ()
    """Host names and IP addresses for the subject alternative names, where the profile has them."""
    chain_size_max: int | None = None
    """Characters of a chain that this station takes (OCPP 2.0.1 SecurityCtrlr.MaxCertificateChainSize), when known."""


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A certificate and the way to its root."""

    certificate: x509.Certificate
    chain_pem: str
    """Leaf first, then the issuing CAs, without the root (OCPP 2.0.1 CertificateSignedRequest.certificateChain)."""

    @property
    def serial(self) -> str:
        """The serial number in hex without leading zeros (OCPP 2.0.1 CertificateHashDataType)."""
        return format(self.certificate.serial_number, "x")

    @property
    def not_before(self) -> datetime:
        """Aware, in UTC."""
        return self.certificate.not_valid_before_utc

    @property
    def not_after(self) -> datetime:
        """Aware, in UTC."""
        return self.certificate.not_valid_after_utc


class CertificateAuthority(Protocol):
    """Signs certificates, and revokes them. Every method raises :class:`AuthorityError`."""

    async def sign(self, request: SigningRequest) -> IssuedCertificate:
        """Return a certificate that :func:`pki.issued.verify_issued` has found to be what was asked."""

    async def chain(self) -> list[x509.Certificate]:
        """Return the CA certificates, the issuing one first, the root last."""

    async def revoke(self, serial: str, reason: x509.ReasonFlags = x509.ReasonFlags.unspecified) -> None:
        """Revoke what it issued under ``serial`` (hex); one that is revoked already stays so. On disk at return."""

    async def crl(self) -> bytes:
        """Return its current CRL in PEM; it always has one, though it may be empty."""

    async def health(self) -> None:
        """Return when the authority could sign now. Raises :class:`AuthorityUnavailable`."""
