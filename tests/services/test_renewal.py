"""The scheduler: who is asked when, how many at once, what a failure costs, and who hears of what may lapse."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from gateway.bridge.ports import PeerUnavailable
from gateway.services.certificates import NotRenewed, TriggerRefused
from gateway.services.renewal import FIRST_PAUSE, IN_FLIGHT, LONGEST_PAUSE, STILL_USED, SWEEP_EVERY, RenewalScheduler
from gateway.services.renewal_plan import RenewalRules
from gateway.services.station_commands import ConnectedStation
from gateway.session.boot import BootGate
from gateway.session.ports import BootStatus, Proof, Provisional, StationRecord, StoreAway
from gateway.session.renewals import HeldCertificate, RenewalRecord, RenewalState
from pki.authority import AuthorityUnavailable
from tests.services.conftest import KeptEvents, Owned, ScriptedStation, settle

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
LIFETIME = 360 * DAY
RULES = RenewalRules(1 / 3, 0.5, (14 * DAY, 3 * DAY))
YEAR = 365 * DAY


class Book:
    """The store: certificates that stations have, and the plans."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], HeldCertificate] = {}
        self.plans: dict[tuple[str, str], RenewalRecord] = {}
        self.still: list[HeldCertificate] = []
        self.groups: dict[str, frozenset[str]] = {}
        self.is_away = False
        self.changes = 0

    def give(self, identity: str, serial: str, since: datetime, usage: str = "station") -> None:
        self.held[identity, usage] = HeldCertificate(identity, usage, serial, since, since + LIFETIME)

    def _check(self) -> None:
        if self.is_away:
            raise StoreAway("the disk is full")

    async def revision(self) -> int:
        self._check()
        return self.changes

    async def load(self) -> Sequence[RenewalRecord]:
        self._check()
        self.plans = {
            key: plan for key, plan in self.plans.items() if key in self.held and self.held[key].serial == plan.serial
        }
        return list(self.plans.values())

    async def unplanned(self, at_most: int) -> Sequence[HeldCertificate]:
        self._check()
        found = [each for key, each in self.held.items() if key not in self.plans or _is_other(self.plans[key], each)]
        return found[:at_most]

    async def still_used(self, since: datetime, until: datetime) -> Sequence[HeldCertificate]:
        self._check()
        return [each for each in self.still if since < each.not_after <= until]

    async def save(self, records: Iterable[RenewalRecord]) -> None:
        self._check()
        self.plans |= {
            (each.identity, each.usage): each for each in records if (each.identity, each.usage) in self.held
        }

    async def members(self, group: str) -> frozenset[str]:
        return self.groups.get(group, frozenset())


def _is_other(plan: RenewalRecord, held: HeldCertificate) -> bool:
    return plan.serial != held.serial


