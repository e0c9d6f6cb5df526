"""What is noted of the certificates that stations come with."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.app.authorities import Authorities
from gateway.app.certificates_at_doors import CertificatesAtDoors
from gateway.store.certificate_uses import CertificateUses
from gateway.store.certificates import Certificates
from gateway.store.database import Database
from pki.authority import AuthorityUnavailable
from pki.authority.local import LocalAuthority
from pki.csr import review

NOW = datetime.now(UTC)


class Away:
    """An authority that can't be reached."""

    is_away = True

    async def chain(self) -> list[x509.Certificate]:
        if self.is_away:
            raise AuthorityUnavailable("Vault is sealed")
        return []


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(f"sqlite+aiosqlite:///{tmp_path}/voltgate.db", exclusive=True)
    yield database
    await database.close()


def doors(database: Database, day: int = 0, **by_use: Any) -> CertificatesAtDoors:
    clock = lambda: NOW + day * timedelta(days=1)  # noqa: E731 - one clock for both
    return CertificatesAtDoors(CertificateUses(database, clock), Authorities(by_use), clock)


async def issued_by(authority: LocalAuthority) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "SN1")])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    text = csr.public_bytes(Encoding.PEM).decode()
    signed = await authority.sign(review(text, common_name="SN1", organization="CPO").request_for("CPO"))
    return signed.certificate


async def test_a_factory_certificate_is_kept_as_seen(database: Database, tmp_path: Path) -> None:
    leaf = await issued_by(LocalAuthority.open(tmp_path / "factory"))
    await doors(database, station=LocalAuthority.open(tmp_path / "ca")).shown("CS1", leaf)
    (record,) = await Certificates(database).list()
    assert (record.identity, record.usage, record.state.value, record.profile) == ("CS1", "seen", "in_use", "")
    assert record.fingerprint == leaf.fingerprint(SHA256()).hex()
    assert record.chain == leaf.public_bytes(Encoding.PEM).decode()
    assert record.issued_at == record.not_before


async def test_one_of_ours_that_is_not_on_record_gets_the_usage_of_its_authority(
    database: Database, tmp_path: Path
) -> None:
    station, v2g = (LocalAuthority.open(tmp_path / name) for name in ("station", "v2g"))
    leaf = await issued_by(v2g)
    await doors(database, station=station, v2g=v2g).shown("CS1", leaf)
    (record,) = await Certificates(database).list()
    assert record.usage == "v2g"
    (step,) = await Certificates(database).history(record.fingerprint)
    assert "was not on record" in step.detail


async def test_while_an_authority_is_away_nobody_is_called_a_stranger(database: Database, tmp_path: Path) -> None:
    station, away = LocalAuthority.open(tmp_path / "ca"), Away()
    at_doors = doors(database, v2g=away, station=station)
    ours, theirs = await issued_by(station), await issued_by(LocalAuthority.open(tmp_path / "factory"))
    await at_doors.shown("CS1", ours)
    await at_doors.shown("CS2", theirs)
    assert [each.identity for each in await Certificates(database).list()] == ["CS1"]
    away.is_away = False
    await at_doors.shown("CS2", theirs)
    assert [each.usage for each in await Certificates(database).list()] == ["station", "seen"]


async def test_a_station_that_comes_again_costs_nothing_until_the_next_day(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaf = await issued_by(LocalAuthority.open(tmp_path / "ca"))
    await doors(database).shown("CS1", leaf)
    after_a_restart = doors(database)
    await after_a_restart.load()
    with monkeypatch.context() as patched:
        patched.setattr(database, "read", None)
        patched.setattr(database, "write", None)
        await after_a_restart.shown("CS1", leaf)
    tomorrow = doors(database, day=1)
    await tomorrow.load()
    await tomorrow.shown("CS1", leaf)
    (record,) = await Certificates(database).list()
    assert record.last_seen == NOW + timedelta(days=1)
