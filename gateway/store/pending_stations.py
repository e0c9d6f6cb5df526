"""Identities that came without being registered, with what they presented, for a person to approve."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, RowMapping, bindparam, delete, func, insert, select, update

from gateway.session.identity import parse_identity
from gateway.session.pending import PendingStation
from gateway.store import registry
from gateway.store.columns import bounded_text, utc_now
from gateway.store.database import Database
from gateway.store.models import PendingStationRow
from gateway.store.station_rows import version_of, version_text
from gateway.wire.versions import Version

PENDING_MAX: Final = 1000
"""Identities that are kept; a newcomer beyond them replaces none that still comes."""
STAYS_AWAY: Final = timedelta(days=1)
"""Who hasn't come for so long gives its place to a newcomer: made-up identities don't fill the list for good."""
SEEN_EVERY: Final = timedelta(seconds=10)
"""One that comes more often is written down once in this time, unless it presents more: nobody keeps the store busy."""
PRESENTED_MAX: Final = 512
"""Characters kept of each text that was presented."""


_COLUMNS: Final = tuple(PendingStationRow.__table__.columns)
_OF: Final = PendingStationRow.identity == bindparam("of_identity")
_ALL: Final = select(*_COLUMNS).order_by(PendingStationRow.first_seen, PendingStationRow.identity)
_FIND: Final = _ALL.where(_OF)
_COUNT: Final = select(func.count()).select_from(PendingStationRow)
_ADD: Final = insert(PendingStationRow)
_AGAIN: Final = update(PendingStationRow).where(_OF).values(times=PendingStationRow.times + 1)
_AT_LEAST_AS_STRONG: Final = update(PendingStationRow).where(_OF, PendingStationRow.profile <= bindparam("came_with"))
_REMOVE: Final = delete(PendingStationRow).where(_OF)
_COMING: Final = _COUNT.where(PendingStationRow.last_seen >= bindparam("moment"))
_DROP: Final = delete(PendingStationRow).where(PendingStationRow.last_seen < bindparam("moment"))


class PendingStations:
    """The identities that wait for a person. One that is registered is taken out by the registration itself."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

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
        """Write down that an identity came that isn't registered; return False when there is no room for it.

        Raises IdentityRejected, StoreUnavailable.
        """
        parse_identity(identity)
        now = self._clock()
        presented = {
            "remote": bounded_text(remote, PRESENTED_MAX),
            "profile": profile,
            "serial": _bounded(serial),
            "subject": _bounded(subject),
            "fingerprint": _bounded(fingerprint),
            "version": version_text(version),
        }
        key = {"of_identity": identity}
        still_coming = {"moment": now - STAYS_AWAY}
        known, is_room = await self._database.read(lambda connection: _look(connection, key, still_coming))
        if known is None and not is_room:
            return False
        if known is not None and profile <= known.profile and abs(now - known.last_seen) < SEEN_EVERY:
            return True

        def work(connection: Connection) -> bool:
            registry.hold(connection)  # newcomers one after the other: no two find the last room
            if connection.execute(_AGAIN, {**key, "last_seen": now}).rowcount:
                connection.execute(_AT_LEAST_AS_STRONG, {**key, "came_with": profile, **presented})
                return True
            if connection.execute(_COUNT).scalar_one() >= PENDING_MAX:
                connection.execute(_DROP, still_coming)
                if connection.execute(_COUNT).scalar_one() >= PENDING_MAX:
                    return False
            row = {"identity": identity, "first_seen": now, "last_seen": now, "times": 1, **presented}
            connection.execute(_ADD, row)
            return True

        return await self._database.write(work)

    async def list(self) -> Sequence[PendingStation]:
        """Return all in the order in which they first came. Raises StoreUnavailable."""
        rows = await self._database.read(lambda connection: connection.execute(_ALL).mappings().all())
        return [_pending(row) for row in rows]

    async def find(self, identity: str) -> PendingStation | None:
        """Return one, or None. Raises StoreUnavailable."""
        key = {"of_identity": identity}
        row = await self._database.read(lambda connection: connection.execute(_FIND, key).mappings().first())
        return None if row is None else _pending(row)

    async def remove(self, identity: str) -> bool:
        """Forget one; return False when it isn't there. Raises StoreUnavailable."""
        key = {"of_identity": identity}
        return await self._database.write(lambda connection: connection.execute(_REMOVE, key).rowcount) > 0


def _look(
    connection: Connection, key: dict[str, str], still_coming: dict[str, datetime]
) -> tuple[PendingStation | None, bool]:
    row = connection.execute(_FIND, key).mappings().first()
    if row is not None:
        return _pending(row), True
    return None, connection.execute(_COMING, still_coming).scalar_one() < PENDING_MAX


def _bounded(text: str | None) -> str | None:
    return None if text is None else bounded_text(text, PRESENTED_MAX)


def _pending(row: RowMapping) -> PendingStation:
    return PendingStation(**{**row, "version": version_of(row["version"])})
