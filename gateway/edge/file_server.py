"""The listening socket of the file endpoint: TLS, how many may be there, and how long each may take."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any, Final

import structlog
from aiohttp import hdrs, web

from gateway.edge.file_endpoint import FileEndpoint
from gateway.transport import Network, within
from gateway.transport.addresses import plain

HANDSHAKE_MAX: Final = 10.0
"""Seconds from the accept to the end of the TLS handshake."""
HEAD_MAX: Final = 10.0
"""Seconds from there to a whole request head."""
LINGER: Final = 120.0
"""Seconds that a peer may take to read what is left of its answer when all of it has been written."""
UNSENT_MAX: Final = 65_536
"""Bytes of a connection that wait to be sent, above which no more is written."""
SHUTDOWN_MAX: Final = 5.0
"""Seconds for the end of what runs when the server closes."""
BACKLOG: Final = 512
"""Connections that the kernel keeps until they are accepted."""
ACCEPT_PAUSE: Final = 0.5
"""Seconds without accepting after the process had no descriptor left."""

log = structlog.get_logger(__name__)

_SILENT: Final = logging.getLogger("voltgate.files")
_SILENT.disabled = True
"""aiohttp's own words hold what the peer sent, which may be a link."""

Context = Callable[[], ssl.SSLContext]
"""Gives the TLS context for the next connection."""


class _Connection(web.RequestHandler):
    """One connection, of which it is known whether it has asked for anything and when it is over."""

    def __init__(self, server: web.Server, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            server,
            loop=loop,
            logger=_SILENT,
            access_log=None,  # type: ignore[arg-type]  # as web.AppRunner has it: none
            auto_decompress=False,
        )
        self.has_asked = False
        self.ended: asyncio.Future[None] = loop.create_future()

    def connection_lost(self, exc: BaseException | None) -> None:
        """The transport is gone."""
        super().connection_lost(exc)
        if not self.ended.done():
            self.ended.set_result(None)


class _Request(web.BaseRequest):
    def __repr__(self) -> str:
        """Without the path, which may hold a secret."""
        return f"<{self.method} of {self.remote}>"

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        """Say nothing of what answers."""
        response.headers.pop(hdrs.SERVER, None)


