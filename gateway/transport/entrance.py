"""One accepted connection until it is a WebSocket or refused: its head, the question of admission, the answer."""

import asyncio
import logging
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from gateway.transport.admission import (
    Accept,
    AcceptThenClose,
    Admit,
    Observe,
    Refuse,
    Refused,
    Screen,
    Stage,
    UpgradeRequest,
    Verdict,
)
from gateway.transport.frames import Frames
from gateway.transport.head import HeadError, HeadScanner, refusal
from gateway.transport.limits import Limits
from gateway.transport.link import Link
from gateway.transport.messages import Closed, MessageSink
from gateway.transport.upgrade import Upgrade
from gateway.transport.waiting_room import Guest, WaitingRoom
from gateway.transport.websocket import WebSocket

log = logging.getLogger(__name__)

TOO_MANY: Final = "TOO_MANY"
"""The code of a connection for which there is no place."""

_INTERNAL: Final = Refuse(HTTPStatus.INTERNAL_SERVER_ERROR, body="internal error\n")


@dataclass(frozen=True, slots=True)
class Doorkeeper:
    """What all connections of one listener share."""

    admit: Admit
    observe: Observe | None
    limits: Limits
    screen: Screen | None
    room: WaitingRoom

    def turn_away(self, address: str, guest: Guest) -> tuple[str, str] | None:
        """Give ``guest`` a place in the waiting room, from ``address``; or a code and reason why it gets none."""
        code = None
        try:
            if self.screen is not None:
                code = self.screen(address)
        except Exception:
            log.exception("the screen of connections failed")
            return "INTERNAL", "the screen of connections failed"
        if code is not None:
            return code, "turned away by the screen of connections"
        if not self.room.enter(address, guest):
            return TOO_MANY, "too many connections of this address that are not WebSockets yet"
        return None

    def report(self, refused: Refused) -> None:
        """Tell the observer, whose mistakes must not end anything else."""
        if self.observe is None:
            return
        try:
            self.observe(refused)
        except Exception:
            log.exception("the observer of refused connections failed")


class _NobodyListens:
    """The sink of a WebSocket that is closed as soon as it is open."""

    def connected(self, socket: WebSocket) -> None:
        """Nothing to do."""

    def message(self, text: bytes) -> None:
        """Never called: closing has begun."""

    def disconnected(self, closed: Closed) -> None:
        """Nothing to do."""


def _check(verdict: Verdict, request: UpgradeRequest) -> None:
    """Raise ValueError for a subprotocol that wasn't offered: the client would have to fail the connection."""
    if isinstance(verdict, Accept) and verdict.subprotocol not in (None, *request.offered):
        raise ValueError(f"subprotocol {verdict.subprotocol!r} was accepted, but not offered")


