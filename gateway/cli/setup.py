"""`voltgate init` and `voltgate check`."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.app.problems import StartFailed
from gateway.app.setup import DEFAULT_BACKEND_URL, problems, scaffold
from gateway.cli.output import DEFAULT_CONFIG, ConfigOption, Failed, JsonOption, load_config, print_json
from gateway.config import DEFAULT_OPERATOR


def init(
    directory: Annotated[Path, typer.Argument(help="The folder to write to; made if missing.")],
    backend_url: Annotated[
        str, typer.Option(help="Where the 1.6 backend listens; {identity} stands for the station.")
    ] = DEFAULT_BACKEND_URL,
    operator: Annotated[str, typer.Option(help="The operator's name: O in station certificates.")] = DEFAULT_OPERATOR,
    name: Annotated[
        list[str] | None, typer.Option(help="DNS name or address under which stations reach the gateway; repeatable.")
    ] = None,
    plug_and_charge: Annotated[
        bool, typer.Option("--plug-and-charge", help="Also issue contract certificates to vehicles (ISO 15118).")
    ] = False,
    firmware: Annotated[
        bool, typer.Option("--firmware", help="Also update stations with signed firmware, and take their logs.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a commented configuration and a development PKI that `voltgate serve` runs as they are."""
    try:
        written = scaffold(
            directory,
            backend_url=backend_url,
            operator=operator,
            names=name or [],
            plug_and_charge=plug_and_charge,
            firmware=firmware,
        )
    except StartFailed as failure:
        raise Failed(str(failure)) from None
    if as_json:
        print_json({"config": str(directory / "voltgate.yaml"), "written": [str(path) for path in written]})
        return
    for path in written:
        typer.echo(path)
    typer.echo(f"\nnext: voltgate serve --config {directory / 'voltgate.yaml'}")


def check(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Check the configuration and everything that it points to; change nothing."""
    found = problems(load_config(config))
    errors = [each for each in found if each.is_error]
    if as_json:
        print_json({"ok": not errors, "problems": [each.shown() for each in found]})
    else:
        for each in found:
            typer.echo(str(each), err=each.is_error)
        if not errors:
            typer.echo(f"{config}: ok")
    if errors:
        raise typer.Exit(1)
