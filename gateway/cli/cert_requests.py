"""`voltgate cert requests`, `approve` and `refuse`: what stations have asked for, and a person's word about it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.on_records import on_records
from gateway.cli.output import DEFAULT_CONFIG, ConfigOption, Failed, JsonOption, load_config, print_json, print_table

if TYPE_CHECKING:
    from gateway.app.records import Records

Number = Annotated[int, typer.Argument(help="The request's id, from `voltgate cert requests`.", min=1, max=2**63 - 1)]


def requests(
    every: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """List the stations' requests for certificates that aren't over; those in state waiting are for you to decide."""

    async def work(records: "Records") -> list[dict[str, Any]]:
        from gateway.app.records import OPEN_REQUESTS, request_shown  # noqa: PLC0415 - the store is open by now

        found = await records.certificate_requests.list(states=None if every else OPEN_REQUESTS)
        return [request_shown(each) for each in found]

    shown = on_records(load_config(config), work)
    if as_json:
        print_json(shown)
        return
    columns = ("id", "identity", "usage", "state", "name", "requested at", "detail")
    keys = ("id", "identity", "usage", "state", "name", "requested_at", "detail")
    print_table(columns, ([each[key] for key in keys] for each in shown))


def approve(number: Number, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Approve a CSR: it is signed within a second, or when the station is connected."""
    shown = _decide(number, config, approved=True, detail="approved by an operator")
    if as_json:
        print_json(shown)
    else:
        typer.echo(f"request {number} of station {shown['identity']} is approved")


def refuse(
    number: Number,
    reason: Annotated[str, typer.Option(help="Why, for whoever asks later.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Refuse a CSR. The station isn't told: OCPP has no word for it; it may ask again."""
    shown = _decide(number, config, approved=False, detail=reason)
    if as_json:
        print_json(shown)
    else:
        typer.echo(f"request {number} of station {shown['identity']} is refused")


def _decide(number: int, config: ConfigOption, *, approved: bool, detail: str) -> dict[str, Any]:
    async def work(records: "Records") -> dict[str, Any]:
        from gateway.app.records import NotWaiting, request_shown  # noqa: PLC0415 - the store is open by now

        try:
            decided = await records.certificate_requests.decide(number, approved=approved, detail=detail)
        except NotWaiting as error:
            raise Failed(str(error)) from None
        return request_shown(decided)

    return on_records(load_config(config), work)
