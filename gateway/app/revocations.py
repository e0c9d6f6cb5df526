"""Which certificates are revoked: here, by the CRLs of our authorities and those that the operator names, by OCSP."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

from cryptography import x509

from gateway.app.crl_sources import CrlSources
from pki.revocation import CrlStore, RevocationSource, Status

ASKED_TOGETHER: Final = 8
"""Paths about which responders are asked at the same time."""


class RevokedHere(Protocol):
    """The inventory, as far as revocation goes."""

    async def revoked_fingerprints(self) -> frozenset[str]:
        """Return the SHA-256 fingerprints of all certificates that were revoked here, in hex."""


class Revocations(CrlSources):
    """All who know of revocations."""

    def __init__(
        self,
        inventory: RevokedHere,
        own: Mapping[str, Callable[[], Awaitable[bytes]]],
        sources: Sequence[str],
        crls: CrlStore,
        responders: RevocationSource | None = None,
    ) -> None:
        """``own``: what gives the CRLs of the operator's own authorities, by name. ``responders``: OCSP, if wanted."""
        super().__init__(own, sources, crls)
        self._inventory = inventory
        self._responders = responders
        self._here: frozenset[str] = frozenset()

    @property
    def asks_responders(self) -> bool:
        """True where OCSP responders are asked about stations."""
        return self._responders is not None

    @property
    def consulted(self) -> Sequence[RevocationSource]:
        """Whom the door asks about a path, the quickest first."""
        return (self.crls,) if self._responders is None else (self.crls, self._responders)

    async def ask_again(self, paths: Iterable[Sequence[x509.Certificate]]) -> bool:
        """Ask responders about those paths whose last answer isn't recent; return whether one of all is revoked.

        A few at a time, and always with a pause: there may be thousands.
        """
        if self._responders is None:
            return False
        is_any_revoked = False
        waiting = list(paths)
        for first in range(0, len(waiting), ASKED_TOGETHER):
            together = waiting[first : first + ASKED_TOGETHER]
            findings = await asyncio.gather(*map(self._responders.status, together))
            is_any_revoked |= any(finding.status is Status.REVOKED for finding in findings)
            await asyncio.sleep(0)
        return is_any_revoked

    def was_revoked_here(self, fingerprint: str) -> bool:
        """Return whether the certificate of this SHA-256 fingerprint (hex) was revoked through Voltgate."""
        return fingerprint in self._here

    async def reload_inventory(self) -> bool:
        """Look at what was revoked here; return whether that has changed. Raises StoreAway."""
        here = await self._inventory.revoked_fingerprints()
        has_changed = here != self._here
        self._here = here
        return has_changed
