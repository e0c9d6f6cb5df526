"""The certificate service's inventory, kept in the store."""

from datetime import datetime

from cryptography.hazmat.primitives.hashes import SHA256

from gateway.store.certificate_records import STATION
from gateway.store.certificates import Certificates, CertificateState
from pki.authority import IssuedCertificate

HELD = (CertificateState.INSTALLED, CertificateState.IN_USE)
"""The states of a certificate that its station has."""


class Inventory:
    """Fulfils ``services.certificates.CertificateLog``."""

    def __init__(self, certificates: Certificates) -> None:
        self._certificates = certificates

    async def key_owner(self, fingerprint: str) -> str | None:
        """Return the identity that this public key was first seen with, or None."""
        return await self._certificates.key_owner(fingerprint)

    async def issued(
        self,
        identity: str,
        issued: IssuedCertificate,
        key_fingerprint: str,
        *,
        usage: str = STATION,
        profile: str = "charging_station",
    ) -> None:
        """Record a certificate and its key. Raises KeyOfAnother when another station was faster with the same key."""
        await self._certificates.remember_key(key_fingerprint, identity)
        await self.add(identity, issued, usage=usage, profile=profile)

    async def add(self, identity: str, issued: IssuedCertificate, *, usage: str, profile: str) -> None:
        """Record a certificate of the usage's authority; ``identity`` is empty for one of the gateway's own."""
        leaf = issued.certificate
        await self._certificates.add(
            identity,
            serial=issued.serial,
            fingerprint=leaf.fingerprint(SHA256()).hex(),
            subject=leaf.subject.rfc4514_string(),
            not_before=issued.not_before,
            not_after=issued.not_after,
            chain=issued.chain_pem,
            usage=usage,
            profile=profile,
        )

    async def mark(self, serial: str, state: str, detail: str = "") -> None:
        """Record what became of a certificate: ``installed``, ``rejected``, ``in_use`` or ``superseded``."""
        await self._certificates.mark(serial, CertificateState(state), detail)

    async def good_until(self, identity: str, usage: str = STATION) -> datetime | None:
        """Return until when the station has a certificate of this usage; None without one that is valid still."""
        held = await self._certificates.list(identity, states=HELD, usage=usage)
        return max((each.not_after for each in held), default=None)
