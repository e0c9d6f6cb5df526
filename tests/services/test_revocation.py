"""Revocation: refused here first and for good, then told to the authority."""

from dataclasses import dataclass, replace

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
    is_told: bool = False


class Everybody:
    """Inventory and notices in one, to see in which order they are told."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, ...]] = []
        self.store: Exception | None = None
        self.down: Exception | None = None
        self.identity = "CS1"

    async def revoke(self, name: str, reason: str, detail: str) -> OnFile:
        if self.store is not None:
            raise self.store
        self.heard.append(("inventory", name, reason, detail))
        return OnFile(self.identity, name.lower(), "revoked")

    async def tell(self, record: OnFile) -> OnFile:
        if self.down is not None:
            raise self.down
        self.heard.append(("authority", record.serial))
        return replace(record, is_told=True)


async def test_the_inventory_first(events: KeptEvents) -> None:
    everybody = Everybody()
    service = CertificateRevocation(everybody, everybody, events)
    revoked = await service.revoke("AFF", ReasonFlags.key_compromise)
    assert revoked.record == OnFile("CS1", "aff", "revoked", is_told=True)
    assert revoked.authority_problem is None
    assert everybody.heard == [
        ("inventory", "AFF", "keyCompromise", "revoked by an operator: keyCompromise"),
        ("authority", "aff"),
    ]
    (event,) = events.noted
    assert (event.kind, event.identity) == ("CertificateRevoked", "CS1")
    assert event.presented == {"serial": "aff", "reason": "keyCompromise"}


async def test_one_of_the_gateways_own_is_no_stations(events: KeptEvents) -> None:
    everybody = Everybody()
    everybody.identity = ""
    await CertificateRevocation(everybody, everybody, events).revoke("aff", ReasonFlags.unspecified)
    assert [event.identity for event in events.noted] == [None]


async def test_an_authority_that_is_away_is_reported_and_told_the_next_time(events: KeptEvents) -> None:
    everybody = Everybody()
    everybody.down = AuthorityUnavailable("sealed; unseal it")
    service = CertificateRevocation(everybody, everybody, events)
    revoked = await service.revoke("aff", ReasonFlags.unspecified)
    assert (revoked.record.state, revoked.record.is_told) == ("revoked", False)
    assert revoked.authority_problem == "sealed; unseal it"
    everybody.down = None
    assert (await service.revoke("aff", ReasonFlags.unspecified)).authority_problem is None
    assert everybody.heard[-1] == ("authority", "aff")


@pytest.mark.parametrize("failure", [KeyError("aff"), StoreAway("locked"), ValueError("not hex")])
async def test_what_the_inventory_does_not_keep_is_not_told(events: KeptEvents, failure: Exception) -> None:
    everybody = Everybody()
    everybody.store = failure
    service = CertificateRevocation(everybody, everybody, events)
    with pytest.raises(type(failure)):
        await service.revoke("aff", ReasonFlags.unspecified)
    assert everybody.heard == []
    assert events.noted == []
