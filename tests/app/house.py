"""The gateway's own services on a real store and the embedded CA, and a station that does as it is asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.app.authorities import Authorities, open_authorities
from gateway.app.station_services import StationServices
from gateway.app.tasks import Tasks
from gateway.config import Config
from gateway.session.boot import BootGate
from gateway.session.ports import BootStatus, Proof, Provisional, StationRecord
from gateway.session.station import Station
from gateway.session.tally import Tally
from gateway.store.certificate_requests import CertificateRequests
from gateway.store.database import Database
from gateway.store.stations import Stations
from gateway.wire.versions import Version

PATIENCE = 10.0
"""Seconds after which a test has failed."""


@dataclass
class FakeStation:
    """A connected station that accepts whatever it is asked."""

    identity: str = "CS1"
    proof: Proof = field(default_factory=lambda: Proof(2))
    record: StationRecord = field(default_factory=lambda: StationRecord("CS1", 2, "SN1"))
    version: Version = Version.V201
    gate: BootGate = field(default_factory=lambda: BootGate(BootStatus.PENDING))
    is_connected: bool = True
    bridge: SimpleNamespace = field(default_factory=SimpleNamespace)
    calls: asyncio.Queue[tuple[str, Any]] = field(default_factory=asyncio.Queue)

    @property
    def provisional(self) -> Provisional | None:
        return self.proof.provisional

    @property
    def profile(self) -> int:
        return self.proof.profile

    async def call_station(self, action: str, payload: Any) -> Any:
        self.calls.put_nowait((action, payload))
        return {"status": "Accepted"}

    def disconnect(self, code: int, reason: str) -> None:
        self.is_connected = False

    async def asked(self) -> tuple[str, Any]:
        async with asyncio.timeout(PATIENCE):
            return await self.calls.get()


def runtime(station: FakeStation) -> Station:
    return cast("Station", station)


class House:
    """The services, and what they stand on."""

    def __init__(self, config: Config, authorities: Authorities, database: Database) -> None:
        self.tasks = Tasks()
        self.stations = Stations(database)
        self.requests = CertificateRequests(database)
        self.services = StationServices(
            config, authorities, database, self.stations, Tally(), self.tasks, live=lambda _: None
        )

    async def idle(self) -> None:
        """Wait for what was begun."""
        async with asyncio.timeout(PATIENCE):
            while self.tasks._running:
                await asyncio.wait(list(self.tasks._running))

    async def certificate(self, station: FakeStation) -> x509.Certificate:
        """Have the station's CSR signed, and take what comes."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "SN1")])
        csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
        sign = self.services.by_action[station.version, "SignCertificate"]
        assert await sign(runtime(station), {"csr": csr.public_bytes(Encoding.PEM).decode()}) == {"status": "Accepted"}
        action, payload = await station.asked()
        assert action == "CertificateSigned"
        await self.idle()
        return x509.load_pem_x509_certificate(payload["certificateChain"].encode())


@asynccontextmanager
async def open_house(config: Config, folder: Path) -> AsyncIterator[House]:
    """Open the services on a store in ``folder``, where CS1 with the serial number SN1 is registered."""
    database = await Database.open(f"sqlite+aiosqlite:///{folder}/voltgate.db", exclusive=True)
    async with AsyncExitStack() as stack:
        made = House(config, await open_authorities(config, stack), database)
        await made.services.prepare(stack)
        if await made.stations.find("CS1") is None:
            await made.stations.add("CS1", profile=2, serial="SN1", backend=None, password_hash=None)
        yield made
        await made.tasks.close()
        await database.close()
