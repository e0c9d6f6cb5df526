"""Revocations on their way to the authorities."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.store.certificate_outbox import RevocationOutbox
from gateway.store.certificate_records import CertificateState
from gateway.store.certificates import Certificates
from gateway.store.database import Database
from gateway.store.stations import Stations

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TO = datetime(2027, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def outbox(database: Database) -> RevocationOutbox:
    return RevocationOutbox(database, lambda: NOW + DAY)


async def issue(certificates: Certificates, serials: str, *, usage: str = "station", to: datetime = TO) -> None:
    for serial in serials:
        await certificates.add(
            "CS1",
            serial=serial,
            fingerprint=f"ff{serial}",
            subject="CN=CS1",
            not_before=NOW,
            not_after=to,
            chain="",
            usage=usage,
        )


async def revoked(certificates: Certificates) -> str:
    return "".join(record.serial for record in await certificates.list(states=[CertificateState.REVOKED]))


async def test_what_was_superseded_is_revoked_when_the_grace_is_over(
    certificates: Certificates, outbox: RevocationOutbox, stations: Stations
) -> None:
    await issue(certificates, "1234")
    await issue(certificates, "5", usage="seen")
    await issue(certificates, "6", to=NOW + DAY)
    for serial in "12356":
        await certificates.mark(serial, CertificateState.SUPERSEDED)
    before = await stations.revision()
    assert await outbox.revoke_superseded(NOW - timedelta(seconds=1), 10) == 0
    assert await stations.revision() == before
    assert await outbox.revoke_superseded(NOW, 2) == 2
    assert await revoked(certificates) == "12"
    assert await outbox.revoke_superseded(NOW, 2) == 1
    assert await outbox.revoke_superseded(NOW, 2) == 0
    assert await revoked(certificates) == "123"
    assert await stations.revision() == before + 2
    (first, *_) = await outbox.untold(10)
    assert (first.reason, first.authority_told) == ("superseded", False)
    assert (await certificates.history(first.fingerprint))[-1].detail == "a newer one has been in use for long enough"


async def test_one_that_came_into_use_again_is_not_revoked(
    certificates: Certificates, outbox: RevocationOutbox
) -> None:
    await issue(certificates, "1")
    await certificates.mark("1", CertificateState.SUPERSEDED)
    await certificates.mark("1", CertificateState.IN_USE)
    assert await outbox.revoke_superseded(NOW, 10) == 0


async def test_what_was_revoked_waits_until_its_authority_has_heard(
    certificates: Certificates, outbox: RevocationOutbox
) -> None:
    await issue(certificates, "123")
    await issue(certificates, "4", to=NOW + DAY)
    for serial in "1234":
        await certificates.revoke(serial, "keyCompromise")
    first, second, third = await outbox.untold(10)
    assert [record.serial for record in await outbox.untold(1, after_id=first.id)] == ["2"]
    await outbox.told(second, "the CA's list names it")
    await outbox.told(second, "once more")
    assert await outbox.untold(10) == [first, third]
    record = await certificates.find("2")
    assert record is not None
    assert record.authority_told
    assert [step.detail for step in await certificates.history(record.fingerprint)] == [
        "",
        "keyCompromise",
        "the CA's list names it",
    ]
