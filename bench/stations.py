"""Stations that stay: a load generator, a process of its own. ``python -m bench.stations``

The job (``caller.Job``) comes as one line of JSON on stdin; ``ready`` is said when all keys are made. Then one command
a line, each answered by one line of JSON with the ``faults`` by station, empty when all went well:

- ``come``: connect all; the answer is that of ``caller.call``.
- ``boot``, ``heartbeat``: each sends that CALL and must be answered well.
- ``charge``: each begins a transaction, sends meter values twice and ends it, one CALL at a time.
- ``report``: wait until each was asked for its inventory and has given it, or nobody asks any more.
- ``close``: leave, at once and without a word, as when the network fails.

Between commands pings are answered and what comes is read: one that is dropped is a fault of the next command.
"""

import json
import secrets
import select
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from bench.caller import Caller, Job, call
from bench.frames import Frames, frame

VARIABLES: Final = 100
"""In the inventory of a station: some 20 of its controllers and two connectors."""
PART: Final = 25
"""Variables in one NotifyReport."""
PATIENCE: Final = 180.0
"""Seconds until an answer is overdue: a hundred stations a second are asked for their inventory."""
MODEL: Final = {"model": "M", "vendorName": "V", "firmwareVersion": "1.0"}


def inventory() -> list[dict[str, Any]]:
    """Return the reportData of a station with two EVSEs."""
    data: list[dict[str, Any]] = [
        {
            "component": {"name": f"Controller{number // 5}Ctrlr"},
            "variable": {"name": f"VariableOfThis{number}"},
            "variableAttribute": [{"type": "Actual", "value": str(number), "mutability": "ReadWrite"}],
            "variableCharacteristics": {"dataType": "integer", "maxLimit": 1000, "supportsMonitoring": False},
        }
        for number in range(VARIABLES - 2)
    ]
    data += [
        {
            "component": {"name": "Connector", "evse": {"id": evse, "connectorId": 1}},
            "variable": {"name": "Available"},
            "variableAttribute": [{"type": "Actual", "value": "true", "mutability": "ReadOnly"}],
            "variableCharacteristics": {"dataType": "boolean", "supportsMonitoring": True},
        }
        for evse in (1, 2)
    ]
    return data


def session() -> Iterator[dict[str, Any]]:
    """Give the TransactionEvents of one charging session."""
    transaction = {"transactionId": secrets.token_hex(8)}
    kinds = ("Started", "CablePluggedIn"), ("Updated", "MeterValuePeriodic"), ("Updated", "MeterValuePeriodic")
    for number, (kind, trigger) in enumerate((*kinds, ("Ended", "EVDeparted"))):
        moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        event: dict[str, Any] = {"eventType": kind, "timestamp": moment, "triggerReason": trigger, "seqNo": number}
        event |= {
            "transactionInfo": transaction,
            "meterValue": [{"timestamp": moment, "sampledValue": [{"value": 0.0}]}],
        }
        if kind == "Started":
            event |= {"evse": {"id": 1, "connectorId": 1}, "idToken": {"idToken": "A1", "type": "ISO14443"}}
        yield event


