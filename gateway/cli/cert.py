"""`voltgate cert ...`: the stations' certificates."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.app.logs import configure
from gateway.cli.on_records import on_records
from gateway.cli.output import (
    DEFAULT_CONFIG,
    ConfigOption,
    Failed,
    JsonOption,
    load_config,
    print_fields,
    print_json,
    print_table,
)
from pki.reasons import FOR_GOOD

if TYPE_CHECKING:
    from gateway.app.records import Records

app = typer.Typer(help="The stations' certificates.", no_args_is_help=True)


def _known(reason: str) -> str:
    if reason not in FOR_GOOD:
        raise typer.BadParameter(f"must be one of {', '.join(FOR_GOOD)}")
    return reason


Serial = Annotated[str, typer.Argument(help="The certificate's serial number in hex, with or without colons.")]


@app.command("list")
def list_certificates(
    identity: Annotated[str | None, typer.Argument(help="Only this station's.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """List the certificates that were issued."""

    async def work(records: "Records") -> list[dict[str, Any]]:
        from gateway.app.records import certificate_shown  # noqa: PLC0415 - the store is open by now

        return [certificate_shown(each) for each in await records.certificates.list(identity)]

    shown = on_records(load_config(config), work)
    if as_json:
        print_json(shown)
        return
    columns = ("identity", "serial", "subject", "not after", "state")
    keys = ("identity", "serial", "subject", "not_after", "state")
    print_table(columns, ([each[key] for key in keys] for each in shown))


@app.command()
def show(serial: Serial, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show one certificate and its chain."""

    async def work(records: "Records") -> dict[str, Any]:
        from gateway.app.records import certificate_shown  # noqa: PLC0415 - the store is open by now

        record = await records.certificates.find(_checked(serial))
        if record is None:
            raise LookupError(f"no certificate with the serial number {serial!r} is recorded")
        return certificate_shown(record) | {"chain": record.chain}

    shown = on_records(load_config(config), work)
    if as_json:
        print_json(shown)
        return
    chain = shown.pop("chain")
    print_fields(shown)
    typer.echo(chain, nl=False)


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


@app.command()
def revoke(
    serial: Serial,
    reason: Annotated[
        str, typer.Option(callback=_known, help=f"Why; it stands in the CRL: {', '.join(FOR_GOOD)}.")
    ] = "unspecified",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Revoke a certificate for good; a running gateway cuts the session that stands on it within seconds."""
    tree = load_config(config)
    # What the parts log goes to stderr: stdout is the answer's.
    configure(tree.log.level, tree.log.format)

    async def work(records: "Records") -> dict[str, Any]:
        from gateway.app.records import certificate_shown  # noqa: PLC0415 - the store is open by now

        revoked = await records.revocation.revoke(_checked(serial), FOR_GOOD[reason])
        return certificate_shown(revoked.record) | {"authority_problem": revoked.authority_problem}

    shown = on_records(tree, work)
    if as_json:
        print_json(shown)
    else:
        typer.echo(f"certificate {shown['serial']} of station {shown['identity']} is revoked ({shown['reason']})")
    if shown["authority_problem"] is not None:
        raise Failed(
            f"the gateway refuses it from now on, but the CA's own list doesn't name it: {shown['authority_problem']}; "
            "mend that and repeat the command"
        )


def _checked(serial: str) -> str:
    """Return a serial number that is hex. Raises LookupError: there is no other certificate."""
    try:
        int(serial.replace(":", ""), 16)
    except ValueError:
        raise LookupError(f"{serial!r} is no serial number: it is written in hex") from None
    return serial
