"""The same messages in other circumstances: at a pace instead of saturating, and among many that say nothing."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from bench import fleet, servers, stalls
from bench.contenders import Contender, Figures, contenders, gateways, ratios, spread

CASE: Final = "Updated"
PACE: Final = 500
"""Messages a second of the latency."""
TALKING: Final = 100
"""Stations that talk, of however many."""
SIZES: Final = (100, 1_000, 10_000)
CROWD: Final = 5_000
MINUTE: Final = 60
"""Seconds between two messages of a station in the crowd."""
SPARE: Final = 200
"""Files that a process opens beside those of its stations, of which each has two."""


def _rounds(running: Sequence[Contender], rounds: int, **how: Any) -> dict[str, list[Figures]]:
    """Measure all contenders in turns."""
    found: dict[str, list[Figures]] = defaultdict(list)
    for _ in range(rounds):
        for each in running:
            found[each.name].append(each.measure(CASE, **how))
    return found


def _milliseconds(latencies: Sequence[float]) -> dict[str, float]:
    """Return p50, p99 and the most of one round."""
    ordered = sorted(latencies)
    places = {"p50": len(ordered) // 2, "p99": int(len(ordered) * 0.99), "max": len(ordered) - 1}
    return {name: ordered[place] * 1e3 for name, place in places.items()}


def latency(folder: Path, wanted: Sequence[str], stations: int, rounds: int, seconds: float) -> dict[str, Any]:
    """Measure latency at a pace that all can keep, and how long the gateway's event loop was held up meanwhile."""
    record = folder / "lag.json"
    count = max(1, round(PACE * seconds / stations))
    with contenders(folder, fleet.identities(stations, "E"), wanted, stalls.watched(record)) as running:
        for each in running:
            each.ask("started", stations)
            each.measure(CASE, stations, 1, per_second=PACE)
        rows = _rounds(running, rounds, stations=stations, count=count, per_second=PACE)
    found: dict[str, Any] = {"per_second": PACE, "stations": stations}
    reached = {name: [_milliseconds(each["latencies"]) for each in one] for name, one in rows.items()}
    for name, one in reached.items():
        found[name] = {f"{key}_ms": spread([each[key] for each in one], 2) for key in ("p50", "p99", "max")}
        late = [_milliseconds(each["lateness"])["p99"] for each in rows[name]]
        found[name]["generator_late_p99_ms"] = spread(late, 2)
        if "nginx" in reached:
            found[name]["p99_to_nginx"] = ratios(
                [each["p99"] for each in one], [each["p99"] for each in reached["nginx"]]
            )
    late = stalls.read(record)["late"]
    spans = [(each["began"], each["ended"]) for each in rows["voltgate"]]
    lag = [stalls.percentiles(late, *span) for span in spans]
    found["loop_lag_ms"] = {key: spread([each[key] for each in lag], 1) for key in ("p50", "p99", "max")}
    counts = [stalls.histogram(late, *span) for span in spans]
    found["loop_stalls"] = {key: sum(each[key] for each in counts) for key in counts[0]}
    return found


def crowd(folder: Path, wanted: Sequence[str], rounds: int, size: int) -> dict[str, Any]:
    """Measure many stations of which each says something once a minute; a round is a part of that minute."""
    size = min(size, (servers.raise_limit() - SPARE) // 2)
    # A fifth of a minute at most: a station whose frames are encrypted ahead answers pings only after the round.
    part = size // max(rounds, 5)
    found: dict[str, Any] = {"stations": size, "per_second": round(size / MINUTE, 1)}
    rows: dict[str, list[Figures]] = defaultdict(list)
    with contenders(folder, fleet.identities(size, "E"), wanted) as running:
        for each in running:
            each.ask("started", size)
        for number in range(rounds):
            for each in running:
                rows[each.name].append(each.measure(CASE, part, 1, first=number * part, per_second=size / MINUTE))
    for name, one in rows.items():
        found[name] = {key: spread([each[key] for each in one]) for key in ("cpu_us", "cpu_ms_a_second")}
        if "nginx" in rows:
            found[name]["to_nginx"] = ratios(*([each["cpu_us"] for each in which] for which in (one, rows["nginx"])))
    return found


def scale(folder: Path, rounds: int, seconds: float, sizes: Sequence[int] = SIZES) -> dict[str, Any]:
    """Measure what a message costs with the same stations talking among more and more that are only there."""
    most = (servers.raise_limit() - SPARE) // 2
    sizes = [min(size, most) for size in sizes]
    rows: dict[int, list[Figures]] = defaultdict(list)
    with gateways(folder, sizes) as running:
        count = 0
        for each in running:
            each.ask("started", TALKING)
            rate = each.measure(CASE, TALKING, 20, crowded=True)["per_second"]
            count = count or max(2, round(rate * seconds / TALKING))
        for _ in range(rounds):
            for size, each in zip(sizes, running, strict=True):
                rows[size].append(each.measure(CASE, TALKING, count, crowded=True))
    found: dict[str, Any] = {"talking": TALKING, "most_files": most * 2 + SPARE}
    first = [each["cpu_us"] for each in rows[sizes[0]]]
    for size, one in rows.items():
        cpu = [each["cpu_us"] for each in one]
        found[str(size)] = {
            "cpu_us": spread(cpu),
            "idle_ms_a_second": spread([each["idle_ms_a_second"] for each in one]),
            f"to_{sizes[0]}": ratios(cpu, first),
        }
    return found
