"""Whether the gateway grows: 200 stations charge, leave and come back, and its resident memory is read every 10 s.

First each station charges until what is remembered of its former sessions is full, which is said by itself: a bound,
no leak. The slope is that of least squares from then on, printed with its standard error, and called flat when it is
less than twice that error or than `NEGLIGIBLE`. Stations take turns in leaving, so that some are always here.
"""

import argparse
import contextlib
import itertools
import json
import math
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from bench import fleet, handshakes, memory, servers
from bench.caller import Job
from gateway.bridge.v201_v16.transaction_state import ENDED_MAX

STATIONS: Final = 200
GROUPS: Final = 4
"""Of stations; one after the other leaves and comes back."""
FULL: Final = ENDED_MAX + 20
"""Sessions of each station after which its books and what rules remember hold no more."""
MINUTES: Final = 30.0
"""After these."""
EVERY: Final = 10.0
"""Seconds between two readings."""
NEGLIGIBLE: Final = 10.0
"""KiB a minute: 14 MiB a day."""
LEAST: Final = 6
"""Readings without which there is no slope."""


def slope(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the slope of least squares and its standard error. SystemExit for too few points."""
    count = len(points)
    if count < LEAST:
        raise SystemExit(f"{count} readings are too few for a slope: run it for longer")
    mean_x, mean_y = (sum(each) / count for each in zip(*points, strict=True))
    width = sum((x - mean_x) ** 2 for x, _ in points)
    found = sum((x - mean_x) * (y - mean_y) for x, y in points) / width
    residue = sum((y - mean_y - found * (x - mean_x)) ** 2 for x, y in points)
    return found, math.sqrt(residue / (count - 2) / width)


def watch(scratch: Path, minutes: float) -> list[tuple[float, float]]:
    """Run the traffic; return minutes and KiB of each reading: one before the first session, and all once it is full.

    SystemExit when a station isn't served as it should.
    """
    names = fleet.identities(STATIONS, "E")
    (deployment,) = handshakes.prepare(scratch, names, 1)
    fleet.write_certificates(deployment, scratch / "stations", names)
    size = STATIONS // GROUPS
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(servers.backend())
        server = stack.enter_context(servers.gateway(deployment, port))
        groups = []
        for start in range(0, STATIONS, size):
            job = Job(server.port, str(scratch / "stations"), names[start : start + size], 32, "1.3")
            groups.append(stack.enter_context(servers.stations(job)))
            groups[-1].do("come", "boot")
        began = time.monotonic()
        read = [(0.0, _resident(server))]
        full_at = math.inf
        for turn, group in enumerate(itertools.cycle(groups)):
            now = time.monotonic() - began
            if turn == FULL * GROUPS:
                full_at = now
            if now >= full_at + (len(read) - 1) * EVERY:
                read.append((now / 60, _resident(server)))
            if now >= full_at + minutes * 60:
                return read
            group.do("charge", "heartbeat", "close")
            _wait_for(server, STATIONS - size)
            group.do("come", "heartbeat")
    raise AssertionError("the groups take turns for ever")


def _resident(server: servers.Server) -> float:
    return memory.memory(server)["rss"] / 1024


def _wait_for(server: servers.Server, stations: int) -> None:
    """Wait until the gateway has seen the others leave: a station that is here still isn't let in twice."""
    deadline = time.monotonic() + servers.PATIENCE
    while server.stations() > stations:
        if time.monotonic() > deadline:
            raise SystemExit("the gateway keeps stations that have left")
        time.sleep(0.05)


def judge(read: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """Return what the readings say."""
    (_, first), *full = read
    found, error = slope(full)
    return {
        "minutes until full": round(full[0][0], 1),
        "minutes": round(full[-1][0] - full[0][0], 1),
        "readings": len(full),
        "KiB a minute": round(found, 1),
        "standard error": round(error, 1),
        "MiB at first": round(first / 1024, 1),
        "MiB when full": round(full[0][1] / 1024, 1),
        "MiB at last": round(full[-1][1] / 1024, 1),
        "flat": abs(found) <= max(2 * error, NEGLIGIBLE),
    }


def main() -> None:
    """Print the slope and write ``bench/results/leak.json``. Only on Linux."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--trial", action="store_true", help="write no file")
    asked, _ = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as scratch:
        read = watch(Path(scratch), asked.minutes)
    said = judge(read)
    print(
        f"{STATIONS} stations that come and go for {said['minutes']} minutes: {said['KiB a minute']} KiB a minute, "
        f"standard error {said['standard error']}: {'flat, goal met' if said['flat'] else 'NOT flat, goal NOT met'} "
        f"({said['MiB at first']} MiB at first, {said['MiB when full']} when full, {said['MiB at last']} at last)"
    )
    if not asked.trial:
        result = {"machine": servers.machine(), "stations": STATIONS, **said, "read": read}
        handshakes.RESULTS.mkdir(exist_ok=True)
        (handshakes.RESULTS / "leak.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
