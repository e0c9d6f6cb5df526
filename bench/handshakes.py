"""CPU per station admitted: full mutual TLS, upgrade, 101. `voltgate serve` beside nginx, in alternating rounds.

Two contenders a side. ``nginx`` answers the upgrade by itself (the least that a TLS server can do), ``nginx proxy``
hands it to a WebSocket upstream. ``gateway`` admits the station while its backend takes the TCP connection and says
nothing more, ``gateway and leg`` opens the station's WebSocket to the backend too. So each of ours has a counterpart
that does the same. (A backend that refuses connections would be dialled again and again while we measure.)
"""

import contextlib
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench import fleet, servers
from bench.caller import Job
from bench.servers import Server

STATIONS: Final = 150
"""Of one round; each round has its own, so that nobody knows their certificates yet."""
ROUNDS: Final = 5
PARALLEL: Final = 32
"""Stations that are on their way in at a time."""
RESULTS: Final = Path(__file__).with_name("results")
COUNTERPARTS: Final = {"gateway": "nginx", "gateway and leg": "nginx proxy"}


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of handshake."""

    name: str
    tls: str
    use_rsa: bool = False


CASES: Final = (
    Case("TLS 1.3, ECDSA P-256", "1.3"),
    Case("TLS 1.2, ECDSA P-256", "1.2"),
    Case("TLS 1.2, RSA-2048", "1.2", use_rsa=True),
)


def measure(server: Server, job: Job) -> tuple[float, float]:
    """Admit the stations of ``job``; return the server's CPU seconds for each and the generator's."""
    with servers.callers(job) as child:
        before = server.settle()
        servers.go(child)
        said = servers.outcome(child)
        spent = server.settle() - before
        child.stdin.write("close\n")
        child.stdin.flush()
        child.wait()
    deadline = time.monotonic() + servers.PATIENCE
    while server.admin_port and server.stations():
        if time.monotonic() > deadline:
            raise SystemExit("the gateway keeps stations that have left")
        time.sleep(0.1)
    return spent / len(job.names), said["cpu"] / len(job.names)


@contextlib.contextmanager
def contenders(folder: Path, deployments: list[Path], backend_port: int) -> Iterator[dict[str, Server]]:
    """Run all four servers."""
    pki = deployments[0] / "certs/dev"
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        yield {
            "nginx": enter(servers.nginx(folder / "nginx", pki, None)),
            "gateway": enter(servers.gateway(deployments[0], enter(servers.silent()))),
            "nginx proxy": enter(servers.nginx(folder / "nginx-proxy", pki, backend_port)),
            "gateway and leg": enter(servers.gateway(deployments[1], backend_port)),
        }


def _case(case: Case, folder: Path, deployments: list[Path], backend_port: int) -> dict[str, Any]:
    folder.mkdir()
    names = fleet.identities(STATIONS * ROUNDS, "R" if case.use_rsa else "E")
    stations = folder.parent / ("rsa" if case.use_rsa else "ecdsa")
    found: dict[str, dict[str, list[float]]] = {}
    with contenders(folder, deployments, backend_port) as running:
        for occasion in ("first time", "again"):
            for number in range(ROUNDS):
                group = names[number * STATIONS : (number + 1) * STATIONS]
                for name, server in running.items():
                    job = Job(server.port, str(stations), group, PARALLEL, case.tls, use_rsa=case.use_rsa)
                    cpu, theirs = measure(server, job)
                    found.setdefault(name, {}).setdefault(occasion, []).append(cpu)
                    found.setdefault("generator", {}).setdefault(occasion, []).append(theirs)
    return _summary(found)


def _summary(found: dict[str, dict[str, list[float]]]) -> dict[str, Any]:
    """Return microseconds of CPU for one station: median, least, most; and ratios, each within its own round."""
    summary: dict[str, Any] = {
        name: {
            occasion: {
                "median": round(statistics.median(each) * 1e6),
                "min": round(min(each) * 1e6),
                "max": round(max(each) * 1e6),
            }
            for occasion, each in occasions.items()
        }
        for name, occasions in found.items()
    }
    for ours, theirs in COUNTERPARTS.items():
        for occasion, each in found[ours].items():
            ratios = [a / b for a, b in zip(each, found[theirs][occasion], strict=True)]
            summary[ours][occasion]["ratio"] = round(statistics.median(ratios), 2)
    return summary


def _print(case: str, summary: dict[str, Any]) -> None:
    for name, occasions in summary.items():
        for occasion, each in occasions.items():
            ratio = f"  {each['ratio']:.2f} x {COUNTERPARTS[name]}" if "ratio" in each else ""
            spread = f"{each['median']:6} us ({each['min']} to {each['max']})"
            print(f"{case:22} {name:16} {occasion:10} {spread}{ratio}", flush=True)


def prepare(scratch: Path, names: list[str], copies: int) -> list[Path]:
    """Make deployments that know the stations, all with the same PKI."""
    first = scratch / "gateway-0"
    servers.run("init", str(first), "--name", "localhost", "--operator", fleet.OPERATOR)
    fleet.register(first, names)
    others = [scratch / f"gateway-{number}" for number in range(1, copies)]
    for other in others:
        shutil.copytree(first, other)
    return [first, *others]


def main() -> None:
    """Print a table and write ``bench/results/handshakes.json``. Only on Linux, with nginx installed."""
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        kinds = {"ecdsa": fleet.identities(STATIONS * ROUNDS, "E"), "rsa": fleet.identities(STATIONS * ROUNDS, "R")}
        deployments = prepare(scratch, [*kinds["ecdsa"], *kinds["rsa"]], 2)
        for kind, names in kinds.items():
            fleet.write_certificates(deployments[0], scratch / kind, names, use_rsa=kind == "rsa")
        result: dict[str, Any] = {
            "machine": servers.machine(),
            "stations": STATIONS,
            "rounds": ROUNDS,
            "parallel": PARALLEL,
            "unit": "us of CPU for one station",
        }
        with servers.upstream() as backend_port:
            for number, case in enumerate(CASES):
                result[case.name] = _case(case, scratch / f"case-{number}", deployments, backend_port)
                _print(case.name, result[case.name])
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "handshakes.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
