"""The books of one station as they are read back when it comes in: everything in one trip to the database."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sqlalchemy import Connection, bindparam, false, func, select, update

from gateway.bridge.books import Books, Json, Page, TransactionState
from gateway.session.ports import StationRecord, Taken
from gateway.store.columns import from_json_text, json_text
from gateway.store.connectors import read_connectors
from gateway.store.database import Database
from gateway.store.hot import HotStatement
from gateway.store.models import BookPageRow, ConnectorRow, Station, TransactionRow
from gateway.store.pages import read_pages, write_page
from gateway.store.quarantine import read_gathering
from gateway.store.stations import let_in
from gateway.store.transactions import read_all
from gateway.wire.versions import Version

_DEPTH = HotStatement(select(Station.pending).where(Station.identity == bindparam("of_identity")))
_UNTELL_BOOT = (
    update(Station)
    .where(Station.identity == bindparam("of_identity"), Station.boot_payload.is_not(None))
    .values(boot_reported=false())
)
_UNTELL_STATES = (
    update(ConnectorRow)
    .where(
        ConnectorRow.identity == bindparam("of_identity"), ConnectorRow.evse_id >= 0, ConnectorRow.reported.is_not(None)
    )
    .values(reported=json_text({}))
)
_STANDINGS = select(
    Station.identity,
    Station.pending,
    select(BookPageRow.content)
    .where(BookPageRow.identity == Station.identity, BookPageRow.name == Page.BACKEND.value)
    .scalar_subquery()
    .label("page"),
    select(func.count())
    .where(TransactionRow.identity == Station.identity, TransactionRow.state != TransactionState.ENDED.value)
    .scalar_subquery()
    .label("running"),
)
_STANDING = _STANDINGS.where(Station.identity == bindparam("of_identity"))


@dataclass(frozen=True, slots=True)
class Standing:
    """Whose a station's books are, and what its backend must still hear."""

    page: Json = field(default_factory=dict)
    """``Page.BACKEND``."""
    messages: int = 0
    sessions: int = 0


class StoredBooks:
    """The books of all stations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self, identity: str) -> tuple[Books, int]:
        """Return the station's transactions, connectors and pages, and how many messages of it wait for the backend.

        Empty for one that isn't registered. Raises StoreUnavailable.
        """
        return await self._database.read(lambda connection: _read(connection, identity))

    async def let_in(self, record: StationRecord, profile: int, version: Version) -> tuple[Taken, Books, int]:
        """Make the caller the station's owner, as ``Stations.let_in`` does; return also what ``load`` returns.

        All in one SQL transaction: nobody but the new owner writes these books from then on. Raises RecordChanged and
        StoreUnavailable.
        """

        def work(connection: Connection) -> tuple[Taken, Books, int]:
            return (let_in(connection, record, profile, version), *_read(connection, record.identity))

        return await self._database.write(work)

    async def belong(
        self, identity: str, page: Json, *, is_new: bool, beside: Mapping[Page, Json] = MappingProxyType({})
    ) -> None:
        """The station's books belong to the backend of ``page`` from now on.

        ``is_new``: it isn't the one that they belonged to, and has heard nothing of the station's boot and of how its
        2.0.1 connectors stand. ``beside``: pages that change with it, in the same SQL transaction. Raises
        StoreUnavailable.
        """
        rows = [(each.value, json_text(content)) for each, content in {Page.BACKEND: page, **beside}.items()]

        def work(connection: Connection) -> None:
            # The station's row first, as everywhere.
            for name, content in rows:
                write_page(connection, identity, name, content)
            if is_new:
                connection.execute(_UNTELL_BOOT, {"of_identity": identity})
                connection.execute(_UNTELL_STATES, {"of_identity": identity})

        await self._database.write(work)

    async def standings(self, identity: str | None = None) -> Mapping[str, Standing]:
        """Return how the books of one station stand, or of all, by identity. Raises StoreUnavailable."""

        def work(connection: Connection) -> Mapping[str, Standing]:
            asked = _STANDINGS if identity is None else _STANDING
            rows = connection.execute(asked, {} if identity is None else {"of_identity": identity}).all()
            return {
                row.identity: Standing(from_json_text(row.page) if row.page else {}, row.pending, row.running)
                for row in rows
            }

        return await self._database.read(work)


def _read(connection: Connection, identity: str) -> tuple[Books, int]:
    station = _DEPTH.first(connection, {"of_identity": identity})
    quarantined, withheld = read_gathering(connection, identity)
    books = Books(
        transactions={tx.station_tx: tx for tx in read_all(connection, identity)},
        connectors={(each.evse_id, each.connector_id): each for each in read_connectors(connection, identity)},
        pages=dict(read_pages(connection, identity)),
        quarantined=quarantined,
        withheld=withheld,
    )
    return books, 0 if station is None else station.pending