class Desk:
    """A scheduler whose clocks a test moves; it renews what it is told to, at once or when ``hold`` is lifted."""

    def __init__(self, events: KeptEvents) -> None:
        self.book = Book()
        self.events = events
        self.date = START
        self.seconds = 0.0
        self.outcomes: dict[str, list[Exception]] = {}
        self.asked: list[tuple[str, str]] = []
        self.at_once = 0
        self.most_at_once = 0
        self.hold: asyncio.Event | None = None
        self.down: Exception | None = None
        self.owned = Owned()
        self.scheduler = self.opened()

    def opened(self) -> RenewalScheduler:
        return RenewalScheduler(
            self.book,
            self,
            self.events,
            rules=RULES,
            health={"station": self.health, "v2g": self.health},
            spawn=self.owned.spawn,
            now=lambda: self.date,
            monotonic=lambda: self.seconds,
        )

    async def health(self) -> None:
        if self.down is not None:
            raise self.down

    async def renew_and_wait(self, station: ConnectedStation, within: float, usage: str = "station") -> str:
        self.asked.append((station.identity, usage))
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            await (self.hold.wait() if self.hold is not None else asyncio.sleep(0))
        finally:
            self.at_once -= 1
        if self.outcomes.get(station.identity):
            raise self.outcomes[station.identity].pop(0)
        serial = f"{self.book.held[station.identity, usage].serial}+"
        self.book.give(station.identity, serial, self.date, usage)
        return serial

    async def restart(self) -> None:
        """The process ends, and another begins with what was kept."""
        self.scheduler = self.opened()
        await self.scheduler.load()

    def connect(self, identity: str = "CS1", **changes: object) -> ScriptedStation:
        station = ScriptedStation(record=StationRecord(identity, 2))
        for name, value in changes.items():
            setattr(station, name, value)
        self.scheduler.joined(station)
        return station

    async def later(self, span: timedelta = timedelta(), *, set_by: timedelta = timedelta()) -> None:
        """Let time pass in one go, set the clock, and sweep once."""
        self.seconds += span.total_seconds()
        self.date += span + set_by
        await self.scheduler.sweep()
        await settle()

    def plan(self, identity: str = "CS1", usage: str = "station") -> RenewalRecord:
        return self.book.plans[identity, usage]


@pytest.fixture
async def desk(events: KeptEvents) -> AsyncIterator[Desk]:
    made = Desk(events)
    await made.scheduler.load()
    yield made
    await made.owned.cancel()


async def planned(desk: Desk, identity: str = "CS1", usage: str = "station") -> datetime:
    """Give the station a certificate; return when its turn comes."""
    desk.book.give(identity, "a1", START, usage)
    await desk.later()
    return desk.plan(identity, usage).due_at


# --- who is asked when


async def test_a_station_is_asked_when_its_turn_has_come_and_not_before(desk: Desk) -> None:
    due = await planned(desk)
    assert 60 * DAY <= START + LIFETIME - due <= 120 * DAY
    desk.connect()
    await desk.later(due - desk.date - timedelta(seconds=1))
    assert desk.asked == []
    await desk.later(timedelta(seconds=1))
    assert desk.asked == [("CS1", "station")]
    assert desk.plan().state is RenewalState.RENEWED
    await desk.later(timedelta(seconds=SWEEP_EVERY))
    # The new certificate has a plan of its own.
    assert (desk.plan().serial, desk.plan().state, desk.plan().attempts) == ("a1+", RenewalState.PLANNED, 0)
    assert desk.plan().due_at > desk.date + 200 * DAY


async def test_the_two_certificates_of_a_station_are_renewed_each_in_its_turn(desk: Desk) -> None:
    await planned(desk)
    due = await planned(desk, usage="v2g")
    desk.connect()
    await desk.later(max(due, desk.plan().due_at) - desk.date)
    assert sorted(desk.asked) == [("CS1", "station"), ("CS1", "v2g")]


@pytest.mark.parametrize("why", ["not connected", "gone", "not booted", "pending", "provisional"])
async def test_only_a_connected_and_accepted_station_is_asked(desk: Desk, why: str) -> None:
    due = await planned(desk)
    station = desk.connect() if why != "not connected" else None
    if station is not None:
        if why == "gone":
            station.is_connected = False
        elif why == "provisional":
            station.proof = Proof(3, provisional=Provisional.EXPIRED)
        else:
            station.gate = BootGate(BootStatus.PENDING if why == "pending" else BootStatus.NONE)
    await desk.later(due - desk.date)
    assert desk.asked == []
    assert desk.plan().attempts == 0


async def test_one_that_was_away_for_months_is_asked_as_soon_as_it_may_speak(desk: Desk) -> None:
    await planned(desk)
    await desk.later(345 * DAY)
    station = desk.connect()
    station.gate = BootGate(BootStatus.NONE)
    await desk.later(timedelta(seconds=SWEEP_EVERY))
    assert desk.asked == []
    station.gate.answered(BootStatus.ACCEPTED)
    await desk.later(timedelta(seconds=SWEEP_EVERY))
    assert desk.asked == [("CS1", "station")]


