"""`voltgate demo`."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running until Ctrl-C.")] = False,
    plug_and_charge: Annotated[
        bool, typer.Option("--plug-and-charge", help="A vehicle gets a contract certificate, and charges with it.")
    ] = False,
    firmware: Annotated[
        bool, typer.Option("--firmware", help="The station is updated first, by its manufacturer's image alone.")
    ] = False,
) -> None:
    """Show the main job: a 2.0.1 station charges through Voltgate on a 1.6 backend."""
    if plug_and_charge and firmware:
        raise typer.BadParameter("is another story than --plug-and-charge; ask for one", param_hint="--firmware")
    from gateway.demo import run  # noqa: PLC0415 - no other command needs it, nor the time that it takes to load

    if not asyncio.run(run(keep=keep, console=Console(), plug_and_charge=plug_and_charge, firmware=firmware)):
        raise typer.Exit(1)
