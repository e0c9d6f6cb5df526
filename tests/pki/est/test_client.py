"""The client against a server over real TLS: who is let in, and what a server may get wrong."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509

from pki.authority import AuthorityError, AuthorityUnavailable, SigningPending, SigningRefused
from pki.client_tls import CredentialMissing, TlsTrust
from pki.est.client import ANSWER_MAX, EstClient
from tests.est_server import ENCODED, PASSWORD, USER, EstServer, running_est


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EstServer]:
    async with running_est(EstServer(tmp_path)) as running:
        yield running


@pytest.fixture
def csr(make_csr: Any) -> x509.CertificateSigningRequest:
    return x509.load_pem_x509_csr(make_csr().encode())


@asynccontextmanager
async def client_of(server: EstServer, trust: TlsTrust | None = None, **options: Any) -> AsyncIterator[EstClient]:
    async with AsyncExitStack() as stack:
        client = EstClient(server.url, trust or server.trust(), **options)
        stack.push_async_callback(client.close)
        yield client


async def test_ca_certificates_need_no_credentials(server: EstServer) -> None:
    async with client_of(server, server.trust(shows_certificate=False)) as client:
        cas = await client.ca_certificates()
        assert set(cas) == {server.cas.root.certificate, server.cas.issuing.certificate}
        assert repr(client) == f"EstClient({server.url}/.well-known/est)"


async def test_enrolling_by_certificate(server: EstServer, csr: x509.CertificateSigningRequest) -> None:
    async with client_of(server) as client:
        (leaf,) = await client.enroll(csr)
    assert leaf.public_key() == csr.public_key()
    assert [operation for operation, _ in server.asked] == ["simpleenroll"]
    (headers,) = server.headers
    assert (headers["Content-Type"], headers["Content-Transfer-Encoding"]) == ("application/pkcs10", "base64")


async def test_enrolling_by_password_under_a_label(server: EstServer, csr: x509.CertificateSigningRequest) -> None:
    server.label = "stations"
    trust = server.trust(shows_certificate=False)
    async with client_of(server, trust, label="stations", password=lambda: (USER, PASSWORD)) as client:
        assert len(await client.enroll(csr)) == 1
    async with client_of(server, trust, label="stations", password=lambda: (USER, "wrong")) as client:
        with pytest.raises(AuthorityUnavailable, match=r"\(401\); see est.auth") as caught:
            await client.enroll(csr)
        assert "wrong" not in str(caught.value)
    async with client_of(server, trust, label="other") as client:
        with pytest.raises(AuthorityUnavailable, match=r"isn't served \(404\); see est.url and est.label"):
            await client.enroll(csr)


async def test_a_server_that_nobody_named_is_not_believed(server: EstServer, tmp_path: Path) -> None:
    """No bootstrap on first sight (RFC 7030 4.1.1)."""
    (tmp_path / "other").mkdir()
    other = EstServer(tmp_path / "other")
    async with client_of(server, other.trust()) as client:
        with pytest.raises(AuthorityUnavailable, match=r"certificate isn't trusted .*see est\.roots"):
            await client.ca_certificates()


@pytest.mark.parametrize(
    ("status", "headers", "kind", "words"),
    [
        (202, {"Retry-After": "17"}, SigningPending, r"yet to decide \(202\); ask again in 17 s"),
        (204, {}, AuthorityUnavailable, "isn't served"),
        (301, {"Location": "https://elsewhere.example/"}, AuthorityUnavailable, r"redirect \(301\), which isn't"),
        (307, {"Location": "/.well-known/est/simpleenroll"}, AuthorityUnavailable, r"redirect \(307\)"),
        (400, {"Content-Type": "text/plain"}, SigningRefused, r"refuses it \(400\): no   such name$"),
        (400, {"Content-Type": "text/html"}, SigningRefused, r"refuses it \(400\)$"),
        (403, {}, SigningRefused, "refuses it"),
        (429, {}, AuthorityUnavailable, "can't do it now"),
        (500, {}, AuthorityUnavailable, "can't do it now"),
        (503, {}, AuthorityUnavailable, "can't do it now"),
    ],
)
async def test_answers_that_hold_no_certificate(  # one argument for each column
    server: EstServer,
    csr: x509.CertificateSigningRequest,
    status: int,
    headers: dict[str, str],
    kind: type[AuthorityError],
    words: str,
) -> None:
    calls = 0

    async def answer(_: web.Request) -> web.Response:
        nonlocal calls
        calls += 1
        return web.Response(status=status, body=None if status == 204 else b"no \x1b such name\r\n", headers=headers)

    server.answer = answer
    async with client_of(server) as client:
        with pytest.raises(kind, match=words):
            await client.enroll(csr)
        assert calls == 1
        with pytest.raises(AuthorityUnavailable):
            await client.ca_certificates()


@pytest.mark.parametrize(
    ("headers", "body", "words"),
    [
        ({"Content-Type": "text/html"}, b"<html>", "isn't application/pkcs7-mime"),
        (ENCODED, b"nonsense", "isn't a PKCS#7 of certificates"),
        ({**ENCODED, "Content-Encoding": "gzip"}, b"x", "isn't application/pkcs7-mime"),
        (ENCODED, base64.b64encode(bytes(ANSWER_MAX)), "has more than 262144 bytes"),
    ],
)
async def test_answers_that_are_no_certificates(
    server: EstServer, csr: x509.CertificateSigningRequest, headers: dict[str, str], body: bytes, words: str
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, headers=headers)

    server.answer = answer
    async with client_of(server) as client:
        with pytest.raises(AuthorityUnavailable, match=words):
            await client.enroll(csr)


async def test_a_server_that_never_answers_or_hangs_up(server: EstServer, csr: x509.CertificateSigningRequest) -> None:
    forever = asyncio.Event()

    async def silent(_: web.Request) -> web.Response:
        await forever.wait()
        return web.Response()

    async def hangs_up(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    async with client_of(server, timeout=0.2) as client:
        server.answer = silent
        with pytest.raises(AuthorityUnavailable, match=r"no answer within 0\.2 s"):
            await client.enroll(csr)
        forever.set()
    async with client_of(server) as client:
        server.answer = hangs_up
        with pytest.raises(AuthorityUnavailable, match="simpleenroll: "):
            await client.enroll(csr)
        server.answer = None
        assert len(await client.enroll(csr)) == 1


async def test_nobody_there_and_credentials_that_are_gone(
    server: EstServer, csr: x509.CertificateSigningRequest
) -> None:
    def gone() -> tuple[str, str]:
        raise CredentialMissing("env:EST_PASSWORD is unset")

    async with client_of(server, password=gone) as client:
        with pytest.raises(AuthorityUnavailable, match="env:EST_PASSWORD is unset"):
            await client.enroll(csr)
    server.key.unlink()
    async with client_of(server) as client:
        with pytest.raises(AuthorityUnavailable, match="can't be read"):
            await client.enroll(csr)
    client = EstClient("https://127.0.0.1:1", server.trust(shows_certificate=False))
    with pytest.raises(AuthorityUnavailable, match=r"127\.0\.0\.1:1"):
        await client.ca_certificates()
    await client.close()
