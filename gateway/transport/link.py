"""One TCP connection and its TLS: bytes in and out, deadlines, back-pressure, and an end that the peer gets to hear."""

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Final, cast

from gateway.transport.endpoint import Endpoint, Hold, LinkState
from gateway.transport.handshakes import HandshakePool
from gateway.transport.limits import Limits
from gateway.transport.tls import RECORD, SLICE, TlsEngine, TlsPeer, explain

log = logging.getLogger(__name__)

EMPTY: Final = memoryview(b"")


_SECURING, _UP, _LINGERING, _DOWN = LinkState.SECURING, LinkState.UP, LinkState.LINGERING, LinkState.DOWN


class _Buffers(threading.local):
    """What all links of one thread, so of one event loop, receive and decrypt into: used within one callback only."""

    def __init__(self) -> None:
        self.receive = memoryview(bytearray(RECORD + 512))
        self.plain = memoryview(bytearray(RECORD))


_buffers = _Buffers()


class Link(asyncio.BufferedProtocol):
    """An asyncio protocol on a plain TCP transport, which does TLS itself.

    ``tls`` makes the engine when the handshake begins, None for plain TCP. The side that ``speaks_first`` begins the
    handshake as soon as the connection stands, the other one when the first bytes have come. ``gone`` hears of the end,
    last of all.
    """

    __slots__ = (
        "_aside",
        "_cause",
        "_endpoint",
        "_engine",
        "_eof",
        "_gone",
        "_lingered",
        "_loop",
        "_plain",
        "_pool",
        "_receive",
        "_speaks_first",
        "_timer",
        "_tls",
        "_transport",
        "_write_timer",
        "heard",
        "held",
        "limits",
        "peer",
        "remote",
        "state",
    )

    def __init__(
        self,
        limits: Limits,
        *,
        tls: Callable[[], TlsEngine] | None,
        pool: HandshakePool | None,
        speaks_first: bool,
        gone: Callable[["Link"], None],
    ) -> None:
        """:meth:`attach` must follow before the connection is made."""
        self.limits = limits
        self.state = LinkState.OPENING
        self.remote: tuple[str, int] = ("", 0)
        self.peer: TlsPeer | None = None
        self.heard = 0.0
        self.held = 0
        self._tls = tls
        self._pool = pool
        self._speaks_first = speaks_first
        self._gone = gone
        self._loop = asyncio.get_running_loop()
        self._receive = _buffers.receive
        self._plain = _buffers.plain
        self._aside = b""
        self._eof = False
        self._lingered = 0
        self._cause = ""
        self._engine: TlsEngine | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport
        self._endpoint: Endpoint

    def __repr__(self) -> str:
        """Show the peer and the state."""
        return f"<Link {self.state.name} {self.remote[0]}:{self.remote[1]}>"

    # What the endpoint calls

    def attach(self, endpoint: Endpoint) -> None:
        """Hand the link over to ``endpoint``."""
        self._endpoint = endpoint

    def write(self, data: bytes) -> bool:
        """Send ``data``; False when the link isn't up, or is aborted for it: ``max_unsent`` bytes wait for the peer."""
        if self.state is not _UP:
            return False
        if self._engine is not None:
            try:
                data = self._engine.encrypt(data)
            except OSError as exc:  # ssl.SSLError is one
                self.abort(f"TLS: {explain(exc)[1]}")
                return False
        self._transport.write(data)
        if self.held and self._transport.get_write_buffer_size() > self.limits.max_unsent:
            self.abort(f"more than {self.limits.max_unsent} bytes unread by the peer")
            return False
        return True

    @property
    def unsent(self) -> int:
        """Bytes that wait to be sent, in this process."""
        return 0 if self.state is _DOWN else self._transport.get_write_buffer_size()

    @property
    def vanished(self) -> tuple[str, str]:
        """Code and reason, as in ``admission.Refused``, for a peer that hangs up before it is a WebSocket."""
        return ("EOF", "closed by the peer") if self.heard else ("EMPTY", "closed by the peer without a byte")

    def hold(self, why: Hold) -> None:
        """Stop reading, until every hold is released."""
        if not self.held and not self._eof and not self._transport.is_closing():
            self._transport.pause_reading()
        self.held |= why.value

    def release(self, why: Hold) -> None:
        """Take a hold off; what was kept is gone through, and reading goes on, from the loop's next turn."""
        if self.held & why.value:
            self.held &= ~why.value
            if not self.held:
                self._loop.call_soon(self._go_on)

    def yield_turn(self) -> None:
        """Stop reading until the other connections have had their turn."""
        self.hold(Hold.TURN)
        self._loop.call_soon(self.release, Hold.TURN)

    def deadline(self, seconds: float, late: Callable[[], None]) -> None:
        """Call ``late`` in ``seconds``, instead of whatever was set before."""
        self.settle()
        self._timer = self._loop.call_later(seconds, late)

    def settle(self) -> None:
        """The deadline was met."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def finish(self) -> None:
        """End it so that the peer gets all that was written: close_notify, FIN, then take what still comes for a while.

        A close with unread bytes would send RST, and RST destroys data that the peer hasn't read yet: a TLS alert, an
        HTTP refusal, a close frame.
        """
        if self.state is _UP:
            if self._engine is not None:
                self._transport.write(self._engine.farewell())
            self._linger()

    def abort(self, reason: str) -> None:
        """Drop the connection without a further byte; ``lost`` follows, with ``reason`` unless there was one before."""
        if self.state is _DOWN:
            return
        self._cause = self._cause or reason
        if self.state is not LinkState.OPENING:
            self._transport.abort()
        self.state = _LINGERING  # nothing is written or delivered any more

    def shut(self, code: int, reason: str) -> None:
        """Ask the endpoint to end it, because the owner shuts down."""
        if self.state is not _DOWN:
            self._endpoint.shut(code, reason)

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with TLS, or be up at once."""
        self._transport = cast("asyncio.Transport", transport)
        address = transport.get_extra_info("peername")
        if address is None or self.state is not LinkState.OPENING:  # the peer has left, or the owner ended it
            self.state = _LINGERING
            self._transport.abort()
            return
        self.remote = (str(address[0]), int(address[1]))
        self._transport.set_write_buffer_limits(high=self.limits.write_high_water)
        if self._tls is None:
            self.state = _UP
            self._endpoint.secured()
            return
        self.state = _SECURING
        self.deadline(self.limits.handshake_timeout, self._too_slow)
        if self._speaks_first:
            self._wait_for_turn(b"")

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  # asyncio's interface
        """Return the buffer that all links share: what is in it is used up before ``buffer_updated`` returns."""
        return self._receive

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was received."""
        self.heard = self._loop.time()
        if self.state is _UP:
            engine = self._engine
            if engine is None:
                self._endpoint.received(self._receive[:nbytes])
                return
            if nbytes <= SLICE:
                engine.feed(self._receive[:nbytes])
                self._decrypt(engine)
                return
            for start in range(0, nbytes, SLICE):
                engine.feed(self._receive[start : min(start + SLICE, nbytes)])
                self._decrypt(engine)
        elif self.state is _SECURING:
            if self._engine is None:
                self._wait_for_turn(bytes(self._receive[:nbytes]))
            else:
                self.hold(Hold.TLS)
                self._engine.feed(self._receive[:nbytes])
                self._step(self._engine)
        else:
            self._lingered += nbytes
            if self._lingered > self.limits.max_linger:
                self._transport.abort()

    def eof_received(self) -> bool:
        """Tell the endpoint; keep the transport open, for what we still have to say."""
        self._eof = True
        if self.state is _UP:
            self._endpoint.ended()
        elif self.state is _SECURING:
            self._unsecured(*self.vanished)
        return self.state is not _LINGERING

    def pause_writing(self) -> None:
        """Stop reading from a peer that doesn't read, and give it ``write_timeout`` to begin."""
        self.hold(Hold.WRITE)
        patience = self.limits.write_timeout
        self._write_timer = self._loop.call_later(patience, self.abort, f"the peer read nothing for {patience:g} s")

    def resume_writing(self) -> None:
        """The peer reads again."""
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
        self.release(Hold.WRITE)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything, and tell the endpoint and the owner."""
        self.state = _DOWN
        self.settle()
        if self._write_timer is not None:
            self._write_timer.cancel()
        if self._pool is not None:
            self._pool.leave(self)
        self._engine = None
        fault = getattr(exc, "strerror", None) or "closed without a closing handshake"
        self._endpoint.lost(self._cause or fault, by_peer=not self._cause)
        del self._endpoint
        self._gone(self)

    # The TLS handshake

    def turn(self) -> None:
        """Begin the TLS handshake: called by the pool, or at once where there is none."""
        if self.state is not _SECURING or self._tls is None:
            return
        self.deadline(self.limits.handshake_timeout, self._too_slow)
        try:
            engine = self._engine = self._tls()
        except Exception:
            log.exception("no TLS context for the connection from %s:%d", *self.remote)
            self._unsecured("NO_CONTEXT", "no TLS context could be made")
            return
        engine.feed(self._aside)
        self._aside = b""
        self._step(engine)

    def lose_turn(self, reason: str) -> None:
        """End it: the pool gives the turn to somebody else."""
        self._unsecured("TIMEOUT", reason)

    def _wait_for_turn(self, first: bytes) -> None:
        self._aside = first
        self.hold(Hold.TLS)
        if self._pool is None:
            self.turn()
        else:
            self.deadline(self.limits.turn_timeout, self._too_slow)
            self._pool.enter(self)

    def _step(self, engine: TlsEngine) -> None:
        if self._pool is None:
            self._stepped(engine.step())
        else:
            self._pool.run(self, engine.step, self._stepped)

    def _stepped(self, outcome: TlsPeer | Exception | None) -> None:
        """Send what the step wrote, an alert perhaps, and go on from its outcome."""
        engine = self._engine
        if self.state is not _SECURING or engine is None:
            return
        self._transport.write(engine.outgoing())
        if isinstance(outcome, Exception):
            self._unsecured(*explain(outcome))
        elif outcome is None:
            if self._pool is not None:
                self._pool.await_peer(self)
            self.release(Hold.TLS)
        else:
            if self._pool is not None:
                self._pool.leave(self)
            self.settle()
            self.peer = outcome
            self.state = _UP
            self._endpoint.secured()
            self.release(Hold.TLS)

    def _too_slow(self) -> None:
        self._unsecured("TIMEOUT", "TLS handshake not finished in time")

    def _unsecured(self, code: str, reason: str) -> None:
        """End a handshake that failed, with time for the peer to read the alert."""
        if self._pool is not None:
            self._pool.leave(self)
        endpoint = self._endpoint
        if code in ("TIMEOUT", "EOF", "EMPTY"):
            self.abort(reason)
        else:
            self._linger()
        endpoint.failed(code, reason)

    # Reading and ending

    def _decrypt(self, engine: TlsEngine) -> None:
        """Hand over what can be decrypted, as long as nobody holds."""
        plain = self._plain
        while not self.held and self.state is _UP:
            try:
                count = engine.read(plain)
            except OSError as exc:  # ssl.SSLError is one
                self._transport.write(engine.outgoing())
                self._linger()
                self._endpoint.failed(*explain(exc))
                return
            if count > 0:
                self._endpoint.received(plain[:count])
            elif count < 0:
                self._endpoint.ended()
                return
            answer = engine.outgoing()  # to a key update, say
            if answer:
                self._transport.write(answer)
            if not count or not engine.pending:
                return

    def _go_on(self) -> None:
        """Go through what was kept while the link was held, then read again."""
        if self.state is _UP and not self.held:
            self._endpoint.received(EMPTY)
            if self._engine is not None:
                self._decrypt(self._engine)
        self._read_on()

    def _read_on(self) -> None:
        if not self.held and not self._eof and self.state is not _DOWN and not self._transport.is_closing():
            self._transport.resume_reading()

    def _linger(self) -> None:
        """Send FIN, and stay until the peer's FIN for a bounded time and number of bytes."""
        self.state = _LINGERING
        self.deadline(self.limits.linger_timeout, self._transport.abort)
        if self._eof:
            self._transport.close()
            return
        try:
            self._transport.write_eof()
        except OSError:  # the peer has reset the connection, and nothing of it can be saved
            self._transport.abort()
            return
        if self.held:
            self.held = 0
            self._read_on()
