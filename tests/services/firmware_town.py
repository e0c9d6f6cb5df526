"""Stations, images, links and records of updates, as small as the tests of updates can do with."""

import asyncio
import itertools
from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from gateway.bridge.books import Json
from gateway.bridge.ports import PeerUnavailable, UpdateOrdered
from gateway.services.firmware_desk import StationFirmwareDesk
from gateway.services.firmware_steps import UNSENT, Surroundings
from gateway.services.firmware_updates import FirmwareUpdates
from gateway.session.firmware import FirmwareImage, ImageState, NewUpdate, UpdateRecord, UpdateSource, UpdateState
from gateway.session.ports import StationRecord, StoreAway
from gateway.session.turn import Turn
from gateway.wire.versions import Version
from tests.services.conftest import KeptEvents, Owned, ScriptedStation, settle

if TYPE_CHECKING:
    from pki.firmware import FirmwareRefused

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
AT = "2026-05-01T12:00:00Z"
LOCATION = "https://fw.example.com/fw.bin"
OURS = "https://gateway.example.com:8444/firmware/secret"
BOOT_201 = {"reason": "PowerUp", "chargingStation": {"vendorName": "Acme", "model": "One"}}
BOOT_16 = {"chargePointVendor": "Acme", "chargePointModel": "One"}
SIGNED = UpdateOrdered(
    "SignedUpdateFirmware", LOCATION, AT, request_id=7, signing_certificate="PEM", signature="c2lnbmF0dXJl"
)
PLAIN = UpdateOrdered("UpdateFirmware", LOCATION, AT, retries=3, retry_interval=60)


def image_of(image_id: int = 1, **fields: Any) -> FirmwareImage:
    values: dict[str, Any] = dict.fromkeys(FirmwareImage.__slots__)
    values |= {
        "id": image_id,
        "manufacturer": "acme",
        "version": "2.0",
        "location": LOCATION,
        "state": ImageState.VERIFIED,
        "sha256": "ab" * 32,
        "signature": SIGNED.signature,
        "signing_certificate": SIGNED.signing_certificate,
        "added_at": NOW,
        "added_by": "api",
        "changed_at": NOW,
        "changed_by": "api",
    }
    return FirmwareImage(**(values | fields))


