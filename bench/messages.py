"""CPU per message, side by side: nginx's bare proxy, the naive gateway, and `voltgate serve` with its default policy.

All take wss (TLS 1.3, one ECDSA certificate, one suite) from the same stations and speak ws to the same backend; each
is bound to one core, the load generator to another. Rounds take turns. No figure comes of a run with a wrong answer.
"""

import argparse
import importlib.metadata
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from bench import crowds, fleet, servers
from bench.contenders import (
    Contender,
    Figures,
    available,
    contenders,
    journaled,
    not_the_bottleneck,
    ratios,
    safeguards,
    spread,
)
from bench.goals import Goal, as_json, goals_table, table

RESULTS: Final = Path(__file__).with_name("results") / "messages.json"
SERVERS: Final = ("nginx", "naive", "voltgate")
STATIONS: Final = 200
ROUNDS: Final = 3
CASES: Final = ("Heartbeat", "StatusNotification", "Started/Ended", "Updated")
SCENES: Final = ("cases", "latency", "crowd", "scale")
BEFORE: Final = {"Updated": "started"}
"""What a case needs before its first round: a transaction that runs."""
WARM_UP: Final = 20
"""Messages of each station before the rounds of a case, which also say how many a round has."""


def _tell(text: str) -> None:
    """Say how far it is; figures come at the end, when all is known to be right."""
    print(text, file=sys.stderr, flush=True)


def _case(running: Sequence[Contender], case: str, rounds: int, seconds: float) -> dict[str, Any]:
    """Measure all contenders in turns, each as fast as it goes."""
    counts = {}
    for each in running:
        if case in BEFORE:
            each.ask(BEFORE[case], STATIONS)
        rate = each.measure(case, STATIONS, WARM_UP)["per_second"]
        counts[each.name] = max(2, round(rate * seconds / STATIONS / 2) * 2)
    rows: dict[str, list[Figures]] = {each.name: [] for each in running}
    for _ in range(rounds):
        for each in running:
            rows[each.name].append(each.measure(case, STATIONS, counts[each.name]))
    for name, one in rows.items():
        not_the_bottleneck(case, name, one)
    messages = {name: {"messages": STATIONS * (WARM_UP + rounds * count)} for name, count in counts.items()}
    return {name: messages[name] | _summary(name, rows) for name in rows}


def _summary(name: str, rows: dict[str, list[Figures]]) -> dict[str, Any]:
    """Return what a contender's rounds come to, beside the others'."""
    cpu = {who: [each["cpu_us"] for each in one] for who, one in rows.items()}
    found: dict[str, Any] = {
        "cpu_us": spread(cpu[name]),
        "octets": rows[name][0]["octets"],
        "frames_checked": sum(each["frames_checked"] for each in rows[name]),
    }
    for key, digits in (("per_second", 0), ("busy", 2), ("generator_busy", 2), ("generator_us", 1)):
        found[key] = spread([each[key] for each in rows[name]], digits)
    for peer in ("nginx", "naive"):
        if peer in rows and peer != name:
            found[f"to_{peer}"] = ratios(cpu[name], cpu[peer])
    return found


def _cases(wanted: Sequence[str], cases: Sequence[str], rounds: int, seconds: float) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with (
        tempfile.TemporaryDirectory() as scratch,
        contenders(Path(scratch), fleet.identities(STATIONS, "E"), wanted) as running,
    ):
        found["answers_to_bad_messages"] = {each.name: safeguards(each) for each in running}
        for case in cases:
            _tell(f"{case}: {rounds} rounds of {', '.join(wanted)}")
            before = [journaled(each) for each in running if each.server.admin_port]
            found[case] = _case(running, case, rounds, seconds)
            after = [journaled(each) for each in running if each.server.admin_port]
            if case == "Started/Ended" and before:
                found["journaled"], said = after[0] - before[0], found[case]["voltgate"]["messages"]
                if found["journaled"] < said:
                    raise SystemExit(
                        f"the gateway has journaled {found['journaled']} of {said} messages that move money"
                    )
    return found


def _goals(found: dict[str, Any]) -> list[Goal]:
    """Return the goals of what was measured."""
    goals = []

    def add(what: str, limit: float, *path: str, at_least: bool = False, unit: str = "") -> None:
        value: Any = found
        for key in path:
            value = value.get(key, {})
        if value != {}:
            figure = 1 / value if at_least else value
            goals.append(Goal(what, round(figure, 2), limit, unit, at_least=at_least))

    cases = ("cases", "Updated", "voltgate")
    add("TransactionEvent Updated, CPU beside nginx", 3.0, *cases, "to_nginx", "of_medians")
    add("the same, naive gateway beside ours", 14.0, *cases, "to_naive", "of_medians", at_least=True)
    add("Heartbeat, CPU beside nginx", 2.5, "cases", "Heartbeat", "voltgate", "to_nginx", "of_medians")
    name = f"p99 latency at {crowds.PACE} messages a second, beside nginx"
    add(name, 1.75, "latency", "voltgate", "p99_to_nginx", "of_medians")
    sizes = [key for key in found.get("scale", {}) if key.isdigit()]
    for size in sizes[1:]:
        what = f"cost of a message with {size} stations, beside {sizes[0]}"
        add(what, 1.15, "scale", size, f"to_{sizes[0]}", "of_medians")
    return goals


