"""A contract certificate and its sealed private key: made together, and the key forgotten ([V2G20-2522])."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from pki.authority import (
    AuthorityError,
    AuthorityUnavailable,
    CertificateAuthority,
    IssuedCertificate,
    IssuedMismatch,
    OutcomeUnknown,
    RevocationUnsupported,
    SigningRequest,
)
from pki.clock import utc_now
from pki.iso15118.contract_csr import contract_request
from pki.iso15118.envelope import CURVE_2, CURVE_20, SKI_20, EnvelopeError, Sealed, bound_to, checked, seal_2, seal_20
from pki.iso15118.exi import Schema
from pki.iso15118.messages import CertificateChain
from pki.iso15118.provisioning import Contract, ProvisioningRefused, Refusal, VerifiedRequest
from pki.pem_files import read_chain
from pki.profiles import CertificateProfile, Curve, with_lifetime

LIFETIME_MAX: Final = timedelta(days=2 * 365)
"""Of a contract certificate, its backdating included (ISO 15118-2 Annex F)."""
LIFETIME_MIN: Final = timedelta(hours=1)
"""A contract that ends sooner gets no certificate."""
CLOCKS_DIFFER: Final = timedelta(minutes=5)
"""By how much an authority's clock may be ahead: a certificate ends that much before its contract, or sooner."""
UNWINDING_MAX: Final = 256
"""Undelivered certificates that are being revoked at a time; what is more than these is logged for a person."""
UNWINDING_PATIENCE: Final = 5.0
"""Seconds that :meth:`ContractIssuer.close` waits for them."""

_GENERATIONS: Final[Mapping[Curve, tuple[Schema, ec.EllipticCurve]]] = {
    "P-256": (Schema.ISO_2, CURVE_2),
    "P-521": (Schema.ISO_20, CURVE_20),
}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class IssuedContract:
    """What a vehicle is to get, not signed yet by a provisioning service."""

    emaid: str
    certificate: x509.Certificate
    chain: CertificateChain
    """Without an Id."""
    sealed: Sealed


