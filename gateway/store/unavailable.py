"""The one error of a store that can't be used, and the words for what a driver says of it."""

from typing import Final

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gateway.session.ports import StoreAway

_CAUSE_MAX: Final = 300
"""Characters kept of a driver's own text."""

_REMEDIES: Final = {
    "file is not a database": "it isn't a SQLite database; name another file in store.url or restore a backup",
    "database disk image is malformed": "it is damaged; restore a backup",
    "database is locked": "another process has kept it locked for too long; end that process or try again",
    "readonly database": "it can't be written; give this user the right to write the file and its folder",
    "unable to open database file": "it can't be opened; check the path and the rights on the file and its folder",
    "disk is full": "the disk is full; make room",
    "password authentication failed": "the server refused the user or the password; check store.url",
}


class StoreUnavailable(StoreAway):
    """The store can't be used now. The text is one line that says what is wrong, where, and what to do.

    It holds no password and no stored value.
    """


def unavailable(place: str, error: BaseException) -> StoreUnavailable:
    """Put what a driver said of the store ``place`` into one line.

    Known causes get a remedy, any other keeps the first line of the driver's text.
    """
    said = _driver_text(error)
    remedy = next((remedy for sign, remedy in _REMEDIES.items() if sign in said), None)
    return StoreUnavailable(f"store {place}: {remedy or said}")


def _driver_text(error: BaseException) -> str:
    """Return the first line of what the driver itself said, without SQLAlchemy's SQL and links, printable only."""
    if isinstance(error, PoolTimeout):
        return "no connection became free in time; the database is too slow for its load"
    if isinstance(error, TimeoutError):
        return "no answer in time; check that the server runs and can be reached"
    if isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig.__cause__ or error.orig
    elif isinstance(error, SQLAlchemyError):
        return "it can't be used with this store.url"
    first = next(iter(str(error).splitlines()), "") or type(error).__name__
    return "".join(c if c.isprintable() else "?" for c in first[:_CAUSE_MAX])
