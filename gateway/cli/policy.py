"""`voltgate policy ...`: policies checked, their cases played, one message's way through one explained. All offline."""

import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer

from gateway.cli.output import DEFAULT_CONFIG, Failed, JsonOption, load_config, print_json
from gateway.config import Config
from gateway.config.policies import policy_keys, policy_of
from policies.cases import STATION, facts_of, protocol_at
from policies.words import Facts, Kind, Stage

app = typer.Typer(help="What may pass: policies checked, tested and explained.", no_args_is_help=True)

Policies = Annotated[list[str] | None, typer.Argument(metavar="[NAME|FILE]...", help="Bundled policies, or files.")]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="The configuration whose policies are meant, where none is named.")
]
Protocol = Literal["ocpp1.6", "ocpp2.0.1"]
STDIN: Final = "-"
READ_MAX: Final = 2 * 1024 * 1024
"""Bytes that are read of a message: more than may be explained."""
NUMBER: Final = re.compile(r"-?[0-9]{1,18}")


def _truth(text: str) -> bool:
    if text not in {"true", "false"}:
        raise ValueError
    return text == "true"


FACTS: Final[Mapping[str, Callable[[str], Any]]] = {
    "protocol": str,
    "security_profile": int,
    "serial": str,
    "vendor": str,
    "model": str,
    "address": str,
    "booted": _truth,
    "running": int,
}
"""What a rule may ask of a station beside its identity, group and backend -> how it is read."""
FACTS_HELP: Final = f"What else is known of the station: {', '.join(FACTS)}; repeatable."


