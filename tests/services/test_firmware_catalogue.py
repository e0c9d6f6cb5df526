"""The catalogue: what comes in, what an order finds, and what no station hears of."""

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.services.firmware_catalogue import CERTIFICATE_MAX, SIGNATURE_MAX, TEXT_MAX
from gateway.session.firmware import (
    FirmwareConflict,
    FirmwareImage,
    FirmwareInvalid,
    FirmwareUnknown,
    ImageState,
    NewImage,
)
from gateway.session.security import Kind
from pki.firmware import FirmwareRefused, Refusal
from tests.services.catalogue_desk import NOW, OCTETS, PLACE, SHA256, SIGNED, Desk, firmware_desk

NEW = NewImage("acme", "1.0", signature=SIGNED.signature, signing_certificate=SIGNED.signing_certificate)
KEY = "-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----\n"
FETCHED = replace(NEW, location=PLACE)
STATION: dict[str, Any] = {"vendor": "ACME Ltd", "model": "A"}


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with firmware_desk(tmp_path) as opened:
        yield opened


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "image.bin"
    path.write_bytes(OCTETS)
    return path


@pytest.fixture
async def image(desk: Desk, file: Path) -> FirmwareImage:
    return await desk.catalogue.add(NEW, "ann", file)


async def expected(desk: Desk, location: str = PLACE, **more: Any) -> FirmwareImage:
    signed = {"signature": SIGNED.signature, "signing_certificate": SIGNED.signing_certificate}
    return await desk.catalogue.expect(location, **{**signed, **STATION, "by": "legacy", **more})


# --- for people


async def test_a_file_is_verified_as_it_comes(desk: Desk, image: FirmwareImage) -> None:
    assert (image.state, image.sha256, image.size) == (ImageState.VERIFIED, SHA256, len(OCTETS))
    assert (image.algorithm, image.signer, image.verified_at) == ("ecdsa-sha256", "CN=Signer", NOW)
    assert desk.disk.kept == [SHA256]
    assert await desk.catalogue.find(image.id) == image
    assert await desk.catalogue.list(state=ImageState.VERIFIED, sha256=SHA256) == [image]
    assert (await desk.catalogue.counts())[ImageState.VERIFIED] == 1


async def test_an_image_is_fetched_with_the_password_that_is_not_kept(desk: Desk) -> None:
    place = PLACE.replace("//", "//user:secret@")
    desk.disk.places[place] = OCTETS
    seen: list[tuple[int, int | None]] = []
    image = await desk.catalogue.add(
        replace(NEW, location=place), "ann", progress=lambda here, total: seen.append((here, total))
    )
    assert (image.state, image.location, desk.disk.fetched) == (ImageState.VERIFIED, PLACE, [place])
    assert seen == [(len(OCTETS), len(OCTETS))]


async def test_what_is_not_its_manufacturers_is_refused(desk: Desk) -> None:
    async def others() -> AsyncIterator[bytes]:
        yield b"something "
        yield b"else"

    image = await desk.catalogue.add(NEW, "ann", others())
    assert (image.state, image.refusal) == (ImageState.REFUSED, "signature_invalid")
    assert [(each.kind, each.detail) for each in desk.events] == [
        (
            Kind.INVALID_FIRMWARE_SIGNATURE,
            f"firmware image {image.id}: it isn't the signer's over these octets",
        )
    ]
    assert len(desk.disk.here) == 1  # a person may mend what is wrong, and look again


async def test_what_can_not_be_fetched_stays_in_quarantine_and_is_tried_again(desk: Desk) -> None:
    desk.disk.places.clear()
    image = await desk.catalogue.add(FETCHED, "ann")
    assert (image.state, image.refusal) == (ImageState.QUARANTINED, "fetch_failed")
    assert not desk.events
    desk.disk.places[PLACE] = OCTETS
    again = await desk.catalogue.verify(image.id, "bob")
    assert (again.state, again.refusal, again.changed_by) == (ImageState.VERIFIED, None, "bob")


async def test_a_bad_signer_is_found_before_anything_is_fetched(desk: Desk) -> None:
    desk.signers.bad_signer = FirmwareRefused(Refusal.CERTIFICATE_EXPIRED, "it ended yesterday")
    image = await desk.catalogue.add(FETCHED, "ann")
    assert (image.state, image.reason, desk.disk.fetched) == (ImageState.REFUSED, "it ended yesterday", [])


