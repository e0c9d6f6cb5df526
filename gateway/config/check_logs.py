"""What ``logs`` points to: the folder, the roots of the places that logs are sent on to."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from gateway.config.check_folder import check_folder
from gateway.config.check_network import check_networks
from gateway.config.check_tls import check_roots
from gateway.config.problems import Problem

if TYPE_CHECKING:
    from gateway.config.tree import Config


def check_logs(config: "Config", now: datetime) -> Iterator[Problem]:
    """Yield what is wrong with what the section points to."""
    section = config.logs
    if section is None:
        return
    yield from check_folder("logs.directory", section.directory)
    if section.hand_over and not section.destinations:
        text = "is empty: no log is sent on, and backends hear that the upload has failed; or turn hand_over off"
        yield Problem.warning("logs.destinations", text)
    for index, place in enumerate(section.destinations):
        if place.startswith(("http://", "ftp://")):
            text = "is without TLS: logs, and passwords in their URLs, travel in clear"
            yield Problem.warning(f"logs.destinations[{index}]", text)
    if section.roots is not None:
        yield from check_roots("logs.roots", section.roots, now)[0]
    yield from check_networks("logs.trusted_networks", section.trusted_networks)
