"""Column types and JSON text that mean the same in SQLite and in PostgreSQL."""

from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import BigInteger, DateTime, Dialect, Integer
from sqlalchemy.types import TypeDecorator

from gateway.bridge.books import Json

RowId = BigInteger().with_variant(Integer(), "sqlite")
"""A row number that the database gives; SQLite numbers rows only for INTEGER."""


class UtcTime(TypeDecorator[datetime]):
    """An aware time, kept in UTC: ``timestamptz`` in PostgreSQL, ISO text without a zone in SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return ``value`` in UTC. Raises ValueError for a naive time."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time for the store must be aware")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the same
        """Return the stored time, aware, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def json_text(payload: Json) -> str:
    """Write a payload as JSON text: the same members in the same order come back from :func:`from_json_text`."""
    return orjson.dumps(payload).decode()


def from_json_text(text: str) -> Json:
    """Read a payload that :func:`json_text` wrote."""
    payload: dict[str, Any] = orjson.loads(text)
    return payload


def bounded_text(text: str, longest: int) -> str:
    """Return a peer's text as both databases can hold it, at most ``longest`` characters long.

    NUL, which PostgreSQL's text can't hold, becomes U+FFFD, and a lone surrogate, which UTF-8 can't, a question mark.
    """
    return text[:longest].replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def utc_now() -> datetime:
    """Return the present time, aware, in UTC."""
    return datetime.now(UTC)
