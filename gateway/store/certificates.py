"""The inventory: every certificate that was issued or seen, and the public keys that stations have asked with."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, bindparam, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from gateway.store import registry
from gateway.store.certificate_records import (
    COLUMNS,
    CONTRACTS,
    STATION,
    CertificateAmbiguous,
    CertificateKnown,
    CertificateRecord,
    CertificateState,
    CertificateUnknown,
    Step,
    canonical_serial,
    to_record,
    to_row,
)
from gateway.store.certificate_steps import find_named, note_step, revoke_all
from gateway.store.columns import utc_now
from gateway.store.database import Database
from gateway.store.models import CertificateHistoryRow, CertificateRow, StationKey

__all__ = [
    "CertificateAmbiguous",
    "CertificateKnown",
    "CertificateRecord",
    "CertificateState",
    "CertificateUnknown",
    "Certificates",
    "KeyOfAnother",
    "Step",
    "canonical_serial",
]

_ISSUED, _INSTALLED, _IN_USE = CertificateState.ISSUED, CertificateState.INSTALLED, CertificateState.IN_USE
_REJECTED, _SUPERSEDED = CertificateState.REJECTED, CertificateState.SUPERSEDED
_BEFORE: Final[Mapping[CertificateState, Collection[CertificateState]]] = {
    _INSTALLED: {_ISSUED, _REJECTED},
    _REJECTED: {_ISSUED, _INSTALLED},
    _IN_USE: {_ISSUED, _INSTALLED, _REJECTED, _SUPERSEDED},
    _SUPERSEDED: {_ISSUED, _INSTALLED, _REJECTED, _IN_USE},
}
"""The states that each may follow: a station may come with a certificate before it is noted that it accepted it."""


class KeyOfAnother(Exception):
    """The public key was first seen from another station, ``owner`` (attack B1: a reused key)."""

    def __init__(self, owner: str) -> None:
        super().__init__(f"the public key is that of station {owner!r}")
        self.owner = owner


_ALL: Final = select(*COLUMNS).order_by(CertificateRow.id)
_BY_ID: Final = select(*COLUMNS).where(CertificateRow.id == bindparam("of_id"))
_ADD: Final = insert(CertificateRow).returning(CertificateRow.id)
_MARK: Final = update(CertificateRow).where(CertificateRow.id == bindparam("of_id"))
_REVOKED: Final = select(CertificateRow.fingerprint).where(
    CertificateRow.state == CertificateState.REVOKED.value, CertificateRow.usage.not_in(CONTRACTS)
)
_HISTORY: Final = (
    select(CertificateHistoryRow.state, CertificateHistoryRow.at, CertificateHistoryRow.detail)
    .join(CertificateRow, CertificateRow.id == CertificateHistoryRow.certificate_id)
    .where(CertificateRow.fingerprint == bindparam("of_fingerprint"))
    .order_by(CertificateHistoryRow.id)
)
_KEY_OWNER: Final = select(StationKey.identity).where(StationKey.fingerprint == bindparam("of_fingerprint"))
_REMEMBER_KEY: Final = insert(StationKey)


class Certificates:
    """The certificates and keys of all stations, also of those that have been removed, and the gateway's own."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def add(  # noqa: PLR0913 - the fields of a certificate, each by its name
        self,
        identity: str,
        *,
        serial: str,
        fingerprint: str,
        subject: str,
        not_before: datetime,
        not_after: datetime,
        chain: str,
        usage: str = STATION,
        profile: str = "charging_station",
        detail: str = "",
    ) -> CertificateRecord:
        """Record a certificate that was issued just now; ``identity`` is empty for one of the gateway's own.

        Raises :class:`CertificateKnown`, and ValueError for a serial number that isn't hex.
        """
        now = self._clock()
        record = CertificateRecord(
            identity,
            canonical_serial(serial),
            fingerprint.lower(),
            subject,
            not_before,
            not_after,
            CertificateState.ISSUED,
            chain,
            now,
            now,
            usage=usage,
            profile=profile,
        )

        def work(connection: Connection) -> RowMapping:
            added = connection.execute(_ADD, to_row(record)).scalar_one()
            note_step(connection, added, CertificateState.ISSUED, now, detail)
            return connection.execute(_BY_ID, {"of_id": added}).mappings().one()

        try:
            return to_record(await self._database.write(work), now)
        except IntegrityError as error:
            raise CertificateKnown(f"the certificate {record.serial} is recorded already") from error

    async def find(self, name: str, *, ours: bool = False) -> CertificateRecord | None:
        """Return the certificate of this serial number or SHA-256 fingerprint (hex as people write it), or None.

        ``ours``: one that we issued comes before those that were only seen. Raises :class:`CertificateAmbiguous`, and
        ValueError for what isn't hex.
        """
        row = await self._database.read(lambda connection: find_named(connection, name, ours=ours))
        return None if row is None else to_record(row, self._clock())

    async def list(
        self,
        identity: str | None = None,
        *,
        states: Collection[CertificateState | str] | None = None,
        usage: str | None = None,
        expiring_before: datetime | None = None,
        after_id: int = 0,
        limit: int | None = None,
    ) -> Sequence[CertificateRecord]:
        """Return the certificates that fit, in the order in which they were recorded; None: any.

        ``states`` are members or their values, as they are shown: expired too. ``expiring_before``: those whose time
        ends by then, and hasn't ended yet. The next page begins after the id of the last one's.
        """
        now = self._clock()
        conditions = [CertificateRow.id > after_id]
        if identity is not None:
            conditions.append(CertificateRow.identity == identity)
        if states is not None:
            conditions.append(in_states({CertificateState(state) for state in states}, now))
        if usage is not None:
            conditions.append(CertificateRow.usage == usage)
        if expiring_before is not None:
            conditions += [CertificateRow.not_after > now, CertificateRow.not_after <= expiring_before]
        statement = _ALL.where(*conditions).limit(limit)
        rows = await self._database.read(lambda connection: connection.execute(statement).mappings().all())
        return [to_record(row, now) for row in rows]

    async def history(self, fingerprint: str) -> Sequence[Step]:
        """Return the steps in the life of a certificate, the first one first; the newest of them, if they are many."""
        key = {"of_fingerprint": fingerprint.lower()}
        rows = await self._database.read(lambda connection: connection.execute(_HISTORY, key).all())
        return [Step(CertificateState(row.state), row.at, row.detail) for row in rows]

    async def mark(self, name: str, state: CertificateState, detail: str = "") -> CertificateRecord:
        """Give a certificate a state and return its record as it is now.

        What can't follow its present state changes nothing: one that is in use isn't merely installed any more, one
        that is revoked stays so. Raises :class:`CertificateUnknown`, and ValueError for REVOKED, which is
        :meth:`revoke`'s to say, and for what isn't marked but follows.
        """
        if state not in _BEFORE:
            raise ValueError(f"no certificate is marked as {state.value}: that is said by revoke(), or by the dates")
        now = self._clock()

        def work(connection: Connection) -> RowMapping | None:
            row = find_named(connection, name, ours=True)
            if row is None or CertificateState(row["state"]) not in _BEFORE[state]:
                return row
            connection.execute(_MARK, {"of_id": row["id"], "state": state.value, "changed_at": now})
            note_step(connection, row["id"], state, now, detail)
            return connection.execute(_BY_ID, {"of_id": row["id"]}).mappings().one()

        row = await self._database.write(work)
        if row is None:
            raise CertificateUnknown(name)
        return to_record(row, now)

    async def revoke(self, name: str, reason: str = "unspecified", detail: str = "") -> CertificateRecord:
        """Revoke a certificate for good and return its record; of one that is revoked already nothing changes.

        Moves the registry's revision, and leaves it to be told to its authority (:class:`RevocationOutbox`).
        ``reason`` is a CRLReason (RFC 5280 5.3.1), kept up to ``REASON_MAX`` characters. Raises
        :class:`CertificateUnknown`, :class:`CertificateAmbiguous`, and ValueError for what isn't hex.
        """
        now = self._clock()

        def work(connection: Connection) -> RowMapping | None:
            row = find_named(connection, name)
            if row is None:
                return None
            if revoke_all(connection, [row["id"]], reason, now, detail or reason):
                registry.revise(connection)
            return connection.execute(_BY_ID, {"of_id": row["id"]}).mappings().one()

        row = await self._database.write(work)
        if row is None:
            raise CertificateUnknown(name)
        return to_record(row, now)

    async def revoked_fingerprints(self) -> frozenset[str]:
        """Return the fingerprints (as in a record) of all that are revoked, the expired ones too; not of contracts."""
        return frozenset(await self._database.read(lambda connection: connection.scalars(_REVOKED).all()))

    async def key_owner(self, fingerprint: str) -> str | None:
        """Return the identity that this public key (SHA-256 of its SPKI, hex) was first seen from, or None."""
        key = {"of_fingerprint": fingerprint.lower()}
        return await self._database.read(lambda connection: connection.execute(_KEY_OWNER, key).scalar_one_or_none())

    async def remember_key(self, fingerprint: str, identity: str) -> None:
        """Record that the station asks with this public key. Raises :class:`KeyOfAnother`."""
        row = {"fingerprint": fingerprint.lower(), "identity": identity, "first_seen": self._clock()}
        try:
            await self._database.write(lambda connection: connection.execute(_REMEMBER_KEY, row))
        except IntegrityError:
            owner = await self.key_owner(fingerprint)
            if owner is not None and owner != identity:
                raise KeyOfAnother(owner) from None


def in_states(states: Collection[CertificateState], now: datetime) -> ColumnElement[bool]:
    """Tell which rows are shown in one of these states."""
    stored = [state.value for state in states if state not in {CertificateState.REVOKED, CertificateState.EXPIRED}]
    alternatives = [and_(CertificateRow.state.in_(stored), CertificateRow.not_after > now)]
    revoked = CertificateState.REVOKED.value
    if CertificateState.REVOKED in states:
        alternatives.append(CertificateRow.state == revoked)
    if CertificateState.EXPIRED in states:
        alternatives.append(and_(CertificateRow.state != revoked, CertificateRow.not_after <= now))
    return or_(*alternatives)
