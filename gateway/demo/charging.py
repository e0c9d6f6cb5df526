"""One charging session as the station tells it: TransactionEvents in their order (OCPP 2.0.1 E01 to E07)."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from gateway.demo.meter import SPELLINGS, Meter, Spelling
from gateway.demo.typed_ocpp import call201

EVSE: Final = 1
CONNECTOR: Final = 1
POWER: Final = 11_000
"""W that the car draws."""


def now() -> str:
    """Return this moment as OCPP writes it: UTC, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class RemoteStart:
    """A RequestStartTransaction that waits for its car."""

    id_token: dict[str, Any]
    remote_start_id: int


class ChargingSession:
    """Makes the TransactionEvent requests of one session and remembers what the meter showed, in Wh."""

    def __init__(self, meter: Meter, clock: Callable[[], str] = now) -> None:
        self.transaction_id = str(uuid.uuid4())
        self.id_token: dict[str, Any] | None = None
        self.start = meter.register
        self.samples: list[int] = []
        self.stop: int | None = None
        self._meter = meter
        self._clock = clock
        self._next_seq_no = 0

    def plugged_in(self) -> Any:
        """Started: the cable is in, nobody is authorized yet."""
        return self._event(
            "Started",
            "CablePluggedIn",
            charging_state="EVConnected",
            evse=True,
            sampled=[self._meter.sampled_value("Transaction.Begin", SPELLINGS[0])],
        )

    def authorized(self, remote: RemoteStart) -> Any:
        """Updated: who pays, and which RequestStartTransaction this answers."""
        self.id_token = remote.id_token
        return self._event(
            "Updated",
            "Authorized",
            charging_state="EVConnected",
            evse=True,
            id_token=remote.id_token,
            remote_start_id=remote.remote_start_id,
        )

    def identified(self, id_token: dict[str, Any]) -> Any:
        """Updated: the vehicle itself has said who pays (C07)."""
        self.id_token = id_token
        return self._event("Updated", "Authorized", charging_state="EVConnected", evse=True, id_token=id_token)

    def power_flows(self) -> Any:
        """Updated: the contactor is closed."""
        return self._event("Updated", "ChargingStateChanged", charging_state="Charging")

    def sampled(self) -> Any:
        """Updated: the register now and the power, each time in another spelling."""
        spelling = SPELLINGS[len(self.samples) % len(SPELLINGS)]
        self.samples.append(self._meter.register)
        power = {
            "value": POWER / 1000,
            "context": "Sample.Periodic",
            "measurand": "Power.Active.Import",
            "unit_of_measure": {"unit": "W", "multiplier": 3},
        }
        return self._event(
            "Updated",
            "MeterValuePeriodic",
            charging_state="Charging",
            sampled=[self._meter.sampled_value("Sample.Periodic", spelling), power],
        )

    def stopped(self, trigger: str, reason: str) -> Any:
        """Ended, with the last word of the meter."""
        self.stop = self._meter.register
        return self._event(
            "Ended",
            trigger,
            charging_state="EVConnected",
            sampled=[self._meter.sampled_value("Transaction.End", Spelling(1000, unit="kWh"))],
            id_token=self.id_token,
            stopped_reason=reason,
        )

    def account(self) -> dict[str, Any]:
        """Return what the station's own meter says of this session (registers in Wh)."""
        return {
            "id_tag": self.id_token["id_token"] if self.id_token is not None else "",
            "start": self.start,
            "samples": list(self.samples),
            "stop": self.stop,
        }

    def _event(
        self,
        kind: str,
        trigger: str,
        *,
        charging_state: str,
        evse: bool = False,
        sampled: list[dict[str, Any]] | None = None,
        id_token: dict[str, Any] | None = None,
        **info: Any,
    ) -> Any:
        timestamp = self._clock()
        seq_no = self._next_seq_no
        self._next_seq_no += 1
        return call201.TransactionEvent(
            event_type=kind,
            timestamp=timestamp,
            trigger_reason=trigger,
            seq_no=seq_no,
            transaction_info={"transaction_id": self.transaction_id, "charging_state": charging_state, **info},
            meter_value=[{"timestamp": timestamp, "sampled_value": sampled}] if sampled else None,
            evse={"id": EVSE, "connector_id": CONNECTOR} if evse else None,
            id_token=id_token,
        )
