"""The pages of the stations' books: one JSON object each, written whole."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, select, update

from gateway.bridge.books import Json, Page
from gateway.store.columns import from_json_text, json_text
from gateway.store.database import Database
from gateway.store.hot import HotStatement
from gateway.store.models import BookPageRow, Station

_LOCK: Final = HotStatement(
    update(Station).where(Station.identity == bindparam("of_identity")).values(epoch=Station.epoch)
)
_LOAD: Final = HotStatement(
    select(BookPageRow.name, BookPageRow.content).where(BookPageRow.identity == bindparam("of_identity"))
)
_INSERT: Final = HotStatement(insert(BookPageRow), keys=("identity", "name", "content"))
_UPDATE: Final = HotStatement(
    update(BookPageRow).where(
        BookPageRow.identity == bindparam("of_identity"), BookPageRow.name == bindparam("of_name")
    ),
    keys=("content",),
)
_KNOWN: Final = frozenset(page.value for page in Page)


class Pages:
    """The pages of all stations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, identity: str, page: Page, content: Json) -> None:
        """Insert or replace one page as it is at the call; of a station that has been removed nothing is kept."""
        await self.save_many([(identity, page, content)])

    async def save_many(self, pages: Sequence[tuple[str, Page, Json]]) -> None:
        """Insert or replace pages of any stations, ``(identity, page, content)``, in one SQL transaction."""
        rows = [(identity, page.value, json_text(content)) for identity, page, content in pages]

        def work(connection: Connection) -> None:
            for identity, name, content in rows:
                write_page(connection, identity, name, content)

        await self._database.write(work)


def read_pages(connection: Connection, identity: str) -> Mapping[Page, Json]:
    """Return a station's pages. One that this version doesn't know is left where it is."""
    rows = _LOAD.all(connection, {"of_identity": identity})
    return {Page(row.name): from_json_text(row.content) for row in rows if row.name in _KNOWN}


def write_page(connection: Connection, identity: str, name: str, content: Any) -> None:
    """Insert or replace one page, holding the station's row; of a station that isn't there nothing is kept."""
    if _LOCK.count(connection, {"of_identity": identity}) == 0:
        return
    key = {"of_identity": identity, "of_name": name}
    if _UPDATE.count(connection, {**key, "content": content}) == 0:
        _INSERT.count(connection, {"identity": identity, "name": name, "content": content})
