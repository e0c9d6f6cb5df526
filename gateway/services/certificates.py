"""The stations' certificates: SignCertificate in, CertificateSigned out (A02, A03; in 1.6 those of the white paper)."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, Protocol

import structlog

from gateway.bridge.books import Json
from gateway.bridge.ports import PeerUnavailable
from gateway.services.station_commands import ConnectedStation, Outcome, deliver_certificate, trigger_csr
from gateway.session.security import Kind, SecurityEvent, SecurityLog
from gateway.session.strikes import Strikes
from gateway.wire.versions import Version
from pki.authority import AuthorityError, CertificateAuthority, IssuedCertificate
from pki.csr import CsrRejected, ReviewedCsr, review
from pki.profiles import CertificateProfile

STATION_CERTIFICATE: Final = "ChargingStationCertificate"
"""certificateType of the certificate for TLS; also what its absence means (A02.FR.13)."""
REQUESTS_MAX: Final = 10
"""CSRs of one station that are looked at in ``REQUESTS_WINDOW``."""
REQUESTS_WINDOW: Final = 3600.0
"""Seconds over which they are counted."""
ADDITIONAL_INFO_MAX: Final = 512
"""Characters of StatusInfo.additionalInfo."""

Spawn = Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]]
"""Starts a named task that somebody owns."""

log = structlog.get_logger(__name__)


class CertificateLog(Protocol):
    """The inventory of issued certificates."""

    async def key_owner(self, fingerprint: str) -> str | None:
        """Return the identity that this public key (SHA-256 of its SPKI, hex) was seen with, or None."""

    async def issued(self, identity: str, issued: IssuedCertificate, key_fingerprint: str) -> None:
        """Record a certificate that the authority gave out for this station."""

    async def mark(self, serial: str, state: str) -> None:
        """Record what became of a certificate: installed, rejected."""


class Renewal(Protocol):
    """How a certificate is renewed; ``StationCertificates`` does it."""

    async def renew_and_wait(self, station: ConnectedStation, within: float) -> str:
        """Return the new certificate's serial number. Raises TriggerRefused, NotRenewed, PeerUnavailable."""


class TriggerRefused(Exception):
    """The station doesn't take the trigger to renew its certificate; the text says why."""


class NotRenewed(Exception):
    """The station took the trigger, but has no new certificate; the text says why."""


@dataclass(frozen=True, slots=True)
class _Renewed:
    """How one SignCertificate ended. ``reason`` is empty when the station has accepted its new certificate."""

    serial: str
    reason: str


