"""Attack B2: responders that are down, slow, huge, stale, that sign with the wrong key, or repeat what was true once.

A station asks about a revoked certificate. Whoever sits on the way to the responder wants it to hear anything but that.
"""

import asyncio
import base64
import ipaddress
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.x509 import ocsp

from gateway.services.certificate_status import CertificateStatus
from pki.certificate_hash import certificate_hash
from pki.destinations import AllowList, Destination
from pki.fetching import GuardedHttp
from pki.issuing import Hierarchy, new_hierarchy
from pki.ocsp.client import OcspClient
from pki.ocsp.issuers import Issuers
from pki.ocsp.source import OcspSource
from pki.revocation import Status
from tests.responders import (
    HOUR,
    REVOKED,
    Responder,
    delegate_of,
    impostor_of,
    leaf_of,
    responding,
    response,
    unsuccessful,
)
from tests.services.conftest import ScriptedStation

NOW = datetime.now(UTC).replace(microsecond=0)
PATIENCE = 15.0
"""Seconds that the gateway gives a responder here, but for the one that never answers."""
SHORT = 0.2


class World:
    """A station behind the service, the client and the guarded fetch as they are; a responder on a real socket."""

    def __init__(self, hierarchy: Hierarchy, responder: Responder, http: GuardedHttp) -> None:
        self.hierarchy, self.responder = hierarchy, responder
        self.now = NOW
        self.seconds = 0.0
        self.leaf = leaf_of(hierarchy.issuing, NOW, responder=responder.url)
        self.named = certificate_hash(self.leaf, hierarchy.issuing.certificate)
        self.client = OcspClient(http, clock=lambda: self.now, monotonic=lambda: self.seconds)
        self._known = Issuers([hierarchy.issuing.certificate])
        self._service = CertificateStatus(self.client, self, cast("Any", self))
        responder.says = {"status": REVOKED, "now": NOW}

    async def find(self, certificate: Any) -> x509.Certificate | None:
        return self._known.find(certificate)

    async def ask(self) -> tuple[str, str]:
        """Return what the station hears: the certificate's status when it is Accepted; else why not."""
        request = {"ocspRequestData": {**self.named.payload, "responderURL": self.responder.url}}
        answer = await self._service.get_certificate_status(ScriptedStation(), request)
        if answer["status"] != "Accepted":
            return "Failed", answer["statusInfo"]["additionalInfo"]
        response = ocsp.load_der_ocsp_response(base64.b64decode(answer["ocspResult"]))
        return "Accepted", response.certificate_status.name

    def later(self, by: timedelta) -> None:
        self.now += by
        self.seconds += by.total_seconds()

    async def at_the_door(self) -> Status:
        path = self.leaf, self.hierarchy.issuing.certificate, self.hierarchy.root.certificate
        source = OcspSource(self.client, refresh=timedelta(), wait=PATIENCE, clock=lambda: self.now)
        return (await source.status(path)).status

    def good(self, signer: Any, **told: Any) -> bytes:
        """What the attacker would like to be believed: that it is good."""
        return response(self.named, signer, self.now, **told)


@pytest.fixture(scope="module")
def hierarchy() -> Hierarchy:
    return new_hierarchy("V2G", "CPO", NOW)


@asynccontextmanager
async def opened(hierarchy: Hierarchy, patience: float) -> AsyncIterator[World]:
    async with responding(hierarchy) as responder:
        allowed = AllowList([Destination.parse(responder.url)], [ipaddress.ip_network("127.0.0.0/8")])
        async with GuardedHttp(allowed, timeout=patience) as http:
            made = World(hierarchy, responder, http)
            yield made
            await made.client.close()


@pytest.fixture
async def world(hierarchy: Hierarchy) -> AsyncIterator[World]:
    async with opened(hierarchy, PATIENCE) as made:
        yield made


async def test_the_honest_responder(world: World) -> None:
    assert await world.ask() == ("Accepted", "REVOKED")
    assert await world.at_the_door() is Status.REVOKED


