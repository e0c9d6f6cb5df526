"""`voltgate station pending`, `approve` and `dismiss`: those that came without being registered."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.on_records import on_records
from gateway.cli.output import DEFAULT_CONFIG, ConfigOption, JsonOption, load_config, print_json, print_table

if TYPE_CHECKING:
    from gateway.app.records import Records

Identity = Annotated[str, typer.Argument(help="The identity that it came with.")]


def pending(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """List those that came without being registered (with `onboarding: record`), and what they presented."""

    async def work(records: "Records") -> list[dict[str, Any]]:
        from gateway.app.records import pending_shown  # noqa: PLC0415 - the store is open by now

        return [pending_shown(each) for each in await records.stations.pending()]

    shown = on_records(load_config(config), work)
    if as_json:
        print_json(shown)
        return
    columns = ("identity", "profile", "version", "remote", "last seen", "times", "subject")
    keys = ("identity", "profile", "version", "remote", "last_seen", "times", "subject")
    print_table(columns, ([each[key] for key in keys] for each in shown))


def approve(
    identity: Identity,
    profile: Annotated[int, typer.Option(help="Lowest OCPP security profile that it may use.", min=1, max=3)],
    serial: Annotated[str | None, typer.Option(help="Serial number: the CN of its certificate.")] = None,
    backend: Annotated[
        str | None, typer.Option(help="A configured backend; default: what the routes say, or default_backend.")
    ] = None,
    group: Annotated[str | None, typer.Option(help="A group of stations that are routed alike.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Register one of them and print its password, once. Nothing that it presented is taken over."""

    async def work(records: "Records") -> dict[str, Any]:
        from gateway.app.records import station_shown  # noqa: PLC0415 - the store is open by now

        made = await records.stations.approve(identity, profile=profile, serial=serial, backend=backend, group=group)
        return station_shown(made.record) | {"password": made.password}

    shown = on_records(load_config(config), work)
    if as_json:
        print_json(shown)
        return
    typer.echo(f"station {identity} registered, security profile {profile} or above")
    if shown["password"] is not None:
        typer.echo(f"password (shown this once): {shown['password']}")


def dismiss(identity: Identity, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Forget one of them; if it comes again, it is listed again."""
    on_records(load_config(config), lambda records: records.stations.dismiss(identity))
    if as_json:
        print_json({"identity": identity, "dismissed": True})
    else:
        typer.echo(f"{identity} forgotten")
