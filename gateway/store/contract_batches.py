"""Many contracts registered in one go: found line by line, written in a few statements, all or none."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, select, update

from gateway.session.contracts import PER_VEHICLE_MAX, BatchRefused, NewContract
from gateway.store.columns import bounded_text
from gateway.store.contract_models import ContractRow

BY_MAX: Final = 100
"""Characters kept of who registered or changed a contract."""
AT_ONCE: Final = 500
"""Vehicles that are looked up in one statement."""

NO_DEFAULT: Final = (
    update(ContractRow).where(ContractRow.pcid == bindparam("of_pcid"), ContractRow.is_default).values(is_default=False)
)
"""Leaves a vehicle, ``of_pcid``, without a default."""
_OF_VEHICLES: Final = select(
    ContractRow.id,
    ContractRow.pcid,
    ContractRow.emaid_key,
    ContractRow.valid_from,
    ContractRow.valid_until,
    ContractRow.is_default,
).where(ContractRow.pcid.in_(bindparam("of_pcids", expanding=True)))
_ADD: Final = insert(ContractRow)
_CHANGE: Final = (
    update(ContractRow)
    .where(ContractRow.id == bindparam("of_id"))
    .values(
        valid_from=bindparam("from_time"),
        valid_until=bindparam("until_time"),
        is_default=bindparam("by_default"),
        changed_at=bindparam("at"),
        changed_by=bindparam("by"),
    )
)


@dataclass(frozen=True, slots=True)
class _Stored:
    """A contract that is there before the batch."""

    id: int
    valid_from: datetime | None
    valid_until: datetime | None
    is_default: bool


class Batch:
    """The contracts of one batch, on what there is of their vehicles."""

    def __init__(self, connection: Connection, pcids: Iterable[str], by: str, now: datetime) -> None:
        self._connection = connection
        self._by = by
        self._now = now
        self._stored = _stored(connection, sorted(set(pcids)))
        self._lines: dict[tuple[str, str], int] = {}
        """By PCID and eMAID's key: in which line it is."""
        self._counts = {pcid: len(contracts) for pcid, contracts in self._stored.items()}
        self._defaults: dict[str, int] = {}
        """By PCID: in which line its default is."""
        self._problems: list[tuple[int, str]] = []
        self._added: list[dict[str, Any]] = []
        self._touched: list[tuple[_Stored, NewContract]] = []

    def take(self, line: int, new: NewContract) -> None:
        """Take one line in."""
        pair = pcid, key = new.pcid.text, new.emaid.key
        stored = self._stored.get(pcid, {}).get(key)
        if self._lines.setdefault(pair, line) != line:
            self._problems.append((line, f"vehicle {pcid} and contract {new.emaid} are in line {self._lines[pair]}"))
        elif new.is_default and self._defaults.setdefault(pcid, line) != line:
            self._problems.append((line, f"vehicle {pcid} has its default in line {self._defaults[pcid]}"))
        elif stored is not None:
            self._touched.append((stored, new))
        elif self._counts.get(pcid, 0) >= PER_VEHICLE_MAX:
            self._problems.append((line, too_many(pcid)))
        else:
            self._counts[pcid] = self._counts.get(pcid, 0) + 1
            self._added.append(row_of(new, self._by, self._now))

    def write(self) -> tuple[int, int]:
        """Write it all; return how many contracts were added, and how many changed. Raises BatchRefused."""
        if self._problems:
            raise BatchRefused(self._problems)
        changed = [each for each in (self._change(*pair) for pair in self._touched) if each is not None]
        stay = {new.pcid.text for stored, new in self._touched if stored.is_default and new.is_default}
        if moved := self._defaults.keys() - stay:
            self._connection.execute(NO_DEFAULT, [{"of_pcid": pcid} for pcid in sorted(moved)])
        if changed:
            self._connection.execute(_CHANGE, changed)
        if self._added:
            self._connection.execute(_ADD, self._added)
        return len(self._added), len(changed)

    def _change(self, stored: _Stored, new: NewContract) -> dict[str, Any] | None:
        """Return what changes of a contract that is there, or None. It stays the default if no line names another."""
        by_default = new.is_default if new.pcid.text in self._defaults else stored.is_default
        if (stored.valid_from, stored.valid_until, stored.is_default) == (new.valid_from, new.valid_until, by_default):
            return None
        return {
            "of_id": stored.id,
            "from_time": new.valid_from,
            "until_time": new.valid_until,
            "by_default": by_default,
            "at": self._now,
            "by": by_text(self._by),
        }


def row_of(new: NewContract, by: str, now: datetime) -> dict[str, Any]:
    """Return the values of a new contract's row."""
    return {
        "pcid": new.pcid.text,
        "emaid": new.emaid.wire,
        "emaid_key": new.emaid.key,
        "valid_from": new.valid_from,
        "valid_until": new.valid_until,
        "is_default": new.is_default,
        "added_at": now,
        "added_by": by_text(by),
        "changed_at": now,
        "changed_by": by_text(by),
    }


def by_text(text: str) -> str:
    """Return as much of a person's name as is kept."""
    return bounded_text(text, BY_MAX)


def too_many(pcid: str) -> str:
    """Return why a vehicle gets no further contract."""
    return f"vehicle {pcid} has {PER_VEHICLE_MAX} contracts, which is the most: remove one first"


def _stored(connection: Connection, pcids: list[str]) -> dict[str, dict[str, _Stored]]:
    """Return what there is of these vehicles, by PCID and by the eMAID's key."""
    found: dict[str, dict[str, _Stored]] = {}
    for start in range(0, len(pcids), AT_ONCE):
        for row in connection.execute(_OF_VEHICLES, {"of_pcids": pcids[start : start + AT_ONCE]}):
            of_vehicle = found.setdefault(row.pcid, {})
            of_vehicle[row.emaid_key] = _Stored(row.id, row.valid_from, row.valid_until, row.is_default)
    return found
