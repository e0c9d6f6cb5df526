"""What is published as a local controller does (OCPP 2.0.1 L03, L04): by the gateway, and by stations that are one."""

import json
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, bindparam, delete, func, insert, or_, select, update

from gateway.session.firmware import PublicationRecord, PublicationState, Publisher
from gateway.store.columns import utc_now
from gateway.store.database import Database
from gateway.store.firmware_models import FirmwarePublicationRow

KEPT_MAX: Final = 20
"""Publications of one station that are kept, by gateway and station each; those that matter stay beside."""
LIVE_MAX: Final = 20
"""Publications of one station by the gateway that go on or are published."""
URLS_MAX: Final = 10
"""Places of one publication that are kept, as a station names them; it may name any number."""

_GOING_ON: Final = sorted(state.value for state in PublicationState if state.is_open)
_LIVE: Final = [*_GOING_ON, PublicationState.PUBLISHED.value]

_COLUMNS: Final = tuple(FirmwarePublicationRow.__table__.columns)
_ALL: Final = select(*_COLUMNS).order_by(FirmwarePublicationRow.id)
_BY_ID: Final = _ALL.where(FirmwarePublicationRow.id == bindparam("of_id"))
_OF_STATION: Final = (
    FirmwarePublicationRow.identity == bindparam("of_identity"),
    FirmwarePublicationRow.publisher == bindparam("of_publisher"),
)
_IS_LIVE: Final = FirmwarePublicationRow.state.in_(_LIVE)
_IS_UNFINISHED: Final = or_(FirmwarePublicationRow.state.in_(_GOING_ON), FirmwarePublicationRow.untold.is_(True))
_BY_GATEWAY: Final = FirmwarePublicationRow.publisher == Publisher.GATEWAY.value
_OF_REQUEST: Final = _ALL.where(*_OF_STATION, FirmwarePublicationRow.request_id == bindparam("of_request"))
_NEWEST: Final = select(*_COLUMNS).where(*_OF_STATION).order_by(FirmwarePublicationRow.id.desc()).limit(1)
_UNFINISHED: Final = _ALL.where(*_OF_STATION, _IS_UNFINISHED)
_STATIONS: Final = select(FirmwarePublicationRow.identity).where(_BY_GATEWAY, _IS_UNFINISHED).distinct()
_OF_CHECKSUM: Final = _ALL.where(*_OF_STATION, _IS_LIVE, FirmwarePublicationRow.checksum == bindparam("of_checksum"))
_COUNT: Final = select(func.count()).where(*_OF_STATION, _IS_LIVE)
_PUBLISHED: Final = select(func.count()).where(
    _BY_GATEWAY,
    FirmwarePublicationRow.image_id == bindparam("of_image"),
    FirmwarePublicationRow.state == PublicationState.PUBLISHED.value,
)
_ADD: Final = insert(FirmwarePublicationRow).returning(FirmwarePublicationRow.id)
_UPDATE: Final = update(FirmwarePublicationRow).where(FirmwarePublicationRow.id == bindparam("of_id"))
_OLD: Final = (
    select(FirmwarePublicationRow.id)
    .where(*_OF_STATION)
    .order_by(FirmwarePublicationRow.id.desc())
    .offset(KEPT_MAX)
    .scalar_subquery()
)
_PRUNE_OWN: Final = delete(FirmwarePublicationRow).where(
    FirmwarePublicationRow.id.in_(_OLD), FirmwarePublicationRow.state.not_in(_LIVE)
)
_PRUNE_STATIONS: Final = delete(FirmwarePublicationRow).where(FirmwarePublicationRow.id.in_(_OLD))


