"""The time in which a station's CALL has to be answered, whatever is asked of others meanwhile."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

from gateway.bridge.books import Json
from gateway.bridge.ports import PeerUnavailable

ANSWER_WITHIN: Final = 20.0
"""Seconds from a station's CALL to its answer, whatever it costs to ask others: a station gives up after 30 by default
(OCPP 2.0.1 OCPPCommCtrlr.MessageTimeout)."""


class AnswerTime:
    """The time of the CALL that is in hand, one at a time.

    One timer serves all: it is set when there is none, and looks when it fires whether what is being asked then is
    late. A timer for each question would cost more than most questions do.
    """

    __slots__ = ("_by", "_is_asking", "_is_late", "_loop", "_task", "_timer")

    def __init__(self) -> None:
        self._task: asyncio.Task[object] | None = None
        self._by = 0.0
        self._is_asking = False
        self._is_late = False
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The running loop, asked for once: to Python 3.11 each question is a system call."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop

    def begin(self, answer_by: float) -> None:
        """The present task handles a CALL from now on, which has to be answered by then (``loop.time()``)."""
        self._task, self._by = asyncio.current_task(self.loop), answer_by

    def end(self) -> None:
        """It is answered."""
        self._task = None

    async def ask(self, action: str, asking: Coroutine[Any, Any, Json]) -> Json:
        """Return what ``asking`` does; raise PeerUnavailable when the CALL that this task handles has to be answered.

        What other tasks ask takes the time that it takes.
        """
        loop = self.loop
        task = asyncio.current_task(loop)
        if task is None or task is not self._task:
            return await asking
        if loop.time() >= self._by:
            asking.close()
            raise _late(action)
        if self._timer is None:
            self._timer = loop.call_at(self._by, self._look)
        cancelling = task.cancelling()
        self._is_asking = True
        try:
            return await asking
        except asyncio.CancelledError:
            if self._is_late and task.cancelling() == cancelling + 1:  # not by others too
                raise _late(action) from None
            raise
        finally:
            if self._is_late:  # whatever came of it: what is taken back here cancels nothing later on
                task.uncancel()
            self._is_asking = self._is_late = False

    def _look(self) -> None:
        self._timer = None
        if not self._is_asking or self._task is None:
            return
        if self._by > self.loop.time():
            self._timer = self.loop.call_at(self._by, self._look)
        else:
            self._is_late = True
            self._task.cancel()


def _late(action: str) -> PeerUnavailable:
    return PeerUnavailable(f"no time is left for {action}: the station waits for its answer")
