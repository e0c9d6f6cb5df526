"""SignCertificate as dialogues: what the station asks, what it is answered, what it is given afterwards."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from gateway.bridge.ports import PeerUnavailable
from gateway.services.certificates import NotRenewed, TriggerRefused
from gateway.session.certificate_requests import RequestState
from gateway.session.ports import StoreAway
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.versions import Version
from pki.authority import AuthorityUnavailable
from tests.services.certificate_desk import OPERATOR, Desk, make_csr, station_of
from tests.services.conftest import KeptEvents, settle


@pytest.fixture
def desk(events: KeptEvents) -> Desk:
    return Desk(events)


async def test_answer_first_then_the_certificate(desk: Desk) -> None:
    station = station_of()
    assert await desk.sign(station) == {"status": "Accepted"}
    assert desk.book.states() == ["requested"]
    assert station.calls == []
    await desk.settled()
    assert station.calls == [("CertificateSigned", {"certificateChain": "-----CHAIN abc1-----"})]
    assert desk.inventory.steps == [("abc1", "station charging_station issued to CS1"), ("abc1", "installed")]
    assert desk.book.states() == ["delivered"]
    asked = desk.authority.asked[0]
    assert (asked.common_name, asked.organization) == ("SN1", OPERATOR)
    assert desk.owned.tasks[0].get_name() == "certificate CS1 station"


async def test_the_certificate_type_is_echoed(desk: Desk) -> None:
    station = station_of()
    await desk.sign(station, certificateType="ChargingStationCertificate")
    await desk.settled()
    assert station.calls[0][1]["certificateType"] == "ChargingStationCertificate"


@pytest.mark.parametrize(
    "csr", [make_csr("SN2"), make_csr("SN1", "Another CPO"), "garbage", "-----BEGIN CERTIFICATE REQUEST-----\n"]
)
async def test_a_csr_that_fails_review_never_reaches_the_authority(desk: Desk, csr: str) -> None:
    answer = await desk.sign(station_of(), csr)
    assert answer["status"] == "Rejected"
    assert answer["statusInfo"]["reasonCode"] == "InvalidCSR"
    assert (desk.authority.asked, desk.book.kept) == ([], {})


async def test_nothing_is_accepted_that_is_not_on_file(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def add(*_: Any, **__: Any) -> Any:
        raise StoreAway("the disk is full")

    monkeypatch.setattr(desk.book, "add", add)
    with pytest.raises(StoreAway):
        await desk.sign(station_of())
    assert desk.owned.tasks == []


# --- V2G


async def test_a_type_without_an_authority_is_rejected(desk: Desk) -> None:
    answer = await desk.sign(station_of(), certificateType="V2GCertificate")
    assert (answer["status"], answer["statusInfo"]["reasonCode"]) == ("Rejected", "UnsupportedType")
    assert desk.owned.tasks == []


async def test_a_v2g_certificate_has_its_own_authority_profile_and_words(events: KeptEvents) -> None:
    desk, station = Desk(events, v2g=True), station_of()
    await desk.sign(station, certificateType="V2GCertificate")
    await desk.sign(station)
    await desk.settled()
    assert [each.profile.name for each in desk.v2g.asked] == ["secc"]
    assert [each.profile.name for each in desk.authority.asked] == ["charging_station"]
    kinds = [payload.get("certificateType") for _, payload in station.calls]
    assert sorted(kinds, key=str) == [None, "V2GCertificate"]
    assert desk.book.states() == ["delivered", "delivered"]


async def test_with_one_key_for_both_each_is_what_it_was_asked_for_as(events: KeptEvents) -> None:
    """What was signed for vehicles and nobody took is no station certificate, whatever ends in between."""
    desk, station, csr = Desk(events, v2g=True), station_of(), make_csr()
    next(desk.v2g._numbers)
    station.says("CertificateSigned", PeerUnavailable("no answer"))
    await desk.sign(station, csr, certificateType="V2GCertificate")
    await desk.settled()
    desk.authority.failures = [AuthorityUnavailable("sealed")]
    await desk.sign(station, csr)
    await desk.settled()
    await desk.kill()
    await desk.service.resume(station)
    await desk.settled()
    assert [len(each.asked) for each in (desk.v2g, desk.authority)] == [1, 2]
    assert [each.serial for each in desk.book.kept.values()] == ["abc2", "abc1"]


async def test_a_16_stations_v2g_certificate_comes_in_data_transfer(events: KeptEvents) -> None:
    desk, station = Desk(events, v2g=True), station_of(version=Version.V16)
    station.says("DataTransfer", {"status": "Accepted", "data": '{"status":"Accepted"}'})
    await desk.service.renew(station, "v2g")
    answer = await desk.service.sign_wrapped(station, {"csr": make_csr()}, "iso15118")
    assert answer == {"status": "Accepted"}
    await desk.settled()
    vendors = [(payload["vendorId"], payload["messageId"]) for _, payload in station.calls]
    assert vendors == [
        ("org.openchargealliance.iso15118pnc", "TriggerMessage"),
        ("iso15118", "CertificateSigned"),
    ]
    assert desk.book.states() == ["delivered"]
    other = {"csr": make_csr(), "certificateType": "ChargingStationCertificate"}
    assert await desk.service.sign_wrapped(station, other, "iso15118") == {"status": "Rejected"}


# --- approval by a person


@pytest.fixture
def counter(events: KeptEvents) -> Desk:
    return Desk(events, approval=True)


async def test_a_csr_waits_for_a_person(counter: Desk) -> None:
    station, csr = station_of(), make_csr()
    assert await counter.sign(station, csr) == {"status": "Accepted"}
    assert await counter.sign(station, csr) == {"status": "Accepted"}
    await counter.service.follow_decisions()
    await counter.settled()
    assert (counter.book.states(), counter.authority.asked) == (["waiting"], [])
    await counter.book.decide(1, RequestState.REQUESTED)
    await counter.service.follow_decisions()
    await counter.settled()
    assert (counter.book.states(), station.actions) == (["delivered"], ["CertificateSigned"])


async def test_a_new_key_waits_in_the_place_of_the_older(counter: Desk) -> None:
    station = station_of()
    await counter.sign(station)
    await counter.sign(station)
    assert counter.book.states() == ["replaced", "waiting"]
    assert list(counter.service._undecided) == [2]


@pytest.mark.parametrize(
    ("answer", "revoked"), [(PeerUnavailable("gone"), [("abc1", "superseded")]), ({"status": "Accepted"}, [])]
)
async def test_while_a_certificate_is_on_its_way(counter: Desk, answer: Any, revoked: Any) -> None:
    """The newer one waits, and the station leaves: nobody would come back to what it was being sent."""
    station = station_of()
    taking: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    station.says("CertificateSigned", lambda _: taking)
    await counter.sign(station)
    await counter.book.decide(1, RequestState.REQUESTED)
    await counter.service.follow_decisions()
    await counter.until(lambda: station.actions == ["CertificateSigned"])
    await counter.sign(station)
    station.is_connected = False
    taking.set_result(answer)
    await counter.settled()
    counter.wake()
    await counter.settled()
    assert (counter.book.states(), counter.revoked) == (["replaced", "waiting"], revoked)


async def test_a_refused_request_is_over(counter: Desk) -> None:
    station = station_of()
    await counter.sign(station)
    await counter.book.decide(1, RequestState.REFUSED)
    await counter.service.follow_decisions()
    await counter.settled()
    assert (counter.book.states(), station.calls) == (["refused"], [])
    assert counter.service._undecided == {}


async def test_an_approval_outlives_restarts(counter: Desk) -> None:
    station = station_of()
    await counter.sign(station)
    await counter.kill()
    await counter.service.resume(station)
    assert station.calls == []
    await counter.kill()
    await counter.book.decide(1, RequestState.REQUESTED)
    await counter.service.resume(station)
    await counter.settled()
    assert (counter.book.states(), station.actions) == (["delivered"], ["CertificateSigned"])


async def test_nobody_decides_for_a_month(counter: Desk) -> None:
    station = station_of()
    await counter.sign(station)
    counter.pass_by(timedelta(days=30))
    await counter.service.resume(station)
    assert counter.book.states() == ["failed"]


async def test_whoever_waits_hears_that_a_person_must_approve(counter: Desk) -> None:
    station = station_of()
    renewed = asyncio.ensure_future(counter.service.renew_and_wait(station, 60))
    await settle()
    await counter.sign(station)
    with pytest.raises(NotRenewed, match="voltgate cert approve 1"):
        await renewed


async def test_a_station_is_not_asked_for_another_key_while_a_person_looks_at_its_request(counter: Desk) -> None:
    station = station_of()
    await counter.sign(station)
    with pytest.raises(NotRenewed, match="voltgate cert approve 1"):
        await counter.service.renew_and_wait(station, 60)
    assert (counter.book.states(), station.calls) == (["waiting"], [])
    # By hand it is asked all the same; and by itself when nobody has decided for a month.
    await counter.service.renew(station)
    counter.pass_by(timedelta(days=30))
    with pytest.raises(NotRenewed, match="within 0 s"):
        await counter.service.renew_and_wait(station, 0.0)
    assert station.actions == ["TriggerMessage", "TriggerMessage"]


async def test_nobody_is_asked_for_what_nobody_would_sign(counter: Desk) -> None:
    station = station_of()
    with pytest.raises(TriggerRefused, match=r"configure authority\.v2g"):
        await counter.service.renew(station, "v2g")
    assert station.calls == []


async def test_while_the_store_is_away_nobody_is_asked(counter: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(_: str) -> None:
        raise StoreAway("locked")

    monkeypatch.setattr(counter.book, "open_ones", away)
    station = station_of()
    with pytest.raises(NotRenewed, match="locked"):
        await counter.service.renew_and_wait(station, 60)
    assert station.calls == []


# --- triggers


async def test_renewal_triggers_and_reports_a_refusal(events: KeptEvents) -> None:
    desk, station = Desk(events, v2g=True), station_of()
    await desk.service.renew(station)
    assert station.calls == [("TriggerMessage", {"requestedMessage": "SignChargingStationCertificate"})]
    station.says("TriggerMessage", {"status": "NotImplemented"})
    with pytest.raises(TriggerRefused, match="NotImplemented") as refused:
        await desk.service.renew(station)
    assert refused.value.is_unknown
    station.says("TriggerMessage", {"status": "Rejected"})
    with pytest.raises(TriggerRefused, match="Rejected") as refused:
        await desk.service.renew(station, "v2g")
    assert not refused.value.is_unknown
    assert station.calls[-1] == ("TriggerMessage", {"requestedMessage": "SignV2GCertificate"})
    station.says("TriggerMessage", CallError(ErrorCode.NOT_SUPPORTED))
    with pytest.raises(TriggerRefused, match="CALLERROR NotSupported"):
        await desk.service.renew(station)
    station.says("TriggerMessage", PeerUnavailable("gone"))
    with pytest.raises(PeerUnavailable):
        await desk.service.renew(station)


async def test_a_16_station_speaks_its_own_words(desk: Desk) -> None:
    station = station_of(version=Version.V16)
    await desk.service.renew(station)
    assert await desk.sign(station, make_csr("SN2")) == {"status": "Rejected"}
    assert await desk.sign(station) == {"status": "Accepted"}
    await desk.settled()
    assert station.calls == [
        ("ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"}),
        ("CertificateSigned", {"certificateChain": "-----CHAIN abc1-----"}),
    ]
    assert desk.inventory.steps[-1] == ("abc1", "installed")


# --- to be renewed, and to know when it is


async def test_whoever_waits_hears_when_the_station_has_accepted(desk: Desk) -> None:
    station = station_of()
    renewed = asyncio.ensure_future(desk.service.renew_and_wait(station, 60))
    await settle()
    assert station.actions == ["TriggerMessage"]
    await desk.sign(station)
    assert not renewed.done()
    assert await renewed == "abc1"
    assert station.actions == ["TriggerMessage", "CertificateSigned"]


async def test_whoever_wants_what_is_under_way_waits_for_that(desk: Desk) -> None:
    station = station_of()
    station.says("CertificateSigned", PeerUnavailable("gone"), {"status": "Accepted"})
    await desk.sign(station)
    await desk.settled()
    assert await desk.service.renew_and_wait(station, 60) == "abc1"
    assert station.actions == ["CertificateSigned", "CertificateSigned"]


async def test_two_may_wait_and_another_station_is_none_of_theirs(desk: Desk) -> None:
    station = station_of()
    waiting = [asyncio.ensure_future(desk.service.renew_and_wait(station, 60)) for _ in range(2)]
    await settle()
    await desk.sign(station_of("CS2", "SN2"), make_csr("SN2"))
    await desk.settled()
    assert not any(each.done() for each in waiting)
    await desk.sign(station)
    assert await asyncio.gather(*waiting) == ["abc2", "abc2"]


@pytest.mark.parametrize(
    ("csr", "failure", "answer", "reason"),
    [
        (make_csr("SN2"), None, {"status": "Accepted"}, "the CN isn't this station's"),
        (None, AuthorityUnavailable("sealed"), {"status": "Accepted"}, "signing it failed: sealed"),
        (None, RuntimeError("a defect"), {"status": "Accepted"}, "the log says why"),
        (None, None, PeerUnavailable("gone"), "could not be delivered: gone"),
        (None, None, {"status": "Rejected"}, "CertificateSigned: Rejected"),
    ],
)
async def test_whoever_waits_hears_why_nothing_comes(
    desk: Desk, csr: str | None, failure: Exception | None, answer: Any, reason: str
) -> None:
    station = station_of()
    desk.authority.failures = [failure] if failure else []
    station.says("CertificateSigned", answer)
    renewed = asyncio.ensure_future(desk.service.renew_and_wait(station, 60))
    await settle()
    await desk.sign(station, csr)
    with pytest.raises(NotRenewed, match=reason):
        await renewed


async def test_a_flood_ends_the_waiting_too(desk: Desk) -> None:
    station = station_of()
    for _ in range(10):
        await desk.sign(station, "rubbish")
    renewed = asyncio.ensure_future(desk.service.renew_and_wait(station, 60))
    await settle()
    await desk.sign(station)
    with pytest.raises(NotRenewed, match="more than 10 in an hour"):
        await renewed


async def test_waiting_ends(desk: Desk) -> None:
    station = station_of()
    with pytest.raises(NotRenewed, match="within 0 s"):
        await desk.service.renew_and_wait(station, 0.0)
    station.says("TriggerMessage", {"status": "Rejected"})
    with pytest.raises(TriggerRefused):
        await desk.service.renew_and_wait(station, 60)
    renewed = asyncio.ensure_future(desk.service.renew_and_wait(station_of(), 60))
    await settle()
    renewed.cancel()
    await asyncio.wait([renewed])
    assert desk.service._waiting == {}


async def test_a_flood_of_requests_is_refused_for_that_station_alone(desk: Desk) -> None:
    station = station_of()
    for _ in range(10):
        assert (await desk.sign(station))["status"] == "Accepted"
        await desk.settled()
    assert (await desk.sign(station))["statusInfo"]["reasonCode"] == "RateLimitExceeded"
    assert len(desk.authority.asked) == 10
    assert (await desk.sign(station_of("CS2", "SN2"), make_csr("SN2")))["status"] == "Accepted"
    await desk.settled()
    desk.now = 3600.0
    assert (await desk.sign(station))["status"] == "Accepted"
    await desk.settled()
