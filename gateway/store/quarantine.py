"""The quarantine of all stations: what is kept for a person, until it is delivered or discarded and for a while after.

Each method that speaks for a station's owner is one SQL transaction that begins by locking the station's row under its
epoch; a person's word (:mod:`gateway.store.quarantine_decisions`) locks it too, and changes held messages only.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, bindparam, delete, exists, func, insert, select, update

from gateway.bridge.books import Transaction
from gateway.bridge.given_numbers import after, given
from gateway.bridge.ledger_words import version_of
from gateway.session.ports import JournalFull
from gateway.session.quarantine import FOLLOWS, UNDECIDED, Kept, QuarantinedMessage, State, Why, begins
from gateway.session.tally import Leg
from gateway.store.columns import bounded_text, from_json_text, json_text, utc_now
from gateway.store.database import Database
from gateway.store.epochs import HOLD, own
from gateway.store.hot import HotStatement
from gateway.store.models import JournalRow, QuarantineRow, Station, TransactionRow
from gateway.store.transactions import read_one

QUARANTINE_MAX: Final = 10_000
"""Messages of one station that wait for a person, or to be delivered, at most."""
DECIDED_KEPT: Final = 1_000
"""Delivered and discarded messages of one station that are kept to be looked at, the newest."""
REASON_MAX: Final = 1_000
"""Characters kept of why a message is kept, or wasn't delivered."""

_Q: Final = QuarantineRow
_OPEN: Final = [state.value for state in UNDECIDED]
_OVER: Final = [state.value for state in State if state not in UNDECIDED]
_OF: Final = _Q.identity == bindparam("of_identity")
_OF_TX: Final = (_OF, _Q.station_tx == bindparam("of_station_tx"))
ALL: Final = select(*_Q.__table__.columns)

_INSERT: Final = insert(_Q)
_NUMBER: Final = insert(JournalRow)
_NUMBERED: Final = delete(JournalRow).where(JournalRow.id == bindparam("of_id"))
_SAME: Final = ALL.where(
    _OF, _Q.digest == bindparam("of_digest"), (_Q.station_tx != "") | _Q.state.in_(_OPEN)
).order_by(_Q.id.desc())
_FULL: Final = select(exists(select(_Q.id).where(_OF, _Q.state.in_(_OPEN)).offset(bindparam("of_limit") - 1).limit(1)))
_BEGIN: Final = (
    select(_Q.id, _Q.state, _Q.decided_at, _Q.decided_by, _Q.decision)
    .where(*_OF_TX, _Q.gathers)
    .order_by(_Q.id.desc())
    .limit(1)
)
_TAKEN: Final = select(
    exists(select(_Q.id).where(*_OF_TX))
    | exists(
        select(TransactionRow.id).where(
            TransactionRow.identity == bindparam("of_identity"),
            (TransactionRow.station_tx == bindparam("of_station_tx"))
            | (TransactionRow.backend_tx == bindparam("of_number")),
        )
    )
)
_RELEASED: Final = ALL.where(_OF, _Q.state == State.RELEASED.value).order_by(_Q.id).limit(bindparam("at_most"))
_STATIONS: Final = select(_Q.identity).where(_Q.state == State.RELEASED.value).distinct()
_COUNTS: Final = select(_Q.state, func.count()).where(_Q.state.in_(_OPEN)).group_by(_Q.state)
_GATHERING: Final = HotStatement(select(_Q.station_tx, _Q.leg, _Q.digest).where(_OF, _Q.gathers).order_by(_Q.id))
_THE_ROW: Final = update(_Q).where(_Q.id == bindparam("of_id"))
_NO_MORE: Final = update(_Q).where(*_OF_TX, _Q.gathers).values(gathers=False)
_STILL_FOLLOWING: Final = select(
    exists(select(_Q.id).where(*_OF_TX, _Q.rule == FOLLOWS, _Q.state == State.RELEASED.value))
)
_FOLLOWERS_BACK: Final = (
    update(_Q)
    .where(*_OF_TX, _Q.rule == FOLLOWS, _Q.state == State.RELEASED.value)
    .values(state=State.HELD.value, last_error=bindparam("to_error"), decided_at=None, decided_by="")
)
_ALL_BACK: Final = (
    update(_Q)
    .where(_OF, _Q.state == State.RELEASED.value, ~exists().where(Station.identity == bindparam("of_identity")))
    .values(state=State.HELD.value, last_error=bindparam("to_error"), decided_at=None, decided_by="")
)
_OLDEST_KEPT: Final = (
    select(_Q.id)
    .where(_OF, _Q.state.in_(_OVER))
    .order_by(_Q.id.desc())
    .offset(bindparam("to_keep"))
    .limit(1)
    .scalar_subquery()
)
_PRUNE: Final = delete(_Q).where(_OF, _Q.state.in_(_OVER), _Q.id <= _OLDEST_KEPT)


