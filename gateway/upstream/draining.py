"""When a station's journal is delivered: at once or in a while, one drain at a time."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from gateway.session.ports import StaleEpoch

log = structlog.get_logger(__name__)


async def _nothing_to_drain() -> None:
    """What a drain is that has been stopped."""


def _nothing_due() -> None:
    """Nor has it anything to prepare for that."""


class Drains:
    """The drains of one ledger. ``drain()`` is one; ``due()`` is called before one whose time has come."""

    __slots__ = ("_drain", "_due", "_identity", "_is_up", "_task", "_timer")

    def __init__(
        self, identity: str, drain: Callable[[], Awaitable[None]], due: Callable[[], None], is_up: Callable[[], bool]
    ) -> None:
        self._identity = identity
        self._drain = drain
        self._due = due
        self._is_up = is_up
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def now(self) -> None:
        """Drain, unless that is under way."""
        if self._task is None or self._task.done():
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._drain_quietly(), name=f"journal {self._identity}")

    def after(self, wait: float) -> None:
        """Drain in ``wait`` seconds, unless that is to be done sooner anyway: when the backend is back, say."""
        loop = asyncio.get_running_loop()
        if not self._is_up() or (self._timer is not None and self._timer.when() <= loop.time() + wait):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_later(wait, self._time_has_come)

    def _time_has_come(self) -> None:
        self._timer = None
        self._due()
        self.now()

    async def _drain_quietly(self) -> None:
        try:
            await self._drain()
        except StaleEpoch:
            log.info("journal_has_another_owner", identity=self._identity)
        except Exception:  # the journal is durable: the next drain tries again
            log.exception("drain_failed", identity=self._identity)

    async def stop(self) -> None:
        """Begin nothing more, and wait for what is under way to be given up.

        The ledger, which knows its drains, isn't known to them any more: so both are free as soon as nobody needs them.
        """
        self._drain, self._due = _nothing_to_drain, _nothing_due
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
