"""The books of one station as they are read back when it comes in: everything in one trip to the database."""

from sqlalchemy import Connection, bindparam, select

from gateway.bridge.books import Books
from gateway.store.connectors import read_connectors
from gateway.store.database import Database
from gateway.store.models import Station
from gateway.store.pages import read_pages
from gateway.store.transactions import read_all

_DEPTH = select(Station.pending).where(Station.identity == bindparam("of_identity"))


class StoredBooks:
    """The books of all stations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self, identity: str) -> tuple[Books, int]:
        """Return the station's transactions, connectors and pages, and how many messages of it wait for the backend.

        Empty for one that isn't registered. Raises StoreUnavailable.
        """

        def work(connection: Connection) -> tuple[Books, int]:
            depth = connection.execute(_DEPTH, {"of_identity": identity}).scalar_one_or_none() or 0
            books = Books(
                transactions={tx.station_tx: tx for tx in read_all(connection, identity)},
                connectors={(each.evse_id, each.connector_id): each for each in read_connectors(connection, identity)},
                pages=dict(read_pages(connection, identity)),
            )
            return books, depth

        return await self._database.read(work)
