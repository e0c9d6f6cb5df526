"""The sixth migration: contracts beside what there is."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from gateway.session.contracts import NewContract
from gateway.store.certificates import Certificates
from gateway.store.contract_certificates import ContractCertificates
from gateway.store.contract_provisionings import ContractProvisionings
from gateway.store.contracts import Contracts
from gateway.store.database import Database
from pki.iso15118.identifiers import Emaid, Pcid
from tests.store.former_store import former_store

Open = Callable[..., Awaitable[Database]]

CERTIFICATE = """
    INSERT INTO certificates (identity, serial, fingerprint, subject, not_before, not_after, state, chain, issued_at,
        changed_at, usage, profile, authority_told)
    VALUES ('CS1', 'af', 'ff', 'CN=CS1', '2026-03-01 00:00:00.000000', '2036-03-01 00:00:00.000000', 'in_use', '',
        '2026-03-01 00:00:00.000000', '2026-03-01 00:00:00.000000', 'station', 'charging_station', true)
    """


@pytest.fixture
async def former_url(empty_url: str) -> str:
    """The URL of a store as the version before left it."""
    return await former_store(empty_url, "0005", [CERTIFICATE])


async def test_a_store_of_the_version_before_takes_contracts(former_url: str, opened: Open) -> None:
    database = await opened(former_url)

    known = await Certificates(database).find("af")
    assert known is not None
    assert known.identity == "CS1"
    assert await ContractCertificates(database).list() == []
    assert await ContractProvisionings(database).list() == []
    new = NewContract(Pcid.parse("WVWZZZ1KZAW000123"), Emaid.parse("DE8EXC12345678"))
    await Contracts(database).add(new, "ann")
    now = datetime(2026, 3, 1, tzinfo=UTC)
    assert [each.emaid for each in await Contracts(database).for_vehicle("WVWZZZ1KZAW000123", now)] == [
        "DE8EXC12345678"
    ]
