"""How long an event loop was held up, as a process with ``loop_lag/`` on its path has written it down."""

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

WATCHER: Final = Path(__file__).with_name("loop_lag")
STEPS: Final = (1, 2, 5, 10, 20, 50, 100)
"""Milliseconds at which the classes of a histogram end."""


def watched(record: Path, *, stacks: bool = False) -> dict[str, str]:
    """Return the environment with which a process writes ``record`` when it ends."""
    return {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(WATCHER), os.environ.get("PYTHONPATH")])),
        "BENCH_LOOP_LAG": str(record),
        "BENCH_LOOP_STACKS": "1" if stacks else "0",
    }


def read(record: Path) -> Any:
    """Return what was written down."""
    return json.loads(record.read_text(encoding="utf-8"))


def percentiles(late: Sequence[tuple[float, float]], began: float, ended: float) -> dict[str, float]:
    """Return lag in ms: p50, p99 and the most, over each millisecond from ``began`` to ``ended``."""
    waits: list[float] = []
    for moment, lag in late:
        if began <= moment <= ended:
            milliseconds = lag * 1000
            waits += [milliseconds - each for each in range(math.ceil(milliseconds))]
    everywhen = max(1, round((ended - began) * 1000))
    waits = sorted([0.0] * (everywhen - len(waits)) + waits)
    return {
        "p50": round(waits[len(waits) // 2], 1),
        "p99": round(waits[min(len(waits) - 1, int(len(waits) * 0.99))], 1),
        "max": round(waits[-1], 1),
    }


def histogram(late: Sequence[tuple[float, float]], began: float, ended: float) -> dict[str, int]:
    """Return how many turns of the loop came so late; those under 1 ms aren't written down."""
    found = {f"up to {step} ms": 0 for step in STEPS[1:]} | {f"over {STEPS[-1]} ms": 0}
    for moment, lag in late:
        if began <= moment <= ended:
            name = next((f"up to {step} ms" for step in STEPS[1:] if lag * 1000 <= step), f"over {STEPS[-1]} ms")
            found[name] += 1
    return found
