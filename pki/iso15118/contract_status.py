"""Does a vehicle's contract certificate hold? Its path, dates, name, and whether it is revoked (OCPP 2.0.1 C07.FR.05).

A station that can't verify it by itself sends the chain; one that can sends the hashes alone, with the responders'
URLs. Hashes prove less: that the vehicle has the key, and what the certificate's name and dates are, is then the
station's word. What they do prove is that all that it names comes from a CA under our roots and is good now.
"""

import asyncio
import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from pki.certificate_hash import CertificateHash, certificate_hash, issued_by
from pki.clock import utc_now
from pki.iso15118.certificate_profiles import CONTRACT, CURVES, check_profile, check_role, common_name
from pki.iso15118.contract_authorities import ContractAuthorities
from pki.iso15118.exi import Schema
from pki.iso15118.identifiers import Emaid, without_emaids
from pki.iso15118.provisioning import ProvisioningRefused, Refusal
from pki.iso15118.trust import LIMITS, Path, name_of
from pki.ocsp.client import Cause, OcspUnavailable
from pki.ocsp.issuers import responders_of
from pki.ocsp.response import Answer
from pki.pem_chain import ChainMalformed, read_chain
from pki.revocation import Finding, Status

WAIT: Final = 2.0
"""Seconds for all responders together: the vehicle waits 4.5 s for the whole of PaymentDetails. What hasn't answered by
then goes on being asked, for the next time."""
REFRESH: Final = timedelta(hours=1)
"""After which a responder is asked again."""


class Fault(enum.Enum):
    """Why a contract isn't taken; the value is a label for logs and metrics."""

    EXPIRED = "expired"
    REVOKED = "revoked"
    MALFORMED = "malformed"
    PROFILE = "profile"
    """Not a contract's certificate by ISO 15118, or not yet valid."""
    UNTRUSTED = "untrusted"
    """No path to a root of ours."""
    OTHER_EMAID = "other_emaid"
    """The certificate is another contract's."""
    REVOCATION_UNKNOWN = "revocation_unknown"
    RESPONDER_REFUSED = "responder_refused"
    """The same, since the OCSP responder that was named is none that is asked (attack B2)."""


class ContractRefused(Exception):
    """The contract isn't taken. The text is the operator's; it holds nothing unbounded of a peer's, and no eMAID."""

    def __init__(self, fault: Fault, text: str) -> None:
        super().__init__(without_emaids(text))
        self.fault = fault


@dataclass(frozen=True, slots=True)
class NamedCertificate:
    """A certificate by its hashes (OCSPRequestDataType)."""

    certificate: CertificateHash
    responder: str
    """The URL at which somebody says whether it is revoked; where it may be is the guarded fetch's affair. Empty: the
    station knows none."""


@dataclass(frozen=True, slots=True)
class VerifiedContract:
    """A contract certificate that holds now."""

    serial: int
    issuer: x509.Certificate
    emaid: Emaid | None
    """As its name proves it; None where only hashes were at hand."""
    is_issued_here: bool = False
    """By its hashes: then it is on record, or there is no such certificate. A responder that only knows what is revoked
    (Vault's) says good of every number."""
    warnings: tuple[str, ...] = ()
    """What was let pass, as the operator wants it; no eMAID is in it."""


class Responders(Protocol):
    """Who asks responders: :class:`pki.ocsp.client.OcspClient`."""

    async def ask(
        self, url: str, certificate: CertificateHash, issuer: x509.Certificate, *, age_max: timedelta
    ) -> Answer:
        """Return a verified answer that holds now. Raises OcspUnavailable."""

    def last(self, certificate: CertificateHash) -> Answer | None:
        """Return what was last said, be it over by now."""


class Crls(Protocol):
    """What CRLs say: :class:`pki.revocation.CrlStore`."""

    def known(self, path: Sequence[x509.Certificate]) -> Finding:
        """Return what is known of a path, the leaf first."""

    def why_revoked(self, serial: int, issuer: x509.Certificate) -> str:
        """Return which CRL lists a certificate; empty: none does."""


@dataclass(frozen=True, slots=True)
class _Question:
    """Is this certificate revoked?"""

    certificate: CertificateHash
    """In SHA-256, so that what a responder said is remembered once, whoever asks in which form."""
    issuer: x509.Certificate
    responder: str | None
    """None: the certificate names none."""
    path: Path = ()
    """Itself first; empty where only its hashes are known."""
    is_leaf: bool = False


