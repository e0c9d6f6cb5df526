"""The measured phases: frames that are ready are sent, answers are counted and kept, and looked at later."""

import os
import random
import select
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, NoReturn

from bench.load.records import CONTROL_MAX
from bench.load.station import Station
from bench.servers import waited

PATIENCE: Final = 30.0
"""Seconds without any answer after which a phase has failed."""
RECEIVE: Final = 4_096
SPIN: Final = 0.002
"""Seconds before something is due from which on the generator doesn't sleep: epoll's clock has milliseconds."""
SPINS: Final = os.sched_getaffinity(0) < os.sched_getaffinity(os.getppid())
"""Whether it never sleeps in a measured phase, since who began it gave it a core of its own.

Who sends to a process that sleeps on another core pays for waking it, some 5 us in a virtual machine. A server that
keeps the generator busy would never pay that, and a slower one each time: it is no cost of a server's own. With one
usable core of a machine that has more, server and generator have the same, and neither is bound to it.
"""

Handlers = dict[int, Callable[[], None]]
Events = list[tuple[int, int]]


@dataclass(slots=True)
class Phase:
    """What happened."""

    messages: int
    began: float = 0.0
    """CLOCK_MONOTONIC."""
    seconds: float = 0.0
    cpu: float = 0.0
    """CPU seconds of the generator, its backend included, but for those in which it only looked."""
    waited: float = 0.0
    """Seconds for which it could have run, and others had its core."""
    idle: float = 0.0
    """Seconds for which it looked for something to do, and there was nothing."""
    latencies: list[float] = field(default_factory=list)
    """Seconds from when a message was due to its whole answer; only of paced phases."""
    lateness: list[float] = field(default_factory=list)
    """Seconds by which the generator itself was late with a message."""

    def begin(self) -> None:
        """Start the clocks."""
        self.began, self.cpu, self.waited = time.monotonic(), time.process_time(), waited(os.getpid())

    def end(self) -> None:
        """Stop them."""
        self.seconds, self.cpu = time.monotonic() - self.began, time.process_time() - self.cpu
        self.waited = waited(os.getpid()) - self.waited
        self.cpu = max(0.0, self.cpu - self.idle)

    def look(self, poll: Callable[[float], Events], seconds: float) -> Events:
        """Return what there is to read, as soon as there is something; nothing when it isn't there in time."""
        began = now = time.monotonic()
        events = poll(0.0 if SPINS else max(0.0, seconds - SPIN))
        while not events and (now := time.monotonic()) - began < seconds:
            events = poll(0.0)
        if SPINS:
            self.idle += now - began
        return events


def _unanswered() -> NoReturn:
    raise SystemExit(f"no answer for {PATIENCE:.0f} seconds")


def _answered(station: Station, data: bytes) -> int:
    """Keep what came; return how many answers are whole with it."""
    if not data:
        raise SystemExit(f"{station.name}: the server closed the connection")
    station.kept.append(data)
    return station.cutter.messages(data)


def saturating(epoll: select.epoll, handlers: Handlers, stations: list[Station]) -> Phase:
    """Let each station send its next frame as soon as it has the answer to the one before."""
    found = Phase(sum(len(each.records) for each in stations))
    talking = {
        each.socket.fileno(): (each.socket.recv, each.socket.send, iter(each.records), each.kept.append, each)
        for each in stations
    }
    found.begin()
    for _, send, records, _, _ in talking.values():
        send(next(records))
    left, look, poll, get = found.messages, found.look, epoll.poll, talking.get
    while left:
        for descriptor, _ in look(poll, PATIENCE) or _unanswered():
            talker = get(descriptor)
            if talker is None:
                handlers[descriptor]()
                continue
            receive, send, records, keep, station = talker
            data = receive(RECEIVE)
            size = len(data)
            # One record, whole: all but always. It is what the cutter would say, without a call.
            if size >= CONTROL_MAX and size == 5 + (data[3] << 8 | data[4]) and not station.cutter.inside:
                keep(data)
            elif not _answered(station, data):
                continue
            left -= 1
            for record in records:
                if send(record) != len(record):
                    raise SystemExit("a station's socket takes no more")
                break
    found.end()
    return found


def _schedule(stations: list[Station], count: int) -> Iterator[Station]:
    """Give the station of each message: each once in a round, in an order that isn't that of their connecting."""
    shuffled = random.Random(7).sample(stations, len(stations))  # noqa: S311 - no secret
    for _ in range(count):
        yield from shuffled


def paced(epoll: select.epoll, handlers: Handlers, stations: list[Station], per_second: float) -> Phase:
    """Send so many messages a second over all stations in turn, whatever the answers do (open loop).

    A station whose last message isn't answered when the next is due sends it after that, as OCPP says; its latency
    counts from when it was due.
    """
    found = Phase(sum(len(each.records) for each in stations))
    records = {each.name: iter(each.records) for each in stations}
    order = _schedule(stations, len(stations[0].records))
    talking = {each.socket.fileno(): each for each in stations}
    outstanding: dict[str, deque[float]] = {each.name: deque() for each in stations}
    begun = 0
    found.begin()
    while len(found.latencies) < found.messages:
        due = found.began + begun / per_second
        now = time.monotonic()
        if begun < found.messages and now >= due:
            station = next(order)
            if not outstanding[station.name]:
                station.socket.send(next(records[station.name]))
            outstanding[station.name].append(due)
            found.lateness.append(now - due)
            begun += 1
            continue
        is_all_sent = begun == found.messages
        events = found.look(epoll.poll, PATIENCE if is_all_sent else due - now)
        if is_all_sent and not events:
            _unanswered()
        for descriptor, _ in events:
            if (talker := talking.get(descriptor)) is None:
                handlers[descriptor]()
            elif _answered(talker, talker.socket.recv(RECEIVE)):
                found.latencies.append(time.monotonic() - outstanding[talker.name].popleft())
                if outstanding[talker.name]:
                    talker.socket.send(next(records[talker.name]))
    found.end()
    return found
