"""Visits: what is missing is installed, what must go is deleted, what is refused is remembered and asked again."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway.bridge.ports import PeerUnavailable
from gateway.config.routes import Selection
from gateway.services.trust_anchors import (
    ASKED_AGAIN,
    NO_ANSWER_AGAIN,
    VISITED_AGAIN,
    Goal,
    RotationHere,
    TrustVisits,
)
from gateway.services.trust_plan import Declared, Wanted, wanted_for
from gateway.session.trust import Action, AnchorType, Ours, StationTrust
from gateway.wire.versions import Version
from pki.anchors import Chain, RotationRoots
from pki.certificate_hash import HashAlgorithm
from tests.roots import NOON, Authority, RootStation, not_supported, pem

CSMS, V2G, MO = AnchorType.CSMS, AnchorType.V2G, AnchorType.MO
A, B, C = Authority("a"), Authority("b"), Authority("c")
CROSS = A.signs(B)
LISTS, INSTALLS, DELETES = "GetInstalledCertificateIds", "InstallCertificate", "DeleteCertificate"


class Shelf:
    """Fulfils ``TrustBook`` as the store does: what it holds went through JSON."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.saves = 0

    async def find(self, identity: str) -> StationTrust | None:
        text = self.kept.get(identity)
        if text is None:
            return None
        content = json.loads(text)
        return StationTrust.read(identity, content["content"], is_settled=content["settled"], changed_at=NOON)

    async def save(self, trust: StationTrust) -> None:
        self.saves += 1
        self.kept[trust.identity] = json.dumps({"content": trust.content(), "settled": trust.is_settled})


class Office:
    """Who visits, at a time that a test sets."""

    def __init__(self) -> None:
        self.shelf = Shelf()
        self.now = NOON
        self.chains: Sequence[Chain] = ()
        self.visits = TrustVisits(
            self.shelf,
            known=lambda: [A.anchor, B.anchor],
            chains=lambda: self.chains,
            now=lambda: self.now,
        )

    async def visit(self, station: RootStation, goal: Goal, *, force: bool = False) -> StationTrust:
        station.calls.clear()
        return await self.visits.visit(station, goal, force=force)

    def later(self, by: timedelta) -> datetime:
        self.now += by
        return self.now


@pytest.fixture
def office() -> Office:
    return Office()


def goal(*roots: Authority, type_: AnchorType = V2G, remove: Sequence[Authority] = (), exclusive: bool = False) -> Goal:
    entries = [
        Declared("x", type_, tuple(each.anchor for each in roots), Selection(), exclusive=exclusive),
        Declared("y", type_, tuple(each.anchor for each in remove), Selection(), remove=True),
    ]
    return Goal(wanted_for(entries, "CS1", None))


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("algorithm", HashAlgorithm)
@pytest.mark.parametrize("type_", [CSMS, V2G, MO, AnchorType.MANUFACTURER])
async def test_missing_roots_are_installed_one_by_one_then_the_others_go(
    office: Office, version: Version, algorithm: HashAlgorithm, type_: AnchorType
) -> None:
    station = RootStation(version=version, algorithm=algorithm, writes="odd")
    station.has(C.certificate, of=type_.value)
    trust = await office.visit(station, goal(A, B, type_=type_, exclusive=True))
    assert [each for each in station.actions if not each.startswith("Get")] == [INSTALLS, INSTALLS, DELETES]
    assert station.held(type_.value) == [A.certificate, B.certificate]
    assert [each.subject for each in trust.installed] == ["CN=a", "CN=b"]
    assert (trust.is_settled, trust.missing, trust.refusals) == (True, (), ())
    assert trust.again_at == NOON + VISITED_AGAIN
    again = await office.visit(station, goal(A, B, type_=type_, exclusive=True))
    assert station.actions == [LISTS], "all is well: it is only asked"
    assert again.installed == trust.installed


async def test_whoever_should_have_nothing_is_asked_nothing(office: Office) -> None:
    station = RootStation().has(A.certificate)
    assert (await office.visit(station, Goal(Wanted()))).is_settled
    assert station.calls == []


