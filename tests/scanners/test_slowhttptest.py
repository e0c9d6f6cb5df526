"""slowhttptest against a running listener: nobody keeps a connection past the stated deadlines (attack C3)."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.scanners.target import Serve

SLOWHTTPTEST = shutil.which("slowhttptest")
CONNECTIONS = 50
HANDSHAKE = 2.0
"""Seconds of `limits.handshake_timeout`, which is for TLS and, from its end, for the request head."""
LINGER = 2.0
"""Seconds that an ended connection stays, so that the peer can read our last words (gateway/transport/limits.py)."""
SLACK = 2.0
"""Seconds for a machine that does other things besides."""
LENGTH = 10
"""Seconds of the attack: longer than any connection may live."""

ATTACKS = {
    "slow headers": ["-H"],
    "slow body": ["-B"],
    "slow read": ["-X", "-w", "1", "-y", "1", "-z", "1", "-n", "1", "-k", "3"],
}

pytestmark = pytest.mark.skipif(SLOWHTTPTEST is None, reason="slowhttptest isn't installed: apt install slowhttptest")


def peers(port: int) -> set[str]:
    """Return the far ends of the connections that a process on this machine still holds open at ``port``."""
    mine = f":{port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening, orphan = "0A", "0"
    return {row[2] for row in rows if row[1].endswith(mine) and row[3] != listening and row[9] != orphan}


def lifetimes(port: int, attack: "subprocess.Popen[bytes]") -> list[float]:
    """Watch the listener's side until the attack is over and nobody is left; return how long each connection lived."""
    first: dict[str, float] = {}
    last: dict[str, float] = {}
    while attack.poll() is None or peers(port):
        now = time.monotonic()
        for peer in peers(port):
            first.setdefault(peer, now)
            last[peer] = now
        time.sleep(0.02)  # sampling
    return [last[peer] - first[peer] for peer in first]


@pytest.mark.parametrize("name", ATTACKS)
def test_no_connection_lives_past_its_deadline(serve: Serve, tmp_path: Path, name: str) -> None:
    assert SLOWHTTPTEST is not None
    with serve(LIMITS__HANDSHAKE_TIMEOUT=str(HANDSHAKE)) as target:
        command = [
            SLOWHTTPTEST, *ATTACKS[name], "-c", str(CONNECTIONS), "-r", str(CONNECTIONS), "-i", "1",
            "-l", str(LENGTH), "-u", f"https://localhost:{target.port}/ocpp/CS1",
        ]  # fmt: skip
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tmp_path) as attack:  # noqa: S603 - our own command
            lived = lifetimes(target.port, attack)

    assert lived  # whom no look saw was gone within the time between two of them
    assert max(lived) <= 2 * HANDSHAKE + LINGER + SLACK
