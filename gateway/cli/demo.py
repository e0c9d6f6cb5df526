"""`voltgate demo`."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running until Ctrl-C.")] = False,
) -> None:
    """Show the main job: a 2.0.1 station charges through Voltgate on a 1.6 backend."""
    from gateway.demo import run  # noqa: PLC0415 - no other command needs it, nor the time that it takes to load

    if not asyncio.run(run(keep=keep, console=Console())):
        raise typer.Exit(1)
