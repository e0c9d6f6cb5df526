"""A directory of stations whose connections are made up: for attacks on who holds an identity."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gateway.bridge.books import Books
from gateway.session.boot_notification import BootRules
from gateway.session.directory import Directory
from gateway.session.peer import Peer
from gateway.session.ports import Proof, StationRecord
from gateway.session.station import Station
from gateway.wire.versions import Version

if TYPE_CHECKING:
    from tests.session.conftest import FakeRegistry, FakeSecurityLog, Talk

RULES = BootRules(retry_interval=60, heartbeat_interval=900, cached=False, backend_wait=5.0)


class Hall:
    """The real directory with one registered station, CS1."""

    def __init__(self, registry: "FakeRegistry", new_talk: Callable[..., "Talk"], security: "FakeSecurityLog") -> None:
        self.record = registry.add(StationRecord("CS1", 1))
        self.directory = Directory(registry, self._build, self._leave, self._retire, security=security)
        self._registry = registry
        self._new_talk = new_talk

    async def comes(self, profile: int = 2, remote: str = "10.0.0.9") -> "Talk":
        """Admit a newcomer and open its WebSocket. Raises Held."""
        entry = await self.directory.enter(self.record, Proof(profile), Version.V201, remote)
        talk = self._new_talk(is_connected=False)
        talk.peer._opened = lambda peer: self.directory.attach(entry, peer)
        talk.peer._lost = lambda peer, _: self.directory.detach(entry.station, peer)
        talk.peer.connected(talk.socket)
        return talk

    def holder(self) -> Peer | None:
        """Return who holds the identity."""
        station = self.directory.get("CS1")
        return station.peer if station is not None else None

    async def _build(self, record: StationRecord, version: Version) -> Station:
        return Station(
            record,
            version=version,
            books=Books(),
            registry=self._registry,
            services={},
            boot_rules=RULES,
            clock=lambda: datetime.now(UTC),
        )

    async def _leave(self, station: Station) -> bool:
        return True

    async def _retire(self, station: Station) -> None:
        raise AssertionError("nobody changes the OCPP version here")
