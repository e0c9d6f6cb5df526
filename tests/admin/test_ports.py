"""What the store and the services really are fits what the API asks for."""

from typing import TYPE_CHECKING

from gateway.admin.ports import Refused, StationRefused

if TYPE_CHECKING:
    from gateway.admin import ports
    from gateway.admin.certificates import Revoke
    from gateway.services.registration import Registration
    from gateway.services.revocation import CertificateRevocation
    from gateway.services.upgrades import ProfileUpgrades
    from gateway.store.certificates import CertificateRecord, Certificates
    from gateway.store.security_events import SecurityEvents

    def joined(  # checked by mypy alone: each assignment is a claim
        registration: Registration,
        upgrades: ProfileUpgrades,
        certificates: Certificates,
        revocation: CertificateRevocation[CertificateRecord],
        events: SecurityEvents,
    ) -> None:
        a: ports.Registration = registration
        b: ports.Upgrades = upgrades
        c: ports.Certificates = certificates
        d: Revoke = revocation.revoke
        e: ports.SecurityEvents = events
        del a, b, c, d, e


def test_refusals_carry_their_text() -> None:
    assert (str(Refused("not now")), str(StationRefused("Rejected"))) == ("not now", "Rejected")
