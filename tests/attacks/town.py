"""The running gateway with its default policy: a real process, real sockets, one station and its backend."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from tests.system.scripted_station import ScriptedStation, Station16, Station201

KINDS: Final[dict[str, Callable[..., ScriptedStation]]] = {"ocpp1.6": Station16, "ocpp2.0.1": Station201}
TAG: Final = "04A1B2C3"


def ago(seconds: float = 0) -> str:
    """Return a time of late, as stations write it."""
    return f"{datetime.now(UTC) - timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"


class Town:
    """What a station says, and what its backend orders, through the gateway."""

    def __init__(self, gateway: Any, backend: Any, station: Any) -> None:
        self.gateway = gateway
        self.backend = backend
        self.station = station

    async def says(self, action: str, **payload: Any) -> Any:
        """Have the station send a CALL; return the answer's payload, or the errorCode."""
        return (await self.station.call(action, payload))[2]

    async def orders(self, action: str, **payload: Any) -> Any:
        """Have the backend send a CALL; return the answer's payload, or the errorCode."""
        return (await self.backend.call(self.station.identity, action, payload))[2]

    def heard(self, action: str) -> list[Any]:
        """Return what the backend heard."""
        return [payload for heard, payload in self.backend.log if heard == action]

    def asked(self, action: str) -> list[Any]:
        """Return what the station was asked."""
        return [payload for asked, payload in self.station.asked if asked == action]

    def kept(self) -> list[str]:
        """Return the rules by which something was kept for a person, from the log, oldest first."""
        lines = [json.loads(line) for line in self.gateway.log.splitlines() if line.startswith("{")]
        return [line["rule"] for line in lines if line["event"] == "quarantined"]


@asynccontextmanager
async def settled(gateway: Any, backend: Any, folder: Path, version: str) -> AsyncIterator[Town]:
    """Register a station and have it boot."""
    body = {"identity": "CS1", "profile": 2, "serial": "SN-CS1", "pinned_version": version}
    status, made = await gateway.api("POST", "stations", body)
    assert status == 201, made
    station: Any = KINDS[version](
        gateway, folder, identity="CS1", serial="SN-CS1", password=made["password"], profile=2
    )
    async with station.online() as boot:
        assert boot["status"] == "Accepted"
        yield Town(gateway, backend, station)
