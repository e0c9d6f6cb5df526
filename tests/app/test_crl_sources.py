"""CRLs that are read again and again: files, URLs, authorities."""

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

from gateway.app import crl_sources
from gateway.app.crl_sources import CrlSources
from pki import profiles
from pki.authority import AuthorityUnavailable
from pki.crl import CRL_SIZE_MAX
from pki.issuing import Hierarchy, issue, new_hierarchy
from pki.revocation import CrlStore, Status

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def ca() -> Hierarchy:
    return new_hierarchy("Test", "CPO", NOW)


@pytest.fixture(scope="module")
def path(ca: Hierarchy) -> tuple[x509.Certificate, ...]:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    leaf = issue(ca.issuing, profiles.charging_station(), key, common_name="SN1", organization="CPO", now=NOW)
    return leaf, ca.issuing.certificate, ca.root.certificate


def crl(ca: Hierarchy, *revoked: int, number: int = 1, until: datetime = NOW + timedelta(days=1)) -> bytes:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(ca.issuing.certificate.subject)
        .last_update(NOW - timedelta(minutes=1))
        .next_update(until)
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    for serial in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(ca.issuing.key, hashes.SHA256()).public_bytes(Encoding.PEM)


def made(*sources: str, own: Callable[[], Any] | None = None) -> CrlSources:
    async def nothing() -> bytes:
        raise ValueError("holds no CRL")

    return CrlSources({"authority.station": own or nothing}, sources, CrlStore())


async def test_a_file_that_changes(tmp_path: Path, ca: Hierarchy, path: tuple[x509.Certificate, ...]) -> None:
    file = tmp_path / "stations.crl"
    file.write_bytes(crl(ca))
    kept = made(str(file))
    assert await kept.refresh_all()
    assert (await kept.crls.status(path)).status is Status.GOOD
    assert not await kept.refresh_all()

    file.write_bytes(crl(ca, path[0].serial_number, number=2))
    assert await kept.refresh_all()
    assert (await kept.crls.status(path)).status is Status.REVOKED


async def test_the_authoritys_own_list(ca: Hierarchy, path: tuple[x509.Certificate, ...]) -> None:
    async def own() -> bytes:
        return crl(ca, path[0].serial_number)

    kept = made(own=own)
    assert await kept.refresh_all()
    assert (await kept.crls.status(path)).status is Status.REVOKED


@pytest.mark.parametrize("broken", [b"", b"rubbish", None])
async def test_a_source_that_fails_keeps_its_last_word_and_is_named(
    tmp_path: Path, ca: Hierarchy, path: tuple[x509.Certificate, ...], broken: bytes | None
) -> None:
    file = tmp_path / "stations.crl"
    file.write_bytes(crl(ca, path[0].serial_number))
    kept = made(str(file))
    await kept.refresh_all()

    if broken is None:
        file.unlink()
    else:
        file.write_bytes(broken)
    with capture_logs() as lines:
        assert not await kept.refresh_all()
    assert [line["source"] for line in lines if line["event"] == "crl_unavailable"] == [
        str(file),
    ]
    assert [line["holds"] for line in lines] == ["what it said last"]
    assert (await kept.crls.status(path)).status is Status.REVOKED


async def test_what_is_wrong_is_said_once_and_when_it_is_over(tmp_path: Path, ca: Hierarchy) -> None:
    file = tmp_path / "stations.crl"
    kept = made(str(file))
    said: list[list[tuple[str, str]]] = []
    for content in (None, None, b"rubbish", crl(ca), crl(ca)):
        if content is not None:
            file.write_bytes(content)
        with capture_logs() as lines:
            await kept.refresh(str(file))
        said.append([(line["event"], line.get("reason", "")) for line in lines if line["log_level"] != "debug"])
    missing, again, rubbish, available, quiet = said
    assert [event for event, _ in missing] == ["crl_unavailable"]
    assert (again, quiet) == ([], [])
    assert "holds no CRL" in rubbish[0][1]
    assert available == [("crl_available_again", "")]


async def test_a_list_that_has_run_out_is_named(tmp_path: Path, ca: Hierarchy) -> None:
    """OpenBao and Vault make no new one by themselves unless auto_rebuild is set (docs/decisions/0011)."""
    file = tmp_path / "stations.crl"
    file.write_bytes(crl(ca, until=NOW - timedelta(seconds=1)))
    kept = made(str(file))
    with capture_logs() as lines:
        for _ in range(2):
            await kept.refresh(str(file))
    (line,) = (line for line in lines if line["event"] == "crl_unavailable")
    assert "is stale since" in line["reason"]
    assert line["holds"] == "what it said last"


async def test_an_authority_that_hangs_is_not_waited_for(ca: Hierarchy, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang() -> bytes:
        await asyncio.Event().wait()
        return b""

    monkeypatch.setattr(crl_sources, "OWN_TIMEOUT", 0.01)
    kept = made(own=hang)
    with capture_logs() as lines:
        assert not await kept.refresh("authority.station")
    assert lines[-1]["reason"] == "no answer within 0.01 s"
    assert not kept.is_read("authority.station")


async def test_the_lists_of_all_authorities(ca: Hierarchy, path: tuple[x509.Certificate, ...]) -> None:
    async def station() -> bytes:
        raise AuthorityUnavailable("sealed")

    async def v2g() -> bytes:
        return crl(ca, path[0].serial_number)

    own = {"authority.station": station, "authority.v2g": v2g}
    kept = CrlSources(own, (), CrlStore())
    assert await kept.refresh_all()
    assert kept.sources == ("authority.station", "authority.v2g")
    assert [kept.is_read(source) for source in kept.sources] == [False, True]
    assert (await kept.crls.status(path)).status is Status.REVOKED


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
    kept = made(site.url)
    assert await kept.refresh_all()
    assert (await kept.crls.status(path)).status is Status.REVOKED


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

    kept = made(own=own)
    await kept.refresh_all()
    with capture_logs() as lines:
        assert not await kept.refresh_all()
    assert lines[0]["reason"] == "crl.pem is damaged"
    assert (await kept.crls.status(path)).status is Status.REVOKED


async def test_nobody_at_the_url() -> None:
    with capture_logs() as lines:
        assert not await made("http://127.0.0.1:1/crl").refresh_all()
    assert lines[-1]["event"] == "crl_unavailable"
