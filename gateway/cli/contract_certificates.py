"""`voltgate contract certificates|revoke|log`: what vehicles were given, and the audit of their requests."""

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from gateway.app.logs import configure
from gateway.cli.cert import Serial, check_told, checked, known_reason, told
from gateway.cli.events import moment_of
from gateway.cli.on_records import on_records
from gateway.cli.output import (
    DEFAULT_CONFIG,
    NUMBER_MAX,
    ConfigOption,
    JsonOption,
    load_config,
    print_json,
    print_table,
    tell_of_more,
)
from pki.iso15118.identifiers import Emaid
from pki.reasons import FOR_GOOD

if TYPE_CHECKING:
    from gateway.app.records import Records

STATES: Final = ("issued", "superseded", "revoked", "expired")
LIMIT: Final = 1000
"""Certificates that are listed, where no number is asked for."""
LOG_LIMIT: Final = 100
"""Entries of the audit that are listed, where no number is asked for."""


def _emaid(text: str | None) -> str | None:
    try:
        return None if text is None else Emaid.of_peer(text).wire
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _states(states: list[str]) -> list[str]:
    if not set(states) <= set(STATES):
        raise typer.BadParameter(f"must be one of {', '.join(STATES)}")
    return states


OfVehicle = Annotated[str | None, typer.Option("--pcid", help="Only this vehicle's.")]
OfContract = Annotated[str | None, typer.Option("--emaid", callback=_emaid, help="Only this contract's.")]
OfStation = Annotated[str | None, typer.Option("--station", help="Only of vehicles at this station.")]


def certificates(  # noqa: PLR0913, PLR0917 - one for each option, as typer reads them
    pcid: OfVehicle = None,
    emaid: OfContract = None,
    station: OfStation = None,
    state: Annotated[
        list[str],
        typer.Option(callback=_states, help="Only those that are issued, superseded, revoked or expired; repeatable."),
    ] = [],  # noqa: B006 - typer's way to say that it is a list; nobody changes it
    after: Annotated[int, typer.Option(help="Only those behind this id: the next page.", min=0, max=NUMBER_MAX)] = 0,
    limit: Annotated[int, typer.Option(help="So many at most.", min=1, max=NUMBER_MAX)] = LIMIT,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """List the contract certificates that vehicles were given."""

    async def work(records: "Records") -> list[dict[str, Any]]:
        from gateway.app.records import contract_certificate_shown  # noqa: PLC0415 - the store is open by now

        found = await records.contract_certificates.list(
            pcid=pcid, emaid=emaid, station=station, states=state or None, after_id=after, limit=limit
        )
        return [contract_certificate_shown(each) for each in found]

    shown = on_records(load_config(config), work)
    if as_json:
        print_json(shown)
    else:
        print_certificates(shown)
        tell_of_more(shown, limit)


def revoke(
    serial: Serial,
    reason: Annotated[
        str, typer.Option(callback=known_reason, help=f"Why; it stands in the CRL: {', '.join(FOR_GOOD)}.")
    ] = "unspecified",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Revoke a contract certificate for good. The contract stays: `remove` ends it."""
    tree = load_config(config)
    # What the parts log goes to stderr: stdout is the answer's.
    configure(tree.log.level, tree.log.format)

    async def work(records: "Records") -> dict[str, Any]:
        from gateway.app.records import contract_certificate_shown  # noqa: PLC0415 - the store is open by now

        found = await records.contract_certificates.find(checked(serial))
        if found is None:
            raise LookupError(f"no contract certificate with the serial number {serial!r} is recorded")
        revoked = await records.revocation.revoke(found.certificate.fingerprint, FOR_GOOD[reason])
        shown = contract_certificate_shown(found, revoked.record)
        return shown | {"authority_problem": revoked.authority_problem}

    shown = on_records(tree, work)
    if as_json:
        print_json(shown)
    else:
        typer.echo(f"certificate {shown['serial']} of {shown['emaid']} is revoked ({shown['reason']}); {told(shown)}")
    check_told(shown)


def log(  # noqa: PLR0913, PLR0917 - one for each option, as typer reads them
    station: Annotated[str | None, typer.Argument(help="Only of vehicles at this station.")] = None,
    pcid: OfVehicle = None,
    emaid: OfContract = None,
    outcome: Annotated[Literal["issued", "refused"] | None, typer.Option(help="Only those with this outcome.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Only those since this time: ISO 8601, UTC unless it says else.")
    ] = None,
    limit: Annotated[int, typer.Option(help="The newest so many.", min=1, max=NUMBER_MAX)] = LOG_LIMIT,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """List what became of vehicles' requests for contract certificates, the newest first."""
    moment = moment_of(since)

    async def work(records: "Records") -> list[dict[str, Any]]:
        from gateway.app.records import provisioning_shown  # noqa: PLC0415 - the store is open by now

        found = await records.contract_provisionings.list(
            station=station, pcid=pcid, emaid=emaid, outcome=outcome, since=moment, limit=limit
        )
        return [provisioning_shown(each) for each in found]

    shown = on_records(load_config(config), work)
    if as_json:
        print_json(shown)
        return
    columns = ("at", "station", "action", "pcid", "emaid", "outcome", "serial", "text")
    keys = ("at", "station", "action", "pcid", "emaid", "outcome", "contract_serial", "text")
    rows = (each | {"outcome": each["refusal"] or each["outcome"]} for each in shown)
    print_table(columns, ([row[key] for key in keys] for row in rows))


def print_certificates(shown: list[dict[str, Any]]) -> None:
    """Print contract certificates as a table."""
    columns = ("id", "serial", "emaid", "pcid", "station", "provider", "not after", "state")
    keys = ("id", "serial", "emaid", "pcid", "station", "provider", "not_after", "state")
    print_table(columns, ([each[key] for key in keys] for each in shown))
