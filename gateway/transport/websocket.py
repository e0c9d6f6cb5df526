"""An open WebSocket, either role: messages to its sink, the closing handshake, liveness, back-pressure."""

import asyncio
import enum
import logging
import secrets
from collections import deque
from typing import Final

from gateway.transport.endpoint import Hold
from gateway.transport.frames import Ended, Frames, Ping, Pong
from gateway.transport.link import Link
from gateway.transport.messages import ABNORMAL, Closed, MessageSink, check_close_code
from gateway.transport.rounds import Round, rounds_of

log = logging.getLogger(__name__)


class State(enum.Enum):
    """OPEN until either side begins to close; CLOSED when the sink has heard of it."""

    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


_OPEN, _CLOSING, _CLOSED = State.OPEN, State.CLOSING, State.CLOSED

INTERNAL_ERROR: Final = 1011
POLICY_VIOLATION: Final = 1008
TURN: Final = 0.01
"""s of one turn of the event loop after which a peer's further messages wait for the next: 16 KiB off the socket can be
thousands of small frames, or dozens of bombs that inflate to ``max_message`` each (attack C2)."""
AHEAD: Final = 65_536
"""Bytes of messages that are read, and kept, past a pause to find the pong that :meth:`WebSocket.ping` waits for."""
AHEAD_MESSAGES: Final = 64
"""Messages that are kept for it at most: empty ones cost memory too."""


