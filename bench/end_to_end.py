"""CPU per message of a real ``voltgate serve``: wss in, ws out, and the answers back.

The gateway is a process of its own, made by ``voltgate init``; station and backend are in this one. The gateway's CPU
time is read from Linux's /proc, so that what its peers cost doesn't count.
"""

import asyncio
import base64
import contextlib
import json
import os
import ssl
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve

from bench import road

MESSAGES: Final = 3_000
ROUNDS: Final = 3
BACKEND_SAYS: Final = '{"status":"Accepted","currentTime":"2026-01-01T00:00:00Z","interval":300}'
STARTED: Final = '{"transactionId":7,"idTagInfo":{"status":"Accepted"}}'
_TICKS: Final = os.sysconf("SC_CLK_TCK")


async def _backend(connection: ServerConnection) -> None:
    answers = {"BootNotification": BACKEND_SAYS, "StartTransaction": STARTED}
    answers["Heartbeat"] = '{"currentTime":"2026-01-01T00:00:00Z"}'
    async for text in connection:
        _, message_id, action, _ = json.loads(text)
        await connection.send(f'[3,"{message_id}",{answers.get(action, "{}")}]')


def _command(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "gateway", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | environment)  # noqa: S603 - ours


def _run(*arguments: str) -> str:
    with _command(*arguments) as process:
        said = process.communicate()[0]
    if process.returncode:
        raise SystemExit(f"voltgate {arguments[0]} failed")
    return said


@contextlib.asynccontextmanager
async def _gateway(folder: Path, backend_port: int) -> AsyncIterator[tuple[int, int]]:
    """Serve out of ``folder``; give the process id and the port of the TLS listener."""
    bind = dict.fromkeys(("LISTENERS__0__BIND", "LISTENERS__1__BIND", "ADMIN__BIND"), "127.0.0.1:0")
    environment = {f"VOLTGATE__{key}": value for key, value in bind.items()}
    environment["VOLTGATE__LOG__LEVEL"] = "error"
    environment["VOLTGATE__BACKENDS__LEGACY__URL"] = f"ws://127.0.0.1:{backend_port}/{{identity}}"
    with _command("serve", "--config", str(folder / "voltgate.yaml"), **environment) as process:
        output = process.stdout
        try:
            port = 0
            while output is not None and (line := await asyncio.to_thread(output.readline)) != "ready\n":
                if not line:
                    raise SystemExit("voltgate serve failed")
                if line.startswith("listening wss:"):
                    port = int(line.split("/ocpp")[0].rpartition(":")[2])
            yield process.pid, port
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait)


def _cpu_seconds(process_id: int) -> float:
    """User and system time of all threads of a process so far (proc(5), stat, fields 14 and 15)."""
    fields = Path(f"/proc/{process_id}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


async def _call(station: ClientConnection, text: bytes) -> Any:
    await station.send(text.decode())
    answer = json.loads(await station.recv())
    if answer[0] != 3:
        raise SystemExit(f"the gateway answered {answer}")
    return answer[2]


def _text(action: str, **payload: Any) -> bytes:
    return json.dumps([2, action, action, payload]).encode()


async def _measure(station: ClientConnection, process_id: int, texts: list[bytes]) -> float:
    for text in texts[:100]:
        await _call(station, text)
    began = _cpu_seconds(process_id)
    for text in texts[100:]:
        await _call(station, text)
    return (_cpu_seconds(process_id) - began) / (len(texts) - 100)


async def _bench(folder: Path) -> None:
    config = str(folder / "voltgate.yaml")
    password = json.loads(_run("station", "add", "CS1", "--profile", "2", "--config", config, "--json"))["password"]
    trust = ssl.create_default_context(cafile=str(folder / "certs/dev/csms-root.pem"))
    basic = base64.b64encode(f"CS1:{password}".encode()).decode()
    async with serve(_backend, "127.0.0.1", 0, subprotocols=["ocpp1.6"]) as backend:  # type: ignore[list-item]  # a name
        backend_port = next(iter(backend.sockets)).getsockname()[1]
        async with (
            _gateway(folder, backend_port) as (process_id, port),
            connect(
                f"wss://localhost:{port}/ocpp/CS1",
                ssl=trust,
                subprotocols=["ocpp2.0.1"],  # type: ignore[list-item]  # a name
                additional_headers={"Authorization": f"Basic {basic}"},
                compression=None,
            ) as station,
        ):
            boot = {"model": "M", "vendorName": "V"}
            await _call(station, _text("BootNotification", reason="PowerUp", chargingStation=boot))
            await _call(station, road.started())
            await _report(station, process_id)


async def _report(station: ClientConnection, process_id: int) -> None:
    makers: dict[str, Callable[[int], bytes]] = {
        "Heartbeat": road.heartbeat,
        "TransactionEvent Updated to MeterValues": road.meter_event,
    }
    for name, make in makers.items():
        rounds = [[make(number + MESSAGES * each) for number in range(MESSAGES)] for each in range(ROUNDS)]
        best = min([await _measure(station, process_id, texts) for texts in rounds])
        print(f"{name}: {best * 1e6:.0f} us CPU of the gateway's process, there and back, wss in and ws out")


def main() -> None:
    """Print CPU per message, there and back. Only on Linux."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "gateway"
        _run("init", str(folder), "--name", "localhost")
        asyncio.run(_bench(folder))
