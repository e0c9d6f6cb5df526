"""`voltgate cert ...`: the certificates of the stations, and the gateway's own."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from gateway.app.logs import configure
from gateway.cli import cert_requests
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
from pki.profiles import parse_duration
from pki.reasons import FOR_GOOD

if TYPE_CHECKING:
    from gateway.app.records import Records

USAGES: Final = ("station", "v2g", "server", "contract", "contract_20", "seen")
"""What certificates are for; the last: of other issuers."""

app = typer.Typer(help="The stations' certificates.", no_args_is_help=True)
app.command()(cert_requests.requests)
app.command()(cert_requests.approve)
app.command()(cert_requests.refuse)


def known_reason(reason: str) -> str:
    """Return a reason that is for good. Raises typer.BadParameter."""
    if reason not in FOR_GOOD:
        raise typer.BadParameter(f"must be one of {', '.join(FOR_GOOD)}")
    return reason


def _states(states: list[str]) -> list[str]:
    if states:
        from gateway.app.records import STATES  # noqa: PLC0415 - half of the start, for those who ask

        if not set(states) <= set(STATES):
            raise typer.BadParameter(f"must be one of {', '.join(STATES)}")
    return states


def _usage(usage: str | None) -> str | None:
    if usage is not None and usage not in USAGES:
        raise typer.BadParameter(f"must be one of {', '.join(USAGES)}")
    return usage


def _moment(within: str | None) -> datetime | None:
    if within is None:
        return None
    try:
        return datetime.now(UTC) + parse_duration(within)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--expiring") from None


Serial = Annotated[
    str,
    typer.Argument(help="The certificate's serial number, or its SHA-256 fingerprint, in hex, with or without colons."),
]


@app.command("list")
def list_certificates(
    identity: Annotated[str | None, typer.Argument(help="Only this station's.")] = None,
    state: Annotated[
        list[str],
        typer.Option(
            callback=_states,
            help="Only those that are issued, installed, in_use, rejected, superseded, revoked or expired; repeatable.",
        ),
    ] = [],  # noqa: B006 - typer's way to say that it is a list; nobody changes it
    usage: Annotated[
        str | None,
        typer.Option(
            callback=_usage,
            help=f"Only those of this usage: {', '.join(USAGES)} (other issuers').",
        ),
    ] = None,
    expiring: Annotated[
        str | None, typer.Option(help="Only those that expire within this time, such as 30d, and haven't yet.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """List the certificates that were issued, and those of other issuers that stations came with."""
    before = _moment(expiring)

    async def work(records: "Records") -> list[dict[str, Any]]:
        from gateway.app.records import certificate_shown  # noqa: PLC0415 - the store is open by now

        found = await records.certificates.list(identity, states=state or None, usage=usage, expiring_before=before)
        return [certificate_shown(each) for each in found]

    shown = on_records(load_config(config), work)
    if as_json:
        print_json(shown)
        return
    columns = ("identity", "serial", "subject", "not after", "state", "usage")
    keys = ("identity", "serial", "subject", "not_after", "state", "usage")
    print_table(columns, ([each[key] for key in keys] for each in shown))


@app.command()
def show(serial: Serial, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show one certificate, its history and its chain."""

    async def work(records: "Records") -> dict[str, Any]:
        from gateway.app.records import certificate_shown, step_shown  # noqa: PLC0415 - the store is open by now

        record = await records.certificates.find(checked(serial))
        if record is None:
            raise LookupError(f"no certificate with the serial number {serial!r} is recorded")
        history = [step_shown(step) for step in await records.certificates.history(record.fingerprint)]
        return certificate_shown(record) | {"chain": record.chain, "history": history}

    shown = on_records(load_config(config), work)
    if as_json:
        print_json(shown)
        return
    history, chain = shown.pop("history"), shown.pop("chain")
    print_fields(shown)
    print_table(("at", "state", "detail"), ([step["at"], step["state"], step["detail"]] for step in history))
    typer.echo(chain, nl=False)


@app.command()
def renew(
    identity: Annotated[str | None, typer.Argument(help="The station's identity.")] = None,
    usage: Annotated[
        Literal["station", "v2g"], typer.Option(help="The certificate for TLS, or the one for ISO 15118.")
    ] = "station",
    every: Annotated[bool, typer.Option("--all", help="All stations' that have one, one after the other.")] = False,
    group: Annotated[str | None, typer.Option(help="With --all: only the stations of this group.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Ask a connected station to renew its certificate now; with --all many, each when it is connected."""
    from gateway.cli.api import request, station_path  # noqa: PLC0415 - an HTTP client, which the commands on records don't need

    if (identity is not None) is every:
        raise typer.BadParameter("name one station, or say --all", param_hint="IDENTITY")
    if group is not None and not every:
        raise typer.BadParameter("goes with --all", param_hint="--group")
    tree = load_config(config)
    if identity is None:
        answer = asyncio.run(request(tree, "POST", "renewals", {"usage": usage, "group": group}))
        said = f"{answer['count']} certificates are renewed from now on, one after the other"
    else:
        path = f"{station_path(identity, 'certificate')}?usage={usage}"
        answer = {"identity": identity} | asyncio.run(request(tree, "POST", path, None))
        said = f"station {identity} was asked for a new CSR"
    if as_json:
        print_json(answer)
    else:
        typer.echo(said)


@app.command()
def revoke(
    serial: Serial,
    reason: Annotated[
        str, typer.Option(callback=known_reason, help=f"Why; it stands in the CRL: {', '.join(FOR_GOOD)}.")
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

        revoked = await records.revocation.revoke(checked(serial), FOR_GOOD[reason])
        return certificate_shown(revoked.record) | {"authority_problem": revoked.authority_problem}

    shown = on_records(tree, work)
    if as_json:
        print_json(shown)
    else:
        typer.echo(f"certificate {shown['serial']} of {_owner(shown)} is revoked ({shown['reason']}); {told(shown)}")
    check_told(shown)


def _owner(shown: dict[str, Any]) -> str:
    if shown["identity"]:
        return f"station {shown['identity']}"
    return "the gateway" if shown["usage"] == "server" else f"a vehicle ({shown['subject']})"


def told(shown: dict[str, Any]) -> str:
    """Return whether the authority of a revoked certificate knows of it."""
    if shown["authority_problem"] is not None:
        return "its authority is still to be told"
    if shown["usage"] == "seen":
        return "none of our authorities issued it, so nobody else is told"
    return "its authority was told"


def check_told(shown: dict[str, Any]) -> None:
    """Return when the authority of a revoked certificate knows of it. Raises :class:`Failed`."""
    if shown["authority_problem"] is not None:
        raise Failed(
            "the gateway refuses it from now on, but its authority could not be told, and its list doesn't name it: "
            f"{shown['authority_problem']}; a running gateway tells it as soon as it can, and so does this command "
            "when it is repeated"
        )


def checked(serial: str) -> str:
    """Return a serial number that is hex. Raises LookupError: there is no other certificate."""
    try:
        int(serial.replace(":", ""), 16)
    except ValueError:
        raise LookupError(f"{serial!r} is no serial number: it is written in hex") from None
    return serial
