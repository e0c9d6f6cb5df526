"""The upgrades of the stations' security profiles: each station's one that is under way, or its last."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, bindparam, false, insert, select, true, update

from gateway.session.upgrades import UpgradeOver, UpgradeRecord, UpgradeUnderWay
from gateway.store.columns import bounded_text, from_json_text, json_text, utc_now
from gateway.store.database import Database
from gateway.store.models import Station, UpgradeRow
from gateway.store.stations import NotRegistered

STEP_MAX: Final = 64
"""Characters kept of a step's name."""
DETAIL_MAX: Final = 512
"""Characters kept of an upgrade's detail."""

_OF: Final = UpgradeRow.identity == bindparam("of_identity")
_ALL: Final = select(*UpgradeRow.__table__.columns).order_by(UpgradeRow.started_at, UpgradeRow.identity)
_FIND: Final = _ALL.where(_OF)
_UNFINISHED: Final = _ALL.where(UpgradeRow.is_over == false())
_LOCK: Final = update(Station).where(Station.identity == bindparam("of_identity")).values(epoch=Station.epoch)
_BEGIN: Final = insert(UpgradeRow)
_REPLACE: Final = update(UpgradeRow).where(_OF)
_OPEN: Final = _REPLACE.where(UpgradeRow.is_over == false())
_SAVE: Final = _OPEN.where(UpgradeRow.started_at == bindparam("of_start"))
_CANCEL: Final = _OPEN.values(is_over=true())


class Upgrades:
    """The upgrades of all stations; a removed station's goes with it."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def begin(self, record: UpgradeRecord) -> None:
        """Keep a new upgrade in the place of the station's last one.

        Raises UpgradeUnderWay when that one isn't over, NotRegistered (a KeyError), StoreUnavailable.
        """
        row = _row(record)
        key = {"of_identity": record.identity}

        def work(connection: Connection) -> None:
            # The station's row is locked first: of two that begin at once, one finds the other's.
            if connection.execute(_LOCK, key).rowcount == 0:
                raise NotRegistered(record.identity)
            last = connection.execute(_FIND, key).mappings().first()
            if last is None:
                connection.execute(_BEGIN, row)
            elif last["is_over"]:
                connection.execute(_REPLACE, {**row, **key})
            else:
                raise UpgradeUnderWay(_record(last))

        await self._database.write(work)

    async def find(self, identity: str) -> UpgradeRecord | None:
        """Return the station's upgrade that is under way or was the last, or None. Raises StoreUnavailable."""
        key = {"of_identity": identity}
        row = await self._database.read(lambda connection: connection.execute(_FIND, key).mappings().first())
        return None if row is None else _record(row)

    async def unfinished(self) -> Sequence[UpgradeRecord]:
        """Return the upgrades that aren't over, in the order in which they began. Raises StoreUnavailable."""
        rows = await self._database.read(lambda connection: connection.execute(_UNFINISHED).mappings().all())
        return [_record(row) for row in rows]

    async def save(self, record: UpgradeRecord) -> None:
        """Keep an upgrade as it is now, durable on return.

        Raises UpgradeOver when it was cancelled, replaced or removed with its station; StoreUnavailable.
        """
        values = {**_row(record), "of_identity": record.identity, "of_start": record.started_at}
        if await self._database.write(lambda connection: connection.execute(_SAVE, values).rowcount) == 0:
            raise UpgradeOver(record.identity)

    async def cancel(self, identity: str, detail: str) -> bool:
        """End the station's upgrade where it stands; return False when none is under way. Raises StoreUnavailable."""
        values = {
            "of_identity": identity,
            "detail": bounded_text(detail, DETAIL_MAX),
            "changed_at": self._clock(),
        }
        return await self._database.write(lambda connection: connection.execute(_CANCEL, values).rowcount) > 0


def _row(record: UpgradeRecord) -> dict[str, Any]:
    row = {column.key: getattr(record, column.key) for column in UpgradeRow.__table__.columns}
    return row | {
        "step": bounded_text(record.step, STEP_MAX),
        "detail": bounded_text(record.detail, DETAIL_MAX),
        "data": json_text(record.data),
    }


def _record(row: RowMapping) -> UpgradeRecord:
    return UpgradeRecord(**{**row, "data": from_json_text(row["data"])})
