"""What changes beside the running gateway: the registry, what is revoked, the certificates on disk."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from gateway.app.listeners import StationListener
from gateway.app.revocations import Revocations
from gateway.edge.station_certificates import StationCertificateCheck
from gateway.services.looking import look_once
from gateway.session.directory import Directory
from gateway.session.ports import StationRecord
from gateway.session.standing import why_not_any_more
from gateway.session.station import Station
from gateway.store.stations import Stations

REGISTRY_POLL: Final = 0.5
"""Seconds between two looks for changes that another process made to the registry."""
CERTIFICATES_POLL: Final = 2.0
"""Seconds between two looks at the certificates and roots of the listeners."""
START_WAIT: Final = 5.0
"""Seconds for which the start waits for CRLs. Those that come later are applied to whoever is in by then."""
UNREAD_POLL: Final = 5.0
"""Seconds between two looks at CRLs that have never been read, where ``revocation.refresh`` is longer."""
LATECOMERS_AFTER: Final = 30.0
"""Seconds for which a change is applied to each who comes in, and after which it is once more to all: they may have
been admitted by what was known before it."""
NOT_ADMITTED_ANY_MORE: Final = 1008
"""Close code towards a station that may not have its session any more."""
BATCH: Final = 50
"""Sessions that are looked at before others have their turn."""

FAILED: Final = "following_failed"
"""What the log says of a look in which there is a defect: what is revoked later must not go unnoticed for it."""

log = structlog.get_logger(__name__)


class Following:
    """Cuts sessions that may not go on, and keeps the listeners up to date."""

    def __init__(  # noqa: PLR0913 - a seam of the composition root: all that it follows, and whom it tells
        self,
        *,
        stations: Stations,
        directory: Directory,
        listeners: Sequence[StationListener],
        revocations: Revocations,
        expel: Callable[[Station], Awaitable[None]],
        follow: Callable[[StationRecord], None],
        move_on: Callable[[], None],
        refresh_every: float,
    ) -> None:
        """``refresh_every``: seconds between two looks at the CRLs. ``expel`` takes a removed station apart.

        ``follow(record)`` hears what the registry says of a station whose session goes on; ``move_on()`` is called
        again and again, to move those to another backend that may be moved by now.
        """
        self._stations = stations
        self._directory = directory
        self._listeners = listeners
        self._revocations = revocations
        self._expel = expel
        self._follow = follow
        self._move_on = move_on
        self._refresh_every = refresh_every
        self._seen = -1
        """The revision that was applied last."""
        self._again_at = float("inf")
        """When, in the loop's time, it is applied once more."""
        self._news_until = float("-inf")
        """Until when, in the loop's time, those who come in are looked at."""
        self._tolerates_expiry = False

    async def prepare(self) -> None:
        """Learn what is revoked, and who is allowed what, before the first station comes in. Raises StoreAway."""
        # Asked first: what changes while the rest is read is applied once more, and not missed.
        self._seen = await self._stations.revision()
        await self._revocations.reload_inventory()
        try:
            async with asyncio.timeout(START_WAIT):
                await self._revocations.refresh_all()
        except TimeoutError:
            log.warning("start_without_crls", waited=START_WAIT)
        await self._look_for_exceptions()

    async def follow_registry(self) -> None:
        """Apply changes of the registry and of the certificates, for ever."""
        while True:
            await asyncio.sleep(REGISTRY_POLL)
            await look_once(self._look_at_registry, FAILED, what="registry")
            await look_once(self._look_at_moves, FAILED, what="moves")

    async def follow_crls(self) -> None:
        """Look at the CRLs and ask the responders again and again, for ever. A source that hangs holds up no other."""
        async with asyncio.TaskGroup() as sources:
            if self._revocations.asks_responders:
                sources.create_task(self._follow_responders(), name="responders")
            for source in self._revocations.sources:
                sources.create_task(self._follow_crl(source), name=f"CRLs of {source}")

    async def _follow_crl(self, source: str) -> None:
        while True:
            is_read = self._revocations.is_read(source)
            await asyncio.sleep(self._refresh_every if is_read else min(self._refresh_every, UNREAD_POLL))
            await look_once(functools.partial(self._look_at_crl, source), FAILED, what="CRLs")

    async def _follow_responders(self) -> None:
        while True:
            await asyncio.sleep(self._refresh_every)
            await look_once(self._ask_responders, FAILED, what="responders")

    async def follow_certificates(self) -> None:
        """Take over certificates, keys and roots that were replaced on disk, for ever."""
        while True:
            await asyncio.sleep(CERTIFICATES_POLL)
            for listener in self._listeners:
                await look_once(listener.reload, FAILED, what="certificates")

    @property
    def has_news(self) -> bool:
        """True while there may be newcomers that were admitted by what was known before the last change."""
        return asyncio.get_running_loop().time() < self._news_until

    def expect_latecomers(self) -> None:
        """Something changed that newcomers may have been admitted by: each is looked at again for a while."""
        self._news_until = asyncio.get_running_loop().time() + LATECOMERS_AFTER

    async def look_at(self, station: Station) -> None:
        """Apply to one that has just come in what changed while it was being admitted."""

        async def look() -> None:
            await self._check_certificate(station)
            await self._check_record(station)

        await look_once(look, FAILED, what="newcomer")

    async def _look_at_moves(self) -> None:
        self._move_on()

    async def _look_at_registry(self) -> None:
        now = asyncio.get_running_loop().time()
        revision = await self._stations.revision()
        if revision == self._seen and now < self._again_at:
            return
        self._again_at = float("inf")
        if revision != self._seen:
            self._news_until = now + LATECOMERS_AFTER
        try:
            await self._apply()
        except Exception:
            self._again_at = now
            raise
        if revision != self._seen:
            self._seen, self._again_at = revision, now + LATECOMERS_AFTER

    async def _look_at_crl(self, source: str) -> None:
        if await self._revocations.refresh(source):
            self.expect_latecomers()
            await self._cut_revoked()
            self._again_at = asyncio.get_running_loop().time() + LATECOMERS_AFTER

    async def _ask_responders(self) -> None:
        """About all that are connected; whose answer came too late for the door is found here, too."""
        paths = {station.proof.path for station in self._directory if station.is_connected and station.proof.path}
        if await self._revocations.ask_again(paths):
            self.expect_latecomers()
            await self._cut_revoked()

    async def _apply(self) -> None:
        await self._revocations.reload_inventory()
        await self._look_for_exceptions()
        await self._cut_revoked()
        await self._recheck()

    async def _look_for_exceptions(self) -> None:
        tolerate = await self._stations.any_allows_expired()
        if tolerate is not self._tolerates_expiry:
            # Whoever has such a certificate hears 401 now, and not in the handshake that it has expired.
            log.info("expired_certificates_reach_the_door", allowed=tolerate)
            self._tolerates_expiry = tolerate
        for listener in self._listeners:
            listener.tolerate_expiry(tolerate=tolerate)

    async def _cut_revoked(self) -> None:
        for number, station in enumerate(self._directory):
            await self._check_certificate(station)
            if number % BATCH == BATCH - 1:
                await asyncio.sleep(0)

    async def _recheck(self) -> None:
        """Cut the sessions of stations that may not have theirs any more."""
        for station in self._directory:
            await self._check_record(station)

    async def _check_certificate(self, station: Station) -> None:
        check = self._check
        if check is not None and station.is_connected and station.proof.path:
            why = await check.still_good(station.proof.path)
            if why is not None:
                _cut(station, why, "the certificate was revoked")

    async def _check_record(self, station: Station) -> None:
        record = await self._stations.find(station.identity)
        if record is None:
            _cut(station, "removed", "not registered any more")
            await self._expel(station)
        elif station.is_connected and (why := why_not_any_more(record, station.proof, station.version)):
            _cut(station, why, why)
        elif why := await self._why_of_another(station):
            _cut(station, why, "the certificate is another station's")
        else:
            self._follow(record)

    async def _why_of_another(self, station: Station) -> str | None:
        check = self._check
        if check is None or not station.is_connected or not station.proof.path:
            return None
        return await check.why_of_another(station.identity, station.proof.path)

    @property
    def _check(self) -> StationCertificateCheck | None:
        """That of any listener: what is asked here is the same for all."""
        return next((listener.check for listener in self._listeners if listener.check is not None), None)


def _cut(station: Station, reason: str, words: str) -> None:
    log.warning("session_cut", identity=station.identity, reason=reason)
    station.cut(NOT_ADMITTED_ANY_MORE, words)
