"""Which vehicle (PCID) has which charging contracts (eMAID), and when they are valid."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, bindparam, delete, func, insert, or_, select, update

from gateway.session.contracts import (
    BATCH_MAX,
    PER_VEHICLE_MAX,
    BatchRefused,
    ContractRecord,
    ContractRefused,
    ContractUnknown,
    Imported,
    NewContract,
    check_period,
)
from gateway.store import registry
from gateway.store.columns import UtcTime, utc_now
from gateway.store.contract_batches import NO_DEFAULT, Batch, by_text, row_of, too_many
from gateway.store.contract_models import ContractRow
from gateway.store.database import Database
from pki.iso15118.identifiers import Emaid, Pcid
from pki.iso15118.provisioning import Contract

_RECORD: Final = tuple(each for each in ContractRow.__table__.columns if each.name != "emaid_key")
_PAIR: Final = (ContractRow.pcid == bindparam("of_pcid"), ContractRow.emaid_key == bindparam("of_key"))
_FIND: Final = select(*_RECORD).where(*_PAIR)
_BY_ID: Final = select(*_RECORD).where(ContractRow.id == bindparam("of_id"))
_ALL: Final = select(*_RECORD).order_by(ContractRow.id).limit(bindparam("at_most"))
_AT: Final = bindparam("at", type_=UtcTime())
_IS_VALID: Final = (
    or_(ContractRow.valid_from.is_(None), ContractRow.valid_from <= _AT),
    or_(ContractRow.valid_until.is_(None), ContractRow.valid_until > _AT),
)
_FOR_VEHICLE: Final = (
    select(ContractRow.emaid, ContractRow.pcid, ContractRow.valid_until)
    .where(ContractRow.pcid == bindparam("of_pcid"), *_IS_VALID)
    .order_by(ContractRow.is_default.desc(), ContractRow.id)
    .limit(PER_VEHICLE_MAX)
)
_BY_EMAID: Final = select(
    func.count().label("vehicles"),
    func.min(ContractRow.emaid).label("emaid"),
    func.min(ContractRow.pcid).label("pcid"),
    func.count(ContractRow.valid_until).label("bounded"),
    func.max(ContractRow.valid_until).label("valid_until"),
).where(ContractRow.emaid_key == bindparam("of_key"), *_IS_VALID)
_COUNT: Final = select(func.count()).where(ContractRow.pcid == bindparam("of_pcid"))
_FILTERS: Final = {
    "of_pcid": ContractRow.pcid == bindparam("of_pcid"),
    "of_key": ContractRow.emaid_key == bindparam("of_key"),
    "after_id": ContractRow.id > bindparam("after_id"),
}
_ADD: Final = insert(ContractRow).returning(ContractRow.id)
_CHANGE: Final = update(ContractRow).where(ContractRow.id == bindparam("of_id"))
_REMOVE: Final = delete(ContractRow).where(*_PAIR)


class Contracts:
    """The contracts of all vehicles. A request of a vehicle reads them as they are at that moment."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def for_vehicle(self, pcid: str, at: datetime) -> Sequence[Contract]:
        """Return the contracts of a vehicle that are valid then: the default first, then as they were registered.

        ``pcid`` is in capitals. Raises StoreUnavailable.
        """
        key = {"of_pcid": pcid, "at": at}
        rows = await self._database.read(lambda connection: connection.execute(_FOR_VEHICLE, key).all())
        return [Contract(row.emaid, row.pcid, row.valid_until) for row in rows]

    async def by_emaid(self, emaid: str, at: datetime) -> Contract | None:
        """Return the contract of this eMAID, in any of its forms, if it is valid then; else None.

        If several vehicles have it, its ``pcid`` is None, and its ``valid_until`` the latest of theirs. Raises
        StoreUnavailable.
        """
        try:
            key = {"of_key": Emaid.of_peer(emaid).key, "at": at}
        except ValueError:
            return None
        row = await self._database.read(lambda connection: connection.execute(_BY_EMAID, key).one())
        if not row.vehicles:
            return None
        valid_until = row.valid_until if row.bounded == row.vehicles else None
        return Contract(row.emaid, row.pcid if row.vehicles == 1 else None, valid_until)

    async def add(self, new: NewContract, by: str) -> ContractRecord:
        """Register a contract. Raises ContractRefused when it is there already or its vehicle has too many."""
        now = self._clock()

        def work(connection: Connection) -> ContractRecord:
            registry.hold(connection)  # one after the other: neither a second default nor one contract too many
            pair = _pair(new.pcid, new.emaid)
            if connection.execute(_FIND, pair).first() is not None:
                raise ContractRefused(
                    f"vehicle {new.pcid} has the contract {new.emaid} already: import it to change its times, or "
                    "remove it first"
                )
            if connection.execute(_COUNT, pair).scalar_one() >= PER_VEHICLE_MAX:
                raise ContractRefused(too_many(new.pcid.text))
            if new.is_default:
                connection.execute(NO_DEFAULT, pair)
            added = connection.execute(_ADD, row_of(new, by, now)).scalar_one()
            return _record(connection.execute(_BY_ID, {"of_id": added}).mappings().one())

        return await self._database.write(work)

    async def add_all(self, lines: Sequence[tuple[int, NewContract]], by: str) -> Imported:
        """Register the contracts of a batch, each with the number of its line, or none of them.

        One that is there already gets the batch's times, and becomes the default if the batch says so. Raises
        BatchRefused naming the lines.
        """
        if len(lines) > BATCH_MAX:
            raise BatchRefused([(lines[BATCH_MAX][0], f"at most {BATCH_MAX} contracts go in one batch: split it")])
        now = self._clock()

        def work(connection: Connection) -> Imported:
            registry.hold(connection)
            batch = Batch(connection, (new.pcid.text for _, new in lines), by, now)
            for line, new in lines:
                batch.take(line, new)
            added, changed = batch.write()
            return Imported(added, changed, len(lines) - added - changed)

        return await self._database.write(work)

    async def list(
        self,
        *,
        pcid: str | None = None,
        emaid: str | None = None,
        after_id: int = 0,
        limit: int = 1000,
    ) -> Sequence[ContractRecord]:
        """Return at most ``limit`` contracts in the order in which they were registered; None: any.

        The next page begins after the id of the last one's. Raises ValueError for what isn't a PCID or an eMAID.
        """
        wanted = {
            "of_pcid": None if pcid is None else Pcid.parse(pcid).text,
            "of_key": None if emaid is None else Emaid.of_peer(emaid).key,
            "after_id": after_id,
        }
        given = {name: value for name, value in wanted.items() if value is not None}
        statement = _ALL.where(*(_FILTERS[name] for name in given))
        values = {**given, "at_most": limit}
        rows = await self._database.read(lambda connection: connection.execute(statement, values).mappings().all())
        return [_record(row) for row in rows]

    async def find(self, pcid: Pcid, emaid: Emaid) -> ContractRecord | None:
        """Return one contract, or None."""
        key = _pair(pcid, emaid)
        row = await self._database.read(lambda connection: connection.execute(_FIND, key).mappings().first())
        return None if row is None else _record(row)

    async def change(self, pcid: Pcid, emaid: Emaid, by: str, changes: Mapping[str, Any]) -> ContractRecord:
        """Change ``valid_from``, ``valid_until`` (None: no bound), ``is_default``; what isn't named stays.

        Raises ContractUnknown, and ContractInvalid for what would never be valid.
        """
        now = self._clock()

        def work(connection: Connection) -> ContractRecord:
            registry.hold(connection)
            row = connection.execute(_FIND, _pair(pcid, emaid)).mappings().first()
            if row is None:
                raise _unknown(pcid, emaid)
            was = _record(row)
            changed = replace(was, **changes)
            check_period(changed.valid_from, changed.valid_until)
            if changed == was:
                return was
            if changed.is_default and not was.is_default:
                connection.execute(NO_DEFAULT, {"of_pcid": pcid.text})
            connection.execute(_CHANGE, {"of_id": was.id, **changes, "changed_at": now, "changed_by": by_text(by)})
            return _record(connection.execute(_BY_ID, {"of_id": was.id}).mappings().one())

        return await self._database.write(work)

    async def remove(self, pcid: Pcid, emaid: Emaid) -> None:
        """Forget a contract; its certificates stay as they are. Raises ContractUnknown."""
        key = _pair(pcid, emaid)
        if not await self._database.write(lambda connection: connection.execute(_REMOVE, key).rowcount):
            raise _unknown(pcid, emaid)


def _record(row: RowMapping) -> ContractRecord:
    return ContractRecord(**row)


def _pair(pcid: Pcid, emaid: Emaid) -> dict[str, str]:
    return {"of_pcid": pcid.text, "of_key": emaid.key}


def _unknown(pcid: Pcid, emaid: Emaid) -> ContractUnknown:
    return ContractUnknown(f"vehicle {pcid} has no contract {emaid}")
