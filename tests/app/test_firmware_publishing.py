"""From PublishFirmware to a link that stations load from, and back, on a real catalogue, store and links."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from gateway.app.file_urls import FileUrls
from gateway.app.firmware_publishing import station_publishing
from gateway.bridge.books import Json
from gateway.services.firmware_published import PublishedFirst
from gateway.services.firmware_publishing import FirmwarePublishing
from gateway.session.firmware import FirmwareImage, NewImage
from gateway.store.database import Database
from gateway.store.file_links import FileLinks
from gateway.store.firmware_publications import FirmwarePublications
from tests.services.catalogue_desk import OCTETS, PLACE, SIGNED, Desk, digest_of, firmware_desk

MD5 = digest_of(OCTETS).md5.hex()
BOOT = {"reason": "PowerUp", "chargingStation": {"vendorName": "ACME Ltd", "model": "A"}}
BASE = "https://files.example.com:8444"
BACKEND = "https://backend.example.com/fw.bin"


class Leg:
    """A station with its backend."""

    identity = "CS1"
    boot: Json = BOOT
    is_up = True

    def __init__(self) -> None:
        self.backend = self
        self.heard: list[Json] = []

    async def begun(self, _: float) -> None:
        """It is up."""

    async def call(self, _: str, payload: Json) -> Json:
        self.heard.append(payload)
        return {}


class House:
    """What publishing stands on."""

    def __init__(self, desk: Desk, database: Database) -> None:
        self.desk = desk
        self.database = database
        self.leg = Leg()
        self.urls = FileUrls(FileLinks(database, timedelta(days=7)), BASE)
        self.catalogue = PublishedFirst(cast("Any", desk.catalogue), self.urls)

    def publishing(self, *, has_links: bool = True) -> FirmwarePublishing:
        return station_publishing(
            self.database,
            self.desk.catalogue,
            self.urls if has_links else None,
            live=lambda name: (cast("Any", self.leg), "new") if name == "CS1" else None,
            security=self.desk,
            tasks=self.desk.tasks,
        )

    async def publish(self, publishing: FirmwarePublishing, location: str = PLACE, checksum: str = MD5) -> list[str]:
        """The backend asks; return what it hears, when all is done."""
        self.leg.heard.clear()
        asked = {"location": location, "checksum": checksum, "requestId": 7}
        assert await publishing.publish(cast("Any", self.leg), asked) == "Accepted"
        await self.go_on(publishing)
        return [each["status"] for each in self.leg.heard]

    async def go_on(self, publishing: FirmwarePublishing) -> None:
        await publishing._work("CS1")


async def added(house: House, folder: Path) -> FirmwareImage:
    """Return an image of the catalogue, verified."""
    (folder / "image.bin").write_bytes(OCTETS)
    new = NewImage("acme", "1.0", signature=SIGNED.signature, signing_certificate=SIGNED.signing_certificate)
    return await house.desk.catalogue.add(new, "ann", folder / "image.bin")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with firmware_desk(tmp_path) as desk:
        yield House(desk, desk.images._database)


async def test_what_is_published_is_loaded_and_ordered_by_its_link(house: House, tmp_path: Path) -> None:
    image = await added(house, tmp_path)
    publishing = house.publishing()

    said = await house.publish(publishing, BACKEND)

    assert said == ["Downloading", "Downloaded", "ChecksumVerified", "Published"]
    (url,) = house.leg.heard[-1]["location"]
    assert url.startswith(f"{BASE}/firmware/")
    assert await house.catalogue.for_order(url, "ACME Ltd", "A") == image
    (record,) = await FirmwarePublications(house.database).list("CS1")
    assert (record.image_id, record.published) == (image.id, ())

    assert await publishing.unpublish(cast("Any", house.leg), {"checksum": MD5}) == "Unpublished"
    assert await house.urls.image_at(url) is None
    assert await house.catalogue.for_order(url, "ACME Ltd", "A") is None


async def test_a_withdrawn_image_is_loaded_by_nobody(house: House, tmp_path: Path) -> None:
    image = await added(house, tmp_path)
    publishing = house.publishing()
    await house.publish(publishing, BACKEND)
    (url,) = house.leg.heard[-1]["location"]

    await house.desk.catalogue.withdraw(image.id, "a bug", "ann")

    assert await house.urls.image_at(url) is None
    assert await house.publish(publishing, BACKEND) == ["Downloading", "PublishFailed"]


async def test_what_nobody_has_signed_is_not_published(house: House) -> None:
    assert await house.publish(house.publishing()) == ["Downloading", "PublishFailed"]
    assert [event.kind for event in house.desk.events] == ["UnverifiedFirmware"]
    assert house.desk.disk.fetched == []


async def test_without_an_endpoint_nothing_is(house: House) -> None:
    asked = {"location": PLACE, "checksum": MD5, "requestId": 7}
    assert await house.publishing(has_links=False).publish(cast("Any", house.leg), asked) == "Rejected"


async def test_a_restart_takes_up_what_was_left(house: House, tmp_path: Path) -> None:
    await added(house, tmp_path)
    asked = {"location": BACKEND, "checksum": MD5, "requestId": 7}
    assert await house.publishing().publish(cast("Any", house.leg), asked) == "Accepted"

    again = house.publishing()
    await again.load()
    await house.go_on(again)

    assert house.leg.heard[-1]["status"] == "Published"
