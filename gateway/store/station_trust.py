"""What the stations trust, as they have said themselves, and how far each is from what it should."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, bindparam, func, insert, select, update

from gateway.session.trust import StationTrust
from gateway.store.columns import from_json_text, json_text, utc_now
from gateway.store.database import Database
from gateway.store.models import Station, StationTrustRow

_OF: Final = StationTrustRow.identity == bindparam("of_identity")
_ALL: Final = select(*StationTrustRow.__table__.columns).order_by(StationTrustRow.identity)
_FIND: Final = _ALL.where(_OF)
_LOCK: Final = update(Station).where(Station.identity == bindparam("of_identity")).values(epoch=Station.epoch)
_ADD: Final = insert(StationTrustRow)
_REPLACE: Final = update(StationTrustRow).where(_OF)
_COUNT: Final = select(StationTrustRow.is_settled, func.count()).group_by(StationTrustRow.is_settled)


class StationTrusts:
    """One row for each station that was visited; a removed station's goes with it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, identity: str) -> StationTrust | None:
        """Return what is known of a station, or None. Raises StoreUnavailable."""
        key = {"of_identity": identity}
        row = await self._database.read(lambda connection: connection.execute(_FIND, key).mappings().first())
        return None if row is None else _trust(row)

    async def all(self) -> Sequence[StationTrust]:
        """Return what is known of all stations, by identity. Raises StoreUnavailable."""

        def work(connection: Connection) -> list[StationTrust]:
            # Read from JSON where the reading is: not on the event loop.
            return [_trust(row) for row in connection.execute(_ALL).mappings()]

        return await self._database.read(work)

    async def counts(self) -> tuple[int, int]:
        """Return how many have what they should, and how many have not. Raises StoreUnavailable."""
        rows = await self._database.read(lambda connection: connection.execute(_COUNT).all())
        found = {bool(is_settled): int(count) for is_settled, count in rows}
        return found.get(True, 0), found.get(False, 0)

    async def save(self, trust: StationTrust) -> None:
        """Keep it, durable on return; a station that isn't registered any more is passed over.

        Raises StoreUnavailable.
        """
        key = {"of_identity": trust.identity}
        row = _row(trust)

        def work(connection: Connection) -> None:
            if connection.execute(_LOCK, key).rowcount and not connection.execute(_REPLACE, {**row, **key}).rowcount:
                connection.execute(_ADD, row)

        await self._database.write(work)


def _row(trust: StationTrust) -> dict[str, Any]:
    return {
        "identity": trust.identity,
        "content": json_text(trust.content()),
        "is_settled": trust.is_settled,
        "changed_at": trust.changed_at or utc_now(),
    }


def _trust(row: RowMapping) -> StationTrust:
    return StationTrust.read(
        row["identity"], from_json_text(row["content"]), is_settled=row["is_settled"], changed_at=row["changed_at"]
    )
