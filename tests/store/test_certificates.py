"""Certificates and keys, on either database."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.store.certificate_records import DETAIL_MAX, REASON_MAX
from gateway.store.certificates import (
    CertificateAmbiguous,
    CertificateKnown,
    CertificateRecord,
    Certificates,
    CertificateState,
    CertificateUnknown,
    KeyOfAnother,
    Step,
    canonical_serial,
)
from gateway.store.database import Database
from gateway.store.stations import Stations

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
FROM = datetime(2026, 3, 1, tzinfo=timezone(timedelta(hours=2)))
TO = datetime(2027, 3, 1, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
INSTALLED, IN_USE = CertificateState.INSTALLED, CertificateState.IN_USE
REJECTED, SUPERSEDED = CertificateState.REJECTED, CertificateState.SUPERSEDED


async def add(
    certificates: Certificates,
    identity: str,
    serial: str,
    *,
    fingerprint: str | None = None,
    not_after: datetime | None = None,
    usage: str = "station",
    profile: str = "charging_station",
) -> CertificateRecord:
    return await certificates.add(
        identity,
        serial=serial,
        fingerprint=fingerprint or f"FF{serial}",
        subject=f"CN={identity},O=Example CPO",
        not_before=FROM,
        not_after=not_after or TO,
        chain="-----BEGIN CERTIFICATE-----\n",
        usage=usage,
        profile=profile,
    )


def states(records: Sequence[CertificateRecord]) -> dict[str, str]:
    return {record.serial: record.state.value for record in records}


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
        usage="station",
        profile="charging_station",
        id=added.id,
    )


@pytest.mark.parametrize("written", ["aff", "0AFF", "0a:ff", "0x0aff"])
async def test_a_serial_is_found_however_it_is_written(certificates: Certificates, written: str) -> None:
    await add(certificates, "CS1", "aff")
    assert await certificates.find(written) is not None


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
    for state in (REJECTED, INSTALLED, IN_USE, SUPERSEDED, IN_USE):
        record = await later.mark("01", state)
        assert (record.state, record.changed_at, record.issued_at) == (state, LATER, NOW)
        assert await certificates.find("1") == record


@pytest.mark.parametrize(
    ("before", "after"),
    [(IN_USE, INSTALLED), (IN_USE, REJECTED), (SUPERSEDED, INSTALLED), (SUPERSEDED, REJECTED), (INSTALLED, INSTALLED)],
)
async def test_what_is_heard_late_or_twice_changes_nothing(
    certificates: Certificates, database: Database, before: CertificateState, after: CertificateState
) -> None:
    await add(certificates, "CS1", "1")
    was = await certificates.mark("1", before)
    assert await Certificates(database, lambda: LATER).mark("1", after) == was
    assert len(await certificates.history(was.fingerprint)) == 2


async def test_a_certificate_has_expired_when_its_time_is_over(certificates: Certificates, database: Database) -> None:
    for serial in ("1", "2"):
        await add(certificates, "CS1", serial)
    await certificates.mark("1", INSTALLED)
    await certificates.revoke("2")
    for clock, state in ((lambda: TO - MOMENT, "installed"), (lambda: TO, "expired")):
        assert states(await Certificates(database, clock).list()) == {"1": state, "2": "revoked"}
    with pytest.raises(ValueError, match="expired"):
        await certificates.mark("1", CertificateState.EXPIRED)


async def test_the_life_of_a_certificate_is_told_step_by_step(certificates: Certificates, database: Database) -> None:
    await add(certificates, "CS1", "1")
    later = Certificates(database, lambda: LATER)
    await later.mark("1", INSTALLED, "x" * (DETAIL_MAX + 1))
    record = await later.revoke("1", "keyCompromise")
    assert await certificates.history(record.fingerprint) == [
        Step(CertificateState.ISSUED, NOW, ""),
        Step(INSTALLED, LATER, "x" * DETAIL_MAX),
        Step(CertificateState.REVOKED, LATER, "keyCompromise"),
    ]


async def test_a_state_and_its_step_are_written_together_or_not_at_all(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    was = await add(certificates, "CS1", "1")

    def fails(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("gateway.store.certificates.note_step", fails)
    with pytest.raises(RuntimeError):
        await certificates.mark("1", INSTALLED)
    with pytest.raises(RuntimeError):
        await add(certificates, "CS1", "2")
    assert await certificates.list() == [was]


# --- listing


async def test_certificates_are_found_by_state_usage_and_expiry(certificates: Certificates, database: Database) -> None:
    usages = {"1": "station", "2": "station", "3": "v2g", "4": "server"}
    for serial, usage in usages.items():
        ends = TO + int(serial) * timedelta(days=1)
        await add(certificates, "" if usage == "server" else "CS1", serial, usage=usage, not_after=ends)
    await certificates.mark("2", INSTALLED)
    await certificates.revoke("4")

    async def found(**wanted: Any) -> str:
        return "".join(record.serial for record in await Certificates(database, lambda: TO).list(**wanted))

    assert await found(states=[INSTALLED]) == "2"
    assert await found(states=[CertificateState.ISSUED, CertificateState.REVOKED]) == "134"
    assert await found(states=[]) == ""
    assert await found(usage="v2g") == "3"
    assert await found(identity="", usage="server") == "4"
    assert await found(expiring_before=TO + timedelta(days=2)) == "12"
    assert await found(states=[CertificateState.EXPIRED]) == ""
    late = Certificates(database, lambda: TO + timedelta(days=9))
    assert states(await late.list(states=[CertificateState.EXPIRED])) == dict.fromkeys("123", "expired")
    assert await late.list(expiring_before=TO + timedelta(days=10)) == []
    assert await late.list(states=[INSTALLED, CertificateState.ISSUED]) == []


async def test_a_long_list_comes_in_pages(certificates: Certificates) -> None:
    for serial in "12345":
        await add(certificates, "CS1", serial)
    first = await certificates.list(limit=2)
    second = await certificates.list(limit=2, after_id=first[-1].id)
    third = await certificates.list(limit=2, after_id=second[-1].id)
    assert [record.serial for record in [*first, *second, *third]] == list("12345")


# --- serial numbers of several issuers


async def test_each_authority_has_serial_numbers_of_its_own(certificates: Certificates) -> None:
    await add(certificates, "CS1", "1", fingerprint="a" * 64)
    await add(certificates, "CS1", "1", fingerprint="b" * 64, usage="v2g")
    with pytest.raises(CertificateKnown):
        await add(certificates, "CS2", "1", fingerprint="c" * 64, usage="v2g")
    for attempt in (certificates.find("1"), certificates.mark("1", INSTALLED), certificates.revoke("1")):
        with pytest.raises(CertificateAmbiguous, match="name it by its SHA-256 fingerprint"):
            await attempt
    revoked = await certificates.revoke(":".join(["BB"] * 32))
    assert (revoked.usage, revoked.state) == ("v2g", CertificateState.REVOKED)
    assert states(await certificates.list(usage="station")) == {"1": "issued"}


async def test_a_manufacturers_serial_number_does_not_hide_ours(certificates: Certificates) -> None:
    await add(certificates, "CS1", "1", fingerprint="a" * 64, usage="seen")
    await add(certificates, "CS2", "1", fingerprint="b" * 64, usage="seen")
    await add(certificates, "CS1", "1", fingerprint="c" * 64)
    assert (await certificates.mark("1", INSTALLED)).usage == "station"
    found = await certificates.find("1", ours=True)
    assert found is not None
    assert found.usage == "station"
    with pytest.raises(CertificateAmbiguous):
        await certificates.revoke("1")


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
    assert revoked == replace(
        added, state=CertificateState.REVOKED, changed_at=LATER, reason="keyCompromise", authority_told=False
    )
    assert await certificates.find("1") == revoked


async def test_what_is_revoked_stays_as_it_was_revoked_first(certificates: Certificates, database: Database) -> None:
    await add(certificates, "CS1", "1")
    revoked = await certificates.revoke("1", "superseded")
    later = Certificates(database, lambda: LATER)
    assert await later.mark("1", CertificateState.INSTALLED) == revoked
    assert await later.revoke("1", "keyCompromise") == revoked
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
    await add(certificates, "", "5", usage="contract")
    await certificates.revoke("5")
    assert await certificates.revoked_fingerprints() == {"ff2", "ff4"}  # nobody comes to a door with a contract


async def test_the_authority_is_to_be_told_of_what_it_issued(certificates: Certificates) -> None:
    await add(certificates, "CS1", "1")
    await add(certificates, "CS1", "2", usage="seen")
    assert not (await certificates.revoke("1")).authority_told
    assert (await certificates.revoke("2")).authority_told


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
