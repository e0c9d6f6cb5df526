"""A reconnect storm: 2,000 stations with client certificates at once, as after a restart of the gateway.

All must be in without one timeout; meanwhile the event loop must not lag. What is printed as lag is what a callback
that becomes due at any one millisecond of the storm waits: a stall of 40 ms counts as 40, 39, 38 ... and not once.
"""

import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from bench import fleet, handshakes, servers, stalls
from bench.caller import Job
from bench.servers import Server

STATIONS: Final = 2_000
STORMS: Final = 3
TIMEOUT: Final = 30.0
"""Seconds that a station waits, from its SYN to the 101."""


def storm(server: Server, folder: Path, names: list[str], tls: str) -> dict[str, Any]:
    """Let all stations come at once; return what happened, with its beginning and end."""
    job = Job(server.port, str(folder), names, parallel=len(names), tls=tls, timeout=TIMEOUT)
    with servers.callers(job) as child:
        before = server.cpu()
        servers.go(child)
        said = servers.outcome(child)
        spent = server.cpu() - before
        connected = server.stations()
        child.stdin.write("close\n")
        child.stdin.flush()
        child.wait()
    if connected != len(names):
        raise SystemExit(f"{len(names)} stations were answered, but {connected} are connected")
    deadline = time.monotonic() + servers.PATIENCE
    while server.stations():
        if time.monotonic() > deadline:
            raise SystemExit("the gateway keeps stations that have left")
        time.sleep(0.1)
    took = sorted(said["took"])
    return {
        "began": said["began"],
        "ended": said["ended"],
        "seconds": round(said["ended"] - said["began"], 2),
        "slowest": round(took[-1], 2),
        "median": round(statistics.median(took), 2),
        "cpu": round(spent, 2),
        "generator_cpu": round(said["cpu"], 2),
    }


def measure(scratch: Path, tls: str, *, stacks: bool = False, **environment: str) -> tuple[list[dict[str, Any]], Any]:
    """Run the storms against one gateway; return each one's figures and the watcher's whole record."""
    names = fleet.identities(STATIONS, "E")
    (folder,) = handshakes.prepare(scratch, names, 1)
    fleet.write_certificates(folder, scratch / "ecdsa", names)
    record = scratch / "lag.json"
    watched = stalls.watched(record, stacks=stacks)
    with (
        servers.upstream() as backend_port,
        servers.gateway(folder, backend_port, watched | environment) as server,
    ):
        found = [storm(server, scratch / "ecdsa", names, tls) for _ in range(STORMS)]
    seen = stalls.read(record)
    for each in found:
        began, ended = each["began"], each["ended"]
        each["lag_ms"] = stalls.percentiles(seen["late"], began, ended)
        pauses = [took for moment, took, _ in seen["collections"] if began <= moment <= ended]
        each["collector_ms"] = {"longest": round(max(pauses, default=0) * 1e3, 1), "all": round(sum(pauses) * 1e3)}
    return found, seen


def main() -> None:
    """Print a line for each storm and write ``bench/results/storm.json``. Only on Linux."""
    with tempfile.TemporaryDirectory() as scratch:
        found, _ = measure(Path(scratch), "1.3")
    for each in found:
        lag = each["lag_ms"]
        print(
            f"storm of {STATIONS}: all in after {each['seconds']} s, none timed out; event-loop lag "
            f"p50 {lag['p50']} ms, p99 {lag['p99']} ms, max {lag['max']} ms"
        )
    result = {"machine": servers.machine(), "stations": STATIONS, "storms": found}
    handshakes.RESULTS.mkdir(exist_ok=True)
    (handshakes.RESULTS / "storm.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
