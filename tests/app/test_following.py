"""What changes while the gateway runs, and whose session it ends; the loops themselves are shown in tests/system."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.app.following import NOT_ADMITTED_ANY_MORE, Following
from gateway.session.ports import Proof, StationRecord
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
        self.expelled: list[str] = []
        self.allows_expired = False
        self.tolerated: list[bool] = []
        self.reloads = 0
        self.check: Any = self
        self.following = Following(
            stations=self,  # type: ignore[arg-type]  # only what is here is asked
            directory=self.sessions,  # type: ignore[arg-type]  # only iterated
            listeners=[self, self],  # type: ignore[list-item]  # only what is here is asked
            revocations=self,  # type: ignore[arg-type]  # only what is here is asked
            expel=self.expel,
            refresh_every=60.0,
        )

    async def find(self, identity: str) -> StationRecord | None:
        return self.records.get(identity)

    async def any_allows_expired(self) -> bool:
        return self.allows_expired

    async def reload_inventory(self) -> bool:
        self.reloads += 1
        return False

    async def refresh(self) -> bool:
        return False

    def tolerate_expiry(self, *, tolerate: bool) -> None:
        self.tolerated.append(tolerate)

    async def still_good(self, path: tuple[Any, ...]) -> str | None:
        return "revoked: it is on the list" if path in self.revoked else None

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


async def test_without_a_listener_for_certificates_nothing_is_revoked(world: World) -> None:
    world.check = None
    world.sessions[0].proof = Proof(3, path=("leaf",))  # type: ignore[arg-type]  # only compared
    await world.following._cut_revoked()
    assert world.cuts == {}
