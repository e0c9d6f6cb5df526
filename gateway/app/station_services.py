"""What the gateway does for its stations itself, put together: PKI, passwords, upgrades, the security log."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Final

import structlog

from gateway.app.authorities import Authorities
from gateway.app.clock import now
from gateway.app.firmware import FirmwareParts, open_firmware
from gateway.app.firmware_delivery import FirmwareDelivery
from gateway.app.firmware_updates import Live
from gateway.app.pki_services import PkiServices
from gateway.app.problems import StartFailed
from gateway.app.records import password_rules
from gateway.app.station_logs import LogParts, open_logs
from gateway.app.tasks import Tasks
from gateway.bridge.books import Json
from gateway.bridge.ports import LogDesk
from gateway.config import Config
from gateway.services.credentials import CredentialRotation
from gateway.services.security_events import SecurityEventLog
from gateway.services.station_publications import ACTION as PUBLISH_FIRMWARE_STATUS
from gateway.services.station_publications import StationPublications
from gateway.services.upgrade_steps import UpgradeOffer, UpgradeSteps
from gateway.services.upgrades import ProfileUpgrades
from gateway.session.ports import StoreAway
from gateway.session.station import Service, Station
from gateway.session.tally import Tally
from gateway.store.database import Database
from gateway.store.firmware_publications import FirmwarePublications
from gateway.store.security_events import SecurityEvents
from gateway.store.stations import Stations
from gateway.store.upgrades import Upgrades
from gateway.wire.versions import Version

FLUSH_WITHIN: Final = 5.0
"""Seconds in which the last security events must be written when the gateway stops."""
WELCOMED_AGAIN: Final = 15.0
"""Seconds until a station is welcomed anew for whom the store was away."""

log = structlog.get_logger(__name__)


class StationServices:
    """The services of one running gateway, and what begins when a station comes in."""

    def __init__(
        self,
        config: Config,
        authorities: Authorities,
        database: Database,
        stations: Stations,
        tally: Tally,
        tasks: Tasks,
        *,
        live: Live,
    ) -> None:
        """Put them together. Raises StartFailed."""
        self._config = config
        self._database = database
        self._tally = tally
        self._tasks = tasks
        self._live = live
        self.events = SecurityEvents(database)
        self.security = SecurityEventLog(self.events, tally, keep=config.limits.security_events)
        self.pki = PkiServices(config, authorities, database, self.security, tally, tasks)
        self.rotation = CredentialRotation(stations, password_rules(), self.security)
        self.upgrades = ProfileUpgrades(
            Upgrades(database),
            UpgradeSteps(
                operator=config.operator,
                offer=offers(config).get,
                renewal=self.pki.certificates,
                installed=self.pki.inventory,
                now=now,
            ),
            self.security,
            is_connected=lambda identity: _is_connected(live(identity)),
            spawn=tasks.spawn,
        )
        self.publications = StationPublications(FirmwarePublications(database))
        self.pki.trust.is_upgrading = self.upgrades.is_under_way
        self.firmware: FirmwareParts | None = None
        """None: the configuration has no ``firmware``."""
        self.logs: LogParts | None = None
        """None: the configuration has no ``logs``."""
        self.delivery: FirmwareDelivery
        """There once all is prepared."""

    @property
    def by_action(self) -> Mapping[tuple[Version, str], Service]:
        """The actions of a station that the gateway answers itself."""
        return {
            **self.pki.by_action,
            **({} if self.logs is None else self.logs.by_action),
            (Version.V201, PUBLISH_FIRMWARE_STATUS): self.publications.notified,
            **{(version, "SecurityEventNotification"): self._security_event for version in Version},
        }

    async def _security_event(self, station: Station, payload: Json) -> Json:
        """Keep what a station reports, then let its backend hear it, if that one knows such messages.

        The answer is ours alone: a backend that is away misses an event that is in our log.
        """
        answer = await self.security.notification(station, payload)
        await station.bridge.from_station("SecurityEventNotification", payload)
        return answer

    async def prepare(self, stack: AsyncExitStack) -> None:
        """Have what must be there before a station comes; ``stack`` closes it. Raises StartFailed."""
        await self.pki.prepare(stack)
        self.firmware = await open_firmware(self._config, self._database, self.security, self._tasks, stack)
        self.delivery = FirmwareDelivery(
            self._config, self._database, self.firmware, self.security, self._tally, self._tasks, live=self._live
        )
        self.logs = await open_logs(
            self._config, self._database, self.delivery.links, self.security, self._tasks, stack, live=self._live
        )
        self.delivery.uploads = None if self.logs is None else self.logs.uploads

    async def load(self) -> None:
        """Take up what an earlier run left. Raises StoreAway."""
        await self.upgrades.load()
        await self.delivery.load()
        if self.logs is not None:
            await self.logs.load()
        await self.pki.load()

    def start(self) -> None:
        """Begin what goes on beside the stations."""
        self._tasks.spawn(self.security.run(), "security events")
        self._tasks.spawn(self.upgrades.run(), "upgrades")
        self.pki.start()
        if self.firmware is not None:
            self.firmware.start(self._tasks)
        self.delivery.start()
        if self.logs is not None:
            self.logs.start()

    async def close(self) -> None:
        """End what is asked of others, and write down the last security events."""
        await self.pki.close()
        try:
            await asyncio.wait_for(self.security.flush(), FLUSH_WITHIN)
        except TimeoutError:
            log.error("security_events_not_flushed", count=self.security.waiting)  # noqa: TRY400 - the text says it all

    def joined(self, station: Station) -> None:
        """A station's WebSocket is open."""
        self.pki.joined(station)
        if self.logs is not None:
            self.logs.joined(station)
        self._tasks.spawn(self._welcome(station), f"welcome {station.identity}")

    def log_desk(self, station: Station) -> LogDesk | None:
        """Return where the logs of a station are received; None: they go to where its backend wants them."""
        return None if self.logs is None else self.logs.desk(station)

    async def _welcome(self, station: Station) -> None:
        """Go on with what was begun for this station, and note which certificate it uses."""
        if station.provisional is not None:
            self.pki.renew_provisional(station)
        proof = station.proof
        while station.is_connected and station.proof is proof:
            try:
                if station.provisional is None:
                    await self.upgrades.came_back(station.identity, station.profile)
                await self.pki.welcome(station)  # first: an upgrade waits for a certificate that is on its way
                await self.upgrades.resume(station)
            except StoreAway as away:
                # A certificate that isn't noted as used again would be revoked as superseded, under its session.
                log.error("welcome_incomplete", identity=station.identity, reason=str(away), again_in=WELCOMED_AGAIN)  # noqa: TRY400 - it says it all
                await asyncio.sleep(WELCOMED_AGAIN)
            else:
                return


def _is_connected(found: tuple[Station, str] | None) -> bool:
    return found is not None and found[0].is_connected


def offers(config: Config) -> Mapping[int, UpgradeOffer]:
    """Return where stations of each security profile connect to: the first TLS listener with public_url that serves it.

    Raises StartFailed for roots that can't be read.
    """
    found: dict[int, UpgradeOffer] = {}
    for index, listener in enumerate(config.listeners):
        if listener.public_url is None or listener.tls is None:
            continue
        roots = listener.tls.csms_roots
        try:
            pem = roots.read_text("ascii") if roots is not None else None
        except (OSError, ValueError) as error:
            raise StartFailed(f"listeners[{index}].tls.csms_roots: {roots}: {error}") from None
        for profile in listener.security_profiles:
            found.setdefault(profile, UpgradeOffer(listener.public_url, pem))
    return found
