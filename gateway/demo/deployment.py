"""Voltgate as a customer has it: its commands, its start-up lines, its API. Nothing of its inside."""

import asyncio
import http.client
import json
import re
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gateway.demo.child import Child, DemoFailed, clean_environ, output_of

VOLTGATE: Final = (sys.executable, "-m", "gateway")
API: Final = "/api/v1"
API_TIMEOUT: Final = 15.0
"""Seconds."""
API_AGAIN: Final = 0.1
"""Seconds until the API is asked again for what it doesn't know yet: events are written behind."""
HOST: Final = "localhost"
"""The name in the gateway's certificate, by which the station calls it."""

_LISTENING: Final = re.compile(
    r"listening (?P<scheme>wss?|http)://(?P<host>\S+):(?P<port>[0-9]+)(?P<path>/\S*)?"
    r"(?: security_profiles=(?P<profiles>[0-9,]+))?(?: admin)?"
)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a running gateway listens, as its start-up lines tell."""

    stations: str
    """The URL that a station's identity is added to."""
    stations_port: int
    plain_port: int | None
    """The port of security profile 1."""
    admin_port: int


def endpoints(lines: list[str]) -> Endpoints | None:
    """Read the start-up lines; None until ``ready``. Raises DemoFailed when one is missing."""
    if "ready" not in lines:
        return None
    found = {match["scheme"]: match for line in lines if (match := _LISTENING.fullmatch(line))}
    if "wss" not in found or "http" not in found:
        raise DemoFailed(f"voltgate serve told of no wss or no admin listener: {lines}")
    tls = found["wss"]
    if not {"2", "3"} <= set((tls["profiles"] or "").split(",")):
        raise DemoFailed(f"voltgate serve's wss listener isn't for profiles 2 and 3: {tls[0]!r}")
    path = (tls["path"] or "").removesuffix("/{identity}")
    port = int(tls["port"])
    plain = int(found["ws"]["port"]) if "ws" in found else None
    return Endpoints(f"wss://{HOST}:{port}{path}", port, plain, int(found["http"]["port"]))


