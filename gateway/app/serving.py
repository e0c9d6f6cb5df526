"""`voltgate serve`: everything is built here, in order, and taken down in the opposite one."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import web

from gateway.admin.metrics import Levels, Metrics
from gateway.admin.server import application
from gateway.app.api_parts import api_parts
from gateway.app.authorities import open_authorities
from gateway.app.backends import addresses
from gateway.app.clock import now
from gateway.app.following import Following
from gateway.app.foundation import Foundation
from gateway.app.interpreter import QuietTimes
from gateway.app.limits import failure_limits, transport_limits
from gateway.app.listeners import StationListener, Surroundings, station_listeners
from gateway.app.onboarding import Onboarding
from gateway.app.policies import PoliciesInForce
from gateway.app.problems import StartFailed
from gateway.app.station_services import StationServices
from gateway.app.stations import StationFactory
from gateway.app.tasks import Tasks
from gateway.config import Config
from gateway.config.secrets import SecretError
from gateway.edge.connection_refusals import ConnectionRefusals
from gateway.edge.door import Door
from gateway.edge.failures import Failures
from gateway.edge.passwords import PasswordChecker
from gateway.services.policy_decisions import PolicyDecisions
from gateway.session.ports import StoreAway
from gateway.session.station import Station
from gateway.session.tally import Tally
from gateway.store.authorizations import Authorizations
from gateway.store.books import StoredBooks
from gateway.store.connectors import Connectors
from gateway.store.database import Database
from gateway.store.journal import Journal
from gateway.store.pages import Pages
from gateway.store.pending_stations import PendingStations
from gateway.store.quarantine import Quarantine
from gateway.store.stations import Stations
from gateway.store.unavailable import StoreUnavailable
from gateway.transport import HandshakePool, Limits
from gateway.upstream.authorizations import RememberedAuthorizations
from gateway.wire.schemas import operations
from gateway.wire.versions import Version

REGISTERS_SAVED_EVERY: Final = 10.0
"""Seconds between two writes of the running transactions' registers: what a ``kill -9`` costs an Ended without one."""
GOING_AWAY: Final = 1001
"""Close code towards stations when the gateway stops (RFC 6455 7.4.1)."""

log = structlog.get_logger(__name__)

Announce = Callable[[str], None]


@asynccontextmanager
async def serving(config: Config, announce: Announce) -> AsyncIterator[Callable[[], None]]:
    """Serve while the context is open. ``announce`` gets one line per listener, then ``ready``.

    What is yielded has the policies' files looked at now, not only at the next look.

    Raises :class:`StartFailed` with one clear line when something can't be had. Leaving it drains: no new connection,
    stations are told to go, what is in hand is finished within ``limits.drain_timeout`` seconds.
    """
    async with AsyncExitStack() as stack:
        gateway = await _build(config, stack)
        # Opened first, so that it closes last: while the gateway drains it says that it isn't ready.
        admin = await gateway.open_admin()
        gateway.resume()
        stack.push_async_callback(gateway.drain)
        for line in await gateway.open_files():
            announce(line)
        for listener in gateway.listeners:
            await gateway.open(listener, announce)
        for line in admin:
            announce(line)
        gateway.serves()
        announce("ready")
        yield gateway.look_at_policies


async def _build(config: Config, stack: AsyncExitStack) -> "_Gateway":
    tally = Tally()
    policies = PoliciesInForce(config, tally)
    for version in Version:
        operations(version)  # compiled now, not while the first station waits
    try:
        database = await Database.open(config.store.connect_url(), exclusive=True)
    except (StoreUnavailable, SecretError) as error:
        raise StartFailed(f"store.url: {error}") from None
    stack.push_async_callback(database.close)
    pool = HandshakePool()
    stack.callback(pool.close)
    passwords = PasswordChecker()
    stack.callback(passwords.close)
    authorizations = _authorizations(config, database)
    stack.push_async_callback(authorizations.flush)
    ground = _Ground(config, policies, database, Stations(database), authorizations, Tasks(), pool, passwords, tally)
    authorities = await open_authorities(config, stack)
    services = StationServices(
        config,
        authorities,
        database,
        ground.stations,
        ground.tally,
        ground.tasks,
        live=lambda name: gateway.factory.live(name),  # noqa: PLW0108 - the gateway is made after it
    )
    stack.push_async_callback(services.close)
    await services.prepare(stack)
    gateway = _Gateway(ground, services, stack)
    stack.push_async_callback(ground.tasks.close)
    stack.push_async_callback(gateway.factory.close)
    try:
        await services.load()
        await gateway.following.prepare()
    except StoreAway as error:
        raise StartFailed(f"store.url: {error}") from None
    return gateway


