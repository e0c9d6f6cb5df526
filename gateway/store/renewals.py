"""The plans for renewing the stations' certificates: one for each station and usage."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    and_,
    bindparam,
    case,
    delete,
    exists,
    insert,
    literal_column,
    or_,
    select,
)
from sqlalchemy.orm import InstrumentedAttribute, aliased

from gateway.session.renewals import HeldCertificate, RenewalRecord, RenewalState
from gateway.store import registry
from gateway.store.certificate_records import HELD, SEEN, STATION, CertificateState
from gateway.store.columns import UtcTime, bounded_text
from gateway.store.database import Database
from gateway.store.models import CertificateRow, RenewalRow, Station

PROBLEM_MAX: Final = 512
"""Characters kept of why a renewal was in vain."""
USAGES: Final = (STATION, "v2g", SEEN)
"""Whose certificates stations have. One that none of our authorities signed is their station certificate too."""
_HELD: Final = [state.value for state in HELD]


def _usage(of: InstrumentedAttribute[str]) -> ColumnElement[str]:
    return case((of == SEEN, literal_column(f"'{STATION}'")), else_=of)


_USABLE_SINCE: Final = case(
    (
        and_(CertificateRow.issued_at > CertificateRow.not_before, CertificateRow.issued_at < CertificateRow.not_after),
        CertificateRow.issued_at,
    ),
    else_=CertificateRow.not_before,
)
_NEWER: Final = aliased(CertificateRow)
_HAS_NEWER: Final = exists().where(
    _NEWER.identity == CertificateRow.identity,
    _NEWER.id > CertificateRow.id,
    _NEWER.state.in_(_HELD),
    _usage(_NEWER.usage) == _usage(CertificateRow.usage),
)
_IS_HELD: Final = and_(CertificateRow.state.in_(_HELD), CertificateRow.usage.in_(USAGES), ~_HAS_NEWER)
_HELD_COLUMNS: Final = (
    CertificateRow.identity,
    _usage(CertificateRow.usage).label("usage"),
    CertificateRow.serial,
    _USABLE_SINCE.label("not_before"),
    CertificateRow.not_after,
)
_UNPLANNED: Final = (
    select(*_HELD_COLUMNS)
    .join(Station, Station.identity == CertificateRow.identity)
    .outerjoin(
        RenewalRow,
        and_(RenewalRow.identity == CertificateRow.identity, RenewalRow.usage == _usage(CertificateRow.usage)),
    )
    .where(_IS_HELD, or_(RenewalRow.serial.is_(None), RenewalRow.serial != CertificateRow.serial))
    .limit(bindparam("at_most"))
)
_STILL_USED: Final = (
    select(*_HELD_COLUMNS)
    .join(Station, Station.identity == CertificateRow.identity)
    .where(
        CertificateRow.usage.in_(USAGES),
        CertificateRow.state == CertificateState.IN_USE.value,
        CertificateRow.not_after > bindparam("since", type_=UtcTime()),
        CertificateRow.not_after <= bindparam("until", type_=UtcTime()),
        _HAS_NEWER,
    )
)
_FORGET: Final = delete(RenewalRow).where(
    ~exists().where(
        CertificateRow.identity == RenewalRow.identity,
        CertificateRow.serial == RenewalRow.serial,
        CertificateRow.state.in_(_HELD),
    )
)
_COLUMNS: Final = tuple(RenewalRow.__table__.columns)
_ALL: Final = select(*_COLUMNS)
_OF_STATION: Final = _ALL.where(RenewalRow.identity == bindparam("of_identity")).order_by(RenewalRow.usage)
_DELETE: Final = delete(RenewalRow).where(
    RenewalRow.identity == bindparam("of_identity"), RenewalRow.usage == bindparam("of_usage")
)
_INSERT: Final = insert(RenewalRow).from_select(
    [column.key for column in _COLUMNS],
    select(*(bindparam(f"new_{column.key}", type_=column.type) for column in _COLUMNS)).where(
        exists().where(Station.identity == bindparam("of_identity"))
    ),
)
_MEMBERS: Final = select(Station.identity).where(Station.station_group == bindparam("of_group"))


class Renewals:
    """The plans of all stations; a removed station's go with it. All raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def revision(self) -> int:
        """Return a number that grows with every change that a person made: a removal, a revocation."""
        return await self._database.read(registry.read_revision)

    async def load(self) -> Sequence[RenewalRecord]:
        """Return all plans, after those have been dropped whose certificate the station doesn't have any more."""

        def work(connection: Connection) -> list[RenewalRecord]:
            connection.execute(_FORGET)
            # Made into records here, beside the event loop: there are as many as there are stations.
            return [_record(row) for row in connection.execute(_ALL).mappings()]

        return await self._database.write(work)

    async def unplanned(self, at_most: int) -> Sequence[HeldCertificate]:
        """Return certificates of registered stations for which there is no plan, or only one for an older one."""
        bound = {"at_most": at_most}
        rows = await self._database.read(lambda connection: connection.execute(_UNPLANNED, bound).mappings().all())
        return [HeldCertificate(**row) for row in rows]

    async def still_used(self, since: datetime, until: datetime) -> Sequence[HeldCertificate]:
        """Return what stations came with last though they have a newer one, of what ends between these times."""
        bound = {"since": since, "until": until}
        rows = await self._database.read(lambda connection: connection.execute(_STILL_USED, bound).mappings().all())
        return [HeldCertificate(**row) for row in rows]

    async def save(self, records: Iterable[RenewalRecord]) -> None:
        """Insert or replace plans, all in one SQL transaction; of a station that isn't there any more none is kept."""
        kept = list(records)

        def work(connection: Connection) -> None:
            rows = [_row(record) for record in kept]
            connection.execute(_DELETE, rows)
            connection.execute(_INSERT, rows)

        if kept:
            await self._database.write(work)

    async def of_station(self, identity: str) -> Sequence[RenewalRecord]:
        """Return the plans of one station, by usage."""
        key = {"of_identity": identity}
        rows = await self._database.read(lambda connection: connection.execute(_OF_STATION, key).mappings().all())
        return [_record(row) for row in rows]

    async def members(self, group: str) -> frozenset[str]:
        """Return the identities of the stations in a group."""
        key = {"of_group": group}
        return frozenset(await self._database.read(lambda connection: connection.scalars(_MEMBERS, key).all()))


def _row(record: RenewalRecord) -> dict[str, Any]:
    values = {f"new_{column.key}": getattr(record, column.key) for column in _COLUMNS} | {
        "new_state": record.state.value,
        "new_problem": bounded_text(record.problem, PROBLEM_MAX),
    }
    return values | {"of_identity": record.identity, "of_usage": record.usage}


def _record(row: RowMapping) -> RenewalRecord:
    return RenewalRecord(**{**row, "state": RenewalState(row["state"])})
