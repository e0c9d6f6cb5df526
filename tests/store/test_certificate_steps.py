"""Steps in the life of a certificate."""

from datetime import UTC, datetime

import pytest

from gateway.store.certificate_records import CertificateState
from gateway.store.certificate_steps import HISTORY_MAX, note_step
from gateway.store.certificates import Certificates
from gateway.store.database import Database

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("extra", [0, 1, 5])
async def test_the_oldest_steps_of_one_certificate_go(
    certificates: Certificates, database: Database, extra: int
) -> None:
    record, other = [
        await certificates.add(
            "CS1", serial=serial, fingerprint=serial, subject="", not_before=NOW, not_after=NOW, chain=""
        )
        for serial in ("1", "2")
    ]
    for number in range(HISTORY_MAX + extra - 1):
        await database.write(
            lambda connection, detail=str(number): note_step(  # type: ignore[misc]  # bound at once, for ruff's sake
                connection, record.id, CertificateState.IN_USE, NOW, detail
            )
        )
    history = await certificates.history(record.fingerprint)
    assert len(history) == HISTORY_MAX
    assert history[-1].detail == str(HISTORY_MAX + extra - 2)
    assert len(await certificates.history(other.fingerprint)) == 1
