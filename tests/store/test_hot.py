"""Statements that go straight to SQLite's driver: the same rows and errors as by SQLAlchemy's road."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import Boolean, Column, Connection, Integer, MetaData, Table, Text, bindparam, create_engine
from sqlalchemy.exc import IntegrityError, OperationalError

from gateway.store.columns import UtcTime
from gateway.store.hot import HotStatement

THINGS: Final = Table(
    "things",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("name", Text, unique=True),
    Column("is_new", Boolean),
    Column("seen", UtcTime),
)
NOON: Final = datetime(2030, 1, 2, 12, 0, 0, 5, tzinfo=UTC)
ADD: Final = HotStatement(THINGS.insert())
RENAME: Final = HotStatement(
    THINGS.update().where(THINGS.c.name == bindparam("of")).values(name=bindparam("to")).returning(THINGS.c.id)
)
DROP: Final = HotStatement(THINGS.delete().where(THINGS.c.name == bindparam("of")))
FIND: Final = THINGS.select().where(THINGS.c.name.in_(["a", "b"]), THINGS.c.id > bindparam("above"))


def thing(number: int, name: str) -> dict[str, Any]:
    return {"id": number, "name": name, "is_new": number == 1, "seen": NOON if number == 1 else None}


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    engine = create_engine(f"sqlite+pysqlite:///{tmp_path / 'x.db'}")
    with engine.connect() as connected:
        THINGS.metadata.create_all(connected)
        connected.commit()
        yield connected
    engine.dispose()


def test_rows_are_those_that_sqlalchemy_returns(connection: Connection) -> None:
    with connection.begin():
        for number, name in enumerate("abc", start=1):
            ADD.count(connection, thing(number, name))
    found = HotStatement(FIND).all(connection, {"above": 0})
    assert [row._asdict() for row in found] == [thing(1, "a"), thing(2, "b")]
    assert list(found) == list(connection.execute(FIND, {"above": 0}).all())
    assert type(found[0].is_new) is bool


def test_the_first_row_or_none(connection: Connection) -> None:
    find = HotStatement(FIND)
    assert find.first(connection, {"above": 0}) is None
    ADD.count(connection, thing(1, "a"))
    assert find.first(connection, {"above": 0}).name == "a"


def test_what_a_change_returns_and_how_many_it_changed(connection: Connection) -> None:
    with connection.begin():
        ADD.count(connection, thing(7, "a"))
        assert RENAME.first(connection, {"of": "a", "to": "b"}).id == 7
        assert RENAME.first(connection, {"of": "a", "to": "b"}) is None
        assert DROP.count(connection, {"of": "b"}) == 1
        assert DROP.count(connection, {"of": "b"}) == 0


def test_it_is_undone_with_the_transaction(connection: Connection) -> None:
    with connection.begin() as transaction:
        ADD.count(connection, thing(1, "a"))
        transaction.rollback()
    assert HotStatement(FIND).all(connection, {"above": 0}) == []


def test_a_parameter_that_is_missing_is_an_error(connection: Connection) -> None:
    with pytest.raises(KeyError, match="above"):
        HotStatement(FIND).all(connection, {})


def test_the_drivers_errors_are_sqlalchemys_and_hold_no_values(connection: Connection) -> None:
    with connection.begin():
        ADD.count(connection, thing(1, "a"))
        with pytest.raises(IntegrityError) as caught:
            ADD.count(connection, thing(2, "a"))
        assert "2030" not in str(caught.value)
    connection.exec_driver_sql("DROP TABLE things")
    with pytest.raises(OperationalError, match="no such table"):
        HotStatement(FIND).all(connection, {"above": 0})


def test_an_error_amid_the_rows_is_sqlalchemys_too(connection: Connection) -> None:
    """Raw, it would be nobody's: the store counts as there, and a station's CALL fails instead of waiting."""
    with connection.begin():
        ADD.count(connection, thing(1, "a"))
        connection.exec_driver_sql("UPDATE things SET name = CAST(X'61FF' AS TEXT)")
    with pytest.raises(OperationalError, match="decode"):
        HotStatement(THINGS.select()).all(connection, {})
