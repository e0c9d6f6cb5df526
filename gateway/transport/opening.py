"""From the TCP connection to a link that is up: the PROXY header, the name that is asked for, the TLS handshake."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.transport.addresses import Network, within
from gateway.transport.client_hello import ClientHello
from gateway.transport.endpoint import Hold, LinkState
from gateway.transport.handshakes import HandshakePool
from gateway.transport.limits import Limits
from gateway.transport.proxy_protocol import ProxyHeader, ProxyHeaderError
from gateway.transport.tls import TlsEngine, TlsPeer, explain

if TYPE_CHECKING:
    from gateway.transport.link import Link

log = logging.getLogger(__name__)

HANDSHAKE_FAILURE: Final = b"\x15\x03\x03\x00\x02\x02\x28"
"""The fatal alert of that name, as a record of its own (RFC 8446 6.2), for a hello that OpenSSL doesn't get to see."""

_SECURING: Final = LinkState.SECURING


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for every connection of one listener, or for one that is dialled.

    ``tls`` makes the engine when the handshake begins, from the name that the client asked for (None where it asked for
    none, and on the dialling side); None for plain TCP. The side that ``speaks_first`` begins the handshake as soon as
    the connection stands, the other one when the whole ClientHello has come. What comes from one of ``load_balancers``
    must begin with a PROXY header.
    """

    limits: Limits
    tls: Callable[[str | None], TlsEngine] | None = None
    pool: HandshakePool | None = None
    speaks_first: bool = False
    load_balancers: Sequence[Network] = ()


class Opening:
    """What a link does before it is up; it lives no longer. To the pool it is the handshake that wants its turn.

    Until the handshake's turn comes, one deadline counts from the TCP accept: PROXY header and ClientHello together
    have ``handshake_timeout``.
    """

    __slots__ = ("_engine", "_header", "_hello", "_link", "_terms")

    def __init__(self, link: "Link", terms: Terms) -> None:
        """Nothing happens before :meth:`begin`."""
        self._link = link
        self._terms = terms
        self._header: ProxyHeader | None = None
        self._hello: ClientHello | None = None
        self._engine: TlsEngine | None = None

    def begin(self) -> None:
        """Go as far as it goes without a byte of the peer: the connection stands."""
        link = self._link
        link.deadline(self._terms.limits.handshake_timeout, self._too_slow)
        if within(link.remote[0], self._terms.load_balancers):
            self._header = ProxyHeader()
        else:
            self._arrive(b"")

    def received(self, data: memoryview) -> None:
        """Take the peer's bytes."""
        if self._engine is not None:
            self._link.hold(Hold.TLS)
            self._engine.feed(data)
            self._step(self._engine)
        elif self._header is not None:
            self._read_header(self._header, data)
        else:
            self._listen(data)

    def leave(self) -> None:
        """Give the turn to somebody else, because the link has ended."""
        if self._terms.pool is not None:
            self._terms.pool.leave(self)

    # What the pool calls

    def turn(self) -> None:
        """Begin the TLS handshake: called by the pool, or at once where there is none."""
        link, tls = self._link, self._terms.tls
        if link.state is not _SECURING or tls is None or self._engine is not None:
            return
        link.deadline(self._terms.limits.handshake_timeout, self._too_slow)
        hello, self._hello = self._hello, None
        try:
            engine = self._engine = tls(None if hello is None else hello.server_name)
        except Exception:
            log.exception("no TLS context for the connection from %s:%d", *link.remote)
            self._fail("NO_CONTEXT", "no TLS context could be made")
            return
        if hello is not None:
            engine.feed(hello.seen)
        self._step(engine)

    def lose_turn(self, reason: str) -> None:
        """End it: the pool gives the turn to somebody else."""
        self._fail("TIMEOUT", reason)

    # Inside

    def _read_header(self, header: ProxyHeader, data: memoryview) -> None:
        try:
            passed = header.feed(data)
        except ProxyHeaderError as exc:
            self._fail("PROXY_HEADER", str(exc))
            return
        if passed is not None:
            self._header = None
            if not passed.rest:
                self._link.heard = 0.0  # nothing yet of the one that it is from: a balancer's probe ends here
            if passed.client is not None:
                self._link.via, self._link.remote = self._link.remote, passed.client
            self._arrive(passed.rest)

    def _arrive(self, rest: bytes) -> None:
        """Go on, now that it is known whom the connection is from."""
        link, terms = self._link, self._terms
        if not link.arrive():
            return
        if terms.tls is None:
            link.stand(None, None)
            if rest:
                link.endpoint.received(memoryview(rest))
        elif terms.speaks_first:
            self._wait_for_turn()
        elif rest:
            self._listen(rest)

    def _listen(self, data: bytes | memoryview) -> None:
        """Collect the ClientHello. A peer that is slow with it keeps nobody else from a turn."""
        hello = self._hello = self._hello or ClientHello()
        if hello.feed(data):
            if hello.is_costly:
                self._link.say(HANDSHAKE_FAILURE)
                reason = "a finite-field group of 4,096 bits or more, which no station needs"
                self._link.fail("COSTLY_KEY_SHARE", reason, alert=True)
                return
            self._wait_for_turn()

    def _wait_for_turn(self) -> None:
        self._link.hold(Hold.TLS)
        if self._terms.pool is None:
            self.turn()
        else:
            self._link.deadline(self._terms.limits.turn_timeout, self._too_slow)
            self._terms.pool.enter(self, self._link.remote[0])

    def _step(self, engine: TlsEngine) -> None:
        if self._terms.pool is None:
            self._stepped(engine.step())
        else:
            self._terms.pool.run(self, engine.step, self._stepped)

    def _stepped(self, outcome: TlsPeer | Exception | None) -> None:
        """Send what the step wrote, an alert perhaps, and go on from its outcome."""
        link, pool, engine = self._link, self._terms.pool, self._engine
        if link.state is not _SECURING or engine is None:
            return
        flight = engine.outgoing()
        link.say(flight)
        if isinstance(outcome, Exception):
            self._fail(*explain(outcome))
        elif outcome is None:
            if pool is not None:
                pool.await_peer(self, anew=bool(flight))
            link.release(Hold.TLS)
        else:
            self.leave()
            link.stand(engine, outcome)
            link.release(Hold.TLS)

    def _too_slow(self) -> None:
        what = "PROXY header" if self._header is not None else "TLS handshake"
        self._fail("TIMEOUT", f"{what} not finished in time")

    def _fail(self, code: str, reason: str) -> None:
        """End it, with time for the peer to read the alert where there is one."""
        self._link.fail(code, reason, alert=self._engine is not None and code != "TIMEOUT")
