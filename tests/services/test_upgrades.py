"""The whole dance against a made-up station: begun, broken off at every step, gone on with, done, late or cancelled."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
import trustme

from gateway.bridge.ports import PeerUnavailable
from gateway.services.station_commands import ConnectedStation
from gateway.services.upgrade_steps import UpgradeOffer, UpgradeSteps
from gateway.services.upgrades import ATTEMPTS_MAX, PAUSE, ProfileUpgrades, UpgradeRefused
from gateway.session.ports import Proof, StationRecord, StoreAway
from gateway.session.upgrades import UpgradeOver, UpgradeRecord, UpgradeUnderWay
from gateway.wire.versions import Version
from tests.services.conftest import FakeTime, KeptEvents, Owned, ScriptedStation, get_variables, set_variables, settle

NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE: Final = 60.0


class Book:
    """Fulfils ``UpgradeBook`` as the store does: what it holds went through JSON. ``saved`` lists every step."""

    def __init__(self) -> None:
        self.records: dict[str, UpgradeRecord] = {}
        self.saved: list[str] = []
        self.is_away = False
        self.is_registered = True
        self.stop_after = -1
        """Number of writes after which the process dies: nothing returns any more."""
        self.answers = asyncio.Event()
        """While it isn't set, what was written is on the disk, and the answer to it on its way."""
        self.answers.set()

    async def begin(self, record: UpgradeRecord) -> None:
        if not self.is_registered:
            raise KeyError(record.identity)
        known = self.records.get(record.identity)
        if known is not None and not known.is_over:
            raise UpgradeUnderWay(known)
        await self._keep(record)

    async def find(self, identity: str) -> UpgradeRecord | None:
        return self.records.get(identity)

    async def unfinished(self) -> Sequence[UpgradeRecord]:
        return [record for record in self.records.values() if not record.is_over]

    async def save(self, record: UpgradeRecord) -> None:
        known = self.records.get(record.identity)
        if known is None or known.is_over:
            raise UpgradeOver(record.identity)
        await self._keep(record)

    async def cancel(self, identity: str, detail: str) -> bool:
        known = self.records.get(identity)
        if known is None or known.is_over:
            return False
        self.records[identity] = replace(known, is_over=True, detail=detail)
        return True

    async def _keep(self, record: UpgradeRecord) -> None:
        if self.is_away:
            raise StoreAway("locked")
        self.records[record.identity] = replace(record, data=json.loads(json.dumps(record.data)))
        self.saved.append(record.step)
        if len(self.saved) == self.stop_after:
            await asyncio.Future()
        await self.answers.wait()


class Desk:
    """One process; :meth:`restarted` is the next one over the same store and the same station."""

    def __init__(self, book: Book, events: KeptEvents, time: FakeTime) -> None:
        self.book, self.events, self.time = book, events, time
        self.owned = Owned()
        self.stations: dict[str, ScriptedStation] = {}
        self.roots: str | None = None
        self.url = "wss://csms.example/ocpp"
        self.renewals = 0
        self.good: datetime | None = None
        steps = UpgradeSteps(operator="CPO", offer=self.offer, renewal=self, installed=self, now=self.now)
        self.service = ProfileUpgrades(
            book,
            steps,
            events,
            is_connected=lambda identity: self.stations[identity].is_connected,
            spawn=self.owned.spawn,
            now=self.now,
            sleep=time.sleep,
        )

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.time.now)

    def offer(self, profile: int) -> UpgradeOffer | None:
        return UpgradeOffer(self.url, self.roots) if profile == 3 or self.url.startswith("wss") else None

    async def renew_and_wait(self, station: ConnectedStation, within: float, usage: str = "station") -> str:
        self.renewals += 1
        self.good = self.now() + timedelta(days=365)
        return "abc123"

    async def good_until(self, identity: str) -> datetime | None:
        return self.good

    async def begin(self, station: ScriptedStation, target: int = 3) -> UpgradeRecord:
        self.stations[station.identity] = station
        record = await self.service.begin(station, target)
        await settle()
        return record

    async def restarted(self) -> "Desk":
        await self.owned.cancel()
        self.book.stop_after = -1
        following = Desk(self.book, self.events, self.time)
        following.stations, following.good = self.stations, self.good
        await following.service.load()
        return following

    @property
    def record(self) -> UpgradeRecord:
        return self.book.records["CS1"]


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
async def desk(book: Book, events: KeptEvents, time: FakeTime) -> AsyncIterator[Desk]:
    made = Desk(book, events, time)
    yield made
    await made.owned.cancel()


