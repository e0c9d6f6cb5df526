"""The embedded authority: a root and an issuing CA in a folder. For development, and for operators without a Vault."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509

from pki.authority import IssuedCertificate, SigningRefused, SigningRequest
from pki.authority.ca_folder import check_dates, open_hierarchy
from pki.authority.crl_file import CrlFile
from pki.clock import utc_now
from pki.issued import verify_issued
from pki.issuing import Hierarchy, issue, new_hierarchy
from pki.keys import KeyRefused, check_key
from pki.pem_files import certificates_pem
from pki.profiles import CertificateProfile, Curve

LABEL: Final = "Voltgate station"
"""What the names of the CA certificates begin with."""
SIGNING_AT_ONCE: Final = 2
"""Signatures that are made at a time: it is this process that makes them, and its event loop waits for its threads."""


class LocalAuthority:
    """Signs with keys in files. Fulfils :class:`pki.authority.CertificateAuthority`."""

    def __init__(self, folder: Path, hierarchy: Hierarchy, clock: Callable[[], datetime] = utc_now) -> None:
        self._hierarchy = hierarchy
        self._clock = clock
        self._crl = CrlFile(folder, hierarchy.issuing)
        self._slots = asyncio.Semaphore(SIGNING_AT_ONCE)

    def __repr__(self) -> str:
        return f"LocalAuthority({self._hierarchy.issuing!r})"

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        organization: str | None = None,
        label: str = LABEL,
        profile: CertificateProfile | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> "LocalAuthority":
        """Open the CA in ``folder``; make it, with ``organization`` as its O and ``label`` in its names, if need be.

        ``profile`` is that of what it is to sign: it may want CAs of a curve. Blocks on the disk. Raises
        :class:`pki.authority.AuthorityUnavailable`.
        """
        now = clock()
        curve: Curve = profile.ca_curves[0] if profile is not None and profile.ca_curves else "P-256"
        # ISO 15118-2 Annex F: a mobility operator's CAs have its DC as their certificates have.
        role = "MO" if profile is not None and profile.subject.domain_component == "MO" else None

        def make() -> Hierarchy:
            return new_hierarchy(label, organization, now, curve=curve, domain_components=(role, role))

        return cls(folder, open_hierarchy(folder, make, now), clock)

    @property
    def root(self) -> x509.Certificate:
        """The root that a listener must trust for stations to come in with what this authority issues."""
        return self._hierarchy.root.certificate

    async def sign(self, request: SigningRequest) -> IssuedCertificate:
        """Issue what ``request`` asks for, off the event loop. Raises :class:`pki.authority.AuthorityError`."""
        async with self._slots:
            return await asyncio.to_thread(self._sign, request)

    async def chain(self) -> list[x509.Certificate]:
        """Return the issuing CA's certificate and the root's."""
        return [self._hierarchy.issuing.certificate, self._hierarchy.root.certificate]

    async def revoke(self, serial: str, reason: x509.ReasonFlags = x509.ReasonFlags.unspecified) -> None:
        """Put ``serial`` (hex) on the CRL, off the event loop. Raises :class:`pki.authority.AuthorityError`."""
        await asyncio.to_thread(self._crl.revoke, serial, reason, self._clock())

    async def crl(self) -> bytes:
        """Return the CRL in PEM, made anew when half its life is over, off the event loop. Raises AuthorityError."""
        return await asyncio.to_thread(self._crl.current, self._clock())

    async def health(self) -> None:
        """Raise :class:`pki.authority.AuthorityUnavailable` when a CA certificate isn't valid now."""
        now = self._clock()
        for certificate in await self.chain():
            check_dates(certificate.subject.rfc4514_string(), certificate, now)

    def _sign(self, request: SigningRequest) -> IssuedCertificate:
        now = self._clock()
        issuing = self._hierarchy.issuing
        check_dates("the issuing CA", issuing.certificate, now)
        try:
            key = check_key(request.csr.public_key(), request.profile.keys)
            certificate = issue(
                issuing,
                request.profile,
                key,
                common_name=request.common_name,
                organization=request.organization,
                now=now,
                names=request.names,
            )
        except (KeyRefused, ValueError) as error:
            raise SigningRefused(str(error)) from error
        issued = IssuedCertificate(certificate, certificates_pem([certificate, issuing.certificate]))
        verify_issued(issued, request, now=now)
        return issued
