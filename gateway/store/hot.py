"""Statements that each coming station needs: on SQLite they go straight to the driver.

SQLAlchemy takes some 60 us to execute a statement and to wrap what it returns, SQLite 5 to 10. So a statement is
compiled once, with its converters of values, and executed on the driver's own connection, in whatever SQL transaction
the :class:`sqlalchemy.Connection` is. PostgreSQL's statements take SQLAlchemy's road.
"""

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.expression import Executable

_Converter = Callable[[Any], Any]


class _Bind(NamedTuple):
    """One place of a statement: its parameter's name, or what always stands there."""

    name: str
    is_open: bool
    fixed: Any
    convert: _Converter | None


def on_driver(connection: Connection, sql: str, values: Sequence[Any] = ()) -> tuple[list[Any], int]:
    """Execute on the driver's own connection; return the rows, and how many were changed.

    Raises what SQLAlchemy would raise, of reading the rows too: a disk may fail at the second one.
    """
    driver: Any = connection.connection.driver_connection
    cursor: sqlite3.Cursor = driver.cursor()
    try:
        cursor.execute(sql, values)
        return cursor.fetchall(), cursor.rowcount
    except sqlite3.Error as error:
        cursor.close()  # it is in the traceback, and would hold its look at the file open for as long
        raise DBAPIError.instance(
            sql, None, error, sqlite3.Error, hide_parameters=True, dialect=connection.dialect
        ) from error


class HotStatement:
    """One statement with a fixed set of parameters. Raises what SQLAlchemy would raise."""

    __slots__ = ("_keys", "_sqlite", "_statement")

    def __init__(self, statement: Executable, keys: Sequence[str] | None = None) -> None:
        """``keys``: the columns that it sets by parameters of their names. Nothing is compiled before the first use."""
        self._statement: Final = statement
        self._keys: Final = keys
        self._sqlite: _Compiled | None = None

    def all(self, connection: Connection, values: Mapping[str, Any]) -> Sequence[Any]:
        """Return all rows, the columns as attributes."""
        if connection.dialect.name != "sqlite":
            return connection.execute(self._statement, values).all()
        compiled = self._on(connection.dialect)
        rows, _ = on_driver(connection, compiled.sql, compiled.bound(values))
        return list(map(compiled.row, rows))

    def first(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        """Return the first row, the columns as attributes, or None."""
        return next(iter(self.all(connection, values)), None)

    def count(self, connection: Connection, values: Mapping[str, Any]) -> int:
        """Return how many rows were changed."""
        if connection.dialect.name != "sqlite":
            return connection.execute(self._statement, values).rowcount
        compiled = self._on(connection.dialect)
        _, changed = on_driver(connection, compiled.sql, compiled.bound(values))
        return changed

    def _on(self, dialect: Dialect) -> "_Compiled":
        if self._sqlite is None:
            self._sqlite = _Compiled(self._statement, self._keys, dialect)
        return self._sqlite


class _Compiled:
    """A statement as SQLite's driver takes it."""

    __slots__ = ("_binds", "_converters", "_make", "sql")

    def __init__(self, statement: Executable, keys: Sequence[str] | None, dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect, column_keys=keys)  # type: ignore[attr-defined]  # of ClauseElement
        binds = compiled.binds
        open_ones = {name: None for name, bind in binds.items() if bind.required}
        state = compiled.construct_expanded_state(open_ones)  # a constant list behind IN becomes so many places
        self.sql: Final[str] = state.statement
        self._binds: Final = tuple(
            _Bind(
                name,
                name in open_ones,
                state.parameters[name],
                binds[name].type.dialect_impl(dialect).bind_processor(dialect) if name in binds else None,
            )
            for name in state.positiontup or ()
        )
        columns = list(statement.exported_columns) if _returns(statement) else []  # type: ignore[attr-defined]  # of those
        # The names are the models': a row is what SQLAlchemy's would be to its reader.
        named: Any = namedtuple("Row", [each.key for each in columns])  # type: ignore[misc]  # noqa: PYI024 - of columns
        self._make: Final = named._make
        self._converters: Final = tuple(
            (place, converter)
            for place, each in enumerate(columns)
            if (converter := each.type.dialect_impl(dialect).result_processor(dialect, None)) is not None
        )

    def bound(self, values: Mapping[str, Any]) -> list[Any]:
        """Return the values in the order in which the statement has its places."""
        found = []
        for name, is_open, fixed, convert in self._binds:
            value = values[name] if is_open else fixed
            found.append(value if convert is None else convert(value))
        return found

    def row(self, values: Sequence[Any]) -> Any:
        """Return one row, the columns as attributes."""
        if self._converters:
            values = list(values)
            for place, convert in self._converters:
                values[place] = convert(values[place])
        return self._make(values)


def _returns(statement: Any) -> bool:
    return bool(getattr(statement, "is_select", False) or getattr(statement, "_returning", ()))
