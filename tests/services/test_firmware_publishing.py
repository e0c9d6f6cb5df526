"""The gateway as a local controller: what a backend hears of its PublishFirmware, over trouble and restarts."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from gateway.bridge.books import Json
from gateway.bridge.ports import PeerUnavailable
from gateway.services.firmware_publishing import (
    ACTION,
    FirmwarePublishing,
    PublishingStation,
    Surroundings,
)
from gateway.session.firmware import (
    FirmwareImage,
    FirmwareUnknown,
    ImageState,
    PublicationRecord,
    PublicationState,
    Publisher,
)
from gateway.session.ports import StoreAway
from gateway.session.security import Kind
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.schemas import operation
from gateway.wire.versions import Version
from pki.firmware import FirmwareRefused, Refusal
from tests.services.conftest import KeptEvents, Owned, settle

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
MD5 = "0123456789abcdef0123456789abcdef"
PUBLISH: Json = {"location": "https://user:secret@example.com/fw.bin", "checksum": MD5.upper(), "requestId": 7}
OTHER = {**PUBLISH, "location": "https://elsewhere.example.com/fw.bin"}
BOOT = {"reason": "PowerUp", "chargingStation": {"vendorName": "ACME", "model": "A"}}
WAY = ["Downloading", "Downloaded", "ChecksumVerified", "Published"]


class Book:
    """Fulfils ``PublicationBook``."""

    def __init__(self) -> None:
        self.records: dict[int, PublicationRecord] = {}
        self.is_full = False
        self.is_away = False

    def _check(self) -> None:
        if self.is_away:
            raise StoreAway("no database")

    async def add(self, identity: str, request_id: int, *, checksum: str, location: str) -> PublicationRecord | None:
        self._check()
        if self.is_full:
            return None
        return self._keep(
            PublicationRecord(
                len(self.records) + 1,
                identity,
                Publisher.GATEWAY,
                request_id,
                checksum,
                location,
                None,
                PublicationState.DOWNLOAD_SCHEDULED,
                untold=False,
                published=(),
                created_at=NOW,
                changed_at=NOW,
            )
        )

    def _keep(self, record: PublicationRecord) -> PublicationRecord:
        self.records[record.id] = record
        return record

    async def newest(self, identity: str) -> PublicationRecord | None:
        found = [each for each in self.records.values() if each.identity == identity]
        return found[-1] if found else None

    async def live(self, identity: str, checksum: str) -> Sequence[PublicationRecord]:
        return [
            each
            for each in self.records.values()
            if (each.identity, each.checksum) == (identity, checksum)
            and (each.state.is_open or each.state is PublicationState.PUBLISHED)
        ]

    async def is_published(self, image_id: int) -> bool:
        return any(
            (each.image_id, each.state) == (image_id, PublicationState.PUBLISHED) for each in self.records.values()
        )

    async def unfinished(self, identity: str) -> Sequence[PublicationRecord]:
        self._check()
        return [
            each for each in self.records.values() if each.identity == identity and (each.state.is_open or each.untold)
        ]

    async def stations(self) -> Sequence[str]:
        return sorted({each.identity for each in self.records.values() if each.state.is_open or each.untold})

    async def move(
        self,
        publication_id: int,
        state: PublicationState,
        *,
        was: Collection[PublicationState],
        untold: bool = False,
        image_id: int | None = None,
    ) -> PublicationRecord | None:
        self._check()
        record = self.records[publication_id]
        if record.state not in was:
            return None
        image_id = record.image_id if image_id is None else image_id
        return self._keep(replace(record, state=state, untold=untold, image_id=image_id))

    async def told(self, publication_id: int) -> None:
        self._check()
        self._keep(replace(self.records[publication_id], untold=False))


def image(number: int = 1, md5: str | None = MD5) -> FirmwareImage:
    texts = dict.fromkeys(FirmwareImage.__slots__)
    return FirmwareImage(
        **cast("Any", {**texts, "id": number, "state": ImageState.VERIFIED, "md5": md5, "sha256": "0" * 64})
    )


class Catalogue:
    """Knows one place; an exception in the place of an image is what is found of it."""

    def __init__(self) -> None:
        self.of_place: dict[str, FirmwareImage] = {PUBLISH["location"]: image()}
        self.of_md5: list[FirmwareImage] = []
        self.found: dict[int, Exception] = {}
        self.when_prepared: Callable[[], None] = lambda: None
        self.prepared: list[tuple[int, str | None, str | None, str | None]] = []

    async def for_order(self, location: str, vendor: str | None, model: str | None) -> FirmwareImage | None:
        assert (vendor, model) == ("ACME", "A")
        return self.of_place.get(location)

    async def list(
        self, *, state: ImageState | None = None, md5: str | None = None, limit: int = 1000
    ) -> Sequence[FirmwareImage]:
        assert (state, md5) == (ImageState.VERIFIED, MD5)
        return self.of_md5[:limit]

    async def prepare(
        self, image_id: int, *, vendor: str | None, model: str | None, location: str | None = None
    ) -> FirmwareImage:
        self.prepared.append((image_id, vendor, model, location))
        self.when_prepared()
        if image_id in self.found:
            raise self.found[image_id]
        return next(each for each in [*self.of_place.values(), *self.of_md5] if each.id == image_id)


class FakeLinks:
    """Each link is a new one."""

    def __init__(self) -> None:
        self.made = 0
        self.closed: list[int] = []

    async def publish(self, _: FirmwareImage) -> str:
        self.made += 1
        return f"https://files.example.com/firmware/secret-{self.made}/fw.bin"

    async def unpublish(self, image_id: int) -> None:
        self.closed.append(image_id)


class Leg:
    """A station with its backend, which writes down what it hears; ``backend`` is itself."""

    def __init__(self, identity: str = "CS1") -> None:
        self.identity = identity
        self.boot: Json | None = BOOT
        self.is_up = True
        self.is_coming = False
        """Its leg is only being opened."""
        self.refuses = False
        self.heard: list[Json] = []
        self.backend = cast("Any", self)

    async def begun(self, _: float) -> None:
        self.is_up |= self.is_coming

    def goes(self) -> None:
        """The backend is lost."""
        self.is_up = False

    async def call(self, action: str, payload: Json) -> Json:
        assert action == ACTION
        operation(Version.V201, action).request.check(payload)
        if not self.is_up:
            raise PeerUnavailable("the backend is away")
        self.heard.append(payload)
        if self.refuses:
            raise CallError(ErrorCode.INTERNAL_ERROR, "no")
        return {}

    @property
    def said(self) -> list[str]:
        return [each["status"] for each in self.heard]


@dataclass
class World:
    """One gateway, which can be killed and started anew."""

    events: KeptEvents
    leg: Leg = field(default_factory=Leg)
    book: Book = field(default_factory=Book)
    catalogue: Catalogue = field(default_factory=Catalogue)
    links: FakeLinks = field(default_factory=FakeLinks)
    loaded: set[int] = field(default_factory=set)
    live: dict[str, Leg] = field(default_factory=dict)
    owned: Owned = field(default_factory=Owned)

    def __post_init__(self) -> None:
        self.live[self.leg.identity] = self.leg
        self.publishing = self._new()

    def _new(self, *, has_links: bool = True) -> FirmwarePublishing:
        return FirmwarePublishing(
            Surroundings(
                book=self.book,
                images=self.catalogue,
                links=cast("Any", self.links) if has_links else None,
                live=cast("Callable[[str], PublishingStation | None]", self.live.get),
                security=self.events,
                spawn=self.owned.spawn,
            )
        )

    async def publish(self, payload: Json = PUBLISH, leg: Leg | None = None) -> str:
        """The backend asks, and hears the answer first."""
        leg = leg or self.leg
        operation(Version.V201, "PublishFirmware").request.check(payload)
        status = await self.publishing.publish(cast("PublishingStation", leg), payload)
        self.publishing.proceed(leg.identity)
        await settle()
        return status

    async def unpublish(self, checksum: str = MD5, leg: Leg | None = None) -> str:
        return await self.publishing.unpublish(cast("PublishingStation", leg or self.leg), {"checksum": checksum})

    async def stands(self) -> Json:
        return await self.publishing.publication(cast("PublishingStation", self.leg))

    async def look(self) -> None:
        self.publishing.look()
        await settle()

    async def restart(self) -> None:
        await self.owned.cancel()
        self.owned = Owned()
        self.publishing = self._new()
        await self.publishing.load()
        await self.look()


@pytest.fixture
async def world(events: KeptEvents) -> AsyncIterator[World]:
    world = World(events)
    yield world
    await world.owned.cancel()


async def test_a_good_image_is_published_and_told_step_by_step(world: World) -> None:
    assert await world.publish() == "Accepted"

    assert world.leg.said == WAY
    assert world.leg.heard[-1] == {
        "status": "Published",
        "requestId": 7,
        "location": ["https://files.example.com/firmware/secret-1/fw.bin"],
    }
    assert {each["requestId"] for each in world.leg.heard} == {7}
    assert world.catalogue.prepared == [(1, "ACME", "A", PUBLISH["location"])]
    assert await world.stands() == {"status": "Idle"}
    assert world.events.noted == []
    world.publishing.proceed("CS1")  # nothing is left to do
    await world.look()
    assert world.leg.said == WAY


@pytest.mark.parametrize(
    ("refusal", "said", "kinds"),
    [
        (Refusal.FETCH_FAILED, ["DownloadFailed"], []),
        (Refusal.TOO_LARGE, ["DownloadFailed"], []),
        (Refusal.NO_SPACE, ["DownloadFailed"], []),
        (Refusal.SOURCE_NOT_ALLOWED, ["DownloadFailed"], [Kind.UNSAFE_LOCATION]),
        (Refusal.SIGNATURE_INVALID, ["PublishFailed"], [Kind.INVALID_FIRMWARE_SIGNATURE]),
        (Refusal.CERTIFICATE_REVOKED, ["PublishFailed"], [Kind.INVALID_FIRMWARE_CERTIFICATE]),
        (Refusal.REVOCATION_UNKNOWN, ["PublishFailed"], []),
        (Refusal.CHANGED, ["PublishFailed"], [Kind.INVALID_FIRMWARE_SIGNATURE]),
        (Refusal.MANUFACTURER_UNKNOWN, ["PublishFailed"], [Kind.UNVERIFIED_FIRMWARE]),
    ],
)
async def test_what_is_not_good_is_not_published(
    world: World, refusal: Refusal, said: list[str], kinds: list[str]
) -> None:
    world.catalogue.found[1] = FirmwareRefused(refusal, "no good")

    assert await world.publish() == "Accepted"

    assert world.leg.said == ["Downloading", *said]
    assert world.events.kinds == kinds
    assert world.links.made == 0
    assert await world.stands() == {"status": said[-1], "requestId": 7}
    assert await world.unpublish() == "NoFirmware"


@pytest.mark.parametrize("md5", ["f" * 32, None])
async def test_another_checksum(world: World, md5: str | None) -> None:
    world.catalogue.of_place[PUBLISH["location"]] = image(md5=md5)
    await world.publish()
    assert world.leg.said == ["Downloading", "Downloaded", "InvalidChecksum"]
    assert world.links.made == 0


async def test_what_nobody_has_signed_is_an_alarm(world: World) -> None:
    await world.publish(OTHER)
    assert world.leg.said == ["Downloading", "PublishFailed"]
    assert world.events.kinds == [Kind.UNVERIFIED_FIRMWARE]
    assert world.catalogue.prepared == []


async def test_what_is_verified_is_known_by_its_checksum_wherever_the_backend_has_it(world: World) -> None:
    world.catalogue.of_md5 = [image(2), image(3), image(4)]
    world.catalogue.found = {
        2: FirmwareRefused(Refusal.WRONG_STATION, "of others"),
        3: FirmwareUnknown("removed meanwhile"),
    }

    await world.publish(OTHER)

    assert world.leg.said == WAY
    assert [each[0] for each in world.catalogue.prepared] == [2, 3, 4]


async def test_one_that_was_removed_meanwhile(world: World) -> None:
    world.catalogue.found[1] = FirmwareUnknown("there is no firmware image 1")
    await world.publish()
    assert world.leg.said == ["Downloading", "PublishFailed"]


async def test_how_it_ended_is_told_when_the_backend_is_back(world: World) -> None:
    world.catalogue.when_prepared = world.leg.goes
    await world.publish()
    await world.look()
    assert world.leg.said == ["Downloading"]
    assert await world.stands() == {"status": "Idle"}

    world.leg.is_up = True
    await world.look()
    await world.look()

    assert world.leg.said == ["Downloading", "Published"]
    assert world.leg.heard[-1]["location"][0].endswith("secret-1/fw.bin")
    assert len(world.catalogue.prepared) == 1


async def test_nothing_is_begun_without_the_backend_but_its_leg_may_be_on_its_way(world: World) -> None:
    world.leg.is_up = False
    await world.publish()
    assert (world.leg.heard, world.catalogue.prepared) == ([], [])

    world.leg.is_coming = True
    world.publishing.proceed("CS1")
    await settle()
    assert world.leg.said == WAY


async def test_a_backend_that_refuses_to_hear_it_is_not_asked_again(world: World) -> None:
    world.leg.refuses = True
    await world.publish()
    await world.look()
    assert world.leg.said == WAY


async def test_a_restart_goes_on_and_makes_a_new_link(world: World) -> None:
    world.catalogue.when_prepared = world.leg.goes
    await world.publish()
    world.leg.is_up = True
    world.leg.heard.clear()
    world.catalogue.when_prepared = lambda: None

    await world.restart()

    assert world.leg.said == ["Published"]
    assert world.leg.heard[0]["location"] == ["https://files.example.com/firmware/secret-2/fw.bin"]
    await world.restart()
    assert world.leg.said == ["Published"]


async def test_after_a_restart_it_is_looked_at_again(world: World) -> None:
    world.catalogue.when_prepared = world.leg.goes
    await world.publish()
    world.leg.is_up = True
    world.leg.heard.clear()
    world.catalogue.when_prepared = lambda: None
    world.catalogue.found[1] = FirmwareRefused(Refusal.WITHDRAWN, "withdrawn")

    await world.restart()

    assert world.leg.said == ["PublishFailed"]
    assert await world.unpublish() == "NoFirmware"


async def test_nothing_is_done_for_a_leg_that_is_not_there(world: World) -> None:
    del world.live["CS1"]
    await world.publish()
    await world.look()
    assert (world.leg.heard, world.catalogue.prepared) == ([], [])
    assert await world.stands() == {"status": "DownloadScheduled", "requestId": 7}
    assert await world.unpublish() == "DownloadOngoing"

    world.live["CS1"] = world.leg
    world.publishing.proceed("CS1")
    await settle()
    assert world.leg.said == WAY


async def test_a_store_that_is_away_is_asked_again(world: World) -> None:
    world.book.is_away = True
    with pytest.raises(StoreAway):
        await world.publish()
    world.book.is_away = False
    status = await world.publishing.publish(cast("PublishingStation", world.leg), PUBLISH)
    world.book.is_away = True
    world.publishing.proceed("CS1")
    await settle()
    assert (status, world.leg.heard) == ("Accepted", [])

    world.book.is_away = False
    await world.look()
    assert world.leg.said == WAY


async def test_two_on_one_leg_come_one_after_the_other(world: World) -> None:
    for number in (7, 8):
        await world.publishing.publish(cast("PublishingStation", world.leg), {**PUBLISH, "requestId": number})
        world.publishing.proceed("CS1")
    await settle()
    assert world.leg.said == [*WAY, *WAY]
    assert [each["requestId"] for each in world.leg.heard] == [7] * 4 + [8] * 4


@pytest.mark.parametrize("reason", ["full", "no endpoint"])
async def test_what_can_not_be_published_is_rejected(world: World, reason: str) -> None:
    world.book.is_full = reason == "full"
    if reason == "no endpoint":
        world.publishing = world._new(has_links=False)
    assert await world.publish() == "Rejected"
    assert (world.leg.heard, world.book.records) == ([], {})


async def test_it_is_published_until_the_last_leg_wants_it_no_more(world: World) -> None:
    other = Leg("CS2")
    world.live["CS2"] = other
    await world.publish()
    await world.publish(leg=other)

    assert await world.unpublish(MD5.upper()) == "Unpublished"
    assert world.links.closed == []
    assert await world.unpublish() == "NoFirmware"
    assert await world.unpublish(leg=other) == "Unpublished"
    assert world.links.closed == [1]
    assert await world.stands() == {"status": "Idle"}
    assert await world.unpublish("0" * 32) == "NoFirmware"


async def test_what_a_station_is_loading_stays(world: World) -> None:
    await world.publish()
    world.publishing.is_loaded = world.loaded.__contains__
    world.loaded.add(1)
    assert await world.unpublish() == "DownloadOngoing"
    world.loaded.clear()
    assert await world.unpublish() == "Unpublished"


async def test_one_that_is_unpublished_before_the_backend_has_heard_of_it_is_over(world: World) -> None:
    world.catalogue.when_prepared = world.leg.goes
    await world.publish()
    assert await world.unpublish() == "Unpublished"
    world.leg.is_up = True
    await world.look()
    assert world.leg.said == ["Downloading"]


async def test_it_begins_with_the_gateway(world: World) -> None:
    world.publishing.start()
    assert [task.get_name() for task in world.owned.tasks] == ["publications of firmware"]