async def test_what_voltgate_installed_goes_when_nothing_names_it_any_more(office: Office) -> None:
    station = RootStation().has(C.certificate, of="V2GRootCertificate")
    assert (await office.visit(station, goal(A))).ours == (Ours(V2G, A.pem),)
    trust = await office.visit(station, Goal(Wanted()))
    assert station.actions == [LISTS, LISTS, DELETES, LISTS], "its CSMS roots are looked at before"
    assert station.held("V2GRootCertificate") == [C.certificate], "of others it knows nothing"
    assert (trust.ours, trust.is_settled) == ((), True)


async def test_what_was_there_before_is_not_ours(office: Office) -> None:
    station = RootStation().has(A.certificate, of="V2GRootCertificate")
    assert (await office.visit(station, goal(A))).ours == ()
    await office.visit(station, goal())
    assert station.held("V2GRootCertificate") == [A.certificate]


async def test_it_is_ours_before_it_is_sent(office: Office) -> None:
    station = RootStation()
    station.says[INSTALLS] = PeerUnavailable("it left")
    trust = await office.visit(station, goal(A))
    assert trust.ours == (Ours(V2G, A.pem),), "it may have it: nobody knows"
    assert trust.problem == "no answer: it left"


@pytest.mark.parametrize(
    ("says", "words", "wait"),
    [
        ({"status": "Rejected"}, "InstallCertificate: Rejected; its CertificateEntries is 0", ASKED_AGAIN),
        ({"status": "Failed"}, "InstallCertificate: Failed", ASKED_AGAIN),
        (not_supported(), "InstallCertificate: CALLERROR NotSupported: no such message", VISITED_AGAIN),
    ],
)
async def test_a_refusal_is_kept_with_its_words(office: Office, says: Any, words: str, wait: timedelta) -> None:
    station = RootStation()
    station.says[INSTALLS] = says
    trust = await office.visit(station, goal(A))
    (refusal,) = trust.refusals
    assert (refusal.action, refusal.type, refusal.words, refusal.attempts) == (Action.INSTALL, V2G, words, 1)
    assert refusal.again_at == trust.again_at == NOON + wait
    assert not trust.is_settled
    assert [each.subject for each in trust.missing] == ["CN=a"]


async def test_it_is_asked_ever_more_seldom_and_at_once_when_a_person_says_so(office: Office) -> None:
    station = RootStation()
    station.says[INSTALLS] = {"status": "Failed"}
    waits = []
    for _ in range(8):
        trust = await office.visit(station, goal(A))
        assert INSTALLS in station.actions
        assert trust.again_at is not None
        waits.append(trust.again_at - office.now)
        await office.visit(station, goal(A))
        assert INSTALLS not in station.actions, "not before its time"
        office.later(waits[-1])
    assert waits[:3] == [ASKED_AGAIN, 4 * ASKED_AGAIN, 16 * ASKED_AGAIN]
    assert set(waits[5:]) == {VISITED_AGAIN}
    await office.visit(station, goal(A))
    del station.says[INSTALLS]
    assert not (await office.visit(station, goal(A))).is_settled
    assert (await office.visit(station, goal(A), force=True)).is_settled


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize(
    ("action", "words"),
    [
        (INSTALLS, "it says that it did install it, but doesn't list it"),
        (DELETES, "it says that it did delete it, but still lists it"),
    ],
)
async def test_one_that_says_it_did_and_did_not_is_neither_settled_nor_asked_every_hour(
    office: Office, version: Version, action: str, words: str
) -> None:
    station = RootStation(version=version)
    if action == DELETES:
        station.has(A.certificate, of="V2GRootCertificate")
    aim = goal(A) if action == INSTALLS else goal(remove=[A])
    station.says[action] = {"status": "Accepted"}
    waits = []
    for _ in range(3):
        trust = await office.visit(station, aim)
        assert station.actions.count(action) == 1
        assert ([each.words for each in trust.refusals], trust.is_settled) == ([words], False)
        assert trust.again_at is not None
        waits.append(trust.again_at - office.now)
        office.now = trust.again_at
    assert waits == [ASKED_AGAIN, 4 * ASKED_AGAIN, 16 * ASKED_AGAIN]
    del station.says[action]
    trust = await office.visit(station, aim)
    assert (trust.refusals, trust.is_settled) == ((), True)


