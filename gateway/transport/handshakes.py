"""TLS handshakes off the event loop: a few threads, a bounded number under way, the addresses of all others in turn."""

import asyncio
import operator
import queue
import threading
from collections.abc import Callable
from typing import Any, Final, Protocol

from gateway.transport.addresses import household
from gateway.transport.limits import Limits

THREADS: Final = 2
"""Threads of one pool. OpenSSL releases the GIL while it computes; more threads than cores gain nothing."""

_SINCE: Final = operator.itemgetter(1)
UNDELIVERED_MAX: Final = 8
"""Steps that are done while the event loop hasn't heard of it yet: so many go on in one of its turns, and no more."""

_Job = tuple[asyncio.AbstractEventLoop, Callable[[], Any], Callable[[Any], None]]


class Handshake(Protocol):
    """A TLS handshake that wants its turn."""

    def turn(self) -> None:
        """It is your turn: begin. It may come once more after you left the pool, and then means nothing."""

    def lose_turn(self, reason: str) -> None:
        """Your turn is over, or will never come: end the connection."""


class HandshakePool:
    """Runs the steps of TLS handshakes in threads, for any number of listeners and diallers on one event loop.

    At most ``Limits.max_handshakes`` are under way. While others wait, one whose peer takes longer than
    ``Limits.handshake_patience`` for its next flight loses its turn: peers who begin a handshake and fall silent, or
    send it byte by byte, can't hold everybody up. Those who wait stand in one line per address (per /64, with IPv6),
    and the lines take turns: a stranger's thousand connections come before nobody else's second.
    """

    def __init__(self, limits: Limits | None = None, *, threads: int = THREADS) -> None:
        """The threads start at once and live until :meth:`close`."""
        self._limits = limits or Limits()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._room = threading.Semaphore(UNDELIVERED_MAX)
        self._under_way: set[Handshake] = set()
        self._idle: dict[Handshake, float] = {}
        self._since: dict[Handshake, float] = {}
        self._waiting: dict[Handshake, str | bytes] = {}
        """Who waits, and in which line."""
        self._lines: dict[str | bytes, dict[Handshake, None]] = {}
        """By household, whose turn is next first; an empty line isn't kept."""
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._threads = [
            threading.Thread(target=self._work, name=f"tls-handshake-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def under_way(self) -> int:
        """The number of handshakes that have their turn now."""
        return len(self._under_way)

    @property
    def waiting(self) -> int:
        """The number of connections that wait for a turn."""
        return len(self._waiting)

    def enter(self, handshake: Handshake, address: str) -> None:
        """Call ``handshake.turn()``, now or when it is the turn of ``address``, which the connection is from."""
        if len(self._under_way) < self._limits.max_handshakes:
            self._under_way.add(handshake)
            handshake.turn()
        else:
            line = self._waiting[handshake] = household(address)
            self._lines.setdefault(line, {})[handshake] = None
            if self._sweep_timer is None:
                self._sweep()

    def run(self, handshake: Handshake, step: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Run ``step`` in a thread and ``done`` with its result on the loop. ``step`` must not raise."""
        self._idle.pop(handshake, None)
        self._jobs.put((asyncio.get_running_loop(), step, done))

    def await_peer(self, handshake: Handshake, *, anew: bool) -> None:
        """Note that ``handshake`` can't go on before its peer has sent more; ``anew`` when we have said something."""
        if anew or handshake not in self._since:
            self._since[handshake] = asyncio.get_running_loop().time()
        self._idle[handshake] = self._since[handshake]
        if self._sweep_timer is None:
            self._sweep()

    def leave(self, handshake: Handshake) -> None:
        """Give up the turn, or the place in the queue; does nothing for one that has neither."""
        if handshake in self._waiting:
            self._leave_line(handshake)
        self._idle.pop(handshake, None)
        self._since.pop(handshake, None)
        if handshake in self._under_way:
            self._under_way.remove(handshake)
            if self._waiting:
                following = self._next()
                self._under_way.add(following)
                asyncio.get_running_loop().call_soon(following.turn)

    def close(self) -> None:
        """End the threads after the steps that they have; connections that still wait are ended."""
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        for handshake in list(self._waiting):
            handshake.lose_turn("shutting down")
        for _ in self._threads:
            self._jobs.put(None)
            self._room.release()  # one that waits for the loop would wait for ever

    def _next(self) -> Handshake:
        """Take the first out of the line whose turn it is; the line goes behind all others."""
        line = next(iter(self._lines))
        following = next(iter(self._lines[line]))
        self._leave_line(following)
        if line in self._lines:
            self._lines[line] = self._lines.pop(line)
        return following

    def _leave_line(self, handshake: Handshake) -> None:
        line = self._waiting.pop(handshake)
        del self._lines[line][handshake]
        if not self._lines[line]:
            del self._lines[line]

    def _sweep(self) -> None:
        """Take the turn from those who keep others waiting, and come back when the next one would be due."""
        self._sweep_timer = None
        loop = asyncio.get_running_loop()
        patience = self._limits.handshake_patience
        while self._waiting and self._idle:
            oldest, since = min(self._idle.items(), key=_SINCE)
            if since + patience > loop.time():
                self._sweep_timer = loop.call_at(since + patience, self._sweep)
                return
            del self._idle[oldest]
            oldest.lose_turn(f"no flight of the TLS handshake in {patience:g} s while others waited")

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            loop, step, done = job
            self._room.acquire()
            outcome = step()
            try:
                loop.call_soon_threadsafe(self._deliver, done, outcome)
            except RuntimeError:  # the loop was closed meanwhile: nobody waits for this any more
                self._room.release()
            del job, step, done, outcome  # an idle thread must not keep the last connection alive

    def _deliver(self, done: Callable[[Any], None], outcome: Any) -> None:
        self._room.release()
        done(outcome)
