"""The last step: the station gets its certificate, and takes it, refuses it, or never picks it up."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog
from cryptography import x509

from gateway.bridge.ports import PeerUnavailable
from gateway.services.certificate_signing import CertificateLog, OnFile
from gateway.services.certificate_words import Words, deliver_certificate
from gateway.services.station_commands import ConnectedStation, Reply
from gateway.session.certificate_requests import CertificateRequest, RequestState
from gateway.session.security import Kind, SecurityEvent, SecurityLog

DELIVERIES_MAX: Final = 5
"""How often one certificate is sent to a station that doesn't answer, or answers CALLERROR."""
DELIVERED_WITHIN: Final = timedelta(days=7)
"""From the signature: a station that stays away for longer asks anew."""
TAKEN: Final = frozenset({"installed", "in_use", "superseded"})
"""States of the inventory that say that the station has, or had, a certificate."""

Revoke = Callable[[str, x509.ReasonFlags, str], Awaitable[None]]
"""``await revoke(serial, reason, why)``; on file at return, whatever becomes of the authority's list."""

log = structlog.get_logger(__name__)


class RequestBook(Protocol):
    """The requests on file, as far as a flow changes them. Every method raises StoreAway."""

    async def move(
        self,
        request_id: int,
        state: RequestState,
        *,
        detail: str = "",
        serial: str | None = None,
        was: RequestState | None = None,
    ) -> CertificateRequest | None:
        """Give an open request its next state; None when it is over already, or gone, or not in ``was`` any more."""

    async def sending(self, request_id: int) -> int:
        """Count one attempt to deliver; return how many that makes, 0 when the request is over."""


class GaveUp(Exception):
    """The request ends without a certificate in the station's hands; the text says why."""


class NotPickedUp(Exception):
    """The station hasn't taken its certificate, and may take it later; the text says what it said."""


class Delivery:
    """Sends issued certificates, and settles what becomes of them."""

    def __init__(
        self,
        book: RequestBook,
        inventory: CertificateLog,
        security: SecurityLog,
        revoke: Revoke,
        *,
        refused: Callable[[str], None],
        now: Callable[[], datetime],
    ) -> None:
        """``refused(identity)`` hears of a station that has refused a chain."""
        self._book = book
        self._inventory = inventory
        self._security = security
        self._revoke = revoke
        self._refused = refused
        self._now = now

    async def deliver(self, station: ConnectedStation, request: CertificateRequest) -> str:
        """Send the certificate of an ISSUED request, unless the station has it, and close the request.

        Return "", or why the station refuses it. Raises NotPickedUp, GaveUp, StoreAway.
        """
        found = await self.pending(request)
        if found is None:
            return ""
        serial = found.serial
        attempts = await self._book.sending(request.id)
        if not 0 < attempts <= DELIVERIES_MAX:
            raise GaveUp(f"the station did not pick its certificate up, {DELIVERIES_MAX} times")
        try:
            reply = await deliver_certificate(station, found.chain_pem, Words(**request.words))
        except PeerUnavailable as away:
            raise NotPickedUp(str(away)) from None
        if not reply.status:
            raise NotPickedUp(reply.words)
        if reply.is_accepted:
            await self._inventory.mark(serial, "installed")
            await self._book.move(request.id, RequestState.DELIVERED, serial=serial)
            log.info("certificate_signed", identity=request.identity, serial=serial, state="installed")
            return ""
        return await self._rejected(request, serial, reply)

    async def pending(self, request: CertificateRequest) -> OnFile | None:
        """Return the certificate of an ISSUED request that the station may still be sent.

        None when it has it: the request is closed then. Raises GaveUp, StoreAway.
        """
        serial = request.serial or ""
        found = await self._inventory.on_file(serial)
        if found is None or found.state == "revoked":
            raise GaveUp("its certificate was revoked before the station had it")
        if found.state in TAKEN:
            # It was accepted, or shown at a door, and the answer, or our note of it, got lost.
            await self._book.move(request.id, RequestState.DELIVERED, serial=serial)
            return None
        if self._now() >= min(found.not_after, request.changed_at + DELIVERED_WITHIN):
            raise GaveUp(f"the station did not pick its certificate up within {DELIVERED_WITHIN.days} days")
        return found

    async def drop(self, serial: str, reason: x509.ReasonFlags, why: str) -> None:
        """Nobody has use for an issued certificate any more: it is revoked. Raises StoreAway."""
        log.warning("certificate_dropped", serial=serial, reason=why)
        await self._revoke(serial, reason, why)

    async def _rejected(self, request: CertificateRequest, serial: str, reply: Reply) -> str:
        """A02.FR.07, A02.FR.20: the station has discarded it, and sends no other CSR by itself."""
        detail = f"the station refuses the certificate that was issued for it: {reply.words}"
        # The station says the same by itself, if it isn't the one that lies or is broken.
        presented = {"issued_serial": serial}
        self._security.note(SecurityEvent(Kind.INVALID_CERTIFICATE, detail, request.identity, presented=presented))
        self._refused(request.identity)
        await self._inventory.mark(serial, "rejected", reply.words)
        await self.drop(serial, x509.ReasonFlags.cessation_of_operation, detail)
        await self._book.move(request.id, RequestState.REJECTED, detail=detail, serial=serial)
        return detail
