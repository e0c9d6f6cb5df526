"""The connectors of the stations: their 1.6 numbers and what was last said of them."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, select, update

from gateway.bridge.books import Connector
from gateway.store.columns import from_json_text, json_text
from gateway.store.database import Database
from gateway.store.hot import HotStatement
from gateway.store.models import ConnectorRow, Station
from gateway.store.stations import NotRegistered

_LOCK: Final = update(Station).where(Station.identity == bindparam("of_identity")).values(epoch=Station.epoch)
_LOAD: Final = HotStatement(
    select(
        ConnectorRow.evse_id, ConnectorRow.connector_id, ConnectorRow.number, ConnectorRow.status, ConnectorRow.reported
    )
    .where(ConnectorRow.identity == bindparam("of_identity"))
    .order_by(ConnectorRow.number)
)
_INSERT: Final = insert(ConnectorRow)
_UPDATE: Final = update(ConnectorRow).where(
    ConnectorRow.identity == bindparam("of_identity"),
    ConnectorRow.evse_id == bindparam("of_evse"),
    ConnectorRow.connector_id == bindparam("of_connector"),
)


class Connectors:
    """The connectors of all stations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self, identity: str) -> Sequence[Connector]:
        """Return the station's connectors in the order of their 1.6 numbers."""
        return await self._database.read(lambda connection: read_connectors(connection, identity))

    async def save(self, identity: str, connector: Connector) -> None:
        """Insert or update one connector as it is now.

        Raises NotRegistered when the station has been removed, and SQLAlchemy's IntegrityError when the 1.6 number
        belongs to another of its connectors.
        """
        row = {
            "evse_id": connector.evse_id,
            "connector_id": connector.connector_id,
            "number": connector.number,
            "status": connector.status,
            "reported": None if connector.reported is None else json_text(connector.reported),
        }
        key = {"of_identity": identity, "of_evse": connector.evse_id, "of_connector": connector.connector_id}

        def work(connection: Connection) -> None:
            if connection.execute(_UPDATE, {**key, **row}).rowcount:
                return
            # It isn't there. The lock keeps any other from inserting it, who may have done so meanwhile.
            if connection.execute(_LOCK, {"of_identity": identity}).rowcount == 0:
                raise NotRegistered(identity)
            if connection.execute(_UPDATE, {**key, **row}).rowcount == 0:
                connection.execute(_INSERT, {"identity": identity, **row})

        await self._database.write(work)


def read_connectors(connection: Connection, identity: str) -> Sequence[Connector]:
    """Return a station's connectors in the order of their 1.6 numbers."""
    rows = _LOAD.all(connection, {"of_identity": identity})
    return [_connector(row) for row in rows]


def _connector(row: Any) -> Connector:
    values: dict[str, Any] = row._asdict()
    if values["reported"] is not None:
        values["reported"] = from_json_text(values["reported"])
    return Connector(**values)
