"""What must still be revoked, and what an authority must still be told of: nothing of it is forgotten in between."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, not_, select, update

from gateway.store import registry
from gateway.store.certificate_records import COLUMNS, SEEN, CertificateRecord, CertificateState, to_record
from gateway.store.certificate_steps import note_step, revoke_all
from gateway.store.columns import UtcTime, utc_now
from gateway.store.database import Database
from gateway.store.models import CertificateRow

_NOW: Final = bindparam("now", type_=UtcTime())
_DUE: Final = (
    select(CertificateRow.id)
    .where(
        CertificateRow.state == CertificateState.SUPERSEDED.value,
        CertificateRow.usage != SEEN,
        CertificateRow.changed_at <= bindparam("since", type_=UtcTime()),
        CertificateRow.not_after > _NOW,
    )
    .order_by(CertificateRow.id)
    .limit(bindparam("at_most"))
)
_UNTOLD: Final = (
    select(*COLUMNS)
    .where(
        not_(CertificateRow.authority_told),
        CertificateRow.not_after > _NOW,
        CertificateRow.id > bindparam("after_id"),
    )
    .order_by(CertificateRow.id)
    .limit(bindparam("at_most"))
)
_TOLD: Final = (
    update(CertificateRow)
    .where(CertificateRow.id == bindparam("of_id"), not_(CertificateRow.authority_told))
    .values(authority_told=True)
)


class RevocationOutbox:
    """Revocations that are on their way from the inventory to the authorities."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def revoke_superseded(self, since: datetime, at_most: int) -> int:
        """Revoke those that have been superseded since that time or longer, and return how many there were.

        Those whose time is over are left as they are.
        """
        now = self._clock()
        key = {"since": since, "now": now, "at_most": at_most}
        if await self._database.read(lambda connection: connection.execute(_DUE, key).first()) is None:
            return 0

        def work(connection: Connection) -> int:
            due = connection.execute(_DUE, key).scalars().all()
            count = revoke_all(connection, due, "superseded", now, "a newer one has been in use for long enough")
            if count:
                registry.revise(connection)
            return count

        return await self._database.write(work)

    async def untold(self, at_most: int, after_id: int = 0) -> Sequence[CertificateRecord]:
        """Return revoked certificates that their authority hasn't heard of, by their ids, from behind ``after_id`` on.

        One whose time is over is nothing that an authority must hear of.
        """
        now = self._clock()
        key = {"now": now, "after_id": after_id, "at_most": at_most}
        rows = await self._database.read(lambda connection: connection.execute(_UNTOLD, key).mappings().all())
        return [to_record(row, now) for row in rows]

    async def told(self, record: CertificateRecord, detail: str) -> CertificateRecord:
        """Its authority has heard of the revocation, as ``detail`` says; return the record as it is now."""
        now = self._clock()

        def work(connection: Connection) -> None:
            if connection.execute(_TOLD, {"of_id": record.id}).rowcount:
                note_step(connection, record.id, CertificateState.REVOKED, now, detail)

        await self._database.write(work)
        return replace(record, authority_told=True)