async def test_a_usage_that_nobody_signs_for_is_only_watched(desk: Desk, events: KeptEvents) -> None:
    desk.scheduler._health = {}
    due = await planned(desk)
    desk.connect()
    await desk.later(due - desk.date)
    await desk.later(START + LIFETIME - DAY - desk.date)
    assert desk.asked == []
    assert events.kinds == ["CertificateExpiring"]


async def test_while_the_authority_is_down_nobody_is_asked_and_it_is_said_once(desk: Desk) -> None:
    due = await planned(desk)
    desk.connect()
    desk.down = AuthorityUnavailable("vault is sealed")
    with capture_logs() as lines:
        await desk.later(due - desk.date)
        await desk.later(timedelta(seconds=SWEEP_EVERY))
        assert desk.asked == []
        desk.down = None
        await desk.later(timedelta(seconds=SWEEP_EVERY))
    assert desk.asked == [("CS1", "station")]
    said = [line["event"] for line in lines]
    assert said == ["renewals_wait_for_authority", "renewals_go_on", "renewed"]


# --- the storm


async def test_a_thousand_that_are_due_at_once_are_asked_few_at_a_time_the_first_to_expire_first(desk: Desk) -> None:
    for number in range(1000):
        identity = f"CS{number}"
        desk.book.give(identity, f"a{number}", START + timedelta(minutes=number))
        desk.connect(identity)
    await desk.later()
    desk.hold = asyncio.Event()
    await desk.later(335 * DAY)
    assert len(desk.asked) == IN_FLIGHT
    assert [identity for identity, _ in desk.asked] == [f"CS{number}" for number in range(IN_FLIGHT)]
    await desk.later(timedelta(seconds=SWEEP_EVERY))
    assert len(desk.asked) == IN_FLIGHT
    desk.hold.set()
    while len(desk.asked) < 1000:
        await settle()
    await settle()
    assert desk.most_at_once == IN_FLIGHT
    assert Counter(desk.asked).most_common(1)[0][1] == 1
    assert {plan.state for plan in desk.book.plans.values()} == {RenewalState.RENEWED}


async def test_one_that_leaves_while_it_waits_for_its_turn_makes_room(desk: Desk) -> None:
    stations = {}
    for number in range(IN_FLIGHT + 2):
        identity = f"CS{number}"
        desk.book.give(identity, f"a{number}", START + timedelta(minutes=number))
        stations[identity] = desk.connect(identity)
    await desk.later()
    desk.hold = asyncio.Event()
    await desk.later(335 * DAY)
    stations[f"CS{IN_FLIGHT}"].is_connected = False
    desk.hold.set()
    await settle()
    assert [identity for identity, _ in desk.asked[IN_FLIGHT:]] == [f"CS{IN_FLIGHT + 1}"]


# --- failures


@pytest.mark.parametrize("error", [NotRenewed("late"), PeerUnavailable("gone"), TriggerRefused("Rejected")])
async def test_who_fails_is_asked_again_ever_less_often_over_restarts_too(desk: Desk, error: Exception) -> None:
    due = await planned(desk)
    desk.outcomes["CS1"] = [error] * 100
    desk.connect()
    await desk.later(due - desk.date)
    pauses = []
    for _ in range(9):
        plan = desk.plan()
        assert (plan.state, plan.problem) == (RenewalState.FAILED, str(error))
        pauses.append((plan.due_at - desk.date).total_seconds())
        await desk.restart()
        desk.connect()
        before = len(desk.asked)
        await desk.later(plan.due_at - desk.date - timedelta(seconds=1))
        assert len(desk.asked) == before
        await desk.later(timedelta(seconds=1))
        assert len(desk.asked) == before + 1
    assert pauses == [900, 1800, 3600, 7200, 14_400, 28_800, 57_600, 86_400, 86_400]


