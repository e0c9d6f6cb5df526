"""The rotation of the CSMS root: what is said of each station, and that it locks nobody out, whatever happens."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.bridge.books import Json
from gateway.services.root_rotation import InForce, Progress, Standing, progress, roots_of, rotation_at
from gateway.services.trust_anchors import Goal, TrustVisits
from gateway.services.trust_plan import Wanted
from gateway.session.ports import Proof, StationRecord
from gateway.session.trust import Action, AnchorType, Installed, Refusal, RootRotation, RotationState, StationTrust
from gateway.wire.versions import Version
from pki.anchors import Chain, RotationRefused, leads_to
from pki.certificate_hash import HashAlgorithm, certificate_hash
from tests.roots import NOON, Authority, RootStation, pem
from tests.services.test_trust_anchors import Shelf

OLD, NEW, OTHER = Authority("old"), Authority("new"), Authority("other")
CROSS = OLD.signs(NEW)
OLD_CHAIN, NEW_CHAIN = OLD.chain(), NEW.chain()
ROTATION = RootRotation(1, OLD.pem, NEW.pem, pem(CROSS), None, None, NOON, NOON)
STATION = StationRecord("CS1", 2)
GRACE = 10.0


def has(*roots: Authority, seen: bool = True, **more: Any) -> StationTrust:
    installed = tuple(
        Installed(AnchorType.CSMS, certificate_hash(each.certificate, each.certificate).payload) for each in roots
    )
    return StationTrust("CS1", installed=installed, seen_at=NOON if seen else None, **more)


def stands(
    trust: StationTrust | None,
    *chains: Chain,
    rotation: RootRotation = ROTATION,
    station: StationRecord = STATION,
    keeps_old: bool = False,
) -> Progress:
    known = {} if trust is None else {"CS1": trust}
    return progress(
        rotation, [station], known, chains or (OLD_CHAIN,), selects=lambda _: True, keeps_old=lambda _: keeps_old
    )


REFUSAL = Refusal(Action.INSTALL, AnchorType.CSMS, NEW.anchor.fingerprint, "CN=new", "Rejected", 1, NOON, NOON)


@pytest.mark.parametrize(
    ("trust", "standing", "words"),
    [
        (None, Standing.UNKNOWN, ""),
        (has(seen=False, problem="no answer"), Standing.UNKNOWN, "no answer"),
        (has(OLD), Standing.WAITING, ""),
        (has(OLD, refusals=(REFUSAL,)), Standing.REFUSED, "Rejected"),
        (has(OLD, NEW), Standing.READY, ""),
        (has(NEW), Standing.DONE, ""),
    ],
)
def test_where_a_station_stands(trust: StationTrust | None, standing: Standing, words: str) -> None:
    (found,) = stands(trust).stations
    assert (found.standing, found.words) == (standing, words)
    assert stands(trust).is_safe_to_switch is (standing in {Standing.READY, Standing.DONE})


def test_who_is_not_waited_for() -> None:
    excluded = stands(has(OLD), rotation=ROTATION.without("CS1"))
    assert (excluded.stations[0].standing, excluded.is_safe_to_switch) == (Standing.EXCLUDED, True)
    clear = stands(None, station=replace(STATION, minimum_profile=1))
    assert (clear.stations[0].standing, clear.is_safe_to_switch) == (Standing.WITHOUT_TLS, True)
    kept = stands(has(OLD, NEW), NEW_CHAIN, keeps_old=True)
    assert (kept.stations[0].standing, kept.is_over) == (Standing.DONE, True)
    assert "trust_anchors" in kept.stations[0].words


def test_whoever_is_not_selected_comes_to_the_same_listeners() -> None:
    """A rotation for one group was called safe to switch, which locked the other groups out."""
    others = [StationRecord(f"CS{number}", 2 if number != 4 else 1) for number in range(2, 6)]
    rotation = ROTATION.without("CS5")
    trust = {"CS1": has(OLD, NEW), "CS2": has(OLD), "CS3": has(OLD, NEW)}

    def found(*chains: Chain) -> Progress:
        mine = {"selects": lambda each: each.identity == "CS1", "keeps_old": lambda _: False}
        return progress(rotation, [STATION, *others], trust, chains, **mine)

    before = found(OLD_CHAIN)
    standings = [(each.identity, each.standing) for each in before.stations]
    assert standings == [("CS1", Standing.READY), ("CS2", Standing.OUTSIDE), ("CS5", Standing.EXCLUDED)]
    assert not before.is_safe_to_switch
    assert [each.identity for each in found(NEW_CHAIN).locked_out] == ["CS2"]
    rotation = rotation.without("CS2")
    assert found(OLD_CHAIN).is_safe_to_switch


def test_the_switch_is_seen_from_what_is_shown() -> None:
    half = stands(has(OLD), OLD_CHAIN, NEW_CHAIN)
    assert (half.is_switched, [each.identity for each in half.locked_out]) == (False, ["CS1"])
    assert stands(has(OLD), OLD_CHAIN).locked_out == []
    switched = stands(has(OLD, NEW), NEW_CHAIN)
    assert (switched.is_switched, switched.is_over, switched.locked_out) == (True, False, [])
    assert stands(has(NEW), NEW_CHAIN).is_over
    assert not stands(has(NEW), OLD_CHAIN).is_over
    assert not progress(ROTATION, [STATION], {}, (), selects=lambda _: True, keeps_old=lambda _: False).is_switched


def test_its_roots_are_verified_for_when_it_began() -> None:
    assert roots_of(ROTATION).cross is not None
    with pytest.raises(RotationRefused, match="isn't signed by the old root"):
        roots_of(replace(ROTATION, cross_pem=NEW.pem))


def test_who_has_come_under_what_is_shown() -> None:
    shown: list[Chain] = [OLD_CHAIN]
    time = 100.0
    in_force = InForce(lambda: shown, lambda: time, grace=GRACE)
    in_force.look()
    assert in_force.came_under(0.0), "who comes after the start comes under what is shown since"
    shown[:] = [NEW_CHAIN]
    assert not in_force.came_under(99.0)
    assert not in_force.came_under(100.0 + GRACE - 1), "its handshake may have been before"
    assert in_force.came_under(100.0 + GRACE)
    here = rotation_at(ROTATION, in_force, 2, 100.0 + GRACE)
    assert here.may_drop_old
    assert not rotation_at(ROTATION, in_force, 1, 100.0 + GRACE).may_drop_old, "it came without TLS"
    assert not rotation_at(ROTATION, in_force, 2, 99.0).may_drop_old
    shown.append(OLD_CHAIN)
    assert not rotation_at(ROTATION, in_force, 2, 1e9).may_drop_old
    shown.clear()
    assert not rotation_at(ROTATION, in_force, 2, 1e9).may_drop_old


# --- over any order of events


class Watched(RootStation):
    """A station that tells when a CALL has taken away its trust in what the gateway shows."""

    world: "World"

    async def call_station(self, action: str, payload: Json) -> Json:
        before = [chain for chain in self.world.shown if self.trusts(chain)]
        try:
            return await super().call_station(action, payload)
        finally:
            lost = [chain for chain in before if not self.trusts(chain)]
            assert not lost, f"{action} took the root of what is shown from {self.identity}"
            self.world.happens()

    def trusts(self, chain: Chain) -> bool:
        return any(leads_to(chain, root) for root in self.held())


@dataclass
class World:
    """The stations, an operator who does as they like, and a gateway that is restarted now and then."""

    stations: list[Watched]
    rotation: RootRotation = ROTATION
    shown: list[Chain] = field(default_factory=lambda: [OLD_CHAIN])
    time: float = 0.0
    joined: dict[str, float] = field(default_factory=dict)
    shelf: Shelf = field(default_factory=Shelf)
    switches: list[Sequence[Chain]] = field(default_factory=list)
    """What the operator puts into force in the middle of a visit, one after each CALL."""

    def __post_init__(self) -> None:
        for station in self.stations:
            station.world = self
            self.joined[station.identity] = self.time
        self.start()

    def start(self) -> None:
        self.in_force = InForce(lambda: self.shown, lambda: self.time, grace=GRACE)
        self.in_force.look()
        roots = roots_of(ROTATION)
        self.visits = TrustVisits(
            self.shelf,
            known=lambda: [roots.old, *roots.new_ones],
            chains=self.in_force.look,
            now=lambda: NOON,
        )

    def happens(self) -> None:
        if self.switches:
            self.shown = list(self.switches.pop())

    async def visit(self, station: Watched) -> None:
        here = None
        if self.rotation.state is RotationState.OPEN:
            here = rotation_at(self.rotation, self.in_force, station.proof.profile, self.joined[station.identity])
        await self.visits.visit(station, Goal(Wanted(), here), force=True)

    def comes(self, station: Watched) -> None:
        """It connects again, if it can: over TLS only to whom it trusts."""
        station.is_connected = station.proof.profile < 2 or all(station.trusts(chain) for chain in self.shown)
        if station.is_connected:
            self.joined[station.identity] = self.time

    async def stands(self) -> Progress:
        trust = {each.identity: await self.shelf.find(each.identity) for each in self.stations}
        known = {identity: each for identity, each in trust.items() if each is not None}
        records = [StationRecord(each.identity, each.proof.profile) for each in self.stations]
        return progress(self.rotation, records, known, self.shown, selects=lambda _: True, keeps_old=lambda _: False)

    async def does(self, event: str, station: Watched) -> None:
        self.in_force.look()
        self.time += 7.0
        if event == "visit":
            await self.visit(station)
        elif event == "leave":
            station.is_connected = False
        elif event == "come":
            self.comes(station)
        elif event in {"show old", "show new", "show both"}:
            self.shown = {"show old": [OLD_CHAIN], "show new": [NEW_CHAIN]}.get(event, [OLD_CHAIN, NEW_CHAIN])
        elif event == "visit while the operator switches":
            self.switches = [[OLD_CHAIN], [NEW_CHAIN], [OLD_CHAIN, NEW_CHAIN]]
            await self.visit(station)
            self.switches = []
        elif event == "refuse":
            station.says = {} if station.says else {"InstallCertificate": {"status": "Rejected"}}
        elif event == "restart":
            for each in self.stations:
                each.is_connected = False
            self.start()
        elif event == "exclude":
            self.rotation = self.rotation.without(station.identity)
        else:
            self.rotation = replace(self.rotation, state=RotationState.ABORTED)


EVENTS = ["visit", "come", "leave", "show old", "show new", "show both", "visit while the operator switches"]
RARE = ["refuse", "restart", "exclude", "abort"]

kinds = st.builds(
    lambda *each: each,
    st.sampled_from(Version),
    st.sampled_from([True, False, None]),
    st.sampled_from([1, 2, 3]),
    st.sampled_from(HashAlgorithm),
    st.booleans(),
)
happenings = st.tuples(st.sampled_from(EVENTS * 3 + RARE), st.integers(0, 2))


@settings(max_examples=80, deadline=None)
@given(
    stations=st.lists(kinds, min_size=1, max_size=3),
    events=st.lists(happenings, max_size=40),
    with_cross=st.booleans(),
    begun=st.sampled_from([0, 1, 3]),
)
def test_no_order_of_events_makes_us_lock_a_station_out(
    stations: list[tuple[Version, bool | None, int, HashAlgorithm, bool]],
    events: list[tuple[str, int]],
    with_cross: bool,
    begun: int,
) -> None:
    """``begun``: how much of the plain way they have behind them."""

    async def run() -> None:
        made = [
            Watched(f"CS{number}", version=version, checks=checks, proof=Proof(profile), algorithm=algorithm)
            for number, (version, checks, profile, algorithm, _) in enumerate(stations)
        ]
        for station, (*_, has_another) in zip(made, stations, strict=True):
            station.has(OLD.certificate, *[OTHER.certificate] * has_another)
        world = World(made, rotation=ROTATION if with_cross else replace(ROTATION, cross_pem=None))
        way = [("visit", 0), ("visit", 1), ("visit", 2), ("show new", 0)][: 2 * begun]
        way += [("come", 0), ("come", 1), ("come", 2), ("come", 0)][: 2 * (begun - 1)]
        for event, number in [*way, *events]:
            await world.does(event, made[number % len(made)])
            found = await world.stands()
            ready = {each.identity for each in found.stations if not each.standing.is_waited_for}
            for station in made:
                if station.proof.profile >= 2 and station.identity in ready - world.rotation.excluded:
                    assert station.trusts(NEW_CHAIN), "it was said to be safe"
                if world.rotation.state is RotationState.ABORTED and event == "abort":
                    assert station.held(), "nothing goes with it"

    asyncio.run(run())


@pytest.mark.parametrize("checks", [True, None])
async def test_the_way_from_the_first_station_to_the_last(checks: bool | None) -> None:
    stations = [Watched(f"CS{number}", checks=checks).has(OLD.certificate) for number in range(3)]
    world = World([each for each in stations if isinstance(each, Watched)])
    away = world.stations[2]
    await world.does("leave", away)
    for station in world.stations:
        await world.does("visit", station)
    assert [each.identity for each in (await world.stands()).waited_for] == ["CS2"]
    await world.does("come", away)
    await world.does("visit", away)
    assert (await world.stands()).is_safe_to_switch
    await world.does("show new", away)
    await world.does("visit", away)
    assert len(away.held()) == 2, "it has not come under the new one"
    world.time += GRACE
    for station in world.stations:
        await world.does("come", station)
        await world.does("visit", station)
        assert [each.subject for each in station.held()] == [NEW.certificate.subject]
    assert (await world.stands()).is_over
