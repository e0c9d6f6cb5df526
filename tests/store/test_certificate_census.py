"""The inventory in numbers."""

from datetime import UTC, datetime, timedelta

from gateway.store.certificate_census import Census, CertificateCensus
from gateway.store.certificates import Certificates, CertificateState
from gateway.store.database import Database

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


async def test_an_empty_inventory(database: Database) -> None:
    assert await CertificateCensus(database).take() == Census()


async def test_by_usage_and_state_as_they_are_shown(certificates: Certificates, database: Database) -> None:
    lives = {
        "1": ("station", 1, CertificateState.INSTALLED),
        "2": ("station", 3, CertificateState.IN_USE),
        "3": ("station", 4, CertificateState.INSTALLED),
        "4": ("station", 2, None),
        "5": ("station", 1, CertificateState.REVOKED),
        "6": ("station", 9, CertificateState.REVOKED),
        "7": ("v2g", 5, CertificateState.INSTALLED),
        "8": ("seen", 5, CertificateState.REVOKED),
    }
    for serial, (usage, days, state) in lives.items():
        await certificates.add(
            "CS1",
            serial=serial,
            fingerprint=serial,
            subject="",
            not_before=NOW,
            not_after=NOW + days * DAY,
            chain="",
            usage=usage,
        )
        if state is CertificateState.REVOKED:
            await certificates.revoke(serial)
        elif state is not None:
            await certificates.mark(serial, state)
    census = await CertificateCensus(database, lambda: NOW + DAY).take()
    assert census.by_usage_and_state == {
        ("station", "expired"): 1,
        ("station", "in_use"): 1,
        ("station", "installed"): 1,
        ("station", "issued"): 1,
        ("station", "revoked"): 2,
        ("v2g", "installed"): 1,
        ("seen", "revoked"): 1,
    }
    assert census.earliest_expiry == {"station": NOW + 3 * DAY, "v2g": NOW + 5 * DAY}
    assert census.authority_untold == 1
