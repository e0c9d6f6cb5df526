"""The stations' requests for certificates: what was answered Accepted outlives the process."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, and_, bindparam, delete, false, insert, or_, select, update

from gateway.bridge.books import Json
from gateway.session.certificate_requests import OPEN, CertificateRequest, NotWaiting, RequestState, RequestUnknown
from gateway.store import registry
from gateway.store.certificate_records import CertificateState
from gateway.store.columns import UtcTime, bounded_text, from_json_text, json_text, utc_now
from gateway.store.database import Database
from gateway.store.hot import HotStatement
from gateway.store.models import CertificateRequestRow, CertificateRow, Station

KEPT_MAX: Final = 20
"""Requests of one station that are kept, the open ones among them."""
DETAIL_MAX: Final = 512
"""Characters kept of a request's detail."""

_OPEN: Final = [state.value for state in OPEN]
_COLUMNS: Final = tuple(CertificateRequestRow.__table__.columns)
_ALL: Final = select(*_COLUMNS).order_by(CertificateRequestRow.id)
_BY_ID: Final = _ALL.where(CertificateRequestRow.id == bindparam("of_id"))
_OF_STATION: Final = CertificateRequestRow.identity == bindparam("of_identity")
_OPEN_ONES: Final = _ALL.where(_OF_STATION, CertificateRequestRow.state.in_(_OPEN))
_OPEN_OF_STATION: Final = HotStatement(_OPEN_ONES)
_ASKING: Final = select(CertificateRequestRow.identity).where(CertificateRequestRow.state.in_(_OPEN)).distinct()
_OPEN_OF_USAGE: Final = _OPEN_ONES.where(CertificateRequestRow.usage == bindparam("of_usage"))
_ADD: Final = insert(CertificateRequestRow).returning(CertificateRequestRow.id)
_UPDATE: Final = update(CertificateRequestRow).where(CertificateRequestRow.id == bindparam("of_id"))
_MOVE: Final = _UPDATE.where(CertificateRequestRow.state.in_(_OPEN))
_DECIDE: Final = _UPDATE.where(CertificateRequestRow.state == RequestState.WAITING.value)
_ATTEMPT: Final = _MOVE.values(attempts=CertificateRequestRow.attempts + 1).returning(CertificateRequestRow.attempts)
_OLD: Final = (
    select(CertificateRequestRow.id)
    .where(_OF_STATION)
    .order_by(CertificateRequestRow.id.desc())
    .offset(KEPT_MAX)
    .scalar_subquery()
)
_PRUNE: Final = delete(CertificateRequestRow).where(
    CertificateRequestRow.id.in_(_OLD), CertificateRequestRow.state.not_in(_OPEN)
)
_OWN_NAME: Final = select(Station.certificate_name).where(Station.identity == bindparam("of_identity"))
_NAMED: Final = select(Station.identity).where(
    Station.identity != bindparam("of_identity"),
    or_(Station.identity == bindparam("of_name"), Station.certificate_name == bindparam("of_name")),
)
_SUBJECTS: Final = (
    select(CertificateRow.subject)
    .where(
        CertificateRow.identity != bindparam("of_identity"),
        CertificateRow.usage == bindparam("of_usage"),
        CertificateRow.state != CertificateState.REVOKED.value,
        CertificateRow.not_after > bindparam("now", type_=UtcTime()),
    )
    .distinct()
)


