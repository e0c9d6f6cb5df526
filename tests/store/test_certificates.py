"""Certificates and keys, on either database."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.store.certificates import (
    REASON_MAX,
    CertificateKnown,
    CertificateRecord,
    Certificates,
    CertificateState,
    CertificateUnknown,
    KeyOfAnother,
    canonical_serial,
)
from gateway.store.database import Database
from gateway.store.stations import Stations

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
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
    later = Certificates(database, lambda: LATER)
    for state in set(CertificateState) - {CertificateState.REVOKED}:
        record = await later.mark("01", state)
        assert (record.state, record.changed_at, record.issued_at) == (state, LATER, NOW)
        assert await certificates.find("1") == record


async def test_an_unknown_certificate_cannot_be_marked(certificates: Certificates) -> None:
    with pytest.raises(CertificateUnknown) as unknown:
        await certificates.mark("1", CertificateState.REJECTED)
    assert str(unknown.value) == "no certificate with the serial number '1' is recorded"
    assert await certificates.find("1") is None


# --- revocation


async def test_a_revoked_certificate_says_since_when_and_why(certificates: Certificates, database: Database) -> None:
    added = await add(certificates, "CS1", "1")
    later = Certificates(database, lambda: LATER)
    revoked = await later.revoke("01", "keyCompromise")
    assert revoked == replace(added, state=CertificateState.REVOKED, changed_at=LATER, reason="keyCompromise")
    assert await certificates.find("1") == revoked


async def test_what_is_revoked_stays_as_it_was_revoked_first(certificates: Certificates, database: Database) -> None:
    await add(certificates, "CS1", "1")
    revoked = await certificates.revoke("1", "superseded")
    later = Certificates(database, lambda: LATER)
    assert await later.mark("1", CertificateState.INSTALLED) == revoked
    assert await later.revoke("1", "keyCompromise") == revoked
    await later.in_use("FF1")
    assert await certificates.find("1") == revoked


async def test_a_revocation_moves_the_registrys_revision_once(certificates: Certificates, stations: Stations) -> None:
    await add(certificates, "CS1", "1")
    before = await stations.revision()
    await certificates.revoke("1", "unspecified")
    assert await stations.revision() == before + 1
    await certificates.revoke("1", "unspecified")
    assert await stations.revision() == before + 1


async def test_a_certificate_is_not_revoked_behind_the_back_of_running_gateways(certificates: Certificates) -> None:
    await add(certificates, "CS1", "1")
    with pytest.raises(ValueError, match=r"by revoke\(\)"):
        await certificates.mark("1", CertificateState.REVOKED)
    assert await certificates.revoked_fingerprints() == frozenset()


async def test_an_unknown_certificate_cannot_be_revoked(certificates: Certificates, stations: Stations) -> None:
    before = await stations.revision()
    with pytest.raises(CertificateUnknown):
        await certificates.revoke("1", "unspecified")
    with pytest.raises(ValueError, match="invalid literal"):
        await certificates.revoke("one", "unspecified")
    assert await stations.revision() == before


async def test_the_reason_is_bounded(certificates: Certificates) -> None:
    await add(certificates, "CS1", "1")
    revoked = await certificates.revoke("1", "\0" + "x" * REASON_MAX)
    assert revoked.reason == "\ufffd" + "x" * (REASON_MAX - 1)


async def test_all_that_are_revoked_are_known_by_their_fingerprints(certificates: Certificates) -> None:
    for serial in ["1", "2", "3"]:
        await add(certificates, "CS1", serial)
    await add(certificates, "CS2", "4")
    for serial in ["2", "4"]:
        await certificates.revoke(serial, "unspecified")
    assert await certificates.revoked_fingerprints() == {"ff2", "ff4"}


# --- the certificate that a station connects with


def states(records: Sequence[CertificateRecord]) -> dict[str, str]:
    return {record.serial: record.state.value for record in records}


@pytest.mark.parametrize("state", [CertificateState.ISSUED, CertificateState.REJECTED, CertificateState.SUPERSEDED])
async def test_the_certificate_in_use_is_installed_whatever_was_thought_of_it(
    certificates: Certificates, state: CertificateState
) -> None:
    await add(certificates, "CS1", "1")
    await certificates.mark("1", state)
    await certificates.in_use("FF1")
    assert states(await certificates.list()) == {"1": "installed"}


async def test_a_newer_one_in_use_supersedes_older_installed_ones_of_its_station(certificates: Certificates) -> None:
    for serial in ["1", "2", "3", "4", "5"]:
        await add(certificates, "CS1", serial)
    await add(certificates, "CS2", "6")
    for serial in ["1", "3", "4", "5", "6"]:
        await certificates.mark(serial, CertificateState.INSTALLED)
    await certificates.revoke("1", "unspecified")
    await certificates.in_use("ff4")
    assert states(await certificates.list()) == {
        "1": "revoked",
        "2": "issued",
        "3": "superseded",
        "4": "installed",
        "5": "installed",
        "6": "installed",
    }


async def test_the_one_installed_certificate_of_each_station(certificates: Certificates) -> None:
    for identity, serial in [("CS1", "1"), ("CS1", "2"), ("CS2", "3"), ("CS3", "4"), ("CS3", "5")]:
        await add(certificates, identity, serial)
    for serial in ["2", "4", "5"]:
        await certificates.mark(serial, CertificateState.INSTALLED)
    assert await certificates.installed() == {"CS1": "ff2"}
    await certificates.in_use("ff5")
    assert await certificates.installed() == {"CS1": "ff2", "CS3": "ff5"}


async def test_the_time_of_a_state_is_when_it_came_about(certificates: Certificates, database: Database) -> None:
    for serial in ["1", "2"]:
        await add(certificates, "CS1", serial)
        await certificates.mark(serial, CertificateState.INSTALLED)
    await Certificates(database, lambda: LATER).in_use("ff2")
    assert [record.changed_at for record in await certificates.list()] == [LATER, NOW]


async def test_what_is_known_already_and_what_is_a_strangers_is_not_written(
    certificates: Certificates, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for serial in ["1", "2", "3"]:
        await add(certificates, "CS1", serial)
    await certificates.mark("3", CertificateState.INSTALLED)  # accepted, but not shown yet
    await certificates.in_use("ff2")
    monkeypatch.setattr(database, "write", None)
    await certificates.in_use("ff2")
    await certificates.in_use("ff9")


# --- keys


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
