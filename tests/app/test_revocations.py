"""Where revocation comes from: the inventory, the authority's own CRL, files and URLs, and what becomes of them."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from structlog.testing import capture_logs

from gateway.app.revocations import Revocations
from pki import profiles
from pki.authority import AuthorityUnavailable
from pki.crl import CRL_SIZE_MAX
from pki.issuing import Hierarchy, issue, new_hierarchy
from pki.revocation import CrlStore, Status

NOW = datetime.now(UTC)


class Inventory:
    def __init__(self) -> None:
        self.revoked: frozenset[str] = frozenset()

    async def revoked_fingerprints(self) -> frozenset[str]:
        return self.revoked


@pytest.fixture(scope="module")
def ca() -> Hierarchy:
    return new_hierarchy("Test", "CPO", NOW)


@pytest.fixture(scope="module")
def path(ca: Hierarchy) -> tuple[x509.Certificate, ...]:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    leaf = issue(ca.issuing, profiles.charging_station(), key, common_name="SN1", organization="CPO", now=NOW)
    return leaf, ca.issuing.certificate, ca.root.certificate


def crl(ca: Hierarchy, *revoked: int, number: int = 1) -> bytes:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(ca.issuing.certificate.subject)
        .last_update(NOW - timedelta(minutes=1))
        .next_update(NOW + timedelta(days=1))
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    for serial in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(ca.issuing.key, hashes.SHA256()).public_bytes(Encoding.PEM)


def made(*sources: str, own: Callable[[], Any] | None = None, inventory: Inventory | None = None) -> Revocations:
    async def nothing() -> bytes:
        raise ValueError("holds no CRL")

    return Revocations(inventory or Inventory(), own or nothing, sources, CrlStore())


async def test_what_was_revoked_here(path: tuple[x509.Certificate, ...]) -> None:
    inventory = Inventory()
    revocations = made(inventory=inventory)
    assert not await revocations.reload_inventory()
    inventory.revoked = frozenset({"aa"})
    assert await revocations.reload_inventory()
    assert not await revocations.reload_inventory()
    assert (revocations.was_revoked_here("aa"), revocations.was_revoked_here("bb")) == (True, False)


async def test_a_file_that_changes(tmp_path: Path, ca: Hierarchy, path: tuple[x509.Certificate, ...]) -> None:
    file = tmp_path / "stations.crl"
    file.write_bytes(crl(ca))
    revocations = made(str(file))
    assert await revocations.refresh_all()
    assert (await revocations.crls.status(path)).status is Status.GOOD
    assert not await revocations.refresh_all()

    file.write_bytes(crl(ca, path[0].serial_number, number=2))
    assert await revocations.refresh_all()
    assert (await revocations.crls.status(path)).status is Status.REVOKED


async def test_the_authoritys_own_list(ca: Hierarchy, path: tuple[x509.Certificate, ...]) -> None:
    async def own() -> bytes:
        return crl(ca, path[0].serial_number)

    revocations = made(own=own)
    assert await revocations.refresh_all()
    assert (await revocations.crls.status(path)).status is Status.REVOKED


@pytest.mark.parametrize("broken", [b"", b"rubbish", None])
async def test_a_source_that_fails_keeps_its_last_word_and_is_named(
    tmp_path: Path, ca: Hierarchy, path: tuple[x509.Certificate, ...], broken: bytes | None
) -> None:
    file = tmp_path / "stations.crl"
    file.write_bytes(crl(ca, path[0].serial_number))
    revocations = made(str(file))
    await revocations.refresh_all()

    if broken is None:
        file.unlink()
    else:
        file.write_bytes(broken)
    with capture_logs() as lines:
        assert not await revocations.refresh_all()
    assert [line["source"] for line in lines if line["event"] == "crl_unavailable"] == [
        "the authority's own",
        str(file),
    ]
    assert [line["holds"] for line in lines] == ["nothing: it has not been read yet", "what it said last"]
    assert (await revocations.crls.status(path)).status is Status.REVOKED


class Site:
    """A web server that gives CRLs, or something else."""

    def __init__(self) -> None:
        self.body = b""
        self.status = 200
        self.headers: dict[str, str] = {}
        self.together: asyncio.Barrier | None = None
        """Whoever asks is answered when all are there."""

    async def answer(self, _: web.Request) -> web.Response:
        if self.together is not None:
            async with asyncio.timeout(10):
                await self.together.wait()
        return web.Response(status=self.status, body=self.body, headers=self.headers)


@pytest.fixture
async def site(request: pytest.FixtureRequest) -> Any:
    made = Site()
    app = web.Application()
    app.router.add_get("/crl", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/crl"  # type: ignore[attr-defined]  # known only now
    yield made
    await runner.cleanup()


async def test_a_url(site: Any, ca: Hierarchy, path: tuple[x509.Certificate, ...]) -> None:
    site.body = crl(ca, path[0].serial_number)
    revocations = made(site.url)
    assert await revocations.refresh_all()
    assert (await revocations.crls.status(path)).status is Status.REVOKED


@pytest.mark.parametrize(
    ("status", "headers", "body", "reason"),
    [
        (404, {}, b"", "answered 404"),
        (302, {"Location": "http://127.0.0.1:1/elsewhere"}, b"", "answered 302"),
        (200, {}, b"<html>", "CRL"),
        (200, {}, b"0" * (CRL_SIZE_MAX + 1), "more than"),
    ],
)
async def test_a_url_that_gives_something_else(
    site: Any, status: int, headers: dict[str, str], body: bytes, reason: str
) -> None:
    site.status, site.headers, site.body = status, headers, body
    with capture_logs() as lines:
        assert not await made(site.url).refresh_all()
    assert reason in lines[-1]["reason"]


async def test_sources_that_answer_slowly_are_asked_side_by_side(site: Any, ca: Hierarchy) -> None:
    site.body, site.together = crl(ca), asyncio.Barrier(2)
    assert await made(site.url, f"{site.url}?other").refresh_all()


async def test_an_authority_that_can_not_say_leaves_its_last_word(
    ca: Hierarchy, path: tuple[x509.Certificate, ...]
) -> None:
    answers: list[bytes | None] = [crl(ca, path[0].serial_number), None]

    async def own() -> bytes:
        answer = answers.pop(0)
        if answer is None:
            raise AuthorityUnavailable("crl.pem is damaged")
        return answer

    revocations = made(own=own)
    await revocations.refresh_all()
    with capture_logs() as lines:
        assert not await revocations.refresh_all()
    assert lines[0]["reason"] == "crl.pem is damaged"
    assert (await revocations.crls.status(path)).status is Status.REVOKED


async def test_nobody_at_the_url() -> None:
    with capture_logs() as lines:
        assert not await made("http://127.0.0.1:1/crl").refresh_all()
    assert lines[-1]["event"] == "crl_unavailable"
