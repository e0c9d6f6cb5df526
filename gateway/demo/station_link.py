"""The station's way to its CSMS: one WebSocket over TLS, dialled again whenever it ends (OCPP-J Part 4, 3 and 5)."""

import asyncio
import base64
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from gateway.demo.json_lines import Tell
from gateway.demo.station_folder import StationFolder
from gateway.demo.typed_ocpp import OCPPError

SUBPROTOCOL: Final = Subprotocol("ocpp2.0.1")
RETRY_FIRST: Final = 0.25
"""Seconds before the second try to connect, doubled each time; far shorter than in the field."""
RETRY_MAX: Final = 4.0
"""Longest wait in seconds between two tries."""

Pause = Callable[[float], Coroutine[Any, Any, None]]
"""Waits that many seconds."""


class NotConnected(Exception):
    """There is no connection to send on."""


class StationLink:
    """Keeps a station connected, with the strongest proof that it holds: its certificate, else its password.

    ``make_peer`` wraps a new connection in its ChargePoint; ``on_connected`` runs then, beside what comes in.
    """

    def __init__(self, identity: str, folder: StationFolder, tell: Tell, pause: Pause = asyncio.sleep) -> None:
        self._identity = identity
        self._folder = folder
        self._tell = tell
        self._pause = pause
        self._connection: ClientConnection | None = None
        self._peer: Any = None
        self._tasks: asyncio.TaskGroup | None = None

    @property
    def profile(self) -> int:
        """The security profile of the next connection."""
        return 3 if self._folder.has_certificate else 2

    async def stay_connected(
        self,
        url: str,
        make_peer: Callable[[ClientConnection], Any],
        on_connected: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        """Connect, and again whenever the connection ends, until cancelled."""
        wait = RETRY_FIRST
        while True:
            try:
                connection = await self._dial(url)
            except (OSError, InvalidHandshake) as error:
                self._tell("refused", why=f"{type(error).__name__}: {error}")
                await self._pause(wait)
                wait = min(2 * wait, RETRY_MAX)
                continue
            wait = RETRY_FIRST
            async with connection:
                await self._use(connection, make_peer(connection), on_connected)
            self._tell("disconnected", code=connection.close_code, reason=connection.close_reason)

    async def call(self, payload: Any) -> Any:
        """Send a CALL and return its answer. Raises NotConnected, TimeoutError, OCPPError for a CALLERROR."""
        if self._peer is None:
            raise NotConnected("the station is not connected")
        return await self._peer.call(payload, suppress=False)

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run ``work`` while the present connection lasts; what it can't get done is told as a fault."""
        guarded = self._guarded(work, name)
        with suppress(RuntimeError):  # the connection is ending at this moment
            if self._tasks is not None:
                self._tasks.create_task(guarded, name=name)
                return
        guarded.close()
        work.close()
        self._tell("fault", text=f"{name}: the station is not connected")

    def reconnect(self) -> None:
        """Close the connection, so that a new one is made with what is now in the folder."""
        if self._connection is not None:
            self.spawn(self._connection.close(reason="reconnecting"), "reconnect")

    async def _dial(self, url: str) -> ClientConnection:
        """Open a WebSocket. Raises OSError (TLS errors and timeouts too) and InvalidHandshake."""
        profile = self.profile
        headers = {} if profile == 3 else {"Authorization": _basic(self._identity, self._folder.password)}
        connection = await connect(
            f"{url}/{quote(self._identity, safe='')}",
            ssl=await asyncio.to_thread(self._folder.tls_context),
            subprotocols=[SUBPROTOCOL],
            additional_headers=headers,
            proxy=None,
        )
        if connection.subprotocol != SUBPROTOCOL:
            await connection.close()
            raise InvalidHandshake(f"the CSMS does not speak {SUBPROTOCOL}")
        tls = connection.transport.get_extra_info("ssl_object")
        self._tell("connected", profile=profile, tls=tls.version(), cipher=tls.cipher()[0])
        return connection

    async def _use(
        self, connection: ClientConnection, peer: Any, on_connected: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        self._connection, self._peer = connection, peer
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._tasks.create_task(peer.start(), name="reader")
                self.spawn(on_connected(), "on connect")
        except* ConnectionClosed:
            pass  # told by the caller, with its code
        finally:
            self._connection = self._peer = self._tasks = None

    async def _guarded(self, work: Coroutine[Any, Any, None], name: str) -> None:
        try:
            await work
        except (OCPPError, NotConnected, TimeoutError) as error:
            self._tell("fault", text=f"{name}: {type(error).__name__}: {error}")


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
