"""The servers that are compared message by message, each with the load generator that speaks to it."""

import contextlib
import os
import re
import shutil
import sqlite3
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench import fleet, servers
from bench.servers import Load, Server

PASSWORD: Final = "a-password-of-measurements"  # noqa: S105 - of stations that live for a minute
ALMOST: Final = 0.95
"""A generator whose core is busier than that, while the server's isn't ``BUSY``, is the bottleneck."""
BUSY: Final = 0.90
IDLE: Final = 3.0
"""Seconds for which a server is looked at while nobody says anything."""
PROBED: Final = "place-of-station"
"""The rule of the default policy that the probe breaks."""

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Contender:
    """A server under test."""

    name: str
    server: Server
    load: Load
    folder: Path
    """Of the gateway's deployment."""

    def ask(self, case: str, stations: int) -> None:
        """Have stations send one message each, one group after the other: what isn't measured."""
        self.load.do("ask", case=case, stations=stations)

    def measure(
        self,
        case: str,
        stations: int,
        count: int,
        *,
        first: int = 0,
        per_second: float | None = None,
        crowded: bool = False,
    ) -> Figures:
        """Run one round; return the microseconds of CPU for a message, and who was how busy.

        ``crowded``: what the server does for stations that say nothing is measured first, and taken off.
        """
        size = self.load.do("prepare", case=case, stations=stations, count=count, first=first)["octets"]
        # Where thousands are connected there are pings: nothing ever comes to rest.
        clock = self.server.cpu if crowded or per_second is not None else self.server.settle
        idle = self.idle() if crowded else 0.0
        before, waited = clock(), self.server.waited()
        said = self.load.do("run", case=case, per_second=per_second)
        waited = self.server.waited() - waited
        seconds, messages = said["seconds"], said["messages"]
        spent = clock() - before - idle * seconds
        return {
            "cpu_us": spent / messages * 1e6,
            "idle_ms_a_second": idle * 1e3,
            "cpu_ms_a_second": spent / seconds * 1e3,
            "per_second": messages / seconds,
            "busy": min(1.0, (spent + waited) / seconds),
            "generator_us": said["generator_cpu"] / messages * 1e6,
            "generator_busy": min(1.0, (said["generator_cpu"] + said["generator_waited"]) / seconds),
            "octets": size,
            "frames_checked": said["checked"],
            "began": said["began"],
            "ended": said["began"] + seconds,
            "latencies": said["latencies"],
            "lateness": said["lateness"],
        }

    def idle(self) -> float:
        """Return the CPU seconds in a second that the server takes when nobody says anything."""
        before, began = self.server.cpu(), time.monotonic()
        time.sleep(IDLE)
        return (self.server.cpu() - before) / (time.monotonic() - began)


def cores() -> tuple[int | None, int | None]:
    """Return the core of the servers and that of the generators; None on a machine with one."""
    usable = sorted(os.sched_getaffinity(0))
    return (usable[0], usable[1]) if len(usable) > 1 else (None, None)


def available(wanted: Sequence[str]) -> list[str]:
    """Return the servers that can run here; say of nginx where it can't."""
    if "nginx" in wanted and servers.nginx_program() is None:
        print("nginx: skipped, it isn't installed (Debian, Ubuntu: apt install nginx-light)")
        return [name for name in wanted if name != "nginx"]
    return list(wanted)


def deploy(folder: Path, names: Sequence[str]) -> Path:
    """Make a deployment as `voltgate init` does, with stations of security profile 2."""
    servers.run("init", str(folder), "--name", "localhost")
    fleet.register(folder, names, PASSWORD)
    return folder


def start(
    stack: contextlib.ExitStack, name: str, deployment: Path, environment: Mapping[str, str] | None = None
) -> Contender:
    """Run one server and its generator."""
    core, other = cores()
    pki, scratch = deployment / "certs/dev", deployment.parent
    load = stack.enter_context(servers.load(other))
    port = load.backend_port
    if name == "nginx":
        running = servers.nginx(scratch / "nginx", pki, port, core=core or 0, verify=False)
    elif name == "naive":
        running = servers.naive(scratch, pki, port, PASSWORD, core=core)
    else:
        running = servers.gateway(deployment, port, environment, core=core)
    return Contender(name, stack.enter_context(running), load, deployment)


