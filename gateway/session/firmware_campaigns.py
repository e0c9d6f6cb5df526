"""What a campaign may be, where its stations stand, and how far it has come; the rest is in ``session.firmware``."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from gateway.session.campaign_windows import check_window
from gateway.session.firmware import CampaignRecord, FirmwareInvalid, ImageState, NewCampaign, UpdateState

NAME_MAX: Final = 64
"""Characters of a campaign's name."""
STATIONS_MAX: Final = 100_000
"""Stations of one campaign."""
OPEN_MAX: Final = 100
"""Campaigns at once that aren't over."""
BATCH_MAX: Final = 1_000
"""Updates of one campaign that may be under way at once."""
_NEVER: Final = 100
"""Per cent of failures above which nothing can be."""


class CampaignStationState(enum.Enum):
    """Where one station of a campaign stands."""

    PENDING = "pending"
    """It has not been ordered to update: it isn't here, or its turn has not come."""
    ORDERING = "ordering"
    """It is being ordered at this moment: after a crash, the updates on record say whether it was."""
    ORDERED = "ordered"
    """Its update is under way."""
    WITHDRAWING = "withdrawing"
    """Its update, which it has not heard of, is taken back: it may wait for its turn again."""
    INSTALLED = "installed"
    FAILED = "failed"
    """``resume`` with ``retry_failed`` has it tried again."""
    SKIPPED = "skipped"
    """Nothing will be ordered: the reason says why."""

    @property
    def is_under_way(self) -> bool:
        """True while it takes one of the places of ``batch_size``."""
        return self in UNDER_WAY


UNDER_WAY: Final = frozenset(
    {CampaignStationState.ORDERING, CampaignStationState.ORDERED, CampaignStationState.WITHDRAWING}
)


@dataclass(frozen=True, slots=True)
class CampaignStation:
    """One station of a campaign. Times are aware, in UTC."""

    identity: str
    state: CampaignStationState
    update_id: int | None
    """The last update that it was ordered by this campaign."""
    status: str | None
    """The last FirmwareStatus of that update."""
    reason: str | None
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class CampaignProgress:
    """How many stations of a campaign are in which state; states without any may be left out."""

    counts: Mapping[CampaignStationState, int] = field(default_factory=dict)
    installed_before: int = 0
    """Of those installed: when a person last let it go on after a halt, or had failed ones tried again."""
    failed_before: int = 0

    def __getitem__(self, state: CampaignStationState) -> int:
        return self.counts.get(state, 0)

    @property
    def total(self) -> int:
        """All stations."""
        return sum(self.counts.values())

    @property
    def under_way(self) -> int:
        """Stations whose update is under way."""
        return sum(self[state] for state in UNDER_WAY)

    @property
    def over(self) -> int:
        """Stations for which nothing is to be done any more."""
        return self.total - self.under_way - self[CampaignStationState.PENDING]

    def too_many_failed(self, plan: NewCampaign) -> str | None:
        """Return why the campaign must halt, or None: by what came since a person last let it go on."""
        failed = self[CampaignStationState.FAILED] - self.failed_before
        through = failed + self[CampaignStationState.INSTALLED] - self.installed_before
        if plan.halt_above >= _NEVER or through < plan.halt_after or failed * 100 <= plan.halt_above * through:
            return None
        return f"{failed} of {through} stations have failed, which is more than {plan.halt_above} %"


@dataclass(frozen=True, slots=True)
class CampaignAtWork:
    """A campaign as its scheduler needs it."""

    record: CampaignRecord
    manufacturer: str
    model: str | None
    version: str
    """Of its image, as the two before."""
    image_state: ImageState
    image_reason: str | None


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A station whose update is under way, with the newest update that the campaign ordered it."""

    identity: str
    state: CampaignStationState
    update_id: int | None
    """The one that it is known to be about."""
    newest_id: int | None
    newest_state: UpdateState | None
    newest_reason: str | None
    newest_changed_at: datetime | None


@dataclass(frozen=True, slots=True)
class StationChange:
    """A station's next state; nothing is changed where it isn't in ``was`` any more."""

    identity: str
    was: CampaignStationState
    state: CampaignStationState
    update_id: int | None = None
    """None: as it is."""
    reason: str | None = None


def check_plan(plan: NewCampaign) -> None:
    """Return when there can be such a campaign. Raises FirmwareInvalid."""
    name = plan.name
    if not 1 <= len(name) <= NAME_MAX or not name.isprintable() or name != name.strip() or name.isdecimal():
        raise FirmwareInvalid(
            f"name: a campaign's has 1 to {NAME_MAX} printable characters, no space at its ends, and isn't a number"
        )
    if (plan.group is None) is not bool(plan.stations):
        raise FirmwareInvalid("name either a group or stations")
    if not all(each.isprintable() for each in (plan.group or "", *plan.stations)):
        raise FirmwareInvalid("a group and stations are named by printable characters")
    if len(set(plan.stations)) != len(plan.stations):
        raise FirmwareInvalid("stations: one is named twice")
    if len(plan.stations) > STATIONS_MAX:
        raise FirmwareInvalid(f"stations: at most {STATIONS_MAX} in one campaign; make several")
    if not 1 <= plan.batch_size <= BATCH_MAX:
        raise FirmwareInvalid(f"batch_size: 1 to {BATCH_MAX} stations at once")
    if not 0 <= plan.halt_above <= _NEVER:
        raise FirmwareInvalid("halt_above: 0 to 100 per cent")
    if not 1 <= plan.halt_after <= STATIONS_MAX:
        raise FirmwareInvalid(f"halt_after: 1 to {STATIONS_MAX} stations")
    check_window(plan.window_from, plan.window_until)