async def test_one_that_does_not_know_the_trigger_is_not_asked_again_for_this_certificate(desk: Desk) -> None:
    due = await planned(desk)
    desk.outcomes["CS1"] = [TriggerRefused("TriggerMessage: NotImplemented", is_unknown=True)]
    desk.connect()
    await desk.later(due - desk.date)
    assert desk.plan().state is RenewalState.REFUSED
    await desk.restart()
    desk.connect()
    await desk.later(50 * DAY)
    assert len(desk.asked) == 1
    # A person may want it all the same, and a new certificate is a new plan.
    assert await desk.scheduler.renew_all("station", None) == 1
    await desk.later(timedelta(seconds=SWEEP_EVERY))
    assert len(desk.asked) == 2


async def test_what_nobody_foresaw_costs_one_pause_and_no_place(desk: Desk) -> None:
    due = await planned(desk)
    desk.outcomes["CS1"] = [RuntimeError("a bug")]
    desk.connect()
    await desk.later(due - desk.date)
    assert (desk.plan().state, desk.plan().attempts) == (RenewalState.ASKED, 1)
    await desk.later(timedelta(seconds=FIRST_PAUSE))
    assert desk.plan().state is RenewalState.RENEWED


async def test_what_can_not_be_kept_is_not_asked(desk: Desk) -> None:
    due = await planned(desk)
    desk.connect()
    desk.date = due
    desk.seconds = (due - START).total_seconds()
    await desk.scheduler.sweep()
    desk.book.is_away = True
    with capture_logs() as lines:
        await settle()
    assert desk.asked == []
    assert [line["event"] for line in lines] == ["renewal_not_saved"]
    with pytest.raises(StoreAway):
        await desk.scheduler.sweep()
    desk.book.is_away = False
    await desk.later(timedelta(seconds=SWEEP_EVERY))
    assert len(desk.asked) == 1


async def test_the_loop_outlives_a_store_that_is_away(desk: Desk, events: KeptEvents) -> None:
    turns = 0

    async def sleep(seconds: float) -> None:
        nonlocal turns
        assert seconds == SWEEP_EVERY
        turns += 1
        desk.book.is_away = turns == 1
        if turns == 3:
            raise asyncio.CancelledError

    desk.scheduler._sleep = sleep
    desk.book.give("CS1", "a1", START)
    with capture_logs() as lines, pytest.raises(asyncio.CancelledError):
        await desk.scheduler.run()
    assert [line["event"] for line in lines] == ["renewals_not_looked_at"]
    assert ("CS1", "station") in desk.book.plans


# --- a station that is removed, a certificate that is revoked


async def test_a_station_that_is_removed_is_forgotten(desk: Desk) -> None:
    due = await planned(desk)
    desk.connect()
    del desk.book.held["CS1", "station"]
    desk.book.changes += 1
    await desk.later(due - desk.date)
    assert desk.asked == []
    assert desk.scheduler.of_station("CS1") == []
    assert desk.scheduler.expiring() == {}


async def test_what_is_known_is_kept_when_the_registry_changes(desk: Desk) -> None:
    due = await planned(desk)
    desk.outcomes["CS1"] = [NotRenewed("late")]
    desk.connect()
    await desk.later(due - desk.date)
    (before,) = desk.scheduler.of_station("CS1")
    desk.book.changes += 1
    await desk.later(timedelta(seconds=SWEEP_EVERY))
    assert desk.scheduler.of_station("CS1") == [before]


# --- alerts


