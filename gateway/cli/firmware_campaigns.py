"""`voltgate firmware campaign ...`: one image to many stations, some at a time."""

import asyncio
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from gateway.cli.on_records import on_records, who
from gateway.cli.output import (
    DEFAULT_CONFIG,
    NUMBER_MAX,
    ConfigOption,
    Failed,
    JsonOption,
    load_config,
    print_fields,
    print_json,
    print_table,
    printable,
    tell_of_more,
)
from gateway.config import Config

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from gateway.app.records import CampaignRecord, Records

T = TypeVar("T")

LIMIT: Final = 1000
"""Campaigns or stations that are listed, where no number is asked for."""
FILE_MAX: Final = 6_000_000
"""Bytes of a file of stations."""
POLL: Final = 1.0
"""Seconds between two looks at a campaign that is followed."""

app = typer.Typer(help="Firmware for many stations: some at a time, until too many fail.", no_args_is_help=True)

Campaign = Annotated[str, typer.Argument(metavar="CAMPAIGN", help="Its name or its number.")]
Reason = Annotated[str | None, typer.Option(help="For those who look at it later.")]


@app.command()
def create(  # noqa: PLR0913, PLR0917 - one for each option, as typer reads them
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the campaign is called; not a number.")],
    image: Annotated[int, typer.Argument(metavar="IMAGE", help="A verified image's number.", min=1, max=NUMBER_MAX)],
    stations: Annotated[
        list[str] | None, typer.Argument(metavar="[IDENTITY]...", help="Stations, where no group is named.")
    ] = None,
    group: Annotated[str | None, typer.Option(help="The stations that are in this group now.")] = None,
    file: Annotated[
        str | None, typer.Option("--stations", metavar="FILE", help="Identities, one a line; - is stdin.")
    ] = None,
    batch: Annotated[int, typer.Option(help="Updates under way at once.")] = 10,
    halt_above: Annotated[int, typer.Option(help="Per cent of failures above which it halts; 100: never.")] = 20,
    halt_after: Annotated[int, typer.Option(help="Stations that must be through before that counts.")] = 5,
    window: Annotated[
        str | None, typer.Option(help="Of the day, UTC, in which stations are ordered, such as 22:00-05:30.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Begin a campaign; a running gateway goes on with it within a second."""
    named = (*(stations or ()), *(() if file is None else _lines(file)))

    async def work(records: "Records") -> dict[str, Any]:
        from gateway.app.records import NewCampaign, read_window  # noqa: PLC0415 - the store is open by now

        begin, end = (None, None) if window is None else read_window(window)
        plan = NewCampaign(name, image, group, named, batch, halt_above, halt_after, begin, end)
        return await _told(records, await records.campaigns.create(plan, who()))

    shown = _on_campaigns(load_config(config), work)
    if as_json:
        print_json(shown)
    else:
        typer.echo(f"campaign {shown['id']} {name!r}: image {image} to {shown['total']} stations, {batch} at once")


@app.command("list")
def list_campaigns(
    every: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    after: Annotated[int, typer.Option(help="Only those behind this id: the next page.", min=0, max=NUMBER_MAX)] = 0,
    limit: Annotated[int, typer.Option(help="So many at most.", min=1, max=LIMIT)] = LIMIT,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """List the campaigns that aren't over, in the order in which they began."""

    async def work(records: "Records") -> list[dict[str, Any]]:
        from gateway.app.records import OPEN_CAMPAIGNS, campaign_shown  # noqa: PLC0415 - the store is open by now

        states = None if every else OPEN_CAMPAIGNS
        found = await records.campaigns.list(states=states, after_id=after, limit=limit)
        progress = await records.campaigns.progress(*(each.id for each in found))
        return [campaign_shown(each, progress[each.id]) for each in found]

    shown = _on_campaigns(load_config(config), work)
    if as_json:
        print_json(shown)
        return
    keys = ("id", "name", "image_id", "group", "state", "total", "over")
    columns = (*keys, "installed", "failed", "skipped", "reason")
    print_table(
        columns,
        (
            [*(each[key] for key in keys), *(each["stations"][key] for key in columns[7:10]), each["reason"]]
            for each in shown
        ),
    )
    tell_of_more(shown, limit)


@app.command()
def show(
    campaign: Campaign,
    follow: Annotated[
        bool, typer.Option("--follow", help="Until it is done or stops; exit status 1 where it halts or is canceled.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Show how far a campaign is."""

    async def work(records: "Records") -> dict[str, Any]:
        record = await _found(records, campaign)
        shown = await _told(records, record)
        with _progress(hidden=as_json or not follow) as tell:
            tell(shown)
            while follow and shown["state"] == "running":
                await asyncio.sleep(POLL)
                shown = await _told(records, await _found(records, str(record.id)))
                tell(shown)
        return shown

    shown = _on_campaigns(load_config(config), work)
    if as_json:
        print_json(shown)
    else:
        counts = ", ".join(f"{count} {state}" for state, count in shown["stations"].items() if count)
        print_fields(shown | {"stations": counts})
    if follow and shown["state"] in {"halted", "canceled"}:
        raise Failed(
            f"campaign {shown['name']!r} is {shown['state']}: {printable(shown['reason'] or 'no reason is kept')}"
        )


@app.command()
def stations(
    campaign: Campaign,
    state: Annotated[
        str | None, typer.Option(help="Only those that are pending, ordered, installed, failed, ...")
    ] = None,
    after: Annotated[str, typer.Option(help="Only those behind this identity: the next page.")] = "",
    limit: Annotated[int, typer.Option(help="So many at most.", min=1, max=NUMBER_MAX)] = LIMIT,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """List where a campaign's stations stand, by identity."""

    async def work(records: "Records") -> list[dict[str, Any]]:
        from gateway.app.records import CampaignStationState, campaign_station_shown  # noqa: PLC0415 - the store is open by now

        try:
            states = None if state is None else [CampaignStationState(state)]
        except ValueError:
            known = ", ".join(each.value for each in CampaignStationState)
            raise typer.BadParameter(f"must be one of {known}", param_hint="--state") from None
        record = await _found(records, campaign)
        found = await records.campaigns.stations(record.id, states=states, after=after, limit=limit)
        return [campaign_station_shown(each) for each in found]

    shown = _on_campaigns(load_config(config), work)
    if as_json:
        print_json(shown)
        return
    keys = ("identity", "state", "status", "update_id", "changed_at", "reason")
    print_table(
        ("identity", "state", "status", "update", "changed at", "reason"),
        ([each[key] for key in keys] for each in shown),
    )
    if len(shown) == limit:
        last = printable(shown[-1]["identity"])
        typer.echo(f"these are {limit}; what may follow: --after {last}", err=True)


@app.command()
def pause(
    campaign: Campaign, reason: Reason = None, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False
) -> None:
    """Order no more stations, and take back what a station has not heard of."""

    async def work(records: "Records") -> dict[str, Any]:
        record = await _found(records, campaign)
        return await _told(records, await records.campaigns.pause(record.id, who(), reason))

    _tell(_on_campaigns(load_config(config), work), as_json=as_json)


@app.command()
def resume(
    campaign: Campaign,
    failed: Annotated[
        bool, typer.Option("--failed", help="Try those again that failed; of one that is done, too.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Let a campaign go on that is paused or has halted; what failed before doesn't halt it again."""

    async def work(records: "Records") -> dict[str, Any]:
        record = await _found(records, campaign)
        return await _told(records, await records.campaigns.resume(record.id, who(), retry_failed=failed))

    _tell(_on_campaigns(load_config(config), work), as_json=as_json)


@app.command()
def cancel(
    campaign: Campaign, reason: Reason = None, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False
) -> None:
    """End a campaign; stations that have heard of their update go on with it."""

    async def work(records: "Records") -> dict[str, Any]:
        record = await _found(records, campaign)
        return await _told(records, await records.campaigns.cancel(record.id, who(), reason))

    _tell(_on_campaigns(load_config(config), work), as_json=as_json)


def _tell(shown: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(shown)
    else:
        typer.echo(
            f"campaign {shown['id']} {shown['name']!r} is {shown['state']}: {shown['over']} of {shown['total']} over"
        )


async def _found(records: "Records", campaign: str) -> "CampaignRecord":
    """Raises :class:`Failed`."""
    found = await records.campaigns.named(campaign)
    if found is None:
        raise Failed(f"there is no campaign {campaign[:60]!a}; `voltgate firmware campaign list --all` shows them")
    return found


async def _told(records: "Records", record: "CampaignRecord") -> dict[str, Any]:
    from gateway.app.records import campaign_shown  # noqa: PLC0415 - the store is open by now

    progress = await records.campaigns.progress(record.id)
    return campaign_shown(record, progress[record.id])


def _on_campaigns(config: Config, work: "Callable[[Records], Awaitable[T]]") -> T:
    """Run ``work`` beside a gateway that may be running. Raises :class:`Failed`."""
    from gateway.app.records import FirmwareConflict, FirmwareInvalid  # noqa: PLC0415 - the store: half of the start

    try:
        return on_records(config, work)
    except (FirmwareConflict, FirmwareInvalid) as error:
        raise Failed(str(error)) from None


@contextmanager
def _progress(*, hidden: bool) -> "Iterator[Callable[[dict[str, Any]], None]]":
    """Show on stderr how many stations are through, if that is a terminal."""
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[failed]} failed"))
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=hidden or not sys.stderr.isatty()) as bar:
        task = bar.add_task("stations", total=None, failed=0)
        yield lambda shown: bar.update(
            task, completed=shown["over"], total=shown["total"], failed=shown["stations"]["failed"]
        )


def _lines(file: str) -> tuple[str, ...]:
    """Raises :class:`Failed`."""
    try:
        if file == "-":
            octets = sys.stdin.buffer.read(FILE_MAX + 1)
        else:
            with Path(file).open("rb") as opened:
                octets = opened.read(FILE_MAX + 1)
        if len(octets) > FILE_MAX:
            raise Failed(f"{file}: is larger than {FILE_MAX} bytes; make several campaigns")
        return tuple(line for each in octets.decode().splitlines() if (line := each.strip()))
    except OSError as error:
        raise Failed(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise Failed(f"{file}: isn't UTF-8 (byte {error.start})") from None