async def test_a_delete_that_fails_is_kept_too(office: Office) -> None:
    station = RootStation().has(A.certificate, of="V2GRootCertificate")
    station.says[DELETES] = {"status": "Failed", "statusInfo": {"reasonCode": "InUse"}}
    trust = await office.visit(station, goal(remove=[A]))
    (refusal,) = trust.refusals
    assert (refusal.action, refusal.subject) == (Action.DELETE, "CN=a")
    assert refusal.words == "DeleteCertificate: Failed (InUse)"
    station.says[DELETES] = {"status": "NotFound"}
    station.roots.clear()
    assert (await office.visit(station, goal(remove=[A]), force=True)).is_settled


async def test_a_full_store_gets_room_first_where_that_is_safe(office: Office) -> None:
    station = RootStation(capacity=2).has(A.certificate, C.certificate, of="V2GRootCertificate")
    trust = await office.visit(station, goal(A, B, exclusive=True))
    assert trust.is_settled
    assert station.held("V2GRootCertificate") == [A.certificate, B.certificate]
    full = RootStation("CS2", capacity=1).has(C.certificate, of="V2GRootCertificate")
    trust = await office.visit(full, goal(A, exclusive=True))
    assert full.held("V2GRootCertificate") == [C.certificate], "it isn't left without any"
    assert "its CertificateEntries is 1" in trust.refusals[0].words


async def test_no_answer_is_waited_for_and_what_was_known_stays(office: Office) -> None:
    station = RootStation()
    known = await office.visit(station, goal(A))
    station.is_connected = False
    for wait in (NO_ANSWER_AGAIN, 4 * NO_ANSWER_AGAIN):
        trust = await office.visit(station, goal(A))
        assert trust.again_at == office.now + wait
    assert (trust.installed, trust.seen_at, trust.ours) == (known.installed, known.seen_at, known.ours)
    assert not trust.is_settled
    station.is_connected = True
    assert (await office.visit(station, goal(A))).attempts == 0


async def test_a_station_that_does_not_list_says_why(office: Office) -> None:
    station = RootStation()
    station.says[LISTS] = not_supported()
    trust = await office.visit(station, goal(A))
    assert trust.problem.startswith("GetInstalledCertificateIds of V2GRootCertificate: CALLERROR NotSupported")
    assert station.actions == [LISTS]
    assert (trust.seen_at, trust.is_settled) == (None, False)


async def test_when_it_is_due(office: Office) -> None:
    station = RootStation()
    assert await office.visits.waits_until("CS1", goal(A)) is None
    await office.visit(station, goal(A))
    assert await office.visits.waits_until("CS1", goal(A)) == NOON + VISITED_AGAIN
    assert await office.visits.waits_until("CS1", goal(A, B)) is None, "it should have something else by now"
    office.later(VISITED_AGAIN)
    assert await office.visits.waits_until("CS1", goal(A)) is None


# --- the CSMS root


async def test_the_root_in_force_stays_whatever_is_declared(office: Office) -> None:
    office.chains = [A.chain()]
    station = RootStation().has(A.certificate)
    trust = await office.visit(station, goal(B, type_=CSMS, exclusive=True))
    assert station.held() == [A.certificate, B.certificate]
    assert trust.refusals[0].words.startswith("not asked: the gateway's certificate in force may lead to it")
    assert DELETES not in station.actions
    office.chains = [B.chain()]
    assert (await office.visit(station, goal(B, type_=CSMS, exclusive=True), force=True)).is_settled
    assert station.held() == [B.certificate]


@pytest.mark.parametrize("version", Version)
async def test_what_goes_as_another_type_is_not_the_csms_root_of_the_same_name(
    office: Office, version: Version
) -> None:
    """DeleteCertificate names no type: a station with one store would lose it as both."""
    station = RootStation(version=version).has(A.certificate).has(A.certificate, of="V2GRootCertificate")
    office.chains = [A.chain()]
    trust = await office.visit(station, goal(remove=[A]))
    assert DELETES not in station.actions
    assert station.held() == [A.certificate]
    assert "the last CSMS root" in trust.refusals[0].words
    assert [each.type for each in trust.installed] == [V2G], "it is told what was asked for"


