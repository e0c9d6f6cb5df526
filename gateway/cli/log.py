"""`voltgate log ...`: the logs that stations have uploaded to a running gateway, and asking for one."""

import asyncio
import os
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

import typer

from gateway.cli.output import (
    DEFAULT_CONFIG,
    NUMBER_MAX,
    ConfigOption,
    Failed,
    JsonOption,
    load_config,
    print_fields,
    print_json,
    print_table,
    tell_of_more,
)
from gateway.config import Config

LIMIT: Final = 100

app = typer.Typer(help="Logs of stations: diagnostics and security logs.", no_args_is_help=True)

Number = Annotated[int, typer.Argument(help="The log's id, from `voltgate log list`.", min=1, max=NUMBER_MAX)]


@app.command("list")
def list_logs(
    station: Annotated[str | None, typer.Option("--station", help="Only those of this station.")] = None,
    state: Annotated[
        str | None, typer.Option(help="asked, received, handed_over, kept, failed, deleted; several with commas.")
    ] = None,
    after: Annotated[int, typer.Option(help="Only those with a higher id.", min=0, max=NUMBER_MAX)] = 0,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=1000)] = LIMIT,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """List the logs that stations were asked for, the oldest first."""
    wanted = {"identity": station, "state": state, "after": after, "limit": limit}
    query = urlencode({name: value for name, value in wanted.items() if value is not None})
    shown = _ask(load_config(config), "GET", f"logs?{query}")["logs"]
    if as_json:
        print_json(shown)
    else:
        columns = ("id", "station", "type", "state", "size", "file", "asked at", "by", "reason")
        keys = ("id", "identity", "log_type", "state", "size", "file_name", "created_at", "by", "reason")
        print_table(columns, ([each[key] for key in keys] for each in shown))
    tell_of_more(shown, limit)


@app.command()
def show(number: Number, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show what is on record of a log."""
    shown = _ask(load_config(config), "GET", f"logs/{number}")
    if as_json:
        print_json(shown)
    else:
        print_fields(shown)


@app.command()
def save(
    number: Number,
    out: Annotated[Path, typer.Option("--out", help="The file to write; it must not be there yet.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Save a log as its station uploaded it. Nobody has looked into it: open it with care."""
    shown = _save(load_config(config), number, out)
    if as_json:
        print_json(shown)
    else:
        typer.echo(f"{out}: {shown['size']} bytes of station {shown['identity']}, SHA-256 {shown['sha256']}")


@app.command()
def delete(number: Number, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Delete a log's file; that it was here stays on record."""
    shown = _ask(load_config(config), "DELETE", f"logs/{number}")
    if as_json:
        print_json(shown)
    else:
        typer.echo(f"log {number} of station {shown['identity']} is deleted")


@app.command()
def request(
    identity: Annotated[str, typer.Argument(help="The station's identity, as in its URL.")],
    log_type: Annotated[Literal["diagnostics", "security"], typer.Option("--type", help="Which of its logs.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Ask a connected station for a log. It comes when the station has uploaded it; its backend hears nothing of it."""
    from gateway.cli.api import station_path  # noqa: PLC0415 - as in _ask

    body = {"log_type": "DiagnosticsLog" if log_type == "diagnostics" else "SecurityLog"}
    shown = _ask(load_config(config), "POST", station_path(identity, "logs"), body)
    if as_json:
        print_json(shown)
    else:
        typer.echo(f"station {identity} has agreed: log {shown['id']}; see voltgate log show {shown['id']}")


def _save(config: Config, number: int, out: Path) -> dict[str, Any]:
    shown: dict[str, Any] = _ask(config, "GET", f"logs/{number}")
    try:
        opened = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            _write(config, shown, opened)
        except BaseException:
            out.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise Failed(f"{out}: {error.strerror}") from None
    return shown


def _write(config: Config, shown: dict[str, Any], opened: int) -> None:
    from gateway.cli.api import download  # noqa: PLC0415 - as in _ask

    with os.fdopen(opened, "wb") as file:
        sha256 = asyncio.run(download(config, f"logs/{shown['id']}/content", file))
    if sha256 != shown["sha256"]:
        raise Failed(f"log {shown['id']} isn't whole: its SHA-256 is {sha256}, not {shown['sha256']}")


def _ask(config: Config, method: str, path: str, body: Any = None) -> Any:
    from gateway.cli.api import request as ask  # noqa: PLC0415 - an HTTP client, which other commands don't need

    return asyncio.run(ask(config, method, path, body))
