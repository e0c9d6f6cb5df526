"""The catalogue's entries: who finds which, and what stays."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import insert

from gateway.session.firmware import (
    REASON_MAX,
    FirmwareConflict,
    FirmwareImage,
    FirmwareUnknown,
    ImageState,
    NewImage,
)
from gateway.store import firmware_images
from gateway.store.database import Database
from gateway.store.firmware_images import FirmwareImages
from gateway.store.firmware_models import FirmwareCampaignRow, FirmwareUpdateRow
from tests.linked_files import row_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLACE = "https://fw.example.com/a.bin"
NEW = NewImage("acme", "1.0", location=PLACE, signature="c2ln", signing_certificate="PEM", signed_at=NOW)


@pytest.fixture
def images(database: Database) -> FirmwareImages:
    return FirmwareImages(database, lambda: NOW)


async def update_of(database: Database, image_id: int, state: str) -> int:
    row = row_of(FirmwareUpdateRow, identity="CS1", image_id=image_id, state=state)
    del row["id"]
    statement = insert(FirmwareUpdateRow).returning(FirmwareUpdateRow.id)
    added: int = await database.write(lambda connection: connection.execute(statement, row).scalar_one())
    return added


async def test_an_image_begins_in_quarantine(images: FirmwareImages) -> None:
    added = await images.add(NEW, "ann")

    assert (added.manufacturer, added.version, added.model, added.location) == ("acme", "1.0", None, PLACE)
    assert (added.state, added.sha256, added.signed_at) == (ImageState.QUARANTINED, None, NOW)
    assert (added.added_by, added.added_at, added.changed_by, added.from_order) == ("ann", NOW, "ann", False)
    assert await images.find(added.id) == added
    assert await images.find(added.id + 1) is None


async def test_a_version_of_a_model_is_there_once(images: FirmwareImages) -> None:
    first = await images.add(NEW, "ann")
    with pytest.raises(FirmwareConflict, match=f"version 1.0 of acme is in the catalogue already, as image {first.id}"):
        await images.add(replace(NEW, location=None), "ann")
    for other in (replace(NEW, model="A"), replace(NEW, version="1.1"), replace(NEW, manufacturer="other")):
        await images.add(other, "ann")
    await images.change(first.id, "ann", {"state": ImageState.REFUSED})
    assert (await images.add(NEW, "ann")).id > first.id


async def test_a_full_catalogue(images: FirmwareImages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firmware_images, "IMAGES_MAX", 1)
    await images.add(NEW, "ann")
    with pytest.raises(FirmwareConflict, match="holds 1 images, as many as it takes"):
        await images.add(replace(NEW, version="2"), "ann")
    assert await images.expect(replace(NEW, location="https://fw.example.com/b"), "legacy") is None


async def test_an_order_finds_its_entry_again(images: FirmwareImages) -> None:
    first = await images.expect(NEW, "legacy")
    assert first is not None
    assert first.from_order
    assert await images.expect(NEW, "other") == first
    assert await images.expect(replace(NEW, model="A"), "other") == first  # which is for all models
    of_b = await images.expect(replace(NEW, location=f"{PLACE}?b", model="B"), "legacy")
    of_a = await images.expect(replace(NEW, location=f"{PLACE}?b", model="A"), "legacy")
    assert of_a is not None
    assert of_b is not None
    assert (of_a.model, of_b.model) == ("A", "B")
    for other in (replace(NEW, signature="eA=="), replace(NEW, signing_certificate="other")):
        found = await images.expect(other, "legacy")
        assert found is not None
        assert found.id > first.id


async def test_what_was_verified_is_the_same_at_another_place(images: FirmwareImages) -> None:
    """A store's URLs are signed anew for each order."""
    first = await images.expect(replace(NEW, location=f"{PLACE}?sig=1"), "legacy")
    unverified = await images.expect(replace(NEW, location=f"{PLACE}?sig=2"), "legacy")
    assert first is not None
    assert unverified is not None
    assert unverified.id != first.id
    await images.change(first.id, "gateway", {"state": ImageState.VERIFIED})
    assert (await images.expect(replace(NEW, location=f"{PLACE}?sig=3"), "legacy")) == await images.find(first.id)
    assert await images.expect(replace(NEW, location=f"{PLACE}?sig=2"), "legacy") == unverified