class Station:
    """One station that is in."""

    __slots__ = ("_asked", "_frames", "_left", "_name", "_number", "answered", "fault", "has_reported", "socket")

    def __init__(self, caller: Caller) -> None:
        self.socket = caller.socket
        self._name = caller.name
        self.fault = ""
        self.answered = True
        self.has_reported = False
        self._asked = ""
        self._number = 0
        self._left: list[tuple[str, dict[str, Any]]] = []
        self._frames = Frames(caller.socket.send, masked=True)
        self._take(caller.heard.partition(b"\r\n\r\n")[2])

    def ask(self, action: str) -> None:
        """Send a CALL."""
        is_boot = action == "BootNotification"
        # The CN of the certificate, which is the serial number, is the identity here (bench.fleet).
        model = MODEL | {"serialNumber": self._name}
        self._left.append((action, {"reason": "PowerUp", "chargingStation": model} if is_boot else {}))
        self._go_on()

    def charge(self) -> None:
        """Go through a session."""
        self._left += [("TransactionEvent", each) for each in session()]
        self._go_on()

    @property
    def is_done(self) -> bool:
        """True when all that it had to say was answered."""
        return self.answered and not self._left

    def hear(self) -> None:
        """Read what there is."""
        try:
            while True:
                data = self.socket.recv(16_384)
                if not data:
                    raise ConnectionError("the connection was closed")
                self._take(data)
        except (ssl.SSLWantReadError, BlockingIOError):
            return
        except (OSError, ValueError) as error:
            self.fault = str(error) or type(error).__name__

    def _take(self, data: bytes) -> None:
        for text in self._frames.feed(data):
            kind, message_id, *rest = json.loads(text)
            if kind == 2:
                self._called(message_id, rest[0], rest[1])
            elif kind == 3 and message_id == str(self._number):
                self._heard(rest[0])
            else:
                raise ConnectionError(f"answered {text[:200]!r}")

    def _heard(self, payload: dict[str, Any]) -> None:
        if self._asked == "BootNotification" and payload.get("status") != "Accepted":
            raise ConnectionError(f"the boot was answered {payload}")
        if self._asked == "Heartbeat" and "currentTime" not in payload:
            raise ConnectionError(f"{self._asked} was answered {payload}")
        self.answered = True
        self._go_on()

    def _called(self, message_id: str, action: str, payload: dict[str, Any]) -> None:
        if action != "GetBaseReport":
            self._send([4, message_id, "NotImplemented", "", {}])
            return
        self._send([3, message_id, {"status": "Accepted"}])
        data = inventory()
        for start in range(0, len(data), PART):
            part = {"requestId": payload["requestId"], "generatedAt": "2026-01-01T00:00:00Z", "seqNo": start // PART}
            part |= {"tbc": start + PART < len(data), "reportData": data[start : start + PART]}
            self._left.append(("NotifyReport", part))
        self._go_on()

    def _go_on(self) -> None:
        """Send what is left to be said, one CALL at a time."""
        if self.answered:
            self.has_reported |= self._asked == "NotifyReport" and not self._left
            if self._left:
                self.answered = False
                self._asked, payload = self._left.pop(0)
                self._call(self._asked, payload)

    def _call(self, action: str, payload: dict[str, Any]) -> None:
        self._number += 1
        self._send([2, str(self._number), action, payload])

    def _send(self, message: list[Any]) -> None:
        try:
            self.socket.send(frame(json.dumps(message).encode(), masked=True))
        except OSError as error:
            self.fault = str(error) or type(error).__name__


class Fleet:
    """All stations of one job."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._callers = [Caller(job, name) for name in job.names]
        self._stations: dict[str, Station] = {}
        self._poll = select.epoll()
        self._by_descriptor: dict[int, Station] = {}

    def come(self) -> dict[str, Any]:
        """Connect them all."""
        said = call(self._job, self._callers)
        for caller in self._callers:
            if caller.name not in said["faults"]:
                station = self._stations[caller.name] = Station(caller)
                self._by_descriptor[station.socket.fileno()] = station
                self._poll.register(station.socket.fileno(), select.EPOLLIN)
        return said

    def each(self, begin: Callable[[Station], None]) -> dict[str, Any]:
        """Let each begin with something, and wait until all is answered."""
        for number, station in enumerate(self._stations.values()):
            begin(station)
            if not number % 32:
                self.attend(0.0)
        return self._wait(lambda station: station.is_done, "no answer")

    def report(self) -> dict[str, Any]:
        """Wait for the inventories."""
        return self._wait(lambda station: station.has_reported, "was not asked for its inventory")

    def leave(self) -> dict[str, Any]:
        """Close all sockets; the next ``come`` makes new ones."""
        said = self._faults()
        for station in self._stations.values():
            if not station.fault:
                self._poll.unregister(station.socket.fileno())
            station.socket.close()
        self._stations, self._by_descriptor = {}, {}
        self._callers = [Caller(self._job, name) for name in self._job.names]
        return said

    def attend(self, seconds: float) -> None:
        """Read what comes."""
        for descriptor, _ in self._poll.poll(seconds, 1024):
            station = self._by_descriptor.get(descriptor)
            if station is None:
                return
            station.hear()
            if station.fault:
                self._poll.unregister(descriptor)

    def run(self) -> None:
        """Do what stdin says, until it ends."""
        self._poll.register(sys.stdin.fileno(), select.EPOLLIN)
        commands: dict[str, Callable[[], dict[str, Any]]] = {
            "come": self.come,
            "boot": lambda: self.each(lambda station: station.ask("BootNotification")),
            "heartbeat": lambda: self.each(lambda station: station.ask("Heartbeat")),
            "charge": lambda: self.each(Station.charge),
            "report": self.report,
            "close": self.leave,
        }
        while True:
            self.attend(1.0)
            if select.select([sys.stdin], [], [], 0.0)[0]:
                command = sys.stdin.readline().strip()
                if not command:
                    return
                print(json.dumps(commands[command]()), flush=True)

    def _wait(self, is_done: Callable[[Station], bool], overdue: str) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        waiting = dict(self._stations)
        while waiting and time.monotonic() < deadline:
            self.attend(0.05)
            waiting = {name: each for name, each in waiting.items() if not (each.fault or is_done(each))}
        faults: dict[str, str] = self._faults()["faults"]
        return {"faults": faults | dict.fromkeys(waiting, overdue)}

    def _faults(self) -> dict[str, Any]:
        return {"faults": {name: each.fault for name, each in self._stations.items() if each.fault}}


def main() -> None:
    """Do one job, as stdin says."""
    fleet = Fleet(Job(**json.loads(sys.stdin.readline())))
    print("ready", flush=True)
    fleet.run()


if __name__ == "__main__":
    main()
