"""Authorize with a charging contract (OCPP 2.0.1 C07; the Plug & Charge note for 1.6): first its certificate, then it.

Only a contract whose certificate is good is asked about at the backend, as an idTag where that one knows no contracts.
What is refused here, or can't be verified, never gets that far.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

import structlog
from cryptography import x509

from gateway.bridge.books import Books, Json, Page
from gateway.bridge.plug_and_charge_16 import unwrapped_authorize, wrapped_authorize
from gateway.bridge.ports import NotSent, PeerUnavailable
from gateway.services.contract_words import NO_PROOF, for_the_note, of_id_tag_info, paired, refused, refused_for
from gateway.services.pnc_16 import BridgedStation
from gateway.session.ports import StoreAway
from gateway.session.provisionings import ContractStatus, ProvidedCertificate
from gateway.session.security import Kind, SecurityEvent, SecurityLog
from gateway.session.strikes import StrikesByIdentity
from gateway.session.tally import Tally
from gateway.wire.errors import CallError
from pki.certificate_hash import read_certificate_hash
from pki.iso15118.contract_authorities import ContractAuthorities
from pki.iso15118.contract_status import ContractRefused, Fault, NamedCertificate, VerifiedContract
from pki.iso15118.identifiers import Emaid

EMAID_TYPE: Final = "eMAID"
CHECKS_MAX: Final = 240
"""Contracts of one station that are looked at in ``CHECKS_WINDOW`` seconds: each may send the gateway to responders."""
CHECKS_WINDOW: Final = 3600.0

_SUSPICIOUS: Final = {
    Fault.REVOKED: Kind.CERTIFICATE_REVOKED,
    Fault.MALFORMED: Kind.INVALID_CONTRACT,
    Fault.OTHER_EMAID: Kind.INVALID_CONTRACT,
    Fault.PROFILE: Kind.INVALID_CONTRACT,
}
"""Faults that deserve a security event. Expired ones and those of foreign operators come every day."""

log = structlog.get_logger(__name__)


class ContractStation(BridgedStation, Protocol):
    """A connected station whose vehicles charge under contracts."""

    books: Books
    knows_contracts: bool
    """True when its backend is to hear what proves a contract."""

    async def begun(self) -> None:
        """Wait for a backend's leg that is only being opened."""


class Verifier(Protocol):
    """Who verifies contracts: :class:`pki.iso15118.contract_status.ContractStatus`. Both raise ContractRefused."""

    async def of_chain(self, pem: str, emaid: str, authorities: ContractAuthorities) -> VerifiedContract:
        """Verify the chain of a contract."""

    async def of_hashes(self, named: Sequence[NamedCertificate], authorities: ContractAuthorities) -> VerifiedContract:
        """Verify what is known by its hashes."""


class ContractRecords(Protocol):
    """The contract certificates that vehicles got through this gateway."""

    async def find(self, serial: int, issuer: x509.Certificate) -> ProvidedCertificate | None:
        """Return what is on record of a certificate; None: nothing is. Raises StoreAway."""

    async def taken(self, record: ProvidedCertificate) -> None:
        """Note that a vehicle has been seen with it: the one before it is over. Raises StoreAway."""


Ask = Callable[[], Awaitable[Json]]
"""``await ask()`` returns the backend's AuthorizeResponse, or what stands in for it."""


