"""Which certificates are revoked: those that were revoked here, and those on the CRLs that the operator names."""

import asyncio
import functools
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

import aiohttp
import structlog

from pki.authority import AuthorityError
from pki.crl import CRL_SIZE_MAX, Crl, parse_crls
from pki.revocation import CrlStore

FETCH_TIMEOUT: Final = aiohttp.ClientTimeout(total=20.0)
"""Seconds in which a CRL must have come."""

log = structlog.get_logger(__name__)


class RevokedHere(Protocol):
    """The inventory, as far as revocation goes."""

    async def revoked_fingerprints(self) -> frozenset[str]:
        """Return the SHA-256 fingerprints of all certificates that were revoked here, in hex."""


class CrlUnavailable(Exception):
    """A CRL can't be read or fetched now; the text says which and why."""


class Revocations:
    """Keeps ``crls`` up to date. What a source said last holds until that itself expires, should it be away later."""

    def __init__(
        self, inventory: RevokedHere, own_crl: Callable[[], Awaitable[bytes]], sources: Sequence[str], crls: CrlStore
    ) -> None:
        self.crls = crls
        self._inventory = inventory
        self._own_crl = own_crl
        self._readers: dict[str, Callable[[], Awaitable[bytes]]] = {
            "the authority's own": self._own,
            **{source: functools.partial(_read, source) for source in sources},
        }
        self._read: dict[str, tuple[bytes, list[Crl]]] = {}
        """By source: the digest of what was read last, and the CRLs in it."""
        self._here: frozenset[str] = frozenset()

    def was_revoked_here(self, fingerprint: str) -> bool:
        """Return whether the certificate of this SHA-256 fingerprint (hex) was revoked through Voltgate."""
        return fingerprint in self._here

    async def reload_inventory(self) -> bool:
        """Look at what was revoked here; return whether that has changed. Raises StoreAway."""
        here = await self._inventory.revoked_fingerprints()
        has_changed = here != self._here
        self._here = here
        return has_changed

    @property
    def sources(self) -> Sequence[str]:
        """The names of all sources."""
        return tuple(self._readers)

    async def refresh_all(self) -> bool:
        """Look at all sources, side by side; return whether any CRL has changed."""
        return any(await asyncio.gather(*map(self.refresh, self._readers)))

    async def refresh(self, source: str) -> bool:
        """Look at one source; return whether its CRLs have changed. If it fails, that is logged, its last word kept."""
        has_changed = await self._look(source, self._readers[source])
        if has_changed:
            self.crls.replace([crl for _, crls in self._read.values() for crl in crls])
        return has_changed

    async def _own(self) -> bytes:
        try:
            return await self._own_crl()
        except AuthorityError as error:
            raise CrlUnavailable(str(error)) from None

    async def _look(self, source: str, read: Callable[[], Awaitable[bytes]]) -> bool:
        try:
            data = await read()
            digest = hashlib.sha256(data).digest()
            if source in self._read and self._read[source][0] == digest:
                return False
            crls = await asyncio.to_thread(parse_crls, data)
        except (CrlUnavailable, ValueError) as error:
            holds = "what it said last" if source in self._read else "nothing: it has not been read yet"
            log.error("crl_unavailable", source=source, reason=str(error), holds=holds)  # noqa: TRY400 - it says it all
            return False
        self._read[source] = digest, crls
        log.debug("crl_read", source=source, crls=len(crls))
        return True


async def _read(source: str) -> bytes:
    """Read a file, or fetch a URL, of bounded size. Raises :class:`CrlUnavailable`."""
    if "://" in source:
        return await _fetch(source)
    try:
        data = await asyncio.to_thread(_read_file, Path(source))
    except OSError as error:
        raise CrlUnavailable(f"{source}: {error.strerror}") from None
    return _bounded(source, data)


def _read_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(CRL_SIZE_MAX + 1)


async def _fetch(url: str) -> bytes:
    # The operator's own URL, never one out of a certificate (attack B2): so it goes nowhere else either.
    try:
        async with (
            aiohttp.ClientSession(timeout=FETCH_TIMEOUT) as session,
            session.get(url, allow_redirects=False) as response,
        ):
            if response.status != 200:
                raise CrlUnavailable(f"{url} answered {response.status}")
            return _bounded(url, await _take(response.content))
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise CrlUnavailable(f"{url}: {str(error) or type(error).__name__}") from None


async def _take(content: aiohttp.StreamReader) -> bytes:
    data = bytearray()
    async for chunk in content.iter_chunked(65_536):
        data += chunk
        if len(data) > CRL_SIZE_MAX:
            break
    return bytes(data)


def _bounded(source: str, data: bytes) -> bytes:
    if len(data) > CRL_SIZE_MAX:
        raise CrlUnavailable(f"{source} has more than {CRL_SIZE_MAX} bytes")
    return data