class ContractStatus:
    """Verifies contracts. For the event loop: a chain costs a few signatures, everything else is waiting."""

    def __init__(
        self,
        responders: Responders,
        crls: Crls,
        *,
        is_strict: bool,
        enforce_profiles: bool,
        clock: Callable[[], datetime] = utc_now,
        wait: float = WAIT,
    ) -> None:
        """``is_strict``: a leaf of which nobody says that it is good is refused, and a sub-CA whose responder is away.

        Otherwise only what is known as revoked, or not known to its own responder, is.
        """
        self._responders = responders
        self._crls = crls
        self._is_strict = is_strict
        self._enforce_profiles = enforce_profiles
        self._clock = clock
        self._wait = wait

    async def of_chain(self, pem: str, emaid: str, authorities: ContractAuthorities) -> VerifiedContract:
        """Verify the chain of the contract ``emaid`` (C07.FR.06): leaf first, in PEM. Raises :class:`ContractRefused`.

        The questions for the responders are made here, out of the certificates (TC_C_52).
        """
        wanted = _emaid(emaid)
        with _refusing():
            leaf, *others = read_chain(pem)
            path = authorities.paths.path(leaf, others, at=self._clock(), limits=LIMITS[Schema.ISO_20])
            named, warnings = self._look_at(path)
        if named.key != wanted.key:
            raise ContractRefused(Fault.OTHER_EMAID, "the certificate's CN is another contract's eMAID")
        questions = [
            _Question(
                certificate_hash(*pair), pair[1], next(iter(responders_of(pair[0])), None), path[index:], not index
            )
            for index, pair in enumerate(pairwise(path))
        ]
        warnings += await self._check_revocation(questions)
        return VerifiedContract(path[0].serial_number, path[1], named, warnings=tuple(warnings))

    async def of_hashes(self, named: Sequence[NamedCertificate], authorities: ContractAuthorities) -> VerifiedContract:
        """Verify what a station has verified itself but for revocation (C07.FR.01). Raises :class:`ContractRefused`.

        All of it must come from CAs under our roots; the contract is the first of it that is no CA.
        """
        questions = []
        for each in dict.fromkeys(named):
            issuer = authorities.issuer(each.certificate)
            if issuer is None:
                raise ContractRefused(
                    Fault.UNTRUSTED,
                    f"the CA that issued {each.certificate.serial} isn't known as a mobility operator's: name it in "
                    "ocsp.issuers, and its root in plug_and_charge.mo_roots",
                )
            certificate = issued_by(issuer, each.certificate.serial_number)
            is_leaf = not authorities.is_ca(certificate)
            questions.append(_Question(certificate, issuer, each.responder or None, is_leaf=is_leaf))
        leaf = next((each for each in questions if each.is_leaf), None)
        if leaf is None:
            raise ContractRefused(Fault.MALFORMED, "the hash data names CAs alone, and no contract")
        said = {each.certificate for each in questions}
        for ca, issuer in pairwise(authorities.above(leaf.issuer)):
            # A station may leave the sub-CAs out: what is known of them counts all the same.
            if (certificate := issued_by(issuer, ca.serial_number)) not in said:
                questions.append(_Question(certificate, issuer, None))
        warnings = await self._check_revocation(questions)
        is_own = authorities.is_own(leaf.issuer)
        return VerifiedContract(leaf.certificate.serial_number, leaf.issuer, None, is_own, tuple(warnings))

    def why_revoked(self, path: Path) -> str:
        """Return why one of a path is known as revoked, by CRL or by what a responder has said; nobody is asked.

        Empty: none is known to be.
        """
        pairs = [(certificate_hash(*pair), pair[1]) for pair in pairwise(path)]
        return next(filter(None, (self._why_revoked(*pair) for pair in pairs)), "")

    def _why_revoked(self, certificate: CertificateHash, issuer: x509.Certificate) -> str:
        if why := self._crls.why_revoked(certificate.serial_number, issuer):
            return why
        last = self._responders.last(certificate)
        if last is None or last.status is not Status.REVOKED:
            return ""
        why = f" ({last.reason})" if last.reason else ""
        return f"{certificate.serial} is revoked{why} by OCSP"

    def _look_at(self, path: Path) -> tuple[Emaid, list[str]]:
        """Return whose contract it is, and what was let pass. Raises ProvisioningRefused, :class:`ContractRefused`."""
        leaf = path[0]
        key = leaf.public_key()
        is_20 = isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, CURVES[Schema.ISO_20])
        schema = Schema.ISO_20 if is_20 else Schema.ISO_2
        check_role(path, CONTRACT, schema)
        try:
            emaid = Emaid.of_peer(common_name(leaf))
        except ValueError:
            raise ContractRefused(Fault.PROFILE, f"the CN of {name_of(leaf)} isn't an eMAID") from None
        findings = check_profile(path, CONTRACT, schema)
        if findings and self._enforce_profiles:
            raise ContractRefused(Fault.PROFILE, "; ".join(findings))
        return emaid, [*map(without_emaids, findings)]

    async def _check_revocation(self, questions: Sequence[_Question]) -> list[str]:
        """Return what isn't known and was let pass. Raises :class:`ContractRefused`."""
        for each in questions:
            if why := self._crls.why_revoked(each.certificate.serial_number, each.issuer):
                raise ContractRefused(Fault.REVOKED, why)
        silent = await self._ask([each for each in questions if each.responder is not None])
        for each in questions:
            if why := self._why_revoked(each.certificate, each.issuer):
                raise ContractRefused(Fault.REVOKED, why)
        warnings = []
        for each in questions:
            silence = silent.get(each.certificate)
            if doubt := self._doubt(each, silence):
                warnings.append(f"whether {each.certificate.serial} is revoked isn't known: {doubt}")
                if self._is_strict:
                    is_refused = silence is not None and silence.cause is Cause.NOT_ALLOWED
                    fault = Fault.RESPONDER_REFUSED if is_refused else Fault.REVOCATION_UNKNOWN
                    raise ContractRefused(fault, warnings[-1])
        return warnings

    def _doubt(self, question: _Question, silence: OcspUnavailable | None) -> str:
        """Return why it isn't known to be good; empty: it is, or it is a CA of which nobody says anything."""
        last = self._responders.last(question.certificate)
        if last is not None and self._clock() <= last.until:
            if last.status is Status.UNKNOWN:
                # Somebody who must know says that there is no such certificate: that is no trouble of the network.
                text = f"{question.certificate.serial} isn't known to its OCSP responder"
                raise ContractRefused(Fault.REVOCATION_UNKNOWN, text)
            return ""
        listed = self._crls.known(question.path) if question.path else Finding(Status.UNKNOWN)
        if listed.status is Status.GOOD or (question.responder is None and not question.is_leaf):
            return ""
        if question.responder is None:
            return f"no OCSP responder is named for it, and {listed.reason or 'of hashes alone no CRL says enough'}"
        return str(silence or "what its OCSP responder said is over")

    async def _ask(self, questions: Sequence[_Question]) -> Mapping[CertificateHash, OcspUnavailable]:
        """Ask side by side, within ``wait`` seconds; return why there is no answer, where there is none."""
        too_late = OcspUnavailable(Cause.AWAY, f"no answer within {self._wait:g} s")
        silent = dict.fromkeys((each.certificate for each in questions), too_late)

        async def ask(question: _Question) -> None:
            try:
                await self._responders.ask(
                    question.responder or "", question.certificate, question.issuer, age_max=REFRESH
                )
            except OcspUnavailable as unavailable:
                silent[question.certificate] = unavailable
            else:
                silent.pop(question.certificate, None)

        with suppress(TimeoutError):
            async with asyncio.timeout(self._wait):
                await asyncio.gather(*map(ask, questions))
        return silent


_FAULTS: Final[Mapping[Refusal, Fault]] = {
    Refusal.CERTIFICATE_EXPIRED: Fault.EXPIRED,
    Refusal.CERTIFICATE_NOT_YET_VALID: Fault.PROFILE,
    Refusal.CERTIFICATE_PROFILE: Fault.PROFILE,
    Refusal.MALFORMED: Fault.MALFORMED,
}
"""What the path is refused for; everything else is that no root of ours stands above it."""


@contextmanager
def _refusing() -> Iterator[None]:
    """Say what is wrong with a chain or its path in this module's words."""
    try:
        yield
    except ChainMalformed as malformed:
        raise ContractRefused(Fault.MALFORMED, str(malformed)) from None
    except ProvisioningRefused as refused:
        raise ContractRefused(_FAULTS.get(refused.refusal, Fault.UNTRUSTED), str(refused)) from None


def _emaid(text: str) -> Emaid:
    try:
        return Emaid.of_peer(text)
    except ValueError:
        raise ContractRefused(Fault.OTHER_EMAID, "the idToken isn't an eMAID") from None
