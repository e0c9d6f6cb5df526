"""What changes while the gateway runs, and whose session it ends."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.app import following as following_module
from gateway.app.following import (
    CERTIFICATES_POLL,
    LATECOMERS_AFTER,
    NOT_ADMITTED_ANY_MORE,
    REGISTRY_POLL,
    UNREAD_POLL,
    Following,
)
from gateway.session.ports import Proof, StationRecord, StoreAway
from gateway.wire.versions import Version


@dataclass
class FakeStation:
    """A station's runtime, as far as it is looked at."""

    identity: str
    proof: Proof = field(default_factory=lambda: Proof(2))
    version: Version = Version.V201
    is_connected: bool = True
    cuts: list[tuple[int, str]] = field(default_factory=list)

    def cut(self, code: int, reason: str) -> None:
        self.cuts.append((code, reason))


class World:
    """The registry, the sessions, one listener with its check, and what is revoked."""

    def __init__(self) -> None:
        self.records = {name: StationRecord(name, 2) for name in ("CS1", "CS2")}
        self.sessions = [FakeStation("CS1"), FakeStation("CS2")]
        self.revoked: set[tuple[Any, ...]] = set()
        self.of_others: set[tuple[str, tuple[Any, ...]]] = set()
        """Identities, and the paths by which they came."""
        self.expelled: list[str] = []
        self.followed: list[StationRecord] = []
        self.moves = 0
        self.allows_expired = False
        self.tolerated: list[bool] = []
        self.reloads = 0
        self.refreshes: list[str] = []
        self.sources = ["a file", "a site"]
        self.hanging = ""
        """The source that doesn't answer."""
        self.unread: set[str] = set()
        self.asks_responders = False
        self.asked_again: list[set[Any]] = []
        self.at = 7
        """The registry's revision."""
        self.lists_change = False
        self.failures: list[Exception] = []
        """What the next looks raise, one each."""
        self.check: Any = self
        self.following = Following(
            stations=self,  # type: ignore[arg-type]  # only what is here is asked
            directory=self.sessions,  # type: ignore[arg-type]  # only iterated
            listeners=[self, self],  # type: ignore[list-item]  # only what is here is asked
            revocations=self,  # type: ignore[arg-type]  # only what is here is asked
            expel=self.expel,
            follow=self.followed.append,
            move_on=self.move_on,
            refresh_every=60.0,
        )

    async def find(self, identity: str) -> StationRecord | None:
        return self.records.get(identity)

    async def any_allows_expired(self) -> bool:
        return self.allows_expired

    async def revision(self) -> int:
        return self.at

    async def reload_inventory(self) -> bool:
        self.reloads += 1
        if self.failures:
            raise self.failures.pop()
        return False

    async def refresh_all(self) -> bool:
        self.refreshes += self.sources
        return self.lists_change

    async def refresh(self, source: str) -> bool:
        if source == self.hanging:
            await asyncio.Event().wait()
        self.refreshes.append(source)
        return self.lists_change

    def is_read(self, source: str) -> bool:
        return source not in self.unread

    async def ask_again(self, paths: Iterable[Any]) -> bool:
        self.asked_again.append(set(paths))
        return bool(self.revoked)

    async def reload(self) -> None:
        if self.failures:
            raise self.failures.pop()
        self.reloads += 1

    def tolerate_expiry(self, *, tolerate: bool) -> None:
        self.tolerated.append(tolerate)

    async def still_good(self, path: tuple[Any, ...]) -> str | None:
        return "revoked: it is on the list" if path in self.revoked else None

    async def why_of_another(self, identity: str, path: tuple[Any, ...]) -> str | None:
        if self.failures:
            raise self.failures.pop()
        return "issued to CS0" if (identity, path) in self.of_others else None

    def move_on(self) -> None:
        self.moves += 1

    async def expel(self, station: Any) -> None:
        self.expelled.append(station.identity)

    @property
    def cuts(self) -> dict[str, list[tuple[int, str]]]:
        return {session.identity: session.cuts for session in self.sessions if session.cuts}


@pytest.fixture
def world() -> World:
    return World()


async def test_before_the_first_station_comes_it_is_known_what_is_revoked_and_who_is_allowed_what(world: World) -> None:
    world.allows_expired = True
    await world.following.prepare()
    assert (world.reloads, world.tolerated) == (1, [True, True])