def _authorizations(config: Config, database: Database) -> RememberedAuthorizations:
    remembered = [name for name, backend in config.backends.items() if backend.authorize_offline == "cache"]
    return RememberedAuthorizations(Authorizations(database), remembered, clock=now)


@dataclass(frozen=True, slots=True)
class _Ground:
    """What everything else stands on."""

    config: Config
    policies: PoliciesInForce
    database: Database
    stations: Stations
    authorizations: RememberedAuthorizations
    tasks: Tasks
    pool: HandshakePool
    passwords: PasswordChecker
    tally: Tally


class _Gateway:
    """The parts of one running gateway."""

    def __init__(self, ground: _Ground, services: StationServices, stack: AsyncExitStack) -> None:
        self._ground = ground
        self._services = services
        self._config = ground.config
        self._tasks = ground.tasks
        self._stack = stack
        limits = transport_limits(ground.config)
        self.factory = _factory(ground, services, limits, self._joined)
        self._directory = self.factory.directory
        revocations = services.pki.revocations
        failures = Failures(failure_limits(ground.config))
        self.listeners = station_listeners(
            Surroundings(
                config=ground.config,
                door=_door(ground, services, self.factory, failures),
                failures=failures,
                refusals=ConnectionRefusals(ground.tally, failures, services.security),
                revocations=revocations,
                other_owner=services.pki.other_owner,
                limits=limits,
                pool=ground.pool,
            )
        )
        self.following = Following(
            stations=ground.stations,
            directory=self._directory,
            listeners=self.listeners,
            revocations=revocations,
            expel=self.factory.expel,
            follow=self.factory.follow,
            move_on=self.factory.move_on,
            refresh_every=ground.config.revocation.refresh,
        )
        services.pki.trust.chains = lambda: [chain for each in self.listeners for chain in each.chains]
        services.rotation.when_settled = self.following.expect_latecomers
        self.is_ready = False
        self._resuming: asyncio.Task[None] | None = None
        self._quiet_times = QuietTimes(
            lambda: self.factory.came,
            lambda: self.factory.left,
            lambda: len(self.factory.directory),
            refused=ground.tally.refused_entries.total,
        )

    def _joined(self, station: Station) -> None:
        """A station's WebSocket is open."""
        if self.following.has_news:
            self._tasks.spawn(self.following.look_at(station), f"look at {station.identity}")
        self._services.joined(station)

    async def open(self, listener: StationListener, announce: Announce) -> None:
        """Open one listener. Raises StartFailed when its port can't be had."""
        configured = listener.config
        try:
            await listener.transport.start()
        except OSError as error:
            raise StartFailed(f"listeners: cannot listen on {configured.bind}: {_strerror(error)}") from None
        scheme = "wss" if configured.tls is not None else "ws"
        profiles = ",".join(str(profile) for profile in sorted(configured.security_profiles))
        for host, port in listener.transport.addresses:
            announce(f"listening {scheme}://{_authority(host, port)}{configured.path} security_profiles={profiles}")

    async def open_files(self) -> Sequence[str]:
        """Open where stations load from and upload to, and return what to announce. Raises StartFailed."""
        return await self._services.delivery.open(self._stack)

    def look_at_policies(self) -> None:
        """Take over what has changed in the policies' files, now."""
        self._tasks.spawn(self._ground.policies.look(at_once=True), "policies now")

    def serves(self) -> None:
        """All is open: say which policies are in force, and follow their files."""
        self.is_ready = True
        self._tasks.spawn(self._ground.policies.follow(), "policies")

    def resume(self) -> None:
        """Begin to deliver what an earlier run left."""
        self._resuming = self._tasks.spawn(self.factory.resume(), "journals")

    async def drain(self) -> None:
        """Close all listeners at once, and let the CALLs in hand reach the backend or the journal."""
        self.is_ready = False
        if self._resuming is not None:
            self._resuming.cancel()
            await asyncio.wait([self._resuming])
        grace = self._config.limits.drain_timeout
        deadline = asyncio.get_running_loop().time() + grace
        await asyncio.gather(
            *(each.transport.close(GOING_AWAY, "the gateway stops", grace=grace) for each in self.listeners)
        )
        peers = [station.peer for station in self._directory if station.peer is not None]
        if peers:
            waiting = [asyncio.create_task(peer.finished(), name="drain") for peer in peers]
            left = max(0.0, deadline - asyncio.get_running_loop().time())
            _, pending = await asyncio.wait(waiting, timeout=left)
            for task in pending:
                task.cancel()
            if pending:
                await asyncio.wait(pending)

    # --- admin

    async def open_admin(self) -> list[str]:
        """Open the admin port, begin to follow the registry, and return what to announce. Raises StartFailed."""
        ground = self._ground
        app = application(
            token=self._admin_token(),
            parts=api_parts(self._config, ground.database, self._services, self.factory, ground.policies, ground.tally),
            metrics=Metrics(self._ground.tally, self._levels),
            readiness=self._readiness,
        )
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        bind = self._config.admin.bind
        try:
            await web.TCPSite(runner, bind.host, bind.port).start()
        except OSError as error:
            raise StartFailed(f"admin.bind: cannot listen on {bind}: {_strerror(error)}") from None
        self._tasks.spawn(self.following.follow_registry(), "registry")
        self._tasks.spawn(self.following.follow_crls(), "CRLs")
        self._tasks.spawn(self.following.follow_certificates(), "certificates")
        self._tasks.spawn(self._save_registers(), "registers")
        self._tasks.spawn(self.factory.released.run(), "released messages")
        self._tasks.spawn(self._ground.authorizations.run(), "authorizations")
        self._tasks.spawn(self._quiet_times.run(), "quiet times")
        self._services.start()
        return [f"listening http://{_authority(host, port)} admin" for host, port, *_ in runner.addresses]

    def _admin_token(self) -> str | None:
        token = self._config.admin.token
        if token is None:
            return None
        try:
            return token.resolve()
        except SecretError as error:
            raise StartFailed(f"admin.token: {error}") from None

    async def _readiness(self) -> Mapping[str, bool]:
        are_valid = self._services.pki.own.are_valid
        certificates = {} if are_valid is None else {"server_certificates": are_valid}
        try:
            await self._ground.database.ping()
        except StoreUnavailable:
            return {"store": False, "listeners": self.is_ready, **certificates}
        return {"store": True, "listeners": self.is_ready, **certificates}

    def _levels(self) -> Levels:
        services = self._services
        campaigns = services.delivery.campaigns
        return Levels(
            stations_connected=sum(station.is_connected for station in self._directory),
            backends_up=self.factory.links_up,
            journal_entries=self.factory.journal_entries,
            quarantined={state.value: count for state, count in self.factory.released.counts.items()},
            certificates=services.pki.upkeep.census,
            trust=services.pki.trust.levels,
            stations_provisional=sum(
                station.is_connected and station.provisional is not None for station in self._directory
            ),
            expiring=services.pki.expiring(),
            policies=self._ground.policies,
            firmware={} if services.firmware is None else services.firmware.counts,
            file_connections=services.delivery.connections,
            campaigns={} if campaigns is None else campaigns.campaigns,
            campaign_stations={} if campaigns is None else campaigns.stations,
        )

    async def _save_registers(self) -> None:
        while True:
            await asyncio.sleep(REGISTERS_SAVED_EVERY)
            await self.factory.save_registers()


