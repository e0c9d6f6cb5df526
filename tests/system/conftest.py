"""The real process, real sockets, real certificates: `voltgate init`, `serve`, and both sides of it by hand."""

import asyncio
import base64
import contextlib
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve

START_UP = 30.0
"""Seconds in which the gateway must be ready, on a machine that does other things besides."""
REPLY = 15.0
"""Seconds for any one answer."""
TIME = "2026-01-01T00:00:00.000Z"
BOOT = {"reason": "PowerUp", "chargingStation": {"model": "M", "vendorName": "V", "serialNumber": "SN1"}}


class Backend:
    """A 1.6 backend that answers every CALL at once, keeps a ledger, and can be taken away."""

    subprotocol = "ocpp1.6"

    def __init__(self) -> None:
        self.heard: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        self.log: list[tuple[str, Any]] = []
        self.answers: dict[str, Any] = {}
        self.silent: set[str] = set()
        """Actions that it hears and never answers."""
        self.connections: dict[str, ServerConnection] = {}
        self.headers: list[Any] = []
        self.port = 0
        self._server: Any = None
        self._starts: dict[str, int] = {}
        self._calls: dict[str, asyncio.Future[Any]] = {}
        self._joined = asyncio.Event()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ocpp/{{identity}}"

    async def open(self) -> None:
        self._server = await serve(self._serve, "127.0.0.1", self.port, subprotocols=[self.subprotocol])  # type: ignore[list-item]  # a name
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def close(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def joined(self, identity: str) -> None:
        """Wait until the station's leg is there."""
        async with asyncio.timeout(REPLY):
            while identity not in self.connections:
                self._joined.clear()
                await self._joined.wait()

    async def left(self, identity: str) -> None:
        """Wait until the station's leg is gone."""
        async with asyncio.timeout(REPLY):
            await self.connections[identity].wait_closed()

    async def expect(self, action: str) -> Any:
        """Return the payload of the next CALL of this action; others before it are passed over."""
        async with asyncio.timeout(REPLY):
            while True:
                heard, payload = await self.heard.get()
                if heard == action:
                    return payload

    async def call(self, identity: str, action: str, payload: Any) -> Any:
        """Send a CALL to a station and return the whole answer frame."""
        message_id = f"b-{len(self._calls)}"
        self._calls[message_id] = asyncio.get_running_loop().create_future()
        await self.connections[identity].send(json.dumps([2, message_id, action, payload]))
        return await asyncio.wait_for(self._calls[message_id], REPLY)

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        identity = connection.request.path.rpartition("/")[2]
        self.headers.append(connection.request.headers)
        self.connections[identity] = connection
        self._joined.set()
        try:
            async for text in connection:
                frame = json.loads(text)
                if frame[0] != 2:
                    self._calls[frame[1]].set_result(frame)
                    continue
                self.log.append((frame[2], frame[3]))
                self.heard.put_nowait((frame[2], frame[3]))
                if frame[2] in self.silent:
                    continue
                await connection.send(json.dumps([3, frame[1], self._answer(frame[2], frame[3])]))
        finally:
            if self.connections.get(identity) is connection:
                del self.connections[identity]

    def _answer(self, action: str, payload: Any) -> Any:
        if action in self.answers:
            return self.answers[action]
        if action == "BootNotification":
            return {"status": "Accepted", "currentTime": TIME, "interval": 300}
        if action == "Heartbeat":
            return {"currentTime": TIME}
        if action == "StartTransaction":
            key = json.dumps(payload, sort_keys=True)
            number = self._starts.setdefault(key, len(self._starts) + 1)
            return {"transactionId": number, "idTagInfo": {"status": "Accepted"}}
        return {"idTagInfo": {"status": "Accepted"}} if action in {"Authorize", "StopTransaction"} else {}


class Station:
    """A 2.0.1 station, driven frame by frame."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self._ids = iter(range(1_000_000))

    async def send(self, text: str | bytes) -> None:
        await self.connection.send(text)

    async def receive(self) -> Any:
        """Return the next frame, whatever it is but a question for the inventory: this station gives none."""
        while True:
            frame = json.loads(await asyncio.wait_for(self.connection.recv(), REPLY))
            if frame[2:3] != ["GetBaseReport"]:
                return frame
            await self.send(json.dumps([3, frame[1], {"status": "NotSupported"}]))

    async def call(self, action: str, payload: Any, message_id: str | None = None) -> Any:
        """Send a CALL and return the whole answer frame."""
        message_id = message_id or f"s-{next(self._ids)}-{os.urandom(3).hex()}"
        await self.connection.send(json.dumps([2, message_id, action, payload]))
        answer = await self.receive()
        assert answer[1] == message_id, answer
        return answer

    async def boot(self, **changes: Any) -> Any:
        return (await self.call("BootNotification", BOOT | changes))[2]

    async def closed(self) -> int:
        """Wait until the gateway has closed the connection and return the code."""
        async with asyncio.timeout(REPLY):
            await self.connection.wait_closed()
        assert self.connection.close_code is not None
        return self.connection.close_code


def event(kind: str, seq_no: int, **more: Any) -> dict[str, Any]:
    """A TransactionEventRequest; ``wh`` puts an energy register into it, ``state`` a chargingState, ``tx`` the id."""
    wh, state = more.pop("wh", None), more.pop("state", None)
    info: dict[str, Any] = {"transactionId": more.pop("tx", "tx-1")}
    if state is not None:
        info["chargingState"] = state
    context = {"Started": "Transaction.Begin", "Updated": "Sample.Periodic", "Ended": "Transaction.End"}[kind]
    payload = {
        "eventType": kind,
        "timestamp": f"2026-01-01T00:{seq_no:02}:00.000Z",
        "triggerReason": more.pop("trigger", "Authorized"),
        "seqNo": seq_no,
        "transactionInfo": info,
        **more,
    }
    if wh is not None:
        sample = {"value": wh, "context": context, "measurand": "Energy.Active.Import.Register"}
        payload["meterValue"] = [{"timestamp": payload["timestamp"], "sampledValue": [sample]}]
    return payload


TOKEN = {"idToken": "TAG1", "type": "ISO14443"}
EVSE = {"id": 1, "connectorId": 1}


class Gateway:
    """One deployment in a folder, and its process."""

    def __init__(self, folder: Path, backend: Backend) -> None:
        self.folder = folder
        self.config = folder / "voltgate.yaml"
        self.backend = backend
        self.lines: list[str] = []
        self.log = ""
        self._grown = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    def configure(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the configuration file."""
        tree = yaml.safe_load(self.config.read_text())
        change(tree)
        self.config.write_text(yaml.safe_dump(tree))

    async def run(self, *arguments: str, stdin: str = "") -> tuple[int, str, str]:
        """Run one command to its end: exit status, stdout, stderr. It finds the gateway that runs."""
        here = {} if self._process is None else {"VOLTGATE__ADMIN__BIND": f"127.0.0.1:{self.port('http')}"}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", *arguments, env=os.environ | here,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await asyncio.wait_for(process.communicate(stdin.encode()), START_UP)
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def api(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Send one request to the API: status and JSON."""
        token = (self.folder / "secrets/admin-token").read_text().strip()
        url = f"http://127.0.0.1:{self.port('http')}/api/v1/{path}"
        async with (
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session,
            session.request(method, url, json=body) as response,
        ):
            return response.status, await response.json() if response.content_length else None

    async def metrics(self) -> str:
        """Return what /metrics says."""
        async with aiohttp.request("GET", f"http://127.0.0.1:{self.port('http')}/metrics") as response:
            return await response.text()

    async def add(self, identity: str, profile: int, serial: str | None = None) -> Any:
        """Register a station with the running gateway and return its password."""
        status, made = await self.api("POST", "stations", {"identity": identity, "profile": profile, "serial": serial})
        assert status == 201, made
        return made["password"]

    async def start(self) -> None:
        self.lines, self.log = [], ""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", "serve", "--config", str(self.config),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        self._reader = asyncio.create_task(self._read_log(), name="log of the gateway")
        assert self._process.stdout is not None
        async with asyncio.timeout(START_UP):
            while "ready" not in self.lines:
                line = (await self._process.stdout.readline()).decode().strip()
                if not line:
                    await self._process.wait()
                    await self._reader
                    pytest.fail(f"the gateway did not start: {self.log}")
                self.lines.append(line)

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Stop it and return the exit status."""
        process, self._process = self._process, None
        if process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(how)
        status = await asyncio.wait_for(process.wait(), START_UP)
        if self._reader is not None:
            await self._reader
        return status

    def signal(self, how: signal.Signals) -> None:
        """Send it a signal and don't wait."""
        assert self._process is not None
        self._process.send_signal(how)

    async def logged(self, event: str, *, times: int = 1, name: str = "event") -> None:
        """Wait until the log has an event, or another member of its lines, so many times."""
        async with asyncio.timeout(REPLY):
            while self.log.count(f'"{name}": "{event}"') < times:
                self._grown.clear()
                await self._grown.wait()

    async def told(self, **fields: Any) -> dict[str, Any]:
        """Wait until the log has a line with these fields and return it whole."""
        async with asyncio.timeout(REPLY):
            while True:
                self._grown.clear()
                for line in self.log.splitlines()[: self.log.count("\n")]:
                    found: dict[str, Any] = json.loads(line) if line.startswith("{") else {}
                    if fields.items() <= found.items():
                        return found
                await self._grown.wait()

    def port(self, scheme: str) -> int:
        line = next(line for line in self.lines if line.startswith(f"listening {scheme}://"))
        found = re.search(r":(\d+)(/| )", line)
        assert found is not None
        return int(found[1])

    @contextlib.asynccontextmanager
    async def station(
        self,
        identity: str,
        password: str | bytes | None = None,
        *,
        certificate: tuple[Path, Path] | None = None,
        **options: Any,
    ) -> AsyncIterator[Station]:
        """Connect a station over TLS; a password in bytes is sent as it is."""
        tls = ssl.create_default_context(cafile=self.folder / "certs/dev/csms-root.pem")
        if certificate is not None:
            tls.load_cert_chain(*certificate)
        headers = {}
        if password is not None:
            sent = password.encode() if isinstance(password, str) else password
            token = base64.b64encode(f"{options.pop('user', identity)}:".encode() + sent).decode()
            headers["Authorization"] = f"Basic {token}"
        options.setdefault("subprotocols", ["ocpp2.0.1"])
        options.setdefault("open_timeout", REPLY)
        url = f"wss://localhost:{self.port('wss')}/ocpp/{identity}"
        async with connect(url, ssl=tls, additional_headers=headers, proxy=None, **options) as connection:
            yield Station(connection)

    async def _read_log(self) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            self.log += line.decode()
            self._grown.set()


def _ports_from_the_kernel(tree: dict[str, Any]) -> None:
    for listener in tree["listeners"]:
        listener["bind"] = "127.0.0.1:0"
    tree["admin"]["bind"] = "127.0.0.1:0"


@pytest.fixture
async def backend() -> AsyncIterator[Backend]:
    made = Backend()
    await made.open()
    yield made
    await made.close()


@pytest.fixture(scope="session")
def scaffold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `voltgate init` writes, once: its RSA keys take seconds."""
    folder = tmp_path_factory.mktemp("init") / "gw"
    command = [sys.executable, "-m", "gateway", "init", str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command
    return folder


@contextlib.asynccontextmanager
async def _deployed(scaffold: Path, folder: Path, backend: Backend) -> AsyncIterator[Gateway]:
    shutil.copytree(scaffold, folder)
    made = Gateway(folder, backend)
    made.configure(lambda tree: tree["backends"]["legacy"].update(url=backend.url))
    made.configure(_ports_from_the_kernel)
    try:
        yield made
    finally:
        await made.stop(signal.SIGKILL)


@pytest.fixture
async def deployment(tmp_path: Path, scaffold: Path, backend: Backend) -> AsyncIterator[Gateway]:
    """A deployment that isn't running yet."""
    async with _deployed(scaffold, tmp_path / "gw", backend) as made:
        yield made


@pytest.fixture(scope="session")
def new_deployment(
    scaffold: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], contextlib.AbstractAsyncContextManager[Gateway]]:
    """Makes deployments that aren't running yet, with a backend of their own: for files that share one process."""

    @contextlib.asynccontextmanager
    async def deployed() -> AsyncIterator[Gateway]:
        backend = Backend()
        await backend.open()
        try:
            async with _deployed(scaffold, tmp_path_factory.mktemp("deployed") / "gw", backend) as made:
                yield made
        finally:
            await backend.close()

    return deployed


@pytest.fixture
async def gateway(deployment: Gateway) -> Gateway:
    """A running deployment."""
    await deployment.start()
    return deployment


@pytest.fixture
def transaction_event() -> Callable[..., dict[str, Any]]:
    return event


@pytest.fixture
def token() -> dict[str, str]:
    return TOKEN


@pytest.fixture
def evse() -> dict[str, int]:
    return EVSE
