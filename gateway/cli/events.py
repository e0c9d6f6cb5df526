"""`voltgate events`: what the gateway saw at its door and on its lines, and what stations reported."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from gateway.cli.on_records import on_records
from gateway.cli.output import (
    DEFAULT_CONFIG,
    NUMBER_MAX,
    ConfigOption,
    JsonOption,
    load_config,
    print_json,
    print_table,
)

if TYPE_CHECKING:
    from gateway.app.records import Records

LIMIT: Final = 100
"""Events that are listed, where no number is asked for."""


def events(
    identity: Annotated[str | None, typer.Argument(help="Only this station's.")] = None,
    kind: Annotated[str | None, typer.Option("--type", help="Only of this type, such as InvalidMessages.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Only what had not ended before this time: ISO 8601, UTC unless it says else.")
    ] = None,
    limit: Annotated[int, typer.Option(help="The newest so many.", min=1, max=NUMBER_MAX)] = LIMIT,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """List security events, the newest first."""
    moment = moment_of(since)

    async def work(records: "Records") -> list[dict[str, Any]]:
        from gateway.app.records import event_shown  # noqa: PLC0415 - the store is open by now

        found = await records.security_events.list(identity=identity, kind=kind, since=moment, limit=limit)
        return [event_shown(each) for each in found]

    shown = on_records(load_config(config), work)
    if as_json:
        print_json(shown)
        return
    columns = ("at", "type", "source", "identity", "remote", "count", "detail")
    print_table(columns, ([each[key] for key in columns] for each in shown))


def moment_of(text: str | None) -> datetime | None:
    """Read the value of --since. Raises typer.BadParameter."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"not a time such as 2026-01-31T12:00:00Z: {text!r}", param_hint="--since") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
