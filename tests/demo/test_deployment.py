"""The gateway from outside: start-up lines, commands, API."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.demo import deployment
from gateway.demo.child import DemoFailed
from gateway.demo.deployment import Deployment, Endpoints, endpoints

LINES = [
    "listening wss://127.0.0.1:43211/ocpp/{identity} security_profiles=2,3",
    "listening ws://127.0.0.1:43212/ocpp/{identity} security_profiles=1",
    "listening http://127.0.0.1:43213 admin",
    "ready",
]
VOLTGATE = """
import json, os, pathlib, signal, sys
command, *rest = sys.argv[1:]
if command == "init":
    folder = pathlib.Path(rest[0])
    (folder / "secrets").mkdir(parents=True)
    (folder / "secrets" / "admin-token").write_text("t0ken\\n")
elif command == "serve":
    for line in json.loads(os.environ["LINES"]):
        print(line, flush=True)
    signal.sigwait({signal.SIGTERM})
else:
    binds = {name: value for name, value in os.environ.items() if name.startswith("VOLTGATE__")}
    print(json.dumps({"words": sys.argv[1:], "environ": binds}))
"""


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """A deployment whose `voltgate` is a stand-in."""
    monkeypatch.setattr(deployment, "VOLTGATE", (sys.executable, "-c", VOLTGATE))
    monkeypatch.setenv("LINES", json.dumps(LINES))
    return Deployment(tmp_path / "gateway", tmp_path / "gateway.log")


def test_the_start_up_lines() -> None:
    assert endpoints(LINES[:-1]) is None
    assert endpoints(LINES) == Endpoints("wss://localhost:43211/ocpp", 43211, 43212, 43213)
    assert endpoints([LINES[0], LINES[2], "ready"]) == Endpoints("wss://localhost:43211/ocpp", 43211, None, 43213)


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        (LINES[1:], "no wss"),
        ([*LINES[:2], "ready"], "no admin"),
        ([LINES[0].replace("2,3", "2"), *LINES[1:]], "profiles 2 and 3"),
        ([LINES[0].replace("2,3", "12,13"), *LINES[1:]], "profiles 2 and 3"),
        ([LINES[0].removesuffix(" security_profiles=2,3"), *LINES[1:]], "profiles 2 and 3"),
    ],
)
def test_start_up_lines_that_are_not_the_contracts(lines: list[str], fault: str) -> None:
    with pytest.raises(DemoFailed, match=fault):
        endpoints(lines)


async def test_init_serve_add_and_stop(gateway: Deployment, tmp_path: Path) -> None:
    await gateway.init("Example CPO")
    gateway.use_backend(4711, tmp_path / "password")
    while_down = await gateway.add_station("CS001", serial="SN-1", profile=2)
    where = await gateway.serve()
    while_up = await gateway.add_station("CS001", serial="SN-1", profile=2)

    assert where.stations_port == 43211
    assert while_up["words"] == [
        *("station", "add", "CS001", "--profile", "2", "--serial", "SN-1", "--json"),
        *("--config", str(tmp_path / "gateway" / "voltgate.yaml")),
    ]
    assert while_down["environ"]["VOLTGATE__ADMIN__BIND"] == "127.0.0.1:0"
    assert while_up["environ"] == dict(gateway.settings())
    assert while_up["environ"] == {
        "VOLTGATE__LISTENERS__0__BIND": "127.0.0.1:43211",
        "VOLTGATE__LISTENERS__1__BIND": "127.0.0.1:43212",
        "VOLTGATE__ADMIN__BIND": "127.0.0.1:43213",
        "VOLTGATE__BACKENDS__LEGACY__URL": "ws://127.0.0.1:4711/ocpp/{identity}",
        "VOLTGATE__BACKENDS__LEGACY__TRUSTED_NETWORKS": "[127.0.0.0/8]",
        "VOLTGATE__BACKENDS__LEGACY__AUTH__BASIC__PASSWORD": f"file:{tmp_path}/password",
    }
    assert await gateway.stop() is not None


async def test_nothing_runs_nothing_stops_and_no_api(gateway: Deployment) -> None:
    assert await gateway.stop() is None
    (gateway.home / "secrets").mkdir(parents=True)
    with pytest.raises(DemoFailed, match="not running"):
        await gateway.station("CS001")


async def test_firmware_is_laid_over_signed_and_added(gateway: Deployment, tmp_path: Path) -> None:
    gateway.use_backend(4711, tmp_path / "password")
    gateway.use_files("Voltgate Demo", 4712, tmp_path / "policy.yaml")
    image, signature, signer, key = (tmp_path / name for name in ("image", "image.sig", "signer.pem", "signer.key"))

    signed = await gateway.sign_firmware(image, signer, key, signature)
    added = await gateway.add_firmware("http://127.0.0.1:4712/image", "1.1.0", signature, signer)

    config = ["--config", str(gateway.config)]
    by = ["--certificate", str(signer)]
    assert signed["words"] == [
        "firmware",
        "sign",
        str(image),
        *by,
        "--key",
        str(key),
        "--out",
        str(signature),
        "--json",
    ]
    assert added["words"] == [
        *("firmware", "add", "http://127.0.0.1:4712/image", "--manufacturer", "own", "--version", "1.1.0"),
        *("--signature", str(signature), *by, "--json", *config),
    ]
    environ = added["environ"]
    assert environ["VOLTGATE__FIRMWARE__MANUFACTURERS__OWN__VENDORS"] == '["Voltgate Demo"]'
    assert environ["VOLTGATE__FIRMWARE__SOURCES"] == environ["VOLTGATE__LOGS__DESTINATIONS"] == '["127.0.0.1:4712"]'
    port = environ["VOLTGATE__FILES__BIND"].removeprefix("127.0.0.1:")
    assert int(port) > 1024
    assert environ["VOLTGATE__FILES__PUBLIC_URL"] == f"https://localhost:{port}"
    assert environ["VOLTGATE__POLICY"] == str(tmp_path / "policy.yaml")


def test_which_roots_the_station_is_given(tmp_path: Path) -> None:
    gateway = Deployment(tmp_path, tmp_path / "log")

    assert gateway.csms_root == tmp_path / "certs/dev/csms-root.pem"
    assert gateway.station_roots == tmp_path / "certs/dev/station-roots.pem"


class Api:
    """Answers every request with ``answer``, but for the ``first`` ones, and keeps it."""

    def __init__(self) -> None:
        self.answer = b""
        self.first: list[bytes] = []
        self.heard = b""

    async def live(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard = await reader.readuntil(b"\r\n\r\n")
        writer.write(self.first.pop(0) if self.first else self.answer)
        writer.close()
        await writer.wait_closed()


def http_answer(status: str, body: dict[str, Any]) -> bytes:
    text = json.dumps(body).encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text


@pytest.fixture
async def api(gateway: Deployment) -> AsyncIterator[Api]:
    await gateway.init("Example CPO")
    api = Api()
    async with await asyncio.start_server(api.live, "127.0.0.1", 0) as server:
        gateway.endpoints = Endpoints("", 0, None, server.sockets[0].getsockname()[1])
        yield api


async def test_renewal_is_asked_with_the_token(gateway: Deployment, api: Api) -> None:
    api.answer = http_answer("202 Accepted", {"status": "requested"})

    await gateway.renew_certificate("CS001")

    assert api.heard.startswith(b"POST /api/v1/stations/CS001/certificate HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Bearer t0ken\r\n" in api.heard


async def test_what_the_api_tells_of_a_station(gateway: Deployment, api: Api) -> None:
    api.answer = http_answer("200 OK", {"identity": "CS001", "profile": 3})

    assert await gateway.station("CS001") == {"identity": "CS001", "profile": 3}


async def test_a_security_event_is_waited_for(gateway: Deployment, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployment, "API_AGAIN", 0)
    event = {"type": "InvalidFirmwareSignature", "detail": "firmware update 2"}
    api.first = [http_answer("200 OK", {"security_events": []})]
    api.answer = http_answer("200 OK", {"security_events": [event]})

    assert await gateway.security_event("CS001", "InvalidFirmwareSignature") == event
    assert api.first == []
    assert b"/security-events?identity=CS001&type=InvalidFirmwareSignature " in api.heard


async def test_a_refusal_and_a_break_off(gateway: Deployment, api: Api) -> None:
    api.answer = http_answer("409 Conflict", {"error": "not_connected"})
    with pytest.raises(DemoFailed, match=r"409 .*not_connected"):
        await gateway.renew_certificate("CS001")
    api.answer = b""
    with pytest.raises(DemoFailed, match=r"GET /api/v1/stations/CS001: RemoteDisconnected"):
        await gateway.station("CS001")
