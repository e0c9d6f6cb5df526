"""The registered stations: who they are, what was last answered to their boot, and who owns them now."""

import functools
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Connection,
    Text,
    Update,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    select,
    true,
    update,
)

from gateway.bridge.books import Json, TransactionState
from gateway.session.identity import parse_identity
from gateway.session.ports import BootStatus, RecordChanged, RegistrationRefused, StaleEpoch, StationRecord, Taken
from gateway.store import password_rotation, registry
from gateway.store.columns import json_text, utc_now
from gateway.store.database import Database
from gateway.store.firmware_updates import end_with_station
from gateway.store.hot import HotStatement
from gateway.store.models import PendingStationRow, Station, TransactionRow
from gateway.store.station_rows import STATION_COLUMNS, station_record, station_row, version_text
from gateway.wire.versions import Version

SERIAL_MAX: Final = 64
"""Characters of a serial number: it is the CN of a certificate (RFC 5280 A.1, ub-common-name)."""

_OF: Final = Station.identity == bindparam("of_identity")
_OWNED: Final = (_OF, Station.epoch == bindparam("of_epoch"))
_TO_PROFILE: Final = bindparam("to_profile", type_=BigInteger())
_RAISED: Final = case((Station.minimum_profile < _TO_PROFILE, _TO_PROFILE), else_=Station.minimum_profile)
_LIST: Final = select(*STATION_COLUMNS)
_FIND: Final = HotStatement(_LIST.where(_OF))
_FIND_LOCKED: Final = HotStatement(_LIST.where(_OF).with_for_update(key_share=True))
"""PostgreSQL: FOR NO KEY UPDATE. It waits for each other UPDATE and DELETE of the row, as they for it, and not for rows
that only name the station by their foreign key."""
_NAMED: Final = select(Station.identity).where(Station.certificate_name == bindparam("name"))
_COUNT: Final = select(Station.pending).where(_OF)
_RUNNING: Final = select(func.count()).where(
    TransactionRow.identity == bindparam("of_identity"), TransactionRow.state != TransactionState.ENDED.value
)
_ANY_EXPIRED: Final = select(exists().where(Station.allow_expired == true()))
_INSERT: Final = insert(Station)
_NOT_PENDING: Final = delete(PendingStationRow).where(PendingStationRow.identity == bindparam("of_identity"))
_DELETE: Final = delete(Station).where(_OF).returning(Station.epoch)
_SET: Final = update(Station).where(_OF)
_LOCK: Final = _SET.values(epoch=Station.epoch)
_TAKE: Final = HotStatement(
    _SET.values(
        minimum_profile=_RAISED,
        epoch=Station.epoch + 1,
        version=func.coalesce(bindparam("to_version", type_=Text()), Station.version),
    ).returning(Station.epoch)
)
_ALLOW: Final = _SET.values(
    allow_expired=func.coalesce(bindparam("expired", type_=Boolean()), Station.allow_expired),
    allow_downgrade=func.coalesce(bindparam("downgrade", type_=Boolean()), Station.allow_downgrade),
)
_SAVE_BOOT: Final = update(Station).where(*_OWNED)


class AlreadyRegistered(RegistrationRefused):
    """A station of this identity is registered already."""


class SerialTaken(RegistrationRefused):
    """The certificate name (the serial number or, without one, the identity) is another station's."""


class SerialRejected(RegistrationRefused):
    """The text can't be the serial number of a station."""


class NotRegistered(KeyError):
    """No station of this identity is registered."""

    def __init__(self, identity: str) -> None:
        super().__init__(identity)
        self.identity = identity

    def __str__(self) -> str:
        return f"no station {self.identity!r} is registered"


class PendingMessages(RegistrationRefused):
    """The station's journal holds ``count`` messages that the backend has not answered."""

    def __init__(self, identity: str, count: int) -> None:
        super().__init__(f"{count} messages of station {identity!r} wait for the backend; removing it loses them")
        self.count = count


class RunningSessions(RegistrationRefused):
    """The station has ``count`` charging sessions that have not ended: the backend would never hear of their end."""

    def __init__(self, identity: str, count: int) -> None:
        super().__init__(f"{count} sessions of station {identity!r} have not ended; removing it loses their end")
        self.count = count


