"""`voltgate policy quarantine ...`: what is kept for a person's word, and that word."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.on_records import on_records, who
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

if TYPE_CHECKING:
    from gateway.app.records import Records

app = typer.Typer(help="Messages that are kept for your word instead of going to the backend.", no_args_is_help=True)

Number = Annotated[int, typer.Argument(help="The message's id.", min=1, max=2**63 - 1)]
Numbers = Annotated[list[int], typer.Argument(help="The messages' ids.", min=1, max=2**63 - 1)]
StationOption = Annotated[str | None, typer.Option("--station", help="The station's identity.")]


@app.command("list")
def list_messages(
    station: StationOption = None,
    rule: Annotated[str | None, typer.Option(help="Only what this rule has kept.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Those that are delivered or discarded, too.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """List the messages that wait for your word, or to be delivered, the oldest first; 1000 at most."""

    async def work(records: "Records") -> list[dict[str, Any]]:
        from gateway.app.records import EVERY_STATE, UNDECIDED, quarantined_shown  # noqa: PLC0415 - the store is open by now

        states = EVERY_STATE if every else UNDECIDED
        return [quarantined_shown(each) for each in await records.quarantine.list(station, states=states, rule=rule)]

    shown = on_records(load_config(config), work)
    if as_json:
        print_json(shown)
        return
    columns = ("id", "station", "state", "transaction", "action", "rule", "reason", "kept at", "last error")
    keys = ("id", "identity", "state", "transaction", "action", "rule", "reason", "kept_at", "last_error")
    print_table(columns, ([each[key] for key in keys] for each in shown))


@app.command()
def show(number: Number, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show one message whole: what it says, what the station was told, and who has decided what."""

    async def work(records: "Records") -> dict[str, Any]:
        from gateway.app.records import quarantined_shown  # noqa: PLC0415 - the store is open by now

        found = await records.quarantine.find(number)
        if found is None:
            raise Failed(f"there is no message {number} in the quarantine")
        return quarantined_shown(found, whole=True)

    shown = on_records(load_config(config), work)
    if as_json:
        print_json(shown)
    else:
        print_fields(shown)


@app.command()
def release(
    numbers: Numbers = [],  # noqa: B006 - typer's way to say that it is a list; nobody changes it
    station: StationOption = None,
    transaction: Annotated[
        str | None, typer.Option(help="All that is held of this transaction of --station, as the station calls it.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All that is held because of --rule.")] = False,
    rule: Annotated[str | None, typer.Option(help="The rule of --all.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Let messages go to the backend: a running gateway delivers them, no policy denies them again."""
    given = (bool(numbers), station is not None, transaction is not None, every, rule is not None)
    if given not in {
        (True, False, False, False, False),
        (False, True, True, False, False),
        (False, False, False, True, True),
    }:
        raise typer.BadParameter("give ids, or --transaction and --station, or --all and --rule")

    async def work(records: "Records") -> list[int]:
        from gateway.app.records import ReleaseRefused, Selection  # noqa: PLC0415 - the store is open by now

        selection = Selection(numbers, station, transaction, rule)
        try:
            return [*await records.quarantine_decisions.release(selection, who())]
        except ReleaseRefused as error:
            raise Failed(str(error)) from None

    released = on_records(load_config(config), work)
    if as_json:
        print_json({"released": released})
    else:
        typer.echo(f"released: {_told(released)}; they go to the backend when it is there")


@app.command()
def discard(
    numbers: Annotated[list[int], typer.Argument(help="The messages' ids.", min=1, max=2**63 - 1)],
    reason: Annotated[str, typer.Option(help="Why, for whoever asks later.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Decide that the backend never hears these messages. They stay to be looked at: `list --all`, `show`."""

    async def work(records: "Records") -> list[int]:
        from gateway.app.records import ReleaseRefused, Selection  # noqa: PLC0415 - the store is open by now

        try:
            return [*await records.quarantine_decisions.discard(Selection(numbers), who(), reason)]
        except ReleaseRefused as error:
            raise Failed(str(error)) from None

    discarded = on_records(load_config(config), work)
    if as_json:
        print_json({"discarded": discarded})
    else:
        typer.echo(f"discarded: {_told(discarded)}")


def _told(numbers: list[int]) -> str:
    return ", ".join(str(number) for number in numbers) if len(numbers) <= 20 else f"{len(numbers)} messages"
