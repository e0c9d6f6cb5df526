"""The upgrade of a station's security profile (OCPP 2.0.1 A05), as the store keeps it and the service drives it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.bridge.books import Json

DONE: Final = "done"
"""The last step of an upgrade that succeeded."""


@dataclass(frozen=True, slots=True)
class UpgradeRecord:
    """A station's upgrade that is under way or, when ``is_over``, the last one's outcome. A station has one at most.

    ``identity`` and ``started_at`` tell it from every other. Times are aware, in UTC. Nothing in it is secret.
    """

    identity: str
    target_profile: int
    previous_profile: int
    """The security profile that the station used before."""
    step: str
    """The service's own word for where it stands."""
    slot: int | None
    """The configurationSlot that the new profile went into (B09); None before one was chosen, and in 1.6."""
    detail: str
    """For a person: what is waited for, or why it failed."""
    data: Json
    """What the service needs to go on after a restart."""
    is_over: bool
    started_at: datetime
    changed_at: datetime

    @property
    def has_failed(self) -> bool:
        """True when it is over and the station doesn't use the new profile: it failed or was cancelled."""
        return self.is_over and self.step != DONE


class UpgradeUnderWay(Exception):
    """The station has an upgrade that isn't over: ``record``."""

    def __init__(self, record: UpgradeRecord) -> None:
        super().__init__(
            f"station {record.identity!r} is being upgraded to security profile {record.target_profile} already "
            f"({record.step}); wait for its end or cancel it"
        )
        self.record = record


class UpgradeOver(Exception):
    """The upgrade is not under way any more: it was cancelled, or its station removed. Nothing more is kept of it."""

    def __init__(self, identity: str) -> None:
        super().__init__(f"the upgrade of station {identity!r} is not under way any more")
        self.identity = identity
