"""`voltgate serve`."""

import asyncio
import signal
from typing import Final

import structlog
import uvloop

from gateway.app.logs import configure
from gateway.app.problems import StartFailed
from gateway.cli.output import DEFAULT_CONFIG, ConfigOption, Failed, load_config
from gateway.config import Config

_STOPPING: Final = (signal.SIGTERM, signal.SIGINT)

log = structlog.get_logger(__name__)


def serve(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Run the gateway until SIGTERM or Ctrl-C. A second one ends it at once: what moves money is in the journal.

    SIGHUP has the policies' files read again at once.
    """
    tree = load_config(config)
    configure(tree.log.level, tree.log.format)
    try:
        uvloop.run(_until_told(tree))
    except StartFailed as failure:
        raise Failed(str(failure)) from None


async def _until_told(config: Config) -> None:
    from gateway.app.descriptors import allow_for  # noqa: PLC0415 - for this command alone
    from gateway.app.interpreter import settle_down  # noqa: PLC0415 - for this command alone
    from gateway.app.serving import serving  # noqa: PLC0415 - all parts of the gateway, which no other command needs

    told = asyncio.Event()
    loop = asyncio.get_running_loop()

    def tell() -> None:
        told.set()
        for each in _STOPPING:
            loop.remove_signal_handler(each)

    for each in _STOPPING:
        loop.add_signal_handler(each, tell)
    async with serving(config, _announce) as look_at_policies:
        loop.add_signal_handler(signal.SIGHUP, look_at_policies)
        allow_for(config.limits.max_connections * len(config.listeners))
        settle_down()
        await told.wait()
        log.info("stopping", drain_timeout=config.limits.drain_timeout)


def _announce(line: str) -> None:
    print(line, flush=True)