def _factory(
    ground: _Ground, services: StationServices, limits: Limits, joined: Callable[[Station], None]
) -> StationFactory:
    decisions = PolicyDecisions(ground.tally, services.security)
    limit = ground.config.limits.journal_limit
    return StationFactory(
        Foundation(
            config=ground.config,
            stations=ground.stations,
            journal=Journal(ground.database, limit, quarantine_limit=limit),
            quarantine=Quarantine(ground.database, limit),
            connectors=Connectors(ground.database),
            pages=Pages(ground.database),
            books=StoredBooks(ground.database),
            authorizations=ground.authorizations,
            addresses=addresses(ground.config),
            guards=lambda station, backend: ground.policies.guard(station, backend, decisions),
            tally=ground.tally,
            limits=limits,
            pool=ground.pool,
            services=services.by_action,
            tasks=ground.tasks,
            security=services.security,
            joined=joined,
            when_provisional=services.pki.renew_provisional,
            opened=services.delivery.opened,
            firmware=services.delivery.desk,
            logs=services.log_desk,
        )
    )


def _door(ground: _Ground, services: StationServices, factory: StationFactory, failures: Failures) -> Door:
    records = ground.config.onboarding == "record"
    return Door(
        registry=ground.stations,
        directory=factory.directory,
        passwords=ground.passwords,
        make_sink=factory.sink,
        tally=ground.tally,
        security=services.security,
        failures=failures,
        may_speak=factory.may_speak,
        pending=Onboarding(PendingStations(ground.database), ground.tasks) if records else None,
        remembered=factory.takings.remembered,
    )


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _strerror(error: OSError) -> str:
    """The operating system's words, without the address that asyncio puts before them."""
    if isinstance(error, socket.gaierror):  # its numbers are the resolver's own, unknown to strerror
        return error.strerror or str(error)
    return os.strerror(error.errno) if error.errno else str(error)
