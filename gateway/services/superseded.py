"""Revokes the certificates that a newer one has replaced, when there is no way back to them any more."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from gateway.services.clock_watch import ClockWatch
from gateway.services.looking import look_once

LOOK_EVERY: Final = 300.0
"""Seconds between two looks. All sessions are looked at after each that finds something: so it is seldom."""
BATCH: Final = 100
"""Certificates that are revoked in one SQL transaction: other writers wait for no more than that."""

log = structlog.get_logger(__name__)


class Superseded(Protocol):
    """The inventory, as far as this goes."""

    async def revoke_superseded(self, since: datetime, at_most: int) -> int:
        """Revoke those that are superseded since then or longer; return how many. Raises StoreAway."""


class SupersededRevocation:
    """The end of a replaced certificate.

    The grace lets a station that can't connect with its new certificate fall back to the old one (OCPP 2.0.1 A02.FR.28,
    errata 2025-09): it is in use again then, and isn't revoked. Revoked is for good: for an hour after the machine's
    clock has jumped nothing is.
    """

    def __init__(
        self,
        inventory: Superseded,
        *,
        after: timedelta,
        now: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
        revoked: Callable[[], None] = lambda: None,
    ) -> None:
        """``revoked()`` hears that some were."""
        self._inventory = inventory
        self._after = after
        self._now = now
        self._clock = ClockWatch(now, monotonic)
        self._revoked = revoked

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self._look()
            await asyncio.sleep(LOOK_EVERY)

    async def _look(self) -> None:
        if count := await look_once(self.revoke_due, "superseded_not_revoked"):
            log.info("superseded_revoked", count=count)
            self._revoked()

    async def revoke_due(self) -> int:
        """Revoke those whose grace is over, and return how many there were. Raises StoreAway."""
        if not self._clock.is_steady():
            return 0
        count = 0
        while batch := await self._inventory.revoke_superseded(self._now() - self._after, BATCH):
            count += batch
        return count