async def test_what_orders_bring_unverified_is_bounded(
    images: FirmwareImages, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(firmware_images, "_OLD_UNVERIFIED", firmware_images._OLD_UNVERIFIED.offset(None).offset(2))
    kept = await images.add(replace(NEW, version="of a person"), "ann")
    expected = [await expect(images, number) for number in range(3)]
    await update_of(database, expected[0].id, "preparing")
    await update_of(database, expected[1].id, "refused")
    await images.change(expected[2].id, "gateway", {"state": ImageState.VERIFIED})
    later = [await expect(images, number) for number in range(3, 6)]

    left = {each.id for each in await images.list()}
    assert left == {kept.id, expected[0].id, expected[2].id, *(each.id for each in later)}


async def test_an_order_removes_no_image_whose_file_would_stay(
    images: FirmwareImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(firmware_images, "_OLD_UNVERIFIED", firmware_images._OLD_UNVERIFIED.offset(None).offset(1))
    once_verified = await expect(images, 0)
    await images.change(once_verified.id, "gateway", {"state": ImageState.REFUSED, "sha256": "ab"})
    for number in (1, 2, 3):
        await expect(images, number)
    assert await images.is_used("ab")
    assert len(await images.list()) == 3


async def expect(images: FirmwareImages, number: int) -> FirmwareImage:
    found = await images.expect(replace(NEW, location=f"{PLACE}?{number}", signature=f"c2ln{number}"), "legacy")
    assert found is not None
    return found


async def test_the_best_image_of_a_location(images: FirmwareImages) -> None:
    async def best(model: str | None = "A", manufacturer: str = "acme") -> int | None:
        found = await images.for_station(PLACE, manufacturer, model)
        return None if found is None else found.id

    assert await best() is None
    old, new, of_b = [
        await images.add(replace(NEW, version=version, model=model), "ann")
        for version, model in (("1", None), ("2", "A"), ("2", "B"))
    ]
    assert (await best(), await best(None), await best("B")) == (new.id, old.id, of_b.id)
    assert await best(manufacturer="other") is None
    await images.change(old.id, "ann", {"state": ImageState.VERIFIED})
    assert await best() == old.id
    await images.change(new.id, "ann", {"state": ImageState.VERIFIED})
    assert await best() == new.id
    await images.change(new.id, "ann", {"state": ImageState.WITHDRAWN})
    assert await best() == old.id


async def test_changes(images: FirmwareImages) -> None:
    image = await images.add(NEW, "ann")
    changed = await images.change(
        image.id, "bob", {"state": ImageState.REFUSED, "reason": "x" * (REASON_MAX + 1), "sha256": "ab"}
    )
    assert (changed.state, changed.reason, changed.sha256) == (ImageState.REFUSED, "x" * REASON_MAX, "ab")
    assert (changed.changed_by, changed.added_by) == ("bob", "ann")
    assert await images.change(image.id, "eve", {"sha256": "cd"}, unless={ImageState.REFUSED}) == changed
    for gone in ({"sha256": None}, {"sha256": "ab", "signature": "another"}):
        assert await images.change(image.id, "eve", {"sha256": "cd"}, while_it_has=gone) == changed
    still = {"sha256": "ab", "signer": None}
    assert (await images.change(image.id, "eve", {"sha256": "cd"}, while_it_has=still)).sha256 == "cd"
    with pytest.raises(FirmwareUnknown, match="there is no firmware image 99"):
        await images.change(99, "bob", {})


async def test_list_has_filters_and_pages(images: FirmwareImages) -> None:
    ids = [(await images.add(replace(NEW, version=str(number)), "ann")).id for number in range(3)]
    await images.change(ids[1], "ann", {"state": ImageState.VERIFIED, "sha256": "ab", "md5": "cd"})
    asked: list[tuple[dict[str, Any], list[int]]] = [
        ({}, ids),
        ({"limit": 2}, ids[:2]),
        ({"after_id": ids[0]}, ids[1:]),
        ({"state": ImageState.VERIFIED}, ids[1:2]),
        ({"state": ImageState.WITHDRAWN}, []),
        ({"sha256": "ab"}, ids[1:2]),
        ({"md5": "cd", "manufacturer": "acme"}, ids[1:2]),
        ({"manufacturer": "other"}, []),
    ]
    for wanted, found in asked:
        assert [each.id for each in await images.list(**wanted)] == found


async def test_octets_are_known_as_used_and_as_withdrawn(images: FirmwareImages) -> None:
    image = await images.add(NEW, "ann")
    await images.change(image.id, "ann", {"sha256": "ab"})
    assert (await images.is_used("ab"), await images.is_used("cd")) == (True, False)
    assert await images.withdrawn("acme", "ab") is None
    await images.change(image.id, "ann", {"state": ImageState.WITHDRAWN})
    assert await images.withdrawn("acme", "ab") == image.id
    assert await images.withdrawn("other", "ab") is None


async def test_counts(images: FirmwareImages) -> None:
    await images.add(NEW, "ann")
    assert await images.counts() == {state: int(state is ImageState.QUARANTINED) for state in ImageState}


async def test_remove(images: FirmwareImages, database: Database) -> None:
    image = await images.add(NEW, "ann")
    await update_of(database, image.id, "installed")
    assert await images.remove(image.id) == image
    with pytest.raises(FirmwareUnknown):
        await images.remove(image.id)


async def test_an_image_under_way_is_not_removed(images: FirmwareImages, database: Database) -> None:
    image = await images.add(NEW, "ann")
    await update_of(database, image.id, "waiting")
    with pytest.raises(FirmwareConflict, match="is in 1 updates under way: cancel these first"):
        await images.remove(image.id)


async def test_a_campaigns_image_is_not_removed(images: FirmwareImages, database: Database) -> None:
    image = await images.add(NEW, "ann")
    row = row_of(FirmwareCampaignRow, name="spring", image_id=image.id, state="running")
    await database.write(lambda connection: connection.execute(insert(FirmwareCampaignRow), row))
    with pytest.raises(FirmwareConflict, match=r"is what campaign 'spring' installs \(running\): withdraw it instead"):
        await images.remove(image.id)