class ContractIssuer:
    """Makes contracts of one generation of ISO 15118: ``profile`` is ``contract`` (-2) or ``contract_20``.

    ``organization`` is the mobility operator's: the O of the certificates.
    """

    def __init__(
        self,
        authority: CertificateAuthority,
        profile: CertificateProfile,
        organization: str,
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._authority = authority
        self._profile = profile
        self.schema, self._curve = _GENERATIONS[profile.keys.curves[0]]
        self._organization = organization
        self._clock = clock
        self._unwinding: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"ContractIssuer({self._profile.name}, {self._authority!r})"

    async def issue(self, request: VerifiedRequest, contract: Contract) -> IssuedContract:
        """Issue ``contract`` for the vehicle of ``request``; its private key is sealed to ``request.key``.

        What was issued and can't be returned is revoked, also when the caller stops waiting meanwhile. Raises
        :class:`ProvisioningRefused`.
        """
        profile = self._lasting(contract)
        self._check_vehicle(request)
        key = ec.generate_private_key(self._curve)
        try:
            asked = contract_request(key, emaid=contract.emaid, organization=self._organization, profile=profile)
        except ValueError as error:
            raise ProvisioningRefused(Refusal.NO_CONTRACT, f"the contract can't be certified: {error}") from None
        issued = await self._signed(asked)
        try:
            self._check_issued(issued, contract, key)
            sealed = self._sealed(key, issued.certificate, request)
            leaf, *above = (each.public_bytes(Encoding.DER) for each in read_chain(issued.chain_pem))
        except (IssuedMismatch, EnvelopeError) as error:
            self.unwind(issued.certificate)
            refused = ProvisioningRefused(Refusal.PROVIDER_ANSWER, f"{error} (it is being revoked)")
            refused.withdrawn = issued.certificate
            raise refused from None
        except BaseException:
            self.unwind(issued.certificate)
            raise
        return IssuedContract(contract.emaid, issued.certificate, CertificateChain(leaf, tuple(above)), sealed)

    async def revoke(
        self, certificate: x509.Certificate, reason: x509.ReasonFlags = x509.ReasonFlags.unspecified
    ) -> None:
        """Revoke what this issuer's authority has issued: superseded by an update, or never delivered.

        Raises :class:`pki.authority.AuthorityError`; RevocationUnsupported for another's certificate, though its serial
        number were one of ours.
        """
        serial = format(certificate.serial_number, "x")
        if not any(_is_issued_by(certificate, issuer) for issuer in await self._authority.chain()):
            raise RevocationUnsupported(f"{serial} wasn't issued by this authority: its own issuer revokes it")
        await self._authority.revoke(serial, reason)

    def unwind(self, certificate: x509.Certificate) -> None:
        """Revoke, without being waited for, what was issued and isn't delivered; what fails is logged."""
        self._spawn(self._revoked(certificate), f"revocation of {certificate.serial_number:x}")

    async def health(self) -> None:
        """Return when it could issue now. Raises :class:`pki.authority.AuthorityUnavailable`."""
        await self._authority.health()

    async def close(self) -> None:
        """Wait a little for what is being revoked; what is left then is logged for a person."""
        if not self._unwinding:
            return
        _, late = await asyncio.wait(self._unwinding, timeout=UNWINDING_PATIENCE)
        for task in late:
            task.cancel()
            log.error("contract_left_unrevoked", task=task.get_name(), at_once=len(late))
        if late:
            await asyncio.wait(late)

    def _lasting(self, contract: Contract) -> CertificateProfile:
        """Return the profile with a lifetime that ends with the contract, and within two years."""
        lifetime = min(self._profile.validity.lifetime, LIFETIME_MAX - self._profile.validity.backdate)
        if contract.valid_until is not None:
            lifetime = min(lifetime, contract.valid_until - CLOCKS_DIFFER - self._clock())
            if lifetime < LIFETIME_MIN:
                ends = contract.valid_until.isoformat(timespec="minutes")
                raise ProvisioningRefused(Refusal.NO_CONTRACT, f"the contract {contract.emaid} ends on {ends}")
        return with_lifetime(self._profile, lifetime)

    def _check_vehicle(self, request: VerifiedRequest) -> None:
        """What the envelope would refuse, before anything is issued."""
        try:
            checked(request.key, self._curve)
            if self.schema is Schema.ISO_20:
                bound_to(request.pcid or "", bytes(SKI_20))
        except EnvelopeError as error:
            raise ProvisioningRefused(Refusal.CERTIFICATE_PROFILE, str(error)) from None

    async def _signed(self, asked: SigningRequest) -> IssuedCertificate:
        signing = asyncio.get_running_loop().create_task(self._authority.sign(asked), name="contract certificate")
        try:
            return await asyncio.shield(signing)
        except asyncio.CancelledError:
            if not self._spawn(self._late(signing, asked), f"contract certificate of {asked.common_name}, too late"):
                signing.cancel()
            raise
        except AuthorityError as error:
            if isinstance(error, OutcomeUnknown):
                _tell_unknown(asked, error)
            raise refused_by(error) from None

    async def _late(self, signing: asyncio.Task[IssuedCertificate], asked: SigningRequest) -> None:
        """Nobody waits any more: what comes is revoked."""
        try:
            issued = await signing
        except OutcomeUnknown as error:
            _tell_unknown(asked, error)
            return
        except AuthorityError as error:
            log.warning("contract_not_issued", reason=str(error))
            return
        await self._revoked(issued.certificate)

    async def _revoked(self, certificate: x509.Certificate) -> None:
        serial = format(certificate.serial_number, "x")
        try:
            await self._authority.revoke(serial)
        except AuthorityError as error:
            log.error("undelivered_contract_not_revoked", serial=serial, reason=str(error))  # noqa: TRY400 - its words say it
        else:
            log.info("undelivered_contract_revoked", serial=serial)

    def _check_issued(self, issued: IssuedCertificate, contract: Contract, key: ec.EllipticCurvePrivateKey) -> None:
        """Beside what every authority's answers are held against: what vehicles check. Raises IssuedMismatch."""
        certificate = issued.certificate
        if certificate.public_key() != key.public_key():  # [V2G2-823]
            raise IssuedMismatch("the contract certificate is for another key than the one that was made for it")
        lasts = issued.not_after - issued.not_before
        if lasts > LIFETIME_MAX or (contract.valid_until is not None and issued.not_after > contract.valid_until):
            raise IssuedMismatch(f"the contract certificate ends on {issued.not_after.isoformat()}: that is too late")
        try:
            certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        except x509.ExtensionNotFound:
            raise IssuedMismatch(
                "the contract certificate has no basic constraints (ISO 15118-2 Annex F); set the role's "
                "basic_constraints_valid_for_non_ca to true"
            ) from None

    def _sealed(
        self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate, request: VerifiedRequest
    ) -> Sealed:
        if self.schema is Schema.ISO_2:
            return seal_2(key, request.key)
        identifier = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
        return seal_20(key, request.key, request.pcid or "", identifier)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> bool:
        """Begin what nobody waits for; False, and a line in the log, when there is too much of it."""
        if len(self._unwinding) >= UNWINDING_MAX:
            work.close()
            log.error("contract_left_unrevoked", task=name, at_once=UNWINDING_MAX)
            return False
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._unwinding.add(task)
        task.add_done_callback(self._unwinding.discard)
        return True


def refused_by(error: AuthorityError) -> ProvisioningRefused:
    """Return what an authority's failure is for who asked for a contract."""
    if isinstance(error, AuthorityUnavailable):
        refusal = Refusal.PROVIDER_UNAVAILABLE
    else:
        refusal = Refusal.PROVIDER_ANSWER if isinstance(error, IssuedMismatch) else Refusal.PROVIDER_REFUSED
    return ProvisioningRefused(refusal, f"no contract certificate: {error}")


def _tell_unknown(asked: SigningRequest, error: OutcomeUnknown) -> None:
    """Who looks after the authority can find and revoke what it may have signed; its key is forgotten here."""
    log.error("contract_perhaps_issued", emaid=asked.common_name, reason=str(error))


def _is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
