"""Ends the stations' requests for certificates that nobody comes back for; what was issued for them is revoked."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol

import structlog

from gateway.services.certificate_delivery import DELIVERED_WITHIN
from gateway.services.certificate_flows import DECIDED_WITHIN, SIGNED_WITHIN
from gateway.services.clock_watch import ClockWatch
from gateway.services.looking import look_once
from gateway.session.certificate_requests import CertificateRequest, RequestState
from gateway.session.ports import StoreAway

LOOK_EVERY: Final = 3600.0
"""Seconds between two looks, and before the first: a clock that was wrong at the start may be set right until then."""
BATCH: Final = 100
"""Requests that are read at a time."""
WITHIN: Final = {
    RequestState.WAITING: DECIDED_WITHIN,
    RequestState.REQUESTED: SIGNED_WITHIN,
    RequestState.ISSUED: DELIVERED_WITHIN,
}
"""How long a request may be in each state that isn't an end."""

log = structlog.get_logger(__name__)


class OverdueBook(Protocol):
    """The requests on file, as far as this goes."""

    async def overdue(
        self, since: Mapping[RequestState, datetime], *, after: int, at_most: int
    ) -> Sequence[CertificateRequest]:
        """Return some that are in such a state since then or longer, numbered above ``after``. Raises StoreAway."""


class OverdueRequests:
    """The end of what a station asked for and never came back for.

    While it is connected its flow sees to it. Revoked is for good: for an hour after the machine's clock has jumped
    nothing is.
    """

    def __init__(
        self,
        book: OverdueBook,
        settle: Callable[[CertificateRequest], Awaitable[bool]],
        *,
        now: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``await settle(request)`` ends one; False: its flow is at it. It raises StoreAway."""
        self._book = book
        self._settle = settle
        self._now = now
        self._clock = ClockWatch(now, monotonic)
        self._sleep = sleep

    async def run(self) -> None:
        """Look for ever."""
        self._clock.is_steady()
        while True:
            await self._sleep(LOOK_EVERY)
            if count := await look_once(self.end_overdue, "overdue_requests_failed"):
                log.info("certificate_requests_overdue", count=count)

    async def end_overdue(self) -> int:
        """End those whose time is over, and return how many there were. Raises StoreAway."""
        if not self._clock.is_steady():
            return 0
        since = {state: self._now() - within for state, within in WITHIN.items()}
        count = last = 0
        while batch := await self._book.overdue(since, after=last, at_most=BATCH):
            for request in batch:
                count += await self._end(request)
            last = batch[-1].id
        return count

    async def _end(self, request: CertificateRequest) -> bool:
        """End one; a defect there keeps back no other."""
        try:
            return await self._settle(request)
        except StoreAway:
            raise
        except Exception:
            log.exception("certificate_request_stays", identity=request.identity, request=request.id)
            return False