class CertificateRequests:
    """The requests of all stations; a removed station's go with it.

    ``serve`` alone adds some, and by one such object.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock
        self._asking: set[str] = set()
        """Who may have open requests, once that is read: all others needn't be looked up when they come in."""
        self._knows_who_asks = False

    async def add(
        self, identity: str, usage: str, state: RequestState, *, csr: str, key_fingerprint: str, words: Json
    ) -> tuple[CertificateRequest, Sequence[CertificateRequest]]:
        """Keep a new request, durable on return, in place of those of this usage that are open.

        Return it, and those that it replaces as they were. Raises StoreUnavailable.
        """
        self._asking.add(identity)  # first: nobody may miss it who looks while it is written
        now = self._clock()
        row = {
            "identity": identity,
            "usage": usage,
            "state": state.value,
            "csr": csr,
            "key_fingerprint": key_fingerprint,
            "words": json_text(words),
            "serial": None,
            "attempts": 0,
            "detail": "",
            "requested_at": now,
            "changed_at": now,
        }
        key = {"of_identity": identity, "of_usage": usage}

        def work(connection: Connection) -> tuple[RowMapping, Sequence[RowMapping]]:
            older = connection.execute(_OPEN_OF_USAGE, key).mappings().all()
            for each in older:
                values = {"of_id": each["id"], "state": RequestState.REPLACED.value, "changed_at": now}
                connection.execute(_MOVE, {**values, "detail": "the station asked anew"})
            added = connection.execute(_ADD, row).scalar_one()
            connection.execute(_PRUNE, key)
            return connection.execute(_BY_ID, {"of_id": added}).mappings().one(), older

        new, replaced = await self._database.write(work)
        return _record(new), [_record(each) for each in replaced]

    async def find(self, request_id: int) -> CertificateRequest | None:
        """Return one request, or None. Raises StoreUnavailable."""
        key = {"of_id": request_id}
        row = await self._database.read(lambda connection: connection.execute(_BY_ID, key).mappings().first())
        return None if row is None else _record(row)

    async def open_ones(self, identity: str) -> Sequence[CertificateRequest]:
        """Return the station's requests that aren't over: one of each usage at most. Raises StoreUnavailable."""
        if self._database.is_exclusive:
            await self._learn_who_asks()
            if identity not in self._asking:
                return []
        key = {"of_identity": identity}
        rows = await self._database.read(lambda connection: _OPEN_OF_STATION.all(connection, key))
        return [_record(row._asdict()) for row in rows]

    async def _learn_who_asks(self) -> None:
        if not self._knows_who_asks:
            self._asking.update(
                await self._database.read(lambda connection: connection.execute(_ASKING).scalars().all())
            )
            self._knows_who_asks = True

    async def list(
        self, identity: str | None = None, *, states: Collection[RequestState] | None = None
    ) -> Sequence[CertificateRequest]:
        """Return the requests that fit, in the order in which they came; None: any. Raises StoreUnavailable."""
        conditions = []
        if identity is not None:
            conditions.append(CertificateRequestRow.identity == identity)
        if states is not None:
            conditions.append(CertificateRequestRow.state.in_([state.value for state in states]))
        statement = _ALL.where(*conditions)
        rows = await self._database.read(lambda connection: connection.execute(statement).mappings().all())
        return [_record(row) for row in rows]

    async def overdue(
        self, since: Mapping[RequestState, datetime], *, after: int, at_most: int
    ) -> Sequence[CertificateRequest]:
        """Return requests that have been in one of these states since then or longer, by their numbers.

        Those above ``after``, and no more than ``at_most``. Raises StoreUnavailable.
        """
        waits = [
            and_(CertificateRequestRow.state == state.value, CertificateRequestRow.changed_at <= at)
            for state, at in since.items()
        ]
        statement = _ALL.where(CertificateRequestRow.id > after, or_(false(), *waits)).limit(at_most)
        rows = await self._database.read(lambda connection: connection.execute(statement).mappings().all())
        return [_record(row) for row in rows]

    async def move(
        self,
        request_id: int,
        state: RequestState,
        *,
        detail: str = "",
        serial: str | None = None,
        was: RequestState | None = None,
    ) -> CertificateRequest | None:
        """Give an open request its next state, durable on return; None when it is over already, or gone.

        And when it isn't in the state ``was`` any more, if that is given. ``serial``: of the certificate that was
        issued for it. Raises StoreUnavailable.
        """
        values = self._values(state, detail)
        if serial is not None:
            values["serial"] = serial
        statement = _MOVE if was is None else _MOVE.where(CertificateRequestRow.state == was.value)
        return await self._change(statement, request_id, values)

    async def sending(self, request_id: int) -> int:
        """Count one attempt to deliver an open request's certificate; return how many that makes, 0 when it is over.

        Raises StoreUnavailable.
        """
        key = {"of_id": request_id}
        return await self._database.write(lambda connection: connection.execute(_ATTEMPT, key).scalar()) or 0

    async def decide(self, request_id: int, *, approved: bool, detail: str) -> CertificateRequest:
        """Let a request that waits go on, or end it. Moves the registry's revision.

        Raises RequestUnknown, NotWaiting, StoreUnavailable.
        """
        state = RequestState.REQUESTED if approved else RequestState.REFUSED
        values = {"of_id": request_id, **self._values(state, detail)}

        def work(connection: Connection) -> tuple[RowMapping | None, bool]:
            is_decided = connection.execute(_DECIDE, values).rowcount > 0
            if is_decided:
                registry.revise(connection)
            return connection.execute(_BY_ID, {"of_id": request_id}).mappings().first(), is_decided

        row, is_decided = await self._database.write(work)
        if row is None:
            raise RequestUnknown(f"there is no certificate request {request_id}")
        if not is_decided:
            raise NotWaiting(f"certificate request {request_id} waits for no approval: it is {row['state']}")
        return _record(row)

    async def revision(self) -> int:
        """Return the number that grows with each decision, among other things. Raises StoreUnavailable."""
        return await self._database.read(registry.read_revision)

    async def name_of(self, identity: str) -> str | None:
        """Return the certificate name of a station as it is registered now; None for none. Raises StoreUnavailable."""
        key = {"of_identity": identity}
        return await self._database.read(lambda connection: connection.execute(_OWN_NAME, key).scalar_one_or_none())

    async def names_of_others(self, identity: str, name: str, usage: str) -> tuple[bool, Sequence[str]]:
        """Return whether ``name`` is the identity or certificate name of another station than ``identity``.

        And the subjects (RFC 4514) of the certificates of this usage that others have got and that are neither revoked
        nor expired. Raises StoreUnavailable.
        """
        key = {"of_identity": identity, "of_name": name, "of_usage": usage, "now": self._clock()}

        def work(connection: Connection) -> tuple[bool, Sequence[str]]:
            is_anothers = connection.execute(_NAMED, key).first() is not None
            return is_anothers, connection.scalars(_SUBJECTS, key).all()

        return await self._database.read(work)

    def _values(self, state: RequestState, detail: str) -> dict[str, Any]:
        return {"state": state.value, "detail": bounded_text(detail, DETAIL_MAX), "changed_at": self._clock()}

    async def _change(self, statement: Any, request_id: int, values: dict[str, Any]) -> CertificateRequest | None:
        def work(connection: Connection) -> RowMapping | None:
            if not connection.execute(statement, {"of_id": request_id, **values}).rowcount:
                return None
            return connection.execute(_BY_ID, {"of_id": request_id}).mappings().one()

        row = await self._database.write(work)
        return None if row is None else _record(row)


def _record(row: Mapping[str, Any] | RowMapping) -> CertificateRequest:
    return CertificateRequest(**{**row, "state": RequestState(row["state"]), "words": from_json_text(row["words"])})