def station_of(version: Version = Version.V201, profile: int = 2) -> ScriptedStation:
    record = StationRecord("CS1", profile, serial="SN1", password_hash="hash")
    station = ScriptedStation(version=version, proof=Proof(profile), record=record)
    station.says("GetVariables", get_variables("1"))
    return station


# --- from end to end


async def test_a_201_station_to_profile_3(desk: Desk, events: KeptEvents) -> None:
    station = station_of()
    record = await desk.begin(station)
    assert (record.step, record.target_profile, record.previous_profile) == ("roots", 3, 2)
    assert desk.book.saved == [
        "roots", "organization", "certificate", "slots", "network-profile", "priority", "reset", "waiting",
    ]  # fmt: skip
    assert station.actions == ["SetVariables", "GetVariables", "SetNetworkProfile", "SetVariables", "Reset"]
    assert (desk.renewals, desk.record.slot) == (1, 2)
    assert [each.identity for each in desk.service.under_way()] == ["CS1"]
    await desk.service.came_back("CS1", 3)
    assert (desk.record.step, desk.record.is_over) == ("done", True)
    assert desk.record.detail == "the station uses security profile 3"
    assert desk.service.under_way() == []
    assert events.kinds == ["ReconfigurationOfSecurityParameters"]
    found = await desk.service.status("CS1")
    assert found is not None
    assert found.is_over


async def test_a_16_station_to_profile_3(desk: Desk) -> None:
    station = station_of(Version.V16, 1)
    await desk.begin(station)
    assert desk.book.saved == ["organization", "roots", "certificate", "security-profile", "waiting"]
    keys = [payload["key"] for _, payload in station.calls]
    assert keys == ["CpoName", "SecurityProfile"]
    await desk.service.came_back("CS1", 3)
    assert desk.record.step == "done"


async def test_a_station_may_come_back_before_its_answer_was_heard(desk: Desk) -> None:
    station = station_of()
    never: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    station.says("Reset", lambda _: never)
    await desk.begin(station)
    assert desk.record.step == "reset"
    await desk.service.came_back("CS1", 3)
    assert (desk.record.step, desk.record.is_over) == ("done", True)
    assert all(task.done() for task in desk.owned.tasks)


async def test_every_call_is_sent_after_its_step_was_kept(desk: Desk) -> None:
    station = station_of()
    seen: list[tuple[str, str]] = []
    answer_of = station._accepted

    def noting(action: str) -> Any:
        def answer(payload: Any) -> Any:
            seen.append((action, desk.record.step))
            return get_variables("1")(payload) if action == "GetVariables" else answer_of(payload)

        return answer

    for action in ("SetVariables", "GetVariables", "SetNetworkProfile", "Reset"):
        station.says(action, noting(action))
    await desk.begin(station)
    assert seen == [
        ("SetVariables", "organization"),
        ("GetVariables", "slots"),
        ("SetNetworkProfile", "network-profile"),
        ("SetVariables", "priority"),
        ("Reset", "reset"),
    ]


# --- broken off


@pytest.mark.parametrize("writes", range(1, 9))
@pytest.mark.parametrize("version", Version)
async def test_killed_after_every_write_it_goes_on(desk: Desk, book: Book, version: Version, writes: int) -> None:
    station = station_of(version)
    book.stop_after = writes
    beginning = asyncio.ensure_future(desk.begin(station))
    await settle()
    beginning.cancel()
    await asyncio.wait([beginning])
    station.is_connected = False
    following = await desk.restarted()
    again = station_of(version)
    following.stations["CS1"] = again
    await following.service.came_back("CS1", 2)
    await following.service.resume(again)
    await settle()
    assert following.record.step == "waiting"
    await following.service.came_back("CS1", 3)
    assert following.record.step == "done"
    await following.owned.cancel()