async def test_without_a_change_everybody_stays(world: World) -> None:
    await world.following._apply()
    assert (world.cuts, world.expelled) == ({}, [])


async def test_a_station_that_was_removed_is_cut_and_expelled(world: World) -> None:
    del world.records["CS1"]
    await world.following._apply()
    assert world.cuts == {"CS1": [(NOT_ADMITTED_ANY_MORE, "not registered any more")]}
    assert world.expelled == ["CS1"]


async def test_one_that_must_use_a_higher_profile_is_cut(world: World) -> None:
    world.records["CS2"] = StationRecord("CS2", 3)
    await world.following._apply()
    assert world.cuts == {"CS2": [(NOT_ADMITTED_ANY_MORE, "a higher security profile is required")]}


async def test_what_the_registry_says_of_those_who_stay_is_followed(world: World) -> None:
    world.records = {"CS1": StationRecord("CS1", 2, group="depot"), "CS2": StationRecord("CS2", 3)}
    await world.following._apply()
    assert world.followed == [world.records["CS1"]]


async def test_one_that_is_not_connected_is_let_be(world: World) -> None:
    world.sessions[1].is_connected = False
    world.records["CS2"] = StationRecord("CS2", 3)
    world.sessions[1].proof = Proof(3, path=("leaf", "root"))  # type: ignore[arg-type]  # only compared
    world.revoked.add(("leaf", "root"))
    await world.following._apply()
    assert world.cuts == {}


@pytest.mark.parametrize("apply", [Following._apply, Following._cut_revoked])
async def test_one_whose_certificate_was_revoked_is_cut(world: World, apply: Callable[..., Any]) -> None:
    world.sessions[0].proof = Proof(3, path=("leaf", "root"))  # type: ignore[arg-type]  # only compared
    world.records["CS1"] = StationRecord("CS1", 3, "leaf")
    world.revoked.add(("leaf", "root"))
    if apply is Following._apply:
        world.sessions[0].is_connected = True
        del world.records["CS1"]  # nothing else to find in a path that isn't one
    await apply(world.following)
    assert world.cuts["CS1"][0] == (NOT_ADMITTED_ANY_MORE, "the certificate was revoked")


@dataclass(frozen=True)
class Leaf:
    """A certificate that has but a name."""

    value: str

    @property
    def subject(self) -> Any:
        return SimpleNamespace(get_attributes_for_oid=lambda _: [self])


def came_by_certificate(world: World, identity: str) -> Any:
    """Let it have come with a certificate of its name, and return the path."""
    path: Any = (Leaf(identity), "root")
    station = next(each for each in world.sessions if each.identity == identity)
    station.proof = Proof(3, path=path)
    return path


async def test_one_whose_certificate_is_anothers_by_now_is_cut(world: World) -> None:
    world.of_others.add(("CS1", came_by_certificate(world, "CS1")))
    world.sessions[1].is_connected = False
    world.of_others.add(("CS2", came_by_certificate(world, "CS2")))
    with capture_logs() as lines:
        await world.following._apply()
    # The peer isn't told whose it is.
    assert world.cuts == {"CS1": [(NOT_ADMITTED_ANY_MORE, "the certificate is another station's")]}
    assert [(line["identity"], line["reason"]) for line in lines] == [("CS1", "issued to CS0")]


async def test_a_newcomer_whose_certificate_became_anothers_meanwhile_is_cut(world: World) -> None:
    world.of_others.add(("CS1", came_by_certificate(world, "CS1")))
    came_by_certificate(world, "CS2")
    for station in world.sessions:
        await world.following.look_at(station)  # type: ignore[arg-type]  # only what is here is asked
    assert list(world.cuts) == ["CS1"]
    assert [record.identity for record in world.followed] == ["CS2"]


async def test_a_store_that_is_away_ends_no_session_that_stands_on_a_certificate(world: World) -> None:
    came_by_certificate(world, "CS1")
    world.failures = [StoreAway("locked")]
    with capture_logs() as lines:
        await world.following.look_at(world.sessions[0])  # type: ignore[arg-type]  # only what is here is asked
    assert (world.cuts, [line["event"] for line in lines]) == ({}, ["store_unavailable"])


