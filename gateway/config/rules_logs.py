"""What must hold between the keys of ``logs`` and the rest of the configuration."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gateway.config.source import Fault
from pki.destinations import DESTINATIONS_MAX, UPLOAD_PORTS, Destination

if TYPE_CHECKING:
    from gateway.config.tree import Config


def broken_by_logs(config: "Config") -> Iterator[Fault]:
    """Yield every rule that the section breaks."""
    section = config.logs
    if section is None:
        return
    if config.files is None:
        yield ("logs",), "needs files, the endpoint to which stations upload; add it"
    if section.max_size > section.total_size:
        yield ("logs", "max_size"), "is more than total_size; one log must fit"
    if len(section.destinations) > DESTINATIONS_MAX:
        yield ("logs", "destinations"), f"must be {DESTINATIONS_MAX} at most"
    for index, place in enumerate(section.destinations):
        try:
            Destination.parse(place, UPLOAD_PORTS)
        except ValueError as error:
            yield ("logs", "destinations", index), str(error)
    for key in ("trusted_networks", "roots"):
        if getattr(section, key) and not section.destinations:
            yield ("logs", key), "has an effect where logs.destinations names places; add them, or remove it"
    if not section.hand_over and section.destinations:
        yield ("logs", "destinations"), "has no effect while hand_over is off; remove one of them"
