"""A backend's orders: what of them is taken, what is answered at once, and what is told after."""

import asyncio
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from gateway.bridge.ports import UpdateHeard
from gateway.services import firmware_desk
from gateway.session.firmware import UpdateSource, UpdateState
from gateway.session.security import Kind
from gateway.wire.versions import Version
from pki.firmware import FirmwareRefused, Refusal
from tests.services.firmware_town import LOCATION, NOW, PLAIN, SIGNED, Town, image_of

ELSEWHERE = "https://fw.example.com/other.bin"


async def test_a_plain_order_is_matched_by_its_location() -> None:
    town = Town()

    assert await town.ordered(PLAIN) == "Accepted"

    update = town.last
    assert (update.image_id, update.source, update.by, update.action) == (1, UpdateSource.BACKEND, "old", PLAIN.action)
    assert (update.backend_request_id, update.retries, update.retry_interval) == (None, 3, 60)
    assert (update.retrieve_at, update.install_at) == (NOW, None)
    assert town.there.actions == ["UpdateFirmware"]
    assert town.there.told == []


async def test_what_nobody_knows_is_rejected_and_not_kept() -> None:
    town = Town()

    assert await town.ordered(replace(PLAIN, location=ELSEWHERE)) == "Rejected"

    assert (town.book.records, town.there.calls) == ({}, [])


async def test_a_signature_of_its_own_is_looked_at_for_what_it_is() -> None:
    town = Town()

    assert await town.ordered(replace(SIGNED, location=ELSEWHERE)) == "Accepted"
    assert await town.ordered(replace(SIGNED, signature="b3RoZXI=")) == "Accepted"
    assert await town.ordered(SIGNED) == "Accepted"

    assert [each.image_id for each in town.book.records.values()] == [2, 3, 1]
    assert [(each["signature"], each["by"]) for each in town.catalogue.expected] == [
        (SIGNED.signature, "old"),
        ("b3RoZXI=", "old"),
    ]


@pytest.mark.parametrize(
    ("refusal", "answer"),
    [(Refusal.CERTIFICATE_REVOKED, "RevokedCertificate"), (Refusal.CERTIFICATE_UNTRUSTED, "InvalidCertificate")],
)
async def test_a_bad_signing_certificate_is_told_at_once(refusal: Refusal, answer: str) -> None:
    town = Town()
    town.catalogue.signer_refused = FirmwareRefused(refusal, "no")

    with capture_logs() as lines:
        assert await town.ordered() == answer

    assert [(line["event"], line["answer"], line["reason"]) for line in lines] == [
        ("firmware_order_refused", answer, "no")
    ]
    assert (town.book.records, town.there.calls, town.there.told) == ({}, [], [])
    assert [(event.kind, event.identity) for event in town.events.noted] == [(Kind.INVALID_FIRMWARE_CERTIFICATE, "CS1")]


async def test_a_signer_of_whom_nothing_is_learnt_in_time_is_looked_at_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firmware_desk, "SIGNER_WITHIN", 0.0)
    town = Town()
    town.catalogue.signer_gate = asyncio.Event()

    assert await town.desk.order(SIGNED) == "Accepted"


async def test_a_place_that_is_not_allowed_is_told_as_a_download_that_failed() -> None:
    town = Town()
    town.catalogue.order_refused = FirmwareRefused(Refusal.SOURCE_NOT_ALLOWED, "not there")

    assert await town.ordered(replace(SIGNED, location=ELSEWHERE)) == "Accepted"

    assert town.there.told == [("FirmwareStatusNotification", {"status": "DownloadFailed", "requestId": 501})]
    assert (town.last.state, town.last.reason, town.there.calls) == (UpdateState.REFUSED, "not there", [])
    assert town.events.kinds == [Kind.UNSAFE_LOCATION]


async def test_it_takes_the_place_of_what_the_station_has_not_heard_of() -> None:
    town = Town()
    town.there.is_connected = False
    await town.ordered()

    assert await town.ordered() == "AcceptedCanceled"

    assert [each.state for each in town.book.records.values()] == [UpdateState.CANCELED, UpdateState.WAITING]


async def test_a_time_that_can_not_be_read_is_now() -> None:
    town = Town()

    await town.ordered(replace(SIGNED, retrieve_at="soon", install_at="2026-05-01T14:00:00+02:00"))

    assert (town.last.retrieve_at, town.last.install_at) == (None, NOW)


async def test_who_hears_of_an_update() -> None:
    town = Town(Version.V16)
    await town.ordered(SIGNED)
    theirs = {"status": "Downloading", "requestId": town.last.request_id}

    assert await town.desk.heard(theirs) == UpdateHeard("SignedUpdateFirmware", 7)
    assert await replace(town.desk, backend="new").heard(theirs) == UpdateHeard(None)
    assert await town.desk.heard({"status": "Downloading", "requestId": 999}) is None
    await town.operated()
    assert await town.desk.heard({"status": "Downloading", "requestId": town.last.request_id}) == UpdateHeard(None)


async def test_an_unsigned_order_of_an_image_that_is_known_is_as_good() -> None:
    town = Town()
    ordered = replace(SIGNED, action="UpdateFirmware", signature=None, signing_certificate=None)

    assert await town.ordered(ordered) == "Accepted"

    ((_, payload),) = town.there.calls
    assert payload["firmware"]["signature"] == image_of().signature
    assert payload["firmware"]["location"] != LOCATION


async def test_what_is_to_be_published_goes_to_who_publishes() -> None:
    town = Town()
    desk = town.desk

    assert await desk.publish({}) == "Accepted"
    assert await desk.unpublish({}) == "Unpublished"
    assert await desk.publication() == {"status": "Idle"}
    await desk.proceed()

    assert town.publishing.asked == [(each, "CS1") for each in ("publish", "unpublish", "publication", "proceed")]