async def test_responders_are_asked_about_all_who_are_here(world: World) -> None:
    paths: list[Any] = [("leaf", "root"), ("other", "root")]
    for session, path in zip(world.sessions, paths, strict=True):
        session.proof = Proof(3, path=path)
    world.sessions.append(FakeStation("CS3", Proof(2)))
    world.sessions.append(FakeStation("CS4", Proof(3, path=("gone", "root")), is_connected=False))  # type: ignore[arg-type]  # only compared
    await world.following._ask_responders()
    assert world.asked_again == [set(paths)]
    assert world.cuts == {}
    world.revoked.add(paths[1])
    await world.following._ask_responders()
    assert list(world.cuts) == ["CS2"]
    assert world.following.has_news


async def test_a_list_that_hangs_does_not_hold_up_the_start(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang() -> bool:
        await asyncio.Event().wait()
        return False

    monkeypatch.setattr(following_module, "START_WAIT", 0.01)
    monkeypatch.setattr(world, "refresh_all", hang)
    with capture_logs() as lines:
        await world.following.prepare()
    assert [line["event"] for line in lines] == ["start_without_crls"]
    assert world.tolerated == [False, False]


async def test_without_a_listener_for_certificates_nothing_is_revoked(world: World) -> None:
    world.check = None
    world.sessions[0].proof = Proof(3, path=("leaf",))  # type: ignore[arg-type]  # only compared
    await world.following._cut_revoked()
    assert world.cuts == {}


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """``now(5)`` makes it the loop's fifth second."""

    def set_time(seconds: float) -> None:
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: seconds)

    return set_time


async def test_a_change_is_applied_once_and_once_more_for_latecomers(
    world: World, now: Callable[[float], None]
) -> None:
    now(100.0)
    await world.following.prepare()
    await world.following._look_at_registry()
    assert world.reloads == 1
    world.at = 8
    for seconds, reloads in ((101.0, 2), (102.0, 2), (101.0 + LATECOMERS_AFTER, 3), (200.0, 3)):
        now(seconds)
        await world.following._look_at_registry()
        assert world.reloads == reloads, seconds


async def test_what_changes_while_the_gateway_prepares_is_not_missed(world: World) -> None:
    class Hasty(World):
        async def reload_inventory(self) -> bool:
            self.at += 1
            return await super().reload_inventory()

    world = Hasty()
    await world.following.prepare()
    await world.following._look_at_registry()
    assert world.reloads == 2


async def test_a_change_that_could_not_be_applied_is_applied_by_the_next_look(
    world: World, now: Callable[[float], None]
) -> None:
    now(100.0)
    await world.following.prepare()
    world.at = 8
    world.failures = [StoreAway("locked")]
    with pytest.raises(StoreAway):
        await world.following._look_at_registry()
    now(100.5)
    await world.following._look_at_registry()
    assert world.reloads == 3
    # The look for latecomers as well.
    now(100.5 + LATECOMERS_AFTER)
    world.failures = [StoreAway("locked")]
    with pytest.raises(StoreAway):
        await world.following._look_at_registry()
    await world.following._look_at_registry()
    assert world.reloads == 5


async def test_a_list_that_names_a_certificate_cuts_and_cuts_latecomers(
    world: World, now: Callable[[float], None]
) -> None:
    now(100.0)
    await world.following.prepare()
    world.sessions[0].proof = Proof(3, path=("leaf", "root"))  # type: ignore[arg-type]  # only compared
    world.revoked.add(("leaf", "root"))
    await world.following._look_at_crl("a file")
    assert (world.refreshes, world.cuts) == (["a file", "a site", "a file"], {})
    world.lists_change = True
    await world.following._look_at_crl("a file")
    assert list(world.cuts) == ["CS1"]
    world.sessions[0].is_connected = False
    reloads = world.reloads
    now(100.0 + LATECOMERS_AFTER)
    await world.following._look_at_registry()
    assert world.reloads == reloads + 1


