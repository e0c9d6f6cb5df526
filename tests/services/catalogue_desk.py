"""A catalogue on a real store; what lies on the disk, and who signed it, is said by the test."""

import asyncio
import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.app.tasks import Tasks
from gateway.services.firmware_catalogue import FirmwareCatalogue
from gateway.services.firmware_inspection import Progress, Verifier
from gateway.session.security import SecurityEvent
from gateway.store.database import Database
from gateway.store.firmware_images import FirmwareImages
from pki.firmware import Algorithm, FirmwareRefused, ImageDigest, Refusal, Signed, Verified

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OCTETS = b"firmware"
SHA256 = hashlib.sha256(OCTETS).hexdigest()
PLACE = "https://fw.example.com/a.bin"
SIGNED = Signed("c2ln", "a certificate")

_MIGRATED: list[bytes] = []
"""A store with nothing in its tables, made once."""


def digest_of(octets: bytes) -> ImageDigest:
    return ImageDigest(
        len(octets), hashlib.sha256(octets).digest(), hashlib.md5(octets, usedforsecurity=False).digest()
    )


class Disk:
    """The octets that are here, by SHA-256, and those that can be had, by location."""

    def __init__(self) -> None:
        self.here: dict[str, bytes] = {}
        self.places: dict[str, bytes | FirmwareRefused] = {PLACE: OCTETS}
        self.fetched: list[str] = []
        self.kept: list[str] = []
        self.full = False
        self.go = asyncio.Event()
        """Fetching waits for it."""
        self.go.set()
        self.began = asyncio.Event()
        """Something is being fetched."""

    async def take(self, key: str, source: Path | AsyncIterable[bytes], progress: Progress | None) -> ImageDigest:
        if self.full:
            raise FirmwareRefused(Refusal.NO_SPACE, "the disk is full")
        if isinstance(source, Path):
            return self._keep(await asyncio.to_thread(source.read_bytes), progress)
        octets = b"".join([each async for each in source])
        return self._keep(octets, progress)

    async def fetch(self, key: str, location: str, progress: Progress | None) -> ImageDigest:
        self.fetched.append(location)
        self.began.set()
        await self.go.wait()
        found = self.places.get(location, FirmwareRefused(Refusal.FETCH_FAILED, "it answered 404"))
        if isinstance(found, FirmwareRefused):
            raise found
        return self._keep(found, progress)

    def check_location(self, location: str) -> None:
        if "fw.example.com" not in location:
            raise FirmwareRefused(Refusal.SOURCE_NOT_ALLOWED, "it isn't on the list (firmware.sources)")

    async def check(self, sha256: str) -> ImageDigest | None:
        octets = self.here.get(sha256)
        if octets is None:
            return None
        if hashlib.sha256(octets).hexdigest() != sha256:
            raise FirmwareRefused(Refusal.CHANGED, "the file has other octets")
        return digest_of(octets)

    async def verified(self, sha256: str) -> None:
        self.kept.append(sha256)

    async def remove(self, sha256: str) -> None:
        del self.here[sha256]

    def _keep(self, octets: bytes, progress: Progress | None) -> ImageDigest:
        digest = digest_of(octets)
        self.here[digest.sha256.hex()] = octets
        if progress is not None:
            progress(len(octets), len(octets))
        return digest


class Signers:
    """The manufacturers, and what their verifiers say: they are each other's likeness."""

    def __init__(self) -> None:
        self.names = {"acme": "ACME Ltd", "other": "other"}
        self.bad_signer: FirmwareRefused | None = None
        self.good = {SHA256}
        """What has been signed."""

    def of_vendor(self, vendor: str) -> str | None:
        return next((name for name, each in self.names.items() if each == vendor), None)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    async def verifier(self, name: str) -> Verifier:
        if name not in self.names:
            raise FirmwareRefused(Refusal.MANUFACTURER_UNKNOWN, f"{name} isn't configured")
        return self

    async def check_signer(self, pem: str, *, signed_at: datetime | None = None) -> None:
        if self.bad_signer is not None:
            raise self.bad_signer

    async def verify(self, digest: ImageDigest, signed: Signed, *, signed_at: datetime | None = None) -> Verified:
        await self.check_signer(signed.signing_certificate)
        if digest.sha256.hex() not in self.good or signed != SIGNED:
            raise FirmwareRefused(Refusal.SIGNATURE_INVALID, "it isn't the signer's over these octets")
        return Verified(Algorithm.ECDSA, "CN=Signer", "f" * 64)


class Desk:
    """The catalogue, and what it stands on."""

    def __init__(self, database: Database) -> None:
        self.images = FirmwareImages(database, lambda: NOW)
        self.disk = Disk()
        self.signers = Signers()
        self.events: list[SecurityEvent] = []
        self.tasks = Tasks()
        self.spawned: list[asyncio.Task[None]] = []
        self.catalogue = self.restarted()

    def restarted(self) -> FirmwareCatalogue:
        """Return a catalogue on the same store and disk, as another process has it."""
        return FirmwareCatalogue(self.images, self.disk, self.signers, security=self, spawn=self.spawn, now=lambda: NOW)

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        self.spawned.append(self.tasks.spawn(work, name))
        return self.spawned[-1]

    def note(self, event: SecurityEvent) -> None:
        self.events.append(event)

    async def refusal_of(self, work: Any) -> Refusal:
        """Return why something is refused; that it is not is an error."""
        try:
            await work
        except FirmwareRefused as refused:
            return refused.refusal
        raise AssertionError("it wasn't refused")


@asynccontextmanager
async def firmware_desk(folder: Path) -> AsyncIterator[Desk]:
    """A desk while the context is open."""
    file = folder / "voltgate.db"
    url = f"sqlite+aiosqlite:///{file}"
    if not _MIGRATED:
        await (await Database.open(url, exclusive=True)).close()
        _MIGRATED.append(await asyncio.to_thread(file.read_bytes))
    await asyncio.to_thread(file.write_bytes, _MIGRATED[0])
    database = await Database.open(url, exclusive=True)
    desk = Desk(database)
    yield desk
    await desk.tasks.close()
    await database.close()
