"""Firmware campaigns on a real store: stations that come and go, updates that a test ends, a clock that it moves."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, update

from gateway.services.firmware_campaigns import CampaignScheduler
from gateway.session.boot import BootGate
from gateway.session.firmware import (
    CampaignRecord,
    FirmwareConflict,
    ImageState,
    NewCampaign,
    NewUpdate,
    UpdateRecord,
    UpdateSource,
    UpdateState,
)
from gateway.session.firmware_campaigns import CampaignStationState
from gateway.session.ports import BootStatus, Provisional
from gateway.store.campaign_rounds import CampaignRounds
from gateway.store.database import Database
from gateway.store.firmware_campaigns import FirmwareCampaigns
from gateway.store.firmware_models import CampaignStationRow, FirmwareCampaignRow, FirmwareImageRow, FirmwareUpdateRow
from gateway.store.firmware_updates import UNSENT, FirmwareUpdateRecords
from gateway.store.models import Station
from gateway.store.stations import Stations

if TYPE_CHECKING:
    from collections.abc import Callable

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
VERSION = "2.0"
VENDORS = {"ACME": "acme", "Other": "other"}


class Killed(BaseException):
    """The process ends here."""


class Here:
    """A station that is connected."""

    def __init__(self, boot: Any) -> None:
        self.boot = boot
        self.gate = BootGate(BootStatus.ACCEPTED)
        self.is_connected = True
        self.provisional: Provisional | None = None


def boot_of(vendor: str = "ACME", model: str = "M1", firmware: str | None = "1.0") -> dict[str, Any]:
    """Return a BootNotification of 1.6."""
    told = {} if firmware is None else {"firmwareVersion": firmware}
    return {"chargePointVendor": vendor, "chargePointModel": model, **told}


async def add_image(database: Database, *, state: ImageState = ImageState.VERIFIED, model: str | None = None) -> int:
    """Add an image to the catalogue; return its number."""
    row: dict[str, Any] = {
        "manufacturer": "acme",
        "model": model,
        "version": VERSION,
        "state": state.value,
        "added_at": NOON,
        "added_by": "ann",
        "changed_at": NOON,
        "changed_by": "ann",
    }
    row |= {"from_order": False} if "from_order" in FirmwareImageRow.__table__.columns else {}
    statement = insert(FirmwareImageRow).returning(FirmwareImageRow.id)
    added: int = await database.write(lambda connection: connection.execute(statement, row).scalar_one())
    return added


async def set_image(database: Database, image_id: int, state: ImageState, reason: str) -> None:
    """Change what the catalogue thinks of an image."""
    statement = update(FirmwareImageRow).where(FirmwareImageRow.id == image_id)
    await database.write(lambda connection: connection.execute(statement.values(state=state.value, reason=reason)))


class CampaignDesk:
    """A scheduler, and all that it stands on."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.date = NOON
        self.seconds = 0.0
        self.stations = Stations(database, self.now)
        self.campaigns = FirmwareCampaigns(database, self.now)
        self.updates = FirmwareUpdateRecords(database, self.now)
        self.here: dict[str, Here] = {}
        self.ordered: list[str] = []
        self.refusals: dict[str, Exception] = {}
        self.killed: Callable[[str], None] | None = None
        """Called at ``order``, ``ordered`` (it is on record), ``cancel`` and ``canceled``; may raise Killed."""
        self.image_id = 0
        self.scheduler = self.opened()

    def now(self) -> datetime:
        """The clock."""
        return self.date

    def opened(self) -> CampaignScheduler:
        """Return the scheduler of a process that has just begun."""
        return CampaignScheduler(
            CampaignRounds(self.database, self.now),
            self,
            live=self.here.get,
            manufacturer_of=VENDORS.get,
            now=self.now,
            monotonic=lambda: self.seconds,
        )

    def restart(self) -> None:
        """The process has ended, and another one begins."""
        self.scheduler = self.opened()

    # --- what the scheduler orders

    async def order(
        self, identity: str, image_id: int, *, source: UpdateSource, by: str, campaign_id: int | None = None
    ) -> UpdateRecord:
        """Put an update on record, as the updates do."""
        self._reached("order")
        if identity in self.refusals:
            raise self.refusals.pop(identity)
        place = "https://fw.example.com/a"
        new = NewUpdate(
            identity=identity, image_id=image_id, source=source, by=by, location=place, campaign_id=campaign_id
        )
        record, _ = await self.updates.add(new)
        self.ordered.append(identity)
        self._reached("ordered")
        return record

    async def cancel(self, update_id: int) -> object:
        """Take an update back, as the updates do."""
        self._reached("cancel")
        moved = await self.updates.move(update_id, UpdateState.CANCELED, was=UNSENT, reason="canceled by an operator")
        if moved is None:
            raise FirmwareConflict("the station has it already")
        self._reached("canceled")
        return moved

    def _reached(self, moment: str) -> None:
        if self.killed is not None:
            self.killed(moment)

    # --- what a test does

    async def add(self, *identities: str, group: str | None = "depot", boot: Any = None, here: bool = True) -> None:
        """Register stations that have booted so; they are connected, unless ``here`` is False."""
        for identity in identities:
            await self.stations.add(identity, profile=1, serial=None, backend=None, password_hash=None, group=group)
            epoch = await self.stations.take(identity, 1)
            said = boot_of() if boot is None else boot
            await self.stations.save_boot(identity, epoch, BootStatus.ACCEPTED, 60, said, reported=True)
            if here:
                self.here[identity] = Here(said)

    async def create(self, name: str = "autumn", *, group: str | None = "depot", **fields: Any) -> CampaignRecord:
        """Begin a campaign for the group ``depot``."""
        self.image_id = self.image_id or await add_image(self.database, model=fields.pop("model", None))
        return await self.campaigns.create(NewCampaign(name, self.image_id, group=group, **fields), "ann")

    async def later(self, span: timedelta = timedelta(seconds=1)) -> None:
        """Let time pass, and have the scheduler look once."""
        self.seconds += span.total_seconds()
        self.date += span
        await self.scheduler.sweep()

    async def becomes(self, identity: str, state: UpdateState, **values: Any) -> None:
        """The open update of a station gets its next state."""
        (record,) = await self.open(identity)
        await self.moves(record, state, **values)

    async def moves(self, record: UpdateRecord, state: UpdateState, **values: Any) -> None:
        """An update gets its next state, and the scheduler hears of it."""
        moved = await self.updates.move(record.id, state, was={record.state}, **values)
        assert moved is not None
        self.scheduler.changed(moved)

    async def open(self, identity: str | None = None) -> list[UpdateRecord]:
        """Return the updates that are under way."""
        return [*await self.updates.list(identity=identity, states=[each for each in UpdateState if each.is_open])]

    async def states(self, campaign: CampaignRecord) -> dict[str, str]:
        """Return where each station stands."""
        return {each.identity: each.state.value for each in await self.campaigns.stations(campaign.id)}

    async def reasons(self, campaign: CampaignRecord) -> dict[str, str | None]:
        """Return why the skipped and failed ones are."""
        of = [CampaignStationState.SKIPPED, CampaignStationState.FAILED]
        return {each.identity: each.reason for each in await self.campaigns.stations(campaign.id, states=of)}

    async def again(self, campaign: CampaignRecord) -> CampaignRecord:
        """Return the campaign as it is now."""
        found = await self.campaigns.find(campaign.id)
        assert found is not None
        return found

    async def wipe(self) -> None:
        """Forget everything."""
        rows = (CampaignStationRow, FirmwareUpdateRow, FirmwareCampaignRow, FirmwareImageRow, Station)

        def work(connection: Any) -> None:
            for row in rows:
                connection.execute(delete(row))

        await self.database.write(work)
