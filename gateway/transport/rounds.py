"""When idle connections are looked at: many on one timer. One of its own takes 500 bytes for each, and each has two."""

import asyncio
import logging
import math
import threading
from contextvars import Context
from typing import Final, Protocol

log = logging.getLogger(__name__)

SHARE: Final = 128
"""A look comes late by one part in so many of its interval, at most; and so many timers serve all connections."""

TURN: Final = 32
"""Looks in one turn of the loop: each may be a ping to write, and after a storm a thousand are due at one moment."""


class Watched(Protocol):
    """Something to look at now and then."""

    def look(self) -> None:
        """See how it is."""


Round = dict[Watched, None]
"""Those that are looked at at one moment; who doesn't want it any more takes itself out."""


class Rounds:
    """The looks of one event loop."""

    __slots__ = ("_loop", "_rounds")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._rounds: dict[float, Round] = {}

    def join(self, who: Watched, seconds: float, interval: float) -> Round:
        """Look at ``who`` in ``seconds``, never earlier; at most a ``SHARE`` of ``interval`` later."""
        grain = interval / SHARE
        moment = math.ceil((self._loop.time() + seconds) / grain) * grain
        found = self._rounds.get(moment)
        if found is None:
            found = self._rounds[moment] = {}
            # In a context of its own: what comes of a look has nothing to do with whoever was the first to want one.
            self._loop.call_at(moment, self._go, moment, context=Context())
        found[who] = None
        return found

    def _go(self, moment: float) -> None:
        self._look(self._rounds.pop(moment))

    def _look(self, those: Round) -> None:
        """Look at some of them, and at the others when the loop has seen to whatever else is due."""
        for _ in range(min(TURN, len(those))):
            if not those:
                return  # one that was looked at has taken out others
            who, _ = those.popitem()
            try:
                who.look()
            except Exception:
                log.exception("the look at %r failed", who)
        if those:
            self._loop.call_soon(self._look, those)


class _Here(threading.local):
    """Those of the thread's event loop."""

    loop: asyncio.AbstractEventLoop | None = None
    rounds: Rounds


_here = _Here()


def rounds_of(loop: asyncio.AbstractEventLoop) -> Rounds:
    """Return those of ``loop``, which runs in this thread."""
    if _here.loop is not loop:
        _here.loop, _here.rounds = loop, Rounds(loop)
    return _here.rounds