async def test_a_full_disk_leaves_no_entry(desk: Desk, file: Path) -> None:
    desk.disk.full = True
    assert await desk.refusal_of(desk.catalogue.add(NEW, "ann", file)) is Refusal.NO_SPACE
    assert await desk.catalogue.list() == []


async def test_a_file_that_is_not_there_leaves_no_entry(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await desk.catalogue.add(NEW, "ann", tmp_path / "nowhere.bin")
    assert await desk.catalogue.list() == []


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"manufacturer": "nobody"}, "manufacturer: 'nobody' isn't a key of firmware.manufacturers"),
        ({"version": ""}, "version: must have 1 to 50 printable characters"),
        ({"version": "x" * (TEXT_MAX + 1)}, "version: must have"),
        ({"model": "a\n"}, "model: must have"),
        ({"signature": "x" * (SIGNATURE_MAX + 1)}, "signature: must have 1 to 800"),
        ({"signature": "a\0"}, "signature: must have"),
        ({"signing_certificate": "x" * (CERTIFICATE_MAX + 1)}, "certificate: must have 1 to 5500"),
        ({"signing_certificate": f"PEM\n{KEY}"}, "certificate: it isn't one but a private key"),
        ({"signature": base64.b64encode(KEY.encode()).decode()}, "signature: it isn't one but a private key"),
        ({}, "location: without a file"),
        ({"location": "https://elsewhere.example/a"}, "location: it isn't on the list"),
    ],
)
async def test_what_is_not_registered(desk: Desk, wrong: dict[str, Any], complaint: str) -> None:
    with pytest.raises(FirmwareInvalid, match=complaint):
        await desk.catalogue.add(replace(NEW, **wrong), "ann")
    assert await desk.catalogue.list() == []


async def test_where_a_file_is_ordered_by_may_be_anywhere_but_is_a_url(desk: Desk, file: Path) -> None:
    image = await desk.catalogue.add(replace(NEW, location="ftp://u:p@old.example/a"), "ann", file)
    assert (image.state, image.location) == (ImageState.VERIFIED, "ftp://old.example/a")
    with pytest.raises(FirmwareInvalid, match="location: it isn't a URL"):
        await desk.catalogue.add(replace(NEW, version="2", location="a.bin"), "ann", file)


async def test_a_signature_that_comes_later(desk: Desk, file: Path) -> None:
    bare = await desk.catalogue.add(replace(NEW, signature=None), "ann", file)
    assert (bare.state, bare.refusal) == (ImageState.QUARANTINED, "no_signature")
    await desk.catalogue.sign(bare.id, SIGNED.signature, SIGNED.signing_certificate, "ann")
    assert (await desk.catalogue.verify(bare.id, "ann")).state is ImageState.VERIFIED
    with pytest.raises(FirmwareConflict, match="is verified: its signature stays as it is"):
        await desk.catalogue.sign(bare.id, "eA==", "PEM", "ann")


async def test_octets_come_once(desk: Desk, file: Path) -> None:
    registered = await desk.catalogue.register(NEW, "api", has_octets=True)
    received = await desk.catalogue.receive(registered.id, file, "api")
    assert (received.state, received.sha256) == (ImageState.QUARANTINED, SHA256)
    with pytest.raises(FirmwareConflict, match="has its octets"):
        await desk.catalogue.receive(registered.id, file, "api")


async def test_verifying_in_the_background(desk: Desk) -> None:
    registered = await desk.catalogue.register(FETCHED, "api", has_octets=False)
    desk.catalogue.begin(registered.id, "api")
    # Whoever asks meanwhile waits for the same look.
    assert (await desk.catalogue.verify(registered.id, "api")).state is ImageState.VERIFIED
    assert desk.disk.fetched == [PLACE]


async def test_the_background_has_the_password_that_is_not_kept(desk: Desk) -> None:
    place = PLACE.replace("//", "//user:secret@")
    desk.disk.places = {place: OCTETS}
    registered = await desk.catalogue.register(replace(NEW, location=place), "api", has_octets=False)
    desk.catalogue.begin(registered.id, "api", place)
    await asyncio.gather(*desk.spawned)
    found = await desk.catalogue.find(registered.id)
    assert found is not None
    assert (found.state, found.location, desk.disk.fetched) == (ImageState.VERIFIED, PLACE, [place])


