"""`voltgate station ...`: the registry, and CALLs to a connected station."""

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.table import Table

from gateway.app.problems import StartFailed
from gateway.cli.output import DEFAULT_CONFIG, ConfigOption, Failed, JsonOption, load_config, print_json, print_table
from gateway.config import Config

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.app.records import Registration

app = typer.Typer(help="Register stations and look after them.", no_args_is_help=True)

T = TypeVar("T")
Identity = Annotated[str, typer.Argument(help="The station's identity, as in its URL.")]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@app.command()
def add(
    identity: Identity,
    profile: Annotated[int, typer.Option(help="Lowest OCPP security profile that it may use.", min=1, max=3)],
    serial: Annotated[str | None, typer.Option(help="Serial number: the CN of its certificate.")] = None,
    backend: Annotated[str | None, typer.Option(help="A configured backend; default: default_backend.")] = None,
    password_stdin: PasswordStdin = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Register a station and print its password, once."""
    password = _read_password() if password_stdin else None

    async def work(stations: "Registration") -> dict[str, Any]:
        made = await stations.add(identity, profile=profile, serial=serial, backend=backend, password=password)
        return _shown(made.record) | {"password": made.password}

    shown = _on_records(load_config(config), work)
    if as_json:
        print_json(shown)
        return
    typer.echo(f"station {identity} registered, security profile {profile} or above")
    if not password_stdin and shown["password"] is not None:
        typer.echo(f"password (shown this once): {shown['password']}")


@app.command("list")
def list_stations(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """List the registered stations."""

    async def work(stations: "Registration") -> list[dict[str, Any]]:
        return [_shown(record) for record in await stations.list()]

    shown = _on_records(load_config(config), work)
    if as_json:
        print_json(shown)
        return
    table = Table("identity", "profile", "serial", "backend", "boot")
    for each in shown:
        table.add_row(
            each["identity"], str(each["profile"]), each["serial"] or "", each["backend"] or "", each["boot_status"]
        )
    print_table(table)


@app.command()
def show(identity: Identity, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show one station."""
    shown = _on_records(load_config(config), lambda stations: _find(stations, identity))
    if as_json:
        print_json(shown)
        return
    for key, value in shown.items():
        typer.echo(f"{key}: {'-' if value is None else value}")


@app.command("set-password")
def set_password(
    identity: Identity,
    password_stdin: PasswordStdin = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Replace a station's password here; the station must be given the same one."""
    given = _read_password() if password_stdin else None
    password = _on_records(load_config(config), lambda stations: stations.set_password(identity, given))
    if as_json:
        print_json({"identity": identity, "password": None if password_stdin else password})
    elif password_stdin:
        typer.echo(f"password of {identity} replaced")
    else:
        typer.echo(f"password (shown this once): {password}")


@app.command()
def remove(
    identity: Identity,
    force: Annotated[
        bool, typer.Option("--force", help="Even if messages for the backend, or running sessions, are lost with it.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Remove a station; a running gateway cuts its connection within a second."""
    _on_records(load_config(config), lambda stations: stations.remove(identity, force=force))
    if as_json:
        print_json({"identity": identity, "removed": True})
    else:
        typer.echo(f"station {identity} removed")


@app.command()
def call(
    identity: Identity,
    action: Annotated[str, typer.Argument(help="An action of the station's OCPP version, such as Reset.")],
    payload: Annotated[str, typer.Argument(help="The request's payload, a JSON object.")] = "{}",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Send a CALL to a connected station and print the answer's payload, which is JSON with and without --json."""
    del as_json
    try:
        body = {"action": action, "payload": json.loads(payload)}
    except ValueError as error:
        raise typer.BadParameter(f"not JSON: {error}", param_hint="PAYLOAD") from None
    from gateway.cli.api import request, station_path  # noqa: PLC0415 - an HTTP client, which the commands on records don't need

    answer = asyncio.run(request(load_config(config), "POST", station_path(identity, "calls"), body))
    print_json(answer["payload"])


async def _find(stations: "Registration", identity: str) -> dict[str, Any]:
    return _shown(await stations.show(identity))


def _shown(record: Any) -> dict[str, Any]:
    return {
        "identity": record.identity,
        "profile": record.minimum_profile,
        "serial": record.serial,
        "backend": record.backend,
        "boot_status": record.boot_status.value,
    }


def _on_records(config: Config, work: "Callable[[Registration], Awaitable[T]]") -> T:
    """Run ``work`` on the registry of the configured store. Raises :class:`Failed` for what it refuses."""
    from gateway.app.records import RegistrationRefused, station_records  # noqa: PLC0415 - the store: half of the start

    async def run() -> T:
        async with station_records(config) as stations:
            return await work(stations)

    try:
        return asyncio.run(run())
    except (RegistrationRefused, LookupError, StartFailed) as error:
        raise Failed(str(error)) from None


def _read_password() -> str:
    return sys.stdin.readline().rstrip("\r\n")
