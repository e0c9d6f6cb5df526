"""How verified firmware reaches stations: the updates, their links, and the endpoint from which they load."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from gateway.app.file_urls import FileUrls
from gateway.app.files import FilesEndpoint
from gateway.app.firmware import FirmwareParts
from gateway.app.firmware_campaigns import campaign_scheduler
from gateway.app.firmware_updates import Live, StationUpdates
from gateway.app.tasks import Tasks
from gateway.config import Config
from gateway.services.firmware_desk import StationFirmwareDesk
from gateway.session.security import SecurityLog
from gateway.session.station import Station
from gateway.session.tally import Tally
from gateway.store.database import Database
from gateway.store.file_links import FileLinks

if TYPE_CHECKING:
    from gateway.services.firmware_campaigns import CampaignScheduler
    from gateway.session.file_links import Images, Links, Uploads


class FirmwareDelivery:
    """The updates of one running gateway, and where stations load from and upload to."""

    def __init__(
        self,
        config: Config,
        database: Database,
        parts: FirmwareParts | None,
        security: SecurityLog,
        tally: Tally,
        tasks: Tasks,
        *,
        live: Live,
    ) -> None:
        """Put them together: nothing of it where neither ``firmware`` nor ``files`` is configured."""
        self._config = config
        self._tally = tally
        self._tasks = tasks
        files = config.files
        self._links = None if files is None else FileLinks(database, files.link_lifetime)
        self.links: Links | None = None
        """None: stations load nothing from here, and upload nothing to here."""
        if files is not None and self._links is not None:
            self.links = FileUrls(self._links, files.public_url)
        self.uploads: Uploads | None = None
        """Who takes the logs of stations; given before :meth:`open`."""
        self._images: Images | None = None if parts is None else parts.files
        self.updates: StationUpdates | None = None
        """None: no station is updated."""
        self.campaigns: CampaignScheduler | None = None
        """None: no campaign goes on."""
        self._endpoint: FilesEndpoint | None = None
        if parts is None or config.firmware is None:
            return
        is_original = config.firmware.serve == "original"
        if is_original or self.links is not None:
            links = None if is_original else self.links
            self.updates = StationUpdates(
                config, database, parts.catalogue, links, live=live, security=security, tasks=tasks
            )
            self.campaigns = campaign_scheduler(database, self.updates.updates, parts.manufacturers, live=live)

    def desk(self, station: Station, backend: str) -> StationFirmwareDesk | None:
        """Return where the firmware of a station is seen to, whose backend has this name; None: nowhere."""
        return None if self.updates is None else self.updates.desk(station, backend)

    async def open(self, stack: AsyncExitStack) -> Sequence[str]:
        """Open the endpoint, which ``stack`` closes, and return a line for each address. Raises StartFailed."""
        if self._config.files is None or self._links is None:
            return []
        self._endpoint = FilesEndpoint(
            self._config, self._config.files, self._links, self._images, self.uploads, self._tally
        )
        lines = await self._endpoint.start()
        stack.push_async_callback(self._endpoint.close)
        self._tasks.spawn(self._endpoint.run(), "file endpoint")
        if self.updates is not None:
            self.updates.publishing.is_loaded = self._endpoint.is_loaded
        return lines

    async def load(self) -> None:
        """Take up what an earlier run left. Raises StoreAway."""
        if self.updates is not None:
            await self.updates.load()

    def start(self) -> None:
        """Begin what goes on beside the stations."""
        if self.updates is not None:
            self.updates.start()
        if self.campaigns is not None:
            self._tasks.spawn(self.campaigns.run(), "firmware campaigns")

    def opened(self, station: Station) -> None:
        """A station has been accepted, or has come back as one that was."""
        if self.updates is not None:
            self.updates.opened(station)

    @property
    def connections(self) -> int | None:
        """Return how many connections the endpoint has; None where there is none."""
        return None if self._endpoint is None else self._endpoint.connections
