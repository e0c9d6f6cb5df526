"""`voltgate backup` and `voltgate restore`."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.app.problems import StartFailed
from gateway.cli.output import DEFAULT_CONFIG, ConfigOption, Failed, load_config, printable

PIPE = Path("-")
"""Stands for stdout, and for stdin."""
SINCE: Final = (
    "what happened after {made_at:%FT%TZ} isn't known here: revoke again what was revoked since, and look after "
    "passwords and security profiles that were changed since; certificates that were issued since are on record again "
    "when their stations come; what a backend has heard since, it hears once more, word for word (docs/backup.md)"
)


def backup(
    out: Annotated[Path, typer.Argument(help="The file to write, which must not exist; - for stdout.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Write all that a deployment can be rebuilt from into one file, also while its gateway runs."""
    from gateway.app.backup.making import HOW_TO_KEEP, back_up, stream  # noqa: PLC0415 - the store: half of the start

    tree = load_config(config)
    try:
        if out == PIPE:
            folder = tree.store.sqlite_path.parent if tree.store.sqlite_path is not None else config.absolute().parent
            made = stream(tree, config, sys.stdout.buffer, folder)
            sys.stdout.buffer.flush()
        else:
            made = back_up(tree, config, out)
    except StartFailed as failure:
        raise Failed(str(failure)) from None
    except OSError as error:
        raise Failed(f"{error.filename or 'stdout'}: {error.strerror or error}") from None
    members = made.manifest.members
    _say([f"{len(members)} files, {sum(each.size for each in members)} bytes, as of {made.manifest.made_at:%FT%TZ}"])
    _say(f"missing: {each}" for each in made.missing)
    _say(f"not in it: {each}" for each in made.manifest.elsewhere)
    _say([HOW_TO_KEEP])


def restore(
    source: Annotated[Path, typer.Argument(metavar="IN", help="The backup; - for stdin.")],
    config: Annotated[
        Path, typer.Option("--config", help="Where the configuration goes; what lay beside it goes beside it.")
    ] = DEFAULT_CONFIG,
    force: Annotated[bool, typer.Option("--force", help="Move aside what is in the way.")] = False,
) -> None:
    """Rebuild a deployment from a backup; no gateway may run on it."""
    from gateway.app.backup.restoring import restore as rebuild  # noqa: PLC0415 - as above

    try:
        if source == PIPE:
            restored = rebuild(sys.stdin.buffer, config, force=force)
        else:
            with source.open("rb") as file:
                restored = rebuild(file, config, force=force)
    except StartFailed as failure:
        raise Failed(str(failure)) from None
    except OSError as error:
        raise Failed(f"{source}: {error.strerror or error}") from None
    _say(f"restored: {each}" for each in restored.written)
    _say(f"moved aside: {each}" for each in restored.moved_aside)
    _say(f"kept, for it is newer: {each}" for each in restored.kept)
    _say(f"not in it: {each}" for each in restored.manifest.elsewhere)
    _say([SINCE.format(made_at=restored.manifest.made_at)])


def _say(lines: Iterable[str]) -> None:
    """On stderr: stdout may be the archive's. The words in an archive are whoever's made it (attack C7)."""
    for line in lines:
        typer.echo(printable(line), err=True)