class Quarantine:
    """The quarantines of all stations, at most ``limit`` undecided messages each. Fulfils QuarantineStore."""

    def __init__(
        self, database: Database, limit: int = QUARANTINE_MAX, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._database = database
        self._limit = limit
        self._clock = clock

    async def append(self, identity: str, epoch: int, message: Kept) -> tuple[QuarantinedMessage, bool] | None:
        """Keep a message, once: an identical one that is there already is returned, with False.

        Of one that follows its start: None when it begins another transaction than the one that was discarded. Raises
        StaleEpoch, JournalFull at ``limit`` undecided ones.
        """
        now = self._clock()
        payload = json_text(message.payload)

        def work(connection: Connection) -> tuple[QuarantinedMessage, bool] | None:
            own(connection, HOLD, identity, epoch)
            same = {"of_identity": identity, "of_digest": message.digest}
            known = connection.execute(_SAME, same).mappings().first()
            if known is not None:
                return message_of(known), False
            begin = _begin(connection, identity, message)
            was_discarded = begin is not None and begin["state"] == State.DISCARDED.value
            if was_discarded and begins(message.action, message.payload):
                connection.execute(_NO_MORE, {"of_identity": identity, "of_station_tx": message.station_tx})
                return None
            _check_room(connection, identity, self._limit)
            row = _row(message, identity, payload, now) | _state(begin)
            row["id"] = _number(connection, row)
            if message.leg is Leg.STATION and message.action == "StartTransaction":
                free = _free_number(connection, identity, row["id"])
                row["station_tx"] = str(free)
                row["answer"] = json_text({**message.answer, "transactionId": free})
            connection.execute(_INSERT, row)
            return message_of(row), True

        return await self._database.write(work)

    # --- for the delivery

    async def released(self, identity: str, limit: int = 100) -> Sequence[QuarantinedMessage]:
        """Return the first ``limit`` messages of a station that a person has released, oldest first."""
        key = {"of_identity": identity, "at_most": limit}
        rows = await self._database.read(lambda connection: connection.execute(_RELEASED, key).mappings().all())
        return [message_of(row) for row in rows]

    async def stations_with_released(self) -> Sequence[str]:
        """Return the identities of those that have some."""
        return await self._database.read(lambda connection: connection.execute(_STATIONS).scalars().all())

    async def delivered(self, message: QuarantinedMessage, epoch: int) -> bool:
        """The backend has it, or the journal. Raises StaleEpoch.

        True: its transaction has begun, and nothing that follows it waits; from now on nothing is gathered.
        """
        key = {"of_identity": message.identity, "of_station_tx": message.station_tx}

        def work(connection: Connection) -> bool:
            own(connection, HOLD, message.identity, epoch)
            connection.execute(_THE_ROW, {"of_id": message.id, "state": State.DELIVERED.value})
            begin = connection.execute(_BEGIN, key).mappings().first()
            is_over = (
                begin is not None
                and begin["state"] == State.DELIVERED.value
                and not connection.execute(_STILL_FOLLOWING, key).scalar_one()
            )
            if is_over:
                connection.execute(_NO_MORE, key)
            prune(connection, message.identity)
            return is_over

        return await self._database.write(work)

    async def transaction(self, identity: str, station_tx: str) -> Transaction | None:
        """Return a transaction of a station, however long ago it ended; None where nobody knows it."""
        return await self._database.read(lambda connection: read_one(connection, identity, station_tx))

    async def put_back(self, message: QuarantinedMessage, epoch: int, error: str) -> None:
        """The backend doesn't take it: it is held again, and where it begins a transaction, what follows it too.

        Raises StaleEpoch.
        """
        back = {
            "of_id": message.id,
            "state": State.HELD.value,
            "attempts": message.attempts + 1,
            "last_error": bounded_text(error, REASON_MAX),
            "decided_at": None,
            "decided_by": "",
        }
        followers = {
            "of_identity": message.identity,
            "of_station_tx": message.station_tx,
            "to_error": f"message {message.id}, with which its transaction begins, was not taken",
        }

        def work(connection: Connection) -> None:
            own(connection, HOLD, message.identity, epoch)
            connection.execute(_THE_ROW, back)
            if message.gathers:
                connection.execute(_FOLLOWERS_BACK, followers)

        await self._database.write(work)

    async def put_back_all(self, identity: str, error: str) -> None:
        """A station that isn't registered any more has nowhere to deliver to: its messages are held again."""
        gone = {"of_identity": identity, "to_error": bounded_text(error, REASON_MAX)}
        await self._database.write(lambda connection: connection.execute(_ALL_BACK, gone))

    # --- for people

    async def find(self, number: int) -> QuarantinedMessage | None:
        """Return one message, or None."""
        statement = ALL.where(_Q.id == number)
        row = await self._database.read(lambda connection: connection.execute(statement).mappings().first())
        return None if row is None else message_of(row)

    async def list(
        self,
        identity: str | None = None,
        *,
        states: Collection[State] = UNDECIDED,
        rule: str | None = None,
        station_tx: str | None = None,
        after_id: int = 0,
        limit: int = 1_000,
    ) -> Sequence[QuarantinedMessage]:
        """Return the first ``limit`` messages that fit, oldest first, behind ``after_id``; None: any."""
        statement = ALL.where(_Q.state.in_([state.value for state in states]), _Q.id > after_id)
        for column, wanted in ((_Q.identity, identity), (_Q.rule, rule), (_Q.station_tx, station_tx)):
            if wanted is not None:
                statement = statement.where(column == wanted)
        statement = statement.order_by(_Q.id).limit(limit)
        rows = await self._database.read(lambda connection: connection.execute(statement).mappings().all())
        return [message_of(row) for row in rows]

    async def counts(self) -> Mapping[State, int]:
        """Return how many messages there are in each state that isn't decided."""
        rows = await self._database.read(lambda connection: connection.execute(_COUNTS).all())
        return dict.fromkeys(UNDECIDED, 0) | {State(state): count for state, count in rows}


# --- within the SQL transactions of others


def keep_refused(connection: Connection, entry_id: int, identity: str, why: Why, now: datetime, limit: int) -> None:
    """Copy an entry of the journal into the quarantine: it is of the backend's leg. One that is gone isn't there.

    Raises JournalFull at ``limit`` undecided messages of the station.
    """
    of_journal = (
        JournalRow.id, JournalRow.identity, JournalRow.station_tx, JournalRow.action, JournalRow.payload,
        JournalRow.attempts, JournalRow.recorded_at,
    )  # fmt: skip
    entry = (
        connection.execute(select(*of_journal).where(JournalRow.id == entry_id, JournalRow.identity == identity))
        .mappings()
        .first()
    )
    if entry is None:
        return
    key = {"of_identity": identity, "of_station_tx": entry["station_tx"]}
    begin = connection.execute(_BEGIN, key).mappings().first() if why.rule == FOLLOWS else None
    stands = _state(begin)
    if stands["state"] in _OPEN:
        _check_room(connection, identity, limit)
    connection.execute(
        _INSERT,
        {
            **_of_why(why),
            **entry,
            "leg": Leg.BACKEND.value,
            "protocol": version_of(entry["action"]).value,
            "digest": "",
            "answer": json_text({}),
            "kept_at": now,
            **stands,
        },
    )


def read_gathering(connection: Connection, identity: str) -> tuple[dict[str, str], set[str]]:
    """Return the station's transactions of which all is kept, as Books has them.

    First those that are kept as the station says them, with the digest of what they begin with; then those of which it
    is kept what the backend was to hear.
    """
    rows = _GATHERING.all(connection, {"of_identity": identity})
    said = {row.station_tx: row.digest for row in rows if row.leg == Leg.STATION.value}
    return said, {row.station_tx for row in rows if row.leg == Leg.BACKEND.value}


def prune(connection: Connection, identity: str) -> None:
    """Delete the station's oldest decided messages beyond ``DECIDED_KEPT``."""
    connection.execute(_PRUNE, {"of_identity": identity, "to_keep": DECIDED_KEPT})


def _check_room(connection: Connection, identity: str, limit: int) -> None:
    """Return while fewer messages of the station than ``limit`` are undecided. Raises JournalFull."""
    if connection.execute(_FULL, {"of_identity": identity, "of_limit": limit}).scalar_one():
        raise JournalFull(f"the quarantine of station {identity!r} holds {limit} messages, its bound")


def _begin(connection: Connection, identity: str, message: Kept) -> RowMapping | None:
    """Return the begin that a message follows."""
    if message.why.rule != FOLLOWS:
        return None
    key = {"of_identity": identity, "of_station_tx": message.station_tx}
    return connection.execute(_BEGIN, key).mappings().first()


def _state(begin: RowMapping | None) -> dict[str, Any]:
    """Return the columns by which a message stands as its begin does: what a person said of that is said of it."""
    if begin is None or begin["state"] == State.HELD.value:
        return {"state": State.HELD.value, "decided_at": None, "decided_by": "", "decision": ""}
    is_discarded = begin["state"] == State.DISCARDED.value
    return {
        "state": (State.DISCARDED if is_discarded else State.RELEASED).value,
        "decided_at": begin["decided_at"],
        "decided_by": begin["decided_by"],
        "decision": begin["decision"],
    }


def _of_why(why: Why) -> dict[str, Any]:
    return {
        "rule": why.rule,
        "reason": bounded_text(why.reason, REASON_MAX),
        "gathers": why.gathers,
        "last_error": "",
        "attempts": 0,
    }


def _row(message: Kept, identity: str, payload: str, now: datetime) -> dict[str, Any]:
    return {
        "identity": identity,
        "leg": message.leg.value,
        "protocol": message.protocol,
        "station_tx": message.station_tx,
        "action": message.action,
        "payload": payload,
        "digest": message.digest,
        **_of_why(message.why),
        "answer": json_text(message.answer),
        "recorded_at": now,
        "kept_at": now,
    }


def _number(connection: Connection, row: Mapping[str, Any]) -> int:
    """Take a number of the journal's: they rise over both tables, and none is used twice."""
    entry = {name: row[name] for name in ("identity", "station_tx", "action", "payload", "attempts", "recorded_at")}
    (number,) = connection.execute(_NUMBER, entry).inserted_primary_key  # type: ignore[misc]  # None is for several rows
    connection.execute(_NUMBERED, {"of_id": number})
    return int(number)


def _free_number(connection: Connection, identity: str, row: int) -> int:
    """Return the number that a 1.6 station is given for the transaction that begins with a row."""
    number = given(row)
    key = {"of_identity": identity}
    while connection.execute(_TAKEN, {**key, "of_station_tx": str(number), "of_number": number}).scalar_one():
        number = after(number)
    return number


def message_of(row: RowMapping | Mapping[str, Any]) -> QuarantinedMessage:
    values = dict(row)
    values["state"] = State(values["state"])
    values["leg"] = Leg(values["leg"])
    values["payload"] = from_json_text(values["payload"])
    values["answer"] = from_json_text(values["answer"])
    values.pop("digest")
    return QuarantinedMessage(**values)
