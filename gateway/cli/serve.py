"""`voltgate serve`."""

import asyncio
import signal

import uvloop

from gateway.app.logs import configure
from gateway.app.problems import StartFailed
from gateway.cli.output import DEFAULT_CONFIG, ConfigOption, Failed, load_config
from gateway.config import Config


def serve(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Run the gateway until SIGTERM or Ctrl-C."""
    tree = load_config(config)
    configure(tree.log.level, tree.log.format)
    try:
        uvloop.run(_until_told(tree))
    except StartFailed as failure:
        raise Failed(str(failure)) from None


async def _until_told(config: Config) -> None:
    from gateway.app.serving import serving  # noqa: PLC0415 - all parts of the gateway, which no other command needs

    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, told.set)
    async with serving(config, _announce):
        await told.wait()


def _announce(line: str) -> None:
    print(line, flush=True)
