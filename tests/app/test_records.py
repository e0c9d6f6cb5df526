"""The records of a deployment, opened beside a gateway."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from gateway.app.problems import StartFailed
from gateway.app.records import records
from gateway.session.ports import RegistrationInvalid
from gateway.session.security import Kind, Source
from gateway.store.certificates import CertificateState
from gateway.store.unavailable import StoreUnavailable
from gateway.wire.versions import Version
from pki.authority.local import LocalAuthority
from pki.crl import parse_crls
from pki.reasons import FOR_GOOD

NOW = datetime.now(UTC)


async def test_stations(configured: Callable[..., Any]) -> None:
    config = configured()
    async with records(config) as opened:
        made = await opened.stations.add("CS1", profile=2, serial="SN1", version=Version.V16)
        assert made.password is not None
    async with records(config) as opened:
        record = await opened.stations.show("CS1")
        assert (record.serial, record.minimum_profile, record.pinned_version) == ("SN1", 2, Version.V16)
        assert made.password not in str(record.password_hash)
        assert await opened.upgrades.find("CS1") is None
        assert list(await opened.stations.pending()) == []
        assert list(await opened.certificates.list()) == []


async def test_no_station_is_pinned_to_what_its_backend_can_not_serve(configured: Callable[..., Any]) -> None:
    url = "wss://csms.example.com/{identity}"
    backends = {"legacy": {"url": url}, "modern": {"url": url, "protocol": "ocpp2.0.1"}}
    async with records(configured(backends=backends, default_backend="modern")) as opened:
        with pytest.raises(RegistrationInvalid, match=r"pinned to ocpp1\.6: its backend 'modern' speaks ocpp2\.0\.1"):
            await opened.stations.add("CS1", profile=2, version=Version.V16)
        await opened.stations.add("CS1", profile=2)
        with pytest.raises(RegistrationInvalid, match="give it another backend"):
            await opened.stations.pin_version("CS1", Version.V16)
        await opened.stations.pin_version("CS1", Version.V201)
        await opened.stations.pin_version("CS1", None)
        await opened.stations.add("CS2", profile=2, backend="legacy", version=Version.V16)
        for backend in ("modern", None):
            with pytest.raises(RegistrationInvalid, match="CS2"):
                await opened.stations.set_backend("CS2", backend)


async def _issued(opened: Any, serial: str) -> None:
    await opened.certificates.add(
        "CS1",
        serial=serial,
        fingerprint=serial * 32,
        subject="CN=SN1",
        not_before=NOW,
        not_after=NOW + timedelta(days=1),
        chain="PEM",
    )


async def test_a_revocation_reaches_the_store_the_ca_and_the_events(
    configured: Callable[..., Any], tmp_path: Path
) -> None:
    LocalAuthority.open(tmp_path / "certs/dev/ca")
    config = configured()
    async with records(config) as opened:
        await _issued(opened, "af")
        revoked = await opened.revocation.revoke("AF", FOR_GOOD["keyCompromise"])
        assert (revoked.record.state, revoked.authority_problem) == (CertificateState.REVOKED, None)
    async with records(config) as opened:
        (event,) = await opened.security_events.list()
        assert (event.kind, event.identity, event.source) == (Kind.CERTIFICATE_REVOKED, "CS1", Source.GATEWAY)
        assert await opened.certificates.revoked_fingerprints() == {"af" * 32}
    (crl,) = parse_crls(await LocalAuthority.open(tmp_path / "certs/dev/ca").crl())
    assert crl.revoked == {0xAF: "keyCompromise"}


async def test_a_revocation_is_told_of_although_the_command_failed_after_it(configured: Callable[..., Any]) -> None:
    config = configured()

    async def interrupted() -> None:
        async with records(config) as opened:
            await _issued(opened, "af")
            await opened.revocation.revoke("af", x509.ReasonFlags.unspecified)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await interrupted()
    async with records(config) as opened:
        assert [event.kind for event in await opened.security_events.list()] == [Kind.CERTIFICATE_REVOKED]


async def test_where_there_is_no_ca_none_is_made(configured: Callable[..., Any], tmp_path: Path) -> None:
    async with records(configured()) as opened:
        await _issued(opened, "af")
        revoked = await opened.revocation.revoke("af", x509.ReasonFlags.unspecified)
    assert revoked.record.state is CertificateState.REVOKED
    assert "holds no CA" in str(revoked.authority_problem)
    assert not (tmp_path / "certs").exists()


async def test_a_ca_that_cannot_be_looked_at_is_the_operators_to_mend(
    configured: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder is another user's, as it should be."""

    def closed(path: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    async with records(configured()) as opened:
        await _issued(opened, "af")
        monkeypatch.setattr(Path, "exists", closed)
        revoked = await opened.revocation.revoke("af", x509.ReasonFlags.unspecified)
        monkeypatch.undo()
    assert revoked.record.state is CertificateState.REVOKED
    assert "Permission denied" in str(revoked.authority_problem)


async def test_a_store_that_cannot_be_opened_is_one_line(configured: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "voltgate.db").write_text("no database at all, and long enough to be read as one" * 100)
    with pytest.raises(StartFailed, match=r"store\.url: .*voltgate\.db"):
        async with records(configured()):
            pass


async def test_a_store_that_fails_in_use_is_one_line(configured: Callable[..., Any]) -> None:
    with pytest.raises(StartFailed, match=r"^store\.url: the disk is full$"):
        async with records(configured()):
            raise StoreUnavailable("the disk is full")
