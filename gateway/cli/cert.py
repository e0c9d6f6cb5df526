"""`voltgate cert ...`: the stations' certificates."""

import asyncio
from typing import Annotated, Any

import typer
from rich.table import Table

from gateway.app.problems import StartFailed
from gateway.cli.output import DEFAULT_CONFIG, ConfigOption, Failed, JsonOption, load_config, print_json, print_table
from gateway.config import Config

app = typer.Typer(help="The stations' certificates.", no_args_is_help=True)


@app.command("list")
def list_certificates(
    identity: Annotated[str | None, typer.Argument(help="Only this station's.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """List the certificates that were issued."""
    try:
        shown = asyncio.run(_list(load_config(config), identity))
    except StartFailed as failure:
        raise Failed(str(failure)) from None
    if as_json:
        print_json(shown)
        return
    table = Table("identity", "serial", "subject", "not after", "state")
    for each in shown:
        table.add_row(*(each[key] for key in ("identity", "serial", "subject", "not_after", "state")))
    print_table(table)


@app.command()
def renew(
    identity: Annotated[str, typer.Argument(help="The station's identity.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Ask a connected station to renew its certificate now."""
    from gateway.cli.api import request, station_path  # noqa: PLC0415 - an HTTP client, which the commands on records don't need

    answer = asyncio.run(request(load_config(config), "POST", station_path(identity, "certificate"), None))
    if as_json:
        print_json({"identity": identity} | answer)
        return
    typer.echo(f"station {identity} was asked for a new CSR")


async def _list(config: Config, identity: str | None) -> list[dict[str, Any]]:
    from gateway.app.records import certificate_records  # noqa: PLC0415 - the store, which no other group of commands needs

    async with certificate_records(config) as certificates:
        return [
            {
                "identity": each.identity,
                "serial": each.serial,
                "subject": each.subject,
                "fingerprint": each.fingerprint,
                "not_before": each.not_before.isoformat(),
                "not_after": each.not_after.isoformat(),
                "state": each.state.value,
            }
            for each in await certificates.list(identity)
        ]
