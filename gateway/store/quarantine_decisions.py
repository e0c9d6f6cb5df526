"""A person's word about what is in the quarantine: let it go to the backend, or never.

What follows the begin of its transaction goes with it, either way, and nothing goes while that begin is held.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, select, update

from gateway.session.quarantine import FOLLOWS, ReleaseRefused, Selection, State
from gateway.store.columns import bounded_text, utc_now
from gateway.store.database import Database
from gateway.store.models import QuarantineRow, Station
from gateway.store.quarantine import REASON_MAX, prune

DECIDED_AT_ONCE: Final = 10_000
"""Messages that one word is about at most, the oldest; where there are more, it is said again."""
WHO_MAX: Final = 100
"""Characters kept of who decided."""
_CHUNK: Final = 500
"""Ids in one statement."""

_Q: Final = QuarantineRow
_META: Final[Select[*tuple[Any, ...]]] = select(_Q.id, _Q.identity, _Q.station_tx, _Q.state, _Q.gathers)
_FOLLOWERS: Final = _META.where(
    _Q.identity == bindparam("of_identity"),
    _Q.station_tx == bindparam("of_station_tx"),
    _Q.rule == FOLLOWS,
    _Q.state == State.HELD.value,
)
_OF_TRANSACTION: Final = (
    select(_Q.id, _Q.state, _Q.gathers)
    .where(_Q.identity == bindparam("of_identity"), _Q.station_tx == bindparam("of_station_tx"))
    .order_by(_Q.id)
)
_LOCK: Final = update(Station).where(Station.identity == bindparam("of_identity")).values(epoch=Station.epoch)
"""Locks the station's row, and changes nothing: what the station says meanwhile stands as was decided, or before it."""


class QuarantineDecisions:
    """The decisions, each in one SQL transaction: all that was meant, or nothing of it."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def release(self, selection: Selection, by: str) -> Sequence[int]:
        """Let messages go to the backend; return their ids, oldest first. A running gateway delivers them.

        Raises LookupError for what isn't there, and ReleaseRefused for what isn't held any more, is of a station that
        isn't registered, or may not go before another.
        """
        values = self._decided(State.RELEASED, by) | {"last_error": ""}

        def work(connection: Connection) -> Sequence[int]:
            if gone := _locked(connection, selection):
                raise ReleaseRefused(
                    f"station {gone[0][:60]!a} isn't registered any more: it has no backend to which messages could go"
                )
            rows = _selected(connection, selection)
            chosen = {row.id for row in rows}
            for identity, station_tx in {(row.identity, row.station_tx) for row in rows if row.station_tx}:
                _check_order(connection, identity, station_tx, chosen, rows)
            _decide(connection, chosen, values)
            return sorted(chosen)

        return await self._database.write(work)

    async def discard(self, selection: Selection, by: str, reason: str) -> Sequence[int]:
        """The backend is never to hear these messages; return their ids, oldest first. They stay to be looked at.

        Raises LookupError for what isn't there, and ReleaseRefused for what isn't held any more.
        """
        values = self._decided(State.DISCARDED, by) | {"decision": bounded_text(reason, REASON_MAX)}

        def work(connection: Connection) -> Sequence[int]:
            _locked(connection, selection)
            rows = _selected(connection, selection)
            _decide(connection, {row.id for row in rows}, values)
            for identity in {row.identity for row in rows}:
                prune(connection, identity)
            return sorted(row.id for row in rows)

        return await self._database.write(work)

    def _decided(self, state: State, by: str) -> dict[str, Any]:
        return {"state": state.value, "decided_at": self._clock(), "decided_by": bounded_text(by, WHO_MAX)}


def _selected(connection: Connection, selection: Selection) -> Sequence[Row[*tuple[Any, ...]]]:
    """Return what is meant, and what follows it, oldest first."""
    rows = list(_by_id(connection, selection) if selection.ids else _by_words(connection, selection))
    for row in [row for row in rows if row.gathers]:
        key = {"of_identity": row.identity, "of_station_tx": row.station_tx}
        rows += connection.execute(_FOLLOWERS, key).all()
    return sorted({row.id: row for row in rows}.values(), key=lambda row: int(row.id))


def _locked(connection: Connection, selection: Selection) -> Sequence[str]:
    """Lock the stations whose messages are meant, in one order; return those that aren't registered any more."""
    identities = sorted({row.identity for row in _selected(connection, selection)})
    return [each for each in identities if not connection.execute(_LOCK, {"of_identity": each}).rowcount]


def _by_id(connection: Connection, selection: Selection) -> Iterator[Row[*tuple[Any, ...]]]:
    found = {row.id: row for ids in _chunks(selection.ids) for row in connection.execute(_META.where(_Q.id.in_(ids)))}
    for number in selection.ids:
        row = found.get(number)
        if row is None:
            raise LookupError(f"there is no message {number} in the quarantine")
        if row.state != State.HELD.value:
            raise ReleaseRefused(f"message {number} is {row.state} already")
        yield row


def _by_words(connection: Connection, selection: Selection) -> Sequence[Row[*tuple[Any, ...]]]:
    """Return those that are held of a station's transaction, or of a rule."""
    wanted: list[ColumnElement[bool]] = [_Q.state == State.HELD.value]
    for column, value in (
        (_Q.identity, selection.identity),
        (_Q.station_tx, selection.station_tx),
        (_Q.rule, selection.rule),
    ):
        if value is not None:
            wanted.append(column == value)
    statement = _META.where(*wanted).order_by(_Q.id).limit(DECIDED_AT_ONCE)
    rows = connection.execute(statement).all()
    if not rows:
        raise LookupError(f"nothing that is held in the quarantine is of {_words(selection)}")
    return rows


def _words(selection: Selection) -> str:
    named = {"station": selection.identity, "transaction": selection.station_tx, "rule": selection.rule}
    return ", ".join(f"{name} {value[:60]!a}" for name, value in named.items() if value is not None)


def _check_order(
    connection: Connection, identity: str, station_tx: str, chosen: set[int], rows: Sequence[Row[*tuple[Any, ...]]]
) -> None:
    """Return when the begin of the transaction is on its way, too, or gone. Raises ReleaseRefused."""
    ours = [row for row in rows if (row.identity, row.station_tx) == (identity, station_tx)]
    last = ours[-1].id
    for row in connection.execute(_OF_TRANSACTION, {"of_identity": identity, "of_station_tx": station_tx}):
        if row.gathers and row.id < last and row.id not in chosen and row.state == State.HELD.value:
            raise ReleaseRefused(
                f"the transaction of message {last} begins with message {row.id}, which is held: release that first, "
                "or the whole transaction"
            )
        if row.gathers and row.state == State.DISCARDED.value:
            raise ReleaseRefused(
                f"message {row.id}, with which the transaction of message {last} begins, was discarded: "
                "the backend knows no such transaction"
            )


def _decide(connection: Connection, ids: set[int], values: dict[str, Any]) -> None:
    for chunk in _chunks(sorted(ids)):
        connection.execute(update(_Q).where(_Q.id.in_(chunk), _Q.state == State.HELD.value).values(values))


def _chunks(ids: Any) -> Iterator[list[int]]:
    every = list(ids)
    for start in range(0, len(every), _CHUNK):
        yield every[start : start + _CHUNK]