class FirmwarePublications:
    """The publications of all stations. Every method raises StoreUnavailable."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def add(self, identity: str, request_id: int, *, checksum: str, location: str) -> PublicationRecord | None:
        """Keep what a backend has asked the gateway to publish, durable on return.

        None where ``LIVE_MAX`` of this station go on or are published already.
        """
        row = self._new(identity, Publisher.GATEWAY, request_id, PublicationState.DOWNLOAD_SCHEDULED)
        row |= {"checksum": checksum, "location": location}
        key = _key(identity, Publisher.GATEWAY)

        def work(connection: Connection) -> RowMapping | None:
            if connection.execute(_COUNT, key).scalar_one() >= LIVE_MAX:
                return None
            added = connection.execute(_ADD, row).scalar_one()
            connection.execute(_PRUNE_OWN, key)
            return connection.execute(_BY_ID, {"of_id": added}).mappings().one()

        added = await self._database.write(work)
        return None if added is None else _record(added)

    async def find(self, publication_id: int) -> PublicationRecord | None:
        """Return one, or None."""
        found = await self._all(_BY_ID, {"of_id": publication_id})
        return found[0] if found else None

    async def newest(self, identity: str) -> PublicationRecord | None:
        """Return the last one that the gateway was asked for on a station's leg, or None."""
        found = await self._all(_NEWEST, _key(identity, Publisher.GATEWAY))
        return found[0] if found else None

    async def list(self, identity: str) -> Sequence[PublicationRecord]:
        """Return those of a station, by either publisher, in the order in which they were asked for."""
        return await self._all(_ALL.where(FirmwarePublicationRow.identity == identity), {})

    async def live(self, identity: str, checksum: str) -> Sequence[PublicationRecord]:
        """Return those with a checksum that go on or are published by the gateway on a station's leg."""
        return await self._all(_OF_CHECKSUM, {**_key(identity, Publisher.GATEWAY), "of_checksum": checksum})

    async def is_published(self, image_id: int) -> bool:
        """Return whether an image is published by the gateway, on whatever leg."""
        key = {"of_image": image_id}
        return bool(await self._database.read(lambda connection: connection.execute(_PUBLISHED, key).scalar_one()))

    async def unfinished(self, identity: str) -> Sequence[PublicationRecord]:
        """Return those on a station's leg that go on, or of whose end the backend has not heard, oldest first."""
        return await self._all(_UNFINISHED, _key(identity, Publisher.GATEWAY))

    async def stations(self) -> Sequence[str]:
        """Return the stations that have such ones."""
        return await self._database.read(lambda connection: connection.scalars(_STATIONS).all())

    async def move(
        self,
        publication_id: int,
        state: PublicationState,
        *,
        was: Collection[PublicationState],
        untold: bool = False,
        image_id: int | None = None,
    ) -> PublicationRecord | None:
        """Give one that is in one of the states ``was`` its next one, durable on return; None when it isn't.

        ``untold``: the backend is still to hear of it. ``image_id``: what is published; None: as it was.
        """
        values: dict[str, Any] = {"state": state.value, "untold": untold, "changed_at": self._clock()}
        if image_id is not None:
            values["image_id"] = image_id
        statement = _UPDATE.where(FirmwarePublicationRow.state.in_([each.value for each in was]))

        def work(connection: Connection) -> RowMapping | None:
            if not connection.execute(statement, {"of_id": publication_id, **values}).rowcount:
                return None
            return connection.execute(_BY_ID, {"of_id": publication_id}).mappings().one()

        row = await self._database.write(work)
        return None if row is None else _record(row)

    async def told(self, publication_id: int) -> None:
        """The backend has heard how it ended."""
        key = {"of_id": publication_id, "untold": False}

        def work(connection: Connection) -> None:
            connection.execute(_UPDATE, key)

        await self._database.write(work)

    async def heard(
        self, identity: str, request_id: int, state: PublicationState, published: Sequence[str] = ()
    ) -> PublicationRecord:
        """Keep what a station that is a local controller says of its publication ``request_id``."""
        key = _key(identity, Publisher.STATION)
        fresh = self._new(identity, Publisher.STATION, request_id, state)
        said = {name: fresh[name] for name in ("state", "changed_at")}
        if published:
            fresh["published"] = said["published"] = json.dumps([*published][:URLS_MAX])

        def work(connection: Connection) -> RowMapping:
            known = connection.execute(_OF_REQUEST, {**key, "of_request": request_id}).mappings().first()
            if known is None:
                of_id = connection.execute(_ADD, fresh).scalar_one()
                connection.execute(_PRUNE_STATIONS, key)
            else:
                of_id = known["id"]
                connection.execute(_UPDATE, {"of_id": of_id, **said})
            return connection.execute(_BY_ID, {"of_id": of_id}).mappings().one()

        return _record(await self._database.write(work))

    def _new(self, identity: str, publisher: Publisher, request_id: int, state: PublicationState) -> dict[str, Any]:
        now = self._clock()
        return {
            "identity": identity,
            "publisher": publisher.value,
            "request_id": request_id,
            "checksum": None,
            "location": None,
            "image_id": None,
            "state": state.value,
            "untold": False,
            "published": None,
            "created_at": now,
            "changed_at": now,
        }

    async def _all(self, statement: Any, key: dict[str, Any]) -> Sequence[PublicationRecord]:
        rows = await self._database.read(lambda connection: connection.execute(statement, key).mappings().all())
        return [_record(row) for row in rows]


def _key(identity: str, publisher: Publisher) -> dict[str, Any]:
    return {"of_identity": identity, "of_publisher": publisher.value}


def _record(row: RowMapping) -> PublicationRecord:
    told = {
        "publisher": Publisher(row["publisher"]),
        "state": PublicationState(row["state"]),
        "published": tuple(json.loads(row["published"] or "[]")),
    }
    return PublicationRecord(**{**row, **told})
