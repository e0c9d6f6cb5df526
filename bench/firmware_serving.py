"""100 stations load an image at once: how long the event loop of the stations' messages is held up meanwhile.

The file endpoint as `voltgate serve` has it, on a real store and over TLS, at its default rates and at none: in a
thread of its own, and, for comparison, on the very loop. On that loop are TransactionEvents (``bench/road.py``) and a
timer of 1 ms; what is printed is what a callback that becomes due at any one millisecond waits
(``bench/storm.py``). The stations are a process of their own on the same machine, and check what they got.
"""

import asyncio
import hashlib
import json
import logging
import os
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import structlog
import uvloop
import yaml

from bench import handshakes, road, servers
from bench.stalls import percentiles
from gateway.app.file_urls import FileUrls
from gateway.app.files import FilesEndpoint
from gateway.app.interpreter import settle_down
from gateway.app.policy_schemas import OfficialSchemas
from gateway.config import Config, load
from gateway.session.tally import Tally
from gateway.store.database import Database
from gateway.store.file_links import FileLinks
from policies.engine import load as load_policy
from tests.linked_files import IMAGE, keep
from tests.system.certificates import Authority

STATIONS: Final = 100
SIZE: Final = 8 * 1_048_576
TICK: Final = 0.001
MESSAGES: Final = 300
"""TransactionEvents a second on the loop."""
ROUNDS: Final = 3
PORT: Final = 18_444
GENERATOR: Final = "stations"
"""The argument that makes this the process of the stations."""
RATES: Final[dict[str, dict[str, int]]] = {"default": {}, "none": {"rate": 1 << 40, "station_rate": 1 << 40}}


class Watch:
    """The turns of a loop that came late, from :meth:`start` on."""

    def __init__(self) -> None:
        self.late: list[tuple[float, float]] = []
        self._due = 0.0

    def start(self) -> None:
        """Begin to tick."""
        self._due = time.monotonic() + TICK
        asyncio.get_running_loop().call_later(TICK, self._tick)

    def _tick(self) -> None:
        now = time.monotonic()
        if now - self._due > TICK:
            self.late.append((now, now - self._due))
        self._due = now + TICK
        asyncio.get_running_loop().call_later(TICK, self._tick)


class _Images:
    def __init__(self, path: Path) -> None:
        self._path = path

    async def path(self, sha256: str) -> Path | None:
        """Return the only one."""
        return self._path


class _OnTheLoop(FilesEndpoint):
    """The endpoint without its thread."""

    async def start(self) -> Sequence[str]:
        self._server = await self._open()
        return []

    async def close(self) -> None:
        if self._server is not None:
            await self._server.close(0)


async def _speak(stop: asyncio.Event) -> int:
    """Send the events of a transaction; return how many."""
    spoken = road.Road(road.guard(load_policy("legacy-1.6", OfficialSchemas())))
    count, began = 0, time.monotonic()
    while not stop.is_set():
        await spoken.send(spoken.story.updated()[1])
        count += 1
        await asyncio.sleep(max(0.0, began + count / MESSAGES - time.monotonic()))
    return count


def _config(folder: Path, rates: dict[str, int]) -> Config:
    chain, key = Authority(folder, "csms").leaf("localhost", names=["localhost"])
    listener = {
        "bind": "127.0.0.1:0",
        "security_profiles": [2],
        "tls": {"certificates": [{"chain": str(chain), "key": f"file:{key}"}]},
    }
    tree = {
        "backends": {"legacy": {"url": "wss://csms.example.com/{identity}"}},
        "listeners": [listener],
        "files": {"bind": f"127.0.0.1:{PORT}", "public_url": f"https://localhost:{PORT}", **rates},
    }
    path = folder / "voltgate.yaml"
    path.write_text(yaml.safe_dump(tree))
    return load(path, {})