class Stations:
    """The registry of stations.

    Each change that a person makes moves :meth:`revision`; ownership, boots and the rotation of passwords don't.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def find(self, identity: str) -> StationRecord | None:
        """Return the station, or None when it isn't registered. The comparison is exact, to the byte."""
        row = await self._database.read(lambda connection: _FIND.first(connection, {"of_identity": identity}))
        return None if row is None else station_record(row)

    async def list(self) -> Sequence[StationRecord]:
        """Return all stations in the order of their identities."""
        rows = await self._database.read(lambda connection: connection.execute(_LIST).all())
        return sorted(map(station_record, rows), key=lambda record: record.identity)

    async def any_allows_expired(self) -> bool:
        """Return whether any station's expired certificate lets it in (OCPP 2.0.1 A00.FR.429)."""
        return await self._database.read(lambda connection: bool(connection.execute(_ANY_EXPIRED).scalar_one()))

    async def add(
        self,
        identity: str,
        *,
        profile: int,
        serial: str | None,
        backend: str | None,
        password_hash: str | None,
        pinned_version: Version | None = None,
        group: str | None = None,
    ) -> StationRecord:
        """Register a station; ``profile`` is the lowest security profile that it may use. It is pending no more.

        Raises IdentityRejected, :class:`SerialRejected`, ValueError for a profile outside 1..3,
        :class:`AlreadyRegistered`, :class:`SerialTaken`.
        """
        record = StationRecord(
            parse_identity(identity),
            _checked_profile(profile),
            serial,
            backend,
            password_hash,
            pinned_version=pinned_version,
            group=group,
        )
        _check_serial(serial)
        now = self._clock()

        def work(connection: Connection) -> None:
            epoch = registry.revise(connection)
            if _FIND.first(connection, {"of_identity": identity}) is not None:
                raise AlreadyRegistered(f"station {identity!r} is registered already")
            _check_free(connection, record)
            connection.execute(_INSERT, {**station_row(record), "epoch": epoch, "pending": 0, "registered_at": now})
            connection.execute(_NOT_PENDING, {"of_identity": identity})

        await self._database.write(work)
        return record

    async def remove(self, identity: str, *, force: bool = False) -> None:
        """Remove the station with its transactions, connectors and journal; certificates and set-aside messages stay.

        Updates of its firmware that are open are canceled.

        Raises :class:`NotRegistered`; :class:`PendingMessages` and :class:`RunningSessions` unless ``force``.
        """

        def work(connection: Connection) -> None:
            registry.revise(connection)
            # The row is locked first: a message that is being appended is counted, or finds no station.
            if connection.execute(_LOCK, {"of_identity": identity}).rowcount == 0:
                raise NotRegistered(identity)
            count = connection.execute(_COUNT, {"of_identity": identity}).scalar_one()
            if count and not force:
                raise PendingMessages(identity, count)
            running = connection.execute(_RUNNING, {"of_identity": identity}).scalar_one()
            if running and not force:
                raise RunningSessions(identity, running)
            epoch = connection.execute(_DELETE, {"of_identity": identity}).scalar_one()
            registry.raise_epoch_floor(connection, epoch)
            end_with_station(connection, identity, utc_now())

        await self._database.write(work)

    async def set_password(self, identity: str, password_hash: str | None) -> None:
        """Replace the password's hash, or take the password away; one that was offered dies too.

        Raises :class:`NotRegistered`.
        """
        change = {"password_hash": password_hash, "next_password_hash": None, "next_password_waits": False}
        await self._change(_SET, {"of_identity": identity, **change})

    async def allow(self, identity: str, *, expired: bool | None = None, downgrade: bool | None = None) -> None:
        """Set the station's exceptions; None leaves one as it is. Raises :class:`NotRegistered`.

        ``expired``: its expired certificate lets it in (A00.FR.429). ``downgrade``: from security profile 3 it may go
        back to 2 (A00.FR.005).
        """
        await self._change(_ALLOW, {"of_identity": identity, "expired": expired, "downgrade": downgrade})

    async def pin_version(self, identity: str, version: Version | None) -> None:
        """Let the station speak this OCPP version only, or any. Raises :class:`NotRegistered`."""
        await self._change(_SET, {"of_identity": identity, "pinned_version": version_text(version)})

    async def set_group(self, identity: str, group: str | None) -> None:
        """Put the station into a group, or into none. Raises :class:`NotRegistered`."""
        await self._change(_SET, {"of_identity": identity, "station_group": group})

    async def set_backend(self, identity: str, backend: str | None) -> None:
        """Give the station a backend of its own, or leave it to the routes. Raises :class:`NotRegistered`."""
        await self._change(_SET, {"of_identity": identity, "backend": backend})

    async def set_serial(self, identity: str, serial: str | None) -> None:
        """Replace the serial number; without one the identity is the certificate's name.

        Raises :class:`NotRegistered`, :class:`SerialRejected`, :class:`SerialTaken`.
        """
        _check_serial(serial)
        record = StationRecord(identity, 1, serial)

        def work(connection: Connection) -> None:
            registry.revise(connection)
            _check_free(connection, record)
            change = {"of_identity": identity, "serial": serial, "certificate_name": record.certificate_name}
            if connection.execute(_SET, change).rowcount == 0:
                raise NotRegistered(identity)

        await self._database.write(work)

    async def take(self, identity: str, profile: int, version: Version | None = None) -> int:
        """Make the caller the owner: return the new epoch, and raise the minimum profile to ``profile`` (0: not).

        ``version`` is that of the new connection, None when there is none. Raises :class:`NotRegistered`, a KeyError,
        when the station has meanwhile been removed.
        """
        return await self._database.write(lambda connection: take(connection, identity, profile, version))

    async def confirm(self, record: StationRecord) -> None:
        """Return when the registry still lets in whom ``record`` does. Raises RecordChanged."""
        _check_same(await self.find(record.identity), record)

    async def let_in(self, record: StationRecord, profile: int, version: Version) -> Taken:
        """Make the caller the owner of a newcomer's station, if the registry still lets in whom ``record`` does.

        Raises RecordChanged.
        """
        return await self._database.write(lambda connection: let_in(connection, record, profile, version))

    # --- the rotation of a password

    async def offer_password(self, identity: str, password_hash: str) -> None:
        """Accept this password too, from when the method returns: now it may be sent. One offered before dies.

        Raises :class:`NotRegistered`.
        """
        work = functools.partial(password_rotation.offer, identity=identity, password_hash=password_hash)
        if not await self._database.write(work):
            raise NotRegistered(identity)

    async def settle_offer(self, identity: str, password_hash: str, *, accepted: bool) -> bool:
        """The station's answer is known: the offered password is the only one from now on, or forgotten.

        Returns False, without effect, when another password or none is offered.
        """
        work = functools.partial(
            password_rotation.settle, identity=identity, password_hash=password_hash, accepted=accepted
        )
        return await self._database.write(work)

    async def await_reboot(self, identity: str, password_hash: str) -> bool:
        """The station answered RebootRequired: until the offered password is used, both are accepted.

        Returns False, without effect, when another password or none is offered.
        """
        work = functools.partial(password_rotation.await_reboot, identity=identity, password_hash=password_hash)
        return await self._database.write(work)

    async def password_used(self, identity: str, password_hash: str) -> None:
        """Of two passwords that were accepted, the station has used this one: it is the only one from now on.

        Without effect when ``password_hash`` is the old one and the new one waits for a reboot, or is neither.
        """
        work = functools.partial(password_rotation.use, identity=identity, password_hash=password_hash)
        await self._database.write(work)

    # --- the station as its owner knows it

    async def save_boot(
        self, identity: str, epoch: int, status: BootStatus, interval: int, payload: Json, *, reported: bool
    ) -> None:
        """Persist the answer to a BootNotification; ``payload`` is kept when it is Accepted. Raises StaleEpoch."""
        values: dict[str, Any] = {
            "of_identity": identity,
            "of_epoch": epoch,
            "boot_status": status.value,
            "boot_interval": interval,
            "boot_reported": reported,
        }
        if status is BootStatus.ACCEPTED:
            values["boot_payload"] = json_text(payload)
        if await self._database.write(lambda connection: connection.execute(_SAVE_BOOT, values).rowcount) == 0:
            raise StaleEpoch(f"station {identity!r} has another owner than epoch {epoch}")

    async def revision(self) -> int:
        """Return a number that grows with every change that a person made to the registry, in any process."""
        return await self._database.read(registry.read_revision)

    async def _change(self, statement: Update, values: dict[str, Any]) -> None:
        def work(connection: Connection) -> None:
            registry.revise(connection)
            if connection.execute(statement, values).rowcount == 0:
                raise NotRegistered(values["of_identity"])

        await self._database.write(work)