class WebSocket:
    """One open WebSocket. Not thread-safe: everything on the loop's thread.

    Silence is measured by bytes of any kind: a peer that sends is alive and is never pinged. While reading is held
    back, by :meth:`pause` or because the peer doesn't read, its silence means nothing and isn't measured.
    """

    __slots__ = (
        "_ahead",
        "_closed",
        "_control_count",
        "_control_since",
        "_frames",
        "_link",
        "_loop",
        "_paused",
        "_pings",
        "_probed",
        "_round",
        "_sink",
        "_timer",
        "_unfinished",
        "_waiters",
        "remote",
        "state",
        "subprotocol",
    )

    def __init__(self, link: Link, sink: MessageSink, frames: Frames, subprotocol: str | None) -> None:
        """:meth:`open` must follow at once."""
        self.remote = link.remote
        self.subprotocol = subprotocol
        self.state = _OPEN
        self._link = link
        self._sink = sink
        self._frames = frames
        self._loop = asyncio.get_running_loop()
        self._closed: Closed | None = None
        self._waiters: list[asyncio.Future[Closed]] | None = None
        self._pings: dict[bytes, asyncio.Future[bool]] | None = None
        self._paused = False
        self._ahead: deque[bytes] | None = None
        self._round: Round | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._unfinished = 0.0
        self._probed = 0.0
        self._control_since = 0.0
        self._control_count = 0

    def __repr__(self) -> str:
        """Show the state, the peer and the subprotocol."""
        return (
            f"<WebSocket {self.state.name} {self.remote[0]}:{self.remote[1]} {self.subprotocol or '(no subprotocol)'}>"
        )

    @property
    def closed(self) -> Closed | None:
        """How it ended; None before."""
        return self._closed

    @property
    def unsent(self) -> int:
        """Bytes that the peer and the kernel haven't taken yet."""
        return self._link.unsent

    def send(self, text: bytes) -> bool:
        """Send one text message, which must be UTF-8. Never blocks. False, with nothing sent, when it isn't open."""
        if self.state is not _OPEN:
            return False
        return self._link.write(self._frames.text(text))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin the closing handshake; does nothing when it has begun.

        From here on the sink hears no message, only ``disconnected``. ``reason`` is cut to 123 bytes of UTF-8. Raises
        ValueError for a code that may not be sent (see ``messages.check_close_code``).
        """
        check_close_code(code)
        if self.state is not _OPEN:
            return
        self._link.write(self._frames.close(code, reason))
        self.state = _CLOSING
        self._timer = self._loop.call_later(self._link.limits.close_timeout, self._close_too_slow)
        self.resume()

    def abort(self, reason: str = "aborted") -> None:
        """Drop the connection without a closing handshake; the sink hears ``disconnected`` with 1006 soon after."""
        if self.state is not _CLOSED:
            self.state = _CLOSING
            self._link.abort(reason)

    def pause(self) -> None:
        """Deliver no message, and read nothing, until :meth:`resume`. TCP makes the peer wait."""
        if self.state is _OPEN:
            self._paused = True
            self._look_ahead()

    def resume(self) -> None:
        """Go on reading, from the loop's next turn."""
        self._paused = False
        self._link.release(Hold.APPLICATION)
        if self._ahead:
            self._link.yield_turn()

    async def ping(self, timeout: float) -> bool:  # part of the agreed interface
        """Ask the peer for a sign of life: True when its pong to this very ping comes within ``timeout`` seconds.

        False as well when the WebSocket ends meanwhile, or was no longer open. A paused one is read on for its pong, up
        to ``AHEAD`` bytes and ``AHEAD_MESSAGES`` messages, which are delivered after the pause; when the WebSocket ends
        before that, they are lost.
        """
        if self.state is not _OPEN:
            return False
        payload = secrets.token_bytes(8)
        answer: asyncio.Future[bool] = self._loop.create_future()
        if self._pings is None:
            self._pings = {}
        self._pings[payload] = answer
        self._link.write(self._frames.ping(payload))
        self._look_ahead()
        try:
            async with asyncio.timeout(timeout):
                return await answer
        except TimeoutError:
            return False
        finally:
            if self._pings is not None:
                self._pings.pop(payload, None)
            self._look_ahead()

    async def wait_closed(self) -> Closed:
        """Return how it ended, once the sink has heard of it."""
        if self._closed is not None:
            return self._closed
        waiter: asyncio.Future[Closed] = self._loop.create_future()
        if self._waiters is None:
            self._waiters = []
        self._waiters.append(waiter)
        return await waiter

    # What the handshake and the link call

    def open(self) -> None:
        """Tell the sink, and begin to watch the peer."""
        self._link.heard = self._loop.time()
        self._link.peer = None  # whom it is from has been decided: nobody asks again, and certificates are large
        self.look()
        try:
            self._sink.connected(self)
        except Exception:
            log.exception("the sink of %r failed in connected()", self)
            self.close(INTERNAL_ERROR, "internal error")

    def look(self) -> None:
        """See whether the peer is alive and gets on with its message; come back when either could be false."""
        if self.state is not _OPEN:
            return
        now = self._loop.time()
        limits = self._link.limits
        silence = now - self._link.heard
        if self._link.held or self._paused:
            self._probed = 0.0
            self._unfinished = self._unfinished and now
            self._look_in(limits.ping_interval or limits.message_timeout)
        elif self._unfinished and now - self._unfinished >= limits.message_timeout:
            self._control(self._frames.fail(POLICY_VIOLATION, f"message not finished in {limits.message_timeout:g} s"))
        elif not limits.ping_interval:
            self._look_in(limits.message_timeout)
        elif self._probed and self._link.heard < self._probed:
            left = self._probed + limits.pong_timeout - now
            if left > 0:
                self._look_in(left)
            else:
                self.abort(f"silent for {silence:.3g} s, the last {limits.pong_timeout:g} s after a ping")
        elif silence < limits.ping_interval:
            self._probed = 0.0
            self._look_in(limits.ping_interval - silence)
        else:
            self._probed = now
            self._link.write(self._frames.ping(b""))
            self._look_in(min(limits.pong_timeout, limits.ping_interval))

    def arrived(self) -> None:
        """Never called: a WebSocket is attached to a link that is up."""

    def secured(self) -> None:
        """Never called either."""

    def received(self, data: memoryview) -> None:
        """Deliver the messages in ``data`` and in what was kept, until somebody holds."""
        frames = self._frames
        link = self._link
        over = self._loop.time() + TURN
        frames.feed(data)
        while (event := self._ahead.popleft() if self._ahead and not self._paused else frames.next()) is not None:
            if not isinstance(event, bytes):
                self._control(event)
            elif self._paused:
                self._keep_ahead(event)
            elif self.state is _OPEN:
                self._unfinished = 0.0
                try:
                    self._sink.message(event)
                except Exception:
                    log.exception("the sink of %r failed in message()", self)
                    self.close(INTERNAL_ERROR, "internal error")
            if self._loop.time() > over:
                link.yield_turn()
            if link.held:
                break
        if not frames.keep():
            self._unfinished = 0.0
        elif not self._unfinished:
            self._unfinished = link.heard

    def ended(self) -> None:
        """Take the end of the stream without a close frame as the end."""
        self._over(Closed(ABNORMAL, "closed without a closing handshake", by_peer=True))
        self._link.finish()

    def failed(self, code: str, reason: str) -> None:  # noqa: ARG002  # the endpoint's interface
        """Take a broken TLS connection as the end."""
        self._over(Closed(ABNORMAL, f"TLS: {reason}", by_peer=True))

    def lost(self, reason: str, *, by_peer: bool) -> None:
        """Take the loss of the connection as the end, if it hadn't ended before."""
        self._over(Closed(ABNORMAL, reason, by_peer=by_peer))

    def shut(self, code: int, reason: str) -> None:
        """Close it because the owner shuts down."""
        self.close(code, reason)

    # Inside

    def _control(self, event: Ping | Pong | Ended) -> None:
        if isinstance(event, Ended):
            if event.farewell:
                self._link.write(event.farewell)
            self._over(event.closed)
            self._link.finish()
            return
        now = self._loop.time()
        limits = self._link.limits
        if now - self._control_since > limits.control_window:
            self._control_since = now
            self._control_count = 0
        self._control_count += 1
        if self._control_count > limits.max_control_frames:
            self._control(self._frames.fail(POLICY_VIOLATION, "too many pings or pongs"))
        elif isinstance(event, Ping):
            if self.state is _OPEN:
                self._link.write(self._frames.pong(event.payload))
        elif self._pings is not None:
            answer = self._pings.get(event.payload)
            if answer is not None and not answer.done():
                answer.set_result(True)

    def _look_ahead(self) -> None:
        """Hold a paused link, but let it be read as far as ``AHEAD`` while a ping waits for its pong."""
        if not self._paused or self.state is not _OPEN:
            return
        ahead = self._ahead or ()
        if self._pings and len(ahead) < AHEAD_MESSAGES and sum(map(len, ahead)) < AHEAD:
            self._link.release(Hold.APPLICATION)
        else:
            self._link.hold(Hold.APPLICATION)

    def _keep_ahead(self, message: bytes) -> None:
        """Keep a message that came before the pong."""
        self._unfinished = 0.0
        if self._ahead is None:
            self._ahead = deque()
        self._ahead.append(message)
        self._look_ahead()

    def _look_in(self, seconds: float) -> None:
        limits = self._link.limits
        self._round = rounds_of(self._loop).join(self, seconds, limits.ping_interval or limits.message_timeout)

    def _close_too_slow(self) -> None:
        self._link.abort(f"close frame not answered in {self._link.limits.close_timeout:g} s")

    def _over(self, closed: Closed) -> None:
        """Tell everybody who waits, and the sink, exactly once."""
        if self.state is _CLOSED:
            return
        self.state = _CLOSED
        self._closed = closed
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._round is not None:
            self._round.pop(self, None)
            self._round = None
        for answer in (self._pings or {}).values():
            if not answer.done():
                answer.set_result(False)
        sink = self._sink
        del self._sink  # it knows us: without this, only the garbage collector could part us
        try:
            sink.disconnected(closed)
        except Exception:
            log.exception("the sink of %r failed in disconnected()", self)
        for waiter in self._waiters or ():
            if not waiter.done():
                waiter.set_result(closed)
        self._pings = self._waiters = self._ahead = None
