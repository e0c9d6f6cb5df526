"""Stations that were let in only to get a new certificate: they are asked for a CSR until they have one.

A factory certificate is replaced at once (OCPP 2.0.1 A00.FR.406, A00.FR.806), an expired one that is allowed for this
station too (A00.FR.429, A00.FR.807).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from gateway.bridge.ports import PeerUnavailable
from gateway.services.certificates import RENEWED_WITHIN, NotRenewed, Renewal, TriggerRefused
from gateway.services.renewal_plan import pause_after
from gateway.services.station_commands import ConnectedStation
from gateway.session.ports import Proof
from gateway.session.security import Kind, SecurityEvent, SecurityLog

FIRST_PAUSE: Final = 10.0
"""Seconds before a station is asked for the second time; each pause is twice the one before."""
LONGEST_PAUSE: Final = 900.0
"""Seconds between two askings at most: with the first ones, below ``certificates.REQUESTS_MAX`` in an hour."""
COMES_BACK_WITHIN: Final = 60.0
"""Seconds in which a station that accepted its new certificate is to connect with it by itself (A02.FR.08, errata)."""
GOING_AWAY: Final = 1001
"""WebSocket close code (RFC 6455 7.4.1)."""

log = structlog.get_logger(__name__)


class ProvisionalRenewal:
    """Asks provisional stations for a CSR, one loop per connection."""

    def __init__(
        self, renewal: Renewal, security: SecurityLog, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._renewal = renewal
        self._security = security
        self._sleep = sleep
        self._renewing: dict[str, Proof] = {}
        """By identity: the connection for which a loop runs."""

    async def renew(self, station: ConnectedStation) -> None:
        """Ask at once, and again while the station stays connected on the provisional certificate.

        Returns without doing anything when that is under way already (a station may boot several times meanwhile), and
        when nothing may be sent to it before it boots: the answer to its boot is the time to call this again.
        """
        proof = station.proof
        if proof.provisional is None or self._renewing.get(station.identity) is proof:
            return
        if not station.gate.may_send("TriggerMessage"):
            return
        self._renewing[station.identity] = proof
        detail = f"let in with its {proof.provisional.value}, to be renewed at once"
        log.warning("provisional_station", identity=station.identity, reason=proof.provisional.value)
        self._security.note(SecurityEvent(Kind.INVALID_CERTIFICATE, detail, station.identity))
        try:
            await self._renew(station, proof)
        finally:
            if self._renewing.get(station.identity) is proof:
                del self._renewing[station.identity]

    async def _renew(self, station: ConnectedStation, proof: Proof) -> None:
        attempts = 0
        while _is_still(station, proof):
            try:
                serial = await self._renewal.renew_and_wait(station, RENEWED_WITHIN)
            except (NotRenewed, PeerUnavailable, TriggerRefused) as error:
                attempts += 1
                pause = pause_after(attempts, FIRST_PAUSE, LONGEST_PAUSE)
                log.warning("provisional_not_renewed", identity=station.identity, reason=str(error), again_in=pause)
                await self._sleep(pause)
                continue
            log.info("provisional_renewed", identity=station.identity, serial=serial)
            await self._sleep(COMES_BACK_WITHIN)
            if _is_still(station, proof):
                # The edition of 2020 has it switch without connecting anew: it would stay Pending on the old one.
                station.disconnect(GOING_AWAY, "connect with the new certificate")
            return


def _is_still(station: ConnectedStation, proof: Proof) -> bool:
    return station.is_connected and station.proof is proof
