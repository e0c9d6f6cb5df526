"""The load generator: stations and backend in one process. Commands are lines of JSON on stdin, answers on stdout.

It prints the port of its backend first. Then come ``connect``, ``ask`` (interactive, before the measured phases),
``settle``, ``probe``, ``prepare`` and ``run``; each is answered by one line. Whatever is wrong ends the process.
"""

import json
import select
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from bench.load import checking, phases
from bench.load.backend import Backend
from bench.load.station import Station, context
from bench.servers import PATIENCE
from bench.traffic import Message, Story

PARALLEL: Final = 16
"""Stations that are on their way in at a time."""
SETTLING: Final = 300.0
"""Seconds until all have been asked for their inventory: a hundred of them a second."""
RECORD: Final = 5 + 1 + 16 + 8
"""Octets of a TLS record beside its message: header, content type, tag, and the header of the WebSocket frame."""
CASES: Final[dict[str, Callable[[Story, int], Iterator[Message]]]] = {
    "boot": lambda story, count: (story.boot() for _ in range(count)),
    "started": lambda story, count: (story.started() for _ in range(count)),
    "ended": lambda story, count: (story.ended() for _ in range(count)),
    "Updated": lambda story, count: (story.updated() for _ in range(count)),
    "Started/Ended": lambda story, count: (story.ended() if number % 2 else story.started() for number in range(count)),
    "Heartbeat": lambda story, count: (story.heartbeat() for _ in range(count)),
    "StatusNotification": lambda story, count: (story.status() for _ in range(count)),
}


class Load:
    """Everything behind one epoll."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: phases.Handlers = {}
        self._stations: list[Station] = []
        self._talking: list[Station] = []
        self._translates = True
        self._closed = False
        self.backend = Backend(self._register)

    def _register(self, handle: socket.socket, handler: Callable[[], None]) -> None:
        self._handlers[handle.fileno()] = handler
        self._epoll.register(handle, select.EPOLLIN)

    def wait(self, until: Callable[[], bool], patience: float = PATIENCE) -> None:
        """Serve everybody interactively until something is the case."""
        deadline = time.monotonic() + patience
        while not until():
            for descriptor, _ in self._epoll.poll(1.0):
                self._handlers[descriptor]()
            if time.monotonic() > deadline:
                raise SystemExit("the stations don't get on")

    def serve(self) -> None:
        """Do what stdin says, and answer pings meanwhile."""
        lines: list[str] = []
        self._epoll.register(sys.stdin, select.EPOLLIN)
        self._handlers[sys.stdin.fileno()] = lambda: lines.append(sys.stdin.readline())
        while not self._closed:
            for descriptor, _ in self._epoll.poll():
                self._handlers[descriptor]()
            for line in lines:
                if not line:
                    return
                command = json.loads(line)
                print(json.dumps(getattr(self, command.pop("do"))(**command)), flush=True)
            lines.clear()

    def connect(self, port: int, names: list[str], password: str, *, translates: bool) -> dict[str, Any]:
        """Connect the stations; ``translates`` says whether the backend is to hear 1.6."""
        self._translates = translates
        tls = context()
        coming = list(reversed(names))
        on_the_way: list[Station] = []
        while coming or on_the_way:
            while coming and len(on_the_way) < PARALLEL:
                station = Station(coming.pop(), password, port, tls)
                self._register(station.socket, station.on_readable)
                self._stations.append(station)
                on_the_way.append(station)
                station.on_readable()
            self.wait(lambda: any(each.connected for each in on_the_way))  # noqa: B023 - called in this very turn
            on_the_way = [each for each in on_the_way if not each.connected]
        ciphers = {each.cipher for each in self._stations}
        return {"connected": len(self._stations), "cipher": " or ".join(sorted(ciphers))}

    def settle(self) -> dict[str, Any]:
        """Wait until each station has been asked for its inventory, as the gateway does once, when it is quiet."""
        self.wait(lambda: all(each.asked for each in self._stations), SETTLING)
        return {}

    def probe(self) -> dict[str, Any]:
        """Send what a schema forbids, and what the default policy does; say which error each was answered with."""
        station = self._stations[0]
        station.may_be_refused = True
        found = {}
        for name, message in (("schema", station.story.broken()), ("policy", station.story.elsewhere())):
            station.ask([message])
            self.wait(lambda: not station.waits)
            found[name] = station.answers[0] if isinstance(station.answers[0], str) else ""
        station.may_be_refused = False
        return found

    def close(self) -> dict[str, Any]:
        """Leave: what the server says when it ends isn't heard."""
        self._closed = True
        return {}

    def ask(self, case: str, stations: int) -> dict[str, Any]:
        """Let stations send one message each, and wait for the answers."""
        talking = self._stations[:stations]
        for begin in range(0, len(talking), PARALLEL):
            group = talking[begin : begin + PARALLEL]
            for each in group:
                each.ask(CASES[case](each.story, 1))
            self.wait(lambda: not any(each.waits for each in group))  # noqa: B023 - called in this very turn
        for each in talking:
            checking.answer(case, each.answers, translates=self._translates)
        return {"answered": len(talking)}

    def prepare(self, case: str, stations: int, count: int, first: int) -> dict[str, Any]:
        """Encrypt ``count`` messages of each of so many stations ahead, ``first`` being the first of them."""
        self._talking = self._stations[first : first + stations]
        for each in self._talking:
            each.prepare(CASES[case](each.story, count))
        sizes = [len(each) for each in self._talking[0].records]
        return {"octets": round(sum(sizes) / len(sizes)) - RECORD}

    def run(self, case: str, per_second: float | None) -> dict[str, Any]:
        """Send what was prepared; check everything that came; tell what it took."""
        talking = self._talking
        before = self.backend.counts.copy()
        self.backend.sample.clear()
        if per_second is None:
            phase = phases.saturating(self._epoll, self._handlers, talking)
        else:
            phase = phases.paced(self._epoll, self._handlers, talking, per_second)
        for each in talking:
            checking.answer(case, each.check(), translates=self._translates)
        heard = self.backend.counts - before
        checking.heard(case, phase.messages, heard, translates=self._translates)
        checked = checking.calls(case, self.backend, translates=self._translates)
        return {
            "messages": phase.messages,
            "began": phase.began,
            "seconds": phase.seconds,
            "generator_cpu": phase.cpu,
            "generator_waited": phase.waited,
            "latencies": phase.latencies,
            "lateness": phase.lateness,
            "heard": {action.decode(): count for action, count in heard.items()},
            "checked": checked,
        }


def main() -> None:
    """Serve stdin until it ends."""
    load = Load()
    print(json.dumps({"backend": load.backend.port}), flush=True)
    try:
        load.serve()
    except ConnectionError as error:
        raise SystemExit(f"a connection ended: {error}") from None


if __name__ == "__main__":
    main()
