"""Requests on file: durable, one open one of each usage, decided once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.session.certificate_requests import OPEN, CertificateRequest, NotWaiting, RequestState, RequestUnknown
from gateway.store.certificate_requests import DETAIL_MAX, KEPT_MAX, CertificateRequests
from gateway.store.certificates import Certificates
from gateway.store.database import Database, StoreUnavailable
from gateway.store.stations import Stations

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
WORDS = {"kind": "ChargingStationCertificate", "name": "SN1"}


class Clock:
    now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def registered(database: Database) -> Database:
    stations = Stations(database)
    for identity, serial in (("CS1", "SN1"), ("CS2", "SN2")):
        await stations.add(identity, profile=2, serial=serial, backend=None, password_hash=None)
    return database


@pytest.fixture
def requests(registered: Database, clock: Clock) -> CertificateRequests:
    return CertificateRequests(registered, clock)


async def add(
    requests: CertificateRequests,
    identity: str = "CS1",
    usage: str = "station",
    state: str = "requested",
    key: str = "k",
) -> tuple[CertificateRequest, Any]:
    return await requests.add(identity, usage, RequestState(state), csr="PEM", key_fingerprint=key, words=WORDS)


async def test_who_serves_alone_knows_who_asks(tmp_path: Path, clock: Clock) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/alone.db"
    database = await Database.open(url, exclusive=True)
    for identity in ("CS1", "CS2", "CS3"):
        await Stations(database).add(identity, profile=3, serial=None, backend=None, password_hash=None)
    earlier, _ = await add(CertificateRequests(database, clock))
    requests = CertificateRequests(database, clock)
    assert (await requests.open_ones("CS1"), await requests.open_ones("CS2")) == ([earlier], [])
    made, _ = await add(requests, "CS2")
    assert await requests.open_ones("CS2") == [made]
    await database.close()
    with pytest.raises(StoreUnavailable):
        await requests.open_ones("CS2")
    assert await requests.open_ones("CS3") == []  # known without the store


async def test_a_request_is_as_it_was_said(requests: CertificateRequests) -> None:
    made, replaced = await add(requests)
    assert made == CertificateRequest(
        made.id, "CS1", "station", RequestState.REQUESTED, "PEM", "k", WORDS, None, 0, "", NOW, NOW
    )
    assert (replaced, await requests.find(made.id), await requests.find(made.id + 1)) == ([], made, None)
    assert await requests.open_ones("CS1") == [made]
    assert await requests.open_ones("CS2") == []


async def test_the_newest_wins_within_its_usage(requests: CertificateRequests) -> None:
    first, _ = await add(requests)
    other, _ = await add(requests, usage="v2g")
    strange, _ = await add(requests, "CS2")
    newest, replaced = await add(requests, key="k2")
    assert replaced == [first]
    assert await requests.open_ones("CS1") == [other, newest]
    assert await requests.open_ones("CS2") == [strange]
    found = await requests.find(first.id)
    assert found is not None
    assert (found.state, found.detail) == (RequestState.REPLACED, "the station asked anew")


@pytest.mark.parametrize("over", [state for state in RequestState if state not in OPEN])
async def test_what_is_over_stays_over(requests: CertificateRequests, clock: Clock, over: RequestState) -> None:
    made, _ = await add(requests)
    clock.now = NOW + timedelta(hours=1)
    moved = await requests.move(made.id, over, detail="x" * 999, serial="abc")
    assert moved == replace(made, state=over, detail="x" * DETAIL_MAX, serial="abc", changed_at=clock.now)
    assert await requests.move(made.id, RequestState.ISSUED) is None
    assert await requests.sending(made.id) == 0
    assert await requests.open_ones("CS1") == []


async def test_a_serial_is_kept(requests: CertificateRequests) -> None:
    made, _ = await add(requests)
    await requests.move(made.id, RequestState.ISSUED, serial="abc")
    moved = await requests.move(made.id, RequestState.DELIVERED)
    assert moved is not None
    assert moved.serial == "abc"


async def test_attempts_are_counted(requests: CertificateRequests) -> None:
    made, _ = await add(requests)
    assert [await requests.sending(made.id) for _ in range(3)] == [1, 2, 3]


async def test_of_each_station_the_last_are_kept(requests: CertificateRequests) -> None:
    waiting, _ = await add(requests, usage="v2g", state="waiting")
    for number in range(KEPT_MAX + 5):
        await add(requests, key=str(number))
    await add(requests, "CS2")
    kept = await requests.list("CS1")
    assert (len(kept), kept[0]) == (KEPT_MAX + 1, waiting)
    assert len(await requests.list()) == KEPT_MAX + 2


@pytest.mark.parametrize(("approved", "state"), [(True, RequestState.REQUESTED), (False, RequestState.REFUSED)])
async def test_a_decision_is_made_once_and_can_be_followed(
    requests: CertificateRequests, approved: bool, state: RequestState
) -> None:
    made, _ = await add(requests, state="waiting")
    before = await requests.revision()
    decided = await requests.decide(made.id, approved=approved, detail="by hand")
    assert (decided.state, decided.detail) == (state, "by hand")
    assert await requests.revision() == before + 1
    with pytest.raises(NotWaiting, match=f"it is {state.value}"):
        await requests.decide(made.id, approved=not approved, detail="")
    with pytest.raises(RequestUnknown, match="no certificate request 0"):
        await requests.decide(0, approved=True, detail="")
    assert await requests.revision() == before + 1


async def test_a_listing_by_state(requests: CertificateRequests) -> None:
    made, _ = await add(requests, state="waiting")
    await add(requests, "CS2")
    assert await requests.list(states=[RequestState.WAITING]) == [made]
    assert await requests.list("CS2", states=[RequestState.WAITING]) == []


async def test_a_removed_stations_requests_go_with_it(requests: CertificateRequests, database: Database) -> None:
    await add(requests)
    await Stations(database).remove("CS1")
    assert await requests.list() == []


async def issue_secc(database: Database) -> Certificates:
    certificates = Certificates(database)
    await certificates.add(
        "CS2", serial="a1", fingerprint="f1", subject="CN=SECC2,O=x", not_before=NOW,
        not_after=NOW + timedelta(days=90), chain="", usage="v2g", profile="secc",
    )  # fmt: skip
    return certificates


async def test_a_name_is_free_when_its_certificate_has_ended(
    requests: CertificateRequests, database: Database, clock: Clock
) -> None:
    """A controller that moves to another station takes its id along."""
    await issue_secc(database)
    clock.now += timedelta(days=90)
    assert await requests.names_of_others("CS1", "SECC2", "v2g") == (False, [])


async def test_or_was_revoked(requests: CertificateRequests, database: Database) -> None:
    certificates = await issue_secc(database)
    assert await requests.names_of_others("CS1", "SECC2", "v2g") == (False, ["CN=SECC2,O=x"])
    await certificates.revoke("a1")
    assert await requests.names_of_others("CS1", "SECC2", "v2g") == (False, [])


async def test_whose_name_it_is(requests: CertificateRequests, database: Database) -> None:
    await issue_secc(database)
    assert await requests.names_of_others("CS1", "SN2", "v2g") == (True, ["CN=SECC2,O=x"])
    assert await requests.names_of_others("CS1", "CS2", "station") == (True, [])
    assert await requests.names_of_others("CS2", "SN2", "v2g") == (False, [])
    assert await requests.names_of_others("CS1", "SN1", "v2g") == (False, ["CN=SECC2,O=x"])


async def test_what_a_station_is_called_now(requests: CertificateRequests, database: Database) -> None:
    assert await requests.name_of("CS1") == "SN1"
    await Stations(database).set_serial("CS1", "SN9")
    assert await requests.name_of("CS1") == "SN9"
    await Stations(database).set_serial("CS1", None)
    assert await requests.name_of("CS1") == "CS1"
    await Stations(database).remove("CS1")
    assert await requests.name_of("CS1") is None


async def test_those_whose_time_is_over_in_batches(requests: CertificateRequests, clock: Clock) -> None:
    waiting, _ = await add(requests, state="waiting")
    issued, _ = await add(requests, usage="v2g")
    clock.now += timedelta(days=1)
    await requests.move(issued.id, RequestState.ISSUED, serial="abc1")
    late, _ = await add(requests, "CS2")
    over, _ = await add(requests, "CS2", usage="v2g")
    await requests.move(over.id, RequestState.FAILED)

    async def found(*, after: int = 0, at_most: int = 10, **since: datetime) -> list[int]:
        wanted = {RequestState(state): at for state, at in since.items()}
        return [each.id for each in await requests.overdue(wanted, after=after, at_most=at_most)]

    assert await found() == []
    assert await found(waiting=NOW, requested=NOW, issued=NOW) == [waiting.id]
    assert await found(waiting=NOW - timedelta(seconds=1)) == []
    later = clock.now
    assert await found(waiting=later, requested=later, issued=later) == [waiting.id, issued.id, late.id]
    assert await found(waiting=later, requested=later, issued=later, at_most=1) == [waiting.id]
    assert await found(waiting=later, requested=later, issued=later, after=waiting.id, at_most=1) == [issued.id]


async def test_a_move_from_a_state_that_it_has_left(requests: CertificateRequests) -> None:
    made, _ = await add(requests, state="waiting")
    await requests.decide(made.id, approved=True, detail="")
    assert await requests.move(made.id, RequestState.FAILED, was=RequestState.WAITING) is None
    moved = await requests.move(made.id, RequestState.FAILED, was=RequestState.REQUESTED)
    assert moved is not None
    assert moved.state is RequestState.FAILED
