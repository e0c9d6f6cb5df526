"""`voltgate firmware update`, `updates` and `cancel`: what a running gateway has its stations install."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import typer

from gateway.cli.output import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    load_config,
    print_json,
    print_table,
    printable,
)
from gateway.config import Config

OPEN: Final = "preparing,waiting,sent"
"""States of updates that aren't over."""


def update(
    identity: Annotated[str, typer.Argument(help="The station's identity, as in its URL.")],
    image: Annotated[int, typer.Argument(help="The image's id, from `voltgate firmware list`.", min=1)],
    retrieve_at: Annotated[
        datetime | None,
        typer.Option(
            help="When the station is to load it, in UTC; at once, if not given.", formats=["%Y-%m-%dT%H:%M:%S"]
        ),
    ] = None,
    install_at: Annotated[
        datetime | None,
        typer.Option(
            help="When it is to install it, in UTC; as soon as it may, if not given.", formats=["%Y-%m-%dT%H:%M:%S"]
        ),
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Order an update of one station: the image is looked at, and sent when the station is connected."""
    from gateway.cli.api import station_path  # noqa: PLC0415 - as in _ask

    body: dict[str, Any] = {"image_id": image}
    for name, moment in (("retrieve_at", retrieve_at), ("install_at", install_at)):
        if moment is not None:
            body[name] = moment.replace(tzinfo=UTC).isoformat()
    shown = _ask(load_config(config), "POST", station_path(identity, "firmware"), body)
    if as_json:
        print_json(shown)
    else:
        typer.echo(f"update {shown['id']} of station {shown['identity']}: {shown['state']}")


def updates(
    identity: Annotated[str | None, typer.Option(help="Of this station alone.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """List the updates of stations that aren't over, whoever ordered them."""
    tree = load_config(config)
    wanted = {} if every else {"state": OPEN}
    if identity is not None:
        wanted["identity"] = identity
    shown: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        page = _ask(tree, "GET", f"firmware/updates?{urlencode(wanted | {'after': after})}")
        shown += page["updates"]
        after = page["next"]
    if as_json:
        print_json(shown)
        return
    keys = ("id", "identity", "image_id", "source", "by", "state", "status", "changed_at", "reason")
    columns = ("id", "identity", "image", "source", "by", "state", "status", "changed at", "reason")
    print_table(columns, ([each[key] for key in keys] for each in shown))


def cancel(
    number: Annotated[int, typer.Argument(help="The update's id, from `voltgate firmware updates`.", min=1)],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Cancel an update of which the station has not heard yet."""
    shown = _ask(load_config(config), "DELETE", f"firmware/updates/{number}")
    if as_json:
        print_json(shown)
    else:
        typer.echo(f"update {number} of station {printable(shown['identity'])} is canceled")


def _ask(config: Config, method: str, path: str, body: Any = None) -> Any:
    from gateway.cli.api import request  # noqa: PLC0415 - an HTTP client, which the commands on records don't need

    return asyncio.run(request(config, method, path, body))