@asynccontextmanager
async def _opened(folder: Path, kind: type[FilesEndpoint], rates: dict[str, int]) -> AsyncIterator[list[str]]:
    """Give the stations' URLs while the endpoint is open."""
    content = os.urandom(SIZE)
    (folder / "image").write_bytes(content)
    image = replace(IMAGE, sha256=hashlib.sha256(content).hexdigest(), size=SIZE)
    config = _config(folder, rates)
    if config.files is None:
        raise SystemExit("the configuration has no files")
    async with AsyncExitStack() as stack:
        database = await Database.open(f"sqlite+aiosqlite:///{folder}/voltgate.db", exclusive=True)
        stack.push_async_callback(database.close)
        await keep(database, image)
        links = FileLinks(database, config.files.link_lifetime)
        endpoint = kind(config, config.files, links, _Images(folder / "image"), None, Tally())
        await endpoint.start()
        stack.push_async_callback(endpoint.close)
        urls = FileUrls(links, config.files.public_url)
        yield [await urls.download(f"CS{number}", image, 1) for number in range(STATIONS)]


async def _round(kind: type[FilesEndpoint], rates: dict[str, int]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        async with _opened(Path(scratch), kind, rates) as urls:
            watch, stop = Watch(), asyncio.Event()
            speaking = asyncio.create_task(_speak(stop), name="messages")
            await asyncio.sleep(1.0)
            settle_down()
            watch.start()
            quiet = time.monotonic()
            await asyncio.sleep(2.0)
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bench.firmware_serving", GENERATOR, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            began, cpu = time.monotonic(), time.process_time()
            said, _ = await process.communicate(json.dumps(urls).encode())
            ended, spent = time.monotonic(), time.process_time() - cpu
            stop.set()
            spoken = await speaking
    took = json.loads(said)
    if took["octets"] != STATIONS * SIZE or took["kinds"] != 1:
        raise SystemExit(f"the stations got {took}")
    return {
        "seconds": round(took["seconds"], 2),
        "mib_a_second": round(STATIONS * SIZE / 1_048_576 / took["seconds"], 1),
        "cpu": round(spent, 2),
        "messages": spoken,
        "lag_before": percentiles(watch.late, quiet, began),
        "lag": percentiles(watch.late, began, ended),
    }


async def _station(url: str, tls: ssl.SSLContext) -> tuple[int, str]:
    host, _, path = url.removeprefix("https://").partition("/")
    reader, writer = await asyncio.open_connection("127.0.0.1", int(host.partition(":")[2]), ssl=tls)
    writer.write(f"GET /{path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise SystemExit(head.decode())
    digest, size = hashlib.sha256(), 0
    while chunk := await reader.read(1_048_576):
        digest.update(chunk)
        size += len(chunk)
    writer.close()
    return size, digest.hexdigest()


async def _stations(urls: list[str]) -> dict[str, Any]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    began = time.monotonic()
    found = await asyncio.gather(*(_station(url, tls) for url in urls))
    return {
        "seconds": time.monotonic() - began,
        "octets": sum(size for size, _ in found),
        "kinds": len({digest for _, digest in found}),
    }


def main() -> None:
    """Print the figures and write ``bench/results/firmware_serving.json``."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    kinds = {"thread": FilesEndpoint, "loop": _OnTheLoop}
    ways = {f"{name}, rate {rate}": (kind, keys) for rate, keys in RATES.items() for name, kind in kinds.items()}
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, (kind, keys) in ways.items():
            found[name].append(uvloop.run(_round(kind, keys)))
    for name, rounds in found.items():
        for each in rounds:
            print(f"files served by a {name}: {each}")
    handshakes.RESULTS.mkdir(exist_ok=True)
    result = {"machine": servers.machine(), "stations": STATIONS, "octets": SIZE, **found}
    (handshakes.RESULTS / "firmware_serving.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] == [GENERATOR]:
        print(json.dumps(uvloop.run(_stations(json.loads(sys.stdin.read())))))
    else:
        main()
