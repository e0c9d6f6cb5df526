"""`voltgate trust ...`: the roots that stations are to trust, and the change of the CSMS root."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.on_records import on_records
from gateway.cli.output import (
    DEFAULT_CONFIG,
    ConfigOption,
    Failed,
    JsonOption,
    load_config,
    print_json,
    print_table,
    printable,
)
from gateway.config import Config

if TYPE_CHECKING:
    from gateway.app.records import Records

app = typer.Typer(help="The roots that stations are to trust.", no_args_is_help=True)

Identity = Annotated[str, typer.Argument(help="The station's identity, as in its URL.")]


@app.command("list")
def list_anchors(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """List the roots that the configuration declares, with how many stations have them."""
    shown = on_records(load_config(config), lambda records: records.trust.declared())
    if as_json:
        print_json(shown)
        return
    states = ("has", "missing", "refused", "unknown")
    columns = ("entry", "type", "root", "not after", *states)
    rows = (
        [*(each[key] for key in ("entry", "type", "subject", "not_after")), *each["stations"].values()]
        for each in shown
    )
    print_table(columns, rows)


@app.command()
def status(
    identity: Annotated[str | None, typer.Argument(help="Only this station.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Show which roots the stations have, lack and refuse, in their own words."""

    async def work(records: "Records") -> list[dict[str, Any]]:
        return await records.trust.all() if identity is None else [await records.trust.of(identity)]

    shown = on_records(load_config(config), work)
    if as_json:
        print_json(shown if identity is None else shown[0])
    elif identity is None:
        print_table(("identity", "settled", "seen", "has", "lacks", "says"), map(_row, shown))
    else:
        _print_station(shown[0])


@app.command()
def rotate(
    old: Annotated[Path, typer.Option("--from", help="The root that stations trust now, PEM.")],
    new: Annotated[Path, typer.Option("--to", help="The root that is to take its place, PEM.")],
    cross_signed: Annotated[
        Path | None, typer.Option(help="The new root's name and key, signed by the old root: for stations that check.")
    ] = None,
    group: Annotated[str | None, typer.Option(help="Only stations of this group.")] = None,
    identity: Annotated[str | None, typer.Option(help="Only stations whose identity fits this pattern.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Begin the change of the CSMS root: a running gateway installs the new one at every station."""
    cross = _read(cross_signed) if cross_signed is not None else None
    old_pem, new_pem = _read(old), _read(new)
    tree = load_config(config)

    async def work(records: "Records") -> dict[str, Any]:
        await records.trust.begin(old_pem, new_pem, cross, identity=identity, group=group)
        return await _rotation(tree, records)

    _print_rotation(on_records(tree, work), as_json=as_json)


@app.command()
def rotation(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show where the change of the CSMS root stands, and whether the gateway's certificate may be switched."""
    tree = load_config(config)
    _print_rotation(on_records(tree, lambda records: _rotation(tree, records)), as_json=as_json)


@app.command()
def exclude(identity: Identity, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Wait for this station no longer: without the new root it is locked out when the certificate is switched."""
    tree = load_config(config)

    async def work(records: "Records") -> dict[str, Any]:
        await records.trust.exclude(identity)
        return await _rotation(tree, records)

    _print_rotation(on_records(tree, work), as_json=as_json)


@app.command()
def abort(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """End the change of the CSMS root where it stands; stations keep both roots."""
    tree = load_config(config)

    async def work(records: "Records") -> dict[str, Any]:
        await records.trust.abort()
        return await _rotation(tree, records)

    _print_rotation(on_records(tree, work), as_json=as_json)


async def _rotation(tree: Config, records: "Records") -> dict[str, Any]:
    from gateway.app.trust_overview import configured_chains  # noqa: PLC0415 - the store is open by now

    return await records.trust.rotation(configured_chains(tree))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}") from None


def _row(station: dict[str, Any]) -> list[Any]:
    said = [station["problem"], *(f"{each['action']} {each['type']}: {each['words']}" for each in station["refused"])]
    counts = [len(station[key]) for key in ("installed", "missing")]
    return [station["identity"], station["settled"], station["seen_at"], *counts, "; ".join(filter(None, said))]


def _print_station(station: dict[str, Any]) -> None:
    typer.echo(f"settled: {station['settled']}")
    typer.echo(f"last said what it has: {station['seen_at'] or 'never'}")
    if station["problem"]:
        typer.echo(f"problem: {printable(station['problem'])}")
    for each in station["installed"]:
        typer.echo(
            f"has {each['type']} {printable(each['subject'] or 'unknown')} serial {printable(each['serialNumber'])}"
        )
    for each in station["missing"]:
        typer.echo(f"lacks {each['type']} {printable(each['subject'])}")
    for each in station["refused"]:
        what = f"{each['action']} {each['type']} {each['subject'] or ''}"
        typer.echo(f"refused to {printable(what)}: {printable(each['words'])} (asked again {each['again_at']})")


def _print_rotation(shown: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(shown)
        return
    typer.echo(f"{printable(shown['old']['subject'])} -> {printable(shown['new']['subject'])}: {shown['state']}")
    columns = ("identity", "standing", "says")
    print_table(columns, ([each[key] for key in ("identity", "standing", "words")] for each in shown["stations"]))
    if shown["state"] == "open":
        typer.echo(_verdict(shown))


def _verdict(shown: dict[str, Any]) -> str:
    if shown["locked_out"]:
        return (
            f"{len(shown['locked_out'])} stations can't verify the certificate that is configured; put the old one back"
        )
    if shown["switched"]:
        return "switched: the old root is deleted from each station that has come under the new one"
    if shown["safe_to_switch"]:
        return "safe to switch: every station has the new root, or was excluded"
    return "not safe to switch yet: stations are waited for; voltgate trust exclude names one that is not to be"
