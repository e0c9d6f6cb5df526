"""A TCP port that admits WebSockets."""

import asyncio
import functools
import os
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Final, cast

from gateway.transport.addresses import Network, plain
from gateway.transport.admission import Admit, Observe, Refused, Screen, Stage
from gateway.transport.entrance import Doorkeeper, Entrance
from gateway.transport.handshakes import HandshakePool
from gateway.transport.limits import Limits
from gateway.transport.link import Link
from gateway.transport.opening import Terms
from gateway.transport.tls import TlsEngine
from gateway.transport.waiting_room import WaitingRoom

BACKLOG: Final = 4_096
"""Connections that the kernel keeps until they are accepted."""
ACCEPTS: Final = 16
"""Connections that asyncio's loop accepts in one turn. With no descriptors left, it also logs an error so many times
each second (attack C8). uvloop knows no such number."""
GRACE: Final = 10.0
"""s that :meth:`Listener.close` gives its connections to end in order."""
GOING_AWAY: Final = 1001


def _make_engine(tls: Callable[[str | None], ssl.SSLContext], asked: str | None) -> TlsEngine:
    return TlsEngine(tls(asked), asked=asked)


class _TurnedAway(asyncio.Protocol):
    """A connection over the bound: gone before it costs anything."""

    def __init__(self, doorkeeper: Doorkeeper, reason: str) -> None:
        self._doorkeeper = doorkeeper
        self._reason = reason

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Drop it, and say so."""
        address = transport.get_extra_info("peername") or ("", 0)
        cast("asyncio.Transport", transport).abort()
        remote = plain(str(address[0])), int(address[1])
        self._doorkeeper.report(Refused(remote, Stage.CONNECTION, self._reason, "TOO_MANY"))


class _TooLate(asyncio.Protocol):
    """A connection that was accepted as the listener closed. asyncio makes no transport for it any more.

    A link would wait for that for ever, and :meth:`Listener.close` for the link.
    """

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Drop it: another loop may make it all the same."""
        cast("asyncio.Transport", transport).abort()


class Listener:
    """One listening port (or several, where ``host`` has several addresses).

    ``tls`` is called for each connection, in the loop's thread, with the name that the client asks for (SNI: ASCII, in
    lower case; None without one), and returns a context that somebody else has made: it must be cheap. Without a
    ``pool`` the handshakes run on the event loop. ``observe`` hears of connections that ended before admission. The
    context must forbid renegotiation (``ssl.OP_NO_RENEGOTIATION``; OpenSSL 3 does so by itself).

    A connection from one of ``load_balancers`` must begin with a PROXY header (version 2) and counts as its client's
    from there on. ``screen`` is asked once for each connection, before TLS, with the client's address.
    """

    def __init__(  # noqa: PLR0913  # part of the agreed interface
        self,
        *,
        host: str,
        port: int,
        admit: Admit,
        limits: Limits | None = None,
        tls: Callable[[str | None], ssl.SSLContext] | None = None,
        pool: HandshakePool | None = None,
        observe: Observe | None = None,
        load_balancers: Sequence[Network] = (),
        screen: Screen | None = None,
        backlog: int = BACKLOG,
    ) -> None:
        """Nothing happens before :meth:`start`."""
        self._host = host
        self._port = port
        limits = limits or Limits()
        make_engine = None if tls is None else functools.partial(_make_engine, tls)
        self._terms = Terms(limits, make_engine, pool, load_balancers=tuple(load_balancers))
        self._backlog = backlog
        self._doorkeeper = Doorkeeper(
            admit, observe, limits, screen, WaitingRoom(limits.waiting_per_address, limits.max_waiting)
        )
        self._forget = self._gone
        self._links: set[Link] = set()
        self._server: asyncio.Server | None = None
        self._is_closed = False
        self._empty = asyncio.Event()

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """The addresses and real ports that are listened on; empty before ``start`` and after ``close``."""
        sockets = () if self._server is None else self._server.sockets
        return [(str(name[0]), int(name[1])) for name in (each.getsockname() for each in sockets)]

    @property
    def waiting(self) -> int:
        """The number of connections that aren't WebSockets yet, without those whose PROXY header isn't whole."""
        return len(self._doorkeeper.room)

    @property
    def connections(self) -> int:
        """The number of connections, those in their handshake and those that still linger included."""
        return len(self._links)

    async def start(self) -> None:
        """Listen. OSError passes through: the port is taken, the address isn't ours, privileges are missing."""
        self._is_closed = False
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accepted, self._host, self._port, backlog=ACCEPTS)
        for each in self._server.sockets:
            with socket.socket(fileno=os.dup(each.fileno())) as same:
                same.listen(self._backlog)  # asyncio takes one number for both

    async def close(self, code: int = GOING_AWAY, reason: str = "", grace: float = GRACE) -> None:
        """Stop listening, close every WebSocket with ``code``, answer 503 to those who wait for admission.

        What isn't gone after ``grace`` seconds is aborted. Returns when nothing is left.
        """
        self._is_closed = True
        if self._server is not None:
            self._server.close()
            self._server = None
        for link in list(self._links):
            link.shut(code, reason)
        try:
            async with asyncio.timeout(grace):
                await self._gone_all()
        except TimeoutError:
            for link in list(self._links):
                link.abort("shutting down")
            await self._gone_all()

    async def _gone_all(self) -> None:
        self._empty.clear()
        if self._links:
            await self._empty.wait()

    def _accepted(self) -> asyncio.BaseProtocol:
        """Make the protocol object of one accepted connection."""
        if self._is_closed:
            return _TooLate()
        limits = self._terms.limits
        bound = limits.max_connections and limits.max_connections + limits.max_waiting
        if bound and len(self._links) >= bound:
            return _TurnedAway(self._doorkeeper, f"more than {bound} connections")
        link = Link(self._terms, gone=self._forget)
        link.attach(Entrance(self._doorkeeper, link))
        self._links.add(link)
        return link

    def _gone(self, link: Link) -> None:
        self._links.discard(link)
        if not self._links:
            self._empty.set()