async def test_what_is_removed_before_its_turn_is_no_trouble(desk: Desk) -> None:
    registered = await desk.catalogue.register(FETCHED, "api", has_octets=False)
    await desk.catalogue.remove(registered.id)
    desk.catalogue.begin(registered.id, "api")
    await asyncio.gather(*desk.spawned)
    assert not desk.disk.fetched


async def test_what_a_stopped_gateway_left_is_looked_at_again(desk: Desk, file: Path) -> None:
    fetched = await desk.catalogue.register(FETCHED, "api", has_octets=False)
    uploaded = await desk.catalogue.register(replace(NEW, version="2"), "api", has_octets=True)
    await desk.catalogue.receive(uploaded.id, file, "api")
    empty = await desk.catalogue.register(replace(NEW, version="3"), "api", has_octets=True)
    ordered = await expected(desk, f"{PLACE}?other")
    await desk.restarted().resume()
    states = {each.id: each.state for each in await desk.catalogue.list()}
    assert states == {
        fetched.id: ImageState.VERIFIED,
        uploaded.id: ImageState.VERIFIED,
        empty.id: ImageState.QUARANTINED,
        ordered.id: ImageState.QUARANTINED,
    }
    assert desk.disk.fetched == [PLACE]


async def test_withdrawn_is_for_good(desk: Desk, image: FirmwareImage, file: Path) -> None:
    for reason in (" ", "x\x1b[31m", "two\nlines"):
        with pytest.raises(FirmwareInvalid, match="say why"):
            await desk.catalogue.withdraw(image.id, reason, "ann")
    withdrawn = await desk.catalogue.withdraw(image.id, "it bricks the meter", "ann")
    assert (withdrawn.state, withdrawn.reason) == (ImageState.WITHDRAWN, "it bricks the meter")
    assert await desk.catalogue.withdraw(image.id, "again", "bob") == withdrawn
    with pytest.raises(FirmwareConflict, match="is withdrawn"):
        await desk.catalogue.verify(image.id, "ann")
    assert await desk.refusal_of(desk.catalogue.prepare(image.id, **STATION)) is Refusal.WITHDRAWN
    again = await desk.catalogue.add(replace(NEW, version="1.1"), "ann", file)
    assert (again.state, again.reason) == (
        ImageState.REFUSED,
        f"these octets were withdrawn as image {image.id}",
    )


async def test_withdrawn_while_it_is_fetched(desk: Desk) -> None:
    desk.disk.go.clear()
    image = await expected(desk)
    preparing = asyncio.ensure_future(desk.catalogue.prepare(image.id, **STATION))
    await desk.disk.began.wait()
    await desk.catalogue.withdraw(image.id, "no", "ann")
    desk.disk.go.set()
    assert await desk.refusal_of(preparing) is Refusal.WITHDRAWN
    found = await desk.catalogue.find(image.id)
    assert found is not None
    assert (found.state, found.reason) == (ImageState.WITHDRAWN, "no")


async def test_removed_while_it_is_fetched(desk: Desk) -> None:
    desk.disk.go.clear()
    image = await expected(desk)
    preparing = asyncio.ensure_future(desk.catalogue.prepare(image.id, **STATION))
    await desk.disk.began.wait()
    await desk.catalogue.remove(image.id)
    desk.disk.go.set()
    with pytest.raises(FirmwareUnknown):
        await preparing
    assert desk.disk.fetched
    assert not desk.disk.here


async def test_remove_takes_the_octets_that_nobody_else_has(desk: Desk, image: FirmwareImage, file: Path) -> None:
    twin = await desk.catalogue.add(replace(NEW, model="B"), "ann", file)
    await desk.catalogue.remove(image.id)
    assert desk.disk.here
    await desk.catalogue.remove(twin.id)
    assert not desk.disk.here
    with pytest.raises(FirmwareUnknown):
        await desk.catalogue.remove(twin.id)


async def test_nothing_is_done_to_what_is_not_there(desk: Desk, file: Path) -> None:
    for work in (
        desk.catalogue.verify(9, "ann"),
        desk.catalogue.withdraw(9, "why", "ann"),
        desk.catalogue.receive(9, file, "ann"),
        desk.catalogue.sign(9, "eA==", "PEM", "ann"),
        desk.catalogue.check_signer(9),
        desk.catalogue.prepare(9, **STATION),
    ):
        with pytest.raises(FirmwareUnknown, match="there is no firmware image 9"):
            await work
    assert await desk.catalogue.find(9) is None