def free_port() -> int:
    """Return a port of loopback that nobody has at this moment: stations are told one before the gateway opens it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Deployment:
    """A gateway in the folder ``home``, and its log."""

    def __init__(self, home: Path, log: Path) -> None:
        self.home = home
        self.log = log
        self.config = home / "voltgate.yaml"
        self.process: Child | None = None
        self.endpoints: Endpoints | None = None
        self._overrides: dict[str, str] = {}

    @property
    def csms_root(self) -> Path:
        """The root of the gateway's server certificate, for the station."""
        return self.development_pki / "csms-root.pem"

    @property
    def station_roots(self) -> Path:
        """The operator's CA for station certificates."""
        return self.development_pki / "station-roots.pem"

    @property
    def development_pki(self) -> Path:
        """The folder of the development PKI."""
        return self.home / "certs" / "dev"

    async def init(self, operator: str, *options: str) -> None:
        """Write configuration and development PKI."""
        await self._command("init", str(self.home), "--operator", operator, "--name", HOST, *options)

    def use_backend(self, port: int, password_file: Path) -> None:
        """Lay the demo's addresses over the configuration, by environment: ports come from the kernel."""
        self._overrides = {
            "VOLTGATE__LISTENERS__0__BIND": "127.0.0.1:0",
            "VOLTGATE__LISTENERS__1__BIND": "127.0.0.1:0",
            "VOLTGATE__ADMIN__BIND": "127.0.0.1:0",
            "VOLTGATE__BACKENDS__LEGACY__URL": f"ws://127.0.0.1:{port}/ocpp/{{identity}}",
            "VOLTGATE__BACKENDS__LEGACY__TRUSTED_NETWORKS": "[127.0.0.0/8]",
            "VOLTGATE__BACKENDS__LEGACY__AUTH__BASIC__PASSWORD": f"file:{password_file}",
        }

    def use_files(self, vendor: str, site_port: int, policy: Path) -> None:
        """The same for firmware and logs: whose stations they are, and the backend's file server on this machine."""
        site, port = f"127.0.0.1:{site_port}", free_port()
        self._overrides |= {
            "VOLTGATE__FIRMWARE__MANUFACTURERS__OWN__VENDORS": json.dumps([vendor]),
            "VOLTGATE__FIRMWARE__SOURCES": json.dumps([site]),
            "VOLTGATE__FIRMWARE__TRUSTED_NETWORKS": "[127.0.0.0/8]",
            "VOLTGATE__FILES__BIND": f"127.0.0.1:{port}",
            "VOLTGATE__FILES__PUBLIC_URL": f"https://{HOST}:{port}",
            "VOLTGATE__LOGS__HAND_OVER": "true",
            "VOLTGATE__LOGS__DESTINATIONS": json.dumps([site]),
            "VOLTGATE__LOGS__TRUSTED_NETWORKS": "[127.0.0.0/8]",
            "VOLTGATE__POLICY": str(policy),
        }

    async def serve(self) -> Endpoints:
        """Start the gateway and wait until it is ready. Raises DemoFailed when it ends instead."""
        words = (*VOLTGATE, "serve", "--config", str(self.config))
        process = self.process = await Child.start(
            "voltgate serve", words, log=self.log, environ=clean_environ(self._overrides)
        )
        self.endpoints = await process.until(lambda: endpoints(process.lines))
        return self.endpoints

    def settings(self) -> Mapping[str, str]:
        """Return the environment by which `voltgate` commands find the running gateway."""
        if self.endpoints is None:
            return self._overrides
        ports = {
            "VOLTGATE__LISTENERS__0__BIND": self.endpoints.stations_port,
            "VOLTGATE__LISTENERS__1__BIND": self.endpoints.plain_port,
            "VOLTGATE__ADMIN__BIND": self.endpoints.admin_port,
        }
        return self._overrides | {name: f"127.0.0.1:{port}" for name, port in ports.items() if port is not None}

    async def add_station(self, identity: str, *, serial: str, profile: int) -> dict[str, Any]:
        """Register a station; what is returned holds its password, which is told this once."""
        words = ("station", "add", identity, "--profile", str(profile), "--serial", serial, "--json")
        answer: dict[str, Any] = json.loads(await self._command(*words, "--config", str(self.config)))
        return answer

    async def add_contract(self, pcid: str, emaid: str) -> None:
        """Say which contract a vehicle is entitled to."""
        await self._command("contract", "add", pcid, emaid, "--config", str(self.config))

    async def sign_firmware(self, image: Path, certificate: Path, key: Path, out: Path) -> dict[str, Any]:
        """Sign an image as its manufacturer does, into ``out``."""
        words = ("sign", str(image), "--certificate", str(certificate), "--key", str(key), "--out", str(out), "--json")
        answer: dict[str, Any] = json.loads(await self._command("firmware", *words))
        return answer

    async def add_firmware(self, url: str, version: str, signature: Path, certificate: Path) -> dict[str, Any]:
        """Add an image to the catalogue, and return what came of it: it may well be refused."""
        signed = ("--signature", str(signature), "--certificate", str(certificate))
        words = ("add", url, "--manufacturer", "own", "--version", version, *signed, "--json")
        answer: dict[str, Any] = json.loads(
            await self._command("firmware", *words, "--config", str(self.config), may_refuse=True)
        )
        return answer

    async def security_event(self, identity: str, kind: str) -> dict[str, Any]:
        """Wait until the API tells a security event of a station, and return it."""
        while True:
            path = f"/security-events?identity={identity}&type={kind}"
            answer = await asyncio.to_thread(self._api, "GET", path, 200)
            if answer["security_events"]:
                event: dict[str, Any] = answer["security_events"][0]
                return event
            await asyncio.sleep(API_AGAIN)

    async def renew_certificate(self, identity: str) -> None:
        """Ask, over the API, that a station renews its certificate."""
        await asyncio.to_thread(self._api, "POST", f"/stations/{identity}/certificate", 202)

    async def station(self, identity: str) -> dict[str, Any]:
        """Return what the API tells of a station."""
        return await asyncio.to_thread(self._api, "GET", f"/stations/{identity}", 200)

    async def stop(self) -> int | None:
        """End the gateway with SIGTERM and return its exit status; None if it was never started."""
        return None if self.process is None else await self.process.terminate()

    async def _command(self, *words: str, may_refuse: bool = False) -> str:
        environ = clean_environ(self.settings())
        return await output_of(f"voltgate {words[0]}", (*VOLTGATE, *words), environ=environ, may_refuse=may_refuse)

    def _api(self, method: str, path: str, expected: int) -> dict[str, Any]:
        """Ask the API, blocking. Raises DemoFailed for any other status than ``expected``."""
        if self.endpoints is None:
            raise DemoFailed("the gateway is not running")
        token = (self.home / "secrets" / "admin-token").read_text().strip()
        connection = http.client.HTTPConnection("127.0.0.1", self.endpoints.admin_port, timeout=API_TIMEOUT)
        try:
            connection.request(method, f"{API}{path}", headers={"Authorization": f"Bearer {token}"})
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise DemoFailed(f"{method} {API}{path}: {type(error).__name__}: {error}") from None
        finally:
            connection.close()
        if response.status != expected:
            raise DemoFailed(f"{method} {API}{path}: {response.status} {body[:400].decode(errors='replace')}")
        answer: dict[str, Any] = json.loads(body)
        return answer