def forged(world: World, kind: str) -> bytes:
    ca, elsewhere = world.hierarchy.issuing, new_hierarchy("Elsewhere", "X", NOW).issuing
    unfit, foreign = delegate_of(ca, NOW, usages=()), delegate_of(elsewhere, NOW)
    other = certificate_hash(leaf_of(ca, NOW), ca.certificate)
    made: dict[str, Callable[[], bytes]] = {
        "another CA": lambda: world.good(elsewhere),
        "the CA's name, another key": lambda: world.good(impostor_of(ca.certificate, NOW)),
        "a delegate without id-kp-OCSPSigning": lambda: world.good(unfit, brings=(unfit.certificate,)),
        "a delegate of another CA": lambda: world.good(foreign, brings=(foreign.certificate,)),
        "stale": lambda: world.good(ca, this_update=-3 * HOUR, next_update=-HOUR),
        "from the future": lambda: world.good(ca, this_update=HOUR, next_update=2 * HOUR),
        "another certificate": lambda: response(other, ca, NOW),
        "another question's nonce": lambda: world.good(ca, nonce=b"x" * 32),
        "tryLater": unsuccessful,
        "garbage": lambda: b"\x30\x82\xff\xff" + b"A" * 400,
        "nothing": lambda: b"",
        "huge": lambda: world.good(ca) + bytes(1_000_000),
        "a page": lambda: b"<html>sign in to the wifi</html>",
    }
    return made[kind]()


KINDS = [
    "another CA",
    "the CA's name, another key",
    "a delegate without id-kp-OCSPSigning",
    "a delegate of another CA",
    "stale",
    "from the future",
    "another certificate",
    "another question's nonce",
    "tryLater",
    "garbage",
    "nothing",
    "huge",
    "a page",
]


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_no_answer_is_none_and_is_not_remembered_as_one(world: World, kind: str) -> None:
    world.responder.body = forged(world, kind)
    assert (await world.ask())[0] == "Failed"
    assert await world.at_the_door() is Status.UNKNOWN
    assert len(world.responder.asked) == 1, "what failed isn't asked again at once"
    world.responder.body = None
    world.later(timedelta(minutes=1))
    assert await world.ask() == ("Accepted", "REVOKED")


@pytest.mark.parametrize("kind", KINDS)
async def test_what_was_revoked_stays_so_at_the_door(world: World, kind: str) -> None:
    assert await world.at_the_door() is Status.REVOKED
    world.later(2 * HOUR)
    world.responder.body = forged(world, kind)
    assert await world.at_the_door() is Status.REVOKED


async def test_what_was_said_before_the_revocation_is_a_replay(world: World) -> None:
    early = world.good(world.hierarchy.issuing, next_update=24 * HOUR)
    world.later(HOUR)
    world.responder.says = {"status": REVOKED, "now": world.now}
    assert await world.ask() == ("Accepted", "REVOKED")
    world.responder.body = early
    world.later(2 * HOUR)
    status, why = await world.ask()
    assert (status, "replay" in why) == ("Failed", True)
    assert await world.at_the_door() is Status.REVOKED


async def test_a_responder_that_never_answers(hierarchy: Hierarchy) -> None:
    async with opened(hierarchy, SHORT) as world:
        world.responder.gate = asyncio.Event()
        for _ in range(10):
            assert await world.ask() == ("Failed", f"no answer within {SHORT:g} s")
        assert len(world.responder.asked) <= 1, "only the first has waited"


async def test_a_responder_that_is_away(world: World) -> None:
    world.responder.status = 503
    assert await world.ask() == ("Failed", "it answered 503")


async def test_a_hundred_stations_are_one_question(world: World) -> None:
    answers = await asyncio.gather(*(world.ask() for _ in range(100)))
    assert set(answers) == {("Accepted", "REVOKED")}
    assert len(world.responder.asked) == 1
