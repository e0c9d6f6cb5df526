"""The boot gate: what a station may send, and be sent, before its boot was accepted (OCPP 2.0.1 B01 to B03)."""

from typing import Final

from gateway.bridge.books import Json
from gateway.session.ports import BootStatus
from gateway.wire.errors import CallError, ErrorCode

_ASKED_FOR: Final = {
    "BootNotification": "BootNotification",
    "DiagnosticsStatusNotification": "DiagnosticsStatusNotification",
    "FirmwareStatusNotification": "FirmwareStatusNotification",
    "Heartbeat": "Heartbeat",
    "LogStatusNotification": "LogStatusNotification",
    "MeterValues": "MeterValues",
    "PublishFirmwareStatusNotification": "PublishFirmwareStatusNotification",
    "SignChargePointCertificate": "SignCertificate",
    "SignChargingStationCertificate": "SignCertificate",
    "SignCombinedCertificate": "SignCertificate",
    "SignV2GCertificate": "SignCertificate",
    "StatusNotification": "StatusNotification",
    "TransactionEvent": "TransactionEvent",
}
"""requestedMessage of TriggerMessage, or 1.6's ExtendedTriggerMessage -> the action that the station sends then."""
_NOT_WHILE_PENDING: Final = frozenset(
    {"RemoteStartTransaction", "RemoteStopTransaction", "RequestStartTransaction", "RequestStopTransaction"}
)
"""B02.FR.05: a pending station rejects these; OCPP 1.6, 4.2 says the same of its own."""
_NOTHING: Final[frozenset[str]] = frozenset()
"""What nearly every station was asked for: Python 3.11 makes a new set of 216 bytes each time."""


class BootGate:
    """Holds the answer to the station's last BootNotification, and lets pass what that answer allows."""

    __slots__ = ("_asked_for", "_status", "is_open")

    def __init__(self, status: BootStatus) -> None:
        self._status = status
        self.is_open = status is BootStatus.ACCEPTED
        """True once the station was accepted: every message asks."""
        self._asked_for = _NOTHING

    def __repr__(self) -> str:
        return f"<BootGate {self._status.value}>"

    @property
    def status(self) -> BootStatus:
        """The answer to the last BootNotification."""
        return self._status

    def answered(self, status: BootStatus) -> None:
        """BootNotification was answered with ``status``."""
        self._status = status
        self.is_open = status is BootStatus.ACCEPTED
        self._asked_for = _NOTHING

    def check_from_station(self, action: str) -> None:
        """Return when the station may send ``action`` now.

        Raises CallError SecurityError otherwise (B01.FR.10, B02.FR.09, B03.FR.07): before acceptance only
        BootNotification, and while pending what it was asked for.
        """
        if self.is_open or action == "BootNotification":
            return
        if self._status is BootStatus.PENDING and action in self._asked_for:
            return
        raise CallError(ErrorCode.SECURITY_ERROR, "the BootNotification of this station has not been accepted")

    def may_send(self, action: str) -> bool:
        """Return whether ``action`` may be sent to the station now (B02.FR.01 to 05, B03.FR.03)."""
        if self._status is BootStatus.PENDING:
            return action not in _NOT_WHILE_PENDING
        return self.is_open

    def agreed(self, action: str, payload: Json) -> None:
        """The station has accepted ``action``: what that asks for may come although the gate is closed."""
        if self.is_open:
            return
        if action in {"TriggerMessage", "ExtendedTriggerMessage"}:
            self._asked_for |= {_ASKED_FOR.get(payload["requestedMessage"], "")}
        elif action in {"GetBaseReport", "GetReport"}:
            self._asked_for |= {"NotifyReport"}
