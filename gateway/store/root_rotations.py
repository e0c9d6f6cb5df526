"""Rotations of the CSMS root: one that is under way at most, and those that are over."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, bindparam, insert, select, update

from gateway.session.trust import NoRotation, RootRotation, RotationState, RotationUnderWay
from gateway.store.columns import from_json_text, json_text, utc_now
from gateway.store.database import Database
from gateway.store.models import Registry, RootRotationRow

_ALL: Final = select(*RootRotationRow.__table__.columns).order_by(RootRotationRow.id.desc())
_OPEN: Final = _ALL.where(RootRotationRow.state == RotationState.OPEN.value)
_LOCK: Final = update(Registry).values(revision=Registry.revision)
_ADD: Final = insert(RootRotationRow).returning(RootRotationRow.id)
_CHANGE: Final = (
    update(RootRotationRow)
    .where(RootRotationRow.id == bindparam("of_id"), RootRotationRow.state == RotationState.OPEN.value)
    .values(state=bindparam("state"), content=bindparam("content"), changed_at=bindparam("changed_at"))
)


class RootRotations:
    """The rotations, begun and ended by commands, read again and again by a running gateway."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def begin(
        self, *, old_pem: str, new_pem: str, cross_pem: str | None, identity: str | None, group: str | None
    ) -> RootRotation:
        """Keep a new one, durable on return. Raises RotationUnderWay, StoreUnavailable."""
        now = self._clock()
        blank = RootRotation(0, old_pem, new_pem, cross_pem, identity, group, now, now)
        row = {
            "state": blank.state.value,
            "content": json_text(blank.content()),
            "started_at": now,
            "changed_at": now,
        }

        def work(connection: Connection) -> RootRotation:
            # One row that is always there is locked first: of two that begin at once, one finds the other's.
            connection.execute(_LOCK)
            if connection.execute(_OPEN).first() is not None:
                raise RotationUnderWay("a rotation is under way (voltgate trust rotation); end or abort it first")
            number: int = connection.execute(_ADD, row).scalar_one()
            return _rotation({**row, "id": number})

        return await self._database.write(work)

    async def open(self) -> RootRotation | None:
        """Return the one that is under way, or None. Raises StoreUnavailable."""
        row = await self._database.read(lambda connection: connection.execute(_OPEN).mappings().first())
        return None if row is None else _rotation(row)

    async def last(self) -> RootRotation | None:
        """Return the one that is under way or was the last, or None. Raises StoreUnavailable."""
        row = await self._database.read(lambda connection: connection.execute(_ALL).mappings().first())
        return None if row is None else _rotation(row)

    async def exclude(self, identity: str) -> RootRotation:
        """Wait for this station no longer. Raises NoRotation, StoreUnavailable."""
        return await self._change(RotationState.OPEN, lambda rotation: rotation.without(identity))

    async def end(self, number: int | None, state: RotationState) -> RootRotation:
        """End the one that is under way: ``number`` alone, unless it is None. Raises NoRotation, StoreUnavailable."""
        return await self._change(state, lambda rotation: rotation, number)

    async def _change(
        self, state: RotationState, change: Callable[[RootRotation], RootRotation], number: int | None = None
    ) -> RootRotation:
        now = self._clock()

        def work(connection: Connection) -> RootRotation:
            connection.execute(_LOCK)
            row = connection.execute(_OPEN).mappings().first()
            if row is None or number not in {None, row["id"]}:
                raise NoRotation("no rotation of a root is under way")
            content = json_text(change(_rotation(row)).content())
            values = {"of_id": row["id"], "state": state.value, "content": content, "changed_at": now}
            connection.execute(_CHANGE, values)
            return _rotation({**row, **values})

        return await self._database.write(work)


def _rotation(row: RowMapping | dict[str, Any]) -> RootRotation:
    content = from_json_text(row["content"])
    return RootRotation(
        id=row["id"],
        started_at=row["started_at"],
        changed_at=row["changed_at"],
        state=RotationState(row["state"]),
        **{**content, "excluded": frozenset(content["excluded"])},
    )
