"""`voltgate pki check`: can each configured authority sign, with the gateway's own credentials?"""

import asyncio

import typer

from gateway.app.logs import configure
from gateway.cli.output import DEFAULT_CONFIG, ConfigOption, JsonOption, load_config, print_json, printable


def check(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Ask each authority, with the gateway's own credentials, whether it could sign now. Nothing is signed."""
    from gateway.app.pki_check import check_authorities  # noqa: PLC0415 - it knows the store, which is slow to load

    tree = load_config(config)
    # What the parts log goes to stderr: stdout is the answer's.
    configure(tree.log.level, tree.log.format)
    checked = asyncio.run(check_authorities(tree))
    if as_json:
        print_json([each.shown() for each in checked])
    else:
        for each in checked:
            typer.echo(f"{each.use} ({each.kind}): {'ok' if not each.problems else 'not ok'}")
            for subject, end in each.valid_until:
                typer.echo(f"  {printable(subject)} is valid until {end.date()}")
            for problem in each.problems:
                typer.echo(f"  problem: {printable(problem)}")
    if any(each.problems for each in checked):
        raise typer.Exit(1)