class Publishing:
    """Who publishes: notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    async def publish(self, station: Any, _: Json) -> str:
        self.asked.append(("publish", station.identity))
        return "Accepted"

    async def unpublish(self, station: Any, _: Json) -> str:
        self.asked.append(("unpublish", station.identity))
        return "Unpublished"

    async def publication(self, station: Any) -> Json:
        self.asked.append(("publication", station.identity))
        return {"status": "Idle"}

    def proceed(self, identity: str) -> None:
        self.asked.append(("proceed", identity))


class UpdatedStation(ScriptedStation):
    """A station with its bridge and its backend: ``told`` is what the bridge hears of it, or in its place."""

    def __init__(self, version: Version = Version.V201, identity: str = "CS1") -> None:
        super().__init__(version=version, record=StationRecord(identity, 2))
        self.boot: Json | None = BOOT_16 if version is Version.V16 else BOOT_201
        self.turn = Turn()
        self.bridge: Any = self
        self.backend: Any = self
        self.is_up = True
        self.told: list[tuple[str, Json]] = []

    async def from_station(self, action: str, payload: Json) -> Json:
        assert self.turn.locked()
        self.told.append((action, payload))
        return {}

    @property
    def statuses(self) -> list[str]:
        return [payload["status"] for _, payload in self.told]


class Book:
    """Fulfils ``UpdateBook`` in memory."""

    def __init__(self) -> None:
        self.records: dict[int, UpdateRecord] = {}
        self.ids = itertools.count(1)
        self.fails: list[Exception] = []
        self.now = NOW

    async def add(
        self, new: NewUpdate, *, state: UpdateState = UpdateState.PREPARING, **told: Any
    ) -> tuple[UpdateRecord, Sequence[UpdateRecord]]:
        self._check()
        open_ones = [each for each in self._of(new.identity) if each.state in UNSENT]
        replaced = [self._keep(replace(each, state=UpdateState.CANCELED)) for each in open_ones]
        number = next(self.ids)
        values = {"status": None, "reason": None, **told}
        record = UpdateRecord(
            **asdict(new),
            id=number,
            request_id=500 + number,
            state=state,
            created_at=NOW,
            changed_at=self.now,
            **values,
        )
        return self._keep(record), replaced

    async def find(self, update_id: int) -> UpdateRecord | None:
        return self.records.get(update_id)

    async def of_request(self, identity: str, request_id: int | None) -> UpdateRecord | None:
        found = [each for each in self._of(identity) if each.request_id == request_id]
        return found[-1] if found else None

    async def list(
        self,
        *,
        identity: str | None = None,
        campaign_id: int | None = None,
        states: Collection[UpdateState] | None = None,
        after: int = 0,
        at_most: int | None = None,
    ) -> Sequence[UpdateRecord]:
        self._check()
        return [
            each
            for each in self.records.values()
            if identity in {None, each.identity}
            and campaign_id in {None, each.campaign_id}
            and (states is None or each.state in states)
            and each.id > after
        ][:at_most]

    async def untold(self, identity: str) -> Sequence[UpdateRecord]:
        return [each for each in self._of(identity) if each.untold]

    async def unfinished(self) -> Sequence[str]:
        return sorted({each.identity for each in self.records.values() if each.state in UNSENT or each.untold})

    async def silent(self, since: datetime) -> Sequence[UpdateRecord]:
        return [each for each in self.records.values() if each.state is UpdateState.SENT and each.changed_at <= since]

    async def move(
        self, update_id: int, state: UpdateState, *, was: Collection[UpdateState], **values: Any
    ) -> UpdateRecord | None:
        self._check()
        record = self.records[update_id]
        return self._keep(replace(record, state=state, **values)) if record.state in was else None

    async def told(self, update_id: int) -> UpdateRecord | None:
        return self._keep(replace(self.records[update_id], untold=False))

    async def cancel_sent(self, agreed: UpdateRecord) -> Sequence[UpdateRecord]:
        older = [each for each in self._of(agreed.identity) if each.id < agreed.id and each.state is UpdateState.SENT]
        return [self._keep(replace(each, state=UpdateState.CANCELED)) for each in older]

    def _of(self, identity: str) -> Sequence[UpdateRecord]:
        return [each for each in self.records.values() if each.identity == identity]

    def _keep(self, record: UpdateRecord) -> UpdateRecord:
        self.records[record.id] = record
        return record

    def _check(self) -> None:
        if self.fails:
            raise self.fails.pop(0)


class Catalogue:
    """Fulfils what updates and desks need of the catalogue; ``refuses`` is raised by what is asked of an image."""

    def __init__(self) -> None:
        self.images = {1: image_of()}
        self.prepared: list[tuple[int, str | None, str | None, str | None]] = []
        self.expected: list[dict[str, Any]] = []
        self.refuses: Exception | None = None
        self.signer_refused: FirmwareRefused | None = None
        self.order_refused: FirmwareRefused | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.signer_gate = asyncio.Event()
        self.signer_gate.set()

    async def find(self, image_id: int) -> FirmwareImage | None:
        return self.images.get(image_id)

    async def prepare(
        self, image_id: int, *, vendor: str | None, model: str | None, location: str | None = None
    ) -> FirmwareImage:
        self.prepared.append((image_id, vendor, model, location))
        await self.gate.wait()
        if self.refuses is not None:
            raise self.refuses
        return self.images[image_id]

    async def for_order(self, location: str, vendor: str | None, model: str | None) -> FirmwareImage | None:
        assert (vendor, model) == ("Acme", "One")
        return next((each for each in self.images.values() if each.location == location), None)

    async def expect(self, location: str, **given: Any) -> FirmwareImage:
        if self.order_refused is not None:
            raise self.order_refused
        self.expected.append(given)
        number = len(self.images) + 1
        signed = {name: given[name] for name in ("signature", "signing_certificate")}
        self.images[number] = image_of(number, location=location, state=ImageState.QUARANTINED, **signed)
        return self.images[number]

    async def check_signer(self, image_id: int) -> None:
        await self.signer_gate.wait()
        if self.signer_refused is not None:
            raise self.signer_refused


class FakeLinks:
    """The links of updates."""

    def __init__(self) -> None:
        self.made: list[tuple[str, int, int, datetime | None]] = []
        self.closed: list[int] = []
        self.fails: list[Exception] = []

    async def download(
        self, identity: str, image: FirmwareImage, update_id: int, *, not_before: datetime | None = None
    ) -> str:
        if self.fails:
            raise self.fails.pop(0)
        self.made.append((identity, image.id, update_id, not_before))
        return f"{OURS}{len(self.made)}"

    async def close_update(self, update_id: int) -> None:
        self.closed.append(update_id)

    async def image_at(self, location: str) -> int | None:
        return None if location.startswith("http") else 1


class Town:
    """One station CS1, one image, and the updates."""

    def __init__(self, version: Version = Version.V201, *, plain: bool = False, links: bool = True) -> None:
        self.station: UpdatedStation | None = UpdatedStation(version)
        self.there = self.station
        self.registered: dict[str, StationRecord] = {
            "CS1": StationRecord("CS1", 2, boot_payload=self.there.boot, version=version)
        }
        self.book = Book()
        self.catalogue = Catalogue()
        self.links = FakeLinks()
        self.publishing = Publishing()
        self.events = KeptEvents()
        self.owned = Owned()
        self.plain = plain
        self._has_links = links
        self.changes: list[tuple[int, UpdateState]] = []
        self.updates = self.restarted()

    def restarted(self) -> FirmwareUpdates:
        """Begin anew on the same records."""
        self.updates = FirmwareUpdates(
            Surroundings(
                book=self.book,
                images=self.catalogue,
                links=cast("Any", self.links) if self._has_links else None,
                stations=cast("Any", self),
                live=lambda _: self.station,
                without_signature=lambda _: self.plain,
                security=self.events,
                spawn=self.owned.spawn,
                now=lambda: self.book.now,
            )
        )
        self.updates.watch(lambda record: self.changes.append((record.id, record.state)))
        return self.updates

    async def find(self, identity: str) -> StationRecord | None:
        return self.registered.get(identity)

    @property
    def desk(self) -> StationFirmwareDesk:
        return StationFirmwareDesk(self.there, "old", self.updates, self.catalogue, self.publishing, self.events)

    async def ordered(self, ordered: UpdateOrdered = SIGNED) -> str:
        """The backend orders, and hears the answer; what follows it is done."""
        status = await self.desk.order(ordered)
        await self.desk.proceed()
        await settle()
        return status

    async def operated(self) -> UpdateRecord:
        """An operator orders image 1."""
        record = await self.updates.order("CS1", 1, source=UpdateSource.OPERATOR, by="api")
        await settle()
        return self.book.records[record.id]

    async def says(self, status: str, request_id: int | None = 501) -> None:
        """The station sends a status notification."""
        named = {} if request_id is None else {"requestId": request_id}
        await self.updates.heard("CS1", {"status": status, **named})

    @property
    def last(self) -> UpdateRecord:
        return self.book.records[max(self.book.records)]


AWAY = StoreAway("the store is away")
GONE = PeerUnavailable("gone")
