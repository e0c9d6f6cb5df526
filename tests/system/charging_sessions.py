"""Charging sessions before they happen: what the station will say, and what the 1.6 ledger must then hold."""

import datetime as dt
import enum
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

FIRST_DAY: Final = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
REGISTER: Final = "Energy.Active.Import.Register"


class Phase(enum.Enum):
    """What a message of a session says."""

    START = "start"
    GOING = "going"
    METER = "meter"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Reading:
    """What the meter showed at a time, in Wh."""

    time: str
    wh: int


@dataclass(frozen=True, slots=True)
class Session:
    """One session as it takes place at the station. ``meters`` lie between ``begin`` and ``end``."""

    name: str
    """The station's transactionId; unique."""
    identity: str
    connector: int
    """evseId of 2.0.1, each with one connector, and connectorId of 1.6: numbered as they are learnt, in this order."""
    id_tag: str
    begin: Reading
    meters: tuple[Reading, ...]
    end: Reading
    is_cable_first: bool
    """2.0.1: the cable is in before the token is shown."""
    is_in_kwh: bool
    """2.0.1: the meter counts in kWh, to the thousandth."""

    @property
    def wh(self) -> int:
        """The energy."""
        return self.end.wh - self.begin.wh

    @property
    def start(self) -> dict[str, Any]:
        """StartTransaction.req as the backend is to book it."""
        return {
            "connectorId": self.connector,
            "idTag": self.id_tag,
            "meterStart": self.begin.wh,
            "timestamp": self.begin.time,
        }

    def is_stop(self, payload: dict[str, Any]) -> bool:
        """Return whether a StopTransaction.req is what the backend is to book, whatever its transactionId."""
        said = payload["meterStop"], payload["timestamp"], payload.get("idTag"), payload.get("reason", "Local")
        return said == (self.end.wh, self.end.time, self.id_tag, "EVDisconnected")

    def is_meter(self, payload: dict[str, Any]) -> bool:
        """Return whether a MeterValues.req is one of this session's, to the Wh."""
        (value,) = payload["meterValue"]
        (sample,) = value["sampledValue"]
        scale = {"Wh": 1, "kWh": 1000}[sample.get("unit", "Wh")]
        said = value["timestamp"], round(float(sample["value"]) * scale), sample["measurand"]
        return payload["connectorId"] == self.connector and said in [
            (meter.time, meter.wh, REGISTER) for meter in self.meters
        ]


def sessions_of(identity: str, connectors: int, rounds: int, dice: random.Random, first: int = 0) -> list[Session]:
    """Return ``rounds`` sessions on each connector, with times and energies that occur nowhere else at the station."""
    made = []
    for connector in range(1, connectors + 1):
        register = dice.randrange(10_000_000)
        for number in range(first, first + rounds):
            begins = FIRST_DAY + dt.timedelta(hours=number, minutes=connector, milliseconds=dice.randrange(1000))
            readings = []
            for each in range(2 + dice.randrange(1, 4)):
                readings.append(Reading(_text(begins + dt.timedelta(minutes=5 * each)), register))
                register += dice.randrange(1, 9000)
            made.append(
                Session(
                    f"{identity}-{connector}-{number}", identity, connector, f"TAG{dice.randrange(1000)}",
                    readings[0], tuple(readings[1:-1]), readings[-1],
                    is_cable_first=dice.random() < 0.3, is_in_kwh=dice.random() < 0.3,
                )
            )  # fmt: skip
    return made


def messages_201(session: Session) -> Iterator[tuple[Phase, dict[str, Any]]]:
    """Yield the TransactionEvents of a session, without ``offline``, which is not known yet."""
    token = {"idToken": {"idToken": session.id_tag, "type": "Central"}}
    evse = {"evse": {"id": session.connector, "connectorId": 1}}
    begun = _meter(session, session.begin, "Transaction.Begin")
    events: list[tuple[Phase, str, str, str, dict[str, Any]]]
    if session.is_cable_first:
        events = [
            (Phase.START, session.begin.time, "Started", "CablePluggedIn", evse | begun),
            (Phase.START, _later(session.begin), "Updated", "Authorized", token),
        ]
    else:
        events = [(Phase.START, session.begin.time, "Started", "Authorized", token | evse | begun)]
    events.append((Phase.GOING, _later(session.begin), "Updated", "ChargingStateChanged", {}))
    for reading in session.meters:
        meter = _meter(session, reading, "Sample.Periodic")
        events.append((Phase.METER, reading.time, "Updated", "MeterValuePeriodic", meter))
    end = _meter(session, session.end, "Transaction.End")
    events.append((Phase.STOP, session.end.time, "Ended", "EVCommunicationLost", token | end))
    for seq_no, (phase, time, kind, trigger, more) in enumerate(events):
        info: dict[str, Any] = {"transactionId": session.name}
        info |= {"stoppedReason": "EVDisconnected"} if phase is Phase.STOP else {}
        info |= {"chargingState": "Charging"} if phase in {Phase.GOING, Phase.METER} else {}
        yield (
            phase,
            {
                "eventType": kind,
                "timestamp": time,
                "triggerReason": trigger,
                "seqNo": seq_no,
                "transactionInfo": info,
                **more,
            },
        )


def messages_16(session: Session) -> Iterator[tuple[Phase, str, dict[str, Any]]]:
    """Yield the messages of a session with their actions, without the transactionId that the backend will give."""
    yield Phase.START, "StartTransaction", session.start
    for reading in session.meters:
        sample = {"value": str(reading.wh), "measurand": REGISTER, "unit": "Wh", "context": "Sample.Periodic"}
        values = [{"timestamp": reading.time, "sampledValue": [sample]}]
        yield Phase.METER, "MeterValues", {"connectorId": session.connector, "meterValue": values}
    stop = {"meterStop": session.end.wh, "timestamp": session.end.time}
    yield Phase.STOP, "StopTransaction", stop | {"idTag": session.id_tag, "reason": "EVDisconnected"}


def _meter(session: Session, reading: Reading, context: str) -> dict[str, Any]:
    sample: dict[str, Any] = {"value": reading.wh, "measurand": REGISTER, "context": context}
    if session.is_in_kwh:
        sample |= {"value": reading.wh / 1000, "unitOfMeasure": {"unit": "kWh"}}
    return {"meterValue": [{"timestamp": reading.time, "sampledValue": [sample]}]}


def _later(reading: Reading) -> str:
    return _text(dt.datetime.fromisoformat(reading.time) + dt.timedelta(seconds=7))


def _text(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
