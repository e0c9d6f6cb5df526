"""What is kept of each request of a vehicle: the audit, security events, the metrics."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

import structlog
from cryptography import x509

from gateway.services.contract_providers import Chosen, VehiclesStation
from gateway.services.ev_certificate_words import TEXT_MAX, EvRequest
from gateway.services.peer_text import printable
from gateway.session.ports import StoreAway
from gateway.session.provisionings import ProvisioningEntry
from gateway.session.security import Kind, SecurityEvent, SecurityLog
from gateway.session.tally import Tally
from pki.iso15118.exi import Schema
from pki.iso15118.provisioning import Contract, Provision, ProvisioningRefused, Refusal, VerifiedRequest

SCHEMA_MAX: Final = 50
"""Characters of iso15118SchemaVersion."""
NOBODY: Final = "-"
"""The metric's label where no provider was asked."""
FOREIGN: Final = "seen"
"""The usage of a certificate that isn't ours to revoke."""
ISSUED: Final = "Issued"
"""The metric's outcome of a request that brought a certificate; of the others it is the refusal."""

KINDS: Final = {
    Refusal.TOO_LARGE: Kind.INVALID_MESSAGES,
    Refusal.MALFORMED: Kind.INVALID_MESSAGES,
    Refusal.SIGNATURE_PROFILE: Kind.SUSPICIOUS_VEHICLE,
    Refusal.DIGEST_MISMATCH: Kind.SUSPICIOUS_VEHICLE,
    Refusal.SIGNATURE_INVALID: Kind.SUSPICIOUS_VEHICLE,
    Refusal.CHAIN_UNTRUSTED: Kind.SUSPICIOUS_VEHICLE,
    Refusal.CERTIFICATE_REVOKED: Kind.SUSPICIOUS_VEHICLE,
    Refusal.REPLAYED: Kind.ATTEMPTED_REPLAY,
    Refusal.RATE_LIMIT: Kind.RATE_LIMITED,
    Refusal.PROVIDER_ANSWER: Kind.NOT_ISSUED,
}
"""Refusals that are security events. What a peer does by accident, or a provider by being away, is none."""

log = structlog.get_logger(__name__)


class ProvisioningAudit(Protocol):
    """The audit of all requests. Every method raises StoreAway; the first two are durable on return."""

    async def note(self, entry: ProvisioningEntry) -> None:
        """Keep a refusal."""

    async def issued(
        self,
        entry: ProvisioningEntry,
        certificate: x509.Certificate,
        *,
        usage: str,
        predecessor: x509.Certificate | None = None,
    ) -> None:
        """Keep that a vehicle is given a certificate, and the certificate, in one database transaction.

        ``usage`` is that of the authority that signed it, ``seen`` for one that isn't ours. ``predecessor`` is
        superseded.
        """

    async def was_issued(self, digest: str) -> bool:
        """Return whether the request of this SHA-256 has ever brought a certificate."""


@dataclass(slots=True)
class Case:
    """One request in hand, and what has come to light of it."""

    station: VehiclesStation
    asked: EvRequest
    at: datetime
    digest: str
    """SHA-256 of the EXI, or of what was sent in its place; hex."""
    exi: bytes = field(default=b"", repr=False)
    schema: Schema | None = None
    verified: VerifiedRequest | None = None
    contract: Contract | None = None
    chosen: Chosen | None = None
    provision: Provision | None = None


