"""Measure the lag of an event loop from inside, without touching the product: put this folder on PYTHONPATH.

With ``BENCH_LOOP_LAG=FILE`` every uvloop of the process gets a timer of 1 ms. At exit FILE holds, as JSON, the moments
(CLOCK_MONOTONIC) and milliseconds of all turns that came late, what the garbage collector took, and, with
``BENCH_LOOP_STACKS=1`` besides, where the loop's thread stood when it was late.
"""

import atexit
import gc
import json
import os
import sys
import threading
import time
import traceback
from typing import Any, Final

import uvloop

TICK: Final = 0.001
NOTED: Final = 0.001
"""Seconds from which on a late turn is noted; all others are known to be below."""
STUCK: Final = 0.008
"""Seconds after which the loop's stack is looked at."""


class _Watch:
    """What is known of one loop."""

    def __init__(self, path: str, *, stacks: bool) -> None:
        self.late: list[tuple[float, float]] = []
        self.collections: list[tuple[float, float, int]] = []
        self.stacks: list[tuple[float, float, list[str]]] = []
        self._due = 0.0
        self._collecting = 0.0
        self._thread = 0
        self._loop: Any = None
        atexit.register(self._write, path)
        gc.callbacks.append(self._collected)
        if stacks:
            threading.Thread(target=self._look, name="loop-lag", daemon=True).start()

    def begin(self, loop: Any) -> None:
        self._loop = loop
        loop.call_soon(self._first)

    def _first(self) -> None:
        self._thread = threading.get_ident()
        self._due = time.monotonic() + TICK
        self._loop.call_later(TICK, self._tick)

    def _tick(self) -> None:
        now = time.monotonic()
        if now - self._due > NOTED:
            self.late.append((now, now - self._due))
        self._due = now + TICK
        self._loop.call_later(TICK, self._tick)

    def _collected(self, phase: str, info: dict[str, int]) -> None:
        now = time.monotonic()
        if phase == "start":
            self._collecting = now
        else:
            self.collections.append((now, now - self._collecting, info["generation"]))

    def _look(self) -> None:
        while True:
            time.sleep(STUCK / 4)
            late = time.monotonic() - self._due
            if self._due and late > STUCK:
                frame = sys._current_frames().get(self._thread)  # noqa: SLF001 - the documented way to another thread
                found = traceback.extract_stack(frame)[-14:]
                where = [f"{each.name} ({each.filename.rpartition('/')[2]}:{each.lineno})" for each in found]
                self.stacks.append((time.monotonic(), late, where))

    def _write(self, path: str) -> None:
        said = {"late": self.late, "collections": self.collections, "stacks": self.stacks}
        with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123 - pathlib isn't loaded yet when this runs
            json.dump(said, file)


if "BENCH_LOOP_LAG" in os.environ:
    _watch = _Watch(os.environ["BENCH_LOOP_LAG"], stacks=os.environ.get("BENCH_LOOP_STACKS") == "1")

    class _Loop(uvloop.Loop):
        """A loop that is watched from its first turn on."""

        def __init__(self) -> None:
            super().__init__()
            _watch.begin(self)

    uvloop.Loop = _Loop  # type: ignore[misc]  # that is the point
