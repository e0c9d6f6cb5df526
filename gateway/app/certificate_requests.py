"""The stations' requests for certificates, put together: who may ask for what, who signs it, what is on file."""

import asyncio
from collections.abc import Mapping
from typing import Final

import structlog
from cryptography import x509

from gateway.app.authorities import Authorities
from gateway.app.clock import now
from gateway.app.inventory import Inventory
from gateway.app.tasks import Tasks
from gateway.config import Config
from gateway.services.certificate_words import (
    STATION,
    STATION_CERTIFICATE,
    V2G,
    V2G_20_CERTIFICATE,
    V2G_CERTIFICATE,
    CertificateKind,
    Kinds,
)
from gateway.services.certificates import StationCertificates
from gateway.services.looking import look_once
from gateway.services.overdue_requests import OverdueRequests
from gateway.session.security import SecurityLog
from gateway.session.station import Service
from gateway.store.certificate_requests import CertificateRequests
from gateway.store.certificates import Certificates
from gateway.store.database import Database
from gateway.wire.versions import Version

DECISIONS_POLL: Final = 0.5
"""Seconds between two looks for requests that a person has decided about, while any waits."""

log = structlog.get_logger(__name__)


class RequestDesk:
    """Where stations ask for certificates."""

    def __init__(
        self, config: Config, authorities: Authorities, database: Database, security: SecurityLog, tasks: Tasks
    ) -> None:
        self._on_file = Certificates(database)
        self.requests = CertificateRequests(database)
        self._tasks = tasks
        self.certificates = StationCertificates(
            certificate_kinds(config, authorities),
            self.requests,
            Inventory(self._on_file),
            security,
            operator=config.operator,
            spawn=tasks.spawn,
            revoke=self._revoke,
            now=now,
        )
        self._overdue = OverdueRequests(self.requests, self.certificates.settle_overdue, now=now)

    @property
    def by_action(self) -> Mapping[tuple[Version, str], Service]:
        """SignCertificate, in both versions."""
        return {(version, "SignCertificate"): self.certificates.sign_certificate for version in Version}

    def start(self) -> None:
        """Begin to follow what people decide, and to end what nobody comes for."""
        self._tasks.spawn(self._follow_decisions(), "certificate requests")
        self._tasks.spawn(self._overdue.run(), "overdue certificate requests")

    async def _follow_decisions(self) -> None:
        while True:
            await look_once(self.certificates.follow_decisions, "decisions_not_followed")
            await asyncio.sleep(DECISIONS_POLL)

    async def _revoke(self, serial: str, reason: x509.ReasonFlags, why: str) -> None:
        """Revoke what no station is to use; its authority is told as soon as it can be. Raises StoreAway."""
        await self._on_file.revoke(serial, reason.value, why)


def certificate_kinds(config: Config, authorities: Authorities) -> Kinds:
    """Return what stations may ask for, by certificateType: that of each use that an authority is configured for."""
    uses = dict(config.authority.uses())
    return {
        kind: CertificateKind(
            usage,
            authorities.profile(usage, profile),
            authorities.by_use[usage],
            needs_approval=uses[usage].approval == "operator",
        )
        for kind, usage, profile in (
            (STATION_CERTIFICATE, STATION, None),
            (V2G_CERTIFICATE, V2G, None),
            (V2G_20_CERTIFICATE, V2G, "secc_20"),
        )
        if usage in authorities.by_use
    }
