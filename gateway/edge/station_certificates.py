"""Is this certificate the station's own, and is it revoked? The application's check at every accept.

The handshake's word isn't enough: a resumed session shows no certificate again (attack A10), and OpenSSL lets pass what
isn't a station's (attack A9). So each accept, resumed or not, finds the path anew, or remembers it, looks at the dates,
at whom it was issued to, and asks for revocation (OCPP 2.0.1 A00.FR.403 to 407, 429, 705).
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Literal, Protocol

from cryptography import x509

from gateway.edge.refusals import CertificateRejected, Reason
from gateway.session.ports import Provisional, StationRecord
from pki.keys import certificate_fingerprint
from pki.paths import PathRejected, VerifiedLeaf, check_name, check_organization
from pki.revocation import Finding, RevocationSource, Status

Path = tuple[x509.Certificate, ...]
OtherOwner = Callable[[str, str], Awaitable[str | None]]
"""``other_owner(identity, fingerprint)``: the other registered station that we issued this certificate to, or None.

The fingerprint is the SHA-256 of its DER in lower-case hex. Raises StoreAway.
"""


class PathVerifier(Protocol):
    """Finds the path to a trusted root (``pki.paths.StationChainVerifier``)."""

    def verify(
        self,
        certificate: bytes,
        chain: Sequence[bytes] = (),
        *,
        at: datetime | None = None,
        tolerate_expiry: bool = False,
    ) -> VerifiedLeaf:
        """Return the verified leaf. Raises PathRejected."""


class StationCertificateCheck:
    """The check of one listener. Its trust can be replaced while it is in use."""

    def __init__(  # noqa: PLR0913 - each by its name: what the check trusts, and whom it asks
        self,
        *,
        operator: PathVerifier,
        organizations: frozenset[str],
        factory: PathVerifier | None,
        revocation: Sequence[RevocationSource],
        when_unknown: Literal["refuse", "accept"],
        revoked_here: Callable[[str], bool],
        other_owner: OtherOwner,
        clock: Callable[[], datetime],
    ) -> None:
        """``organizations``: the O that a certificate under the operator's roots may have (A00.FR.404).

        ``revoked_here`` answers at once whether a certificate was revoked through Voltgate, by the SHA-256 of its DER
        in lower-case hex. ``clock`` gives aware times.
        """
        self._operator = operator
        self._organizations = organizations
        self._factory = factory
        self._revocation = revocation
        self._when_unknown = when_unknown
        self._revoked_here = revoked_here
        self._other_owner = other_owner
        self._clock = clock

    def trust(self, operator: PathVerifier, factory: PathVerifier | None) -> None:
        """Check against other roots from now on; sessions that live go on."""
        self._operator, self._factory = operator, factory

    async def __call__(
        self, certificate: bytes, chain: Sequence[bytes], record: StationRecord
    ) -> tuple[Path, Provisional | None]:
        """Return the path, leaf first, and why the station must renew at once, if it must.

        ``certificate`` and what came beside it, ``chain``, are DER. Raises :class:`CertificateRejected`, and StoreAway.
        """
        path, provisional = self._find_path(certificate, chain, record)
        if why := self._why_revoked_here(path):
            raise CertificateRejected(why, Reason.REVOKED)
        if why := await self.why_of_another(record.identity, path):
            raise CertificateRejected(why, Reason.CERTIFICATE_OF_ANOTHER)
        finding = await self._status(path)
        if finding is not None and finding.status is Status.REVOKED:
            raise CertificateRejected(f"revoked: {finding.reason}", Reason.REVOKED)
        if finding is not None and finding.status is Status.UNKNOWN and self._when_unknown == "refuse":
            raise CertificateRejected(f"revocation unknown: {finding.reason}", Reason.REVOCATION_UNKNOWN)
        return path, provisional

    async def still_good(self, path: Path) -> str | None:
        """Return why a live session that began with this path can't go on, None when it can.

        Revocation alone ends it. A certificate that expires meanwhile doesn't: the next connect looks at the dates, and
        what A00.FR.701 grants the CSMS's certificate is granted here, for a charging session that runs. Nor does a
        revocation list that can't be had: whoever can keep it away could end every session. Nobody is asked for it.
        """
        if why := self._why_revoked_here(path):
            return why
        for finding in (source.known(path) for source in self._revocation):
            if finding.status is Status.REVOKED:
                return f"revoked: {finding.reason}"
        return None

    async def why_of_another(self, identity: str, path: Path) -> str | None:
        """Return why this path is not that of ``identity``, whatever its name says; None when it is. Raises StoreAway.

        Serial numbers can be given to another station; the key and the certificate stay where they are.
        """
        other = await self._other_owner(identity, certificate_fingerprint(path[0]))
        return None if other is None else f"the certificate was issued to {other}, which is still registered"

    def _find_path(
        self, certificate: bytes, chain: Sequence[bytes], record: StationRecord
    ) -> tuple[Path, Provisional | None]:
        """Try the operator's roots, then the manufacturers'."""
        try:
            leaf = self._operator.verify(certificate, chain, tolerate_expiry=record.allow_expired)
            check_organization(leaf, self._organizations)
            check_name(leaf, record.certificate_name)
        except PathRejected as error:
            if self._factory is None:
                raise CertificateRejected(str(error)) from None
            return self._factory_path(self._factory, certificate, chain, record, error), Provisional.FACTORY
        expired = leaf.certificate.not_valid_after_utc < self._clock()
        return leaf.chain, Provisional.EXPIRED if expired else None

    @staticmethod
    def _factory_path(
        roots: PathVerifier, certificate: bytes, chain: Sequence[bytes], record: StationRecord, before: PathRejected
    ) -> Path:
        """Any organisation, but the registered serial number; expired only where that is allowed (A00.FR.806, 807)."""
        try:
            leaf = roots.verify(certificate, chain, tolerate_expiry=record.allow_expired)
            check_name(leaf, record.certificate_name)
        except PathRejected as error:
            text = str(before) if str(error) == str(before) else f"{before}; as a factory certificate: {error}"
            raise CertificateRejected(text) from None
        return leaf.chain

    def _why_revoked_here(self, path: Path) -> str | None:
        """Look at all but the root, which is trusted because the configuration says so."""
        for each in path[:-1] or path:
            if self._revoked_here(certificate_fingerprint(each)):
                return f"revoked here: certificate {each.serial_number:x}"
        return None

    async def _status(self, path: Path) -> Finding | None:
        """Ask every source: one REVOKED is enough, and so is one GOOD where others know nothing; None without any."""
        best: Finding | None = None
        for source in self._revocation:
            finding = await source.status(path)
            if finding.status is Status.REVOKED:
                return finding
            if best is None or finding.status is Status.GOOD:
                best = finding
        return best
