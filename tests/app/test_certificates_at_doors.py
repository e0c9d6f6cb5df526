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
from gateway.session.ports import StoreAway
from gateway.store.certificate_uses import CertificateUses
from gateway.store.certificates import Certificates
from gateway.store.database import Database
from gateway.store.stations import Stations
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


async def test_an_issuer_that_is_known_needs_no_second_look_at_the_signature(
    database: Database, tmp_path: Path
) -> None:
    station, other = (LocalAuthority.open(tmp_path / name) for name in ("station", "other"))
    leaf = await issued_by(station)
    await doors(database, station=station).shown("CS1", leaf, (await station.chain())[0])
    (record,) = await Certificates(database).list()
    assert record.usage == "station"
    seen = await issued_by(other)
    await doors(database, station=station).shown("CS2", seen, (await other.chain())[0])
    assert {each.identity: each.usage for each in await Certificates(database).list()} == {
        "CS1": "station",
        "CS2": "seen",
    }


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


async def register(database: Database, *identities: str) -> None:
    for identity in identities:
        await Stations(database).add(identity, profile=3, serial=None, backend=None, password_hash=None)


def printed(leaf: x509.Certificate) -> str:
    return leaf.fingerprint(SHA256()).hex()


async def test_what_we_issued_to_another_station_is_its_own_while_it_is_registered(
    database: Database, tmp_path: Path
) -> None:
    ca = LocalAuthority.open(tmp_path / "ca")
    at_doors, leaf = doors(database, station=ca), await issued_by(ca)
    await register(database, "AAA", "BBB")
    assert await at_doors.other_owner("BBB", printed(leaf)) is None  # nobody knows of it
    await at_doors.shown("AAA", leaf)
    assert await at_doors.other_owner("AAA", printed(leaf)) is None
    assert await at_doors.other_owner("BBB", printed(leaf)) == "AAA"

    # The hardware is BBB now; that it came in leaves no note by which it would come in again.
    await Stations(database).remove("AAA")
    for _ in range(2):
        assert await at_doors.other_owner("BBB", printed(leaf)) is None
        await at_doors.shown("BBB", leaf)
    await register(database, "AAA")
    assert await at_doors.other_owner("BBB", printed(leaf)) == "AAA"
    restarted = doors(database, station=ca)
    await restarted.load()
    assert await restarted.other_owner("BBB", printed(leaf)) == "AAA"


async def test_a_certificate_that_was_only_seen_belongs_to_nobody(database: Database, tmp_path: Path) -> None:
    leaf = await issued_by(LocalAuthority.open(tmp_path / "factory"))
    at_doors = doors(database, station=LocalAuthority.open(tmp_path / "ca"))
    await register(database, "AAA", "BBB")
    await at_doors.shown("AAA", leaf)
    assert await at_doors.other_owner("BBB", printed(leaf)) is None


async def test_the_store_is_asked_only_about_another_certificate_than_the_last_one(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca = LocalAuthority.open(tmp_path / "ca")
    leaf, other = await issued_by(ca), await issued_by(ca)
    at_doors = doors(database, station=ca)
    await at_doors.shown("AAA", leaf)
    restarted = doors(database, day=3, station=ca)
    await restarted.load()

    async def away(_: object) -> None:
        raise StoreAway("locked")

    monkeypatch.setattr(database, "read", away)
    for each in (at_doors, restarted):
        assert await each.other_owner("AAA", printed(leaf)) is None
        for identity, shown in (("AAA", other), ("BBB", leaf)):
            with pytest.raises(StoreAway):
                await each.other_owner(identity, printed(shown))
