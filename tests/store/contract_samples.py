"""Vehicles and contracts for the tests of their store."""

from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.session.contracts import NewContract
from gateway.store.contracts import Contracts
from pki.iso15118.identifiers import Emaid, Pcid

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
CAR, OTHER = Pcid.parse("WVWZZZ1KZAW000123"), Pcid.parse("WVWZZZ1KZAW000124")
FIRST, SECOND, THIRD = (Emaid.parse(f"DE8EXC1234567{digit}") for digit in "123")


def new(pcid: Pcid = CAR, emaid: Emaid = FIRST, **more: Any) -> NewContract:
    return NewContract(pcid, emaid, **more)


async def emaids(contracts: Contracts, pcid: Pcid = CAR, at: datetime = NOW) -> list[str]:
    return [each.emaid for each in await contracts.for_vehicle(pcid.text, at)]
