"""One TCP connection and its TLS: bytes in and out, deadlines, back-pressure, and an end that the peer gets to hear."""

import asyncio
import threading
from collections.abc import Callable
from typing import Final, cast

from gateway.transport.addresses import Address, plain
from gateway.transport.endpoint import Endpoint, Hold, LinkState
from gateway.transport.opening import Opening, Terms
from gateway.transport.tls import RECORD, SLICE, TlsEngine, TlsPeer, explain

EMPTY: Final = memoryview(b"")


_SECURING, _UP, _LINGERING, _DOWN = LinkState.SECURING, LinkState.UP, LinkState.LINGERING, LinkState.DOWN


class _Buffers(threading.local):
    """What all links of one thread, so of one event loop, receive and decrypt into: used within one callback only."""

    def __init__(self) -> None:
        self.receive = memoryview(bytearray(RECORD + 512))
        self.plain = memoryview(bytearray(RECORD))


_buffers = _Buffers()


def _nobody(link: "Link") -> None:
    """Hear that a link has ended that nobody waits for."""


class Link(asyncio.BufferedProtocol):
    """An asyncio protocol on a plain TCP transport, which does TLS itself.

    ``remote`` is the client, ``via`` the load balancer that passed it on. ``gone`` hears of the end, last of all.
    """

    __slots__ = (
        "_cause",
        "_engine",
        "_eof",
        "_gone",
        "_lingered",
        "_loop",
        "_opening",
        "_plain",
        "_receive",
        "_timer",
        "_transport",
        "_write_timer",
        "endpoint",
        "heard",
        "held",
        "limits",
        "peer",
        "remote",
        "state",
        "via",
    )

    def __init__(self, terms: Terms, *, gone: Callable[["Link"], None]) -> None:
        """:meth:`attach` must follow before the connection is made."""
        self.limits = terms.limits
        self.state = LinkState.OPENING
        self.remote: Address = ("", 0)
        self.via: Address | None = None
        self.peer: TlsPeer | None = None
        self.heard = 0.0
        self.held = 0
        self.endpoint: Endpoint
        self._gone = gone
        self._loop = asyncio.get_running_loop()
        self._receive = _buffers.receive
        self._plain = _buffers.plain
        self._eof = False
        self._lingered = 0
        self._cause = ""
        self._opening: Opening | None = Opening(self, terms)
        self._engine: TlsEngine | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport

    def __repr__(self) -> str:
        """Show the peer and the state."""
        return f"<Link {self.state.name} {self.remote[0]}:{self.remote[1]}>"

    # What the endpoint calls

    def attach(self, endpoint: Endpoint) -> None:
        """Hand the link over to ``endpoint``."""
        self.endpoint = endpoint

    def disown(self) -> None:
        """Nobody waits for its end any longer: let go of what would hear of it."""
        self._gone = _nobody

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
        if self.state is LinkState.OPENING:
            self._close_opening()  # it may never be connected, nor lost
        else:
            self._transport.abort()
        self.state = _LINGERING  # nothing is written or delivered any more

    def shut(self, code: int, reason: str) -> None:
        """Ask the endpoint to end it, because the owner shuts down."""
        if self.state is not _DOWN:
            self.endpoint.shut(code, reason)

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to open it."""
        self._transport = cast("asyncio.Transport", transport)
        address = transport.get_extra_info("peername")
        if address is None or self.state is not LinkState.OPENING:  # the peer has left, or the owner ended it
            self.state = _LINGERING
            self._transport.abort()
            return
        self.remote = (plain(str(address[0])), int(address[1]))
        self._transport.set_write_buffer_limits(high=self.limits.write_high_water)
        self.state = _SECURING
        if self._opening is not None:
            self._opening.begin()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  # asyncio's interface
        """Return the buffer that all links share: what is in it is used up before ``buffer_updated`` returns."""
        return self._receive

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was received."""
        self.heard = self._loop.time()
        if self.state is _UP:
            engine = self._engine
            if engine is None:
                self.endpoint.received(self._receive[:nbytes])
                return
            if nbytes <= SLICE:
                engine.feed(self._receive[:nbytes])
                self._decrypt(engine)
                return
            for start in range(0, nbytes, SLICE):
                engine.feed(self._receive[start : min(start + SLICE, nbytes)])
                self._decrypt(engine)
        elif self.state is _SECURING and self._opening is not None:
            self._opening.received(self._receive[:nbytes])
        else:
            self._lingered += nbytes
            if self._lingered > self.limits.max_linger:
                self._transport.abort()

    def eof_received(self) -> bool:
        """Tell the endpoint; keep the transport open, for what we still have to say."""
        self._eof = True
        if self.state is _UP:
            self.endpoint.ended()
        elif self.state is _SECURING:
            self.fail(*self.vanished, alert=False)
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
        self._close_opening()
        self._engine = None
        fault = getattr(exc, "strerror", None) or "closed without a closing handshake"
        self.endpoint.lost(self._cause or fault, by_peer=not self._cause)
        del self.endpoint
        self._gone(self)

    # What the opening calls

    def arrive(self) -> bool:
        """Tell the endpoint whom the connection is from; False when it wants none of it."""
        self.endpoint.arrived()
        return self.state is _SECURING

    def say(self, data: bytes) -> None:
        """Send a part of the TLS handshake."""
        self._transport.write(data)

    def stand(self, engine: TlsEngine | None, peer: TlsPeer | None) -> None:
        """Be up: the opening is over."""
        self._opening = None
        self.settle()
        self._engine = engine
        self.peer = peer
        self.state = _UP
        self.endpoint.secured()

    def fail(self, code: str, reason: str, *, alert: bool) -> None:
        """End an opening that failed; ``alert`` was said to the peer, which gets the time to read it."""
        self._close_opening()
        endpoint = self.endpoint
        if alert:
            self._linger()
        else:
            self.abort(reason)
        endpoint.failed(code, reason)

    def _close_opening(self) -> None:
        if self._opening is not None:
            self._opening.leave()
            self._opening = None

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
                self.endpoint.failed(*explain(exc))
                return
            if count > 0:
                self.endpoint.received(plain[:count])
            elif count < 0:
                self.endpoint.ended()
                return
            answer = engine.outgoing()  # to a key update, say
            if answer:
                self._transport.write(answer)
            if not count or not engine.pending:
                return

    def _go_on(self) -> None:
        """Go through what was kept while the link was held, then read again."""
        if self.state is _UP and not self.held:
            self.endpoint.received(EMPTY)
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
