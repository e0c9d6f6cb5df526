"""`voltgate station ...`: the registry. What acts on a connected station, and onboarding, have files of their own."""

import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from gateway.cli import station_changes, station_live, station_onboarding
from gateway.cli.on_records import on_records
from gateway.cli.output import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    load_config,
    print_fields,
    print_json,
    print_table,
)

if TYPE_CHECKING:
    from gateway.app.records import Records

app = typer.Typer(help="Register stations and look after them.", no_args_is_help=True)

Identity = Annotated[str, typer.Argument(help="The station's identity, as in its URL.")]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@app.command()
def add(  # noqa: PLR0913, PLR0917 - one for each option, as typer reads them
    identity: Identity,
    profile: Annotated[int, typer.Option(help="Lowest OCPP security profile that it may use.", min=1, max=3)],
    serial: Annotated[str | None, typer.Option(help="Serial number: the CN of its certificate.")] = None,
    backend: Annotated[
        str | None, typer.Option(help="A configured backend; default: what the routes say, or default_backend.")
    ] = None,
    group: Annotated[str | None, typer.Option(help="A group of stations that are routed alike.")] = None,
    protocol: Annotated[
        Literal["ocpp1.6", "ocpp2.0.1"] | None,
        typer.Option(help="The only OCPP version that it may speak; default: any."),
    ] = None,
    password_stdin: PasswordStdin = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Register a station and print its password, once."""
    password = _read_password() if password_stdin else None

    async def work(records: "Records") -> dict[str, Any]:
        from gateway.app.records import Version, station_shown  # noqa: PLC0415 - the store is open by now

        made = await records.stations.add(
            identity,
            profile=profile,
            serial=serial,
            backend=backend,
            password=password,
            version=Version(protocol) if protocol is not None else None,
            group=group,
        )
        return station_shown(made.record) | {"password": made.password}

    shown = on_records(load_config(config), work)
    if as_json:
        print_json(shown)
        return
    typer.echo(f"station {identity} registered, security profile {profile} or above")
    if not password_stdin and shown["password"] is not None:
        typer.echo(f"password (shown this once): {shown['password']}")


@app.command("list")
def list_stations(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """List the registered stations."""

    async def work(records: "Records") -> list[dict[str, Any]]:
        from gateway.app.records import station_shown  # noqa: PLC0415 - the store is open by now

        listed = await records.stations.list()
        routes = await records.routes.of(listed)
        return [station_shown(record) | {"route": route} for record, route in zip(listed, routes, strict=True)]

    shown = on_records(load_config(config), work)
    if as_json:
        print_json(shown)
        return
    columns = ("identity", "profile", "version", "serial", "group", "backend", "boot")
    keys = ("identity", "profile", "version", "serial", "group", "backend", "boot_status")
    print_table(columns, ([(each | each["route"])[key] for key in keys] for each in shown))


@app.command()
def show(identity: Identity, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show one station, the upgrade of its security profile, and when its certificates are renewed."""

    async def work(records: "Records") -> dict[str, Any]:
        from gateway.app.records import renewal_shown, station_shown, upgrade_shown  # noqa: PLC0415 - as above

        record = await records.stations.show(identity)
        (route,) = await records.routes.of([record])
        return station_shown(record) | {
            "route": route,
            "upgrade": upgrade_shown(await records.upgrades.find(identity)),
            "renewals": [renewal_shown(each) for each in await records.renewals.of_station(identity)],
        }

    shown = on_records(load_config(config), work)
    if as_json:
        print_json(shown)
        return
    upgrade = shown.pop("upgrade")
    line = station_live.upgrade_line(upgrade) if upgrade is not None else None
    renewals = {f"renewal ({each['usage']})": _renewal_line(each) for each in shown.pop("renewals")}
    print_fields({**shown, "route": _route_line(shown["route"]), "upgrade": line, **renewals})


@app.command("set-password")
def set_password(
    identity: Identity,
    password_stdin: PasswordStdin = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Replace a station's password here; the station must be given the same one."""
    given = _read_password() if password_stdin else None
    password = on_records(load_config(config), lambda records: records.stations.set_password(identity, given))
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
    on_records(load_config(config), lambda records: records.stations.remove(identity, force=force))
    if as_json:
        print_json({"identity": identity, "removed": True})
    else:
        typer.echo(f"station {identity} removed")


app.command("allow")(station_changes.allow)
app.command("set-serial")(station_changes.set_serial)
app.command("set-group")(station_changes.set_group)
app.command("set-backend")(station_changes.set_backend)
app.command("pending")(station_onboarding.pending)
app.command("approve")(station_onboarding.approve)
app.command("dismiss")(station_onboarding.dismiss)
app.command("call")(station_live.call)
app.command("rotate-password")(station_live.rotate_password)
app.command("upgrade")(station_live.upgrade)
app.command("cancel-upgrade")(station_live.cancel_upgrade)


def _route_line(route: dict[str, Any]) -> str:
    line = f"{route['backend']} ({route['by']})"
    if route["in_use"] in {None, route["backend"]}:
        return line
    waits_for = f", which must hear of {route['waits_for']} first" if route["waits_for"] else ""
    return f"{line}; still {route['in_use']}{waits_for}"


def _renewal_line(renewal: dict[str, Any]) -> str:
    line = f"{renewal['state']}; due {renewal['due_at']}, certificate {renewal['serial']} ends {renewal['not_after']}"
    return f"{line}; {renewal['problem']}" if renewal["problem"] else line


def _read_password() -> str:
    return sys.stdin.readline().rstrip("\r\n")
