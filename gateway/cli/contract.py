"""`voltgate contract ...`: which vehicle has which charging contract, and what came of it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from gateway.cli import contract_certificates
from gateway.cli.on_records import on_records, who
from gateway.cli.output import (
    DEFAULT_CONFIG,
    NUMBER_MAX,
    ConfigOption,
    Failed,
    JsonOption,
    load_config,
    print_json,
    print_table,
    tell_of_more,
)
from pki.iso15118.identifiers import Emaid, Pcid

if TYPE_CHECKING:
    from gateway.app.records import Records

LIMIT: Final = 1000
"""Contracts that are listed, where no number is asked for."""
FILE_MAX: Final = 5_000_000
"""Bytes of a file of contracts."""

app = typer.Typer(help="Charging contracts of vehicles (ISO 15118 Plug & Charge).", no_args_is_help=True)
app.command("certificates")(contract_certificates.certificates)
app.command("revoke")(contract_certificates.revoke)
app.command("log")(contract_certificates.log)


def _pcid(text: str | None) -> str | None:
    return text if text is None else _read(Pcid.parse, text).text


def _emaid(text: str | None) -> str | None:
    return text if text is None else _read(Emaid.of_peer, text).wire


def _read(read: Any, text: str) -> Any:
    try:
        return read(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


Vehicle = Annotated[str, typer.Argument(metavar="PCID", callback=_pcid, help="The vehicle's PCID.")]
Contract = Annotated[
    str, typer.Argument(metavar="EMAID", callback=_emaid, help="The contract's eMAID, with or without hyphens.")
]


@app.command()
def add(
    pcid: Annotated[str, typer.Argument(metavar="PCID", help="Of the vehicle: the CN of its OEM certificate.")],
    emaid: Annotated[
        str,
        typer.Argument(metavar="EMAID", help="With or without hyphens; a check digit, if there is one, must be right."),
    ],
    valid_from: Annotated[str | None, typer.Option("--from", help="Valid from this date or time on.")] = None,
    valid_until: Annotated[
        str | None, typer.Option("--until", help="Valid before this time, or up to this date and on it.")
    ] = None,
    default: Annotated[
        bool, typer.Option("--default", help="The one that the vehicle gets where it can have only one.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Register a contract of a vehicle: its next request for a certificate is for it."""

    async def work(records: "Records") -> dict[str, Any]:
        from gateway.app.records import ContractInvalid, ContractRefused, contract_shown, new_contract  # noqa: PLC0415 - the store is open by now

        try:
            new = new_contract(pcid, emaid, valid_from, valid_until, is_default=default)
            return contract_shown(await records.contracts.add(new, who()))
        except (ContractInvalid, ContractRefused) as error:
            raise Failed(str(error)) from None

    shown = on_records(load_config(config), work)
    if as_json:
        print_json(shown)
    else:
        typer.echo(f"vehicle {shown['pcid']} has the contract {shown['emaid']}")


@app.command("list")
def list_contracts(
    pcid: Annotated[
        str | None, typer.Argument(metavar="[PCID]", callback=_pcid, help="Only this vehicle's.", show_default=False)
    ] = None,
    emaid: Annotated[str | None, typer.Option(callback=_emaid, help="Only this contract's.")] = None,
    after: Annotated[int, typer.Option(help="Only those behind this id: the next page.", min=0, max=NUMBER_MAX)] = 0,
    limit: Annotated[int, typer.Option(help="So many at most.", min=1, max=NUMBER_MAX)] = LIMIT,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """List which vehicles have which contracts, in the order in which they were registered."""

    async def work(records: "Records") -> list[dict[str, Any]]:
        from gateway.app.records import contract_shown  # noqa: PLC0415 - the store is open by now

        found = await records.contracts.list(pcid=pcid, emaid=emaid, after_id=after, limit=limit)
        return [contract_shown(each) for each in found]

    shown = on_records(load_config(config), work)
    if as_json:
        print_json(shown)
    else:
        _print_contracts(shown)
        tell_of_more(shown, limit)


@app.command()
def show(pcid: Vehicle, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show what a vehicle has: its contracts, the default first, and the certificates that it was given."""

    async def work(records: "Records") -> dict[str, Any]:
        from gateway.app.records import contract_certificate_shown, contract_shown  # noqa: PLC0415 - the store is open by now

        contracts = [contract_shown(each) for each in await records.contracts.list(pcid=pcid)]
        certificates = await records.contract_certificates.list(pcid=pcid)
        if not contracts and not certificates:
            raise Failed(f"vehicle {pcid} has no contract; `voltgate contract add {pcid} EMAID` gives it one")
        return {
            "pcid": pcid,
            "contracts": sorted(contracts, key=lambda each: not each["default"]),
            "certificates": [contract_certificate_shown(each) for each in certificates],
        }

    shown = on_records(load_config(config), work)
    if as_json:
        print_json(shown)
        return
    _print_contracts(shown["contracts"])
    contract_certificates.print_certificates(shown["certificates"])


@app.command()
def remove(pcid: Vehicle, emaid: Contract, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Forget a contract: no certificate is issued for it any more. Those that are stay valid: `revoke` ends them."""

    async def work(records: "Records") -> list[str]:
        await records.contracts.remove(Pcid.parse(pcid), Emaid.of_peer(emaid))
        left = await records.contract_certificates.list(pcid=pcid, emaid=emaid, states=["issued", "superseded"])
        return [each.certificate.serial for each in left]

    left = on_records(load_config(config), work)
    if as_json:
        print_json({"pcid": pcid, "emaid": emaid, "valid_certificates": left})
        return
    typer.echo(f"vehicle {pcid} hasn't the contract {emaid} any more")
    for serial in left:
        typer.echo(f"still valid: certificate {serial}; `voltgate contract revoke {serial}` ends it")


@app.command("import")
def import_contracts(
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="CSV, header pcid,emaid,valid_from,valid_until[,default]; - is stdin."),
    ],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Register many contracts, or none if a line is wrong. Those that are there already get the file's times."""
    text = _text_of(file)

    async def work(records: "Records") -> dict[str, int]:
        from gateway.app.records import BatchRefused, read_csv  # noqa: PLC0415 - the store is open by now

        try:
            imported = await records.contracts.add_all(read_csv(text), who())
        except BatchRefused as error:
            raise Failed(f"{file}: {error}") from None
        return {"added": imported.added, "changed": imported.changed, "unchanged": imported.unchanged}

    told = on_records(load_config(config), work)
    if as_json:
        print_json(told)
    else:
        typer.echo(", ".join(f"{count} {what}" for what, count in told.items()))


def _text_of(file: str) -> str:
    """Raises :class:`Failed`."""
    try:
        if file == "-":
            octets = sys.stdin.buffer.read(FILE_MAX + 1)
        else:
            with Path(file).open("rb") as opened:
                octets = opened.read(FILE_MAX + 1)
        if len(octets) > FILE_MAX:
            raise Failed(f"{file}: is larger than {FILE_MAX} bytes; split it")
        return octets.decode()
    except OSError as error:
        raise Failed(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise Failed(f"{file}: isn't UTF-8 (byte {error.start})") from None


def _print_contracts(shown: list[dict[str, Any]]) -> None:
    columns = ("id", "pcid", "emaid", "valid from", "valid until", "default", "changed by")
    keys = ("id", "pcid", "emaid", "valid_from", "valid_until", "default", "changed_by")
    print_table(columns, ([_cell(each[key]) for key in keys] for each in shown))


def _cell(value: Any) -> Any:
    return {True: "yes", False: None}[value] if isinstance(value, bool) else value