class StationCertificates:
    """Signs what stations ask for, after review, with the operator's authority."""

    def __init__(
        self,
        authority: CertificateAuthority,
        inventory: CertificateLog,
        security: SecurityLog,
        *,
        operator: str,
        spawn: Spawn,
        clock: Callable[[], float] = time.monotonic,
        profile: CertificateProfile | None = None,
    ) -> None:
        self._authority = authority
        self._inventory = inventory
        self._security = security
        self._operator = operator
        self._profile = profile
        self._spawn = spawn
        self._clock = clock
        self._requests: dict[str, Strikes] = {}
        self._pending: set[str] = set()
        """Identities whose certificate is being signed or delivered: one at a time."""
        self._waiting: dict[str, list[asyncio.Future[_Renewed]]] = {}
        """By identity: who waits for the end of the station's next SignCertificate."""

    async def sign_certificate(self, station: ConnectedStation, payload: Json) -> Json:
        """Answer SignCertificate.req (A02.FR.11, FR.12): the certificate follows in CertificateSigned.

        1.6 knows neither certificateType nor statusInfo, and its O is what CpoName says (white paper A02.FR.13).
        """
        kind = payload.get("certificateType")
        if kind not in {None, STATION_CERTIFICATE}:
            return _rejected(station, "UnsupportedType", f"no authority is configured for {kind}")
        if station.identity in self._pending:
            return _rejected(station, "Busy", "a certificate for this station is being signed already")
        requests = self._requests.setdefault(station.identity, Strikes(REQUESTS_MAX, REQUESTS_WINDOW))
        if requests.one_more(self._clock()):
            log.warning("csr_flood", identity=station.identity)
            return self._refused(station, "RateLimitExceeded", f"more than {REQUESTS_MAX} requests in an hour")
        try:
            csr = await self._review(station, payload["csr"])
        except CsrRejected as rejected:
            log.warning("csr_rejected", identity=station.identity, check=rejected.check, reason=str(rejected))
            return self._refused(station, "InvalidCSR", str(rejected))
        self._pending.add(station.identity)
        self._spawn(self._issue(station, csr, kind), f"certificate {station.identity}")
        return {"status": "Accepted"}

    async def renew(self, station: ConnectedStation) -> None:
        """Ask the station for a new CSR (A02.FR.01).

        Raises :class:`TriggerRefused` or PeerUnavailable when it doesn't agree.
        """
        reply = await trigger_csr(station)
        if not reply.is_accepted:
            raise TriggerRefused(f"the station answered {reply.words}")

    async def renew_and_wait(self, station: ConnectedStation, within: float) -> str:
        """Have the station's certificate renewed; return the new one's serial number when the station has accepted it.

        Raises :class:`TriggerRefused`, PeerUnavailable, and :class:`NotRenewed` after ``within`` seconds, or as soon as
        it is known that nothing comes of it.
        """
        ended: asyncio.Future[_Renewed] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(station.identity, [])
        waiting.append(ended)
        try:
            await self.renew(station)
            async with asyncio.timeout(within):
                renewed = await ended
        except TimeoutError:
            raise NotRenewed(f"no new certificate was installed within {within:.0f} s") from None
        finally:
            if ended in waiting:
                waiting.remove(ended)
            if not waiting and self._waiting.get(station.identity) is waiting:
                del self._waiting[station.identity]
        if renewed.reason:
            raise NotRenewed(renewed.reason)
        return renewed.serial

    def _refused(self, station: ConnectedStation, reason_code: str, text: str) -> Json:
        self._ended(station.identity, _Renewed("", f"its CSR was refused: {text}"))
        return _rejected(station, reason_code, text)

    async def _review(self, station: ConnectedStation, text: str) -> ReviewedCsr:
        csr = await asyncio.to_thread(
            review,
            text,
            common_name=station.record.certificate_name,
            organization=self._operator,
            profile=self._profile,
        )
        owner = await self._inventory.key_owner(csr.key_fingerprint)
        if owner not in {None, station.identity}:
            raise CsrRejected("the key was seen with another station", check="key_reused")
        return csr

    async def _issue(self, station: ConnectedStation, csr: ReviewedCsr, kind: str | None) -> None:
        renewed = _Renewed("", "signing it failed; the log says why")
        try:
            renewed = await self._sign_and_deliver(station, csr, kind)
        except (AuthorityError, CsrRejected) as error:
            # The authority's own words say it; a traceback would not.
            log.error("signing_failed", identity=station.identity, reason=str(error))  # noqa: TRY400 - see above
            renewed = _Renewed("", f"signing it failed: {error}")
        except PeerUnavailable as error:
            # The station asks again by itself (A02.FR.17).
            log.warning("certificate_not_delivered", identity=station.identity, reason=str(error))
            renewed = _Renewed("", f"the new certificate could not be delivered: {error}")
        except Exception:
            log.exception("certificate_flow_failed", identity=station.identity)
        finally:
            self._pending.discard(station.identity)
            self._ended(station.identity, renewed)

    async def _sign_and_deliver(self, station: ConnectedStation, csr: ReviewedCsr, kind: str | None) -> _Renewed:
        issued = await self._authority.sign(csr.request_for(self._operator))
        await self._inventory.issued(station.identity, issued, csr.key_fingerprint)
        reply = await deliver_certificate(station, issued.chain_pem, kind)
        state = "installed" if reply.outcome is Outcome.ACCEPTED else "rejected"
        await self._inventory.mark(issued.serial, state)
        log.info("certificate_signed", identity=station.identity, serial=issued.serial, state=state)
        if state == "installed":
            return _Renewed(issued.serial, "")
        # The station says the same by itself (A02.FR.07), if it isn't the one that lies or is broken.
        detail = f"the station refuses the certificate that was issued for it: {reply.words}"
        presented = {"issued_serial": issued.serial}
        self._security.note(SecurityEvent(Kind.INVALID_CERTIFICATE, detail, station.identity, presented=presented))
        return _Renewed(issued.serial, detail)

    def _ended(self, identity: str, renewed: _Renewed) -> None:
        for ended in self._waiting.pop(identity, []):
            if not ended.done():
                ended.set_result(renewed)


def _rejected(station: ConnectedStation, reason_code: str, text: str) -> Json:
    if station.version is Version.V16:
        return {"status": "Rejected"}
    return {
        "status": "Rejected",
        "statusInfo": {"reasonCode": reason_code, "additionalInfo": text[:ADDITIONAL_INFO_MAX]},
    }
