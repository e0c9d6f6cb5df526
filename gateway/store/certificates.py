"""The certificates that were issued for stations, and the public keys that stations have asked with."""

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, RowMapping, bindparam, exists, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased

from gateway.store import registry
from gateway.store.columns import bounded_text, utc_now
from gateway.store.database import Database
from gateway.store.models import CertificateRow, StationKey

REASON_MAX: Final = 200
"""Characters kept of the reason why a certificate was revoked."""


class CertificateState(enum.Enum):
    """What became of an issued certificate."""

    ISSUED = "issued"
    """The CA has signed it; the station has not shown it yet."""
    INSTALLED = "installed"
    """The station accepted it, or connected with it."""
    REJECTED = "rejected"
    """The station refused it (CertificateSigned answered Rejected)."""
    SUPERSEDED = "superseded"
    """A newer one is in use."""
    REVOKED = "revoked"
    """Revoked for good: no other state follows."""


@dataclass(frozen=True, slots=True)
class CertificateRecord:
    """One certificate of a station.

    ``serial`` is the certificate's serial number in lower-case hex without leading zeros, ``fingerprint`` the SHA-256
    of its DER in hex, ``chain`` the PEM of leaf and intermediates, ``changed_at`` when it got its state. Times are UTC.
    """

    identity: str
    serial: str
    fingerprint: str
    subject: str
    not_before: datetime
    not_after: datetime
    state: CertificateState
    chain: str
    issued_at: datetime
    changed_at: datetime
    reason: str | None = None
    """Why it was revoked."""


class CertificateKnown(Exception):
    """A certificate of this serial number or fingerprint is recorded already."""


class CertificateUnknown(KeyError):
    """No certificate of this serial number is recorded."""

    def __init__(self, serial: str) -> None:
        super().__init__(serial)
        self.serial = serial

    def __str__(self) -> str:
        return f"no certificate with the serial number {self.serial!r} is recorded"


class KeyOfAnother(Exception):
    """The public key was first seen from another station, ``owner`` (attack B1: a reused key)."""

    def __init__(self, owner: str) -> None:
        super().__init__(f"the public key is that of station {owner!r}")
        self.owner = owner


_COLUMNS: Final = (
    CertificateRow.identity,
    CertificateRow.serial,
    CertificateRow.fingerprint,
    CertificateRow.subject,
    CertificateRow.not_before,
    CertificateRow.not_after,
    CertificateRow.state,
    CertificateRow.chain,
    CertificateRow.issued_at,
    CertificateRow.changed_at,
    CertificateRow.reason,
)
_ALL: Final = select(*_COLUMNS).order_by(CertificateRow.id)
_OF_STATION: Final = _ALL.where(CertificateRow.identity == bindparam("of_identity"))
_NEWEST: Final = (
    select(*_COLUMNS)
    .where(CertificateRow.identity == bindparam("of_identity"))
    .order_by(CertificateRow.id.desc())
    .limit(1)
)
_FIND: Final = select(*_COLUMNS).where(CertificateRow.serial == bindparam("of_serial"))
_INSTALLED_ONES: Final = (
    select(CertificateRow.identity, func.min(CertificateRow.fingerprint).label("fingerprint"))
    .where(CertificateRow.state == CertificateState.INSTALLED.value)
    .group_by(CertificateRow.identity)
    .having(func.count() == 1)
)
_ADD: Final = insert(CertificateRow)
_MARK: Final = update(CertificateRow).where(
    CertificateRow.serial == bindparam("of_serial"), CertificateRow.state != CertificateState.REVOKED.value
)
_REVOKED: Final = select(CertificateRow.fingerprint).where(CertificateRow.state == CertificateState.REVOKED.value)
_INSTALLED: Final = CertificateState.INSTALLED.value
_OLDER: Final = aliased(CertificateRow)
_HAS_OLDER: Final = exists().where(
    _OLDER.identity == CertificateRow.identity, _OLDER.id < CertificateRow.id, _OLDER.state == _INSTALLED
)
_IN_USE: Final = select(CertificateRow.identity, CertificateRow.id).where(
    CertificateRow.fingerprint == bindparam("of_fingerprint"),
    CertificateRow.state != CertificateState.REVOKED.value,
    or_(CertificateRow.state != _INSTALLED, _HAS_OLDER),
)
_INSTALL: Final = update(CertificateRow).where(
    CertificateRow.id == bindparam("of_id"),
    CertificateRow.state.not_in([_INSTALLED, CertificateState.REVOKED.value]),
)
_SUPERSEDE: Final = update(CertificateRow).where(
    CertificateRow.identity == bindparam("of_identity"),
    CertificateRow.id < bindparam("of_id"),
    CertificateRow.state == _INSTALLED,
)
_KEY_OWNER: Final = select(StationKey.identity).where(StationKey.fingerprint == bindparam("of_fingerprint"))
_REMEMBER_KEY: Final = insert(StationKey)


