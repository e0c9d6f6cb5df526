"""The stations' certificates: SignCertificate in, CertificateSigned out (A02, A03; in 1.6 those of the white paper).

A request is on file before it is answered Accepted; what follows is :class:`CertificateFlows`'.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Final, Protocol

import structlog
from cryptography import x509

from gateway.bridge.books import Json
from gateway.services.certificate_delivery import Delivery, RequestBook, Revoke
from gateway.services.certificate_flows import DECIDED_WITHIN, CertificateFlows, Ended, Pause, Spawn, pause_or_wake
from gateway.services.certificate_review import CsrReview, Names
from gateway.services.certificate_signing import CertificateLog, Signing
from gateway.services.certificate_words import STATION, STATION_CERTIFICATE, V2G_CERTIFICATE, Kinds, Words, trigger_csr
from gateway.services.peer_text import status_info
from gateway.services.station_commands import ConnectedStation, Outcome
from gateway.services.station_facts import ChainSizes
from gateway.session.certificate_requests import OPEN, CertificateRequest, RequestState
from gateway.session.ports import StoreAway
from gateway.session.security import Kind, SecurityEvent, SecurityLog
from gateway.session.strikes import StrikesByIdentity
from gateway.wire.versions import Version
from pki.csr import CsrRejected

REQUESTS_MAX: Final = 10
"""CSRs of one station that are looked at in ``REQUESTS_WINDOW``."""
REQUESTS_WINDOW: Final = 3600.0
"""Seconds over which they are counted."""
RENEWED_WITHIN: Final = 120.0
"""Seconds from the trigger to CertificateSigned.conf: the station makes a key, the authority signs."""

log = structlog.get_logger(__name__)


class Requests(RequestBook, Names, Protocol):
    """The requests on file. Every method raises StoreAway."""

    async def add(
        self, identity: str, usage: str, state: RequestState, *, csr: str, key_fingerprint: str, words: Json
    ) -> tuple[CertificateRequest, Sequence[CertificateRequest]]:
        """Keep a new request, durable on return; return it, and those that it replaces as they were."""

    async def find(self, request_id: int) -> CertificateRequest | None:
        """Return one request, or None."""

    async def open_ones(self, identity: str) -> Sequence[CertificateRequest]:
        """Return the station's requests that aren't over: one of each usage at most."""

    async def list(
        self, identity: str | None = None, *, states: Collection[RequestState] | None = None
    ) -> Sequence[CertificateRequest]:
        """Return the requests that fit; None: any."""

    async def revision(self) -> int:
        """Return the number that grows with each decision of a person."""


class Renewal(Protocol):
    """How a certificate is renewed; ``StationCertificates`` does it."""

    async def renew_and_wait(self, station: ConnectedStation, within: float, usage: str = "station") -> str:
        """Return the new certificate's serial number. Raises TriggerRefused, NotRenewed, PeerUnavailable."""


class TriggerRefused(Exception):
    """The station doesn't take the trigger to renew its certificate; the text says why."""

    def __init__(self, reason: str, *, is_unknown: bool = False) -> None:
        """``is_unknown``: the station doesn't know such a trigger, so that asking again is of no use."""
        super().__init__(reason)
        self.is_unknown = is_unknown


class NotRenewed(Exception):
    """The station took the trigger, but has no new certificate; the text says why."""


