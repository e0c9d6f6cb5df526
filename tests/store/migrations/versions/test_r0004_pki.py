"""The fourth migration: certificates that are there come over, and their lives go on."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from gateway.store.certificate_uses import CertificateUses
from gateway.store.certificates import Certificates, CertificateState, Step
from gateway.store.database import Database
from tests.store.former_store import former_store

Open = Callable[..., Awaitable[Database]]

ISSUED = datetime(2026, 3, 1, tzinfo=UTC)
CHANGED = datetime(2026, 3, 2, tzinfo=UTC)
ROWS = [
    f"""
    INSERT INTO certificates (identity, serial, fingerprint, subject, not_before, not_after,
        state, chain, issued_at, changed_at, reason)
    VALUES ('CS1', '{serial}', 'ff{serial}', 'CN=SN-1', '2026-03-01 00:00:00.000000', '2099-03-01 00:00:00.000000',
        '{state}', 'PEM', '2026-03-01 00:00:00.000000', '2026-03-02 00:00:00.000000', {reason})
    """  # noqa: S608 - our own words
    for serial, state, reason in (
        ("1", "revoked", "'keyCompromise'"),
        ("2", "superseded", "NULL"),
        ("3", "installed", "NULL"),
        ("4", "issued", "NULL"),
    )
]


@pytest.fixture
async def former_url(empty_url: str) -> str:
    """The URL of a store as the version before left it, with certificates in it."""
    return await former_store(empty_url, "0003", ROWS)


async def test_states_stay_as_they_were_and_begin_a_history(former_url: str, opened: Open) -> None:
    certificates = Certificates(await opened(former_url))
    found = await certificates.list("CS1")
    assert [(each.serial, each.state.value) for each in found] == [
        ("1", "revoked"),
        ("2", "superseded"),
        ("3", "installed"),
        ("4", "issued"),
    ]
    assert {(each.usage, each.profile, each.authority_told, each.last_seen) for each in found} == {
        ("station", "charging_station", True, None)
    }
    first = Step(CertificateState.ISSUED, ISSUED, "")
    assert [await certificates.history(each.fingerprint) for each in found] == [
        [first, Step(CertificateState.REVOKED, CHANGED, "keyCompromise")],
        [first, Step(CertificateState.SUPERSEDED, CHANGED, "")],
        [first, Step(CertificateState.INSTALLED, CHANGED, "")],
        [first],
    ]


async def test_ids_go_on_where_they_were(former_url: str, opened: Open) -> None:
    database = await opened(former_url)
    certificates = Certificates(database)
    added = await certificates.add(
        "CS1",
        serial="5",
        fingerprint="ff5",
        subject="",
        not_before=ISSUED,
        not_after=datetime(2099, 1, 1, tzinfo=UTC),
        chain="",
    )
    assert added.id == 5
    await CertificateUses(database).in_use("ff5")
    assert [each.state.value for each in await certificates.list()] == [
        "revoked",
        "superseded",
        "superseded",
        "superseded",
        "in_use",
    ]
