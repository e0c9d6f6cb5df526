"""GetCertificateStatus (OCPP 2.0.1 M06; the Plug & Charge note of 1.6): a station asks what an OCSP responder says.

The station gets the response as the responder signed it, once it is verified here. Accepted means that it could be had,
not that the certificate is good (M06.FR.04).
"""

import base64
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

import structlog
from cryptography import x509

from gateway.bridge.books import Json
from gateway.services.peer_text import status_info
from gateway.services.station_commands import ConnectedStation
from gateway.session.security import Kind, SecurityEvent, SecurityLog
from gateway.session.strikes import StrikesByIdentity
from gateway.wire.versions import Version
from pki.certificate_hash import CertificateHash, read_certificate_hash
from pki.ocsp.client import Cause, OcspUnavailable
from pki.ocsp.response import Answer

RESULT_MAX: Final = 5500
"""Characters of ocspResult (GetCertificateStatusResponse)."""
REQUESTS_MAX: Final = 240
"""Of one station in ``REQUESTS_WINDOW`` seconds: one each for a chain, weekly and after each change, is a handful."""
REQUESTS_WINDOW: Final = 3600.0
URL_SHOWN_MAX: Final = 200
"""Characters of a responder's URL in a log."""

log = structlog.get_logger(__name__)


class Responders(Protocol):
    """Who asks responders: :class:`pki.ocsp.client.OcspClient`."""

    async def ask(self, url: str, certificate: CertificateHash, issuer: x509.Certificate) -> Answer:
        """Return a verified answer that holds now. Raises OcspUnavailable."""


class IssuerLookup(Protocol):
    """Which CA certificates are known here."""

    async def find(self, certificate: CertificateHash) -> x509.Certificate | None:
        """Return the CA that issued a certificate, or None."""


class CertificateStatus:
    """Answers GetCertificateStatus."""

    def __init__(
        self,
        responders: Responders,
        issuers: IssuerLookup,
        security: SecurityLog,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._responders = responders
        self._issuers = issuers
        self._security = security
        self._clock = clock
        self._requests = StrikesByIdentity(REQUESTS_MAX, REQUESTS_WINDOW)

    async def get_certificate_status(self, station: ConnectedStation, payload: Json) -> Json:
        """Answer GetCertificateStatus.req of a 2.0.1 station (M06.FR.01 to 04, 08, 09)."""
        asked: dict[str, Any] = payload["ocspRequestData"]
        url = str(asked["responderURL"])
        if self._requests.one_more(station.identity, self._clock()):
            return _failed(station, "RateLimitExceeded", f"more than {REQUESTS_MAX} requests in an hour")
        try:
            certificate = read_certificate_hash(asked)
        except ValueError as error:
            return _failed(station, "InvalidHashData", str(error))
        issuer = await self._issuers.find(certificate)
        if issuer is None:
            # Nobody here could tell a responder's answer from anybody's.
            return _failed(station, "UnknownIssuer", "no CA certificate with these hashes is known here")
        try:
            answer = await self._responders.ask(url, certificate, issuer)
        except OcspUnavailable as unavailable:
            self._note(station, url, unavailable)
            return _failed(station, unavailable.cause.value, str(unavailable), url)
        result = base64.b64encode(answer.der).decode()
        if len(result) > RESULT_MAX:
            return _failed(station, "ResponseTooLarge", f"the response has more than {RESULT_MAX} characters", url)
        log.info("certificate_status", identity=station.identity, serial=certificate.serial, status=answer.status.value)
        return {"status": "Accepted", "ocspResult": result}

    async def wrapped(self, station: ConnectedStation, payload: Json, _: str) -> Json:
        """Answer the same of a 1.6 station, in DataTransfer."""
        return await self.get_certificate_status(station, payload)

    def _note(self, station: ConnectedStation, url: str, unavailable: OcspUnavailable) -> None:
        """Attack B2: a station that sends the gateway where it doesn't go."""
        if unavailable.cause is Cause.NOT_ALLOWED:
            detail = f"it names an OCSP responder that isn't asked: {unavailable}"
            presented = {"responder_url": url[:URL_SHOWN_MAX]}
            self._security.note(SecurityEvent(Kind.UNSAFE_LOCATION, detail, station.identity, presented=presented))


def _failed(station: ConnectedStation, reason_code: str, text: str, url: str = "") -> Json:
    shown = ascii(url[:URL_SHOWN_MAX])[1:-1]
    log.warning("certificate_status_failed", identity=station.identity, reason=text, responder=shown or None)
    if station.version is Version.V16:
        return {"status": "Failed"}
    return {"status": "Failed", "statusInfo": status_info(reason_code, text)}