class ProvisioningRecord:
    """Keeps what became of requests."""

    def __init__(self, audit: ProvisioningAudit, security: SecurityLog, tally: Tally) -> None:
        self._audit = audit
        self._security = security
        self._tally = tally

    async def check_new(self, case: Case) -> None:
        """Return when these octets have brought no certificate yet, in whatever run of the gateway.

        Raises ProvisioningRefused, REPLAYED, and StoreAway.
        """
        if await self._audit.was_issued(case.digest):
            text = "this very request has brought a certificate before; the audit has its digest"
            raise ProvisioningRefused(Refusal.REPLAYED, text)

    async def issued(self, case: Case, provision: Provision, predecessor: x509.Certificate | None) -> None:
        """Keep that a certificate was provided. Raises StoreAway: then nobody may have it."""
        is_ours = case.chosen is not None and case.chosen.offer.is_ours
        usage = ("contract_20" if case.schema is Schema.ISO_20 else "contract") if is_ours else FOREIGN
        entry = _entry(case)
        try:
            await self._audit.issued(entry, provision.certificate, usage=usage, predecessor=predecessor)
        except StoreAway:
            # The CA has signed it: who clears up must know of it.
            log.error("contract_certificate_lost", serial=entry.contract_serial, issuer=entry.issuer, emaid=entry.emaid)  # noqa: TRY400 - StoreAway is logged by who refuses
            raise
        log.info(
            "contract_certificate_provided",
            identity=entry.station,
            provider=entry.provider,
            pcid=entry.pcid,
            emaid=entry.emaid,
            serial=entry.contract_serial,
            warnings=entry.text or None,
        )

    async def refused(self, case: Case, refused: ProvisioningRefused) -> None:
        """Keep a refusal; while the store is away the log alone has it."""
        text = printable(str(refused), TEXT_MAX)
        entry = _entry(case, refused.refusal, text, withdrawn=refused.withdrawn)
        log.warning(
            "contract_certificate_refused",
            identity=entry.station,
            refusal=refused.refusal.value,
            reason=text,
            provider=entry.provider,
            pcid=entry.pcid,
            emaid=entry.emaid,
            serial=entry.contract_serial,
        )
        kind = KINDS.get(refused.refusal)
        if kind is not None:
            presented = {"request": entry.digest}
            self._security.note(
                SecurityEvent(kind, text, entry.station, case.station.remote or None, presented=presented)
            )
        try:
            await self._audit.note(entry)
        except StoreAway as away:
            log.error("provisioning_not_audited", identity=entry.station, digest=entry.digest, reason=str(away))  # noqa: TRY400 - it says it all

    def counted(self, case: Case, refusal: Refusal | None, seconds: float | None = None) -> None:
        """Count one request, and the time from its arrival to its answer, if it was looked at."""
        provider = NOBODY if case.chosen is None else case.chosen.name
        outcome = ISSUED if refusal is None else refusal.value
        self._tally.provisioned(case.asked.action.value, provider, outcome, seconds)


def _entry(
    case: Case, refusal: Refusal | None = None, text: str = "", *, withdrawn: x509.Certificate | None = None
) -> ProvisioningEntry:
    verified, provision, contract = case.verified, case.provision, case.contract
    certificate = withdrawn if provision is None else provision.certificate
    emaid = verified.emaid if verified is not None else None
    if contract is not None:
        emaid = contract.emaid
    if provision is not None:
        emaid = provision.emaid
    return ProvisioningEntry(
        at=case.at,
        station=case.station.identity,
        action=case.asked.action.value,
        schema=printable(case.asked.schema_version, SCHEMA_MAX),
        digest=case.digest,
        provider=None if case.chosen is None else case.chosen.name,
        refusal=refusal,
        text=text or printable("; ".join(_warnings(case)), TEXT_MAX),
        pcid=_pcid(case),
        emaid=emaid,
        vehicle_serial=None if verified is None else _serial(verified.path[0]),
        contract_serial=None if certificate is None else _serial(certificate),
        issuer=None if certificate is None else certificate.issuer.rfc4514_string(),
        cps_serial=None if provision is None else _serial(provision.cps_certificate),
        not_after=None if certificate is None else certificate.not_valid_after_utc,
    )


def _warnings(case: Case) -> tuple[str, ...]:
    requested = () if case.verified is None else case.verified.warnings
    return requested + (() if case.provision is None else case.provision.warnings)


def _pcid(case: Case) -> str | None:
    """Of an update it is known from the contract alone."""
    if case.verified is not None and case.verified.pcid is not None:
        return case.verified.pcid
    return None if case.contract is None else case.contract.pcid


def _serial(certificate: x509.Certificate) -> str:
    return format(certificate.serial_number, "x")
