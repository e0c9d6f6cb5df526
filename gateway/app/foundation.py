"""What every station's runtime stands on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.app.settling import QUIET
from gateway.app.tasks import Tasks
from gateway.bridge.ports import FirmwareDesk, LogDesk
from gateway.config import Config
from gateway.session.security import SecurityLog
from gateway.session.station import Service, Station
from gateway.session.tally import Tally
from gateway.store.books import StoredBooks
from gateway.store.connectors import Connectors
from gateway.store.journal import Journal
from gateway.store.pages import Pages
from gateway.store.quarantine import Quarantine
from gateway.store.stations import Stations
from gateway.transport import HandshakePool, Limits
from gateway.upstream.authorizations import RememberedAuthorizations
from gateway.upstream.dialing import BackendAddress
from gateway.wire.versions import Version
from policies.engine import Guard


@dataclass(frozen=True, slots=True)
class Foundation:
    """The parts that all stations share."""

    config: Config
    stations: Stations
    journal: Journal
    quarantine: Quarantine
    connectors: Connectors
    pages: Pages
    books: StoredBooks
    authorizations: RememberedAuthorizations
    addresses: Mapping[str, BackendAddress]
    guards: Callable[[Station, str], Guard]
    """Makes the policy as it meets one station, which has the backend of this name."""
    tally: Tally
    limits: Limits
    pool: HandshakePool
    services: Mapping[tuple[Version, str], Service]
    tasks: Tasks
    security: SecurityLog
    joined: Callable[[Station], None]
    """Called when a station's WebSocket is open."""
    when_provisional: Callable[[Station], None]
    """Called when a station has been answered Pending because its certificate must be renewed."""
    opened: Callable[[Station], None] = lambda _: None
    """Called when a station has been accepted, and when it comes back as one that was."""
    firmware: Callable[[Station, str], FirmwareDesk | None] = lambda _, __: None
    """Returns where the firmware of a station is seen to, which has the backend of this name; None: no update
    reaches it."""
    logs: Callable[[Station], LogDesk | None] = lambda _: None
    """Returns where its logs are received; None: they go to where its backend wants them."""
    quiet: float = QUIET
    """Seconds after which a station that was accepted is asked what isn't known of it."""