async def test_one_that_was_admitted_by_what_was_known_before_is_cut_when_it_comes_in(
    world: World, now: Callable[[float], None]
) -> None:
    now(100.0)
    await world.following.prepare()
    news = [world.following.has_news]
    revoked, raised, removed = world.sessions[0], world.sessions[1], FakeStation("CS3")
    newcomers = (revoked, raised, removed)
    world.sessions.clear()  # nobody is in when the changes are applied
    revoked.proof = Proof(3, path=("leaf", "root"))  # type: ignore[arg-type]  # only compared
    world.records["CS1"] = StationRecord("CS1", 3, "leaf")
    world.records["CS2"] = StationRecord("CS2", 3)
    world.revoked.add(("leaf", "root"))
    world.at = 8
    await world.following._look_at_registry()
    news.append(world.following.has_news)
    await world.following._check_certificate(revoked)  # type: ignore[arg-type]  # its path is none that has a CN
    for each in newcomers[1:]:
        await world.following.look_at(each)  # type: ignore[arg-type]  # only what is here is asked
    assert [each.cuts for each in newcomers] == [
        [(NOT_ADMITTED_ANY_MORE, "the certificate was revoked")],
        [(NOT_ADMITTED_ANY_MORE, "a higher security profile is required")],
        [(NOT_ADMITTED_ANY_MORE, "not registered any more")],
    ]
    assert world.expelled == ["CS3"]
    now(100.0 + LATECOMERS_AFTER)
    assert [*news, world.following.has_news] == [False, True, False]


async def test_that_expired_certificates_get_as_far_as_the_door_is_logged_when_it_changes(world: World) -> None:
    with capture_logs() as lines:
        for allows in (False, True, True, False):
            world.allows_expired = allows
            await world.following._apply()
    assert [line["allowed"] for line in lines] == [True, False]
    assert world.tolerated == [False, False, True, True, True, True, False, False]


@pytest.mark.parametrize(
    ("failure", "event"), [(StoreAway("locked"), "store_unavailable"), (RuntimeError("bug"), "following_failed")]
)
async def test_a_look_that_fails_is_not_the_last(
    world: World, monkeypatch: pytest.MonkeyPatch, failure: Exception, event: str
) -> None:
    passed: list[float] = []

    async def sleep(seconds: float) -> None:
        passed.append(seconds)
        if len(passed) == 3:
            raise asyncio.CancelledError

    monkeypatch.setattr(asyncio, "sleep", sleep)
    for follow, pause in (
        (world.following.follow_certificates, CERTIFICATES_POLL),
        (world.following.follow_registry, REGISTRY_POLL),
    ):
        world.failures, world.reloads = [failure], 0
        passed.clear()
        with capture_logs() as lines, pytest.raises(asyncio.CancelledError):
            await follow()
        assert [line["event"] for line in lines] == [event]
        assert (passed, world.failures) == ([pause] * 3, [])
        assert world.reloads


async def test_those_who_wait_for_another_backend_are_looked_at_though_the_registry_is_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def sleep(seconds: float) -> None:
        if world.moves == 2:
            raise asyncio.CancelledError

    monkeypatch.setattr(asyncio, "sleep", sleep)
    world.failures = [StoreAway("the database is gone")]
    with pytest.raises(asyncio.CancelledError):
        await world.following.follow_registry()
    assert world.failures == []


async def test_each_list_is_looked_at_as_often_as_configured_though_another_hangs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.hanging = "a site"
    passed: list[float] = []
    enough, others_turn = asyncio.Event(), asyncio.sleep

    async def sleep(seconds: float) -> None:
        passed.append(seconds)
        await others_turn(0)
        if len(passed) == 4:  # the site's one and the file's third
            enough.set()
            await asyncio.Event().wait()

    monkeypatch.setattr(asyncio, "sleep", sleep)
    following = asyncio.create_task(world.following.follow_crls())
    await enough.wait()
    assert (passed, world.refreshes) == ([60.0] * 4, ["a file"] * 2)
    following.cancel()
    await asyncio.wait([following])


async def test_what_was_never_read_is_looked_at_sooner(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.sources, world.unread, world.asks_responders = ["a file"], {"a file"}, True
    passed: list[float] = []
    enough = asyncio.Event()

    async def sleep(seconds: float) -> None:
        passed.append(seconds)
        if len(passed) == 2:
            enough.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio, "sleep", sleep)
    following = asyncio.create_task(world.following.follow_crls())
    await enough.wait()
    assert sorted(passed) == [UNREAD_POLL, 60.0]
    following.cancel()
    await asyncio.wait([following])


async def test_newcomers_are_looked_at_while_something_has_just_changed(world: World) -> None:
    assert not world.following.has_news
    world.following.expect_latecomers()
    assert world.following.has_news
