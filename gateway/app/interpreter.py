"""Python's own pauses, kept out of the way of stations: the collector of cyclic garbage, and the lock between threads.

A full collection takes some 100 ms per thousand connected stations, and Python begins one when many objects are new: in
the middle of a reconnect storm. What was made at the start is left out of it for good; the rest is looked through when
nobody comes or goes. And a thread that computes (a handshake, a write) gives the lock back to the event loop after a
tenth of a millisecond instead of five.

What has become free is given back to the system at the same occasion: glibc keeps it otherwise, a third of what a storm
of stations took.
"""

import asyncio
import ctypes
import gc
import sys
from collections.abc import Callable
from typing import Final

import structlog

SWITCH_INTERVAL: Final = 0.0001
"""Seconds after which a thread that computes lets the event loop go on."""
YOUNG: Final = (1_000, -1)
"""New objects after which the young ones are looked through, and how often that is for one look at those that lived
through it. Less than none: who has lived through one look is old. What coming stations make stays, and a second look at
10,000 objects stopped the loop for 9 ms and found nothing; so do the messages in hand of 200 busy stations: looked
through at 20,000, and once more, they took a quarter of a message's CPU."""
NEVER: Final = 1_000_000
"""Collections of the middle generation before Python would look through everything by itself."""
LOOK_EVERY: Final = 10.0
"""Seconds between two looks whether it is quiet."""
WORTH_IT: Final = 200
"""Stations that have left since the last full collection: what is known of them is free at once, but for some objects
of the event loop's, and whatever an error on the way still ties together. Or that have come since memory was given
back."""
TIMES_GIVEN_BACK: Final = 2
"""How often it is when it has become quiet after many came: they are asked for their inventory some time later."""
OVERDUE: Final = 1_000
"""Stations that have left, after which it is collected whoever comes and goes, but for ``STORMS``."""
STORMS: Final = 6
"""How often all stations may leave before that: a collection amid a storm stalls it."""
AT_MOST: Final = 20_000
"""Stations that have left, after which it is collected even so."""
REFUSED_FOR_ONE: Final = 100
"""Connections that were refused and leave together what one station does: some 0.35 KiB each, which nobody looks at
again."""

log = structlog.get_logger(__name__)


_malloc_trim: Final = getattr(ctypes.CDLL(None), "malloc_trim", None)
"""glibc's malloc_trim(3); other C libraries have none."""


def give_back() -> None:
    """Give back what is free: 17 ms with 1,000 stations, whose handshakes and first words left 6 KiB each."""
    if _malloc_trim is not None:
        _malloc_trim(0)


def collect_garbage() -> None:
    """Collect everything, and give back what has become free."""
    gc.collect()
    give_back()


def settle_down() -> None:
    """What is here now stays: to be called once, when everything is built."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*YOUNG, NEVER)


class QuietTimes:
    """Collects garbage when it is quiet.

    ``came`` and ``left`` count the stations that did since the start, ``here`` those that are in memory, ``refused``
    connections that became no station's.
    """

    def __init__(
        self,
        came: Callable[[], int],
        left: Callable[[], int],
        here: Callable[[], int],
        *,
        refused: Callable[[], int] = lambda: 0,
        collect: Callable[[], object] = collect_garbage,
        give_back: Callable[[], object] = give_back,
    ) -> None:
        self._came = came
        self._left = left
        self._here = here
        self._refused = refused
        self._most_here = 0
        """Since the last collection."""
        self._collect = collect
        self._collected_at = 0
        self._give_back = give_back
        self._came_before = 0
        self._to_give_back = 0
        """Times."""
        self._seen = (0, 0)

    async def run(self) -> None:
        """Look again and again, for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            self.look()

    def look(self) -> bool:
        """Collect if it is worth it and nobody has come or gone since the last look, or if it is overdue."""
        now = self._came(), self._left() + self._refused() // REFUSED_FOR_ONE
        is_quiet = now == self._seen
        self._seen = now
        garbage = now[1] - self._collected_at
        self._most_here = max(self._most_here, self._here())
        is_overdue = garbage >= min(max(OVERDUE, STORMS * self._most_here), AT_MOST)
        if garbage < WORTH_IT or not (is_quiet or is_overdue):
            self._tidy_up(now[0], is_quiet=is_quiet)
            return False
        self._collect()
        self._most_here = self._here()
        self._collected_at = now[1]
        log.debug("garbage_collected", stations_left=garbage)
        return True

    def _tidy_up(self, came: int, *, is_quiet: bool) -> None:
        """Give back what the coming of many has left free, when it is over."""
        if came - self._came_before >= WORTH_IT:
            self._came_before = came
            self._to_give_back = TIMES_GIVEN_BACK
        elif is_quiet and self._to_give_back:
            self._to_give_back -= 1
            self._give_back()
