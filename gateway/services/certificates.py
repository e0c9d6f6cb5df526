"""The stations' certificates: SignCertificate in, CertificateSigned out (OCPP 2.0.1 A02, A03)."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

import structlog

from gateway.bridge.books import Json
from gateway.bridge.ports import PeerUnavailable
from gateway.session.station import Station
from gateway.session.strikes import Strikes
from gateway.wire.errors import CallError
from pki.authority import AuthorityError, CertificateAuthority, IssuedCertificate
from pki.csr import CsrRejected, ReviewedCsr, review

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


class TriggerRefused(Exception):
    """The station doesn't take the trigger to renew its certificate; the text says why."""


class StationCertificates:
    """Signs what stations ask for, after review, with the operator's authority."""

    def __init__(
        self,
        authority: CertificateAuthority,
        inventory: CertificateLog,
        *,
        operator: str,
        spawn: Spawn,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._authority = authority
        self._inventory = inventory
        self._operator = operator
        self._spawn = spawn
        self._clock = clock
        self._requests: dict[str, Strikes] = {}
        self._pending: set[str] = set()
        """Identities whose certificate is being signed or delivered: one at a time."""

    async def sign_certificate(self, station: Station, payload: Json) -> Json:
        """Answer SignCertificate.req (A02.FR.11, FR.12): the certificate follows in CertificateSigned."""
        kind = payload.get("certificateType", STATION_CERTIFICATE)
        if kind != STATION_CERTIFICATE:
            return _rejected("UnsupportedType", f"no authority is configured for {kind}")
        if station.identity in self._pending:
            return _rejected("Busy", "a certificate for this station is being signed already")
        requests = self._requests.setdefault(station.identity, Strikes(REQUESTS_MAX, REQUESTS_WINDOW))
        if requests.one_more(self._clock()):
            log.warning("csr_flood", identity=station.identity)
            return _rejected("RateLimitExceeded", f"more than {REQUESTS_MAX} requests in an hour")
        try:
            csr = await self._review(station, payload["csr"])
        except CsrRejected as rejected:
            log.warning("csr_rejected", identity=station.identity, check=rejected.check, reason=str(rejected))
            return _rejected("InvalidCSR", str(rejected))
        self._pending.add(station.identity)
        self._spawn(self._issue(station, csr, echo=payload.get("certificateType")), f"certificate {station.identity}")
        return {"status": "Accepted"}

    async def renew(self, station: Station) -> None:
        """Ask the station for a new CSR (A02.FR.01).

        Raises :class:`TriggerRefused`, PeerUnavailable or CallError when it doesn't agree.
        """
        answer = await station.call_station("TriggerMessage", {"requestedMessage": "SignChargingStationCertificate"})
        if answer["status"] != "Accepted":
            raise TriggerRefused(f"the station answered TriggerMessage with {answer['status']}")

    async def _review(self, station: Station, text: str) -> ReviewedCsr:
        csr = await asyncio.to_thread(
            review, text, common_name=station.record.certificate_name, organization=self._operator
        )
        owner = await self._inventory.key_owner(csr.key_fingerprint)
        if owner not in {None, station.identity}:
            raise CsrRejected("the key was seen with another station", check="key_reused")
        return csr

    async def _issue(self, station: Station, csr: ReviewedCsr, echo: str | None) -> None:
        try:
            await self._sign_and_deliver(station, csr, echo)
        except (AuthorityError, CsrRejected) as error:
            # The authority's own words say it; a traceback would not.
            log.error("signing_failed", identity=station.identity, reason=str(error))  # noqa: TRY400 - see above
        except (PeerUnavailable, CallError) as error:
            # The station asks again by itself (A02.FR.17).
            log.warning("certificate_not_delivered", identity=station.identity, reason=str(error))
        except Exception:
            log.exception("certificate_flow_failed", identity=station.identity)
        finally:
            self._pending.discard(station.identity)

    async def _sign_and_deliver(self, station: Station, csr: ReviewedCsr, echo: str | None) -> None:
        issued = await self._authority.sign(csr.request_for(self._operator))
        await self._inventory.issued(station.identity, issued, csr.key_fingerprint)
        payload: Json = {"certificateChain": issued.chain_pem}
        if echo is not None:
            payload["certificateType"] = echo
        answer = await station.call_station("CertificateSigned", payload)
        state = "installed" if answer["status"] == "Accepted" else "rejected"
        await self._inventory.mark(issued.serial, state)
        log.info("certificate_signed", identity=station.identity, serial=issued.serial, state=state)


def _rejected(reason_code: str, text: str) -> Json:
    return {
        "status": "Rejected",
        "statusInfo": {"reasonCode": reason_code, "additionalInfo": text[:ADDITIONAL_INFO_MAX]},
    }
