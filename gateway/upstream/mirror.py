"""A second backend that sees what a station's backend sees, and has no say in anything.

Best effort, within bounds: what it doesn't take in time is dropped and counted. Of what it sends nothing goes any
further. It never makes the station or its backend wait: all that their frames cost is a place in a queue.
"""

import asyncio
import enum
import random
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from gateway.bridge.books import Json
from gateway.session.ports import Closing, Socket
from gateway.session.strikes import Strikes
from gateway.session.tally import Tally
from gateway.transport import DialError, MessageSink, WebSocket
from gateway.upstream.link import BACKOFF_FIRST, BACKOFF_MAX, NORMAL_CLOSURE
from gateway.wire import frames
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.versions import Version

QUEUE_MAX: Final = 100
"""CALLs of one station that wait for a mirror."""
QUEUE_BYTES_MAX: Final = 1_048_576
"""Bytes of them together."""
POLICY_VIOLATION: Final = 1008
"""WebSocket close code (RFC 6455 7.4.1)."""

log = structlog.get_logger(__name__)


class Dial(Protocol):
    """Opens the WebSocket of this station to the mirror."""

    async def __call__(self, sink: MessageSink) -> WebSocket:
        """Return the open WebSocket, whose messages go to ``sink``. Raises DialError."""


class State(enum.Enum):
    """Where a mirror stands."""

    AWAY = "away"
    """It isn't dialled, or not yet again: what is meant for it is dropped."""
    OPENING = "opening"
    OPEN = "open"


class Mirror:
    """One station's leg to one mirror, from :meth:`start` to :meth:`stop`. A sink of its own WebSockets.

    ``first`` returns the BootNotification with which each connection begins, or None.
    """

    def __init__(  # noqa: PLR0913 - a seam of the composition root: all that a mirror may touch
        self,
        name: str,
        identity: str,
        dial: Dial,
        *,
        version: Version,
        first: Callable[[], Json | None],
        new_id: Callable[[], str],
        timeout: float,
        tally: Tally,
    ) -> None:
        """``timeout``: seconds that it may take to answer a CALL before it gets the next one all the same."""
        self.state = State.AWAY
        self._name = name
        self._dial = dial
        self._version = version
        self._first = first
        self._new_id = new_id
        self._timeout = timeout
        self._tally = tally
        self._queue: deque[bytes] = deque()
        self._bytes = 0
        self._socket: Socket | None = None
        self._outstanding: str | None = None
        """The messageId of the CALL that it has not answered."""
        self._wake: asyncio.Handle | None = None
        """What sends the next CALL: soon, or when the time of the outstanding one is over."""
        self._strikes = Strikes()
        self._is_sound = False
        """True when it has answered something on this connection."""
        self._lost = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._log = log.bind(identity=identity, leg="mirror", backend=name)

    def __repr__(self) -> str:
        return f"<Mirror {self._name} {self.state.value} queue={len(self._queue)}>"

    def saw(self, text: bytes) -> None:
        """Take note of a CALL as it went to the backend. Never blocks, never raises."""
        if self.state is State.AWAY:
            self._drop(1, "away")
        elif len(self._queue) >= QUEUE_MAX or self._bytes + len(text) > QUEUE_BYTES_MAX:
            self._drop(1, "full")
        else:
            self._queue.append(text)
            self._bytes += len(text)
            if self._wake is None and self.state is State.OPEN:
                self._wake = asyncio.get_running_loop().call_soon(self._next)

    def start(self) -> None:
        """Begin to dial, unless that has begun."""
        if self._task is None:
            self.state = State.OPENING
            self._task = asyncio.get_running_loop().create_task(self._run(), name=f"mirror {self._name}")

    async def stop(self) -> None:
        """Close the leg and dial no more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        socket = self._socket
        self._forget()
        if socket is not None:
            socket.close(NORMAL_CLOSURE, "the station has left")

    async def _run(self) -> None:
        ceiling = BACKOFF_FIRST
        while True:
            self.state = State.OPENING
            try:
                await self._dial(self)
            except DialError as error:
                self._log.info("mirror_unreachable", reason=str(error))
            else:
                await self._lost.wait()
                if self._is_sound:
                    ceiling = BACKOFF_FIRST
            self._forget()
            wait = ceiling * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
            ceiling = min(2 * ceiling, BACKOFF_MAX)
            await asyncio.sleep(wait)

    def _forget(self) -> None:
        """The leg is gone, with what waited for it."""
        self.state = State.AWAY
        self._socket = self._outstanding = None
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        self._drop(len(self._queue), "away")
        self._queue.clear()
        self._bytes = 0

    def _drop(self, count: int, why: str) -> None:
        if count:
            self._tally.mirror_dropped[self._name, why] += count

    # --- the WebSocket's sink

    def connected(self, socket: Socket) -> None:
        """The WebSocket is open."""
        self._socket = socket
        self.state = State.OPEN
        self._is_sound = False
        self._lost.clear()
        self._log.info("mirror_up")
        boot = self._first()
        if boot is None:
            self._next()
        else:
            self._send(frames.encode_call("", "BootNotification", boot))

    def message(self, text: bytes) -> None:
        """One text message came in: an answer lets the next CALL go, all else is refused."""
        if self._socket is None:
            return
        try:
            frame = frames.decode(text)
        except frames.FrameRejected as rejected:
            is_answer, message_id = rejected.is_answer, rejected.message_id
        else:
            is_answer, message_id = not isinstance(frame, frames.Call), frame.message_id
            if not is_answer:
                refusal = CallError(ErrorCode.NOT_SUPPORTED, "a mirror has no say")
                self._socket.send(frames.encode_error(message_id, refusal, self._version))
        if is_answer and message_id == self._outstanding:
            self._is_sound = True
            self._next()
        elif self._strikes.one_more(asyncio.get_running_loop().time()):
            self._log.warning("mirror_talks_too_much")
            self._socket.close(POLICY_VIOLATION, "a mirror has no say")

    def disconnected(self, closed: Closing) -> None:
        """The WebSocket is gone."""
        self._socket = None
        self._log.info("mirror_lost", code=closed.code)
        self._lost.set()

    # --- its CALLs, one at a time

    def _next(self) -> None:
        """Send the oldest CALL that waits: the one before is answered, or its time is over."""
        self._outstanding = None
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        if self._queue and self._socket is not None:
            text = self._queue.popleft()
            self._bytes -= len(text)
            self._send(text)

    def _send(self, text: bytes) -> None:
        """Send a CALL under a messageId of its own; its payload isn't written anew."""
        start = text.index(b'"')
        end = text.index(b'"', start + 1)
        self._outstanding = self._new_id()
        self._wake = asyncio.get_running_loop().call_later(self._timeout, self._next)
        if self._socket is not None:
            self._socket.send(text[: start + 1] + self._outstanding.encode("ascii") + text[end:])
