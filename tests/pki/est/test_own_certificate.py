"""The gateway's own client certificate, renewed by simplereenroll."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from structlog.testing import capture_logs

from pki.authority import AuthorityUnavailable, IssuedMismatch
from pki.est.client import EstClient
from pki.est.own_certificate import FIRST_LOOK, LOOK_EVERY, OwnCertificate
from tests.est_server import RA_NAME, EstServer, given, running_est

NEARLY_OVER = timedelta(days=300)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EstServer]:
    async with running_est(EstServer(tmp_path)) as running:
        running.new_ra(datetime.now(UTC) - NEARLY_OVER)
        yield running


@pytest.fixture
async def client(server: EstServer) -> AsyncIterator[EstClient]:
    made = EstClient(server.url, server.trust())
    yield made
    await made.close()


def chain_of(server: EstServer) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(server.chain.read_bytes())


async def test_it_is_renewed_in_the_last_third_of_its_life(server: EstServer, client: EstClient) -> None:
    own = OwnCertificate(client, server.certificate)
    key, (old, issuing) = server.key.read_bytes(), chain_of(server)

    assert await own.renew_when_due()
    newer, above = chain_of(server)
    assert newer.subject == old.subject
    assert newer.public_key() == old.public_key()
    assert newer.not_valid_after_utc > old.not_valid_after_utc + timedelta(days=200)
    assert (above, server.key.read_bytes()) == (issuing, key)
    assert [operation for operation, _ in server.asked] == ["simplereenroll"]

    assert not await own.renew_when_due()
    await own.check()
    assert RA_NAME in newer.subject.rfc4514_string()
    assert await client.ca_certificates()  # the new one is shown from now on, and the pair fits


async def test_its_alternative_names_stay(server: EstServer, client: EstClient) -> None:
    """RFC 7030 4.2.2: subject and alternative names are those of the certificate that is renewed."""
    names = x509.SubjectAlternativeName([x509.DNSName("gw.example.com")])
    server.further = lambda builder: builder.add_extension(names, critical=False)
    own = OwnCertificate(client, server.certificate)
    await own.renew_when_due()
    server.further = lambda builder: builder
    in_a_year = OwnCertificate(client, server.certificate, clock=lambda: datetime.now(UTC) + timedelta(days=300))

    server.lifetime = timedelta(days=700)
    assert await in_a_year.renew_when_due()
    (renewed, _) = chain_of(server)
    assert renewed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value == names


async def test_what_came_does_not_fit(server: EstServer, client: EstClient) -> None:
    own = OwnCertificate(client, server.certificate)
    before = server.chain.read_bytes()

    async def answer(_: web.Request) -> web.Response:
        return given([server.ras.root.certificate])

    server.answer = answer
    with pytest.raises(IssuedMismatch, match="isn't a certificate for our name and key"):
        await own.renew_when_due()
    server.answer, server.lifetime = None, timedelta(days=1)
    with pytest.raises(IssuedMismatch, match="no longer than the one we have"):
        await own.renew_when_due()
    assert server.chain.read_bytes() == before


async def test_a_failure_is_logged_and_tried_again(server: EstServer, client: EstClient) -> None:
    looks: list[float] = []
    done = asyncio.Event()

    async def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 2:
            server.answer = None
        if len(looks) == 3:
            done.set()
            await asyncio.Event().wait()

    async def away(_: web.Request) -> web.Response:
        return web.Response(status=503)

    server.answer = away
    own = OwnCertificate(client, server.certificate, sleep=sleep)
    with capture_logs() as lines:
        task = asyncio.create_task(own.keep())
        async with asyncio.timeout(10):
            await done.wait()
        task.cancel()
        await asyncio.wait([task])
    events = {line["event"]: line for line in lines}
    assert looks == [FIRST_LOOK, LOOK_EVERY, LOOK_EVERY]
    assert list(events) == ["est_certificate_not_renewed", "est_certificate_renewed"]
    assert "can't do it now (503)" in events["est_certificate_not_renewed"]["reason"]


async def test_one_that_has_expired_is_told(server: EstServer, client: EstClient) -> None:
    own = OwnCertificate(client, server.certificate, clock=lambda: datetime.now(UTC) + timedelta(days=400))
    with pytest.raises(AuthorityUnavailable, match=r"our certificate is valid from .* enrol it anew"):
        await own.check()