async def test_people_hear_at_fourteen_days_and_at_three_once_each(desk: Desk, events: KeptEvents) -> None:
    await planned(desk)
    end = START + LIFETIME
    for left, heard in ((15, 0), (14, 1), (13, 1), (4, 1), (3, 2), (2, 2), (-3, 2)):
        await desk.later(end - left * DAY - desk.date)
        await desk.restart()
        assert len(events.noted) == heard, left
    first, second = events.noted
    assert (first.kind, first.identity) == ("CertificateExpiring", "CS1")
    assert first.detail == "the station's station certificate expires in 14 days: it isn't here"
    assert "in 3 days" in second.detail
    assert first.presented == {"serial": "a1", "usage": "station", "not_after": end.isoformat()}


async def test_one_event_for_what_was_missed_while_nobody_looked(desk: Desk, events: KeptEvents) -> None:
    await planned(desk)
    await desk.later(LIFETIME + DAY)
    assert [event.detail for event in events.noted] == [
        "the station's station certificate expired 24 hours ago: it isn't here"
    ]


async def test_the_alert_says_why_it_was_in_vain(desk: Desk, events: KeptEvents) -> None:
    due = await planned(desk)
    desk.outcomes["CS1"] = [NotRenewed("its CSR was refused: InvalidCSR")] * 200
    desk.connect()
    await desk.later(due - desk.date)
    await desk.later(START + LIFETIME - 14 * DAY - desk.date)
    assert events.noted[0].detail.endswith("its CSR was refused: InvalidCSR")


async def test_people_hear_of_a_station_that_accepted_a_new_one_and_goes_on_with_the_old(
    desk: Desk, events: KeptEvents
) -> None:
    desk.book.still = [HeldCertificate("CS1", "station", "a1", START, START + LIFETIME)]
    desk.book.give("CS1", "b1", START + LIFETIME - 90 * DAY)
    desk.connect()
    for left, heard in ((15, 0), (14, 1), (13, 1), (3, 2), (2, 2)):
        await desk.later(START + LIFETIME - left * DAY - desk.date)
        assert len(events.noted) == heard, left
    assert [event.detail for event in events.noted] == [
        f"the station's station certificate expires in {left}: {STILL_USED}" for left in ("14 days", "3 days")
    ]
    assert events.noted[0].presented["serial"] == "a1"
    assert desk.scheduler.expiring() == {"station": 1}
    # Nobody asks it for a third, and it is over as soon as the station comes with the new one.
    assert desk.asked == []
    desk.book.still = []
    await desk.later(timedelta(seconds=SWEEP_EVERY))
    assert desk.scheduler.expiring() == {"station": 0}


async def test_how_many_are_expiring_is_told_by_usage(desk: Desk) -> None:
    assert desk.scheduler.expiring() == {}
    await planned(desk)
    await planned(desk, "CS2")
    await planned(desk, usage="v2g")
    desk.book.give("CS2", "b1", START + DAY)
    await desk.later(LIFETIME - 15 * DAY)
    assert desk.scheduler.expiring() == {"station": 0, "v2g": 0}
    await desk.later(2 * DAY)
    assert desk.scheduler.expiring() == {"station": 2, "v2g": 1}


# --- the clock


async def test_a_clock_that_jumps_a_year_ahead_starts_no_storm(desk: Desk, events: KeptEvents) -> None:
    for number in range(50):
        desk.book.give(f"CS{number}", f"a{number}", START)
        desk.connect(f"CS{number}")
    await desk.later()
    await desk.later(timedelta(seconds=SWEEP_EVERY), set_by=YEAR)
    for _ in range(100):
        await desk.later(timedelta(seconds=SWEEP_EVERY))
    assert (desk.asked, events.noted) == ([], [])
    await desk.later(timedelta(seconds=SWEEP_EVERY), set_by=-YEAR)
    await desk.later(DAY)
    assert (desk.asked, events.noted) == ([], [])