class StationCertificates:
    """Signs what stations ask for, after review, with the operator's authorities."""

    def __init__(  # noqa: PLR0913 - a seam of the composition root: all that the flows may touch
        self,
        kinds: Kinds,
        requests: Requests,
        inventory: CertificateLog,
        security: SecurityLog,
        *,
        operator: str,
        spawn: Spawn,
        revoke: Revoke,
        now: Callable[[], datetime],
        clock: Callable[[], float] = time.monotonic,
        pause: Pause = pause_or_wake,
    ) -> None:
        self._kinds = kinds
        self._requests = requests
        self._security = security
        self._spawn = spawn
        self._now = now
        self._clock = clock
        sizes = ChainSizes()
        self._review = CsrReview(inventory, requests, security, operator=operator)
        signing = Signing(kinds, self._review, inventory, sizes, operator=operator)
        self._delivery = Delivery(requests, inventory, security, revoke, refused=sizes.has_refused, now=now)
        self._flows = CertificateFlows(
            requests, signing, self._delivery, security, spawn=spawn, told=self._told, now=now, pause=pause
        )
        self._floods = StrikesByIdentity(REQUESTS_MAX, REQUESTS_WINDOW)
        self._undecided: dict[int, ConnectedStation] = {}
        """Stations that are, or were, here, by the number of their request that waits for a person."""
        self._seen = -1
        """The revision up to which decisions are known."""
        self._waiting: dict[tuple[str, str], list[asyncio.Future[Ended]]] = {}
        """By identity and usage: who waits for the end of the station's next SignCertificate."""

    # --- SignCertificate

    async def sign_certificate(self, station: ConnectedStation, payload: Json) -> Json:
        """Answer SignCertificate.req (A02.FR.11, FR.12): the certificate follows in CertificateSigned.

        1.6 knows neither certificateType nor statusInfo, and its O is what CpoName says (white paper A02.FR.13).
        """
        said = payload.get("certificateType")
        words = Words(said or STATION_CERTIFICATE, "", is_said=said is not None, request_id=payload.get("requestId"))
        return await self._answer(station, payload["csr"], words)

    async def sign_wrapped(self, station: ConnectedStation, payload: Json, vendor_id: str) -> Json:
        """Answer the SignCertificate.req that a 1.6 station sends in DataTransfer: always for a V2G certificate."""
        said = payload.get("certificateType", V2G_CERTIFICATE)
        if said != V2G_CERTIFICATE:
            return _rejected(station, "UnsupportedType", f"the application note has no {said}")
        return await self._answer(station, payload["csr"], Words(said, "", vendor_id=vendor_id))

    async def _answer(self, station: ConnectedStation, text: str, words: Words) -> Json:
        kind = self._kinds.get(words.kind)
        if kind is None:
            return _rejected(station, "UnsupportedType", f"no authority is configured for {words.kind}")
        if self._floods.one_more(station.identity, self._clock()):
            log.warning("csr_flood", identity=station.identity)
            self._security.note(SecurityEvent(Kind.RATE_LIMITED, "too many CSRs in an hour", station.identity))
            return self._refused(station, kind.usage, "RateLimitExceeded", f"more than {REQUESTS_MAX} in an hour")
        try:
            csr = await self._review.review(station, text, kind)
        except CsrRejected as rejected:
            return self._refused(station, kind.usage, "InvalidCSR", str(rejected))
        older = next(
            (each for each in await self._requests.open_ones(station.identity) if each.usage == kind.usage), None
        )
        if older is not None and (older.key_fingerprint, older.words["name"]) == (csr.key_fingerprint, csr.common_name):
            # A02.FR.17: it says again what is under way.
            self._go_on(station, older, is_new=False)
            return {"status": "Accepted"}
        request, replaced = await self._requests.add(
            station.identity,
            kind.usage,
            RequestState.WAITING if kind.needs_approval else RequestState.REQUESTED,
            csr=text,
            key_fingerprint=csr.key_fingerprint,
            words=Words(words.kind, csr.common_name, words.is_said, words.vendor_id, words.request_id).to_json(),
        )
        self._forget(replaced)
        self._go_on(station, request, is_new=True)
        return {"status": "Accepted"}

    def _go_on(self, station: ConnectedStation, request: CertificateRequest, *, is_new: bool) -> None:
        if request.state is not RequestState.WAITING:
            self._flows.begin(station, request, is_new=is_new)
            return
        self._undecided[request.id] = station
        log.info("certificate_request_waits", identity=request.identity, request=request.id)
        self._told(request, Ended("", _to_approve(request)))

    def _forget(self, replaced: Sequence[CertificateRequest]) -> None:
        """Newest wins: what an older request was given is nobody's."""
        for each in replaced:
            self._undecided.pop(each.id, None)
            if each.serial is not None and not self._flows.replace(each):
                dropping = self._delivery.drop(
                    each.serial, x509.ReasonFlags.superseded, "the station has asked anew meanwhile"
                )
                self._spawn(dropping, f"revocation {each.identity}")

    # --- what an earlier connection, an earlier run, or a person left

    async def resume(self, station: ConnectedStation) -> None:
        """A station has connected: go on with what it asked for before. Raises StoreAway."""
        for request in await self._requests.open_ones(station.identity):
            if request.state is RequestState.WAITING and self._now() >= request.requested_at + DECIDED_WITHIN:
                await self.settle_overdue(request)
                continue
            self._go_on(station, request, is_new=False)

    async def settle_overdue(self, request: CertificateRequest) -> bool:
        """End a request whose time is over, unless its flow is at it right now; return whether. Raises StoreAway."""
        is_settled = await self._flows.settle_overdue(request)
        if is_settled:
            self._undecided.pop(request.id, None)
        return is_settled

    async def follow_decisions(self) -> None:
        """Take up what was approved, here or by a command, since the last look. Raises StoreAway."""
        if not self._undecided:
            return
        revision = await self._requests.revision()
        if revision == self._seen:
            return
        still = {each.id for each in await self._requests.list(states={RequestState.WAITING})}
        for request_id in [each for each in self._undecided if each not in still]:
            request = await self._requests.find(request_id)
            station = self._undecided.pop(request_id)
            if request is not None and request.state in OPEN:
                self._flows.begin(station, request)
        self._seen = revision

    # --- renewal

    async def renew(self, station: ConnectedStation, usage: str = STATION) -> None:
        """Ask the station for a new CSR (A02.FR.01) for its certificate of ``usage``: station or v2g.

        Raises :class:`TriggerRefused` or PeerUnavailable when it doesn't agree.
        """
        if all(kind.usage != usage for kind in self._kinds.values()):
            raise TriggerRefused(f"nobody would sign its {usage} certificate: configure authority.{usage}")
        reply = await trigger_csr(station, usage)
        if not reply.is_accepted:
            is_unknown = reply.outcome is Outcome.NOT_SUPPORTED
            raise TriggerRefused(f"the station answered {reply.words}", is_unknown=is_unknown)

    async def renew_and_wait(self, station: ConnectedStation, within: float, usage: str = STATION) -> str:
        """Have the station's certificate renewed; return the new one's serial number when the station has accepted it.

        Raises :class:`TriggerRefused`, PeerUnavailable, and :class:`NotRenewed` after ``within`` seconds, or as soon as
        it is known that nothing comes of it for now. The request may go on by itself all the same. Where one is under
        way already, it is that one's end which is waited for. A station whose request waits for a person isn't asked: a
        new one, for a new key, would replace what that person looks at.
        """
        if undecided := await self._waits_for_a_person(station.identity, usage):
            raise NotRenewed(undecided)
        key = station.identity, usage
        ended: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(key, [])
        waiting.append(ended)
        try:
            if not self._flows.nudge(*key):
                await self.renew(station, usage)
            async with asyncio.timeout(within):
                renewed = await ended
        except TimeoutError:
            raise NotRenewed(f"no new certificate was installed within {within:.0f} s") from None
        finally:
            if ended in waiting:
                waiting.remove(ended)
            if not waiting and self._waiting.get(key) is waiting:
                del self._waiting[key]
        if renewed.reason:
            raise NotRenewed(renewed.reason)
        return renewed.serial

    async def _waits_for_a_person(self, identity: str, usage: str) -> str:
        """Return what a person is to do, or why that isn't known; empty when nobody is waited for."""
        try:
            found = await self._requests.open_ones(identity)
        except StoreAway as away:
            return str(away)
        for each in found:
            is_asked = each.usage == usage and each.state is RequestState.WAITING
            if is_asked and self._now() < each.requested_at + DECIDED_WITHIN:
                return _to_approve(each)
        return ""

    def _told(self, request: CertificateRequest, ended: Ended) -> None:
        self._tell(request.identity, request.usage, ended)

    def _tell(self, identity: str, usage: str, ended: Ended) -> None:
        for each in self._waiting.pop((identity, usage), []):
            if not each.done():
                each.set_result(ended)

    def _refused(self, station: ConnectedStation, usage: str, reason_code: str, text: str) -> Json:
        self._tell(station.identity, usage, Ended("", f"its CSR was refused: {text}"))
        return _rejected(station, reason_code, text)


def _to_approve(request: CertificateRequest) -> str:
    return f"a person must approve it: voltgate cert approve {request.id}"


def _rejected(station: ConnectedStation, reason_code: str, text: str) -> Json:
    if station.version is Version.V16:
        return {"status": "Rejected"}
    return {"status": "Rejected", "statusInfo": status_info(reason_code, text)}
