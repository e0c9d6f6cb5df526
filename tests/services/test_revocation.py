"""Revocation: refused here first and for good, then told to the authority."""

from dataclasses import dataclass

import pytest
from cryptography.x509 import ReasonFlags

from gateway.services.revocation import CertificateRevocation
from gateway.session.ports import StoreAway
from pki.authority import AuthorityUnavailable
from tests.services.conftest import KeptEvents


@dataclass(frozen=True)
class OnFile:
    identity: str
    serial: str
    state: str = "installed"


class Everybody:
    """Inventory and authority in one, to see in which order they are told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, ...]] = []
        self.store: Exception | None = None
        self.down: Exception | None = None


class Inventory(Everybody):
    async def revoke(self, serial: str, reason: str) -> OnFile:
        if self.store is not None:
            raise self.store
        self.told.append(("inventory", serial, reason))
        return OnFile("CS1", serial.lower(), "revoked")


class Authority:
    def __init__(self, other: Everybody) -> None:
        self.other = other

    async def revoke(self, serial: str, reason: ReasonFlags) -> None:
        if self.other.down is not None:
            raise self.other.down
        self.other.told.append(("authority", serial, reason.value))


async def test_the_inventory_first(events: KeptEvents) -> None:
    inventory = Inventory()
    service = CertificateRevocation(inventory, Authority(inventory), events)
    revoked = await service.revoke("AFF", ReasonFlags.key_compromise)
    assert revoked.record == OnFile("CS1", "aff", "revoked")
    assert revoked.authority_problem is None
    assert inventory.told == [("inventory", "AFF", "keyCompromise"), ("authority", "aff", "keyCompromise")]
    (event,) = events.noted
    assert (event.kind, event.identity) == ("CertificateRevoked", "CS1")
    assert event.presented == {"serial": "aff", "reason": "keyCompromise"}


async def test_an_authority_that_is_away_is_reported_and_told_the_next_time(events: KeptEvents) -> None:
    inventory = Inventory()
    inventory.down = AuthorityUnavailable("sealed; unseal it")
    service = CertificateRevocation(inventory, Authority(inventory), events)
    revoked = await service.revoke("aff", ReasonFlags.unspecified)
    assert revoked.record.state == "revoked"
    assert revoked.authority_problem == "sealed; unseal it"
    inventory.down = None
    assert (await service.revoke("aff", ReasonFlags.unspecified)).authority_problem is None
    assert inventory.told[-1] == ("authority", "aff", "unspecified")


@pytest.mark.parametrize("failure", [KeyError("aff"), StoreAway("locked"), ValueError("not hex")])
async def test_what_the_inventory_does_not_keep_is_not_told(events: KeptEvents, failure: Exception) -> None:
    inventory = Inventory()
    inventory.store = failure
    service = CertificateRevocation(inventory, Authority(inventory), events)
    with pytest.raises(type(failure)):
        await service.revoke("aff", ReasonFlags.unspecified)
    assert inventory.told == []
    assert events.noted == []