# --- for updates


async def test_an_order_is_matched_by_its_location(desk: Desk, file: Path) -> None:
    image = await desk.catalogue.add(replace(FETCHED, model="A"), "ann", file)
    order = desk.catalogue.for_order
    assert await order("https://user:pw@FW.example.com:443/a.bin", "ACME Ltd", "A") == image
    for location, vendor, model in (
        (PLACE, "ACME Ltd", "B"),
        (PLACE, "ACME Ltd", None),
        (PLACE, "other", "A"),
        (PLACE, "nobody", "A"),
        (PLACE, None, "A"),
        ("a.bin", "ACME Ltd", "A"),
    ):
        assert await order(location, vendor, model) is None


async def test_prepare_looks_again_each_time(desk: Desk, image: FirmwareImage) -> None:
    prepare = desk.catalogue.prepare
    assert await prepare(image.id, **STATION) == image
    desk.signers.bad_signer = FirmwareRefused(Refusal.REVOCATION_UNKNOWN, "the responder is silent")
    assert await desk.refusal_of(prepare(image.id, **STATION)) is Refusal.REVOCATION_UNKNOWN
    found = await desk.catalogue.find(image.id)
    assert found is not None
    assert (found.state, found.refusal) == (ImageState.VERIFIED, "revocation_unknown")
    desk.signers.bad_signer = FirmwareRefused(Refusal.CERTIFICATE_REVOKED, "it is revoked")
    assert await desk.refusal_of(prepare(image.id, **STATION)) is Refusal.CERTIFICATE_REVOKED
    found = await desk.catalogue.find(image.id)
    assert found is not None
    assert (found.state, found.reason) == (ImageState.REFUSED, "it is revoked")
    desk.signers.bad_signer = None
    assert (await prepare(image.id, **STATION)).state is ImageState.VERIFIED
    assert not desk.events  # of an update, who orders it tells


async def test_what_was_changed_on_the_disk_is_refused(desk: Desk, image: FirmwareImage) -> None:
    desk.disk.here[SHA256] = b"something else"
    assert await desk.refusal_of(desk.catalogue.prepare(image.id, **STATION)) is Refusal.CHANGED


async def test_a_file_that_is_gone(desk: Desk, image: FirmwareImage) -> None:
    desk.disk.here.clear()
    assert await desk.refusal_of(desk.catalogue.prepare(image.id, **STATION)) is Refusal.FETCH_FAILED


async def test_a_file_that_is_gone_is_fetched_again_if_it_is_the_same(desk: Desk) -> None:
    image = await desk.catalogue.add(FETCHED, "ann")
    desk.disk.here.clear()
    assert await desk.catalogue.prepare(image.id, **STATION) == image
    desk.disk.here.clear()
    desk.disk.places[PLACE] = b"something else"
    assert await desk.refusal_of(desk.catalogue.prepare(image.id, **STATION)) is Refusal.CHANGED
    assert not desk.disk.here


@pytest.mark.parametrize(
    ("station", "refusal"),
    [
        ({"vendor": "other", "model": "A"}, Refusal.WRONG_STATION),
        ({"vendor": "ACME Ltd", "model": "B"}, Refusal.WRONG_STATION),
        ({"vendor": "ACME Ltd", "model": None}, Refusal.WRONG_STATION),
        ({"vendor": "nobody", "model": "A"}, Refusal.MANUFACTURER_UNKNOWN),
        ({"vendor": None, "model": "A"}, Refusal.MANUFACTURER_UNKNOWN),
    ],
)
async def test_an_image_for_other_stations(desk: Desk, file: Path, station: dict[str, Any], refusal: Refusal) -> None:
    image = await desk.catalogue.add(replace(NEW, model="A"), "ann", file)
    assert await desk.refusal_of(desk.catalogue.prepare(image.id, **station)) is refusal
    found = await desk.catalogue.find(image.id)
    assert found == image  # which says nothing about the image


