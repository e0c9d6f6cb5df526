"""Actors that only recite, and a stage for a story to be played on."""

import asyncio
import io
import stat
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from gateway.demo.child import DemoFailed, Talker
from gateway.demo.deployment import Endpoints
from gateway.demo.story import ID_TAG, Story
from gateway.demo.timeline import Timeline

ACCOUNT = {"id_tag": ID_TAG, "start": 1_000, "samples": [2_000], "stop": 2_083}
TOKEN = {"id_token": ID_TAG, "type": "ISO14443"}


class Actor:
    """Tells what is expected of it, but for the lines that a test gave it otherwise, one for always or an iterator.

    ``None``: it never says that. What is in ``told`` it has told without being asked.
    """

    def __init__(self, name: str, script: dict[str, Any], log: list[str], told: AbstractSet[str] = frozenset()) -> None:
        self.name = name
        self.last: dict[str, Any] = {}
        self.script = script
        self.log = log
        self.fault: str | None = None
        self._told = told

    def has_told(self, event: str) -> bool:
        return f"{self.name}.{event}" in self._told

    async def expect(self, event: str, **facts: Any) -> dict[str, Any]:
        lines = self.script.get(f"{self.name}.{event}", {})
        if lines is None:
            await asyncio.Event().wait()
        if isinstance(lines, Iterator):
            lines = next(lines)
        self.last = {"event": event, **lines, **facts}
        return self.last

    async def say(self, command: str, **facts: Any) -> None:
        self.log.append(f"{self.name}: {command} {facts}" if facts else f"{self.name}: {command}")

    def check(self) -> None:
        if self.fault is not None:
            raise DemoFailed(self.fault)

    async def dismiss(self) -> int:
        self.log.append(f"{self.name} dismissed")
        return 0


class Gateway:
    """A deployment where everything works."""

    def __init__(self, folder: Path, log: list[str]) -> None:
        self.log = log
        self.home = folder
        self.csms_root = self.station_roots = folder / "root.pem"
        self.development_pki = folder / "dev"
        self.endpoints: Endpoints | None = None
        self.profile = 3
        self.images: dict[str, dict[str, Any]] = {}
        """Version -> what comes of an image when it is added."""
        self.is_silent = False
        """True: there are no security events."""

    async def init(self, operator: str, *options: str) -> None:
        self.log.append(" ".join(["init", operator, *options]))
        self.csms_root.write_text("root")

    def use_backend(self, port: int, password_file: Path) -> None:
        assert stat.S_IMODE(password_file.stat().st_mode) == 0o600
        self.log.append(f"backend {port}")

    def use_files(self, vendor: str, site_port: int, policy: Path) -> None:
        assert policy.is_file()
        self.log.append(f"files {vendor} {site_port}")

    async def sign_firmware(self, image: Path, certificate: Path, key: Path, out: Path) -> dict[str, Any]:
        check_files(image, certificate, key)
        self.log.append(f"sign {image.name} by {certificate.relative_to(self.home)}")
        await asyncio.to_thread(out.write_text, image.name)
        return {"algorithm": "ecdsa-sha256", "sha256": "ab" * 32, "signer": "CN=Signer"}

    async def add_firmware(self, url: str, version: str, signature: Path, certificate: Path) -> dict[str, Any]:
        check_files(signature, certificate)
        self.log.append(f"add {url} {version}")
        return self.images[version]

    async def security_event(self, identity: str, kind: str) -> dict[str, Any]:
        if self.is_silent:
            await asyncio.Event().wait()
        return {"identity": identity, "type": kind, "detail": f"firmware: {kind}"}

    async def serve(self) -> Endpoints:
        self.endpoints = Endpoints("wss://localhost:1/ocpp", 1, 2, 3)
        return self.endpoints

    async def add_station(self, identity: str, *, serial: str, profile: int) -> dict[str, Any]:
        self.log.append(f"add {identity} {serial} {profile}")
        return {"password": "f0rget-me"}

    async def add_contract(self, pcid: str, emaid: str) -> None:
        self.log.append(f"contract {pcid} {emaid}")

    async def renew_certificate(self, identity: str) -> None:
        self.log.append(f"renew {identity}")

    async def station(self, identity: str) -> dict[str, Any]:
        return {"identity": identity, "profile": self.profile}

    async def stop(self) -> int:
        self.log.append("gateway stopped")
        return 0


def check_files(*paths: Path) -> None:
    """A command is given files that are there."""
    assert all(path.is_file() for path in paths)


class Stage:
    """A story with its actors."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, tale: type[Story] = Story) -> None:
        self.log: list[str] = []
        self.script: dict[str, Any] = {
            "backend.listening": {"port": 4711},
            "backend.boot": {"vendor": "Voltgate", "model": "Demo"},
            "backend.remote_start": {"status": "Accepted"},
            "backend.start_transaction": {"transaction": 1, "register": 1_000},
            "backend.meter_value": {"register": 2_000},
            "backend.stop_transaction": {"transaction": 1, "reason": "Local", "account": ACCOUNT},
            "station.connected": {"tls": "TLSv1.3", "cipher": "AES"},
            "station.csr": {"status": "Accepted"},
            "station.certificate": {"status": "Accepted", "why": "-"},
            "station.remote_start": {"id_token": TOKEN},
            "station.transaction": {"account": ACCOUNT},
        }
        self.folder = folder
        self.told: AbstractSet[str] = frozenset()
        """ACTOR.EVENT that is told without being waited for."""
        self.actors: dict[str, Actor] = {}
        self.screen = io.StringIO()
        self.timeline = Timeline(Console(file=self.screen, width=200))
        self.story = tale(folder, self.timeline, ("--lose-wh", "7"))
        self.gateway = Gateway(folder, self.log)
        monkeypatch.setattr(self.story, "gateway", self.gateway)
        monkeypatch.setattr(Talker, "start", self.start)

    async def start(self, name: str, words: tuple[str, ...], **_: object) -> Actor:
        self.log.append(f"start {name} {' '.join(words[3:])}".replace(str(self.folder), "."))
        self.actors[name] = Actor(name, self.script, self.log, self.told)
        return self.actors[name]
