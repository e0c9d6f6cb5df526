"""Commands that work on the store, whether or not a gateway runs beside them."""

import asyncio
import getpass
import os
from typing import TYPE_CHECKING, TypeVar

from gateway.app.problems import StartFailed
from gateway.cli.output import Failed
from gateway.config import Config

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.app.records import Records

T = TypeVar("T")


def on_records(config: Config, work: "Callable[[Records], Awaitable[T]]") -> T:
    """Run ``work`` on the records of the configured store. Raises :class:`Failed` for what it refuses."""
    from gateway.app.records import RegistrationRefused, RotationRefused, RotationUnderWay, records  # noqa: PLC0415 - the store: half of the start

    async def run() -> T:
        async with records(config) as opened:
            return await work(opened)

    try:
        return asyncio.run(run())
    except (RegistrationRefused, RotationRefused, RotationUnderWay, LookupError, StartFailed) as error:
        raise Failed(str(error)) from None


def who() -> str:
    """Return the name of who runs the command; a container may have none for its user."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"user {os.getuid()}"
