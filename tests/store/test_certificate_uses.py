"""What follows when a station comes with a certificate."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.store.certificate_records import CertificateRecord, CertificateState, Step
from gateway.store.certificate_uses import SEEN_MAX, CertificateUses, Owner
from gateway.store.certificates import Certificates
from gateway.store.database import Database
from gateway.store.stations import Stations

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TO = datetime(2027, 3, 1, tzinfo=UTC)
INSTALLED, IN_USE = CertificateState.INSTALLED, CertificateState.IN_USE


@pytest.fixture
def uses(database: Database) -> CertificateUses:
    return CertificateUses(database, lambda: NOW)


async def issue(certificates: Certificates, identity: str, serials: str, usage: str = "station") -> None:
    for serial in serials:
        await certificates.add(
            identity,
            serial=serial,
            fingerprint=f"ff{serial}",
            subject=f"CN={identity}",
            not_before=NOW,
            not_after=TO,
            chain="",
            usage=usage,
        )


def seen(identity: str, serial: str, *, since: datetime = NOW, usage: str = "seen") -> CertificateRecord:
    return CertificateRecord(
        identity, serial, f"ee{serial}", "CN=factory", since, TO, IN_USE, "PEM", since, since, usage=usage, profile=""
    )


async def states(certificates: Certificates) -> dict[str, str]:
    return {record.serial: record.state.value for record in await certificates.list()}


@pytest.mark.parametrize("state", [None, CertificateState.REJECTED, INSTALLED, CertificateState.SUPERSEDED])
async def test_the_certificate_that_is_shown_is_in_use_whatever_was_thought_of_it(
    certificates: Certificates, uses: CertificateUses, state: CertificateState | None
) -> None:
    await issue(certificates, "CS1", "1")
    if state is not None:
        await certificates.mark("1", state)
    assert await uses.in_use("FF1")
    record = await certificates.find("1")
    assert record is not None
    assert (record.state, record.last_seen) == (IN_USE, NOW)
    assert (await certificates.history(record.fingerprint))[-1] == Step(IN_USE, NOW, "the station came with it")


async def test_a_newer_one_in_use_supersedes_what_its_station_had_or_never_took(
    certificates: Certificates, uses: CertificateUses
) -> None:
    await issue(certificates, "CS1", "1234")
    await issue(certificates, "CS1", "5", usage="v2g")
    await issue(certificates, "CS1", "67")
    await issue(certificates, "CS2", "8")
    await issue(certificates, "", "9", usage="server")
    for serial in "2589":
        await certificates.mark(serial, INSTALLED)
    await certificates.mark("3", CertificateState.REJECTED)
    await certificates.revoke("1", "unspecified")
    await uses.in_use("ff6")
    assert await states(certificates) == {
        "1": "revoked",
        "2": "superseded",
        "3": "superseded",
        "4": "superseded",
        "5": "installed",
        "6": "in_use",
        "7": "issued",
        "8": "installed",
        "9": "installed",
    }
    record = await certificates.find("2")
    assert record is not None
    assert [step.detail for step in await certificates.history(record.fingerprint)][-1] == "the station came with 6"


async def test_a_station_may_fall_back_to_the_older_one_and_come_again_with_the_newer(
    certificates: Certificates, uses: CertificateUses
) -> None:
    await issue(certificates, "CS1", "12")
    for shown, expected in [
        ("1", {"1": "in_use", "2": "issued"}),
        ("2", {"1": "superseded", "2": "in_use"}),
        ("1", {"1": "in_use", "2": "in_use"}),
        ("2", {"1": "superseded", "2": "in_use"}),
    ]:
        await uses.in_use(f"ff{shown}")
        assert await states(certificates) == expected


async def test_a_revoked_one_supersedes_nothing(certificates: Certificates, uses: CertificateUses) -> None:
    await issue(certificates, "CS1", "12")
    await certificates.revoke("2")
    assert await uses.in_use("ff2")
    assert await states(certificates) == {"1": "issued", "2": "revoked"}


async def test_of_a_station_with_one_certificate_in_use_it_is_known_which(
    certificates: Certificates, uses: CertificateUses
) -> None:
    for identity, serials in (("CS1", "12"), ("CS2", "3"), ("CS3", "45")):
        await issue(certificates, identity, serials)
    for serial in "1345":
        await uses.in_use(f"ff{serial}")
    await uses.in_use("ff4")
    assert await uses.last() == {"CS1": ("ff1", NOW.date()), "CS2": ("ff3", NOW.date())}


async def test_what_is_known_already_and_what_is_a_strangers_is_not_written(
    certificates: Certificates, uses: CertificateUses, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await issue(certificates, "CS1", "123")
    await certificates.mark("3", INSTALLED)  # accepted, but not shown yet
    await uses.in_use("ff2")
    monkeypatch.setattr(database, "write", None)
    for hours in (0, 11):
        assert await CertificateUses(database, lambda: NOW + timedelta(hours=hours)).in_use("ff2")  # noqa: B023 - called in its own turn
    assert not await uses.in_use("ff9")


async def test_the_time_is_written_once_a_day(certificates: Certificates, database: Database) -> None:
    await issue(certificates, "CS1", "1")
    written = []
    for hours in (0, 6, 12, 18, 36):
        await CertificateUses(database, lambda: NOW + timedelta(hours=hours)).in_use("ff1")  # noqa: B023 - the same
        record = await certificates.find("1")
        assert record is not None
        assert record.last_seen is not None
        written.append((record.last_seen - NOW) // timedelta(hours=1))
    assert written == [0, 0, 12, 12, 36]


async def test_another_issuers_certificate_is_kept_as_seen(certificates: Certificates, uses: CertificateUses) -> None:
    await issue(certificates, "CS1", "1")
    assert not await uses.in_use("ee2")
    for _ in range(2):
        await uses.add(seen("CS1", "2"), "of a factory")
    record = await certificates.find("2")
    assert record is not None
    assert (record.usage, record.state, record.last_seen, record.profile) == ("seen", IN_USE, NOW, "")
    assert await certificates.history(record.fingerprint) == [Step(IN_USE, NOW, "of a factory")]
    assert await uses.in_use("ee2")
    assert await states(certificates) == {"1": "issued", "2": "in_use"}


async def test_ours_takes_the_place_of_a_factorys_and_never_the_other_way(
    certificates: Certificates, uses: CertificateUses
) -> None:
    await uses.add(seen("CS1", "a"), "")
    await uses.add(seen("CS1", "b", since=NOW + timedelta(hours=1)), "")
    assert await states(certificates) == {"a": "superseded", "b": "in_use"}
    await issue(certificates, "CS1", "1")
    for shown, expected in [
        ("ff1", {"a": "superseded", "b": "in_use", "1": "in_use"}),  # b is newer than ours
        ("eea", {"a": "in_use", "b": "in_use", "1": "in_use"}),
        ("ff1", {"a": "superseded", "b": "in_use", "1": "in_use"}),
        ("eeb", {"a": "superseded", "b": "in_use", "1": "in_use"}),
    ]:
        await uses.in_use(shown)
        assert await states(certificates) == expected


async def test_one_of_ours_that_was_not_on_record_is_as_old_as_it_says(
    certificates: Certificates, uses: CertificateUses
) -> None:
    await issue(certificates, "CS1", "2")
    for serial, since, expected in [
        ("1", NOW - timedelta(days=1), {"2": "issued", "1": "in_use"}),
        ("3", NOW + timedelta(days=1), {"2": "superseded", "1": "superseded", "3": "in_use"}),
    ]:
        await uses.add(seen("CS1", serial, since=since, usage="station"), "")
        assert await states(certificates) == expected


async def test_what_is_kept_of_a_stations_foreign_certificates_is_bounded(
    certificates: Certificates, uses: CertificateUses
) -> None:
    await uses.add(seen("CS2", "1"), "")
    for number in range(1, SEEN_MAX + 3):
        await uses.add(seen("CS1", format(0x10 + number, "x")), "")
        if number == 1:
            await certificates.revoke("11")
    kept = [record.serial for record in await certificates.list("CS1")]
    assert kept == ["11", *(format(0x10 + number, "x") for number in range(3, SEEN_MAX + 3))]
    assert len(await certificates.list("CS2")) == 1


async def test_whose_a_certificate_is_and_whether_that_station_is_registered(
    certificates: Certificates, uses: CertificateUses, stations: Stations
) -> None:
    await stations.add("CS1", profile=3, serial=None, backend=None, password_hash=None)
    await issue(certificates, "CS1", "1")
    await issue(certificates, "CS2", "2", usage="v2g")
    await certificates.revoke("2")
    await uses.add(seen("CS1", "3"), "")
    owners = Owner("CS1", "station", True), Owner("CS2", "v2g", False), Owner("CS1", "seen", True)
    for fingerprint, expected in zip(("FF1", "ff2", "ee3"), owners, strict=True):
        assert await uses.owner(fingerprint) == expected
        assert await uses.in_use(fingerprint) == expected
    assert await uses.owner("ff9") is None
    assert [[each.is_another(identity) for each in owners] for identity in ("CS1", "CS3")] == [
        [False, True, False],
        [True, True, False],
    ]
