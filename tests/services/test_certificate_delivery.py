"""A certificate on its way to the station, which takes it, refuses it, or never picks it up."""

from datetime import timedelta

import pytest

from gateway.bridge.ports import PeerUnavailable
from gateway.session.ports import BootStatus
from gateway.wire.errors import CallError, ErrorCode
from tests.services.certificate_desk import Desk, station_of
from tests.services.conftest import KeptEvents


@pytest.fixture
def desk(events: KeptEvents) -> Desk:
    return Desk(events)


@pytest.mark.parametrize("answer", [PeerUnavailable("gone"), CallError(ErrorCode.INTERNAL_ERROR)])
async def test_it_is_tried_again_and_again_and_then_revoked(desk: Desk, answer: Exception) -> None:
    station = station_of()
    station.says("CertificateSigned", answer)
    await desk.sign(station)
    for _ in range(7):
        await desk.settled()
        desk.wake()
    await desk.settled()
    assert station.actions == ["CertificateSigned"] * 5
    assert len(desk.authority.asked) == 1
    assert (desk.book.states(), desk.revoked) == (["failed"], [("abc1", "cessationOfOperation")])


async def test_a_station_that_left_gets_it_when_it_is_back(desk: Desk) -> None:
    station = station_of()
    desk.authority.gate.clear()
    await desk.sign(station)
    await desk.until(lambda: desk.authority.at_once == 1)
    station.is_connected = False
    desk.authority.gate.set()
    await desk.settled()
    desk.wake()
    await desk.settled()
    assert (desk.book.states(), desk.service._flows._flows) == (["issued"], {})
    back = station_of()
    await desk.service.resume(back)
    await desk.settled()
    assert back.actions == ["CertificateSigned"]
    assert (len(desk.authority.asked), desk.book.states()) == (1, ["delivered"])


async def test_one_that_has_not_booted_waits_for_it(desk: Desk) -> None:
    station = station_of()
    station.gate.answered(BootStatus.REJECTED)
    await desk.sign(station)
    await desk.settled()
    assert (desk.paused, station.calls) == ([30], [])
    station.gate.answered(BootStatus.ACCEPTED)
    desk.wake()
    await desk.settled()
    assert desk.book.states() == ["delivered"]


async def test_after_a_week_nobody_wants_it_any_more(desk: Desk) -> None:
    station = station_of()
    station.says("CertificateSigned", PeerUnavailable("gone"))
    await desk.sign(station)
    await desk.settled()
    desk.pass_by(timedelta(days=7))
    desk.wake()
    await desk.settled()
    assert (station.actions, desk.book.states()) == (["CertificateSigned"], ["failed"])
    assert desk.revoked == [("abc1", "cessationOfOperation")]


async def test_a_refused_certificate_is_revoked_and_not_sent_again(desk: Desk, events: KeptEvents) -> None:
    station = station_of()
    station.says("CertificateSigned", {"status": "Rejected"})
    await desk.sign(station)
    await desk.settled()
    assert desk.book.states() == ["rejected"]
    assert desk.inventory.steps[-1] == ("abc1", "rejected")
    assert desk.revoked == [("abc1", "cessationOfOperation")]
    (event,) = events.noted
    assert (event.kind, event.identity) == ("InvalidChargingStationCertificate", "CS1")
    assert event.presented == {"issued_serial": "abc1"}
    await desk.service.resume(station)
    await desk.settled()
    assert station.actions == ["CertificateSigned"]
