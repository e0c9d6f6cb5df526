"""How long `voltgate serve` takes to its `ready` with many registered stations, and what they cost before they come.

SQLite, a deployment as `voltgate init` makes it. 10 and 50,000 stations take turns; CPU and memory are read at `ready`
and a while later, since what is put off to after it must cost nothing either.
"""

import json
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from bench import fleet, handshakes, memory, servers

STATIONS: Final = (10, 50_000)
ROUNDS: Final = 5
LATER: Final = 20.0
"""Seconds after `ready` to the second look: the sweeps of renewals and of the quiet times are over by then."""
GOAL_SECONDS: Final = 3.0
NOISE_MIB: Final = 4.0
NOISE_CPU: Final = 0.3
"""Seconds of CPU, beside those of ten stations."""


def start(folder: Path, backend_port: int) -> dict[str, float]:
    """Start it once; return seconds to `ready`, and CPU seconds and MiB then and later."""
    began = time.monotonic()
    # A service's modules have been compiled before, by pip or its first start.
    with servers.gateway(folder, backend_port, {"PYTHONDONTWRITEBYTECODE": ""}) as server:
        ready = time.monotonic() - began
        cpu, resident = server.cpu(), memory.memory(server)["rss"]
        time.sleep(LATER)
        if server.stations():
            raise SystemExit("stations came in: this is not a measurement of an empty gateway")
        return {
            "seconds to ready": round(ready, 2),
            "CPU seconds at ready": round(cpu, 2),
            "MiB at ready": round(resident / 1024**2, 1),
            "CPU seconds later": round(server.cpu() - cpu, 2),
            "MiB later": round(memory.memory(server)["rss"] / 1024**2, 1),
        }


def prepare(folder: Path, stations: int) -> None:
    """Make a deployment with so many registered stations; SystemExit unless they are all there."""
    servers.run("init", str(folder), "--name", "localhost", "--operator", fleet.OPERATOR)
    register(folder, stations)
    with sqlite3.connect(folder / "voltgate.db") as store:
        (found,) = store.execute("SELECT count(*) FROM stations").fetchone()
    if found != stations:
        raise SystemExit(f"{stations} stations were to be registered, {found} are")


def register(folder: Path, stations: int) -> None:
    """Register one as `voltgate station add` does, and copy its row: 50,000 commits of their own take minutes."""
    first, *others = fleet.identities(stations, "E")
    fleet.register(folder, [first])
    with sqlite3.connect(folder / "voltgate.db") as store:
        store.row_factory = sqlite3.Row
        row = dict(store.execute("SELECT * FROM stations").fetchone())
        columns, marks = ", ".join(f'"{name}"' for name in row), ", ".join(f":{name}" for name in row)
        store.executemany(
            f"INSERT INTO stations ({columns}) VALUES ({marks})",  # noqa: S608 - names of our own columns
            (row | {"identity": name, "certificate_name": name} for name in others),
        )


def measure(scratch: Path, counts: tuple[int, ...], rounds: int) -> dict[str, Any]:
    """Start them in turns; return by number of stations each figure's median, least and most."""
    for count in counts:
        prepare(scratch / str(count), count)
    found: dict[int, list[dict[str, float]]] = {count: [] for count in counts}
    with servers.silent() as port:
        start(scratch / str(counts[0]), port)  # compiles the modules
        for _ in range(rounds):
            for count in counts:
                found[count].append(start(scratch / str(count), port))
    return {
        str(count): {
            name: {
                "median": statistics.median(each[name] for each in runs),
                "min": min(each[name] for each in runs),
                "max": max(each[name] for each in runs),
            }
            for name in runs[0]
        }
        for count, runs in found.items()
    }


def goals(found: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Return what is promised: its name, the figure, the goal, and whether it is met."""
    few, many = (found[str(count)] for count in STATIONS)
    seconds = many["seconds to ready"]["median"]
    mib = many["MiB later"]["median"] - few["MiB later"]["median"]
    cpu = sum(many[each]["median"] - few[each]["median"] for each in ("CPU seconds at ready", "CPU seconds later"))
    return [
        ("seconds to ready, 50,000 stations", f"{seconds:.2f}", f"< {GOAL_SECONDS}", seconds < GOAL_SECONDS),
        ("MiB more than with 10", f"{mib:.1f}", f"<= {NOISE_MIB}", mib <= NOISE_MIB),
        ("CPU seconds more than with 10", f"{cpu:.2f}", f"<= {NOISE_CPU}", cpu <= NOISE_CPU),
    ]


def main() -> None:
    """Print the table and write ``bench/results/startup.json``. Only on Linux."""
    with tempfile.TemporaryDirectory() as scratch:
        found = measure(Path(scratch), STATIONS, ROUNDS)
    print(f"{'registered stations':<40}" + "".join(f"{count:>26,}" for count in STATIONS))
    for name in found[str(STATIONS[0])]:
        spreads = (found[str(count)][name] for count in STATIONS)
        texts = (f"{each['median']} ({each['min']} to {each['max']})" for each in spreads)
        print(f"{name:<40}" + "".join(f"{text:>26}" for text in texts))
    judged = goals(found)
    for name, figure, goal, is_met in judged:
        print(f"{name:<40}{figure:>26}{goal:>26}{'  met' if is_met else '  NOT met'}")
    result = {
        "machine": servers.machine(),
        "rounds": ROUNDS,
        "stations": found,
        "goals": [{"what": what, "figure": figure, "goal": goal, "met": met} for what, figure, goal, met in judged],
    }
    handshakes.RESULTS.mkdir(exist_ok=True)
    (handshakes.RESULTS / "startup.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
