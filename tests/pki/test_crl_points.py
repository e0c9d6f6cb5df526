"""CRLs that certificates name: fetched once for all who ask, kept as long as they hold, bounded."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

import pytest
from cryptography import x509

from pki.crl import CRL_SIZE_MAX
from pki.crl_points import FAILURE_HOLDS, POINTS_MAX, REFRESH, TYPES, CrlPoints, crl_urls, places_named_by
from pki.destinations import Destination, DestinationRefused
from pki.fetching import FetchFailed
from pki.revocation import Finding, RevocationSource, Status
from tests.firmware_pki import DAY, Signer, crl_of, make_signer, manufacturer, pointers
from tests.iso15118_pki import ENCODED_DEFAULT, NOW, Extension, leaf

URL: Final = "http://crl.example.com/signers.crl"
PKI: Final = manufacturer(now=NOW, crl_url=URL)


def path_of(signer: Signer) -> tuple[x509.Certificate, ...]:
    return signer.certificate, PKI.sub.certificate, PKI.root.certificate


def signer(*extensions: Extension) -> Signer:
    return make_signer("Signer", PKI.sub, begins=NOW - DAY, ends=NOW + DAY, extensions=extensions)


def at(*urls: str) -> Signer:
    """Return a signer whose CRL is at each of these places."""
    points = [x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None) for url in urls]
    return signer((x509.CRLDistributionPoints(points), False))


class World:
    """What lies where, and what time it is."""

    def __init__(self) -> None:
        self.now = NOW
        self.passed = 0.0
        self.gives: dict[str, bytes | Exception] = {URL: PKI.crl}
        self.fetched: list[str] = []
        self.gate: asyncio.Event | None = None
        self.points = CrlPoints(self, clock=lambda: self.now, monotonic=lambda: self.passed, wait=30.0)

    async def fetch(self, url: str, *, expect: Sequence[str], size_max: int) -> bytes:
        assert (expect, size_max) == (TYPES, CRL_SIZE_MAX)
        self.fetched.append(url)
        if self.gate is not None:
            await self.gate.wait()
        given = self.gives.get(url, FetchFailed("nobody there"))
        if isinstance(given, Exception):
            raise given
        return given

    async def status(self, signer: Signer = PKI.ec) -> Finding:
        return await self.points.status(path_of(signer))

    def pass_by(self, time: timedelta) -> None:
        self.now += time
        self.passed += time.total_seconds()


@pytest.fixture
def world() -> World:
    return World()


async def test_what_the_crl_says_that_a_certificate_names(world: World) -> None:
    source: RevocationSource = world.points
    assert source.known(path_of(PKI.ec)).status is Status.UNKNOWN
    assert await world.status(PKI.ec) == Finding(Status.GOOD)
    revoked = await world.status(PKI.revoked)
    assert (revoked.status, "keyCompromise" in revoked.reason) == (Status.REVOKED, True)
    assert source.known(path_of(PKI.ec)) == Finding(Status.GOOD)
    assert world.fetched == [URL], "once for both"


async def test_of_the_sub_cas_too(world: World) -> None:
    top = manufacturer("Other", now=NOW)
    sub = make_signer("Sub", top.root, begins=NOW - DAY, ends=NOW + DAY, extensions=pointers(crl_url=URL))
    world.gives[URL] = crl_of(top.root, [sub.certificate], now=NOW)
    finding = await world.points.status((top.ec.certificate, sub.certificate, top.root.certificate))
    assert finding.status is Status.REVOKED


async def test_many_ask_for_one_fetch(world: World) -> None:
    world.gate = asyncio.Event()
    asking = [asyncio.create_task(world.status()) for _ in range(5)]
    await asyncio.sleep(0)
    asking[0].cancel()
    world.gate.set()
    found = await asyncio.gather(*asking, return_exceptions=True)
    assert found[1:] == [Finding(Status.GOOD)] * 4
    assert isinstance(found[0], asyncio.CancelledError)
    assert world.fetched == [URL]


async def test_it_is_fetched_again_in_time(world: World) -> None:
    await world.status()
    world.gives[URL] = crl_of(PKI.sub, [PKI.ec.certificate], now=NOW, number=2)
    world.pass_by(REFRESH - timedelta(seconds=1))
    assert (await world.status()).status is Status.GOOD
    world.pass_by(timedelta(seconds=1))
    assert (await world.status()).status is Status.REVOKED
    assert world.fetched == [URL, URL]


async def test_an_older_one_wins_nothing_back(world: World) -> None:
    world.gives[URL] = crl_of(PKI.sub, [PKI.ec.certificate], now=NOW, number=2)
    assert (await world.status()).status is Status.REVOKED
    world.gives[URL] = PKI.crl
    world.pass_by(REFRESH)
    assert (await world.status()).status is Status.REVOKED


async def test_what_came_last_holds_until_it_ends(world: World) -> None:
    await world.status()
    world.gives.clear()
    world.pass_by(7 * DAY - timedelta(seconds=1))
    assert await world.status() == Finding(Status.GOOD)
    world.pass_by(timedelta(seconds=2))
    finding = await world.status()
    assert (finding.status, "nobody there" in finding.reason) == (Status.UNKNOWN, True)
    assert (await world.status(PKI.revoked)).status is Status.REVOKED, "for ever"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (FetchFailed("nobody there"), "nobody there"),
        (DestinationRefused("isn't on the list"), "isn't on the list"),
        (b"<html>", "holds no CRL"),
        (crl_of(manufacturer("Foreign", now=NOW).sub, now=NOW), "there is no CRL of"),
        (crl_of(PKI.sub, now=NOW - 9 * DAY), "stale"),
    ],
    ids=["away", "refused", "none", "another's", "stale"],
)
async def test_a_crl_that_is_none(world: World, given: bytes | Exception, why: str) -> None:
    world.gives[URL] = given
    finding = await world.status()
    assert (finding.status, why in finding.reason) == (Status.UNKNOWN, True), finding


async def test_a_failure_is_remembered_for_a_moment(world: World) -> None:
    world.gives.clear()
    await world.status()
    world.pass_by(timedelta(seconds=FAILURE_HOLDS - 1))
    await world.status()
    assert len(world.fetched) == 1
    world.gives[URL] = PKI.crl
    world.pass_by(timedelta(seconds=1))
    assert await world.status() == Finding(Status.GOOD)


async def test_the_second_place_where_the_first_fails(world: World) -> None:
    first, second, third = "http://a.example.com/", URL, "http://c.example.com/"
    assert await world.status(at(first, second, third)) == Finding(Status.GOOD)
    assert world.fetched == [first, second]
    world.gives.clear()
    world.fetched.clear()
    world.pass_by(8 * DAY)
    assert (await world.status(at(first, second, third))).status is Status.UNKNOWN
    assert world.fetched == [first, second], "and no more"


async def test_one_waits_only_so_long(world: World) -> None:
    world.gate = asyncio.Event()
    world.points = CrlPoints(world, clock=lambda: world.now, wait=0.02)
    finding = await world.status()
    assert (finding.status, "hasn't come" in finding.reason) == (Status.UNKNOWN, True)
    world.gate.set()
    world.points._wait = 30.0
    assert await world.status() == Finding(Status.GOOD)
    assert world.fetched == [URL], "the fetch went on"


async def test_closing_ends_what_is_under_way(world: World) -> None:
    world.gate = asyncio.Event()
    asking = asyncio.create_task(world.status())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await world.points.close()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await world.points.close()


async def test_places_are_bounded(world: World) -> None:
    for number in range(POINTS_MAX + 1):
        url = f"http://{number}.example.com/"
        world.gives[url] = PKI.crl
        await world.status(at(url))
    assert len(world.points._held) == POINTS_MAX


async def test_who_names_none(world: World) -> None:
    assert await world.status(signer()) == Finding(Status.UNKNOWN, "it names no CRL")
    assert (await world.points.status((PKI.ec.certificate,))).status is Status.UNKNOWN
    odd = leaf("Odd", PKI.sub, basic_constraints=ENCODED_DEFAULT, extensions=pointers(crl_url=URL))
    assert crl_urls(odd.certificate) == []
    assert (await world.status(Signer(odd))).status is Status.UNKNOWN
    assert world.fetched == []


def names(*values: str) -> list[x509.GeneralName]:
    return [x509.UniformResourceIdentifier(value) for value in values]


def point(make: Callable[[], x509.DistributionPoint]) -> list[str]:
    return crl_urls(signer((x509.CRLDistributionPoints([make()]), False)).certificate)


def test_which_places_are_spoken_to() -> None:
    issuer = [x509.DirectoryName(PKI.root.certificate.subject)]
    some = frozenset({x509.ReasonFlags.key_compromise})
    assert point(lambda: x509.DistributionPoint(names("ldap://x", "https://x/"), None, None, None)) == ["https://x/"]
    assert point(lambda: x509.DistributionPoint(names("http://x/"), None, some, None)) == []
    assert point(lambda: x509.DistributionPoint(names("http://x/"), None, None, issuer)) == []
    assert point(lambda: x509.DistributionPoint(issuer, None, None, None)) == []


def test_the_hosts_that_certificates_name() -> None:
    two = signer(*pointers("http://ocsp.example.com:8080/x", URL))
    found = places_named_by(
        [two.certificate, PKI.ec.certificate, signer().certificate, at("http://user@x/").certificate]
    )
    assert found == [
        Destination("crl.example.com", 80, "http"),
        Destination("ocsp.example.com", 8080, "http"),
    ]