async def test_what_the_listeners_show_is_looked_at_just_before_a_root_goes(office: Office) -> None:
    office.chains = [B.chain()]
    station = RootStation().has(A.certificate)

    def switches_back(_: Any) -> None:
        office.chains = [A.chain()]

    station.says[INSTALLS] = switches_back
    await office.visit(station, goal(B, type_=CSMS, exclusive=True))
    assert station.held() == [A.certificate, B.certificate]


@pytest.mark.parametrize("version", Version)
async def test_a_station_that_checks_is_not_sent_what_it_would_refuse(office: Office, version: Version) -> None:
    station = RootStation(version=version, checks=True).has(A.certificate)
    trust = await office.visit(station, goal(B, type_=CSMS))
    assert INSTALLS not in station.actions
    assert "AdditionalRootCertificateCheck" in trust.refusals[0].words
    assert "--cross-signed" in trust.refusals[0].words
    first = RootStation("CS2", version=version, checks=True)
    assert (await office.visit(first, goal(B, type_=CSMS))).is_settled, "its first one it takes"


def rotating(*, cross: bool, drop: bool = False, wanted: Goal | None = None) -> Goal:
    roots = RotationRoots(A.anchor, B.anchor, type(A.anchor).of(CROSS, A.certificate) if cross else None)
    return Goal((wanted or goal()).wanted, RotationHere(1, roots, may_drop_old=drop))


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize(
    ("checks", "cross", "got"),
    [
        (True, True, CROSS),
        (True, False, None),
        (False, True, B.certificate),
        (None, False, B.certificate),
    ],
)
async def test_a_rotation_gives_each_station_the_root_that_it_takes(
    office: Office, version: Version, checks: bool | None, cross: bool, got: Any
) -> None:
    office.chains = [A.chain()]
    station = RootStation(version=version, checks=checks).has(A.certificate)
    trust = await office.visit(station, rotating(cross=cross))
    assert station.held() == [each for each in (A.certificate, got) if each is not None]
    assert trust.is_settled is (got is not None)
    assert trust.ours == (), "an aborted rotation leaves both"
    sent = [payload["certificate"] for action, payload in station.calls if action == INSTALLS]
    assert sent == ([pem(got)] if got is not None else [])


async def test_the_old_root_goes_when_it_may(office: Office) -> None:
    station = RootStation(checks=True).has(A.certificate)
    office.chains = [A.chain()]
    await office.visit(station, rotating(cross=True, drop=True))
    assert station.held() == [A.certificate, CROSS], "the gateway shows the old one's still"
    office.chains = [B.chain()]
    await office.visit(station, rotating(cross=True))
    assert station.held() == [A.certificate, CROSS], "it has not come under the new one yet"
    kept = rotating(cross=True, drop=True, wanted=goal(A, type_=CSMS))
    await office.visit(station, kept, force=True)
    assert station.held() == [A.certificate, CROSS], "it is declared"
    trust = await office.visit(station, rotating(cross=True, drop=True), force=True)
    assert station.held() == [CROSS]
    assert trust.is_settled
    assert [each.subject for each in trust.installed] == ["CN=b"]


async def test_while_it_lasts_nothing_declared_takes_either_root_away(office: Office) -> None:
    office.chains = [B.chain()]
    station = RootStation().has(A.certificate, B.certificate, C.certificate)
    wanted = goal(B, type_=CSMS, exclusive=True)
    await office.visit(station, rotating(cross=False, wanted=wanted))
    assert station.held() == [A.certificate, B.certificate]


async def test_one_that_checks_and_has_two_roots_would_drop_one(office: Office) -> None:
    office.chains = [A.chain()]
    station = RootStation(checks=True).has(C.certificate, A.certificate)
    trust = await office.visit(station, rotating(cross=True))
    assert station.held() == [C.certificate, A.certificate]
    assert "has 2 CSMS roots" in trust.refusals[0].words
