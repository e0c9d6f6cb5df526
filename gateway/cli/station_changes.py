"""`voltgate station allow`, `set-serial`, `set-group` and `set-backend`: what may change of a registered station."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.on_records import on_records
from gateway.cli.output import DEFAULT_CONFIG, ConfigOption, JsonOption, load_config, print_json

if TYPE_CHECKING:
    from gateway.app.records import Records

Identity = Annotated[str, typer.Argument(help="The station's identity, as in its URL.")]


def allow(
    identity: Identity,
    expired: Annotated[
        bool | None,
        typer.Option(
            "--expired/--no-expired", help="Let it in with an expired certificate, Pending, to be renewed at once."
        ),
    ] = None,
    downgrade: Annotated[
        bool | None,
        typer.Option("--downgrade/--no-downgrade", help="Let it go back from security profile 3 to 2; never to 1."),
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Make an exception for one station, or take it back; a running gateway goes by it within a second."""
    if expired is None and downgrade is None:
        raise typer.BadParameter("name --expired, --no-expired, --downgrade or --no-downgrade")

    async def work(records: "Records") -> dict[str, Any]:
        await records.stations.allow(identity, expired=expired, downgrade=downgrade)
        record = await records.stations.show(identity)
        return {
            "identity": identity,
            "allow_expired": record.allow_expired,
            "allow_downgrade": record.allow_downgrade,
        }

    shown = on_records(load_config(config), work)
    if as_json:
        print_json(shown)
        return
    words = {True: "allowed", False: "not allowed"}
    typer.echo(f"station {identity}: an expired certificate is {words[shown['allow_expired']]}")
    typer.echo(f"station {identity}: going back to security profile 2 is {words[shown['allow_downgrade']]}")


def set_serial(
    identity: Identity,
    serial: Annotated[str, typer.Argument(help="Serial number: the CN of its certificate.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Replace a station's serial number; a session that stands on a certificate of the old one is cut."""
    on_records(load_config(config), lambda records: records.stations.set_serial(identity, serial))
    if as_json:
        print_json({"identity": identity, "serial": serial})
    else:
        typer.echo(f"serial number of {identity} is now {serial}")


def set_group(
    identity: Identity,
    group: Annotated[str | None, typer.Argument(help="A group of stations that are routed alike.")] = None,
    none: Annotated[bool, typer.Option("--none", help="Take it out of its group.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Put a station into a group, or out of it. Where another backend follows from that, see docs/backends.md."""
    _check_one(group, none, "GROUP")
    on_records(load_config(config), lambda records: records.stations.set_group(identity, group))
    if as_json:
        print_json({"identity": identity, "group": group})
    else:
        typer.echo(f"station {identity} is in no group" if none else f"station {identity} is in the group {group}")


def set_backend(
    identity: Identity,
    backend: Annotated[str | None, typer.Argument(help="A configured backend.")] = None,
    none: Annotated[bool, typer.Option("--none", help="What the routes say, or default_backend.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Give a station a backend of its own; it goes there when the one before it has heard all (docs/backends.md)."""
    _check_one(backend, none, "BACKEND")
    on_records(load_config(config), lambda records: records.stations.set_backend(identity, backend))
    if as_json:
        print_json({"identity": identity, "backend": backend})
    else:
        typer.echo(f"station {identity} has no backend of its own" if none else f"station {identity} has {backend}")


def _check_one(value: str | None, none: bool, name: str) -> None:
    if (value is None) is not none:
        raise typer.BadParameter(f"name either {name} or --none")
