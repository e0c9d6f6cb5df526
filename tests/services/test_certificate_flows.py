"""What becomes of a request: it is said again, its authority is away, the process is killed."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509

from gateway.bridge.ports import PeerUnavailable
from gateway.session.ports import StoreAway
from pki.authority import AuthorityUnavailable, IssuedMismatch, OutcomeUnknown, SigningPending, SigningRefused
from tests.services.certificate_desk import Desk, make_csr, new_key, station_of
from tests.services.conftest import KeptEvents


@pytest.fixture
def desk(events: KeptEvents) -> Desk:
    return Desk(events)


# --- the station says it again (A02.FR.17 to FR.19)


async def test_the_same_key_again_is_accepted_and_has_one_certificate(desk: Desk) -> None:
    station, csr = station_of(), make_csr()
    desk.authority.gate.clear()
    await desk.sign(station, csr)
    await desk.until(lambda: desk.authority.at_once == 1)
    assert await desk.sign(station, csr) == {"status": "Accepted"}
    desk.authority.gate.set()
    await desk.settled()
    assert (len(desk.authority.asked), station.actions) == (1, ["CertificateSigned"])
    assert desk.book.states() == ["delivered"]


async def test_a_new_key_replaces_the_older_request(desk: Desk) -> None:
    station, newer = station_of(), make_csr()
    desk.authority.gate.clear()
    await desk.sign(station)
    await desk.until(lambda: desk.authority.at_once == 1)
    assert await desk.sign(station, newer) == {"status": "Accepted"}
    desk.authority.gate.set()
    await desk.settled()
    assert station.calls == [("CertificateSigned", {"certificateChain": "-----CHAIN abc2-----"})]
    assert desk.book.states() == ["replaced", "delivered"]
    assert desk.revoked == [("abc1", "superseded")]


async def test_what_an_older_request_was_given_and_nobody_took_is_revoked(desk: Desk) -> None:
    station = station_of()
    station.says("CertificateSigned", PeerUnavailable("no answer"), {"status": "Accepted"})
    await desk.sign(station)
    await desk.settled()
    await desk.sign(station)
    await desk.settled()
    assert desk.book.states() == ["replaced", "delivered"]
    assert desk.revoked == [("abc1", "superseded")]


async def test_what_the_station_takes_at_that_moment_is_not_revoked(desk: Desk) -> None:
    station = station_of()
    taking: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    station.says("CertificateSigned", lambda _: taking, {"status": "Accepted"})
    await desk.sign(station)
    await desk.until(lambda: station.actions == ["CertificateSigned"])
    await desk.sign(station)
    taking.set_result({"status": "Accepted"})
    await desk.settled()
    assert desk.revoked == []
    assert [state for serial, state in desk.inventory.steps if serial == "abc1"][-1] == "installed"
    assert desk.book.states() == ["replaced", "delivered"]


async def test_what_it_refuses_at_that_moment_is_revoked(desk: Desk) -> None:
    station = station_of()
    taking: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    station.says("CertificateSigned", lambda _: taking, {"status": "Accepted"})
    await desk.sign(station)
    await desk.until(lambda: station.actions == ["CertificateSigned"])
    await desk.sign(station)
    taking.set_result(PeerUnavailable("gone"))
    await desk.settled()
    assert desk.revoked == [("abc1", "superseded")]


# --- the authority


async def test_an_authority_that_is_away_is_asked_again_for_as_long_as_the_station_waits(desk: Desk) -> None:
    station = station_of()
    desk.authority.failures = [AuthorityUnavailable("sealed") for _ in range(9)]
    await desk.sign(station)
    for _ in range(9):
        await desk.settled()
        assert station.calls == []
        desk.wake()
    await desk.settled()
    assert desk.paused == [5, 10, 20, 40, 80, 160, 320, 600, 600]
    assert desk.book.states() == ["delivered"]


async def test_an_authority_that_has_yet_to_decide_is_asked_when_it_said(desk: Desk) -> None:
    """RFC 7030 4.2.3: not before Retry-After."""
    desk.authority.failures = [SigningPending("a person decides", 3600.0), SigningPending("a person decides", 1.0)]
    await desk.sign(station_of())
    for _ in range(2):
        await desk.settled()
        desk.wake()
    await desk.settled()
    assert desk.paused == [3600, 10]
    assert desk.book.states() == ["delivered"]


async def test_an_authority_that_may_have_signed_is_not_asked_in_a_hurry(desk: Desk, events: KeptEvents) -> None:
    """Each asking may leave a certificate there that nobody has: people hear of it."""
    desk.authority.failures = [OutcomeUnknown("the answer was cut off"), AuthorityUnavailable("sealed")]
    await desk.sign(station_of())
    for _ in range(2):
        await desk.settled()
        desk.wake()
    await desk.settled()
    assert desk.paused == [300, 10]
    assert desk.book.states() == ["delivered"]
    ((kind, detail),) = [(each.kind, each.detail) for each in events.noted]
    assert kind == "CertificateNotIssued"
    assert detail.endswith("look there for what nobody has: the answer was cut off")


async def test_after_a_day_it_is_over(desk: Desk, events: KeptEvents) -> None:
    station = station_of()
    desk.authority.failures = [AuthorityUnavailable("sealed") for _ in range(9)]
    await desk.sign(station)
    await desk.settled()
    desk.pass_by(timedelta(hours=24))
    desk.wake()
    await desk.settled()
    assert desk.book.states() == ["failed"]
    assert (station.calls, events.noted) == ([], [])


@pytest.mark.parametrize("failure", [SigningRefused("not this one"), IssuedMismatch("another key")])
async def test_what_an_authority_refuses_is_over_and_a_security_event(
    desk: Desk, events: KeptEvents, failure: Exception
) -> None:
    desk.authority.failures = [failure]
    await desk.sign(station_of())
    await desk.settled()
    assert (desk.book.states(), desk.book.kept[1].detail) == (["failed"], str(failure))
    assert [(each.kind, each.detail) for each in events.noted] == [("CertificateNotIssued", str(failure))]
    assert (await desk.sign(station_of()))["status"] == "Accepted"
    await desk.settled()
    assert desk.book.states() == ["failed", "delivered"]


async def test_a_store_that_is_away_costs_no_second_certificate(desk: Desk) -> None:
    desk.inventory.failures = [StoreAway("full"), StoreAway("full")]
    await desk.sign(station_of())
    for _ in range(2):
        await desk.settled()
        desk.wake()
    await desk.settled()
    assert (len(desk.authority.asked), desk.book.states()) == (1, ["delivered"])


# --- kill -9


async def test_what_was_answered_accepted_is_taken_up_after_a_restart(desk: Desk) -> None:
    station = station_of()
    await desk.sign(station)
    await desk.kill()
    assert (station.calls, desk.book.states()) == ([], ["requested"])
    await desk.service.resume(station)
    await desk.settled()
    assert (len(desk.authority.asked), desk.book.states()) == (1, ["delivered"])


async def test_what_was_signed_is_not_signed_again_after_a_restart(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    station = station_of()

    async def move(*_: Any, **__: Any) -> Any:
        raise asyncio.CancelledError

    with monkeypatch.context() as killed:
        killed.setattr(desk.book, "move", move)
        await desk.sign(station)
        await desk.until(lambda: "abc1" in desk.inventory.files)
        await desk.kill()
    assert desk.book.states() == ["requested"]
    await desk.service.resume(station)
    await desk.settled()
    assert station.calls == [("CertificateSigned", {"certificateChain": "-----CHAIN abc1-----"})]
    assert (len(desk.authority.asked), desk.book.states()) == (1, ["delivered"])


async def test_what_the_station_took_is_not_sent_again_after_a_restart(desk: Desk) -> None:
    station = station_of()
    station.says("CertificateSigned", PeerUnavailable("it reconnects with the new one at once"))
    await desk.sign(station)
    await desk.settled()
    await desk.kill()
    await desk.inventory.mark("abc1", "in_use")
    await desk.service.resume(station)
    await desk.settled()
    assert (station.actions, desk.book.states()) == (["CertificateSigned"], ["delivered"])


async def test_what_was_revoked_meanwhile_is_not_delivered(desk: Desk) -> None:
    station = station_of()
    station.says("CertificateSigned", PeerUnavailable("gone"))
    await desk.sign(station)
    await desk.settled()
    await desk._revoke("abc1", x509.ReasonFlags.key_compromise, "")
    desk.wake()
    await desk.settled()
    assert (station.actions, desk.book.states()) == (["CertificateSigned"], ["failed"])


async def test_an_authority_that_is_configured_no_more(events: KeptEvents) -> None:
    desk, station = Desk(events, v2g=True), station_of()
    await desk.sign(station, certificateType="V2GCertificate")
    del desk.kinds["V2GCertificate"]
    await desk.kill()
    await desk.service.resume(station)
    await desk.settled()
    assert "no authority is configured for V2GCertificate any more" in desk.book.kept[1].detail


# --- people change the registry meanwhile


async def test_a_name_that_is_the_stations_no_more_is_not_signed(desk: Desk) -> None:
    """Its old serial number may be another station's by now."""
    station = station_of()
    desk.authority.failures = [AuthorityUnavailable("sealed")]
    await desk.sign(station)
    await desk.settled()
    desk.book.names["CS1"] = "SN9"
    desk.wake()
    await desk.settled()
    assert (desk.book.states(), len(desk.authority.asked), station.calls) == (["failed"], 1, [])


async def test_nor_is_it_delivered(desk: Desk) -> None:
    station = station_of()
    desk.authority.gate.clear()
    await desk.sign(station)
    await desk.until(lambda: desk.authority.at_once == 1)
    desk.book.names["CS1"] = "SN9"
    desk.authority.gate.set()
    await desk.settled()
    assert (desk.book.states(), station.calls) == (["failed"], [])
    assert desk.revoked == [("abc1", "cessationOfOperation")]


async def test_the_same_key_with_the_new_name_is_another_request(desk: Desk) -> None:
    station, key = station_of(), new_key()
    desk.authority.failures = [AuthorityUnavailable("sealed")]
    await desk.sign(station, make_csr("SN1", key=key))
    await desk.settled()
    desk.book.names["CS1"] = "SN9"
    assert await desk.sign(station, make_csr("SN9", key=key)) == {"status": "Accepted"}
    await desk.settled()
    assert desk.book.states() == ["replaced", "delivered"]
    assert [each.common_name for each in desk.authority.asked] == ["SN1", "SN9"]
