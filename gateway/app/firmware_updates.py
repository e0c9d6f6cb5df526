"""The updates of stations, put together: the catalogue, the links, the stations that are here."""

from gateway.app.clock import now
from gateway.app.firmware_publishing import Live, station_publishing
from gateway.app.tasks import Tasks
from gateway.config import Config
from gateway.services.firmware_catalogue import FirmwareCatalogue
from gateway.services.firmware_desk import Catalogue, StationFirmwareDesk
from gateway.services.firmware_published import PublishedFirst
from gateway.services.firmware_steps import Surroundings, UpdatedStation
from gateway.services.firmware_updates import FirmwareUpdates
from gateway.session.file_links import Links
from gateway.session.ports import StationRecord
from gateway.session.security import SecurityLog
from gateway.session.station import Station
from gateway.store.database import Database
from gateway.store.firmware_updates import FirmwareUpdateRecords
from gateway.store.stations import Stations

__all__ = ["Live", "StationUpdates"]


class StationUpdates:
    """The updates of one running gateway."""

    def __init__(
        self,
        config: Config,
        database: Database,
        catalogue: FirmwareCatalogue,
        links: Links | None,
        *,
        live: Live,
        security: SecurityLog,
        tasks: Tasks,
    ) -> None:
        """``links``: None where stations load from the place that an image comes from."""
        self._config = config
        self._catalogue: Catalogue = catalogue if links is None else PublishedFirst(catalogue, links)
        self._security = security
        self.publishing = station_publishing(database, catalogue, links, live=live, security=security, tasks=tasks)

        def runtime(identity: str) -> UpdatedStation | None:
            found = live(identity)
            return None if found is None else found[0]

        self.updates = FirmwareUpdates(
            Surroundings(
                book=FirmwareUpdateRecords(database),
                images=catalogue,
                links=links,
                stations=Stations(database),
                live=runtime,
                without_signature=self._is_plain,
                security=security,
                spawn=tasks.spawn,
                now=now,
            )
        )

    def desk(self, station: Station, backend: str) -> StationFirmwareDesk:
        """Return where the firmware of a station is seen to, whose backend has this name."""
        return StationFirmwareDesk(station, backend, self.updates, self._catalogue, self.publishing, self._security)

    async def load(self) -> None:
        """Take up what an earlier run left. Raises StoreAway."""
        await self.updates.progress.load()
        await self.publishing.load()

    def start(self) -> None:
        """Begin what goes on beside the stations."""
        self.updates.progress.start()
        self.publishing.start()

    def opened(self, station: Station) -> None:
        """A station has been accepted, or has come back as one that was."""
        self.updates.progress.opened(station.identity)
        self.publishing.proceed(station.identity)

    def _is_plain(self, record: StationRecord) -> bool:
        section = self._config.firmware
        return section is not None and any(
            each.matches(record.identity, record.group) for each in section.without_signature
        )