def take(connection: Connection, identity: str, profile: int, version: Version | None) -> int:
    """Make the caller the station's owner, as :meth:`Stations.take` does. Raises :class:`NotRegistered`."""
    values = {"of_identity": identity, "to_profile": profile, "to_version": version_text(version)}
    taken = _TAKE.first(connection, values)
    if taken is None:
        raise NotRegistered(identity)
    epoch: int = taken.epoch
    return epoch


def let_in(connection: Connection, record: StationRecord, profile: int, version: Version) -> Taken:
    """Take a newcomer's station by the row that it was decided by, as :meth:`Stations.let_in` does."""
    # Locked by this SQL transaction: what is read here is what is taken.
    row = _FIND_LOCKED.first(connection, {"of_identity": record.identity})
    found = _check_same(None if row is None else station_record(row), record)
    return Taken(take(connection, record.identity, profile, version), found)


def _check_same(found: StationRecord | None, record: StationRecord) -> StationRecord:
    if found is None or not found.admits_like(record):
        raise RecordChanged(record.identity)
    return found


def _check_free(connection: Connection, record: StationRecord) -> None:
    name = record.certificate_name
    holder = connection.execute(_NAMED, {"name": name}).scalar_one_or_none()
    if holder not in {None, record.identity}:
        raise SerialTaken(
            f"the certificate name {name!r} is that of station {holder!r}; a serial number has one station"
        )


def _check_serial(serial: str | None) -> None:
    if serial is None:
        return
    if not 1 <= len(serial) <= SERIAL_MAX or not serial.isprintable() or serial != serial.strip():
        raise SerialRejected(
            f"a serial number has 1 to {SERIAL_MAX} printable characters and no space at its ends, "
            f"unlike {serial[:SERIAL_MAX]!a}"
        )


def _checked_profile(profile: int) -> int:
    if profile not in {1, 2, 3}:
        raise ValueError(f"a security profile is 1, 2 or 3, not {profile}")
    return profile
