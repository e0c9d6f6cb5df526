"""A station's BootNotification: who answers it, what is kept of it, and who hears of it later (B01 to B03)."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import structlog

from gateway.bridge.books import Json
from gateway.bridge.ports import Clock, PeerUnavailable
from gateway.session.peer import TRY_LATER, Unanswerable
from gateway.session.ports import BootStatus, StationRegistry
from gateway.session.security import Kind
from gateway.wire.errors import CallError
from gateway.wire.versions import Version

if TYPE_CHECKING:
    from gateway.session.station import Station

SERIAL_MISMATCH: Final = 1008
"""Close code when BootNotification's serial number isn't the station's (OCPP 2.0.1 B01.FR.12)."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BootRules:
    """What the operator's configuration says of BootNotification."""

    retry_interval: int
    """Seconds in the Pending that is answered while the backend is away."""
    heartbeat_interval: int
    """Seconds in an Accepted that Voltgate gives in the backend's place."""
    cached: bool
    """True: a station that was accepted before is accepted while the backend is away."""
    backend_wait: float
    """Seconds that a BootNotification waits for the backend's leg to come up."""


class BootNotifications:
    """Those of one station."""

    def __init__(self, station: "Station", registry: StationRegistry, rules: BootRules, clock: Clock) -> None:
        self._station = station
        self._registry = registry
        self._rules = rules
        self._clock = clock

    @property
    def _log(self) -> Any:
        return log.bind(identity=self._station.identity)

    async def notified(self, payload: Json) -> Json:
        """Return the answer to one, which is saved and obeyed by then.

        Raises :class:`Unanswerable` for one of another station; StaleEpoch and StoreAway when it can't be saved.
        """
        station = self._station
        self._check_serial(station.bridge.boot_serial(payload))
        station.boot = payload
        provisional = station.provisional
        answer, by_backend = (
            await self._ask_backend(payload) if provisional is None else (self._answer(accepted=False), False)
        )
        status = BootStatus(answer["status"])
        # Of a Pending that was given in its place the backend need not hear: the station boots again.
        reported = by_backend or status is not BootStatus.ACCEPTED
        await self._registry.save_boot(
            station.identity, station.epoch, status, answer["interval"], payload, reported=reported
        )
        kept = payload if status is BootStatus.ACCEPTED else station.record.boot_payload
        station.record = replace(
            station.record,
            boot_status=status,
            boot_interval=answer["interval"],
            boot_payload=kept,
            boot_reported=reported,
        )
        await station.bridge.booted(payload)
        station.gate.answered(status)
        if by_backend:
            self._heard(status)
        if station.gate.is_open:
            station.when_open()
        if provisional is not None:
            station.when_provisional()
        self._log.info("boot", status=status.value, interval=answer["interval"], by_backend=by_backend)
        return answer

    async def report(self) -> None:
        """The backend is back: if it has not heard of the boot that was accepted in its place, it decides now.

        Raises PeerUnavailable and CallError.
        """
        station = self._station
        payload = station.record.boot_payload
        if station.record.boot_reported or payload is None or not station.gate.is_open:
            return
        conf = await station.backend.call("BootNotification", station.bridge.boot_request(payload))
        status = BootStatus(conf["status"])
        await self._registry.save_boot(
            station.identity, station.epoch, status, conf["interval"], payload, reported=True
        )
        station.record = replace(station.record, boot_status=status, boot_interval=conf["interval"], boot_reported=True)
        self._heard(status)
        if status is not BootStatus.ACCEPTED:
            self._log.warning("boot_refused_later", status=status.value)
            station.gate.answered(status)
            station.disconnect(TRY_LATER, "the backend does not accept this station")

    def _check_serial(self, serial: str | None) -> None:
        """Compare with the registered serial number (B01.FR.11): under profile 3, else where one is registered.

        In 1.6 the field is optional, and a charge point that leaves it out has said nothing that could be wrong.
        """
        station = self._station
        expected = station.record.certificate_name if station.profile >= 3 else station.record.serial
        if serial is None and station.version is Version.V16:
            return
        if expected is not None and serial != expected:
            self._log.warning("serial_mismatch", expected=expected, presented=serial, profile=station.profile)
            detail = f"serial_mismatch: its BootNotification names {serial!a}, not {expected!a}"
            station.report(Kind.FAILED_TO_AUTHENTICATE, detail)
            raise Unanswerable(SERIAL_MISMATCH, "the serial number is not this station's")

    async def _ask_backend(self, payload: Json) -> tuple[Json, bool]:
        """Return the answer to BootNotification, and whether the backend itself gave it."""
        station = self._station
        try:
            if not station.backend.is_up:
                await station.backend.wait_up(self._rules.backend_wait)
            conf = await station.call_backend("BootNotification", station.bridge.boot_request(payload))
            return station.bridge.boot_response(conf), True
        except PeerUnavailable as away:
            return self._without_backend(str(away)), False
        except CallError as error:
            return self._without_backend(f"CALLERROR {error}"), False

    def _without_backend(self, reason: str) -> Json:
        accepted = self._rules.cached and self._station.record.boot_payload is not None
        self._log.warning("boot_without_backend", reason=reason, accepted=accepted)
        return self._answer(accepted=accepted)

    def _answer(self, *, accepted: bool) -> Json:
        """Return BootNotification's answer in the backend's place; it has the same form in 1.6 and 2.0.1."""
        rules = self._rules
        return {
            "status": "Accepted" if accepted else "Pending",
            "currentTime": self._clock().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "interval": rules.heartbeat_interval if accepted else rules.retry_interval,
        }

    def _heard(self, status: BootStatus) -> None:
        """The backend itself has answered a BootNotification."""
        self._station.is_refused = status is not BootStatus.ACCEPTED
        if not self._station.is_refused:
            self._station.when_accepted()
