"""The ``voltgate`` command: parse, call, print."""

import sys
from typing import Annotated

import typer

import gateway
from gateway.cli import (
    backup,
    cert,
    contract,
    demo,
    events,
    firmware,
    log,
    pki,
    policy,
    policy_quarantine,
    serve,
    setup,
    station,
    trust,
)
from gateway.cli.output import Failed, fail

app = typer.Typer(
    name="voltgate",
    help="Security gateway between OCPP charging stations and an OCPP 1.6 backend.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(station.app, name="station")
app.add_typer(cert.app, name="cert")
app.add_typer(contract.app, name="contract")
app.add_typer(firmware.app, name="firmware")
app.add_typer(pki.app, name="pki")
app.add_typer(trust.app, name="trust")
app.add_typer(log.app, name="log")
policy.app.add_typer(policy_quarantine.app, name="quarantine")
app.add_typer(policy.app, name="policy")
app.command("events")(events.events)
app.command("serve")(serve.serve)
app.command("init")(setup.init)
app.command("check")(setup.check)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("demo")(demo.demo)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"voltgate {gateway.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def main() -> None:
    """Run the command. Exit status: 0 done, 1 refused or failed with one line on stderr, 2 wrong usage."""
    try:
        app()
    except Failed as failure:
        sys.exit(fail(str(failure)))
    except KeyboardInterrupt:
        sys.exit(130)
