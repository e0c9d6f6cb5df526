"""Identities that come without being registered, kept for an operator to approve (`onboarding: record`)."""

from collections.abc import Mapping
from typing import Final, Protocol

import structlog

from gateway.app.tasks import Tasks
from gateway.session.ports import StoreAway
from gateway.wire.versions import Version

WAITING_MAX: Final = 100
"""Notes that wait to be written; a flood of identities is cut there, and the store is bounded besides."""

log = structlog.get_logger(__name__)


class PendingBook(Protocol):
    """Where they are kept (``store.pending_stations``)."""

    async def seen(
        self,
        identity: str,
        *,
        remote: str,
        profile: int,
        serial: str | None = None,
        subject: str | None = None,
        fingerprint: str | None = None,
        version: Version | None = None,
    ) -> bool:
        """Write one down; False when there is no room. Raises StoreAway."""


class Onboarding:
    """Fulfils ``edge.proofs.Pending``: lets nobody in, and makes nobody wait."""

    def __init__(self, book: PendingBook, tasks: Tasks) -> None:
        self._book = book
        self._tasks = tasks
        self._waiting = 0

    def note_pending(self, identity: str, presented: Mapping[str, str], remote: str) -> None:
        """Write down that ``identity`` came, with what it presented, when there is time."""
        if self._waiting < WAITING_MAX:
            self._waiting += 1
            self._tasks.spawn(self._write(identity, presented, remote), f"pending station {identity}")

    async def _write(self, identity: str, presented: Mapping[str, str], remote: str) -> None:
        try:
            is_kept = await self._book.seen(
                identity,
                remote=remote,
                profile=_profile(presented),
                serial=presented.get("certificate_name"),
                subject=presented.get("certificate_subject"),
                fingerprint=presented.get("certificate_fingerprint"),
                version=_version(presented),
            )
            if not is_kept:
                log.warning("pending_stations_full", identity=identity)
        except StoreAway as away:
            log.error("pending_station_not_kept", identity=identity, reason=str(away))  # noqa: TRY400 - the text says it
        finally:
            self._waiting -= 1


def _profile(presented: Mapping[str, str]) -> int:
    """Return the security profile that it came with: certificate, TLS, or neither."""
    if "certificate_subject" in presented:
        return 3
    return 2 if "tls" in presented else 1


def _version(presented: Mapping[str, str]) -> Version | None:
    """Return the OCPP version that it offered first, of those that are spoken here."""
    spoken = {version.subprotocol: version for version in Version}
    return next((spoken[name] for name in presented.get("offered", "").split(", ") if name in spoken), None)
