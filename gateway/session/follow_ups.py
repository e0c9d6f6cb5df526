"""What is done once the backend's CALL in hand has been answered: the message that a charge point sends next."""

from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog

from gateway.bridge.ports import FollowUp

WAITING_MAX: Final = 8
"""Follow-ups of one station that wait; a backend that asks for more without hearing us is not told of all."""

log = structlog.get_logger(__name__)


class FollowUps:
    """Those of one station: one after the other, in the order in which they were asked for."""

    __slots__ = ("_identity", "_is_running", "_spawn", "_waiting")

    def __init__(self, identity: str, spawn: Callable[[Coroutine[Any, Any, None], str], object]) -> None:
        """``spawn(work, name)`` runs ``work`` as a task with an owner."""
        self._identity = identity
        self._spawn = spawn
        self._waiting: list[FollowUp] = []
        self._is_running = False

    def add(self, follow_up: FollowUp) -> None:
        """Run ``follow_up`` after the next answer to the backend."""
        if len(self._waiting) >= WAITING_MAX:
            log.warning("follow_up_dropped", identity=self._identity, waiting=WAITING_MAX)
            return
        self._waiting.append(follow_up)

    def answered(self) -> None:
        """A CALL of the backend has been answered, or its connection lost: what waits begins."""
        if self._waiting and not self._is_running:
            self._is_running = True
            self._spawn(self._run(), f"follow-ups {self._identity}")

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._waiting.pop(0)()
        finally:
            self._is_running = False
