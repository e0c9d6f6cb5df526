"""Certificates and keys, on either database."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.store.certificates import (
    CertificateKnown,
    CertificateRecord,
    Certificates,
    CertificateState,
    CertificateUnknown,
    KeyOfAnother,
    canonical_serial,
)
from gateway.store.database import Database

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FROM = datetime(2026, 3, 1, tzinfo=timezone(timedelta(hours=2)))
TO = datetime(2027, 3, 1, tzinfo=UTC)


async def add(
    certificates: Certificates, identity: str, serial: str, *, fingerprint: str | None = None
) -> CertificateRecord:
    return await certificates.add(
        identity,
        serial=serial,
        fingerprint=fingerprint or f"FF{serial}",
        subject=f"CN={identity},O=Example CPO",
        not_before=FROM,
        not_after=TO,
        chain="-----BEGIN CERTIFICATE-----\n",
    )


async def test_a_certificate_is_found_as_it_was_issued(certificates: Certificates) -> None:
    added = await add(certificates, "CS1", "0A:FF", fingerprint="ABCD")
    assert await certificates.find("aff") == added
    assert added == CertificateRecord(
        identity="CS1",
        serial="aff",
        fingerprint="abcd",
        subject="CN=CS1,O=Example CPO",
        not_before=FROM,
        not_after=TO,
        state=CertificateState.ISSUED,
        chain="-----BEGIN CERTIFICATE-----\n",
        issued_at=NOW,
        changed_at=NOW,
    )


@pytest.mark.parametrize("written", ["aff", "0AFF", "0a:ff", "0x0aff"])
async def test_a_serial_is_found_however_it_is_written(certificates: Certificates, written: str) -> None:
    await add(certificates, "CS1", "aff")
    assert await certificates.find(written) is not None


async def test_the_newest_is_the_one_issued_last(certificates: Certificates) -> None:
    assert await certificates.newest("CS1") is None
    for serial in ["9", "1", "5"]:
        await add(certificates, "CS1", serial)
    await add(certificates, "CS2", "7")
    newest = await certificates.newest("CS1")
    assert newest is not None
    assert newest.serial == "5"


async def test_certificates_are_listed_in_the_order_of_issue(certificates: Certificates) -> None:
    for identity, serial in [("CS1", "9"), ("CS2", "1"), ("CS1", "5")]:
        await add(certificates, identity, serial)
    assert [record.serial for record in await certificates.list()] == ["9", "1", "5"]
    assert [record.serial for record in await certificates.list("CS1")] == ["9", "5"]
    assert await certificates.list("CS3") == []


@pytest.mark.parametrize(("serial", "fingerprint"), [("1", "b"), ("01", "b"), ("2", "A")])
async def test_a_certificate_is_recorded_once(certificates: Certificates, serial: str, fingerprint: str) -> None:
    await add(certificates, "CS1", "1", fingerprint="a")
    with pytest.raises(CertificateKnown, match="recorded already"):
        await add(certificates, "CS2", serial, fingerprint=fingerprint)


async def test_a_state_is_marked_with_its_time(certificates: Certificates, database: Database) -> None:
    await add(certificates, "CS1", "1")
    later = Certificates(database, lambda: NOW + timedelta(hours=1))
    for state in CertificateState:
        record = await later.mark("01", state)
        assert (record.state, record.changed_at, record.issued_at) == (state, NOW + timedelta(hours=1), NOW)
        assert await certificates.find("1") == record


async def test_what_is_revoked_stays_revoked(certificates: Certificates, database: Database) -> None:
    await add(certificates, "CS1", "1")
    await certificates.mark("1", CertificateState.REVOKED)
    later = Certificates(database, lambda: NOW + timedelta(hours=1))
    record = await later.mark("1", CertificateState.INSTALLED)
    assert (record.state, record.changed_at) == (CertificateState.REVOKED, NOW)


async def test_an_unknown_certificate_cannot_be_marked(certificates: Certificates) -> None:
    with pytest.raises(CertificateUnknown) as unknown:
        await certificates.mark("1", CertificateState.REVOKED)
    assert str(unknown.value) == "no certificate with the serial number '1' is recorded"
    assert await certificates.find("1") is None


async def test_a_key_belongs_to_the_station_that_was_first_to_show_it(certificates: Certificates) -> None:
    assert await certificates.key_owner("abcd") is None
    await certificates.remember_key("ABCD", "CS1")
    await certificates.remember_key("abcd", "CS1")
    with pytest.raises(KeyOfAnother, match="'CS1'") as reused:
        await certificates.remember_key("abcd", "CS2")
    assert reused.value.owner == "CS1"
    assert await certificates.key_owner("abcD") == "CS1"


@pytest.mark.parametrize("serial", ["", "xyz", ":", "1.5"])
def test_what_is_not_hex_is_no_serial(serial: str) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        canonical_serial(serial)


@given(st.integers(0, 2**160))
def test_a_serial_has_one_form(number: int) -> None:
    text = format(number, "040X")
    colons = ":".join(text[i : i + 2] for i in range(0, len(text), 2))
    assert canonical_serial(text) == canonical_serial(colons) == format(number, "x")
