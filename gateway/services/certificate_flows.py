"""What becomes of the stations' requests once they were answered: signed, delivered, tried again, given up.

One flow per station and usage. It goes on while the station is connected, and is taken up when it comes back; what is
on file says where. The newest request wins.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from cryptography import x509

from gateway.bridge.ports import PeerUnavailable
from gateway.services.certificate_delivery import Delivery, GaveUp, NotPickedUp, RequestBook
from gateway.services.certificate_signing import Signing
from gateway.services.station_commands import ConnectedStation
from gateway.session.certificate_requests import CertificateRequest, RequestState
from gateway.session.ports import StoreAway
from gateway.session.security import Kind, SecurityEvent, SecurityLog
from pki.authority import AuthorityError, AuthorityUnavailable, IssuedCertificate, OutcomeUnknown, SigningPending
from pki.csr import CsrRejected

FIRST_PAUSE: Final = 5.0
"""Seconds before an authority that is away, or a station without an answer, is asked again; each time twice as long."""
LONGEST_PAUSE: Final = 600.0
UNKNOWN_PAUSE: Final = 300.0
"""Seconds, at least, before an authority is asked again that may have signed: each time leaves one more certificate."""
GATE_PAUSE: Final = 30.0
"""Seconds between two looks whether a station that has not booted yet may be sent anything."""
SIGNED_WITHIN: Final = timedelta(hours=24)
"""From the answer to the signature: for so long an authority may be away."""
DECIDED_WITHIN: Final = timedelta(days=30)
"""For so long a request waits for a person."""

Spawn = Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]]
"""Starts a named task that somebody owns."""
Pause = Callable[[asyncio.Event, float], Awaitable[None]]
"""``await pause(wake, seconds)`` returns when ``wake`` is set, or after so many seconds."""

log = structlog.get_logger(__name__)


async def pause_or_wake(wake: asyncio.Event, seconds: float) -> None:
    """Wait for ``wake``, ``seconds`` at most."""
    try:
        async with asyncio.timeout(seconds):
            await wake.wait()
    except TimeoutError:
        pass


@dataclass(frozen=True, slots=True)
class Ended:
    """How far a request has come, for those who wait: ``reason`` is empty when the station has its certificate."""

    serial: str
    reason: str


@dataclass(slots=True)
class _Flow:
    station: ConnectedStation
    request: CertificateRequest
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    pause: float = FIRST_PAUSE
    in_hand: IssuedCertificate | None = None
    """What the authority gave for ``request`` and the store could not take yet."""
    is_new: bool = True
    """False: an earlier run may have had a certificate signed for ``request`` already."""
    is_at_work: bool = False
    """True: something is done for ``request`` right now; False: it waits for its time."""
    sending: int | None = None
    """The number of the request whose certificate the station is being sent."""
    is_replaced: bool = False
    """True: a newer request has come while that was on its way, maybe one that waits for a person."""


class CertificateFlows:
    """The flows of all stations."""

    def __init__(  # noqa: PLR0913 - a seam of the composition: all that a flow may touch
        self,
        book: RequestBook,
        signing: Signing,
        delivery: Delivery,
        security: SecurityLog,
        *,
        spawn: Spawn,
        told: Callable[[CertificateRequest, Ended], None],
        now: Callable[[], datetime],
        pause: Pause = pause_or_wake,
    ) -> None:
        """``told(request, ended)`` hears how far a request has come."""
        self._book = book
        self._signing = signing
        self._delivery = delivery
        self._security = security
        self._spawn = spawn
        self._told = told
        self._now = now
        self._pause = pause
        self._flows: dict[tuple[str, str], _Flow] = {}

    def begin(self, station: ConnectedStation, request: CertificateRequest, *, is_new: bool = True) -> None:
        """Go on with a request, in place of an older one; with one that is under way already, at once.

        Nothing is sent before the caller has handed the control back: an answer that it gives then is out first.
        """
        key = request.identity, request.usage
        flow = self._flows.get(key)
        if flow is None:
            self._flows[key] = _Flow(station, request, is_new=is_new)
            self._spawn(self._run(key), f"certificate {request.identity} {request.usage}")
            return
        flow.station = station
        if flow.request.id != request.id:
            flow.request, flow.is_new, flow.in_hand, flow.pause = request, is_new, None, FIRST_PAUSE
        flow.wake.set()

    def nudge(self, identity: str, usage: str) -> bool:
        """Go on at once with what is under way for this station, if anything is; return whether it is."""
        flow = self._flows.get((identity, usage))
        if flow is not None:
            flow.wake.set()
        return flow is not None

    def replace(self, request: CertificateRequest) -> bool:
        """A newer request has come. Return whether this one's certificate is on its way: the flow settles it then."""
        flow = self._flows.get((request.identity, request.usage))
        if flow is None or flow.sending != request.id:
            return False
        flow.is_replaced = True
        return True

    async def settle_overdue(self, request: CertificateRequest) -> bool:
        """End a request whose time is over, as its flow would; most have none, as their station is away.

        Return False, and leave it alone, when a flow is at it right now. Raises StoreAway.
        """
        flow = self._flows.get((request.identity, request.usage))
        if flow is not None and flow.is_at_work:
            return False
        try:
            if request.state is RequestState.ISSUED:
                await self._delivery.pending(request)
            else:
                self._check_time(request)
        except GaveUp as over:
            await self._fail(request, over)
        return True

    def _check_time(self, request: CertificateRequest) -> None:
        """Raise GaveUp for a request that has waited for too long: for a person, or for its authority."""
        waited = self._now() - request.changed_at
        if request.state is RequestState.WAITING and waited >= DECIDED_WITHIN:
            raise GaveUp(f"nobody decided within {DECIDED_WITHIN.days} days")
        if request.state is RequestState.REQUESTED and waited >= SIGNED_WITHIN:
            raise GaveUp(f"no certificate could be signed within {SIGNED_WITHIN}")

    async def _run(self, key: tuple[str, str]) -> None:
        flow = self._flows[key]
        try:
            while True:
                flow.wake.clear()
                request = flow.request
                seconds = await self._advance_safely(flow, request)
                if flow.request.id != request.id:
                    continue
                if seconds is None:
                    return
                await self._pause(flow.wake, seconds)
        finally:
            del self._flows[key]

    async def _advance_safely(self, flow: _Flow, request: CertificateRequest) -> float | None:
        flow.is_at_work = True
        try:
            return await self._advance(flow, request)
        except StoreAway as away:
            log.error("store_unavailable", identity=request.identity, reason=str(away))  # noqa: TRY400 - it says it all
            return self._longer(flow)
        except Exception:
            log.exception("certificate_flow_failed", identity=request.identity)
            self._told(request, Ended("", "signing it failed; the log says why"))
            return self._longer(flow)
        finally:
            flow.is_at_work = False

    async def _advance(self, flow: _Flow, request: CertificateRequest) -> float | None:
        """Go as far as possible; return the seconds after which to try again, None when there is nothing to do."""
        if not flow.station.is_connected:
            return None
        if not flow.station.gate.may_send("CertificateSigned"):
            return GATE_PAUSE
        try:
            await self._signing.check_name(request)
            if request.state is RequestState.REQUESTED:
                issued = await self._sign(flow, request)
                if issued is None:
                    return None
                request = flow.request = issued
                await self._signing.check_name(request)
            return await self._deliver(flow, request)
        except (AuthorityUnavailable, NotPickedUp, PeerUnavailable) as later:
            seconds = self._longer(flow)
            if isinstance(later, SigningPending):
                seconds = max(seconds, later.retry_after)
            if isinstance(later, OutcomeUnknown):
                seconds = max(seconds, UNKNOWN_PAUSE)
                detail = f"it isn't known whether the authority has signed; look there for what nobody has: {later}"
                self._security.note(SecurityEvent(Kind.NOT_ISSUED, detail, request.identity))
            log.warning("certificate_delayed", identity=request.identity, reason=str(later), again_in=seconds)
            what = "signing it failed" if isinstance(later, AuthorityUnavailable) else "it could not be delivered"
            self._told(request, Ended("", f"{what}: {later}; it is tried again"))
            return seconds
        except (AuthorityError, CsrRejected, GaveUp) as over:
            await self._fail(request, over)
            return None

    async def _sign(self, flow: _Flow, request: CertificateRequest) -> CertificateRequest | None:
        """Return the request as ISSUED; None when a newer one has taken its place meanwhile."""
        self._check_time(request)
        serial = None if flow.is_new else await self._signing.left_behind(request)
        if serial is None:
            issued = flow.in_hand
            if issued is None:
                issued = await self._signing.sign(flow.station, request)
                if flow.request.id == request.id:
                    flow.in_hand = issued
            await self._signing.record(request, issued)
            serial = issued.serial
        moved = await self._book.move(request.id, RequestState.ISSUED, serial=serial)
        if moved is None:
            await self._delivery.drop(serial, x509.ReasonFlags.superseded, "the station has asked anew meanwhile")
        elif flow.request.id == request.id:
            flow.in_hand, flow.pause = None, FIRST_PAUSE
            return moved
        return None

    async def _deliver(self, flow: _Flow, request: CertificateRequest) -> float | None:
        flow.sending, flow.is_replaced = request.id, False
        try:
            refusal = await self._delivery.deliver(flow.station, request)
        except (NotPickedUp, GaveUp) as failed:
            if flow.is_replaced and request.serial is not None:
                await self._delivery.drop(request.serial, x509.ReasonFlags.superseded, str(failed))
            raise
        finally:
            flow.sending = None
        self._told(request, Ended(request.serial or "", refusal))
        return None

    async def _fail(self, request: CertificateRequest, error: Exception) -> None:
        log.error("certificate_request_failed", identity=request.identity, reason=str(error))
        self._told(request, Ended("", f"signing it failed: {error}"))
        if isinstance(error, AuthorityError):
            self._security.note(SecurityEvent(Kind.NOT_ISSUED, str(error), request.identity))
        serial = request.serial
        if request.state is RequestState.REQUESTED:
            # A kill, or a store that was away, may have come between the signature and the note of it.
            serial = await self._signing.left_behind(request)
        if serial is not None:
            await self._delivery.drop(serial, x509.ReasonFlags.cessation_of_operation, str(error))
        await self._book.move(request.id, RequestState.FAILED, detail=str(error), serial=serial, was=request.state)

    def _longer(self, flow: _Flow) -> float:
        seconds = flow.pause
        flow.pause = min(2 * seconds, LONGEST_PAUSE)
        return seconds
