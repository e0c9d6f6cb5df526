"""One station's leg to its backend: dialled, kept, dialled again.

Voltgate plays the charge point there (OCPP-J 2.0.1 Part 4, 6; OCPP-J 1.6): the same identity, one WebSocket.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from typing import Any, Final, Protocol

import structlog

from gateway.bridge.books import Json
from gateway.bridge.ports import NotSent, PeerUnavailable
from gateway.session.peer import Peer
from gateway.transport import DialError, WebSocket
from gateway.upstream.signals import Signal
from gateway.wire.errors import CallError

BACKOFF_FIRST: Final = 1.0
"""Seconds before the first retry, at most: every wait is drawn between half of it and all of it."""
BACKOFF_MAX: Final = 60.0
"""Longest wait in seconds."""
GREETING_RETRY: Final = 10.0
"""Seconds until ``came_up`` runs again after it raised: the journal waits behind it."""
NORMAL_CLOSURE: Final = 1000
"""WebSocket close code (RFC 6455 7.4.1)."""

log = structlog.get_logger(__name__)


class Dial(Protocol):
    """Opens the WebSocket to this station's backend."""

    async def __call__(self, sink: Peer) -> WebSocket:
        """Return the open WebSocket, whose messages go to ``sink``. Raises DialError."""


class BackendLink:
    """Keeps the leg up from :meth:`start` to :meth:`stop`.

    ``came_up`` runs after each successful dialling, in a task of the link, and again while the leg is up until it
    returns; ``went_down`` is called when an open leg is lost and when dialling fails. ``make_peer`` is given the
    callback for the loss of the peer.
    """

    def __init__(
        self,
        identity: str,
        dial: Dial,
        make_peer: Callable[[Callable[[Peer, str], None]], Peer],
        *,
        came_up: Callable[[], Awaitable[None]],
        went_down: Callable[[], None],
    ) -> None:
        self._identity = identity
        self._dial = dial
        self._make_peer = make_peer
        self._came_up = came_up
        self._went_down = went_down
        self._peer: Peer | None = None
        self._hurry = Signal()
        """Somebody waits for the leg: the wait between two dials is cut short."""
        self._outcome: asyncio.Future[bool] | None = None
        """Whether the dial that is under way, or the next one, succeeded."""
        self._begun = Signal()
        """Since :meth:`start`, the leg was greeted once or could not be opened once."""
        self._is_kept = False
        """True from :meth:`start` to :meth:`stop`."""
        self._tasks: dict[asyncio.Task[None], bool] = {}
        """What dials and greets, until that is done: a task takes 1.5 KiB. True for what has been given up."""

    def __repr__(self) -> str:
        return f"<BackendLink {self._identity} {'up' if self.is_up else 'down'}>"

    @property
    def _log(self) -> Any:
        return log.bind(identity=self._identity, leg="backend")

    @property
    def is_up(self) -> bool:
        """True while the WebSocket to the backend is open."""
        return self._peer is not None and self._peer.is_open

    def start(self) -> None:
        """Begin to dial, unless the link is running."""
        if not self._is_kept:
            self._is_kept = True
            self._begun.clear()
            self._spawn(self._open(BACKOFF_FIRST))

    async def stop(self) -> None:
        """Close the leg and dial no more."""
        self._is_kept = False
        if given_up := self._give_up():
            await asyncio.wait(given_up)
        peer, self._peer = self._peer, None
        self._tell_waiting(is_up=False)
        if peer is not None:
            peer.close(NORMAL_CLOSURE, "the station has left")
            peer.give_up("the station has left")

    async def wait_up(self, timeout: float) -> bool:
        """Dial now, unless the leg is up; return whether it is when that has ended, ``timeout`` seconds at most."""
        if self.is_up or not self._is_kept:
            return self.is_up
        self._hurry.set()
        if self._outcome is None:
            self._outcome = asyncio.get_running_loop().create_future()
        await asyncio.wait([self._outcome], timeout=timeout)
        return self.is_up

    async def begun(self, timeout: float) -> None:
        """Wait at most ``timeout`` seconds for the end of the first greeting, or of a dial that fails before it.

        So who has just connected isn't told that the backend is away, because nobody has dialled it yet.
        """
        if self._is_kept and not self._begun.is_set:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._begun.wait()

    def call(self, action: str, payload: Json) -> Coroutine[Any, Any, Json]:
        """Send a CALL and return the CALLRESULT's payload, when awaited. Raises CallError and PeerUnavailable."""
        if self._peer is None:
            raise NotSent("the backend is not connected")
        return self._peer.call(action, payload)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin a task in a context of its own: a leg is lost amid anything, a message that a person has released say.

        What is said on the next one has nothing to do with that (:mod:`gateway.session.releasing`).
        """
        task = asyncio.get_running_loop().create_task(work, name=f"backend link {self._identity}", context=Context())
        self._tasks[task] = False
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        """Let go of a task; what it couldn't do for an error (a log on a full disk), its greeting too, is tried again.

        Not what had been given up: another does it already.
        """
        was_given_up = self._tasks.pop(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            if not was_given_up and self._is_kept:
                self._spawn(self._greet_later() if self.is_up else self._reopen([]))
            self._log.error("backend_link_failed", exc_info=error)

    def _give_up(self) -> list[asyncio.Task[None]]:
        """End what dials and greets; return what is still to be waited for.

        Once: a second cancellation would cut short what brings a write to its end. ``cancelling()`` doesn't tell it: a
        wait whose time is over cancels its task, too.
        """
        for task, is_given_up in self._tasks.items():
            if not is_given_up:
                self._tasks[task] = True
                task.cancel()
        return list(self._tasks)

    async def _open(self, ceiling: float) -> None:
        """Dial until the leg is up, and greet it."""
        while not await self._connect():
            ceiling = await self._pause(ceiling)
        await self._greet()

    async def _reopen(self, former: list[asyncio.Task[None]]) -> None:
        """Open a leg that was lost, when what greeted it, if that still went on, has ended."""
        if former:
            await asyncio.wait(former)
        await self._open(await self._pause(BACKOFF_FIRST))

    async def _greet_later(self) -> None:
        """Greet a leg that is up, and was not: an error came between."""
        await asyncio.sleep(GREETING_RETRY)
        await self._greet()

    async def _pause(self, ceiling: float) -> float:
        """Wait before the next dial, unless somebody is in a hurry; return how long the next wait may be."""
        wait = ceiling * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._hurry.wait()
        return min(2 * ceiling, BACKOFF_MAX)

    async def _connect(self) -> bool:
        peer = self._make_peer(self._lost)
        self._hurry.clear()
        try:
            await self._dial(peer)
        except DialError as error:
            self._log.warning("backend_unreachable", reason=str(error))
            self._tell_waiting(is_up=False)
            self._went_down()
            return False
        if not peer.is_open:
            self._tell_waiting(is_up=False)
            return False
        self._peer = peer
        self._tell_waiting(is_up=True)
        self._log.info("backend_up")
        return True

    def _tell_waiting(self, *, is_up: bool) -> None:
        if not is_up:
            self._begun.set()
        outcome, self._outcome = self._outcome, None
        if outcome is not None and not outcome.done():
            outcome.set_result(is_up)

    async def _greet(self) -> None:
        """Run ``came_up`` until it returns, or the leg is lost."""
        while True:
            try:
                await self._came_up()
            except (PeerUnavailable, CallError) as refused:
                self._log.warning("backend_greeting_refused", reason=str(refused))
            except Exception:  # noqa: BLE001 - the leg stays, whatever its greeting met
                self._log.exception("backend_greeting_failed")
            else:
                return
            finally:
                self._begun.set()
            if not (self._is_kept and self.is_up):
                return
            await asyncio.sleep(GREETING_RETRY)

    def _lost(self, peer: Peer, reason: str) -> None:
        if peer is not self._peer:
            return
        self._peer = None
        if self._is_kept:
            self._spawn(self._reopen(self._give_up()))
        self._log.warning("backend_lost", reason=reason)
        self._went_down()