def _range(said: dict[str, float], unit: str = "") -> str:
    return f"{said['median']:g} ({said['min']:g} to {said['max']:g}){unit}"


def _times(said: dict[str, float] | None) -> str:
    return f"{said['of_medians']:g} ({said['min']:g} to {said['max']:g})" if said else "1"


def _cases_table(found: dict[str, Any]) -> str:
    rows = [
        (
            case,
            name,
            _range(each["cpu_us"]),
            _times(each.get("to_nginx")) if "nginx" in by_name else "",
            _range(each["per_second"]),
            f"{each['busy']['median']:.0%} / {each['generator_busy']['median']:.0%}",
        )
        for case, by_name in found.items()
        if case in CASES
        for name, each in by_name.items()
    ]
    return table(("message", "server", "us of CPU", "beside nginx", "a second", "busy: server / generator"), rows)


def _latency_table(said: dict[str, Any]) -> str:
    keys = ("p50_ms", "p99_ms", "max_ms", "generator_late_p99_ms")
    rows = [[name, *(_range(said[name][key]) for key in keys)] for name in SERVERS if name in said]
    head = f"{said['per_second']} messages a second over {said['stations']} stations; ms from when each was due"
    lag = ", ".join(f"{key} {_range(each)}" for key, each in said["loop_lag_ms"].items())
    text = table(("server", "p50", "p99", "most", "generator late, p99"), rows)
    return f"{head}\n{text}\nvoltgate's event loop, ms late: {lag}; turns {said['loop_stalls']}"


def _crowd_table(said: dict[str, Any]) -> str:
    keys = ("cpu_us", "cpu_ms_a_second")
    rows = [[name, *(_range(said[name][key]) for key in keys)] for name in SERVERS if name in said]
    text = table(("server", "us of CPU for one", "ms of CPU a second"), rows)
    return f"{said['stations']} stations, each a message a minute\n{text}"


def _scale_table(said: dict[str, Any]) -> str:
    keys = ("cpu_us", "idle_ms_a_second")
    rows = [[size, *(_range(each[key]) for key in keys)] for size, each in said.items() if size.isdigit()]
    text = table(("connected", "us of CPU for a message", "ms of CPU a second for those that are only there"), rows)
    return f"{said['talking']} of the stations talk; {said['most_files']} files may be open here\n{text}"


PRINTED: Final = {"cases": _cases_table, "latency": _latency_table, "crowd": _crowd_table, "scale": _scale_table}


def measure(said: argparse.Namespace) -> dict[str, Any]:
    """Run the scenes that are wanted; return everything, and the goals."""
    wanted = available(said.servers)
    rounds = said.rounds or ROUNDS
    seconds = 0.5 if said.quick else 3.0
    found: dict[str, Any] = {
        "machine": servers.machine()
        | {name: importlib.metadata.version(name) for name in ("ocpp", "websockets", "uvloop")},
        "rounds": rounds,
        "quick": said.quick,
        "stations": STATIONS,
    }
    servers.raise_limit()
    if "cases" in said.scenes:
        found["cases"] = _cases(wanted, said.cases, rounds, seconds)
    with tempfile.TemporaryDirectory() as scratch:
        if "latency" in said.scenes:
            _tell(f"latency: {rounds} rounds")
            found["latency"] = crowds.latency(_folder(scratch, "latency"), wanted, STATIONS, rounds, seconds * 3)
        if "crowd" in said.scenes:
            size = crowds.CROWD // (10 if said.quick else 1)
            _tell(f"{size} stations, each a message a minute: {rounds} rounds")
            found["crowd"] = crowds.crowd(_folder(scratch, "crowd"), wanted, rounds, size)
        if "scale" in said.scenes:
            sizes = crowds.SIZES[: 2 if said.quick else 3]
            _tell(f"{', '.join(map(str, sizes))} stations: {rounds} rounds")
            found["scale"] = crowds.scale(_folder(scratch, "scale"), rounds, seconds, sizes)
    found["goals"] = as_json(_goals(found))
    return found


def _folder(scratch: str, name: str) -> Path:
    folder = Path(scratch) / name
    folder.mkdir()
    return folder


def main(arguments: Sequence[str] = ()) -> None:
    """Print tables and, of a whole run, write ``bench/results/messages.json``. Only on Linux."""
    parser = argparse.ArgumentParser(prog="python -m bench.messages")
    parser.add_argument("--quick", action="store_true", help="a trial: few and short rounds")
    parser.add_argument("--scenes", default=SCENES, type=lambda text: text.split(","))
    parser.add_argument("--cases", default=CASES, type=lambda text: text.split(","))
    parser.add_argument("--servers", default=SERVERS, type=lambda text: text.split(","))
    parser.add_argument("--rounds", type=int)
    said = parser.parse_args(arguments)
    found = measure(said)
    for scene, printed in PRINTED.items():
        if scene in found:
            print(printed(found[scene]), end="\n\n")
    print(goals_table(found["goals"]))
    if not said.quick and tuple(said.scenes) == SCENES and tuple(said.cases) == CASES:
        RESULTS.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
