"""CRLs that the operator names, or that authorities give: read, and read again."""

import asyncio
import functools
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import aiohttp
import structlog

from gateway.app.clock import now
from pki.authority import AuthorityError
from pki.crl import CRL_SIZE_MAX, Crl, parse_crls
from pki.fetching import TooLarge, reason_of, take_at_most
from pki.revocation import CrlStore

FETCH_TIMEOUT: Final = aiohttp.ClientTimeout(total=20.0)
"""Seconds in which a CRL must have come."""
OWN_TIMEOUT: Final = 20.0
"""Seconds in which an authority must have given its own; it may have several nodes to try."""

log = structlog.get_logger(__name__)


class CrlUnavailable(Exception):
    """A CRL can't be read or fetched now; the text says which and why."""


class CrlSources:
    """Keeps ``crls`` up to date. What a source said last holds until that itself expires, should it be away later."""

    def __init__(
        self, own: Mapping[str, Callable[[], Awaitable[bytes]]], sources: Sequence[str], crls: CrlStore
    ) -> None:
        """``own``: what gives the CRLs of the operator's own authorities, by name; ``sources``: files and URLs."""
        self.crls = crls
        self._readers: dict[str, Callable[[], Awaitable[bytes]]] = {
            **{name: functools.partial(_own, crl) for name, crl in own.items()},
            **{source: functools.partial(_read, source) for source in sources},
        }
        self._complaints: dict[str, str] = {}
        """By source: what is wrong with it now, as it was logged."""
        self._read: dict[str, tuple[bytes, list[Crl]]] = {}
        """By source: the digest of what was read last, and the CRLs in it."""

    @property
    def sources(self) -> Sequence[str]:
        """The names of all sources."""
        return tuple(self._readers)

    def is_read(self, source: str) -> bool:
        """Return whether this source has ever said anything."""
        return source in self._read

    async def refresh_all(self) -> bool:
        """Look at all sources, side by side; return whether any CRL has changed."""
        return any(await asyncio.gather(*map(self.refresh, self._readers)))

    async def refresh(self, source: str) -> bool:
        """Look at one source; return whether its CRLs have changed. If it fails, that is logged, its last word kept."""
        has_changed = await self._look(source, self._readers[source])
        if has_changed:
            self.crls.replace([crl for _, crls in self._read.values() for crl in crls])
        return has_changed

    async def _look(self, source: str, read: Callable[[], Awaitable[bytes]]) -> bool:
        try:
            data = await read()
            digest = hashlib.sha256(data).digest()
            if source in self._read and self._read[source][0] == digest:
                self._complain(source, _stale(self._read[source][1]))
                return False
            crls = await asyncio.to_thread(parse_crls, data)
        except (CrlUnavailable, ValueError) as error:
            self._complain(source, str(error))
            return False
        self._read[source] = digest, crls
        self._complain(source, _stale(crls))
        log.debug("crl_read", source=source, crls=len(crls))
        return True

    def _complain(self, source: str, reason: str) -> None:
        """Log what is wrong with a source, once for as long as it is the same; nothing is wrong with an empty one."""
        if reason != self._complaints.get(source, ""):
            holds = "what it said last" if source in self._read else "nothing: it has not been read yet"
            if reason:
                log.error("crl_unavailable", source=source, reason=reason, holds=holds)
            else:
                log.info("crl_available_again", source=source)
        self._complaints[source] = reason


def _stale(crls: Sequence[Crl]) -> str:
    """Return what is wrong with the dates of a source's CRLs: empty, but for those that are over."""
    over = [crl for crl in crls if crl.next_update is not None and crl.next_update < now()]
    if not over:
        return ""
    until = over[0].next_update
    return f"{over[0].label} is stale since {until}: it calls nobody good any more; have its CA issue a new one"


async def _own(crl: Callable[[], Awaitable[bytes]]) -> bytes:
    """Ask an authority. Raises :class:`CrlUnavailable`."""
    try:
        async with asyncio.timeout(OWN_TIMEOUT):
            return await crl()
    except TimeoutError:
        raise CrlUnavailable(f"no answer within {OWN_TIMEOUT:g} s") from None
    except AuthorityError as error:
        raise CrlUnavailable(str(error)) from None


async def _read(source: str) -> bytes:
    """Read a file, or fetch a URL, of bounded size. Raises :class:`CrlUnavailable`."""
    if "://" in source:
        return await _fetch(source)
    try:
        data = await asyncio.to_thread(_read_file, Path(source))
    except OSError as error:
        raise CrlUnavailable(f"{source}: {error.strerror}") from None
    if len(data) > CRL_SIZE_MAX:
        raise _too_large(source)
    return data


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
            return await take_at_most(response.content, CRL_SIZE_MAX)
    except TooLarge:
        raise _too_large(url) from None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise CrlUnavailable(f"{url}: {reason_of(error)}") from None


def _too_large(source: str) -> CrlUnavailable:
    return CrlUnavailable(f"{source} has more than {CRL_SIZE_MAX} bytes")
