"""The certificate service's inventory, kept in the store."""

from datetime import datetime

from cryptography.hazmat.primitives.hashes import SHA256

from gateway.store.certificates import Certificates, CertificateState
from pki.authority import IssuedCertificate


class Inventory:
    """Fulfils ``services.certificates.CertificateLog``."""

    def __init__(self, certificates: Certificates) -> None:
        self._certificates = certificates

    async def key_owner(self, fingerprint: str) -> str | None:
        """Return the identity that this public key was first seen with, or None."""
        return await self._certificates.key_owner(fingerprint)

    async def issued(self, identity: str, issued: IssuedCertificate, key_fingerprint: str) -> None:
        """Record a certificate and its key. Raises KeyOfAnother when another station was faster with the same key."""
        await self._certificates.remember_key(key_fingerprint, identity)
        leaf = issued.certificate
        await self._certificates.add(
            identity,
            serial=issued.serial,
            fingerprint=leaf.fingerprint(SHA256()).hex(),
            subject=leaf.subject.rfc4514_string(),
            not_before=issued.not_before,
            not_after=issued.not_after,
            chain=issued.chain_pem,
        )

    async def mark(self, serial: str, state: str) -> None:
        """Record what the station made of a certificate: ``installed`` or ``rejected``."""
        await self._certificates.mark(serial, CertificateState(state))

    async def good_until(self, identity: str) -> datetime | None:
        """Return until when the station has an installed certificate; None without one."""
        installed = [
            each.not_after
            for each in await self._certificates.list(identity)
            if each.state is CertificateState.INSTALLED
        ]
        return max(installed, default=None)
