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

from gateway.app import revocations as revocations_module
from gateway.app.revocations import ASKED_TOGETHER, Revocations
from pki import profiles
from pki.authority import AuthorityUnavailable
from pki.crl import CRL_SIZE_MAX
from pki.issuing import Hierarchy, issue, new_hierarchy
from pki.revocation import CrlStore, Finding, Status

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


def made(*sources: str, own: Callable[[], Any] | None = None, inventory: Inventory | None = None) -> Revocations:
    async def nothing() -> bytes:
        raise ValueError("holds no CRL")

    return Revocations(inventory or Inventory(), {"authority.station": own or nothing}, sources, CrlStore())


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
        str(file),
    ]
    assert [line["holds"] for line in lines] == ["what it said last"]
    assert (await revocations.crls.status(path)).status is Status.REVOKED


async def test_what_is_wrong_is_said_once_and_when_it_is_over(tmp_path: Path, ca: Hierarchy) -> None:
    file = tmp_path / "stations.crl"
    revocations = made(str(file))
    said: list[list[tuple[str, str]]] = []
    for content in (None, None, b"rubbish", crl(ca), crl(ca)):
        if content is not None:
            file.write_bytes(content)
        with capture_logs() as lines:
            await revocations.refresh(str(file))
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
    revocations = made(str(file))
    with capture_logs() as lines:
        for _ in range(2):
            await revocations.refresh(str(file))
    (line,) = (line for line in lines if line["event"] == "crl_unavailable")
    assert "is stale since" in line["reason"]
    assert line["holds"] == "what it said last"


async def test_an_authority_that_hangs_is_not_waited_for(ca: Hierarchy, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang() -> bytes:
        await asyncio.Event().wait()
        return b""

    monkeypatch.setattr(revocations_module, "OWN_TIMEOUT", 0.01)
    revocations = made(own=hang)
    with capture_logs() as lines:
        assert not await revocations.refresh("authority.station")
    assert lines[-1]["reason"] == "no answer within 0.01 s"
    assert not revocations.is_read("authority.station")


async def test_the_lists_of_all_authorities(ca: Hierarchy, path: tuple[x509.Certificate, ...]) -> None:
    async def station() -> bytes:
        raise AuthorityUnavailable("sealed")

    async def v2g() -> bytes:
        return crl(ca, path[0].serial_number)

    own = {"authority.station": station, "authority.v2g": v2g}
    revocations = Revocations(Inventory(), own, (), CrlStore())
    assert await revocations.refresh_all()
    assert revocations.sources == ("authority.station", "authority.v2g")
    assert [revocations.is_read(source) for source in revocations.sources] == [False, True]
    assert (await revocations.crls.status(path)).status is Status.REVOKED


class Responders:
    """A source that counts who asks it together."""

    def __init__(self) -> None:
        self.revoked: set[Any] = set()
        self.asked: list[Any] = []
        self.here = self.most = 0

    async def status(self, path: Any) -> Finding:
        self.asked.append(path)
        self.here += 1
        self.most = max(self.most, self.here)
        await asyncio.sleep(0)
        self.here -= 1
        return Finding(Status.REVOKED if path in self.revoked else Status.GOOD)

    def known(self, path: Any) -> Finding:
        return Finding(Status.UNKNOWN)


async def test_responders_are_asked_again_a_few_at_a_time() -> None:
    responders, crls = Responders(), CrlStore()
    revocations = Revocations(Inventory(), {}, (), crls, responders)
    paths: list[Any] = [(number,) for number in range(3 * ASKED_TOGETHER)]
    assert not await revocations.ask_again(paths)
    assert (responders.asked, responders.most) == (paths, ASKED_TOGETHER)
    responders.revoked = {(5,)}
    assert await revocations.ask_again(paths)
    assert revocations.consulted == (crls, responders)


async def test_without_responders_nobody_is_asked() -> None:
    revocations = made()
    assert not await revocations.ask_again([()])
    assert revocations.consulted == (revocations.crls,)


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
