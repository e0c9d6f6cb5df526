"""A station's BootNotification: relayed, answered in the backend's place, reported later (OCPP 2.0.1 B01 to B03)."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from gateway.bridge.books import Json
from gateway.bridge.ports import PeerUnavailable
from gateway.session.boot_notification import SERIAL_MISMATCH
from gateway.session.peer import TRY_LATER, Unanswerable
from gateway.session.ports import BootStatus
from gateway.session.stages import InvalidAnswer, NotSendable
from gateway.wire.errors import CallError, ErrorCode

if TYPE_CHECKING:
    from tests.session.conftest import House, Talk

NewHouse = Callable[..., "House"]
NewTalk = Callable[..., "Talk"]

NONE, PENDING, REJECTED, ACCEPTED = BootStatus.NONE, BootStatus.PENDING, BootStatus.REJECTED, BootStatus.ACCEPTED
BOOT: Json = {"reason": "PowerUp", "chargingStation": {"model": "AC", "vendorName": "Example", "serialNumber": "SN-1"}}
EARLIER: Json = {"reason": "PowerUp", "chargingStation": {"model": "AC", "vendorName": "Example"}}


@pytest.mark.parametrize(("word", "status"), [("Accepted", ACCEPTED), ("Pending", PENDING), ("Rejected", REJECTED)])
async def test_the_backends_answer_is_saved_relayed_and_obeyed(house: NewHouse, word: str, status: BootStatus) -> None:
    home = house()
    home.backend.answers_boot(word, 42)

    answer = await home.station.from_station("BootNotification", BOOT)

    assert answer == {"status": word, "interval": 42, "currentTime": "translated"}
    assert home.backend.calls == [("BootNotification", {"translated": "PowerUp"})]
    assert home.backend.waits == []
    assert home.registry.boots == [(status, 42, True)]
    assert home.station.gate.status is status
    record = home.station.record
    assert (record.boot_status, record.boot_interval, record.boot_reported) == (status, 42, True)
    assert record.boot_payload == (BOOT if status is ACCEPTED else None)


async def test_a_boot_that_is_not_accepted_does_not_forget_the_one_that_was(house: NewHouse) -> None:
    home = house(ACCEPTED, boot_payload=EARLIER)
    home.backend.answers_boot("Rejected")
    await home.station.from_station("BootNotification", BOOT)

    assert not home.station.gate.is_open
    assert home.station.record.boot_payload == EARLIER


@pytest.mark.parametrize("word", ["Accepted", "Pending", "Rejected"])
async def test_what_it_says_of_itself_is_known_whatever_the_answer(house: NewHouse, word: str) -> None:
    home = house(PENDING, boot_payload=EARLIER)
    assert home.station.boot == EARLIER
    home.backend.answers_boot(word)
    await home.station.from_station("BootNotification", BOOT)

    assert home.station.boot == BOOT


async def test_what_another_station_says_is_not_known_of_this_one(house: NewHouse) -> None:
    home = house(ACCEPTED, serial="SN-9", boot_payload=EARLIER)
    with pytest.raises(Unanswerable):
        await home.station.from_station("BootNotification", BOOT)

    assert home.station.boot == EARLIER


async def test_a_boot_waits_for_the_backends_leg(house: NewHouse) -> None:
    home = house()
    home.backend.is_up = False
    home.backend.comes_up = True
    home.backend.answers_boot("Accepted")

    assert (await home.station.from_station("BootNotification", BOOT))["status"] == "Accepted"
    assert home.backend.waits == [5.0]


AWAY = PeerUnavailable("no answer to BootNotification in time")
REFUSALS = [
    AWAY,
    CallError(ErrorCode.INTERNAL_ERROR, "database down"),
    InvalidAnswer(ErrorCode.FORMAT_VIOLATION, "invalid answer to BootNotification"),
    NotSendable(ErrorCode.SECURITY_ERROR, "refused by policy"),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    ("cached", "accepted_before", "status", "interval"),
    [
        (False, False, PENDING, 60),
        (False, True, PENDING, 60),
        (True, False, PENDING, 60),
        (True, True, ACCEPTED, 900),
    ],
)
async def test_without_an_answer_of_the_backend(
    house: NewHouse, refusal: Exception, cached: bool, accepted_before: bool, status: BootStatus, interval: int
) -> None:
    home = house(cached=cached, boot_payload=EARLIER if accepted_before else None)
    home.backend.answer = refusal

    answer = await home.station.from_station("BootNotification", BOOT)

    assert answer == {"status": status.value, "interval": interval, "currentTime": "2026-03-01T12:00:00.000Z"}
    # Only an Accepted in the backend's place is something that it must still hear of.
    assert home.registry.boots == [(status, interval, status is not ACCEPTED)]
    assert home.station.gate.status is status
    assert home.station.record.boot_reported is (status is not ACCEPTED)


async def test_a_leg_that_does_not_come_up_is_no_answer_either(house: NewHouse) -> None:
    home = house()
    home.backend.is_up = False

    assert (await home.station.from_station("BootNotification", BOOT))["status"] == "Pending"
    assert home.backend.calls == []


@pytest.mark.parametrize(
    ("profile", "registered", "presented", "fits"),
    [
        (3, "SN-1", "SN-1", True),
        (3, "SN-1", "SN-2", False),
        (3, "SN-1", "sn-1", False),
        (3, "SN-1", "SN-1 ", False),
        (3, "SN-1", "CS1", False),
        (3, "SN-1", None, False),
        (3, None, "CS1", True),
        (3, None, "SN-1", False),
        (3, None, None, False),
        (2, "SN-1", "SN-1", True),
        (2, "SN-1", "SN-2", False),
        (2, "SN-1", None, False),
        (2, None, "anything", True),
        (2, None, None, True),
        (1, "SN-1", "SN-2", False),
        (1, None, None, True),
    ],
)
async def test_the_serial_number_is_the_last_link_of_the_chain(
    house: NewHouse, profile: int, registered: str | None, presented: str | None, fits: bool
) -> None:
    """B01.FR.11 and 12; attack A8."""
    home = house(profile=profile, serial=registered)
    home.backend.answers_boot("Accepted")
    station = {"model": "AC", "vendorName": "Example"} | ({} if presented is None else {"serialNumber": presented})
    payload = {"reason": "PowerUp", "chargingStation": station}
    reported: list[tuple[str, str]] = []
    home.station.reports = lambda _, *event: reported.append(event)

    if fits:
        assert (await home.station.from_station("BootNotification", payload))["status"] == "Accepted"
        assert reported == []
        return
    with capture_logs() as lines, pytest.raises(Unanswerable) as refusal:
        await home.station.from_station("BootNotification", payload)
    assert (refusal.value.code, refusal.value.reason) == (SERIAL_MISMATCH, "the serial number is not this station's")
    assert [line["event"] for line in lines] == ["serial_mismatch"]
    detail = f"serial_mismatch: its BootNotification names {presented!a}, not {registered or 'CS1'!a}"
    assert reported == [("FailedToAuthenticateAtCsms", detail)]
    assert home.backend.calls == []
    assert home.registry.boots == []
    assert not home.station.gate.is_open


async def test_a_wrong_serial_number_closes_the_connection_without_an_answer(
    house: NewHouse, new_talk: NewTalk
) -> None:
    home = house(profile=3, serial="SN-2")
    talk = new_talk(handle=home.station.from_station)

    assert await talk.hears([2, "1", "BootNotification", BOOT]) == []
    assert talk.socket.closed == [(1008, "the serial number is not this station's")]


async def test_a_boot_that_another_owner_has_overtaken_is_not_answered(house: NewHouse) -> None:
    home = house(PENDING)
    home.backend.answers_boot("Accepted")
    home.registry.epochs["CS1"] = 8

    with pytest.raises(Unanswerable) as refusal:
        await home.station.from_station("BootNotification", BOOT)

    assert refusal.value.code == TRY_LATER
    assert home.station.gate.status is PENDING
    assert home.station.record.boot_payload is None


# --- the boot that the backend hears of later


@pytest.mark.parametrize(
    ("status", "reported", "payload"),
    [(ACCEPTED, True, EARLIER), (ACCEPTED, False, None), (PENDING, False, EARLIER), (REJECTED, False, EARLIER)],
)
async def test_a_boot_that_need_not_be_reported_is_not(
    house: NewHouse, status: BootStatus, reported: bool, payload: Json | None
) -> None:
    home = house(status, boot_reported=reported, boot_payload=payload)
    await home.station.report_boot()

    assert home.backend.calls == []


async def test_the_backend_hears_later_of_the_boot_that_was_accepted_in_its_place(house: NewHouse) -> None:
    home = house(ACCEPTED, boot_reported=False, boot_payload=EARLIER)
    home.backend.answers_boot("Accepted", 120)
    await home.station.report_boot()

    assert home.backend.calls == [("BootNotification", {"translated": "PowerUp"})]
    assert home.registry.boots == [(ACCEPTED, 120, True)]
    assert home.station.record.boot_reported
    assert home.station.gate.is_open
    await home.station.report_boot()
    assert len(home.backend.calls) == 1


@pytest.mark.parametrize(("word", "status"), [("Pending", PENDING), ("Rejected", REJECTED)])
async def test_a_backend_that_then_refuses_the_station_has_it_disconnected(
    house: NewHouse, talk: "Talk", word: str, status: BootStatus
) -> None:
    home = house(ACCEPTED, boot_reported=False, boot_payload=EARLIER)
    home.station.peer = talk.peer
    home.backend.answers_boot(word)
    await home.station.report_boot()

    assert home.station.gate.status is status
    assert home.registry.boots == [(status, 300, True)]
    assert talk.socket.closed == [(TRY_LATER, "the backend does not accept this station")]


@pytest.mark.parametrize("refusal", [AWAY, CallError(ErrorCode.INTERNAL_ERROR)])
async def test_a_report_that_fails_is_made_again(house: NewHouse, refusal: Exception) -> None:
    home = house(ACCEPTED, boot_reported=False, boot_payload=EARLIER)
    home.backend.answer = refusal
    with pytest.raises(type(refusal)):
        await home.station.report_boot()
    assert not home.station.record.boot_reported

    home.backend.answers_boot("Accepted")
    await home.station.report_boot()
    assert home.station.record.boot_reported


@pytest.mark.parametrize(("word", "is_refused"), [("Accepted", False), ("Pending", True), ("Rejected", True)])
async def test_only_the_backends_own_word_holds_up_the_money(house: NewHouse, word: str, is_refused: bool) -> None:
    home = house(ACCEPTED, boot_payload=EARLIER)
    accepted: list[bool] = []
    home.station.when_accepted = lambda: accepted.append(True)
    assert not home.station.is_refused

    home.backend.is_up = False
    await home.station.from_station("BootNotification", BOOT)
    assert (home.station.is_refused, accepted) == (False, [])

    home.backend.is_up = True
    home.backend.answer = {"status": word, "currentTime": "2026-03-01T12:00:00Z", "interval": 60}
    await home.station.from_station("BootNotification", BOOT)
    assert (home.station.is_refused, accepted) == (is_refused, [] if is_refused else [True])


async def test_a_rejection_lasts_over_a_restart(house: NewHouse) -> None:
    assert house(REJECTED).station.is_refused
    assert not house(PENDING).station.is_refused