class Certificates:
    """The certificates and keys of all stations, also of those that have been removed."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def add(
        self,
        identity: str,
        *,
        serial: str,
        fingerprint: str,
        subject: str,
        not_before: datetime,
        not_after: datetime,
        chain: str,
    ) -> CertificateRecord:
        """Record a certificate that was issued just now.

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
        )
        row = {column.key: getattr(record, column.key) for column in _COLUMNS} | {"state": record.state.value}
        try:
            await self._database.write(lambda connection: connection.execute(_ADD, row))
        except IntegrityError as error:
            raise CertificateKnown(f"the certificate {record.serial} is recorded already") from error
        return record

    async def find(self, serial: str) -> CertificateRecord | None:
        """Return the certificate of this serial number (hex as people write it), or None."""
        key = {"of_serial": canonical_serial(serial)}
        row = await self._database.read(lambda connection: connection.execute(_FIND, key).mappings().first())
        return None if row is None else _record(row)

    async def newest(self, identity: str) -> CertificateRecord | None:
        """Return the certificate that was issued last for the station, whatever its state, or None."""
        key = {"of_identity": identity}
        row = await self._database.read(lambda connection: connection.execute(_NEWEST, key).mappings().first())
        return None if row is None else _record(row)

    async def list(self, identity: str | None = None) -> Sequence[CertificateRecord]:
        """Return the certificates of one station or of all, in the order of their issue."""
        statement = _ALL if identity is None else _OF_STATION
        key = {} if identity is None else {"of_identity": identity}
        rows = await self._database.read(lambda connection: connection.execute(statement, key).mappings().all())
        return [_record(row) for row in rows]

    async def mark(self, serial: str, state: CertificateState) -> CertificateRecord:
        """Give a certificate a state and return its record as it is now: one that is revoked stays so.

        Raises :class:`CertificateUnknown`, and ValueError for REVOKED: that is :meth:`revoke`'s to say.
        """
        if state is CertificateState.REVOKED:
            raise ValueError("a certificate is revoked by revoke(), which running gateways hear of")
        key = {"of_serial": canonical_serial(serial)}
        values = {**key, "state": state.value, "changed_at": self._clock()}

        def work(connection: Connection) -> RowMapping | None:
            connection.execute(_MARK, values)
            return connection.execute(_FIND, key).mappings().first()

        row = await self._database.write(work)
        if row is None:
            raise CertificateUnknown(serial)
        return _record(row)

    async def revoke(self, serial: str, reason: str = "unspecified") -> CertificateRecord:
        """Revoke a certificate for good and return its record; of one that is revoked already nothing changes.

        Moves the registry's revision. ``reason`` is a CRLReason (RFC 5280 5.3.1), kept up to ``REASON_MAX`` characters.
        Raises :class:`CertificateUnknown`, and ValueError for a serial number that isn't hex.
        """
        key = {"of_serial": canonical_serial(serial)}
        values = {
            **key,
            "state": CertificateState.REVOKED.value,
            "changed_at": self._clock(),
            "reason": bounded_text(reason, REASON_MAX),
        }

        def work(connection: Connection) -> RowMapping | None:
            if connection.execute(_MARK, values).rowcount:
                registry.revise(connection)
            return connection.execute(_FIND, key).mappings().first()

        row = await self._database.write(work)
        if row is None:
            raise CertificateUnknown(serial)
        return _record(row)

    async def revoked_fingerprints(self) -> frozenset[str]:
        """Return the fingerprints (as in a record) of all that are revoked, the expired ones too."""
        return frozenset(await self._database.read(lambda connection: connection.scalars(_REVOKED).all()))

    async def installed(self) -> dict[str, str]:
        """Return the fingerprint of the installed certificate of each station that has just one, by identity."""
        rows = await self._database.read(lambda connection: connection.execute(_INSTALLED_ONES).all())
        return {row.identity: row.fingerprint for row in rows}

    async def in_use(self, fingerprint: str) -> None:
        """A station has connected with this certificate: it is INSTALLED, and older INSTALLED ones SUPERSEDED.

        One read when that is known already, or when the certificate isn't recorded here (a manufacturer's).
        """
        key = {"of_fingerprint": fingerprint.lower()}
        found = await self._database.read(lambda connection: connection.execute(_IN_USE, key).first())
        if found is None:
            return
        now = self._clock()
        installed = {"of_id": found.id, "state": _INSTALLED, "changed_at": now}
        superseded = {
            "of_identity": found.identity,
            "of_id": found.id,
            "state": CertificateState.SUPERSEDED.value,
            "changed_at": now,
        }

        def work(connection: Connection) -> None:
            connection.execute(_INSTALL, installed)
            connection.execute(_SUPERSEDE, superseded)

        await self._database.write(work)

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


def canonical_serial(serial: str) -> str:
    """Return a serial number in the form that is stored: lower-case hex, no colons, no leading zeros.

    ``0A:FF`` and ``aff`` are the same. Raises ValueError for what isn't hex.
    """
    return format(int(serial.replace(":", ""), 16), "x")


def _record(row: RowMapping) -> CertificateRecord:
    values = dict(row)
    values["state"] = CertificateState(values["state"])
    return CertificateRecord(**values)