@app.command()
def check(
    names: Policies = None,
    config: ConfigFile = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="List the rules, with what their conditions cost.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Say what is wrong with policies, each error and warning with its line. Exit status 1: one doesn't load."""
    from gateway.app import policy_tools as tools  # noqa: PLC0415 - CEL and the schemas take their time
    from gateway.app.policy_json import checked_json  # noqa: PLC0415 - the same
    from gateway.cli.policy_shown import show_checked  # noqa: PLC0415 - the same

    tree = _config(config) if config is not None or not names else None
    shown: list[dict[str, Any]] = []
    for name in names or _configured(tree):
        checked = tools.check(name, None if tree is None else tree.backends)
        shown.append(checked_json(checked, with_rules=verbose))
        if not as_json:
            show_checked(checked, with_rules=verbose)
    is_ok = all(each["ok"] for each in shown)
    if as_json:
        print_json({"ok": is_ok, "policies": shown})
    if not is_ok:
        raise typer.Exit(1)


@app.command("test")
def play(
    names: Policies = None,
    min_coverage: Annotated[
        float, typer.Option(min=0, max=100, help="Percent of a policy's own rules that its cases must exercise.")
    ] = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Play the cases beside policies (NAME.tests.yaml), or files of cases; none named: of all bundled policies."""
    from gateway.app import policy_tools as tools  # noqa: PLC0415 - as in check
    from gateway.app.policy_json import problem_json, rehearsal_json  # noqa: PLC0415 - the same
    from gateway.cli.policy_shown import say_problem, show_rehearsal  # noqa: PLC0415 - the same

    shown: list[dict[str, Any]] = []
    for name in names or tools.BUNDLED:
        try:
            came = tools.play(name)
        except tools.PolicyError as error:
            shown.append({"asked": name, "ok": False, "problems": [problem_json(each) for each in error.problems]})
            if not as_json:
                for problem in error.problems:
                    say_problem(problem)
            continue
        is_ok = not came.failures and came.coverage.percent >= min_coverage
        shown.append({"asked": name, "ok": is_ok, "problems": [], **rehearsal_json(came)})
        if not as_json:
            show_rehearsal(came)
    is_ok = all(each["ok"] for each in shown)
    if as_json:
        print_json({"ok": is_ok, "policies": shown})
    if not is_ok:
        raise typer.Exit(1)


@app.command()
def explain(  # noqa: PLR0913, PLR0917 - what is known of a message and its station, each by its own option
    stage: Annotated[Stage, typer.Option(help="Where the message is looked at.")],
    policy: Annotated[str | None, typer.Argument(metavar="[NAME|FILE]", help="A bundled policy, or a file.")] = None,
    message: Annotated[
        str | None, typer.Argument(metavar="[FILE.json|-]", help="A payload, or an OCPP-J frame [2,id,action,payload].")
    ] = None,
    action: Annotated[str | None, typer.Option(help="The action; the frame of a CALL says it itself.")] = None,
    kind: Annotated[Kind | None, typer.Option(help="What the payload is; a frame says it itself.")] = None,
    protocol: Annotated[
        Protocol | None, typer.Option(help="Of the message; if not given, 2.0.1 at a station's stages and 1.6 else.")
    ] = None,
    station: Annotated[str, typer.Option(help="The station's identity.")] = STATION,
    group: Annotated[str | None, typer.Option(help="The station's group.")] = None,
    backend: Annotated[str, typer.Option(help="The name of the station's backend.")] = "",
    fact: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help=FACTS_HELP)] = None,
    owns: Annotated[list[str] | None, typer.Option(help="A transactionId of the station's own; repeatable.")] = None,
    now: Annotated[str | None, typer.Option(help="The time of the decision, RFC 3339; if not given, now.")] = None,
    config: ConfigFile = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what would become of one message, rule by rule, and why: the first that its station sends."""
    from gateway.app import policy_tools as tools  # noqa: PLC0415 - as in check
    from gateway.app.policy_json import explained_json  # noqa: PLC0415 - the same
    from gateway.cli.policy_shown import say_problem, show_explained  # noqa: PLC0415 - the same

    if message is None and policy is not None and (policy == STDIN or policy.endswith(".json")):
        policy, message = None, policy
    facts = _facts({"station": station, "group": group, "backend": backend}, fact or ())
    moment = None if now is None else _moment(now)
    try:
        loaded = tools.load(policy or _governing(config, facts), tools.OfficialSchemas())
        said = tools.read_message(
            _read(message), stage, protocol or protocol_at(stage, facts), kind=kind, action=action
        )
        explained = tools.explain(loaded, said, facts, _numbers(owns or ()), moment)
    except tools.MessageRefused as refused:
        raise Failed(str(refused)) from None
    except tools.PolicyError as error:
        for problem in error.problems:
            say_problem(problem)
        raise typer.Exit(1) from None
    if as_json:
        print_json(explained_json(explained))
    else:
        show_explained(explained)


def _configured(tree: Config | None) -> list[str]:
    """Return the policies that a configuration names, each once."""
    return [] if tree is None else list(dict.fromkeys(str(source) for _, source in policy_keys(tree)))


def _governing(config: Path | None, facts: Facts) -> str:
    tree = _config(config)
    return str(policy_of(tree, facts.identity, facts.group, facts.backend or tree.default_backend or ""))


def _config(config: Path | None) -> Config:
    """Load the configuration. Raises :class:`Failed` where there is none, or it can't be used."""
    path = config or DEFAULT_CONFIG
    if config is None and not path.exists():
        raise Failed(f"which policy? Name a bundled one or a file; there is no {path} here, and no --config that says")
    return load_config(path)


def _facts(said: dict[str, Any], more: Iterable[str]) -> Facts:
    for each in more:
        name, equals, text = each.partition("=")
        if not equals or name not in FACTS:
            raise typer.BadParameter(f"{each!r}: give NAME=VALUE, NAME of {', '.join(FACTS)}", param_hint="--fact")
        try:
            said[name] = FACTS[name](text)
        except ValueError:
            raise typer.BadParameter(f"{name} can't be {text!r}", param_hint="--fact") from None
    return facts_of(said)


def _moment(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time like 2026-11-23T12:00:00Z", param_hint="--now") from None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def _numbers(owns: Collection[str]) -> set[str | int]:
    """A transactionId is a text in 2.0.1 and a number in 1.6."""
    return {*owns, *(int(each) for each in owns if NUMBER.fullmatch(each))}


def _read(message: str | None) -> bytes:
    if message is None or message == STDIN:
        return sys.stdin.buffer.read(READ_MAX)
    try:
        with Path(message).open("rb") as file:
            return file.read(READ_MAX)
    except OSError as error:
        raise Failed(f"{message}: {error.strerror}") from None
