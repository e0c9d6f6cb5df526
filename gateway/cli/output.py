"""What a command prints, and how it fails."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.config import Config, ConfigError, load

ConfigOption = Annotated[Path, typer.Option("--config", help="The configuration file.", show_default=True)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
DEFAULT_CONFIG = Path("voltgate.yaml")
NUMBER_MAX: Final = 2**63 - 1
"""What a store can count up to."""
WIDE: Final = 240
"""Columns where there is no terminal to say how many."""


class Failed(Exception):
    """The command is refused or failed; the text is one clear line (several for a configuration's errors)."""


def fail(text: str) -> int:
    """Print why on stderr and return the exit status."""
    print(text, file=sys.stderr)
    return 1


def load_config(path: Path) -> Config:
    """Load the configuration. Raises :class:`Failed`."""
    try:
        return load(path)
    except ConfigError as error:
        raise Failed(str(error)) from None


def tell_of_more(shown: Sequence[Mapping[str, Any]], limit: int) -> None:
    """Say on stderr that a list was cut, and how to have the rest: each line has its ``id``."""
    if len(shown) == limit:
        print(f"these are {limit}; what may follow: --after {shown[-1]['id']}", file=sys.stderr)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table; off a terminal it isn't cut to a width. None is an empty cell."""
    table = Table(*columns)
    for row in rows:
        # Text, because a peer's words must not be read as rich's markup (attack C7).
        table.add_row(*(Text("" if cell is None else printable(str(cell))) for cell in row))
    Console(width=None if sys.stdout.isatty() else WIDE).print(table)


def print_fields(fields: Mapping[str, Any]) -> None:
    """Print one line per field."""
    for name, value in fields.items():
        typer.echo(f"{name}: {'-' if value is None else printable(str(value))}")


def print_json(value: Any) -> None:
    """Print one JSON document."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def printable(text: str) -> str:
    """Escape what a terminal would obey (attack C7)."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
