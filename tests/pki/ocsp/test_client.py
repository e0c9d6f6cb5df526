"""Asking responders: what is remembered and for how long, who shares a question, what is no answer."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509 import ocsp

from pki.certificate_hash import certificate_hash
from pki.destinations import DestinationRefused
from pki.fetching import FetchFailed, TooManyFetches, UselessAnswer
from pki.issuing import Hierarchy, Issuer
from pki.ocsp import client as client_module
from pki.ocsp.client import AGE_MAX, FAILURE_HOLDS, Cause, OcspClient, OcspUnavailable
from pki.ocsp.response import RESPONSE_SIZE_MAX, Answer
from pki.revocation import Finding, Status
from tests.pki.conftest import NOW
from tests.responders import HOUR, REVOKED, delegate_of, leaf_of, response, unsuccessful

URL = "http://ocsp.example.com/"


@dataclass
class World:
    """A responder on the other side of no network, clocks, and what is known of its certificate."""

    hierarchy: Hierarchy
    at: timedelta = timedelta()
    asked: list[tuple[str, ocsp.OCSPRequest]] = field(default_factory=list)
    says: dict[str, Any] = field(default_factory=dict)
    body: bytes | None = None
    failure: Exception | None = None
    gate: asyncio.Event | None = None
    delegates: Status = Status.UNKNOWN

    def __post_init__(self) -> None:
        self.client = OcspClient(self, delegates=self, clock=lambda: self.now, monotonic=self.at_seconds)
        self.cert_id = certificate_hash(leaf_of(self.ca, NOW), self.ca.certificate)

    @property
    def ca(self) -> Issuer:
        return self.hierarchy.issuing

    @property
    def now(self) -> datetime:
        return NOW + self.at

    def at_seconds(self) -> float:
        return self.at.total_seconds()

    async def fetch(self, url: str, *, expect: str, size_max: int, body: bytes | None = None, sends: str = "") -> bytes:
        assert (expect, sends, size_max) == (
            "application/ocsp-response",
            "application/ocsp-request",
            RESPONSE_SIZE_MAX,
        )
        self.asked.append((url, ocsp.load_der_ocsp_request(body or b"")))
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        if self.body is not None:
            return self.body
        return response(self.cert_id, **{"signer": self.ca, "now": self.now, **self.says})

    async def status(self, path: Sequence[x509.Certificate]) -> Finding:
        assert path[1] == self.ca.certificate
        return Finding(self.delegates)

    def known(self, path: Sequence[x509.Certificate]) -> Finding:
        return Finding(self.delegates)

    async def ask(self, url: str = URL, **told: Any) -> Answer:
        return await self.client.ask(url, self.cert_id, self.ca.certificate, **told)

    async def failed(self, url: str = URL) -> Cause:
        with pytest.raises(OcspUnavailable) as unavailable:
            await self.ask(url)
        return unavailable.value.cause


@pytest.fixture
def world(hierarchy: Hierarchy) -> World:
    return World(hierarchy)


async def test_what_was_said_is_remembered_until_its_end(world: World) -> None:
    first = await world.ask()
    world.at = HOUR
    assert await world.ask() is first
    assert world.client.has_recent(world.cert_id, HOUR)
    assert not world.client.has_recent(world.cert_id, HOUR / 2)
    world.at += timedelta(seconds=1)
    assert (await world.ask()).this_update == world.now
    assert len(world.asked) == 2


async def test_no_longer_than_a_week(world: World) -> None:
    world.says = {"next_update": timedelta(days=3650)}
    await world.ask()
    world.at = AGE_MAX
    await world.ask()
    assert len(world.asked) == 1
    world.at += timedelta(seconds=1)
    await world.ask()
    assert len(world.asked) == 2
    world.at *= 3
    world.failure = FetchFailed("away")
    assert await world.failed() is Cause.AWAY, "what is older than a week is no answer though it says so itself"


async def test_no_longer_than_the_asker_wants_but_rather_than_nothing(world: World) -> None:
    first = await world.ask()
    world.at = timedelta(minutes=10)
    assert await world.ask(age_max=timedelta(minutes=10)) is first
    world.failure = FetchFailed("away")
    assert await world.ask(age_max=timedelta(minutes=9)) is first
    world.failure = None
    assert (await world.ask(age_max=timedelta(minutes=9))) is first, "the failure holds for a while"
    world.at += timedelta(seconds=FAILURE_HOLDS)
    assert (await world.ask(age_max=timedelta(minutes=9))) is not first


async def test_who_asks_the_same_shares_the_question(world: World) -> None:
    world.gate = asyncio.Event()
    askers = [asyncio.ensure_future(world.ask()) for _ in range(100)]
    await asyncio.sleep(0)
    askers[0].cancel()
    world.gate.set()
    gone, *answers = await asyncio.gather(*askers, return_exceptions=True)
    assert isinstance(gone, asyncio.CancelledError)
    assert len(world.asked) == 1
    assert all(answer is answers[0] for answer in answers)


async def test_a_failure_is_no_answer_and_holds_for_seconds(world: World) -> None:
    world.body = unsuccessful()
    assert await world.failed() is Cause.REJECTED
    world.body = None
    world.at = timedelta(seconds=FAILURE_HOLDS - 1)
    assert await world.failed() is Cause.REJECTED
    assert len(world.asked) == 1
    world.at = timedelta(seconds=FAILURE_HOLDS)
    assert (await world.ask()).status is Status.GOOD


@pytest.mark.parametrize(
    ("failure", "cause"),
    [(FetchFailed("nobody there"), Cause.AWAY), (DestinationRefused("not on the list"), Cause.NOT_ALLOWED)],
)
async def test_a_responder_that_is_away_is_asked_nothing_else_for_a_while(
    world: World, failure: Exception, cause: Cause
) -> None:
    world.failure = failure
    assert await world.failed() is cause
    world.cert_id = certificate_hash(leaf_of(world.ca, NOW), world.ca.certificate)
    assert await world.failed() is cause
    assert len(world.asked) == 1
    world.failure = None
    assert (await world.ask("http://other.example.com/")).status is Status.GOOD, "another one may be there"


async def test_what_makes_a_responder_stumble_keeps_no_other_question_from_it(world: World) -> None:
    """Attack B2: by a question of its own choice a station could have shut the door to all others."""
    world.failure, before = UselessAnswer("it answered 401"), world.cert_id
    assert await world.failed() is Cause.AWAY
    world.failure, world.cert_id = None, certificate_hash(leaf_of(world.ca, NOW), world.ca.certificate)
    assert (await world.ask()).status is Status.GOOD
    world.cert_id = before
    assert await world.failed() is Cause.AWAY
    assert len(world.asked) == 2, "the same isn't asked again at once"


async def test_what_was_not_even_tried_says_nothing_about_the_responder(world: World) -> None:
    world.failure = TooManyFetches("enough")
    assert await world.failed() is Cause.AWAY
    world.failure = None
    assert (await world.ask()).status is Status.GOOD


async def test_an_older_answer_than_one_that_was_seen_is_a_replay(world: World) -> None:
    old = response(world.cert_id, world.ca, NOW, next_update=24 * HOUR)
    world.body = old
    await world.ask()
    world.at, world.body, world.says = HOUR, None, {"status": REVOKED, "next_update": HOUR}
    assert (await world.ask(age_max=timedelta())).status is Status.REVOKED
    world.at, world.body = 3 * HOUR, old
    assert await world.failed() is Cause.REJECTED
    last = world.client.last(world.cert_id)
    assert last is not None
    assert last.status is Status.REVOKED


@pytest.mark.parametrize(
    ("known", "no_check", "ok"),
    [
        (Status.GOOD, False, True),
        (Status.UNKNOWN, False, False),
        (Status.REVOKED, False, False),
        (Status.UNKNOWN, True, True),
        (Status.REVOKED, True, False),
    ],
)
async def test_a_delegate(world: World, known: Status, *, no_check: bool, ok: bool) -> None:
    delegate = delegate_of(world.ca, NOW, no_check=no_check)
    world.delegates = known
    world.says = {"signer": delegate, "brings": (delegate.certificate,)}
    if ok:
        assert (await world.ask()).delegate == delegate.certificate
    else:
        assert await world.failed() is Cause.REJECTED


async def test_each_question_has_its_own_nonce(world: World) -> None:
    await world.ask()
    await world.ask(age_max=timedelta(seconds=-1))
    first, second = (asked.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce for _, asked in world.asked)
    assert first != second
    assert len(first) == 32


async def test_what_is_remembered_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "ANSWERS_MAX", 3)
    monkeypatch.setattr(client_module, "SEEN_MAX", 4)
    monkeypatch.setattr(client_module, "FAILURES_MAX", 2)
    ids = [certificate_hash(leaf_of(world.ca, NOW), world.ca.certificate) for _ in range(6)]
    for world.cert_id in ids:
        await world.ask()
    assert [each for each in ids if world.client.last(each)] == ids[3:]
    assert len(world.client._seen) == 4
    size = sum(len(held.answer.der) for held in world.client._held.values())
    assert world.client._size == size
    monkeypatch.setattr(client_module, "ANSWERS_SIZE_MAX", size - 100)
    world.cert_id = ids[0]
    await world.ask()
    assert [each for each in ids if world.client.last(each)] == [ids[0], ids[5]]
    world.failure = FetchFailed("away")
    for number in range(3):
        world.cert_id = ids[1]
        await world.failed(f"http://r{number}/")
    assert len(world.client._failures) == 2


async def test_closing_ends_what_is_under_way(world: World) -> None:
    world.gate = asyncio.Event()
    asker = asyncio.ensure_future(world.ask())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await world.client.close()
    with pytest.raises(asyncio.CancelledError):
        await asker
    assert not world.client._asking
