"""CPU per message, side by side: nginx's bare proxy, the naive gateway, and `voltgate serve` with its default policy.

All take wss (TLS 1.3, one ECDSA certificate, one suite) from the same stations and speak ws to the same backend; each
is bound to one core, the load generator to another. Rounds take turns. No figure comes of a run with a wrong answer.
"""

import argparse
import contextlib
import os
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import fleet, servers
from bench.servers import Load, Server

RESULTS: Final = Path(__file__).with_name("results")
PASSWORD: Final = "a-password-of-measurements"  # noqa: S105 - of stations that live for a minute
STATIONS: Final = 200
CASES: Final = ("Heartbeat", "StatusNotification", "Started/Ended", "Updated")
BEFORE: Final = {"Updated": "started"}
"""What a case needs before its first round: a transaction that runs."""
WARM_UP: Final = 40
"""Messages of each station before the rounds of a case, which also say how many a round has."""
ALMOST: Final = 0.95
"""A generator whose core is busier than that, while the server's isn't, is the bottleneck."""
BUSY: Final = 0.90


@dataclass(frozen=True, slots=True)
class Contender:
    """A server under test with the load generator that speaks to it."""

    name: str
    server: Server
    load: Load


def cores() -> tuple[int | None, int | None]:
    """Return the core of the servers and that of the generators; None on a machine with one."""
    usable = sorted(os.sched_getaffinity(0))
    return (usable[0], usable[1]) if len(usable) > 1 else (None, None)


@contextlib.contextmanager
def contenders(folder: Path, names: list[str], wanted: list[str]) -> Iterator[list[Contender]]:
    """Run the servers by name, with all stations connected and accepted."""
    deployment = folder / "gateway"
    servers.run("init", str(deployment), "--name", "localhost")
    fleet.register(deployment, names, PASSWORD)
    pki = deployment / "certs/dev"
    core, other = cores()
    running = []
    with contextlib.ExitStack() as stack:
        for name in wanted:
            load = stack.enter_context(servers.load(other))
            port = load.backend_port
            if name == "nginx":
                server = stack.enter_context(servers.nginx(folder / "nginx", pki, port, core=core or 0, verify=False))
            elif name == "naive":
                server = stack.enter_context(servers.naive(folder, pki, port, PASSWORD, core=core))
            else:
                server = stack.enter_context(servers.gateway(deployment, port, core=core))
            running.append(Contender(name, server, load))
        ciphers = {
            each.load.do(
                "connect", port=each.server.port, names=names, password=PASSWORD, translates=each.name != "nginx"
            )["cipher"]
            for each in running
        }
        if len(ciphers) > 1:
            raise SystemExit(f"the servers differ in TLS: {ciphers}")
        for each in running:
            each.load.do("ask", case="boot", stations=len(names))
        yield running
        for each in running:
            each.load.do("close")


def measure(contender: Contender, case: str, stations: int, count: int) -> dict[str, float]:
    """Run one round; return microseconds of CPU for a message, and who was how busy."""
    said = contender.load.do("prepare", case=case, stations=stations, count=count)
    size = said["octets"]
    before = contender.server.settle()
    said = contender.load.do("run", case=case, stations=stations)
    after = contender.server.settle()
    busy, generator = (after - before) / said["seconds"], said["generator_cpu"] / said["seconds"]
    return {
        "cpu_us": (after - before) / said["messages"] * 1e6,
        "generator_us": said["generator_cpu"] / said["messages"] * 1e6,
        "per_second": said["messages"] / said["seconds"],
        "busy": busy,
        "generator_busy": generator,
        "octets": size,
        "checked": said["checked"],
    }


def saturated(running: list[Contender], case: str, rounds: int, seconds: float) -> dict[str, list[dict[str, float]]]:
    """Measure all contenders in turns."""
    counts = {}
    for each in running:
        if case in BEFORE:
            each.load.do("ask", case=BEFORE[case], stations=STATIONS)
        rate = measure(each, case, STATIONS, WARM_UP)["per_second"]
        counts[each.name] = max(2, round(rate * seconds / STATIONS / 2) * 2)
    found: dict[str, list[dict[str, float]]] = {each.name: [] for each in running}
    for _ in range(rounds):
        for each in running:
            found[each.name].append(measure(each, case, STATIONS, counts[each.name]))
    return found


def spread(values: list[float]) -> dict[str, float]:
    """Return median, least and most."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def main() -> None:
    """Print tables and write ``bench/results/messages.json``. Only on Linux."""
    parser = argparse.ArgumentParser(prog="python -m bench.messages")
    parser.add_argument("--quick", action="store_true", help="a trial: few and short rounds")
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--servers", default="nginx,naive,voltgate")
    parser.add_argument("--rounds", type=int)
    said = parser.parse_args()
    rounds, seconds = (3, 0.7) if said.quick else (5, 3.0)
    rounds = said.rounds or rounds
    wanted = said.servers.split(",")
    if "nginx" in wanted and servers.nginx_program() is None:
        print("nginx: skipped, it isn't installed (Debian, Ubuntu: apt install nginx-light)")
        wanted.remove("nginx")
    names = fleet.identities(STATIONS, "E")
    with tempfile.TemporaryDirectory() as scratch, contenders(Path(scratch), names, wanted) as running:
        for case in said.cases.split(","):
            found = saturated(running, case, rounds, seconds)
            for name, each in found.items():
                cpu = spread([one["cpu_us"] for one in each])
                pace = statistics.median([one["per_second"] for one in each])
                busy = statistics.median([one["busy"] for one in each])
                theirs = statistics.median([one["generator_busy"] for one in each])
                gen = statistics.median([one["generator_us"] for one in each])
                line = f"{case:20}{name:10}{cpu['median']:8.1f} us ({cpu['min']:.1f} to {cpu['max']:.1f})"
                line += f"{pace:8.0f}/s busy {busy:.2f}, generator {theirs:.2f} {gen:.1f} us"
                if "nginx" in found:
                    ratios = [a["cpu_us"] / b["cpu_us"] for a, b in zip(each, found["nginx"], strict=True)]
                    line += f"  {statistics.median(ratios):.2f} x nginx"
                print(line, flush=True)


if __name__ == "__main__":
    main()