async def test_what_was_put_off_by_a_clock_a_year_ahead_is_not_put_off_for_a_year(
    desk: Desk, events: KeptEvents
) -> None:
    await planned(desk)
    desk.outcomes["CS1"] = [NotRenewed("dated in the future")]
    desk.connect()
    await desk.later(set_by=YEAR)
    await desk.later(timedelta(hours=2))  # an hour on, it is believed
    assert (len(desk.asked), len(events.noted)) == (1, 1)
    await desk.later(set_by=-YEAR)
    await desk.later(timedelta(hours=2))
    assert len(desk.asked) == 2
    # An alert that was given too early is given again when it is time.
    desk.outcomes["CS1"] = [NotRenewed("late")] * 500
    desk.book.held["CS1", "station"] = replace(desk.book.held["CS1", "station"], serial="a1")
    desk.book.plans["CS1", "station"] = replace(desk.plan(), serial="a1", alerts=2, state=RenewalState.FAILED)
    await desk.restart()
    await desk.later()
    assert desk.plan().alerts == 0


async def test_what_a_person_wanted_under_a_clock_a_year_ahead_is_not_put_off_beyond_its_end(desk: Desk) -> None:
    await planned(desk)
    await desk.later(set_by=YEAR)
    await desk.later(timedelta(hours=2))
    assert await desk.scheduler.renew_all("station", None) == 1
    await desk.later(set_by=-YEAR)
    await desk.restart()
    desk.connect()
    await desk.later(timedelta(hours=2))
    assert desk.asked == [("CS1", "station")]


async def test_a_clock_a_year_behind_asks_nobody_and_goes_on_when_it_is_right(desk: Desk) -> None:
    due = await planned(desk)
    desk.connect()
    await desk.later(set_by=-YEAR)
    await desk.later(timedelta(hours=2))
    assert desk.asked == []
    await desk.later(set_by=YEAR)
    await desk.later(timedelta(hours=2))
    await desk.later(due - desk.date)
    assert len(desk.asked) == 1


# --- all of them now


async def test_all_are_renewed_one_after_the_other_though_none_is_due(desk: Desk) -> None:
    for number in range(20):
        desk.book.give(f"CS{number}", f"a{number}", START)
        desk.connect(f"CS{number}")
    desk.book.give("CS1", "v1", START, "v2g")
    desk.book.give("absent", "b1", START)
    await desk.later()
    assert await desk.scheduler.renew_all("station", None) == 21
    assert desk.asked == []
    await desk.later(timedelta(seconds=5))
    assert len(desk.asked) == 6
    await desk.later(timedelta(seconds=30))
    assert len(desk.asked) == 20
    assert {usage for _, usage in desk.asked} == {"station"}
    desk.connect("absent")
    await desk.later(DAY)
    assert ("absent", "station") in desk.asked


async def test_a_group_alone_and_one_that_is_under_way_is_left_alone(desk: Desk) -> None:
    for identity in ("CS1", "CS2", "CS3"):
        due = await planned(desk, identity)
    desk.book.groups["depot"] = frozenset({"CS1", "CS2", "never certified"})
    assert await desk.scheduler.renew_all("station", "nobody") == 0
    assert await desk.scheduler.renew_all("v2g", "depot") == 0
    assert await desk.scheduler.renew_all("station", "depot") == 2
    desk.hold = asyncio.Event()
    for identity in ("CS1", "CS2", "CS3"):
        desk.connect(identity)
    await desk.later(timedelta(seconds=SWEEP_EVERY))
    assert sorted(desk.asked) == [("CS1", "station"), ("CS2", "station")]
    assert due > desk.date
    assert await desk.scheduler.renew_all("station", None) == 1


async def test_many_thousands_are_spread_over_an_hour(desk: Desk) -> None:
    for number in range(7200):
        desk.book.give(f"CS{number}", f"a{number}", START)
    for _ in range(8):
        await desk.later()
    assert await desk.scheduler.renew_all("station", None) == 7200
    last = max(plan.due_at for plan in desk.book.plans.values())
    assert timedelta(minutes=59) < last - desk.date < timedelta(hours=1)
    assert timedelta(seconds=LONGEST_PAUSE) > last - desk.date
