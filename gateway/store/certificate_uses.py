"""Which certificates stations come with: seen in use, and what that makes of the older ones."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final, Protocol

from sqlalchemy import Connection, and_, bindparam, delete, exists, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased

from gateway.store.certificate_records import COLUMNS, SEEN, STATION, CertificateRecord, CertificateState, to_row
from gateway.store.certificate_steps import note_step
from gateway.store.columns import utc_now
from gateway.store.database import Database
from gateway.store.hot import HotStatement
from gateway.store.models import CertificateRow, Station

SEEN_MAX: Final = 20
"""Certificates of other issuers that are kept of one station, beside revoked ones; the oldest go."""

_IN_USE: Final = CertificateState.IN_USE.value
_REVOKED: Final = CertificateState.REVOKED.value
_SUPERSEDED: Final = CertificateState.SUPERSEDED.value
_ENDED: Final = (_REVOKED, _SUPERSEDED)

_OLDER: Final = aliased(CertificateRow)
_HAS_OLDER: Final = exists().where(
    _OLDER.identity == CertificateRow.identity,
    or_(
        and_(CertificateRow.usage == STATION, _OLDER.usage.in_((STATION, SEEN))),
        and_(CertificateRow.usage == SEEN, _OLDER.usage == SEEN),
    ),
    _OLDER.state.not_in(_ENDED),
    or_(
        _OLDER.not_before < CertificateRow.not_before,
        and_(_OLDER.not_before == CertificateRow.not_before, _OLDER.id < CertificateRow.id),
    ),
)
_IS_REGISTERED: Final = exists().where(Station.identity == CertificateRow.identity).label("is_registered")
_OWNER: Final = HotStatement(
    select(CertificateRow.identity, CertificateRow.usage, _IS_REGISTERED).where(
        CertificateRow.fingerprint == bindparam("of_fingerprint")
    )
)
_SHOWN: Final = HotStatement(
    select(
        CertificateRow.id,
        CertificateRow.identity,
        CertificateRow.usage,
        CertificateRow.serial,
        CertificateRow.state,
        CertificateRow.not_before,
        CertificateRow.last_seen,
        _IS_REGISTERED,
        _HAS_OLDER.label("has_older"),
    ).where(CertificateRow.fingerprint == bindparam("of_fingerprint"))
)
_USE: Final = update(CertificateRow).where(
    CertificateRow.id == bindparam("of_id"), CertificateRow.state.not_in((_IN_USE, _REVOKED))
)
_SAW: Final = update(CertificateRow).where(CertificateRow.id == bindparam("of_id"))
_SUPERSEDE: Final = {
    usage: HotStatement(
        update(CertificateRow)
        .where(
            CertificateRow.identity == bindparam("of_identity"),
            CertificateRow.usage.in_(older),
            CertificateRow.state.not_in(_ENDED),
            or_(
                CertificateRow.not_before < bindparam("since"),
                and_(CertificateRow.not_before == bindparam("since"), CertificateRow.id < bindparam("of_id")),
            ),
        )
        .returning(CertificateRow.id),
        keys=("state", "changed_at"),
    )
    for usage, older in {STATION: (STATION, SEEN), SEEN: (SEEN,)}.items()
}
"""By usage: of which usages older certificates are superseded by one that is shown. No other issuer's ends one of
ours."""
_LAST: Final = (
    select(
        CertificateRow.identity,
        func.min(CertificateRow.fingerprint).label("fingerprint"),
        func.min(CertificateRow.last_seen).label("last_seen"),
    )
    .where(CertificateRow.state == _IN_USE, CertificateRow.identity != "", CertificateRow.last_seen.is_not(None))
    .group_by(CertificateRow.identity)
    .having(func.count() == 1)
)
_ADD: Final = HotStatement(
    insert(CertificateRow).returning(CertificateRow.id), keys=[each.key for each in COLUMNS if each.key != "id"]
)
_SEEN_OF_STATION: Final = (
    CertificateRow.identity == bindparam("of_identity"),
    CertificateRow.usage == SEEN,
    CertificateRow.state != _REVOKED,
)
_KEPT: Final = (
    select(CertificateRow.id)
    .where(*_SEEN_OF_STATION)
    .order_by(CertificateRow.id.desc())
    .offset(SEEN_MAX)
    .limit(1)
    .scalar_subquery()
)
_FORGET: Final = HotStatement(delete(CertificateRow).where(*_SEEN_OF_STATION, CertificateRow.id <= _KEPT))


@dataclass(frozen=True, slots=True)
class Owner:
    """Whom a certificate was issued to or, of usage ``seen``, who came with it first."""

    identity: str
    usage: str
    is_registered: bool

    def is_another(self, identity: str) -> bool:
        """Return whether one of our authorities issued it to another station than this one."""
        return self.usage != SEEN and self.identity != identity


class CertificateUses:
    """The certificates that were shown at a door."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def last(self) -> dict[str, tuple[str, date]]:
        """Return, by identity, which certificate each station came with last, and on which day it was seen (UTC).

        Stations that have several in use are left out.
        """
        rows = await self._database.read(lambda connection: connection.execute(_LAST).all())
        return {row.identity: (row.fingerprint, row.last_seen.date()) for row in rows}

    async def owner(self, fingerprint: str) -> Owner | None:
        """Return whose certificate it is; None for one that isn't recorded. One read."""
        key = {"of_fingerprint": fingerprint.lower()}
        found = await self._database.read(lambda connection: _OWNER.first(connection, key))
        return None if found is None else _owner(found)

    async def in_use(self, fingerprint: str) -> Owner | None:
        """A station has connected with this certificate: it is IN_USE; what it had before is SUPERSEDED.

        Superseded are the older ones of its station that we issued for the same usage, whether or not the station ever
        had them, and those of other issuers; one that is revoked supersedes nothing. Returns whose it is, None for one
        that isn't recorded. One read when all is known already; the time is written once a day.
        """
        now = self._clock()
        key = {"of_fingerprint": fingerprint.lower()}
        found = await self._database.read(lambda connection: _SHOWN.first(connection, key))
        if found is None:
            return None
        if found.state == _REVOKED:
            return _owner(found)
        is_new = found.state != _IN_USE or found.has_older
        if is_new or found.last_seen is None or found.last_seen.date() < now.date():
            await self._database.write(lambda connection: _use(connection, found, now))
        return _owner(found)

    async def add(self, record: CertificateRecord, detail: str) -> None:
        """Record a certificate that a station came with and that isn't recorded, as :meth:`in_use` would find it.

        Nothing happens if somebody else was faster.
        """
        now = self._clock()
        row = to_row(replace(record, state=CertificateState.IN_USE, changed_at=now, last_seen=now))

        def work(connection: Connection) -> None:
            added: int = _ADD.first(connection, row).id
            note_step(connection, added, CertificateState.IN_USE, now, detail)
            _supersede(connection, added, record, now)
            _FORGET.count(connection, {"of_identity": record.identity})

        try:
            await self._database.write(work)
        except IntegrityError:
            return


