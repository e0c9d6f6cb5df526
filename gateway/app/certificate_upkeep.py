"""What goes on in the inventory by itself: what was superseded is revoked, authorities are told, all is counted."""

import asyncio
from datetime import timedelta
from typing import Final

import structlog

from gateway.app.authorities import Authorities
from gateway.app.clock import now
from gateway.app.tasks import Tasks
from gateway.config import Config
from gateway.services.authority_notices import AuthorityNotices
from gateway.services.looking import look_once
from gateway.services.superseded import SupersededRevocation
from gateway.store.certificate_census import Census, CertificateCensus
from gateway.store.certificate_outbox import RevocationOutbox
from gateway.store.certificate_records import CertificateRecord
from gateway.store.database import Database

CENSUS_EVERY: Final = 60.0
"""Seconds between two counts of the inventory."""

log = structlog.get_logger(__name__)


class CertificateUpkeep:
    """The tasks of the inventory."""

    def __init__(self, config: Config, database: Database, authorities: Authorities) -> None:
        outbox = RevocationOutbox(database)
        self.notices = AuthorityNotices[CertificateRecord](outbox, authorities)
        self.superseded = SupersededRevocation(
            outbox,
            after=timedelta(seconds=config.revocation.superseded_after),
            now=now,
            revoked=self.notices.soon,
        )
        self.census = Census()
        """What was counted last."""
        self._counting = CertificateCensus(database)

    def start(self, tasks: Tasks) -> None:
        """Begin."""
        tasks.spawn(self.superseded.run(), "superseded certificates")
        tasks.spawn(self.notices.run(), "authority notices")
        tasks.spawn(self._count(), "certificate census")

    async def _count(self) -> None:
        while True:
            self.census = await look_once(self._counting.take, "census_failed") or self.census
            await asyncio.sleep(CENSUS_EVERY)