def connect(contender: Contender, names: Sequence[str]) -> str:
    """Connect all stations and have them accepted; return TLS version, suite and certificate."""
    translates = contender.name != "nginx"
    said = contender.load.do(
        "connect", port=contender.server.port, names=list(names), password=PASSWORD, translates=translates
    )
    contender.ask("boot", len(names))
    cipher: str = said["cipher"]
    return cipher


@contextlib.contextmanager
def contenders(
    folder: Path, names: Sequence[str], wanted: Sequence[str], environment: Mapping[str, str] | None = None
) -> Iterator[list[Contender]]:
    """Run the servers by name, with all stations connected and accepted. ``environment`` is the gateway's."""
    deployment = deploy(folder / "gateway", names)
    with contextlib.ExitStack() as stack:
        running = [start(stack, name, deployment, environment) for name in wanted]
        ciphers = {connect(each, names) for each in running}
        if len(ciphers) > 1:
            raise SystemExit(f"the servers differ in TLS: {ciphers}")
        settle(running)
        yield running
        for each in running:
            if each.server.admin_port:
                nothing_refused(each)
            each.load.do("close")


@contextlib.contextmanager
def gateways(folder: Path, sizes: Sequence[int]) -> Iterator[list[Contender]]:
    """Run a gateway for each of so many stations, all connected and accepted."""
    names = fleet.identities(max(sizes), "E")
    first = deploy(folder / "gateway", names)
    with contextlib.ExitStack() as stack:
        running = []
        for size in sizes:
            deployment = folder / f"gateway-{size}"
            shutil.copytree(first, deployment)
            running.append(start(stack, "voltgate", deployment))
            connect(running[-1], names[:size])
        settle(running)
        yield running
        for each in running:
            nothing_refused(each)
            each.load.do("close")


def settle(running: Sequence[Contender]) -> None:
    """Wait until the gateways have asked their stations all that they ask of a newcomer."""
    for each in running:
        if each.server.admin_port:
            each.load.do("settle")


def safeguards(contender: Contender) -> dict[str, str]:
    """Return which of its checks a server shows: what it answers to a broken message and to a forbidden one."""
    said = contender.load.do("probe")
    if contender.server.admin_port:
        policy = re.search(r'^voltgate_policy_info\{policy="([^"]+)"', contender.server.metrics(), re.MULTILINE)
        if not all(said.values()) or policy is None or policy[1] != "legacy-1.6":
            raise SystemExit(f"the gateway isn't what `voltgate init` makes: {said}, {policy and policy[1]}")
    return {name: code or "passes" for name, code in said.items()}


def journaled(contender: Contender) -> int:
    """Return how many messages the gateway has put into its journal so far."""
    with contextlib.closing(sqlite3.connect(f"file:{contender.folder / 'voltgate.db'}?mode=ro", uri=True)) as database:
        row = database.execute("SELECT seq FROM sqlite_sequence WHERE name = 'journal'").fetchone()
    return int(row[0]) if row else 0


def nothing_refused(contender: Contender) -> None:
    """Return when the gateway's policy has touched no message but the probe; SystemExit otherwise."""
    rules = set(
        re.findall(r'^voltgate_policy_decisions_total\{.*rule="([^"]+)"', contender.server.metrics(), re.MULTILINE)
    )
    if rules - {PROBED}:
        raise SystemExit(f"rules of the policy decided on messages of the measurement: {rules}")


def not_the_bottleneck(case: str, name: str, rounds: Sequence[Figures]) -> None:
    """Return when the server was what bounded these rounds; SystemExit otherwise."""
    generator, server = (statistics.median(each[key] for each in rounds) for key in ("generator_busy", "busy"))
    if generator > ALMOST and server < BUSY:
        raise SystemExit(
            f"{case}, {name}: the load generator was busy for {generator:.0%} of the time, the server for {server:.0%}"
        )


def spread(values: Sequence[float], digits: int = 1) -> dict[str, float]:
    """Return median, least and most."""
    found = {"median": statistics.median(values), "min": min(values), "max": max(values)}
    return {name: round(value, digits) for name, value in found.items()}


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """Return the ratio of the medians, and the median, least and most of those within each round."""
    of_medians = statistics.median(ours) / statistics.median(theirs)
    return {"of_medians": round(of_medians, 2), **spread([a / b for a, b in zip(ours, theirs, strict=True)], 2)}