@pytest.mark.parametrize("action", ["SetVariables", "GetVariables", "SetNetworkProfile"])
async def test_a_station_that_leaves_is_gone_on_with_when_it_is_back(desk: Desk, action: str) -> None:
    station = station_of()

    def leave(payload: Any) -> Exception:
        station.is_connected = False
        return PeerUnavailable("1006")

    station.says(action, leave)
    await desk.begin(station)
    broken_at = desk.record.step
    assert all(task.done() for task in desk.owned.tasks)
    again = station_of()
    await desk.service.resume(again)
    await settle()
    assert desk.record.step == "waiting"
    assert again.calls
    assert desk.book.saved.count(broken_at) == 1


async def test_without_an_answer_a_step_is_repeated_and_then_given_up(desk: Desk, events: KeptEvents) -> None:
    station = station_of()
    station.says("SetNetworkProfile", PeerUnavailable("no answer in time"))
    await desk.begin(station)
    for _ in range(ATTEMPTS_MAX - 1):
        assert not desk.record.is_over
        await desk.time.pass_by(PAUSE)
    assert station.actions.count("SetNetworkProfile") == ATTEMPTS_MAX
    assert (desk.record.step, desk.record.is_over) == ("failed", True)
    assert "no answer at the step 'network-profile'" in desk.record.detail
    assert events.kinds == ["SecurityProfileUpgradeFailed"]


async def test_an_answer_in_the_end_is_enough(desk: Desk) -> None:
    station = station_of()
    station.says("SetNetworkProfile", PeerUnavailable("late"), PeerUnavailable("late"), {"status": "Accepted"})
    await desk.begin(station)
    await desk.time.pass_by(PAUSE)
    await desk.time.pass_by(PAUSE)
    assert desk.record.step == "waiting"


async def test_each_step_has_its_own_attempts(desk: Desk) -> None:
    station = station_of()
    late = [PeerUnavailable("late")] * (ATTEMPTS_MAX - 1)
    station.says("SetNetworkProfile", *late, {"status": "Accepted"})
    station.says("Reset", *late, {"status": "Accepted"})
    await desk.begin(station)
    for _ in range(2 * (ATTEMPTS_MAX - 1)):
        await desk.time.pass_by(PAUSE)
    assert desk.record.step == "waiting"


async def test_only_what_may_have_been_done_before_counts_as_repeated(desk: Desk) -> None:
    desk.roots = "".join(trustme.CA().cert_pem.bytes().decode() for _ in range(2))
    station = station_of(profile=1)

    def leave(payload: Any) -> Exception:
        station.is_connected = False
        return PeerUnavailable("1006")

    station.says("InstallCertificate", leave)
    await desk.begin(station)
    again = station_of(profile=1)
    # The first root may be there already, and is refused for it; the second one is not.
    again.says("InstallCertificate", {"status": "Rejected"})
    await desk.service.resume(again)
    await settle()
    assert again.actions == ["InstallCertificate"] * 2
    assert "does not take the root" in desk.record.detail
    assert desk.record.step == "failed"


async def test_resumed_on_another_connection_while_it_waits_to_repeat(desk: Desk) -> None:
    station = station_of()
    station.says("SetNetworkProfile", PeerUnavailable("late"))
    await desk.begin(station)
    await desk.service.resume(station)
    assert len(desk.owned.tasks) == 1
    again = station_of()
    await desk.service.resume(again)
    await settle()
    assert desk.record.step == "waiting"
    assert again.actions == ["SetNetworkProfile", "SetVariables", "Reset"]
    await desk.service.resume(again)
    assert len(desk.owned.tasks) == 2


async def test_resumed_twice_at_once_it_goes_on_once(desk: Desk) -> None:
    station = station_of()
    station.says("SetNetworkProfile", PeerUnavailable("late"))
    await desk.begin(station)
    again = station_of()
    await asyncio.gather(desk.service.resume(again), desk.service.resume(again))
    await settle()
    assert again.actions == ["SetNetworkProfile", "SetVariables", "Reset"]
    assert len(desk.owned.tasks) == 2


async def test_a_store_that_is_away_for_a_while(desk: Desk) -> None:
    station = station_of()

    def away(payload: Any) -> Any:
        desk.book.is_away = True
        return {"status": "Accepted"}

    station.says("SetNetworkProfile", away, {"status": "Accepted"})
    await desk.begin(station)
    assert desk.record.step == "network-profile"
    desk.book.is_away = False
    await desk.time.pass_by(PAUSE)
    assert desk.record.step == "waiting"


