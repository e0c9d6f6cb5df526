"""What a station costs in memory while it is connected and says nothing: `voltgate serve` beside nginx.

Each station has come by mutual TLS, its leg to the backend is open, its BootNotification was accepted, and what the
gateway asks it for (its inventory, 100 variables) is there; nginx passes the same on. Then all come again at once, six
times. What counts is resident memory above that of the server before the first station, a server and its children
together, when it has come to rest.
"""

import argparse
import contextlib
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from bench import fleet, handshakes, servers
from bench.caller import Job
from bench.servers import Server, Stations

IDLE: Final = (1_000, 5_000)
STORM: Final = 2_000
STORMS: Final = 6
ROUNDS: Final = 1
PARALLEL: Final = 32
TIMEOUT: Final = 60.0
SEASONED: Final = 200
"""Stations that charge."""
WARM_UP: Final = 20
"""Sessions of others before."""
SESSIONS: Final = 110
"""Sessions of each."""
REST: Final = 25.0
"""Seconds after which memory is read: two looks of the gateway whether it is quiet."""
SPARE: Final = 200
"""Descriptors of a process that aren't stations."""
GOAL_KIB: Final = 64.0
"""For one idle station."""
GOAL_RATIO: Final = 1.5
"""Of nginx, after the storms."""
FLAT: Final = 1.1
"""The last storm's memory beside the second's, at most: what the first one leaves behind may be used again."""


def limit_descriptors(stations: int) -> None:
    """Raise the limit of open files to what may be had. SystemExit when that doesn't do for ``stations`` and legs."""
    hard = servers.raise_limit()
    needed = 2 * stations + SPARE
    if hard < needed:
        raise SystemExit(
            f"{stations} stations and their legs need {needed} open files in the gateway, but no process here may have "
            f"more than {hard} (ulimit -Hn): raise that, or ask for fewer stations"
        )


