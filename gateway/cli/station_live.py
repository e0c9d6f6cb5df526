"""`voltgate station call`, `rotate-password` and `upgrade`: what a running gateway does with a connected station."""

import asyncio
import json
from collections.abc import Callable
from typing import Annotated, Any, Final

import typer

from gateway.cli.output import DEFAULT_CONFIG, ConfigOption, Failed, JsonOption, load_config, print_json, printable
from gateway.config import Config

POLL: Final = 1.0
"""Seconds between two looks at an upgrade that is waited for."""
_SETTLED: Final = {
    "settled": "has taken its new password; the old one is worth nothing any more",
    "awaiting reboot": "uses its new password when it has restarted; until it has, both are accepted",
    "unknown": "has a new password whose fate is not known; both are accepted until it uses one",
}

Identity = Annotated[str, typer.Argument(help="The station's identity, as in its URL.")]


def call(
    identity: Identity,
    action: Annotated[str, typer.Argument(help="An action of the station's OCPP version, such as Reset.")],
    payload: Annotated[str, typer.Argument(help="The request's payload, a JSON object.")] = "{}",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Send a CALL to a connected station and print the answer's payload, which is JSON with and without --json."""
    del as_json
    try:
        body = {"action": action, "payload": json.loads(payload)}
    except ValueError as error:
        raise typer.BadParameter(f"not JSON: {error}", param_hint="PAYLOAD") from None
    print_json(_ask(load_config(config), "POST", identity, "calls", body)["payload"])


def rotate_password(
    identity: Identity,
    force: Annotated[
        bool, typer.Option("--force", help="Although the fate of the last new password isn't known.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Have a connected station given a new password; nobody is shown it."""
    answer = _ask(load_config(config), "POST", identity, "password?force=true" if force else "password")
    if as_json:
        print_json(answer)
    else:
        typer.echo(f"station {identity} {_SETTLED[answer['password_rotation']]}")


def upgrade(
    identity: Identity,
    profile: Annotated[int, typer.Option(help="The security profile to go to.", min=2, max=3)],
    interface: Annotated[
        str, typer.Option(help="The station's network interface, for OCPP 2.0.1: Wired0 to 3, Wireless0 to 3.")
    ] = "Wired0",
    wait: Annotated[bool, typer.Option("--wait", help="Wait for its end; exit status 1 when it fails.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Begin the upgrade of a connected station to a higher security profile; the gateway goes on with it."""
    tree = load_config(config)
    body = {"profile": profile, "interface": interface}
    say: Callable[[str], None] = (lambda _: None) if as_json else typer.echo
    answer = _ask(tree, "POST", identity, "security-profile", body)
    if wait:
        answer = asyncio.run(_until_over(tree, identity, answer, say))
    else:
        say(upgrade_line(answer["upgrade"]))
    if as_json:
        print_json(answer)
    if wait and answer["upgrade"]["has_failed"]:
        raise Failed(f"upgrade of {identity} failed: {printable(answer['upgrade']['detail'])}")


def cancel_upgrade(identity: Identity, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """End a station's upgrade where it stands; what the station has taken by then it keeps."""
    answer = _ask(load_config(config), "DELETE", identity, "security-profile")
    if as_json:
        print_json(answer)
    else:
        typer.echo(f"upgrade of {identity} cancelled")


def upgrade_line(upgrade: dict[str, Any]) -> str:
    """Say in one line where an upgrade stands."""
    return f"to security profile {upgrade['target_profile']}: {upgrade['step']}: {printable(upgrade['detail'])}"


async def _until_over(config: Config, identity: str, answer: Any, say: Callable[[str], None]) -> Any:
    from gateway.cli.api import request, station_path  # noqa: PLC0415 - as in _ask

    path, said = station_path(identity, "security-profile"), ""
    while True:
        line = upgrade_line(answer["upgrade"])
        if line != said:
            say(line)
            said = line
        if answer["upgrade"]["is_over"]:
            return answer
        await asyncio.sleep(POLL)
        answer = await request(config, "GET", path, None)


def _ask(config: Config, method: str, identity: str, what: str, body: Any = None) -> Any:
    from gateway.cli.api import request, station_path  # noqa: PLC0415 - an HTTP client, which the commands on records don't need

    return asyncio.run(request(config, method, station_path(identity, what), body))
