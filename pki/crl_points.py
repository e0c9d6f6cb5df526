"""The CRLs that certificates name themselves (RFC 5280 4.2.1.13), fetched when a path is asked about.

Where they may lie is the affair of what fetches (attack B2): the guarded fetch with its allow-list.
"""

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from cryptography import x509

from pki.clock import utc_now
from pki.crl import CRL_SIZE_MAX, Crl, distribution_points, parse_crls
from pki.destinations import Destination, DestinationRefused, Target
from pki.fetching import FetchFailed
from pki.ocsp.issuers import responders_of
from pki.revocation import CrlStore, Finding, Status

POINTS_MAX: Final = 32
"""Places whose CRLs are remembered; the one that nobody asked about for the longest time goes first."""
URLS_MAX: Final = 2
"""Of one certificate that are tried, in its order."""
REFRESH: Final = timedelta(hours=1)
"""After which a CRL is fetched again though it holds still."""
WAIT: Final = 5.0
"""Seconds for which one waits; the fetch goes on, and the next look finds its answer."""
FAILURE_HOLDS: Final = 10.0
"""Seconds in which the same isn't fetched again after it has failed."""
TYPES: Final = ("application/pkix-crl", "application/x-pkcs7-crl", "application/octet-stream", "application/x-x509-crl")
"""The one of RFC 5280 4.2.1.13, and those that servers say instead: who signed it is what counts."""


class Fetch(Protocol):
    """What fetches: :class:`pki.fetching.GuardedHttp`."""

    async def fetch(self, url: str, *, expect: Sequence[str], size_max: int) -> bytes:
        """Return what is there. Raises DestinationRefused and FetchFailed."""


@dataclass(frozen=True, slots=True)
class _Fetched:
    """What came of a fetch."""

    at: float
    """When, by the monotonic clock."""
    crls: tuple[Crl, ...]
    """The last ones that came, be it earlier."""
    failure: str
    """Why nothing came this time; empty: something did."""


class CrlPoints:
    """Fulfils :class:`pki.revocation.RevocationSource`. Everything on it is called from the event loop."""

    def __init__(
        self,
        fetch: Fetch,
        *,
        refresh: timedelta = REFRESH,
        wait: float = WAIT,
        clock: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._refresh = refresh.total_seconds()
        self._wait = wait
        self._clock = clock
        self._monotonic = monotonic
        self._crls = CrlStore(clock=clock)
        self._held: OrderedDict[str, _Fetched] = OrderedDict()
        self._fetching: dict[str, asyncio.Task[_Fetched]] = {}

    async def status(self, path: Sequence[x509.Certificate]) -> Finding:
        """Return what the CRLs say that the certificates of ``path`` name, within ``wait`` seconds."""
        named = [urls for certificate in path[:-1] if (urls := crl_urls(certificate))]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._wait):
                await asyncio.gather(*map(self._look, named))
        return self.known(path)

    def known(self, path: Sequence[x509.Certificate]) -> Finding:
        """Return what is known about ``path`` already; fetches nothing."""
        finding = self._crls.known(path)
        if finding.status is not Status.UNKNOWN or len(path) < 2:
            return finding
        urls = crl_urls(path[0])
        if not urls:
            return Finding(Status.UNKNOWN, "it names no CRL")
        if any(url in self._fetching for url in urls):
            return Finding(Status.UNKNOWN, f"its CRL hasn't come within {self._wait:g} s")
        failed = [held.failure for url in urls if (held := self._held.get(url))]
        return Finding(Status.UNKNOWN, next(filter(None, failed), finding.reason))

    async def close(self) -> None:
        """End what is under way."""
        fetching = list(self._fetching.values())
        for task in fetching:
            task.cancel()
        if fetching:
            await asyncio.wait(fetching)

    async def _look(self, urls: Sequence[str]) -> None:
        """Fetch the CRL of one certificate: from the first place that gives it, unless that is known still."""
        for url in urls:
            held = self._recent(url)
            fetched = await asyncio.shield(self._task(url)) if held is None else held
            if not fetched.failure:
                return

    def _recent(self, url: str) -> _Fetched | None:
        """Return what came of the last fetch, unless it is time for another one."""
        held = self._held.get(url)
        if held is None:
            return None
        self._held.move_to_end(url)
        age, now = self._monotonic() - held.at, self._clock()
        if held.failure:
            return held if age < FAILURE_HOLDS else None
        holds = all(crl.next_update is None or now <= crl.next_update for crl in held.crls)
        return held if holds and age < self._refresh else None

    def _task(self, url: str) -> asyncio.Task[_Fetched]:
        task = self._fetching.get(url)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._take(url), name="CRL")
            self._fetching[url] = task
            task.add_done_callback(lambda _: self._fetching.pop(url, None))
        return task

    async def _take(self, url: str) -> _Fetched:
        crls, failure = self._held[url].crls if url in self._held else (), ""
        try:
            data = await self._fetch.fetch(url, expect=TYPES, size_max=CRL_SIZE_MAX)
            crls = tuple(await asyncio.to_thread(parse_crls, data))
        except (DestinationRefused, FetchFailed, ValueError) as error:
            failure = f"its CRL can't be had: {error}"
        fetched = _Fetched(self._monotonic(), crls, failure)
        self._held[url] = fetched
        self._held.move_to_end(url)
        while len(self._held) > POINTS_MAX:
            self._held.popitem(last=False)
        self._crls.replace(crl for held in self._held.values() for crl in held.crls)
        return fetched


def crl_urls(certificate: x509.Certificate) -> list[str]:
    """Return the first places of complete CRLs of the certificate's own issuer that are spoken to in HTTP."""
    urls = [
        name.value
        for point in distribution_points(certificate)
        if point.reasons is None and point.crl_issuer is None
        for name in point.full_name or ()
        if isinstance(name, x509.UniformResourceIdentifier) and name.value.startswith(("http://", "https://"))
    ]
    return urls[:URLS_MAX]


def places_named_by(certificates: Iterable[x509.Certificate]) -> list[Destination]:
    """Return the hosts at which the CRLs and OCSP responders of these certificates are: an allow-list of them."""
    places = []
    for certificate in certificates:
        for url in (*crl_urls(certificate), *responders_of(certificate)):
            try:
                target = Target.parse(url)
            except DestinationRefused:
                continue
            places.append(Destination(target.host, target.port, target.scheme))
    return list(dict.fromkeys(places))
