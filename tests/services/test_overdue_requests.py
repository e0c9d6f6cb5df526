"""Requests that nobody comes back for: ended by the hour, and what was issued for them is revoked."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.bridge.ports import PeerUnavailable
from gateway.services.clock_watch import HOLD
from gateway.services.overdue_requests import BATCH, LOOK_EVERY, WITHIN, OverdueRequests
from gateway.session.certificate_requests import OPEN, CertificateRequest, RequestState
from gateway.session.ports import BootStatus, StoreAway
from pki.authority import AuthorityUnavailable
from tests.services.certificate_desk import START, Book, Desk, make_csr, new_key, station_of
from tests.services.conftest import KeptEvents

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


class Sweep:
    """The service at a desk, or with a settling of the test's own; time moves when a test says so."""

    def __init__(self, desk: Desk, settle: Callable[[CertificateRequest], Any] | None = None) -> None:
        self.desk = desk
        self.seconds = 0.0
        self.looks = 0
        self.service = OverdueRequests(
            desk.book,
            settle or desk.service.settle_overdue,
            now=lambda: desk.book.now,
            monotonic=lambda: self.seconds,
            sleep=self._sleep,
        )

    def pass_by(self, time: timedelta) -> None:
        self.desk.pass_by(time)
        self.seconds += time.total_seconds()

    async def after(self, time: timedelta) -> int:
        self.pass_by(time)
        return await self.service.end_overdue()

    async def _sleep(self, seconds: float) -> None:
        if self.looks == 0:
            raise asyncio.CancelledError
        self.looks -= 1
        self.pass_by(timedelta(seconds=seconds))

    async def run(self, looks: int) -> None:
        self.looks = looks
        with pytest.raises(asyncio.CancelledError):
            await self.service.run()


@pytest.fixture
def desk(events: KeptEvents) -> Desk:
    return Desk(events)


def test_every_state_that_is_no_end_has_one() -> None:
    assert WITHIN.keys() == OPEN


async def leave_undelivered(desk: Desk) -> None:
    """CS1 has its request signed, leaves before it has the certificate, and is forgotten."""
    station = station_of()
    station.says("CertificateSigned", PeerUnavailable("gone"))
    await desk.sign(station)
    await desk.settled()
    station.is_connected = False
    desk.wake()
    await desk.settled()
    assert (desk.book.states(), desk.service._flows._flows) == (["issued"], {})


async def test_a_certificate_whose_station_never_comes_back_is_revoked(desk: Desk) -> None:
    await leave_undelivered(desk)
    sweep = Sweep(desk)
    assert await sweep.after(7 * DAY - SECOND) == 0
    assert (desk.book.states(), desk.revoked) == (["issued"], [])
    assert await sweep.after(SECOND) == 1
    assert (desk.book.states(), desk.revoked) == (["failed"], [("abc1", "cessationOfOperation")])
    assert "within 7 days" in desk.book.kept[1].detail
    assert await sweep.after(DAY) == 0


async def test_one_that_the_station_was_seen_with_is_not(desk: Desk) -> None:
    """Its answer was lost, and it came with the certificate while another process held the door."""
    await leave_undelivered(desk)
    await desk.inventory.mark("abc1", "in_use")
    assert await Sweep(desk).after(8 * DAY) == 1
    assert (desk.book.states(), desk.revoked) == (["delivered"], [])


async def test_nobody_decides_and_the_station_does_not_come_back(events: KeptEvents) -> None:
    desk = Desk(events, approval=True)
    await desk.sign(station_of())
    sweep = Sweep(desk)
    assert await sweep.after(30 * DAY - SECOND) == 0
    assert await sweep.after(SECOND) == 1
    assert (desk.book.states(), desk.book.kept[1].detail) == (["failed"], "nobody decided within 30 days")
    assert desk.service._undecided == {}


async def test_what_a_person_has_approved_at_that_moment_goes_on(events: KeptEvents) -> None:
    desk = Desk(events, approval=True)
    await desk.sign(station_of())
    desk.pass_by(30 * DAY)
    undecided = desk.book.kept[1]
    await desk.book.decide(1, RequestState.REQUESTED)
    await desk.service.settle_overdue(undecided)
    assert desk.book.states() == ["requested"]


