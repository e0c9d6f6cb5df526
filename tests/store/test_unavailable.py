"""What a person reads when the store can't be used."""

import sqlite3

import pytest
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gateway.store.unavailable import unavailable


def _wrapped(text: str) -> OperationalError:
    return OperationalError("SELECT secret FROM t", {"password_hash": "hunter2"}, sqlite3.OperationalError(text))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (_wrapped("file is not a database"), "isn't a SQLite database"),
        (_wrapped("database disk image is malformed"), "damaged; restore a backup"),
        (_wrapped("database is locked"), "locked for too long"),
        (_wrapped("attempt to write a readonly database"), "can't be written"),
        (_wrapped("unable to open database file"), "check the path"),
        (_wrapped("database or disk is full"), "disk is full"),
        (_wrapped("something new\nSECOND LINE"), "something new"),
        (_wrapped("red \x1b[31mtext"), "red ?[31mtext"),
        (PoolTimeout("QueuePool limit reached"), "too slow for its load"),
        (TimeoutError(), "no answer in time"),
        (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 1)"), "Connect call failed"),
        (OSError(), "OSError"),
        (ArgumentError("Could not parse hunter2"), "can't be used with this store.url"),
    ],
)
def test_each_cause_is_one_line_that_names_the_store(error: BaseException, said: str) -> None:
    text = str(unavailable("/srv/voltgate.db", error))
    assert text.startswith("store /srv/voltgate.db: ")
    assert text.isprintable()
    assert "hunter2" not in text
    assert "SECOND" not in text
    assert said in text


def test_a_long_text_is_cut() -> None:
    assert len(str(unavailable("f", _wrapped("x" * 5000)))) < 400
