"""Where a message's time goes, by room of the house: a real `voltgate serve` under the message bench's load, by py-spy.

py-spy stops the gateway for each sample, so that the CPU for one message is measured in a round without it, by thread;
its samples only divide what the loop's thread has used. It needs leave to ptrace: as root, or see ptrace(2).
"""

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench import fleet, samples
from bench.contenders import Contender, contenders, cores, not_the_bottleneck
from bench.goals import table
from bench.messages import BEFORE, CASES, STATIONS, WARM_UP

PER_SECOND: Final = 40
"""Samples; each stops the gateway for some 5 ms, since its C is looked at too: at 100 it stands more than it runs."""
MOST: Final = 10
"""Functions that are named."""
_PY_SPY: Final = str(Path(sys.executable).with_name("py-spy"))


def threads(process_id: int) -> dict[int, str]:
    """Return the names of the gateway's threads by id. SystemExit where py-spy can't look into it."""
    try:
        said = subprocess.run([_PY_SPY, "dump", "--pid", str(process_id)], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    except FileNotFoundError:
        raise SystemExit("py-spy isn't installed; make venv does") from None
    except subprocess.CalledProcessError as error:
        reason = "\n".join(error.stderr.splitlines()[:2])
        raise SystemExit(
            f"py-spy can't attach to the gateway; it needs root, CAP_SYS_PTRACE or kernel.yama.ptrace_scope=0\n{reason}"
        ) from None
    found = re.findall(r'^Thread (\d+) \(.*?\): "(.*)"$', said.stdout, re.MULTILINE)
    return {int(number): name for number, name in found}


def _used(process_id: int, names: dict[int, str]) -> dict[str, float]:
    """Return the CPU seconds so far by kind of thread (proc(5), schedstat)."""
    used = dict.fromkeys((samples.LOOP, samples.THREADS, samples.OTHER_THREADS), 0.0)
    for path in Path(f"/proc/{process_id}/task").glob("*/schedstat"):
        name = names.get(int(path.parent.name), "")
        kind = samples.LOOP if name == samples.LOOP else samples.OTHER_THREADS
        if name.startswith(samples.STORE):
            kind = samples.THREADS
        used[kind] += int(path.read_text(encoding="ascii").split()[0]) / 1e9
    return used


def _unsampled(gateway: Contender, case: str, seconds: float) -> tuple[int, dict[str, float]]:
    """Return how many messages of each station last so long, and the microseconds of CPU for one by kind of thread."""
    if case in BEFORE:
        gateway.ask(BEFORE[case], STATIONS)
    rate = gateway.measure(case, STATIONS, WARM_UP)["per_second"]
    count = max(2, round(rate * seconds / STATIONS / 2) * 2)
    names = threads(gateway.server.process_id)
    before = _used(gateway.server.process_id, names)
    not_the_bottleneck(case, gateway.name, [gateway.measure(case, STATIONS, count)])
    after = _used(gateway.server.process_id, names)
    return count, {kind: (after[kind] - before[kind]) / (STATIONS * count) * 1e6 for kind in after}


def _sampled(gateway: Contender, case: str, count: int, raw: Path) -> str:
    """Run a round under py-spy; return what it has written."""
    gateway.load.do("prepare", case=case, stations=STATIONS, count=count, first=0)
    command = [_PY_SPY, "record", "--pid", str(gateway.server.process_id), "--format", "raw", "--function"]
    command += ["--native", "--threads", "--rate", str(PER_SECOND), "--output", str(raw)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=subprocess.STDOUT, text=True) as child:  # noqa: S603 - py-spy
        if (other := cores()[1]) is not None:
            os.sched_setaffinity(child.pid, {other})
        try:
            begun = child.stdout.readline() if child.stdout else ""
            if child.poll() is None:
                gateway.load.do("run", case=case, per_second=None)
        finally:
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(signal.SIGINT)
            said, _ = child.communicate()
    if child.returncode or not raw.exists():
        raise SystemExit(f"py-spy failed: {begun}{said}")
    return raw.read_text(encoding="utf-8")


def report(raw: str, cpu: dict[str, float]) -> str:
    """Return the tables: the loop's time by its samples, that of other threads as measured."""
    loop, whole = samples.rooms(raw), sum(cpu.values())
    taken = loop.total()
    found = {name: cpu[samples.LOOP] * count / taken for name, count in loop.items()}
    found |= {kind: cpu[kind] for kind in (samples.THREADS, samples.OTHER_THREADS)}

    def figures(spent: float) -> list[str]:
        return [f"{spent / whole:.1%}", f"{spent:.1f}"]

    rows = [[name, *figures(spent)] for name, spent in sorted(found.items(), key=lambda each: -each[1])]
    longest = samples.functions(raw).most_common(MOST)
    own = [[name, where, *figures(cpu[samples.LOOP] * count / taken)] for (name, where), count in longest]
    head = f"{whole:.0f} us of CPU for a message; {taken} samples of the loop's thread"
    tables = table(("room", "share", "us"), rows), table(("function, own time", "room", "share", "us"), own)
    return "\n\n".join([head, *tables])


def main(arguments: Sequence[str] = ()) -> None:
    """Print the tables. Only on Linux."""
    parser = argparse.ArgumentParser(prog="python -m bench.profile")
    parser.add_argument("--case", default="Updated", choices=CASES)
    parser.add_argument("--seconds", type=float, default=10.0, help="of a round, as long as nobody stops the gateway")
    said = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory() as scratch,
        contenders(Path(scratch), fleet.identities(STATIONS, "E"), ["voltgate"]) as (gateway,),
    ):
        count, cpu = _unsampled(gateway, said.case, said.seconds)
        raw = _sampled(gateway, said.case, count, Path(scratch) / "samples.raw")
    print(f"{said.case}: {report(raw, cpu)}")


if __name__ == "__main__":
    main(sys.argv[1:])
