"""Reads ``store.url``. Its password never appears in an error, not even when the URL is mistyped."""

from pathlib import Path
from typing import Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from gateway.store.unavailable import StoreUnavailable

SQLITE: Final = "sqlite+aiosqlite"
POSTGRESQL: Final = "postgresql+asyncpg"
_OPTIONS: Final = frozenset({"host", "port", "ssl", "target_session_attrs"})
"""What may stand behind the ``?`` of a PostgreSQL URL (asyncpg's names)."""


def parse_url(url: str) -> URL:
    """Return the parsed ``store.url``. Raises StoreUnavailable, never with a part of the URL that may be a password."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise StoreUnavailable(
            "store.url isn't a database URL; write sqlite+aiosqlite:///FILE or "
            "postgresql+asyncpg://USER:PASSWORD@HOST/DATABASE, with %-escapes in the password"
        ) from None
    if parsed.drivername == SQLITE:
        return _checked_sqlite(parsed)
    if parsed.drivername == POSTGRESQL:
        return _checked_postgresql(parsed)
    raise StoreUnavailable(f"store.url begins with neither {SQLITE}:// nor {POSTGRESQL}://; no other database is known")


def _checked_sqlite(url: URL) -> URL:
    if url.host or url.username or url.password or url.query:
        raise StoreUnavailable(
            f"store.url names more than a file; write {SQLITE}:///FILE, with four slashes if absolute"
        )
    if not url.database or url.database.startswith(("file:", ":memory:")):
        raise StoreUnavailable(f"store.url names no file; what must not be lost needs one: {SQLITE}:///FILE")
    return url


def _checked_postgresql(url: URL) -> URL:
    if "@" in f"{url.host}{url.database}":
        raise StoreUnavailable("store.url has an @ too many; write it as %40 in the user and in the password")
    unknown = sorted(set(url.query) - _OPTIONS)
    if unknown:
        raise StoreUnavailable(
            f"store.url has an option that isn't known here ({len(unknown)} in all); "
            f"known are {', '.join(sorted(_OPTIONS))}: TLS is asked for by ssl=require or ssl=verify-full"
        )
    return url


def place(url: URL) -> str:
    """Return where the store is, for people: the file, or host, port and database, without user and password."""
    if url.drivername == SQLITE:
        return str(Path(url.database or "").resolve())
    host = url.host or url.query.get("host", "localhost")
    port = f":{url.port}" if url.port else ""
    return f"postgresql {host}{port}/{url.database or ''}"
