"""What the backends have said of idTags, for the time when they can't be asked: so much of each at most."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from gateway.session.ports import Authorization
from gateway.store.columns import UtcTime, from_json_text, json_text
from gateway.store.database import Database
from gateway.store.models import AuthorizationRow

KEPT_PER_BACKEND: Final = 100_000
"""idTags of one backend that are kept; the ones heard longest ago go first."""
FRESH_FOR: Final = timedelta(days=1)
"""So long what is said once more is not written again."""

_OF: Final = (
    AuthorizationRow.backend == bindparam("of_backend"),
    AuthorizationRow.id_tag == bindparam("of_id_tag"),
)
_FIND: Final = select(AuthorizationRow.info, AuthorizationRow.heard_at).where(*_OF)
_ADD: Final = insert(AuthorizationRow)
_UPDATE: Final = update(AuthorizationRow).where(*_OF)
_MOMENT: Final = bindparam("moment", type_=UtcTime())
_FORGET_OLD: Final = delete(AuthorizationRow).where(AuthorizationRow.heard_at < _MOMENT)
_FORGET_OTHERS: Final = delete(AuthorizationRow).where(
    AuthorizationRow.backend.not_in(bindparam("backends", expanding=True))
)
_FIRST_TO_GO: Final = (
    select(AuthorizationRow.heard_at)
    .where(AuthorizationRow.backend == bindparam("of_backend"))
    .order_by(AuthorizationRow.heard_at.desc())
    .offset(bindparam("kept"))
    .limit(1)
)
_FORGET_BEYOND: Final = delete(AuthorizationRow).where(
    AuthorizationRow.heard_at <= _MOMENT, AuthorizationRow.backend == bindparam("of_backend")
)


class Authorizations:
    """The idTags of all backends, at most ``kept`` each."""

    def __init__(self, database: Database, kept: int = KEPT_PER_BACKEND) -> None:
        self._database = database
        self._kept = kept

    async def find(self, backend: str, id_tag: str) -> Authorization | None:
        """Return what is kept of an idTag, casefolded; None when nothing is."""
        return await self._database.read(lambda connection: _find(connection, backend, id_tag))

    async def keep(self, heard: Sequence[Authorization]) -> None:
        """Keep what differs from what is kept, or is fresher by ``FRESH_FOR``; without either, nothing is written."""
        known = await self._database.read(
            lambda connection: [_find(connection, each.backend, each.id_tag) for each in heard]
        )
        news = [_row(each) for each, old in zip(heard, known, strict=True) if _says_more(each, old)]

        def work(connection: Connection) -> None:
            for row in news:
                key = {"of_backend": row["backend"], "of_id_tag": row["id_tag"]}
                changes = {"info": row["info"], "heard_at": row["heard_at"]}
                if connection.execute(_UPDATE, {**key, **changes}).rowcount == 0:
                    connection.execute(_ADD, row)

        if news:
            await self._database.write(work)

    async def forget(self, backends: Collection[str], before: datetime) -> None:
        """Delete what was heard before a moment, of backends not named, and the oldest beyond the bound."""

        def work(connection: Connection) -> None:
            connection.execute(_FORGET_OLD, {"moment": before})
            connection.execute(_FORGET_OTHERS, {"backends": list(backends)})
            for backend in backends:
                key = {"of_backend": backend}
                moment = connection.execute(_FIRST_TO_GO, {**key, "kept": self._kept}).scalar_one_or_none()
                if moment is not None:
                    connection.execute(_FORGET_BEYOND, {**key, "moment": moment})

        await self._database.write(work)


def _find(connection: Connection, backend: str, id_tag: str) -> Authorization | None:
    row = connection.execute(_FIND, {"of_backend": backend, "of_id_tag": id_tag}).one_or_none()
    return None if row is None else Authorization(backend, id_tag, from_json_text(row.info), row.heard_at)


def _says_more(heard: Authorization, known: Authorization | None) -> bool:
    return known is None or known.info != heard.info or heard.heard_at - known.heard_at >= FRESH_FOR


def _row(heard: Authorization) -> dict[str, Any]:
    return {
        "backend": heard.backend,
        "id_tag": heard.id_tag,
        "info": json_text(heard.info),
        "heard_at": heard.heard_at,
    }