async def test_what_a_backend_orders_by_itself(desk: Desk) -> None:
    image = await expected(desk, f"{PLACE}?v=2")
    assert (image.state, image.from_order, image.version, image.model) == (ImageState.QUARANTINED, True, "a.bin", "A")
    assert image.added_by == "legacy"
    await desk.catalogue.check_signer(image.id)
    assert not desk.disk.fetched
    secret = PLACE.replace("//", "//user:secret@") + "?v=2"
    desk.disk.places[secret] = OCTETS
    prepared = await desk.catalogue.prepare(image.id, **STATION, location=secret)
    assert (prepared.state, desk.disk.fetched) == (ImageState.VERIFIED, [secret])
    assert await expected(desk, secret) == prepared


async def test_another_location_is_not_fetched_in_its_place(desk: Desk) -> None:
    image = await expected(desk)
    await desk.catalogue.prepare(image.id, **STATION, location="https://fw.example.com/other.bin")
    assert desk.disk.fetched == [PLACE]


@pytest.mark.parametrize(
    ("wrong", "refusal"),
    [
        ({"signature": None}, Refusal.NO_SIGNATURE),
        ({"signing_certificate": None}, Refusal.NO_SIGNATURE),
        ({"vendor": "nobody"}, Refusal.MANUFACTURER_UNKNOWN),
        ({"vendor": None}, Refusal.MANUFACTURER_UNKNOWN),
        ({"location": "https://elsewhere.example/a"}, Refusal.SOURCE_NOT_ALLOWED),
        ({"location": "https://fw.example.com/a b"}, Refusal.SOURCE_NOT_ALLOWED),
        ({"signature": "x" * (SIGNATURE_MAX + 1)}, Refusal.SIGNATURE_MALFORMED),
        ({"signing_certificate": "x" * (CERTIFICATE_MAX + 1)}, Refusal.CERTIFICATE_MALFORMED),
    ],
)
async def test_orders_that_bring_nothing(desk: Desk, wrong: dict[str, Any], refusal: Refusal) -> None:
    assert await desk.refusal_of(expected(desk, **wrong)) is refusal
    assert await desk.catalogue.list() == []


async def test_an_order_does_not_bring_back_what_was_withdrawn(desk: Desk) -> None:
    image = await expected(desk)
    await desk.catalogue.withdraw(image.id, "no", "ann")
    assert await desk.refusal_of(expected(desk)) is Refusal.WITHDRAWN


async def test_a_full_catalogue_takes_no_order(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.store.firmware_images.IMAGES_MAX", 0)
    assert await desk.refusal_of(expected(desk)) is Refusal.NO_SPACE


async def test_what_an_order_brings_in_vain_does_not_stay_on_the_disk(desk: Desk) -> None:
    desk.disk.places[PLACE] = b"something else"
    image = await expected(desk)
    assert await desk.refusal_of(desk.catalogue.prepare(image.id, **STATION)) is Refusal.SIGNATURE_INVALID
    found = await desk.catalogue.find(image.id)
    assert found is not None
    assert (found.state, found.sha256, desk.disk.here) == (ImageState.REFUSED, None, {})


async def test_stations_that_want_the_same_image_share_one_fetch(desk: Desk) -> None:
    desk.disk.go.clear()
    image = await expected(desk)
    asking = [asyncio.ensure_future(desk.catalogue.prepare(image.id, **STATION)) for _ in range(10)]
    await desk.disk.began.wait()
    asking[0].cancel()
    desk.disk.go.set()
    found = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert {each.state for each in found[1:] if isinstance(each, FirmwareImage)} == {ImageState.VERIFIED}
    assert desk.disk.fetched == [PLACE]


async def test_nobody_waits_for_a_gateway_that_stops(desk: Desk) -> None:
    desk.disk.go.clear()
    image = await expected(desk)
    asking = asyncio.ensure_future(desk.catalogue.prepare(image.id, **STATION))
    await desk.disk.began.wait()
    await desk.tasks.close()
    with pytest.raises(asyncio.CancelledError):
        await asking
    desk.disk.go.set()
    assert (await desk.restarted().prepare(image.id, **STATION)).state is ImageState.VERIFIED


async def test_a_manufacturer_that_is_not_configured_any_more(desk: Desk, image: FirmwareImage) -> None:
    del desk.signers.names["acme"]
    again = await desk.catalogue.verify(image.id, "ann")
    assert (again.state, again.refusal) == (ImageState.VERIFIED, "manufacturer_unknown")
