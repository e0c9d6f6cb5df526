"""A backend's leg on a network that does as its script says."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from gateway.session.peer import Peer
from gateway.session.stages import BACKEND_16
from gateway.session.tally import Tally
from gateway.transport import DialError, DialStage
from gateway.upstream.link import BackendLink
from policies.words import PASSED, Verdict


class _Open:
    """A policy that lets pass everything."""

    def inspect(self, *_: Any) -> Verdict:
        return PASSED


OPEN = _Open()


class FakeSocket:
    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.sent: list[bytes] = []
        self.closed_with: int | None = None

    def send(self, text: bytes) -> bool:
        self.sent.append(text)
        return True

    def close(self, code: int = 1000, reason: str = "") -> None:
        self.closed_with = code

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    async def ping(self, timeout: float) -> bool:
        return True

    def lose(self) -> None:
        self.peer.disconnected(SimpleNamespace(code=1006, reason=""))


class Network:
    """Dials as its script says: "open" or a reason for failure; every dialling is heard of on a queue."""

    def __init__(self) -> None:
        self.script: list[str] = []
        self.dialled: asyncio.Queue[FakeSocket | str] = asyncio.Queue()

    async def dial(self, sink: Peer) -> Any:
        step = self.script.pop(0) if self.script else "open"
        if step != "open":
            self.dialled.put_nowait(step)
            raise DialError(step, stage=DialStage.CONNECT)
        socket = FakeSocket(sink)
        sink.connected(socket)
        self.dialled.put_nowait(socket)
        return socket


class Leg:
    def __init__(self) -> None:
        self.network = Network()
        self.events: asyncio.Queue[str] = asyncio.Queue()
        self.greeting: Callable[[], Any] | None = None
        self.link = BackendLink(
            "CS1",
            self.network.dial,
            self._peer,
            came_up=self._came_up,
            went_down=lambda: self.events.put_nowait("down"),
        )

    def _peer(self, lost: Callable[[Peer, str], None]) -> Peer:
        async def handle(action: str, payload: Any) -> Any:
            return {}

        return Peer(
            BACKEND_16,
            "CS1",
            handle,
            guard=OPEN,
            tally=Tally(),
            timeout=5.0,
            new_id=lambda: "id",
            lost=lost,
        )

    async def _came_up(self) -> None:
        self.events.put_nowait("up")
        if self.greeting is not None:
            await self.greeting()

    async def opened(self) -> FakeSocket:
        socket = await self.network.dialled.get()
        assert isinstance(socket, FakeSocket)
        assert await self.events.get() == "up"
        return socket
