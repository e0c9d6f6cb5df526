"""A look by itself; what becomes of it in the catalogue is test_firmware_catalogue."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.services.firmware_inspection import PASSING, Inspection
from gateway.session.firmware import FirmwareConflict, FirmwareImage, ImageState, NewImage
from pki.firmware import FirmwareRefused, Refusal
from tests.services.catalogue_desk import NOW, OCTETS, PLACE, SHA256, SIGNED, Desk, digest_of, firmware_desk

NEW = NewImage("acme", "1.0", location=PLACE, signature=SIGNED.signature)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with firmware_desk(tmp_path) as opened:
        yield opened


@pytest.fixture
def inspection(desk: Desk) -> Inspection:
    return Inspection(desk.images, desk.disk, desk.signers, lambda: NOW)


@pytest.mark.parametrize("refusal", Refusal)
async def test_what_says_nothing_about_the_image_leaves_its_state(
    desk: Desk, inspection: Inspection, refusal: Refusal
) -> None:
    image = await desk.images.add(replace(NEW, signing_certificate=SIGNED.signing_certificate), "ann")
    desk.signers.bad_signer = FirmwareRefused(refusal, "why")
    assert await desk.refusal_of(inspection.look(image, "ann")) is refusal
    (found,) = await desk.images.list()
    state = ImageState.QUARANTINED if refusal in PASSING else ImageState.REFUSED
    assert (found.state, found.refusal, found.reason) == (state, refusal.value, "why")


async def test_a_signer_that_is_not_known(desk: Desk, inspection: Inspection) -> None:
    image = await desk.images.add(NEW, "ann")
    assert await desk.refusal_of(inspection.check_signer(image)) is Refusal.NO_SIGNATURE
    assert await desk.refusal_of(inspection.look(image, "ann")) is Refusal.NO_SIGNATURE
    assert not desk.disk.fetched


async def test_octets_are_written_down_and_forgotten(desk: Desk, inspection: Inspection) -> None:
    image = await inspection.keep(await desk.images.add(NEW, "ann"), digest_of(OCTETS), "ann")
    assert (image.sha256, image.size) == (SHA256, len(OCTETS))
    desk.disk.here[SHA256] = OCTETS
    await inspection.forget_octets(SHA256)
    assert desk.disk.here
    await desk.images.remove(image.id)
    await inspection.forget_octets(SHA256)
    await inspection.forget_octets(None)
    assert not desk.disk.here


OTHERS = digest_of(b"nobody has signed these")
ANOTHER = {"sha256": OTHERS.sha256.hex(), "md5": OTHERS.md5.hex(), "size": OTHERS.size}


@pytest.mark.parametrize("meanwhile", [ANOTHER, {"signature": "AAAA"}, {"signing_certificate": "another"}])
async def test_what_is_changed_while_it_is_looked_at_is_not_verified(
    desk: Desk, inspection: Inspection, monkeypatch: pytest.MonkeyPatch, meanwhile: dict[str, Any]
) -> None:
    image = await desk.images.add(replace(NEW, signing_certificate=SIGNED.signing_certificate), "ann")

    async def verified(_: str) -> None:
        await desk.images.change(image.id, "bob", meanwhile)

    monkeypatch.setattr(desk.disk, "verified", verified)
    assert await desk.refusal_of(inspection.look(image, "ann")) is Refusal.CHANGED
    (found,) = await desk.images.list()
    assert (found.state, found.verified_at, found.changed_by) == (ImageState.QUARANTINED, None, "bob")


@pytest.mark.parametrize("is_withdrawn", [False, True])
async def test_octets_do_not_take_the_place_of_those_that_came_meanwhile(
    desk: Desk, inspection: Inspection, is_withdrawn: bool
) -> None:
    image = await desk.images.add(replace(NEW, signing_certificate=SIGNED.signing_certificate), "ann")
    if is_withdrawn:
        await desk.images.change(image.id, "bob", {"state": ImageState.WITHDRAWN})
    else:
        assert (await inspection.look(image, "ann")).state is ImageState.VERIFIED
    desk.disk.here[OTHERS.sha256.hex()] = b"nobody has signed these"

    async def late() -> FirmwareImage:
        return await inspection.keep(image, OTHERS, "bob")

    if is_withdrawn:
        assert (await late()).sha256 is None
    else:
        with pytest.raises(FirmwareConflict, match="got its octets meanwhile"):
            await late()
        (found,) = await desk.images.list()
        assert (found.state, found.sha256) == (ImageState.VERIFIED, SHA256)
    assert OTHERS.sha256.hex() not in desk.disk.here


async def test_what_is_uploaded_while_it_is_fetched_is_looked_at_anew(desk: Desk, inspection: Inspection) -> None:
    image = await desk.images.add(replace(NEW, signing_certificate=SIGNED.signing_certificate), "ann")
    await inspection.keep(image, OTHERS, "bob")
    assert await desk.refusal_of(inspection.look(image, "ann")) is Refusal.FETCH_FAILED
    (found,) = await desk.images.list()
    assert (found.state, found.sha256, desk.disk.here) == (ImageState.QUARANTINED, OTHERS.sha256.hex(), {})