def memory(server: Server) -> dict[str, int]:
    """Return bytes of a server and its children: resident, proportional and unique, of /proc/PID/smaps_rollup."""
    total = {"rss": 0, "pss": 0, "uss": 0}
    for process_id in server.processes():
        kept: dict[str, int] = {}
        for line in Path(f"/proc/{process_id}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]:
            name, value, *_ = line.split()
            kept[name] = int(value) * 1024
        total["rss"] += kept["Rss:"]
        total["pss"] += kept["Pss:"]
        total["uss"] += kept["Private_Clean:"] + kept["Private_Dirty:"]
    return total


def _each(now: dict[str, int], before: dict[str, int], stations: int) -> dict[str, float]:
    """Return KiB for one station."""
    return {name: round((now[name] - before[name]) / 1024 / stations, 2) for name in now}


def _read(server: Server, groups: Sequence[Stations], before: dict[str, int]) -> dict[str, float]:
    """Return KiB for each station when nothing is left to do. SystemExit unless all are there, and answered."""
    time.sleep(REST)
    now, count = memory(server), sum(group.count for group in groups)
    for group in groups:
        group.do("heartbeat")
    if server.admin_port and server.stations() != count:
        raise SystemExit(f"{count} stations are here, but the gateway counts {server.stations()}")
    return {name: round((now[name] - before[name]) / 1024 / count, 2) for name in now}


def idle(server: Server, folder: Path, counts: Sequence[int]) -> dict[str, Any]:
    """Let more and more stations come; return KiB for each, by how many there are."""
    before = memory(server)
    found: dict[str, Any] = {"server alone, MiB": round(before["rss"] / 1024**2, 1)}
    names = fleet.identities(max(counts), "E")
    with contextlib.ExitStack() as stack:
        groups: list[Stations] = []
        here = 0
        for count in counts:
            job = Job(server.port, str(folder), names[here:count], PARALLEL, "1.3", timeout=TIMEOUT)
            groups.append(stack.enter_context(servers.stations(job)))
            groups[-1].do("come", "boot", *(["report"] if server.admin_port else []))
            here = count
            found[str(count)] = _read(server, groups, before)
        for group in groups:
            group.do("close")
        _empty(server)
    return found


def storms(server: Server, folder: Path, stations: int, times: int) -> list[dict[str, float]]:
    """Let all stations come at once, again and again; return KiB for each station after each storm."""
    before = memory(server)
    found = []
    job = Job(server.port, str(folder), fleet.identities(stations, "E"), stations, "1.3", timeout=TIMEOUT)
    with servers.stations(job) as group:
        for number in range(times):
            group.do("come", *(() if number else ("boot", "report")[: 1 + bool(server.admin_port)]))
            found.append(_read(server, [group], before))
            group.do("close")
            _empty(server)
    return found


def seasoned(server: Server, folder: Path, stations: int, sessions: int) -> dict[str, float]:
    """Let stations charge, each so often, without leaving; return KiB that this leaves behind for each.

    Others charge and leave before: what traffic takes, and is used again, is no station's.
    """
    names = fleet.identities(2 * stations, "E")
    others, who = (
        Job(server.port, str(folder), half, PARALLEL, "1.3", timeout=TIMEOUT)
        for half in (names[:stations], names[stations:])
    )
    with servers.stations(others) as group:
        group.do("come", "boot", "report", *["charge"] * WARM_UP, "close")
    _empty(server)
    time.sleep(REST)
    before = memory(server)
    with servers.stations(who) as group:
        group.do("come", "boot", "report")
        new = _read(server, [group], before)
        group.do(*["charge"] * sessions)
        return {name: round(kib - new[name], 2) for name, kib in _read(server, [group], before).items()}


def _empty(server: Server) -> None:
    """Wait until the gateway has let all stations go."""
    deadline = time.monotonic() + servers.PATIENCE
    while server.admin_port and server.stations():
        if time.monotonic() > deadline:
            raise SystemExit("the gateway keeps stations that have left")
        time.sleep(0.1)


@contextlib.contextmanager
def contender(name: str, scratch: Path, backend_port: int) -> Iterator[Server]:
    """Run one of the two, as new: its memory, and for the gateway its store too."""
    folder = scratch / name
    shutil.rmtree(folder, ignore_errors=True)
    if name == "nginx":
        with servers.nginx(folder, scratch / "deployment/certs/dev", backend_port) as server:
            yield server
    else:
        shutil.copytree(scratch / "deployment", folder)
        with servers.gateway(folder, backend_port) as server:
            yield server


def measure(scratch: Path, counts: Sequence[int], storm: int, times: int, rounds: int) -> dict[str, Any]:
    """Run both in turns; return each figure as median, least and most of the rounds."""
    names = fleet.identities(max(*counts, storm, 2 * SEASONED), "E")
    (deployment,) = handshakes.prepare(scratch, names, 1)
    deployment.rename(scratch / "deployment")
    fleet.write_certificates(scratch / "deployment", scratch / "stations", names)
    found: dict[str, dict[str, list[Any]]] = {}
    for _ in range(rounds):
        for name in ("nginx", "gateway"):
            mine = found.setdefault(name, {"idle": [], "storms": []})
            with servers.backend() as port, contender(name, scratch, port) as server:
                mine["idle"].append(idle(server, scratch / "stations", counts))
            with servers.backend() as port, contender(name, scratch, port) as server:
                mine["storms"].append(storms(server, scratch / "stations", storm, times))
        with servers.backend() as port, contender("gateway", scratch, port) as server:
            found["gateway"].setdefault("seasoned", []).append(
                seasoned(server, scratch / "stations", SEASONED, SESSIONS)
            )
    judged: dict[str, Any] = {
        name: {
            "idle": {each: _spread([run[each] for run in mine["idle"]]) for each in mine["idle"][0]},
            "storms": [_spread([run[number] for run in mine["storms"]]) for number in range(times)],
        }
        for name, mine in found.items()
    }
    judged["gateway"]["seasoned"] = _spread(found["gateway"]["seasoned"])
    return judged


def _spread(values: list[Any]) -> dict[str, Any]:
    if isinstance(values[0], dict):
        return {key: _spread([each[key] for each in values]) for key in values[0]}
    return {"median": round(statistics.median(values), 2), "min": min(values), "max": max(values)}


def goals(found: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Return what is promised: its name, the figure, the goal, and whether it is met."""
    ours, theirs = found["gateway"], found["nginx"]
    judged = []
    for count, each in ours["idle"].items():
        if count.isdigit():
            kib = each["rss"]["median"]
            judged.append(
                (f"KiB for each of {count} idle stations", f"{kib:.1f}", f"<= {GOAL_KIB:.0f}", kib <= GOAL_KIB)
            )
    if not ours["storms"]:
        return judged
    after, nginx = ours["storms"][-1]["rss"]["median"], theirs["storms"][-1]["rss"]["median"]
    judged.append(
        ("after the last storm, beside nginx", f"{after / nginx:.2f}", f"<= {GOAL_RATIO}", after <= GOAL_RATIO * nginx)
    )
    if len(ours["storms"]) > 2:
        growth = after / ours["storms"][1]["rss"]["median"]
        judged.append(("the last storm beside the second", f"{growth:.2f}", f"<= {FLAT}", growth <= FLAT))
    return judged


def _print(found: dict[str, Any]) -> None:
    print(f"{'KiB for each station, resident (proportional, unique)':<58}{'nginx':>24}{'gateway':>24}{'ratio':>8}")
    rows = [
        (f"{count} idle", *(found[name]["idle"][count] for name in ("nginx", "gateway")))
        for count in found["nginx"]["idle"]
        if count.isdigit()
    ]
    both = zip(found["nginx"]["storms"], found["gateway"]["storms"], strict=True)
    rows += [(f"after storm {number}", *each) for number, each in enumerate(both, 1)]
    for name, *each in rows:
        texts = [f"{one['rss']['median']:.1f} ({one['pss']['median']:.1f}, {one['uss']['median']:.1f})" for one in each]
        ratio = each[1]["rss"]["median"] / each[0]["rss"]["median"]
        print(f"{name:<58}{texts[0]:>24}{texts[1]:>24}{ratio:>8.2f}")
    after = found["gateway"]["seasoned"]
    text = f"{after['rss']['median']:.1f} ({after['pss']['median']:.1f}, {after['uss']['median']:.1f})"
    print(f"{f'more after {SESSIONS} sessions':<58}{'':>24}{text:>24}")
    for name, figure, goal, is_met in goals(found):
        print(f"{name:<58}{figure:>24}{goal:>24}{'  met' if is_met else '  NOT met'}")


def main() -> None:
    """Print the table and write ``bench/results/memory.json``. Only on Linux."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stations", default=",".join(map(str, IDLE)), help="how many are idle, rising")
    parser.add_argument("--storm", type=int, default=STORM)
    parser.add_argument("--storms", type=int, default=STORMS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--trial", action="store_true", help="write no file")
    asked, _ = parser.parse_known_args()
    counts = [int(each) for each in asked.stations.split(",")]
    limit_descriptors(max(*counts, asked.storm))
    with tempfile.TemporaryDirectory() as scratch:
        found = measure(Path(scratch), counts, asked.storm, asked.storms, asked.rounds)
    _print(found)
    if asked.trial:
        return
    judged = [{"what": what, "figure": figure, "goal": goal, "met": met} for what, figure, goal, met in goals(found)]
    result = {"machine": servers.machine(), "rounds": asked.rounds, **found, "goals": judged}
    handshakes.RESULTS.mkdir(exist_ok=True)
    (handshakes.RESULTS / "memory.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
