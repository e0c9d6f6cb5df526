"""What a command prints, and how it fails."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from gateway.config import Config, ConfigError, load

ConfigOption = Annotated[Path, typer.Option("--config", help="The configuration file.", show_default=True)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
DEFAULT_CONFIG = Path("voltgate.yaml")
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


def print_table(table: Table) -> None:
    """Print a table; off a terminal it isn't cut to a width."""
    Console(width=None if sys.stdout.isatty() else WIDE).print(table)


def print_json(value: Any) -> None:
    """Print one JSON document."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