class FileServer:
    """One port of the file endpoint, on the running event loop."""

    def __init__(
        self,
        endpoint: FileEndpoint,
        *,
        connections: int,
        tls: Context | None = None,
        networks: Sequence[Network] = (),
    ) -> None:
        """``connections`` there may be at once. Without ``tls`` only peers from ``networks`` are let in.

        At the bound a newcomer takes the place of the oldest connection that has shown no good link, so that strangers
        keep no station out; where all have, it is turned away.
        """
        self._endpoint = endpoint
        self._most = connections
        self._tls = tls
        self._networks = networks
        self._loop = asyncio.get_running_loop()
        self._server = web.Server(
            self._answer, request_factory=self._request, handler_cancellation=True, loop=self._loop
        )
        self._sockets: list[socket.socket] = []
        self._accepting: list[asyncio.Task[None]] = []
        self._carried: dict[asyncio.Task[None], asyncio.BaseTransport | socket.socket | None] = {}
        """Connections, the oldest first: with their socket until the task runs, with their transport once TLS is done.
        """
        self._is_short = False

    @property
    def connections(self) -> int:
        """Return how many there are."""
        return len(self._carried)

    @property
    def addresses(self) -> Sequence[tuple[str, int]]:
        """Return where it listens."""
        return [(str(each.getsockname()[0]), int(each.getsockname()[1])) for each in self._sockets]

    async def start(self, host: str, port: int) -> None:
        """Listen. Raises OSError."""
        found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        try:
            for family, *_, address in dict.fromkeys(found):
                self._sockets.append(_listen(family, address))
        except OSError:
            self._close_sockets()
            raise
        self._accepting = [
            self._loop.create_task(self._accept(each), name=f"files on {each.getsockname()}") for each in self._sockets
        ]

    async def close(self, grace: float) -> None:
        """Take no more, give transfers ``grace`` seconds, and end what is left."""
        for task in self._accepting:
            task.cancel()
        if self._accepting:
            await asyncio.wait(self._accepting)
        self._close_sockets()
        busy = [task for task, transport in self._carried.items() if transport in self._endpoint.in_hand]
        if busy:
            await asyncio.wait(busy, timeout=grace)
        left = list(self._carried)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)
        await self._server.shutdown(SHUTDOWN_MAX)

    def _close_sockets(self) -> None:
        for each in self._sockets:
            each.close()
        self._sockets = []

    async def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                accepted, address = await self._loop.sock_accept(listening)
            except OSError as error:
                if not self._is_short:
                    log.error("file_endpoint_cannot_accept", reason=error.strerror)  # noqa: TRY400 - the text says it
                self._is_short = True
                await asyncio.sleep(ACCEPT_PAUSE)
                continue
            self._is_short = False
            if not self._may_enter(str(address[0])):
                accepted.close()
                continue
            task = self._loop.create_task(self._carry(accepted), name=f"file connection of {address[0]}")
            self._carried[task] = accepted
            task.add_done_callback(self._gone)

    def _may_enter(self, address: str) -> bool:
        if self._tls is None and not within(plain(address), self._networks):
            return False
        if len(self._carried) < self._most:
            return True
        for task, transport in self._carried.items():
            if transport not in self._endpoint.in_hand and not task.cancelling():
                task.cancel()
                return True
        return False

    def _gone(self, task: asyncio.Task[None]) -> None:
        if isinstance(unseen := self._carried.pop(task), socket.socket):
            unseen.close()  # cancelled before it ran: nobody else does
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("file_connection_failed", exc_info=error)

    async def _carry(self, accepted: socket.socket) -> None:
        """See one connection through its handshake, its request and its end."""
        self._has(None)
        tls: dict[str, Any] = {}
        if self._tls is not None:
            deadlines = {"ssl_handshake_timeout": HANDSHAKE_MAX, "ssl_shutdown_timeout": LINGER}
            tls = {"ssl": self._tls(), **deadlines}
        connection = _Connection(self._server, self._loop)
        try:
            transport, _ = await self._loop.connect_accepted_socket(lambda: connection, accepted, **tls)
        except OSError:  # what isn't TLS, or not ours, or too slow
            connection.connection_lost(None)  # it and its parser know each other, and nobody else tells it
            return
        except asyncio.CancelledError:
            connection.connection_lost(None)
            raise
        transport.set_write_buffer_limits(high=UNSENT_MAX)
        self._has(transport)
        try:
            await self._watch(transport, connection)
        finally:
            transport.abort()

    def _has(self, transport: asyncio.BaseTransport | None) -> None:
        """Note it of the task that runs, which mustn't know itself: a cancelled one would stay, with what it has."""
        if (task := asyncio.current_task()) is not None:
            self._carried[task] = transport

    async def _watch(self, transport: asyncio.BaseTransport, connection: _Connection) -> None:
        """Return when the connection is over, or should be."""
        if await _ends(connection, HEAD_MAX) or not connection.has_asked:
            return
        was_in_hand = True
        while was_in_hand or transport in self._endpoint.in_hand:
            was_in_hand = transport in self._endpoint.in_hand
            if await _ends(connection, LINGER):
                return

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if isinstance(request.protocol, _Connection):
            request.protocol.has_asked = True
        return await self._endpoint.answer(request)

    def _request(self, message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
        return _Request(message, payload, protocol, writer, task, self._loop)


async def _ends(connection: _Connection, timeout: float) -> bool:
    done, _ = await asyncio.wait({connection.ended}, timeout=timeout)
    return bool(done)


def _listen(family: int, address: Any) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.setblocking(False)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening
