"""The certificate service's inventory, kept in the store."""

from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from gateway.services.certificate_signing import OnFile
from gateway.store.certificate_records import HELD, STATION, CertificateRecord
from gateway.store.certificates import Certificates, CertificateState, KeyOfAnother
from pki.authority import IssuedCertificate
from pki.keys import fingerprint


class Inventory:
    """Fulfils ``services.certificate_signing.CertificateLog``."""

    def __init__(self, certificates: Certificates) -> None:
        self._certificates = certificates

    async def claim_key(self, identity: str, fingerprint: str) -> bool:
        """Note that the station asks with this key (SHA-256 of its SPKI, hex); False when it is another's."""
        owner = await self._certificates.key_owner(fingerprint)
        if owner is None:
            try:
                await self._certificates.remember_key(fingerprint, identity)
            except KeyOfAnother:
                return False
        return owner in {None, identity}

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

    async def on_file(self, serial: str) -> OnFile | None:
        """Return a certificate that was recorded."""
        record = await self._certificates.find(serial, ours=True)
        return None if record is None else _on_file(record)

    async def undelivered(self, identity: str, usage: str, key_fingerprint: str) -> OnFile | None:
        """Return the newest certificate of this station, usage and key of which nothing became yet."""
        issued = await self._certificates.list(identity, states=[CertificateState.ISSUED], usage=usage)
        for record in reversed(issued):
            if _key_of(record) == key_fingerprint:
                return _on_file(record)
        return None


def _on_file(record: CertificateRecord) -> OnFile:
    return OnFile(record.serial, record.chain, record.state.value, record.not_after)


def _key_of(record: CertificateRecord) -> str:
    return fingerprint(x509.load_pem_x509_certificate(record.chain.encode()).public_key())
