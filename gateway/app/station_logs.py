"""The logs of stations, put together: who asks for them, where they come, lie and go."""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import Final

from gateway.app.clock import now
from gateway.app.problems import StartFailed
from gateway.app.tasks import Tasks
from gateway.bridge.ports import LogDesk
from gateway.config import Config
from gateway.config.firmware import Logs
from gateway.services.log_hand_over import LogHandOver
from gateway.services.log_upkeep import LogUpkeep
from gateway.services.log_uploads import LogUploads
from gateway.services.looking import look_once
from gateway.services.station_logs import StationLogs
from gateway.session.file_links import Links, Uploads
from gateway.session.firmware import LogRecord
from gateway.session.security import SecurityLog
from gateway.session.station import Service, Station
from gateway.store import station_logs as store
from gateway.store.database import Database
from gateway.store.log_files import LogFiles
from gateway.wire.versions import Version
from pki.destinations import UPLOAD_PORTS, AllowList, Destination
from pki.uploading.sending import Uploading

Live = Callable[[str], tuple[Station, str] | None]
"""Returns the runtime of a station and the name of the backend that it has, or None."""


class LogParts:
    """What the section ``logs`` makes of a gateway."""

    def __init__(
        self,
        config: Logs,
        database: Database,
        links: Links,
        security: SecurityLog,
        tasks: Tasks,
        *,
        live: Live,
    ) -> None:
        """Put them together. Raises StartFailed."""
        self._config = config
        self._tasks = tasks
        self.book: Final = store.StationLogs(database)
        self.files: Final = LogFiles(config.directory, max_size=config.max_size)
        self._uploading = _uploading(config)
        self._uploads = LogUploads(
            self.book,
            self.files,
            total_size=config.total_size,
            hands_over=config.hand_over,
            received=self._received,
        )
        self.service: Final = StationLogs(
            self.book, links, live=_runtime(live), spawn=tasks.spawn, is_coming=self._uploads.is_coming
        )
        self._hand_over = LogHandOver(
            self.book, self.files, self._uploading, security, over=self.service.over, spawn=tasks.spawn
        )
        self.upkeep: Final = LogUpkeep(
            self.book,
            self.files,
            keep=config.keep,
            total_size=config.total_size,
            over=self.service.over,
            is_coming=self._uploads.is_coming,
            now=now,
        )

    @property
    def uploads(self) -> Uploads:
        """Takes what stations upload."""
        return self._uploads

    @property
    def by_action(self) -> Mapping[tuple[Version, str], Service]:
        """What stations say of their logs."""
        return {
            (Version.V16, "DiagnosticsStatusNotification"): self.service.diagnostics_status,
            **{(version, "LogStatusNotification"): self.service.log_status for version in Version},
        }

    @property
    def for_operators(self) -> "LogsForOperators":
        """What the API reads and changes."""
        return LogsForOperators(self)

    def desk(self, station: Station) -> LogDesk:
        """Return where one station's logs are received."""
        return self.service.desk(station)

    def joined(self, station: Station) -> None:
        """A station's WebSocket is open."""
        self.service.joined(station)

    async def prepare(self, stack: AsyncExitStack) -> None:
        """Have the folder; ``stack`` closes what is open. Raises StartFailed."""
        stack.push_async_callback(self._uploading.close)
        try:
            await self.files.prepare()
        except OSError as error:
            raise StartFailed(f"logs.directory: {self._config.directory}: {error.strerror}") from None

    async def load(self) -> None:
        """Take up what an earlier run left. Raises StoreAway."""
        await self._hand_over.load()

    def start(self) -> None:
        """Begin what goes on beside the stations."""
        self._tasks.spawn(self.upkeep.run(), "logs")

    def _received(self, record: LogRecord) -> None:
        self._hand_over.begin(record)
        self._tasks.spawn(self._make_room(), "room for logs")

    async def _make_room(self) -> None:
        await look_once(self.upkeep.make_room, "no_room_made_for_logs")


async def open_logs(
    config: Config,
    database: Database,
    links: Links | None,
    security: SecurityLog,
    tasks: Tasks,
    stack: AsyncExitStack,
    *,
    live: Live,
) -> LogParts | None:
    """Return it where the configuration has ``logs``, and ``files``, whose ``links`` are; ``stack`` closes it.

    Raises StartFailed.
    """
    if config.logs is None or links is None:
        return None
    parts = LogParts(config.logs, database, links, security, tasks, live=live)
    await parts.prepare(stack)
    return parts


class LogsForOperators:
    """Fulfils :class:`gateway.admin.logs.StationLogs`."""

    def __init__(self, parts: LogParts) -> None:
        self.list: Final = parts.book.list
        self.find: Final = parts.book.find
        self.delete: Final = parts.upkeep.delete
        self.request: Final = parts.service.request
        self.path: Final = parts.files.path


def _uploading(config: Logs) -> Uploading:
    places = [Destination.parse(place, UPLOAD_PORTS) for place in config.destinations]
    try:
        return Uploading(AllowList(places, config.trusted_networks), roots=config.roots)
    except (OSError, ValueError) as error:
        raise StartFailed(f"logs.roots: {config.roots}: {error}") from None


def _runtime(live: Live) -> Callable[[str], Station | None]:
    def runtime(identity: str) -> Station | None:
        found = live(identity)
        return None if found is None else found[0]

    return runtime