class ContractAuthorization:
    """Answers Authorize where a contract is concerned; everything else goes straight on."""

    def __init__(
        self,
        verifier: Verifier,
        authorities: Callable[[], Awaitable[ContractAuthorities | None]],
        records: ContractRecords,
        security: SecurityLog,
        tally: Tally,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``await authorities()``: whom contracts may come from; None: the operator has named nobody."""
        self._verifier = verifier
        self._authorities = authorities
        self._records = records
        self._security = security
        self._tally = tally
        self._clock = clock
        self._checks = StrikesByIdentity(CHECKS_MAX, CHECKS_WINDOW)

    async def authorize(self, station: ContractStation, payload: Json) -> Json:
        """Answer AuthorizeRequest of a 2.0.1 station."""
        token = payload["idToken"]
        has_proof = "certificate" in payload or "iso15118CertificateHashData" in payload

        async def ask() -> Json:
            await station.begun()
            whole = payload if station.knows_contracts else {"idToken": token}
            return await station.bridge.from_station("Authorize", whole)

        if not has_proof and (token["type"] != EMAID_TYPE or _is_started_remotely(station, token["idToken"])):
            return await ask()
        return await self._judged(station, payload, ask)

    async def wrapped(self, station: ContractStation, payload: Json, vendor_id: str) -> Json:
        """Answer the same of a 1.6 station, in DataTransfer; ``payload`` is in 2.0.1's fields, so is the answer."""
        id_tag = payload["idToken"]["idToken"]

        async def ask() -> Json:
            await station.begun()
            if station.knows_contracts:
                request = wrapped_authorize(id_tag, payload, vendor_id)
                try:
                    answer = unwrapped_authorize(await station.bridge.from_station("DataTransfer", request))
                except NotSent:
                    return await self._plain(station, id_tag)  # there authorize_offline has the word
                except (CallError, PeerUnavailable):
                    answer = None  # it has heard what proves the contract: to ask for the eMAID alone would undo that
                return answer or {"idTokenInfo": {"status": "Unknown"}}
            return await self._plain(station, id_tag)

        return for_the_note(await self._judged(station, payload, ask))

    @staticmethod
    async def _plain(station: ContractStation, id_tag: str) -> Json:
        try:
            conf = await station.bridge.from_station("Authorize", {"idTag": id_tag})
        except CallError:
            return {"idTokenInfo": {"status": "Unknown"}}
        return of_id_tag_info(conf["idTagInfo"])

    async def _judged(self, station: ContractStation, payload: Json, ask: Ask) -> Json:
        """Return the answer to Authorize with a contract, and say what came of it."""
        proof = _proof_of(payload)
        authorities = await self._authorities()
        if authorities is None and proof != "none" and station.knows_contracts:
            # Nobody here can tell; the backend can. What it finds wrong with the certificate stands.
            answer = await ask()
            answer = paired(answer) if "certificateStatus" in answer else answer
            self._tell(station, payload, proof, answer)
            return answer
        try:
            verified = await self._check(station, payload, proof, authorities)
        except ContractRefused as fault:
            answer = refused_for(fault.fault) if proof != "none" else refused(NO_PROOF)
            self._tell(station, payload, proof, answer, fault)
            return answer
        for warning in verified.warnings:
            log.warning("contract_let_pass", identity=station.identity, serial=f"{verified.serial:x}", reason=warning)
        answer = paired(await ask())
        self._tell(station, payload, proof, answer)
        return answer

    async def _check(
        self, station: ContractStation, payload: Json, proof: str, authorities: ContractAuthorities | None
    ) -> VerifiedContract:
        """Return the verified contract. Raises ContractRefused."""
        if proof == "none":
            raise ContractRefused(Fault.MALFORMED, "an eMAID without certificate and without hash data")
        if authorities is None:
            raise ContractRefused(Fault.UNTRUSTED, "no root of a mobility operator is named: plug_and_charge.mo_roots")
        if self._checks.one_more(station.identity, self._clock()):
            text = f"more than {CHECKS_MAX} contracts in an hour"
            self._security.note(SecurityEvent(Kind.RATE_LIMITED, text, station.identity))
            raise ContractRefused(Fault.REVOCATION_UNKNOWN, text)
        emaid = payload["idToken"]["idToken"]
        if proof == "chain":
            verified = await self._verifier.of_chain(payload["certificate"], emaid, authorities)
        else:
            verified = await self._verifier.of_hashes(_named(payload["iso15118CertificateHashData"]), authorities)
        await self._check_record(verified, emaid)
        return verified

    async def _check_record(self, verified: VerifiedContract, emaid: str) -> None:
        """A certificate that a vehicle got through this gateway is known by name, whatever a station says of it."""
        try:
            record = await self._records.find(verified.serial, verified.issuer)
        except StoreAway as away:
            raise ContractRefused(Fault.REVOCATION_UNKNOWN, f"the record of contracts can't be read: {away}") from None
        if record is None:
            if verified.is_issued_here:
                raise ContractRefused(Fault.OTHER_EMAID, f"{verified.serial:x} was never issued here")
            return
        if record.status is ContractStatus.REVOKED:
            raise ContractRefused(Fault.REVOKED, f"{verified.serial:x} is revoked here")
        if record.status is ContractStatus.EXPIRED:
            raise ContractRefused(Fault.EXPIRED, f"{verified.serial:x} has expired")
        if not _is_same(record.emaid, emaid):
            raise ContractRefused(Fault.OTHER_EMAID, f"{verified.serial:x} was issued for another contract")
        try:
            await self._records.taken(record)
        except StoreAway as away:
            log.error("superseded_contract_stays", serial=f"{verified.serial:x}", reason=str(away))  # noqa: TRY400 - it says it all

    def _tell(
        self, station: ContractStation, payload: Json, proof: str, answer: Json, fault: ContractRefused | None = None
    ) -> None:
        """One line in the log, one more in the metric, and a security event where there is reason for one."""
        status = answer.get("certificateStatus", "none")
        self._tally.contracts[status, proof] += 1
        fields = {
            "identity": station.identity,
            "emsp": _emsp_of(payload["idToken"]["idToken"]),
            "proof": proof,
            "certificate_status": status,
            "status": answer["idTokenInfo"]["status"],
        }
        if fault is None:
            is_authorized = answer["idTokenInfo"]["status"] == "Accepted"
            log.info("contract_authorized" if is_authorized else "contract_denied_by_backend", **fields)
            return
        log.warning("contract_refused", **fields, fault=fault.fault.value, reason=str(fault))
        kind = _SUSPICIOUS.get(fault.fault)
        if fault.fault is Fault.RESPONDER_REFUSED and proof == "hashes":
            kind = Kind.UNSAFE_LOCATION  # a station's own word; what a chain names its CA has signed
        if kind is not None and proof != "none":
            detail = f"Authorize with a contract: {fault}"
            self._security.note(SecurityEvent(kind, detail, station.identity, presented={"proof": proof}))


def _proof_of(payload: Json) -> str:
    """Return what proves the contract: "chain", which says more, "hashes", or "none"."""
    if "certificate" in payload:
        return "chain"
    return "hashes" if payload.get("iso15118CertificateHashData") else "none"


def _named(hash_data: Sequence[Json]) -> list[NamedCertificate]:
    """Read iso15118CertificateHashData. Raises ContractRefused."""
    try:
        return [NamedCertificate(read_certificate_hash(each), each["responderURL"]) for each in hash_data]
    except ValueError as error:
        raise ContractRefused(Fault.MALFORMED, f"iso15118CertificateHashData: {error}") from None


def _is_started_remotely(station: ContractStation, text: str) -> bool:
    """Return whether the backend itself has named this token in a remote start: it needs no certificate (F01.FR.01)."""
    named = station.books.page(Page.REMOTE_STARTS).values()
    return any(text.casefold() == str(each).casefold() for each in named)


def _is_same(one: str, other: str) -> bool:
    try:
        return Emaid.of_peer(one).key == Emaid.of_peer(other).key
    except ValueError:
        return False


def _emsp_of(text: str) -> str | None:
    """Return whose contract it is: the whole eMAID is an idTag under which anybody's charger starts."""
    try:
        return Emaid.of_peer(text).emsp
    except ValueError:
        return None