async def test_an_end_that_could_not_be_kept_is_kept_later(desk: Desk) -> None:
    await desk.begin(station_of())
    desk.book.is_away = True
    await desk.service.came_back("CS1", 3)
    await desk.time.pass_by(60 * MINUTE)
    await desk.service.check_deadlines()
    assert not desk.record.is_over
    desk.book.is_away = False
    await desk.service.check_deadlines()
    assert desk.record.step == "done"


async def test_what_the_station_refuses_ends_it(desk: Desk, events: KeptEvents) -> None:
    station = station_of()
    station.says("SetNetworkProfile", {"status": "Failed"})
    await desk.begin(station)
    assert (desk.record.step, desk.record.is_over) == ("failed", True)
    assert desk.record.detail == "the station does not take the network profile in slot 2: SetNetworkProfile: Failed"
    (event,) = events.noted
    assert (event.kind, event.detail) == ("SecurityProfileUpgradeFailed", desk.record.detail)
    station.says("SetNetworkProfile", {"status": "Accepted"})
    await desk.begin(station)
    assert desk.record.step == "waiting"


# --- late


async def test_one_that_never_comes_back(desk: Desk, events: KeptEvents) -> None:
    station = station_of()
    await desk.begin(station)
    station.is_connected = False
    await desk.time.pass_by(15 * MINUTE - 1)
    await desk.service.check_deadlines()
    assert not desk.record.is_over
    await desk.time.pass_by(1)
    await desk.service.check_deadlines()
    assert (desk.record.step, desk.record.is_over) == ("failed", True)
    assert "look at it on site" in desk.record.detail
    assert events.kinds == ["SecurityProfileUpgradeFailed"]
    await desk.service.came_back("CS1", 3)
    assert desk.record.step == "failed"


async def test_one_that_comes_back_as_it_was(desk: Desk) -> None:
    await desk.begin(station_of())
    await desk.service.came_back("CS1", 2)
    assert desk.record.step == "waiting"
    assert "it came back under security profile 2" in desk.record.detail
    await desk.time.pass_by(14 * MINUTE)
    await desk.service.came_back("CS1", 2)
    await desk.time.pass_by(MINUTE)
    await desk.service.check_deadlines()
    assert desk.record.detail == (
        "the station came back under security profile 2 and not under security profile 3; it goes on as before"
    )


async def test_one_that_does_not_restart_at_all(desk: Desk) -> None:
    await desk.begin(station_of())
    await desk.time.pass_by(15 * MINUTE)
    await desk.service.check_deadlines()
    assert "has not restarted" in desk.record.detail


async def test_one_whose_sessions_must_end_first_has_all_the_time(desk: Desk) -> None:
    station = station_of()
    station.says("Reset", {"status": "Scheduled"})
    await desk.begin(station)
    await desk.time.pass_by(600 * MINUTE)
    await desk.service.check_deadlines()
    assert desk.record.step == "waiting"
    station.is_connected = False
    await desk.service.check_deadlines()
    await desk.time.pass_by(14 * MINUTE)
    await desk.service.check_deadlines()
    assert desk.record.step == "waiting"
    await desk.time.pass_by(MINUTE)
    await desk.service.check_deadlines()
    assert desk.record.step == "failed"


async def test_a_mere_reconnect_while_its_sessions_run_is_no_failure(desk: Desk) -> None:
    station = station_of()
    station.says("Reset", {"status": "Scheduled"})
    await desk.begin(station)
    station.is_connected = False
    await desk.service.check_deadlines()
    await desk.time.pass_by(14 * MINUTE)
    station.is_connected = True
    await desk.service.came_back("CS1", 2)
    await desk.time.pass_by(23 * 60 * MINUTE)
    await desk.service.check_deadlines()
    assert desk.record.step == "waiting"
    await desk.time.pass_by(60 * MINUTE)
    await desk.service.check_deadlines()
    assert desk.record.step == "failed"


async def test_deadlines_outlive_a_restart(desk: Desk) -> None:
    await desk.begin(station_of())
    following = await desk.restarted()
    following.stations["CS1"].is_connected = False
    running = following.owned.spawn(following.service.run(), "run")
    await settle()
    await following.time.pass_by(15 * MINUTE)
    assert following.record.step == "failed"
    assert not running.done()
    await following.owned.cancel()


