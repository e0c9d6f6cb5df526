"""What becomes of an update: prepared, sent, told; interrupted and taken up again."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.bridge.books import Json
from gateway.bridge.ports import NotSent, PeerUnavailable
from gateway.bridge.request_ids import next_id
from gateway.services.firmware_progress import ATTEMPTS_MAX, SILENT_FOR
from gateway.session.firmware import UpdateSource, UpdateState
from gateway.session.ports import BootStatus
from gateway.session.security import Kind
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.versions import Version
from pki.firmware import FirmwareRefused, Refusal
from tests.services.conftest import settle
from tests.services.firmware_town import AWAY, GONE, LOCATION, NOW, OURS, PLAIN, SIGNED, Town, image_of

REFUSED = [
    (Refusal.FETCH_FAILED, ["DownloadFailed"], []),
    (Refusal.TOO_LARGE, ["DownloadFailed"], []),
    (Refusal.NO_SPACE, ["DownloadFailed"], []),
    (Refusal.SIGNATURE_INVALID, ["Downloading", "Downloaded", "InvalidSignature"], [Kind.INVALID_FIRMWARE_SIGNATURE]),
    (Refusal.CHANGED, ["Downloading", "Downloaded", "InvalidSignature"], [Kind.INVALID_FIRMWARE_SIGNATURE]),
    (
        Refusal.CERTIFICATE_EXPIRED,
        ["Downloading", "Downloaded", "InvalidSignature"],
        [Kind.INVALID_FIRMWARE_CERTIFICATE],
    ),
    (Refusal.WRONG_STATION, ["DownloadFailed"], [Kind.UNVERIFIED_FIRMWARE]),
]


@pytest.mark.parametrize(("refusal", "told", "events"), REFUSED)
@pytest.mark.parametrize("version", list(Version))
async def test_what_is_not_good_never_reaches_the_station(
    version: Version, refusal: Refusal, told: list[str], events: list[str]
) -> None:
    town = Town(version)
    town.catalogue.refuses = FirmwareRefused(refusal, "for a reason")

    assert await town.ordered() == "Accepted"

    assert town.there.calls == []
    assert town.there.statuses == told
    assert {payload["requestId"] for _, payload in town.there.told} == {501}
    assert (town.last.state, town.last.status, town.last.reason) == (UpdateState.REFUSED, told[-1], "for a reason")
    assert not town.last.untold
    assert town.events.kinds == events
    assert town.links.made == []


async def test_what_an_operator_ordered_is_told_to_no_backend() -> None:
    town = Town()
    town.catalogue.refuses = FirmwareRefused(Refusal.SIGNATURE_INVALID, "no")

    record = await town.operated()

    assert (record.state, town.there.told) == (UpdateState.REFUSED, [])


async def test_the_station_gets_our_own_link_id_and_signature() -> None:
    town = Town()

    await town.ordered(replace(SIGNED, retrieve_at="2026-05-02T12:00:00Z", install_at="2026-05-03T12:00:00Z"))

    ((action, payload),) = town.there.calls
    firmware = payload["firmware"]
    assert (action, payload["requestId"], firmware["location"]) == ("UpdateFirmware", 501, f"{OURS}1")
    assert (firmware["signature"], firmware["signingCertificate"]) == (SIGNED.signature, SIGNED.signing_certificate)
    assert town.links.made == [("CS1", 1, 1, NOW + timedelta(days=1))]
    assert (town.last.state, town.last.status) == (UpdateState.SENT, None)


async def test_without_links_it_loads_from_the_place_that_the_image_comes_from() -> None:
    town = Town(links=False)
    await town.ordered()
    assert town.there.calls[0][1]["firmware"]["location"] == LOCATION

    town.catalogue.images[1] = image_of(location=None)
    record = await town.operated()
    assert (record.state, "firmware.serve" in (record.reason or "")) == (UpdateState.REFUSED, True)


async def test_a_file_that_is_gone_when_the_link_is_made() -> None:
    town = Town()
    town.links.fails.append(ValueError("it isn't here"))

    await town.ordered()

    assert (town.last.state, town.there.calls) == (UpdateState.REFUSED, [])


async def test_who_is_away_is_told_when_it_is_back_and_after_another_look() -> None:
    town = Town()
    town.there.is_connected = False
    await town.ordered()
    assert (town.last.state, len(town.catalogue.prepared)) == (UpdateState.WAITING, 1)

    town.there.is_connected = True
    town.updates.progress.opened("CS1")
    await settle()

    assert (town.last.state, len(town.catalogue.prepared)) == (UpdateState.SENT, 2)
    town.updates.progress.opened("CS1")
    await settle()
    assert len(town.there.calls) == 1


async def test_while_it_is_away_the_image_is_not_read_again_and_again() -> None:
    town = Town()
    town.there.is_connected = False
    await town.ordered()

    for _ in range(3):
        town.updates.progress.proceed("CS1")
        await settle()

    assert (town.last.state, len(town.catalogue.prepared)) == (UpdateState.WAITING, 1)


async def test_an_image_that_goes_bad_meanwhile_is_not_sent() -> None:
    town = Town()
    town.there.is_connected = False
    await town.ordered()
    town.catalogue.refuses = FirmwareRefused(Refusal.CERTIFICATE_REVOKED, "revoked yesterday")

    town.there.is_connected = True
    town.updates.progress.opened("CS1")
    await settle()

    assert (town.last.state, town.there.calls) == (UpdateState.REFUSED, [])
    assert town.there.statuses[-1] == "InvalidSignature"


async def test_who_is_not_accepted_waits() -> None:
    town = Town()
    town.there.gate.answered(BootStatus.PENDING)
    await town.ordered()
    town.updates.progress.look()
    await settle()
    assert town.there.calls == []

    town.there.gate.answered(BootStatus.ACCEPTED)
    town.updates.progress.opened("CS1")
    await settle()
    assert len(town.there.calls) == 1


async def test_whose_it_is_comes_with_the_boot() -> None:
    town = Town()
    boot, town.there.boot = town.there.boot, None
    await town.operated()
    assert (town.last.state, town.catalogue.prepared) == (UpdateState.PREPARING, [])

    town.there.boot = boot
    town.updates.progress.opened("CS1")
    await settle()
    assert town.last.state is UpdateState.SENT


async def test_a_restart_goes_on_where_it_was() -> None:
    town = Town()
    town.catalogue.gate.clear()
    town.there.backend.is_up = False
    await town.desk.order(SIGNED)
    town.station = None
    await town.owned.cancel()

    town.catalogue.gate.set()
    updates = town.restarted()
    await updates.progress.load()
    updates.progress.start()
    await settle()
    assert (town.last.state, town.catalogue.prepared[-1][1:3]) == (UpdateState.WAITING, ("Acme", "One"))

    town.station = town.there
    updates.progress.opened("CS1")
    await settle()
    assert (town.last.state, len(town.there.calls)) == (UpdateState.SENT, 1)
    await town.owned.cancel()


async def test_what_the_backend_missed_it_hears_when_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.services.firmware_progress.TRIED_AGAIN", 0.0)
    town = Town(Version.V16)
    town.there.is_up = False
    town.catalogue.refuses = FirmwareRefused(Refusal.FETCH_FAILED, "no")
    await town.ordered()
    assert (town.there.told, town.last.untold) == ([], True)

    town.there.is_up = True
    town.updates.progress.look()
    await settle()

    assert town.there.told == [("SignedFirmwareStatusNotification", {"status": "DownloadFailed", "requestId": 501})]
    town.updates.progress.look()
    await settle()
    assert len(town.there.told) == 1


@pytest.mark.parametrize("final", ["Installed", "InvalidSignature"])
async def test_how_it_ended_while_the_backend_was_away_it_hears_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch, final: str
) -> None:
    for pause in ("LOOK_EVERY", "TRIED_AGAIN"):
        monkeypatch.setattr(f"gateway.services.firmware_progress.{pause}", 0.0)
    town = Town()
    await town.ordered()
    town.there.is_up = False
    await town.says("Downloading")
    assert not town.last.untold
    await town.says(final)
    town.updates.progress.look()
    await settle()
    assert (town.there.told, town.last.untold) == ([], True)

    progress = town.restarted().progress
    await progress.load()
    town.there.is_up = True
    progress.look()
    await settle()

    assert town.there.told == [("FirmwareStatusNotification", {"status": final, "requestId": 501})]
    assert not town.last.untold


async def test_an_operators_order_that_ends_meanwhile_is_nothing_that_it_missed() -> None:
    town = Town()
    await town.operated()
    town.there.is_up = False

    await town.says("Installed")

    assert not town.last.untold


async def test_who_goes_while_it_is_told_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.services.firmware_progress.TRIED_AGAIN", 0.0)
    town = Town()
    hear = town.there.from_station

    async def cut(action: str, payload: Json) -> Json:
        town.there.is_up = False
        return await hear(action, payload)

    monkeypatch.setattr(town.there, "from_station", cut)
    town.catalogue.refuses = FirmwareRefused(Refusal.FETCH_FAILED, "no")
    await town.ordered()
    assert town.last.untold

    monkeypatch.setattr(town.there, "from_station", hear)
    town.there.is_up = True
    town.updates.progress.look()
    await settle()

    assert (town.there.statuses, town.last.untold) == (["DownloadFailed"] * 2, False)


async def test_what_ends_amid_a_round_is_told_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.services.firmware_progress.TRIED_AGAIN", 0.0)
    town = Town()
    await town.ordered()
    town.catalogue.gate.clear()
    await town.ordered()
    town.there.is_up = False
    await town.says("Installed", 501)
    town.there.says("UpdateFirmware", {"status": "Accepted"})

    town.there.is_up = True
    town.catalogue.gate.set()
    await settle()

    assert ("FirmwareStatusNotification", {"status": "Installed", "requestId": 501}) in town.there.told


async def test_that_another_took_its_place_is_told_before_anything_is_heard_of_that() -> None:
    town = Town()
    town.there.is_connected = town.there.is_up = False
    await town.ordered()
    waiting = town.last
    await town.operated()
    town.book.records[waiting.id] = replace(town.book.records[waiting.id], status="DownloadFailed", untold=True)
    told_at: list[int] = []
    hear = town.there.from_station

    async def note(action: str, payload: Json) -> Json:
        told_at.append(len(town.there.calls))
        return await hear(action, payload)

    town.there.from_station = note  # type: ignore[method-assign]  # the bridge of this test
    town.there.is_connected = town.there.is_up = True
    town.updates.progress.opened("CS1")
    await settle()

    assert (town.there.statuses, told_at, len(town.there.calls)) == (["DownloadFailed"], [0], 1)


@pytest.mark.parametrize("answer", ["Accepted", "AcceptedCanceled"])
async def test_a_later_one_ends_the_one_under_way(answer: str) -> None:
    town = Town()
    await town.ordered()
    town.there.says("UpdateFirmware", {"status": answer})

    await town.ordered()

    assert [each.state for each in town.book.records.values()] == [UpdateState.CANCELED, UpdateState.SENT]
    assert [payload["requestId"] for _, payload in town.there.calls] == [501, 502]


async def test_a_station_that_can_not_cancel_goes_on_with_the_one_before() -> None:
    town = Town()
    await town.ordered()
    town.there.says("UpdateFirmware", {"status": "Rejected"})

    await town.ordered()

    assert [each.state for each in town.book.records.values()] == [UpdateState.SENT, UpdateState.FAILED]
    assert town.there.told == [("FirmwareStatusNotification", {"status": "DownloadFailed", "requestId": 502})]


@pytest.mark.parametrize(
    ("away", "ends"), [(PeerUnavailable("killed"), UpdateState.SENT), (NotSent("gone"), UpdateState.FAILED)]
)
async def test_a_station_that_is_at_it_already_may_refuse_to_begin_anew(
    away: PeerUnavailable, ends: UpdateState
) -> None:
    """L01.FR.27: it got the request, and the gateway was killed before its answer came."""
    town = Town()
    town.there.says("UpdateFirmware", away)
    await town.ordered()
    assert town.last.state is UpdateState.WAITING
    town.there.says("UpdateFirmware", {"status": "Rejected"})

    updates = town.restarted()
    await updates.progress.load()
    updates.progress.opened("CS1")
    await settle()

    assert town.last.state is ends
    assert [payload["requestId"] for _, payload in town.there.calls] == [501, 501]


@pytest.mark.parametrize("status", ["InvalidCertificate", "RevokedCertificate"])
async def test_a_station_that_does_not_trust_the_signer(status: str) -> None:
    town = Town()
    town.there.says("UpdateFirmware", {"status": status})

    await town.ordered()

    assert (town.last.state, status in (town.last.reason or "")) == (UpdateState.FAILED, True)
    assert town.events.kinds == [Kind.INVALID_FIRMWARE_CERTIFICATE]
    assert town.there.statuses == ["DownloadFailed"]


@pytest.mark.parametrize("code", [ErrorCode.NOT_IMPLEMENTED, ErrorCode.NOT_SUPPORTED])
async def test_a_1_6_station_without_the_white_paper_gets_nothing_plain_in_its_place(code: ErrorCode) -> None:
    town = Town(Version.V16)
    town.there.says("SignedUpdateFirmware", CallError(code))

    await town.ordered(PLAIN)

    assert town.there.actions == ["SignedUpdateFirmware"]
    assert "firmware.without_signature" in (town.last.reason or "")
    assert town.there.statuses == ["DownloadFailed"]


async def test_the_plain_one_where_the_configuration_says_so() -> None:
    town = Town(Version.V16, plain=True)
    town.there.says("UpdateFirmware", {})

    await town.ordered()
    assert (town.last.state, town.last.request_id) == (UpdateState.SENT, None)
    await town.says("Downloading", None)
    await town.says("Installed", None)

    assert town.there.actions == ["UpdateFirmware"]
    assert len(town.catalogue.prepared) == 1
    assert town.last.state is UpdateState.INSTALLED


async def test_one_that_may_be_sent_plainly_no_more_gets_a_request_id() -> None:
    town = Town(Version.V16, plain=True)
    town.there.says("UpdateFirmware", GONE)
    await town.operated()
    assert (town.last.state, town.last.request_id) == (UpdateState.WAITING, None)

    town.plain = False
    town.updates.progress.opened("CS1")
    await settle()

    action, payload = town.there.calls[-1]
    assert (action, town.last.state) == ("SignedUpdateFirmware", UpdateState.SENT)
    assert payload["requestId"] == town.last.request_id == next_id(0, NOW)


async def test_that_a_plain_one_failed_is_told_plainly() -> None:
    town = Town(Version.V16, plain=True)
    town.there.says("UpdateFirmware", CallError(ErrorCode.INTERNAL_ERROR))

    await town.ordered(PLAIN)

    assert town.there.told == [("FirmwareStatusNotification", {"status": "DownloadFailed"})]


async def test_a_status_may_overtake_the_answer() -> None:
    town = Town()

    async def hasty(payload: Json) -> Json:
        await town.says("Downloading", payload["requestId"])
        await town.says("DownloadFailed", payload["requestId"])
        return {"status": "Accepted"}

    town.there.says("UpdateFirmware", hasty)

    await town.ordered()

    assert (town.last.state, town.last.status) == (UpdateState.FAILED, "DownloadFailed")


async def test_one_that_is_canceled_while_it_is_looked_at_is_not_sent() -> None:
    town = Town()
    town.catalogue.gate.clear()
    await town.ordered()
    await town.updates.cancel(1)

    town.catalogue.gate.set()
    await settle()

    assert (town.last.state, town.there.calls) == (UpdateState.CANCELED, [])
    assert town.there.statuses == ["DownloadFailed"]


async def test_one_that_gives_no_answer_is_asked_again_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.services.firmware_progress.TRIED_AGAIN", 0.0)
    town = Town()
    town.there.says("UpdateFirmware", GONE)
    await town.ordered()
    for _ in range(ATTEMPTS_MAX + 2):
        town.updates.progress.look()
        await settle()

    assert {payload["requestId"] for _, payload in town.there.calls} == {501}
    assert len(town.there.calls) == ATTEMPTS_MAX
    assert (town.last.state, town.there.statuses) == (UpdateState.FAILED, ["DownloadFailed"])


async def test_what_was_never_sent_counts_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.services.firmware_progress.TRIED_AGAIN", 0.0)
    town = Town()
    town.there.says("UpdateFirmware", *[NotSent("busy")] * (ATTEMPTS_MAX + 1), {"status": "Accepted"})
    await town.ordered()
    for _ in range(ATTEMPTS_MAX + 1):
        town.updates.progress.look()
        await settle()

    assert town.last.state is UpdateState.SENT


async def test_it_is_not_asked_again_at_once() -> None:
    town = Town()
    town.there.says("UpdateFirmware", GONE)
    await town.ordered()

    town.updates.progress.look()
    await settle()

    assert len(town.there.calls) == 1


async def test_while_the_store_is_away_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.services.firmware_progress.TRIED_AGAIN", 0.0)
    town = Town()
    town.station = None
    await town.desk.order(SIGNED)
    town.book.fails.append(AWAY)
    await town.desk.proceed()
    await settle()
    assert town.catalogue.prepared == []

    town.updates.progress.look()
    await settle()

    assert town.last.state is UpdateState.WAITING


async def test_a_station_that_is_removed_gets_nothing() -> None:
    town = Town()
    town.registered.clear()

    await town.ordered()

    assert (town.last.state, town.there.calls, town.there.told) == (UpdateState.CANCELED, [], [])


async def test_an_image_that_is_removed_is_not_sent() -> None:
    town = Town()
    town.there.is_connected = False
    await town.ordered()
    town.book.records[1] = replace(town.last, image_id=None)

    town.there.is_connected = True
    town.updates.progress.opened("CS1")
    await settle()

    assert (town.last.state, town.there.calls) == (UpdateState.REFUSED, [])


async def test_a_station_that_tells_nothing_has_failed_after_a_week() -> None:
    town = Town()
    await town.ordered()

    await town.updates.progress.end_silent()
    assert town.last.state is UpdateState.SENT
    town.book.now = NOW + SILENT_FOR
    await town.updates.progress.end_silent()

    assert (town.last.state, "7 days" in (town.last.reason or "")) == (UpdateState.FAILED, True)


async def test_many_stations_are_seen_to_a_few_at_a_time() -> None:
    town = Town()
    town.catalogue.gate.clear()
    for number in range(10):
        identity = f"CS{number}"
        town.registered[identity] = replace(town.registered["CS1"], identity=identity)
        await town.updates.order(identity, 1, source=UpdateSource.OPERATOR, by="api")
    await settle()
    under_way = len(town.catalogue.prepared)
    town.catalogue.gate.set()
    await asyncio.gather(*town.owned.tasks)

    assert (under_way, len(town.catalogue.prepared)) == (4, 10)


@pytest.mark.parametrize("plain", [False, True])
async def test_a_station_that_was_exchanged_meanwhile_is_not_sent_what_was_the_other_ones(plain: bool) -> None:
    town = Town(Version.V16, plain=plain)
    town.catalogue.gate.clear()
    await town.ordered(PLAIN)
    town.there.boot = {"chargePointVendor": "Acme", "chargePointModel": "Two"}
    town.catalogue.gate.set()
    await settle()
    assert (town.there.calls, town.last.state) == ([], UpdateState.WAITING)

    town.catalogue.refuses = FirmwareRefused(Refusal.WRONG_STATION, "image 1 is for other stations")
    town.updates.progress.opened("CS1")
    await settle()
    assert [model for _, _, model, _ in town.catalogue.prepared] == ["One", "Two"]
    assert (town.there.calls, town.last.state) == ([], UpdateState.REFUSED)
