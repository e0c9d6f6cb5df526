"""The log of one peer, bound when something is to be said."""

from dataclasses import dataclass
from typing import Any

import structlog

from gateway.session.tally import Leg

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PeerLog:
    """Says whom a line is about; a logger that is bound from the beginning takes 300 bytes more for each peer."""

    identity: str
    leg: Leg

    def __getattr__(self, method: str) -> Any:
        return getattr(log.bind(identity=self.identity, leg=self.leg.value), method)
