"""What stations of the measurements say: OCPP 2.0.1 CALLs, one after the other, as honest ones would come."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from gateway.wire import frames

STEP: Final = timedelta(seconds=10)
"""Of a station's own time, between two of its messages."""
ROOM: Final = timedelta(days=30)
"""How far back a station's time begins, so that it doesn't come to the future."""
ID_LENGTH: Final = 36
"""Characters of a messageId, as those of most stations, which are UUIDs."""
TAG: Final = {"idToken": "TAG", "type": "Central"}
EVSE: Final = {"id": 1, "connectorId": 1}

Message = tuple[str, bytes]
"""messageId and text of a CALL."""


class Story:
    """One station's life: its clock and its meter go on with each message."""

    def __init__(self, name: str, begun: datetime | None = None) -> None:
        """The first message is of ``begun``; without it, of ``ROOM`` ago."""
        self._name = name
        self._now = begun or datetime.now(UTC) - ROOM
        self._number = 0
        self._sequence = 0
        self._transactions = 0

    @property
    def transaction(self) -> str:
        """The transactionId of the transaction that goes on, or went on last."""
        return f"a1b2c3d4-0000-1111-{self._name:0>8.8}-{self._transactions:07}"

    def boot(self) -> Message:
        """A BootNotification."""
        return self._call("BootNotification", reason="PowerUp", chargingStation={"model": "M", "vendorName": "V"})

    def heartbeat(self) -> Message:
        """A Heartbeat."""
        return self._call("Heartbeat")

    def status(self) -> Message:
        """A StatusNotification: in turns Occupied and Available."""
        said = "Occupied" if self._number % 2 else "Available"
        return self._status(1, timestamp=self._time(), connectorStatus=said)

    def broken(self) -> Message:
        """A StatusNotification without its timestamp, which the schema asks for."""
        return self._status(1, connectorStatus="Available")

    def elsewhere(self) -> Message:
        """A StatusNotification of an EVSE that no station has, as the default policy says."""
        return self._status(5000, timestamp=self._time(), connectorStatus="Available")

    def _status(self, evse: int, **more: Any) -> Message:
        return self._call("StatusNotification", evseId=evse, connectorId=1, **more)

    def started(self) -> Message:
        """The TransactionEvent that begins the next transaction, with the meter's first reading."""
        self._transactions += 1
        self._sequence = 0
        reading = self._energy("Transaction.Begin")
        return self._event("Started", "Authorized", "Charging", idToken=TAG, evse=EVSE, meterValue=[reading])

    def updated(self) -> Message:
        """A TransactionEvent Updated with energy and power; a watt-hour more each time."""
        return self._event("Updated", "MeterValuePeriodic", "Charging", evse=EVSE, meterValue=[self._reading()])

    def ended(self) -> Message:
        """The TransactionEvent that ends the transaction, with the meter's last reading."""
        reading = self._energy("Transaction.End")
        return self._event("Ended", "EVDeparted", "Idle", stoppedReason="EVDisconnected", meterValue=[reading])

    def _energy(self, context: str = "Sample.Periodic") -> dict[str, Any]:
        energy = {
            "value": 1000.0 + self._number,
            "context": context,
            "measurand": "Energy.Active.Import.Register",
            "unitOfMeasure": {"unit": "Wh"},
        }
        return {"timestamp": self._time(), "sampledValue": [energy]}

    def _reading(self) -> dict[str, Any]:
        reading = self._energy()
        power = {"value": 7200.0, "measurand": "Power.Active.Import", "unitOfMeasure": {"unit": "W"}}
        reading["sampledValue"].append(power)
        return reading

    def _event(self, kind: str, trigger: str, state: str, *, stoppedReason: str | None = None, **more: Any) -> Message:  # noqa: N803 - OCPP's name
        """Return a TransactionEvent."""
        info = {"transactionId": self.transaction, "chargingState": state}
        if stoppedReason:
            info["stoppedReason"] = stoppedReason
        self._sequence += 1
        return self._call(
            "TransactionEvent",
            eventType=kind,
            timestamp=self._time(),
            triggerReason=trigger,
            seqNo=self._sequence - 1,
            transactionInfo=info,
            **more,
        )

    def _call(self, action: str, **payload: Any) -> Message:
        message_id = f"{self._name}-{self._number:0{ID_LENGTH - 1 - len(self._name)}}"
        self._number += 1
        self._now += STEP
        return message_id, frames.encode_call(message_id, action, payload)

    def _time(self) -> str:
        return f"{self._now:%Y-%m-%dT%H:%M:%S}.000Z"