# --- refused, cancelled


@pytest.mark.parametrize(
    ("target", "changes", "reason"),
    [
        (1, {}, "to security profile 2 or 3, not 1"),
        (4, {}, "to security profile 2 or 3, not 4"),
        (2, {}, "uses security profile 2 already"),
        (3, {"is_connected": False}, "not connected"),
        (3, {"proof": Proof(3)}, "uses security profile 3 already"),
        (2, {"proof": Proof(1), "record": StationRecord("CS1", 1)}, "needs a password"),
    ],
)
async def test_not_begun(desk: Desk, target: int, changes: dict[str, Any], reason: str) -> None:
    station = station_of()
    for name, value in changes.items():
        setattr(station, name, value)
    with pytest.raises(UpgradeRefused, match=reason):
        await desk.begin(station, target)
    assert (desk.book.saved, station.calls) == ([], [])


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ws://csms.example/ocpp", "must begin with wss://"),
        ("wss://" + "x" * 507, "at most 512"),
    ],
)
async def test_not_begun_towards_such_a_url(desk: Desk, url: str, reason: str) -> None:
    desk.url = url
    with pytest.raises(UpgradeRefused, match=reason):
        await desk.begin(station_of())


async def test_not_begun_for_other_reasons(desk: Desk) -> None:
    with pytest.raises(UpgradeRefused, match="interface is one of Wired0"):
        await desk.service.begin(station_of(), 3, interface="eth0")
    desk.url = "ws://csms.example"
    with pytest.raises(UpgradeRefused, match="no listener offers security profile 2"):
        await desk.begin(station_of(profile=1), 2)
    desk.url = "wss://csms.example"
    desk.book.is_registered = False
    with pytest.raises(UpgradeRefused, match="not registered"):
        await desk.begin(station_of())
    assert desk.service.under_way() == []


async def test_one_at_a_time(desk: Desk) -> None:
    station = station_of()
    await desk.begin(station)
    with pytest.raises(UpgradeUnderWay, match="waiting"):
        await desk.begin(station)


async def test_cancelled_where_it_stands(desk: Desk, events: KeptEvents) -> None:
    station = station_of()
    station.says("SetVariables", set_variables("Accepted"), PeerUnavailable("late"))
    await desk.begin(station)
    assert desk.record.step == "priority"
    assert desk.service.is_under_way("CS1")
    assert await desk.service.cancel("CS1")
    assert not desk.service.is_under_way("CS1")
    assert not await desk.service.cancel("CS1")
    assert (desk.record.step, desk.record.is_over) == ("priority", True)
    assert all(task.done() for task in desk.owned.tasks)
    await desk.service.resume(station)
    await desk.service.came_back("CS1", 3)
    await desk.service.check_deadlines()
    assert (desk.record.step, len(desk.owned.tasks), events.noted) == ("priority", 1, [])


async def test_cancelled_while_its_deadline_is_being_kept(desk: Desk) -> None:
    station = station_of()
    station.says("Reset", {"status": "Scheduled"}, {"status": "Accepted"})
    await desk.begin(station)
    station.is_connected = False
    desk.book.answers.clear()
    looking = asyncio.ensure_future(desk.service.check_deadlines())
    await settle()
    assert await desk.service.cancel("CS1")
    desk.book.answers.set()
    await looking
    assert desk.service.under_way() == []
    station.is_connected = True
    await desk.begin(station)
    assert desk.record.step == "waiting"


async def test_a_station_that_was_removed_in_the_middle(desk: Desk) -> None:
    station = station_of()

    def removed(payload: Any) -> Any:
        del desk.book.records["CS1"]
        return {"status": "Accepted"}

    station.says("SetNetworkProfile", removed)
    await desk.begin(station)
    assert station.actions[-1] == "SetNetworkProfile"
    assert desk.service.under_way() == []
    assert desk.book.records == {}


async def test_of_stations_without_an_upgrade_nothing_is_asked(desk: Desk) -> None:
    await desk.service.came_back("CS9", 3)
    await desk.service.resume(ScriptedStation("CS9"))
    await desk.service.check_deadlines()
    assert await desk.service.status("CS9") is None
    assert desk.owned.tasks == []