@pytest.mark.parametrize("left_behind", [False, True])
async def test_an_authority_that_stays_away(desk: Desk, *, left_behind: bool) -> None:
    station, key = station_of(), new_key()
    desk.authority.failures = [] if left_behind else [AuthorityUnavailable("sealed")]
    if left_behind:
        # Killed between the authority's signature, which is on file, and the request's next state.
        desk.book.move = no_move  # type: ignore[method-assign]  # the store is away for this one write
    await desk.sign(station, make_csr(key=key))
    await desk.settled()
    await desk.kill()
    if left_behind:
        del desk.book.move
    assert desk.book.states() == ["requested"]
    sweep = Sweep(desk)
    assert await sweep.after(DAY - SECOND) == 0
    assert await sweep.after(SECOND) == 1
    assert desk.book.states() == ["failed"]
    assert desk.revoked == ([("abc1", "cessationOfOperation")] if left_behind else [])


async def no_move(*_: Any, **__: Any) -> None:
    raise StoreAway("locked")


async def test_what_is_being_sent_is_left_alone(desk: Desk) -> None:
    station = station_of()
    taking: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    station.says("CertificateSigned", lambda _: taking)
    await desk.sign(station)
    await desk.until(lambda: station.actions == ["CertificateSigned"])
    assert await Sweep(desk).after(8 * DAY) == 0
    taking.set_result({"status": "Accepted"})
    await desk.settled()
    assert (desk.book.states(), desk.revoked) == (["delivered"], [])


async def test_a_station_that_is_never_let_in_is_ended_too(desk: Desk) -> None:
    """It is connected, and its flow waits for a boot that no one accepts."""
    station = station_of()
    station.gate.answered(BootStatus.REJECTED)
    await desk.sign(station)
    await desk.settled()
    assert await Sweep(desk).after(DAY) == 1
    station.gate.answered(BootStatus.ACCEPTED)
    desk.wake()
    await desk.settled()
    assert (desk.book.states(), station.calls) == (["failed"], [])
    assert desk.service._flows._flows == {}


async def test_a_clock_a_year_ahead_revokes_nothing(desk: Desk) -> None:
    await leave_undelivered(desk)
    sweep = Sweep(desk)
    await sweep.service.end_overdue()
    desk.pass_by(365 * DAY)
    assert await sweep.after(SECOND) == 0
    assert desk.revoked == []
    # Nobody has set it back: it is right, and was wrong before.
    assert await sweep.after(timedelta(seconds=HOLD)) == 1


async def test_a_clock_that_is_set_right_in_the_first_hour_revokes_nothing(desk: Desk) -> None:
    await leave_undelivered(desk)
    sweep = Sweep(desk)
    desk.pass_by(365 * DAY)
    sleep = sweep._sleep

    async def set_right(seconds: float) -> None:
        desk.book.now = START if sweep.looks == 3 else desk.book.now
        await sleep(seconds)

    sweep.service._sleep = set_right
    await sweep.run(3)
    assert (desk.book.states(), desk.revoked) == (["issued"], [])


async def test_a_clock_that_jumps_in_the_first_hour_revokes_nothing(desk: Desk) -> None:
    await leave_undelivered(desk)
    sweep = Sweep(desk)
    sleep = sweep._sleep

    async def jump(seconds: float) -> None:
        desk.pass_by(365 * DAY)
        await sleep(seconds)

    sweep.service._sleep = jump
    await sweep.run(1)
    assert desk.revoked == []


async def fill(book: Book, count: int) -> None:
    for number in range(count):
        await book.add(f"CS{number}", "station", RequestState.REQUESTED, csr="", key_fingerprint="", words={})


async def test_many_come_in_batches_and_a_defect_of_one_keeps_back_no_other(desk: Desk) -> None:
    await fill(desk.book, 2 * BATCH + 3)
    asked: list[int] = []

    async def settle(request: CertificateRequest) -> bool:
        asked.append(request.id)
        if request.id == 2:
            raise RuntimeError("a mistake of ours")
        return request.id != 3

    with capture_logs() as logged:
        assert await Sweep(desk, settle).after(DAY) == 2 * BATCH + 1
    assert asked == list(desk.book.kept)
    assert [line["event"] for line in logged] == ["certificate_request_stays"]


async def test_a_look_that_fails_is_not_the_last(desk: Desk) -> None:
    await fill(desk.book, 1)
    outcomes: list[bool | Exception] = [StoreAway("locked"), True]

    async def settle(_: CertificateRequest) -> bool:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        desk.book.kept.clear()
        return outcome

    sweep = Sweep(desk, settle)
    sweep.desk.pass_by(2 * DAY)
    with capture_logs() as logged:
        await sweep.run(3)
    assert [line["event"] for line in logged] == ["store_unavailable", "certificate_requests_overdue"]
    assert sweep.seconds == 3 * LOOK_EVERY