class Entrance:
    """The endpoint of a link until the upgrade. It owns the admission task: the only task of a connection."""

    __slots__ = ("_counted", "_doorkeeper", "_link", "_over", "_scanner", "_stage", "_task")

    def __init__(self, doorkeeper: Doorkeeper, link: Link) -> None:
        self._doorkeeper = doorkeeper
        self._link = link
        self._scanner = HeadScanner(doorkeeper.limits)
        self._stage = Stage.CONNECTION
        self._counted = False
        self._over = False
        self._task: asyncio.Task[None] | None = None

    # What the link calls

    def arrived(self) -> None:
        """Turn it away, or let it wait for its admission."""
        refused = self._doorkeeper.turn_away(self._link.remote[0], self)
        if refused is None:
            self._counted = True
            self._stage = Stage.TLS
        else:
            self._end(*refused)
            self._link.abort(refused[1])

    def secured(self) -> None:
        """Wait for the request head."""
        self._stage = Stage.HEAD
        self._link.deadline(self._doorkeeper.limits.head_timeout, self._head_too_slow)

    def received(self, data: memoryview) -> None:
        """Collect the head; once it is whole, any further byte before our answer ends the connection (attacks A13)."""
        if self._over or not data:
            return
        try:
            self._collect(data)
        except HeadError as exc:
            self._refuse(Refuse(exc.status, exc.headers, exc.reason + "\n"), f"HTTP_{int(exc.status)}", exc.reason)

    def ended(self) -> None:
        """A client that stops sending before it has its answer doesn't want a WebSocket."""
        self._end(*self._link.vanished)
        self._link.finish()

    def failed(self, code: str, reason: str) -> None:
        """The PROXY header, which comes before TLS, or TLS failed."""
        if self._stage is not Stage.CONNECTION:
            self._stage = Stage.TLS
        self._end(code, reason)

    def lost(self, reason: str, *, by_peer: bool) -> None:  # noqa: ARG002  # the endpoint's interface
        """The connection is gone."""
        self._leave_room()
        self._end("EOF", reason)

    def shut(self, code: int, reason: str) -> None:  # noqa: ARG002  # the endpoint's interface
        """The listener closes."""
        if self._stage in {Stage.CONNECTION, Stage.TLS}:
            self._over = True
            self._link.abort(reason)
        elif not self._over:
            self._answer(Refuse(HTTPStatus.SERVICE_UNAVAILABLE, body="shutting down\n"))

    # What the waiting room calls

    def give_way(self) -> None:
        """Make room for a connection of an address that has fewer."""
        reason = "it gave way: too many of its address were not WebSockets yet"
        self._leave_room()
        self._end(TOO_MANY, reason)
        self._link.abort(reason)

    # Inside

    def _collect(self, data: memoryview) -> None:
        if self._stage is Stage.ADMISSION:
            raise HeadError(HTTPStatus.BAD_REQUEST, "bytes before the answer to the upgrade request")
        found = self._scanner.feed(data)
        if found is None:
            return
        head, rest = found
        if rest:
            raise HeadError(HTTPStatus.BAD_REQUEST, "bytes after the request head")
        self._ask(Upgrade(head))

    def _ask(self, upgrade: Upgrade) -> None:
        """Ask for admission, in a task."""
        link = self._link
        request = UpgradeRequest(upgrade.target, upgrade.headers, link.remote, link.peer, link.via)
        self._stage = Stage.ADMISSION
        link.deadline(self._doorkeeper.limits.admission_timeout, self._admission_too_slow)
        name = f"admission of {link.remote[0]}:{link.remote[1]}"
        self._task = asyncio.get_running_loop().create_task(self._admission(upgrade, request), name=name)

    async def _admission(self, upgrade: Upgrade, request: UpgradeRequest) -> None:
        verdict: Verdict = _INTERNAL
        try:
            verdict = await self._doorkeeper.admit(request)
            _check(verdict, request)
        except Exception:
            log.exception("admission of the connection from %s:%d failed", *request.remote)
            verdict = _INTERNAL
        if self._over:
            return
        self._task = None
        match verdict:
            case Refuse():
                self._answer(verdict)
            case Accept(sink, subprotocol, compression):
                self._let_in(upgrade, sink, subprotocol, compression=compression)
            case AcceptThenClose(code, reason):
                self._let_in(upgrade, _NobodyListens(), None, compression=False).close(code, reason)

    def _let_in(self, upgrade: Upgrade, sink: MessageSink, subprotocol: str | None, *, compression: bool) -> WebSocket:
        """Send the 101 and hand the link over to a WebSocket."""
        self._over = True
        self._leave_room()
        link = self._link
        response, extensions = upgrade.accept(subprotocol, compression=compression)
        socket = WebSocket(link, sink, Frames(link.limits, client=False, extensions=extensions), subprotocol)
        link.settle()
        link.attach(socket)
        link.write(response)
        socket.open()
        return socket

    def _answer(self, refuse: Refuse) -> None:
        """Send an HTTP error, and end the connection."""
        self._over = True
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._link.write(refusal(refuse.status, refuse.headers, refuse.body))
        self._link.finish()

    def _refuse(self, refuse: Refuse, code: str, reason: str) -> None:
        """Refuse before anybody was asked, or instead of their answer: that is for the observer to know."""
        self._answer(refuse)
        self._report(code, reason)

    def _end(self, code: str, reason: str) -> None:
        """Give up, without an answer."""
        if not self._over:
            self._over = True
            if self._task is not None:
                self._task.cancel()
                self._task = None
            self._report(code, reason)

    def _leave_room(self) -> None:
        """Give the place back: it is a WebSocket now, or gone, lingering included."""
        if self._counted:
            self._counted = False
            self._doorkeeper.room.leave(self._link.remote[0], self)

    def _report(self, code: str, reason: str) -> None:
        self._doorkeeper.report(Refused(self._link.remote, self._stage, reason, code))

    def _head_too_slow(self) -> None:
        refuse = Refuse(HTTPStatus.REQUEST_TIMEOUT, body="request head not whole in time\n")
        self._refuse(refuse, "TIMEOUT", "request head not whole in time")

    def _admission_too_slow(self) -> None:
        refuse = Refuse(HTTPStatus.SERVICE_UNAVAILABLE, body="not decided in time\n")
        self._refuse(refuse, "TIMEOUT", "admission not decided in time")
