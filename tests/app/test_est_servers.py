"""Authorities behind EST, from the configuration to a certificate."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.app.authorities import open_authorities
from gateway.app.problems import StartFailed
from gateway.config import Config
from pki.csr import review
from pki.est import own_certificate
from tests.est_server import PASSWORD, USER, EstServer, running_est


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EstServer]:
    async with running_est(EstServer(tmp_path)) as running:
        yield running


def section(server: EstServer, **auth: str) -> dict[str, Any]:
    return {"station": {"est": {"url": server.url, "roots": str(server.roots), "auth": auth}}}


def by_certificate(server: EstServer) -> dict[str, Any]:
    return section(server, chain=str(server.chain), key=f"file:{server.key}")


def csr() -> str:
    names = [(x509.NameOID.COMMON_NAME, "SN1"), (x509.NameOID.ORGANIZATION_NAME, "Example CPO")]
    builder = x509.CertificateSigningRequestBuilder(x509.Name([x509.NameAttribute(*name) for name in names]))
    request = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return request.public_bytes(Encoding.PEM).decode()


@pytest.mark.parametrize("way", ["certificate", "password"])
async def test_a_station_is_enrolled(
    server: EstServer, configured: Callable[..., Config], tmp_path: Path, way: str
) -> None:
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    basic = section(server, user=USER, password=f"file:{tmp_path}/password")
    config = configured(operator="Example CPO", authority=by_certificate(server) if way == "certificate" else basic)
    async with AsyncExitStack() as stack:
        opened = await open_authorities(config, stack)
        await opened.by_use["station"].health()
        reviewed = review(csr(), common_name="SN1", organization=config.operator, profile=opened.profile("station"))
        issued = await opened.by_use["station"].sign(reviewed.request_for(config.operator))
        assert await opened.known_issuers() == [server.cas.issuing.certificate, server.cas.root.certificate]
    assert issued.certificate.issuer == server.cas.issuing.certificate.subject


async def test_our_own_certificate_is_renewed_while_it_runs(
    server: EstServer, configured: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_certificate, "FIRST_LOOK", 0.0)
    server.new_ra(datetime.now(UTC) - timedelta(days=300))
    renewed, renew = asyncio.Event(), own_certificate.OwnCertificate.renew_when_due

    async def renew_when_due(own: own_certificate.OwnCertificate) -> bool:
        was_due = await renew(own)
        renewed.set()
        return was_due

    # Not when the server signs: what is cancelled while the answer comes leaves its connection to the garbage.
    monkeypatch.setattr(own_certificate.OwnCertificate, "renew_when_due", renew_when_due)
    async with AsyncExitStack() as stack, asyncio.timeout(10):
        await open_authorities(configured(authority=by_certificate(server)), stack)
        await renewed.wait()
    assert [operation for operation, _ in server.asked] == ["simplereenroll"]


async def test_what_can_not_be_read_ends_the_start(
    server: EstServer, configured: Callable[..., Config], tmp_path: Path
) -> None:
    for auth, words in (
        (by_certificate(server)["station"]["est"]["auth"] | {"chain": str(tmp_path / "none.pem")}, "can't be read"),
        (by_certificate(server)["station"]["est"]["auth"] | {"key": "env:NO_SUCH_KEY"}, "NO_SUCH_KEY is unset"),
        ({"user": USER, "password": "env:NO_SUCH_PASSWORD"}, "NO_SUCH_PASSWORD is unset"),
    ):
        async with AsyncExitStack() as stack:
            with pytest.raises(StartFailed, match=rf"authority\.station\.est: .*{words}"):
                await open_authorities(configured(authority=section(server, **auth)), stack)
