"""The local controller that the gateway is (OCPP 2.0.1 L03), put together: catalogue, links, the legs of stations."""

from collections.abc import Callable

from gateway.app.tasks import Tasks
from gateway.services.firmware_catalogue import FirmwareCatalogue
from gateway.services.firmware_publishing import FirmwarePublishing, PublishingStation, Surroundings
from gateway.session.file_links import Links
from gateway.session.security import SecurityLog
from gateway.session.station import Station
from gateway.store.database import Database
from gateway.store.firmware_publications import FirmwarePublications

Live = Callable[[str], tuple[Station, str] | None]
"""Returns the runtime of a station and the name of the backend that it has, or None."""


def station_publishing(
    database: Database,
    catalogue: FirmwareCatalogue,
    links: Links | None,
    *,
    live: Live,
    security: SecurityLog,
    tasks: Tasks,
) -> FirmwarePublishing:
    """Return it; ``links``: None where there is no file endpoint, and nothing can be published."""

    def runtime(identity: str) -> PublishingStation | None:
        found = live(identity)
        return None if found is None else found[0]

    return FirmwarePublishing(
        Surroundings(
            book=FirmwarePublications(database),
            images=catalogue,
            links=links,
            live=runtime,
            security=security,
            spawn=tasks.spawn,
        )
    )