def _owner(row: Any) -> Owner:
    return Owner(row.identity, row.usage, bool(row.is_registered))


def _use(connection: Connection, found: Any, now: datetime) -> None:
    connection.execute(_SAW, {"of_id": found.id, "last_seen": now})
    if connection.execute(_USE, {"of_id": found.id, "state": _IN_USE, "changed_at": now}).rowcount:
        note_step(connection, found.id, CertificateState.IN_USE, now, "the station came with it")
    _supersede(connection, found.id, found, now)


class _Dated(Protocol):
    """What says which certificates are older: notBefore, also of one that was recorded late."""

    @property
    def identity(self) -> str: ...

    @property
    def usage(self) -> str: ...

    @property
    def serial(self) -> str: ...

    @property
    def not_before(self) -> datetime: ...


def _supersede(connection: Connection, certificate: int, shown: _Dated, now: datetime) -> None:
    statement = _SUPERSEDE.get(shown.usage)
    if statement is None:
        return
    older = {
        "of_identity": shown.identity,
        "since": shown.not_before,
        "of_id": certificate,
        "state": _SUPERSEDED,
        "changed_at": now,
    }
    for superseded in statement.all(connection, older):
        note_step(connection, superseded.id, CertificateState.SUPERSEDED, now, f"the station came with {shown.serial}")
