"""`voltgate serve`: everything is built here, in order, and taken down in the opposite one."""

import asyncio
import functools
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from typing import Final

import structlog
from aiohttp import web

from gateway.admin.api import RenewalRefused, StationApi
from gateway.admin.metrics import Levels, Metrics
from gateway.admin.server import application
from gateway.app.backends import addresses
from gateway.app.inventory import Inventory
from gateway.app.problems import StartFailed
from gateway.app.records import registration
from gateway.app.secret_files import readable_path
from gateway.app.stations import Foundation, StationFactory, now
from gateway.app.tasks import Tasks
from gateway.config import Config, Listener
from gateway.config.secrets import SecretError
from gateway.edge.door import Door, EntryRules
from gateway.edge.passwords import PasswordChecker
from gateway.edge.tls import TlsRejected, server_context
from gateway.services.certificates import StationCertificates, TriggerRefused
from gateway.session.station import Station
from gateway.session.tally import Tally
from gateway.store.certificates import Certificates
from gateway.store.connectors import Connectors
from gateway.store.database import Database
from gateway.store.journal import Journal
from gateway.store.stations import Stations
from gateway.store.unavailable import StoreUnavailable
from gateway.transport import HandshakePool, Limits, Refused
from gateway.transport import Listener as TransportListener
from gateway.wire.schemas import operations
from gateway.wire.versions import Version
from pki.authority import AuthorityError
from pki.authority.local import LocalAuthority
from pki.paths import StationChainVerifier
from policies.engine import Policy, PolicyError
from policies.engine import load as load_policy

REGISTRY_POLL: Final = 0.5
"""Seconds between two looks for changes that another process made to the registry."""
REGISTERS_SAVED_EVERY: Final = 10.0
"""Seconds between two writes of the running transactions' registers: what a ``kill -9`` costs an Ended without one."""
GOING_AWAY: Final = 1001
"""Close code towards stations when the gateway stops (RFC 6455 7.4.1)."""
NOT_ADMITTED_ANY_MORE: Final = 1008
"""Close code towards a station that was removed, or must use a higher security profile by now."""

log = structlog.get_logger(__name__)

Announce = Callable[[str], None]


@asynccontextmanager
async def serving(config: Config, announce: Announce) -> AsyncIterator[None]:
    """Serve while the context is open. ``announce`` gets one line per listener, then ``ready``.

    Raises :class:`StartFailed` with one clear line when something can't be had. Leaving it drains: no new connection,
    stations are told to go, what is in hand is finished within ``limits.drain_timeout`` seconds.
    """
    async with AsyncExitStack() as stack:
        gateway = await _build(config, stack)
        # Opened first, so that it closes last: while the gateway drains it says that it isn't ready.
        admin = await gateway.open_admin()
        await gateway.factory.resume()
        stack.push_async_callback(gateway.drain)
        for listener in gateway.listeners:
            await gateway.open(listener, announce)
        for line in admin:
            announce(line)
        gateway.is_ready = True
        announce("ready")
        yield


async def _build(config: Config, stack: AsyncExitStack) -> "_Gateway":
    policy = _policy(config)
    for version in Version:
        operations(version)  # compiled now, not while the first station waits
    try:
        database = await Database.open(config.store.connect_url(), exclusive=True)
    except (StoreUnavailable, SecretError) as error:
        raise StartFailed(f"store.url: {error}") from None
    stack.push_async_callback(database.close)
    tasks = Tasks()
    pool = HandshakePool()
    stack.callback(pool.close)
    passwords = PasswordChecker()
    stack.callback(passwords.close)
    gateway = _Gateway(config, stack, database, policy, tasks, pool, passwords)
    stack.push_async_callback(tasks.close)
    stack.push_async_callback(gateway.factory.close)
    return gateway


def _policy(config: Config) -> Policy:
    try:
        return load_policy(config.policy)
    except PolicyError as error:
        raise StartFailed(f"policy: {error}") from None


class _Gateway:
    """The parts of one running gateway."""

    def __init__(
        self,
        config: Config,
        stack: AsyncExitStack,
        database: Database,
        policy: Policy,
        tasks: Tasks,
        pool: HandshakePool,
        passwords: PasswordChecker,
    ) -> None:
        self._config = config
        self._stack = stack
        self._database = database
        self._tasks = tasks
        self._pool = pool
        self._tally = Tally()
        self._limits = Limits(
            handshake_timeout=config.limits.handshake_timeout,
            head_timeout=config.limits.handshake_timeout,
            max_message=config.limits.max_message,
            max_connections=config.limits.max_connections,
        )
        self._certificates = self._station_certificates()
        self._stations = Stations(database)
        self.factory = StationFactory(
            Foundation(
                config=config,
                stations=self._stations,
                journal=Journal(database, config.limits.journal_limit),
                connectors=Connectors(database),
                addresses=addresses(config),
                policy=policy,
                tally=self._tally,
                limits=self._limits,
                pool=pool,
                services={"SignCertificate": self._certificates.sign_certificate},
                tasks=tasks,
            )
        )
        self._directory = self.factory.directory
        self._door = Door(
            registry=self._stations,
            directory=self._directory,
            passwords=passwords,
            make_sink=self.factory.sink,
            tally=self._tally,
        )
        self.listeners = [self._listener(index, each) for index, each in enumerate(config.listeners)]
        self.is_ready = False

    def _station_certificates(self) -> StationCertificates:
        directory = self._config.authority.station.local.dir
        try:
            authority = LocalAuthority.open(directory, organization=self._config.operator)
        except AuthorityError as error:
            raise StartFailed(f"authority.station.local.dir: {error}") from None
        return StationCertificates(
            authority, Inventory(Certificates(self._database)), operator=self._config.operator, spawn=self._tasks.spawn
        )

    # --- listeners

    def _listener(self, index: int, listener: Listener) -> tuple[Listener, TransportListener]:
        tls = self._server_context(index, listener) if listener.tls is not None else None
        rules = EntryRules(
            name=str(listener.bind),
            path=listener.path,
            profiles=frozenset(listener.security_profiles),
            networks=listener.trusted_networks,
            unknown_status=self._config.unknown_station,
            verify_chain=self._chain_verifier(index, listener),
        )
        transport = TransportListener(
            host=listener.bind.host,
            port=listener.bind.port,
            admit=functools.partial(self._door.admit, rules),
            limits=self._limits,
            tls=(lambda: tls) if tls is not None else None,
            pool=self._pool,
            observe=self._refused,
        )
        return listener, transport

    def _server_context(self, index: int, listener: Listener) -> ssl.SSLContext:
        tls = listener.tls
        if tls is None:
            raise StartFailed(f"listeners[{index}].tls is missing")
        try:
            with ExitStack() as keys:
                certificates = [(each.chain, keys.enter_context(readable_path(each.key))) for each in tls.certificates]
                return server_context(certificates, tls.station_roots)
        except (TlsRejected, SecretError) as error:
            raise StartFailed(f"listeners[{index}].tls: {error}") from None

    def _chain_verifier(self, index: int, listener: Listener) -> StationChainVerifier | None:
        if listener.tls is None or listener.tls.station_roots is None:
            return None
        try:
            roots = listener.tls.station_roots.read_bytes()
            return StationChainVerifier(roots, organization=self._config.operator, clock=now)
        except (OSError, ValueError) as error:
            raise StartFailed(f"listeners[{index}].tls.station_roots: {error}") from None

    def _refused(self, refused: Refused) -> None:
        """A connection that ended before the door was asked. One without a single byte is a load balancer's probe."""
        if refused.code == "EMPTY":
            log.debug("connection_probed", remote=refused.remote[0])
            return
        reason = f"{refused.stage.value}_{refused.code or 'failed'}".lower()
        self._tally.refused_entries[reason] += 1
        log.warning("connection_refused", remote=refused.remote[0], reason=reason, detail=refused.reason)

    async def open(self, pair: tuple[Listener, TransportListener], announce: Announce) -> None:
        """Open one listener. Raises StartFailed when its port can't be had."""
        listener, transport = pair
        try:
            await transport.start()
        except OSError as error:
            raise StartFailed(f"listeners: cannot listen on {listener.bind}: {_strerror(error)}") from None
        scheme = "wss" if listener.tls is not None else "ws"
        profiles = ",".join(str(profile) for profile in sorted(listener.security_profiles))
        for host, port in transport.addresses:
            announce(f"listening {scheme}://{_authority(host, port)}{listener.path} security_profiles={profiles}")

    async def drain(self) -> None:
        """Close all listeners at once, and let the CALLs in hand reach the backend or the journal."""
        self.is_ready = False
        grace = self._config.limits.drain_timeout
        deadline = asyncio.get_running_loop().time() + grace
        await asyncio.gather(
            *(transport.close(GOING_AWAY, "the gateway stops", grace=grace) for _, transport in self.listeners)
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
        app = application(
            token=self._admin_token(),
            api=StationApi(
                registration=registration(self._stations, self._config),
                live=self._directory.get,
                renew=self._renew,
            ),
            metrics=Metrics(self._tally, self._levels),
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
        self._tasks.spawn(self._follow_registry(), "registry")
        self._tasks.spawn(self._save_registers(), "registers")
        return [f"listening http://{_authority(host, port)} admin" for host, port, *_ in runner.addresses]

    def _admin_token(self) -> str | None:
        token = self._config.admin.token
        if token is None:
            return None
        try:
            return token.resolve()
        except SecretError as error:
            raise StartFailed(f"admin.token: {error}") from None

    async def _renew(self, station: Station) -> None:
        try:
            await self._certificates.renew(station)
        except TriggerRefused as refusal:
            raise RenewalRefused(str(refusal)) from None

    async def _readiness(self) -> Mapping[str, bool]:
        try:
            await self._database.ping()
        except StoreUnavailable:
            return {"store": False, "listeners": self.is_ready}
        return {"store": True, "listeners": self.is_ready}

    def _levels(self) -> Levels:
        return Levels(
            stations_connected=sum(station.is_connected for station in self._directory),
            backends_up=self.factory.links_up,
            journal_entries=self.factory.journal_entries,
        )

    # --- the registry, as other processes change it

    async def _follow_registry(self) -> None:
        seen = await self._stations.revision()
        while True:
            await asyncio.sleep(REGISTRY_POLL)
            try:
                revision = await self._stations.revision()
                if revision != seen:
                    await self._recheck(list(self._directory))
                    seen = revision
            except StoreUnavailable as error:
                log.error("store_unavailable", reason=str(error))  # noqa: TRY400 - the text says it all

    async def _save_registers(self) -> None:
        while True:
            await asyncio.sleep(REGISTERS_SAVED_EVERY)
            await self.factory.save_registers()

    async def _recheck(self, stations: Sequence[Station]) -> None:
        """Cut the sessions of stations that may not have theirs any more."""
        for station in stations:
            record = await self._stations.find(station.identity)
            if record is None:
                log.warning("session_cut", identity=station.identity, reason="removed")
                station.disconnect(NOT_ADMITTED_ANY_MORE, "not registered any more")
                await self.factory.expel(station)
            elif station.is_connected and station.profile < record.minimum_profile:
                log.warning("session_cut", identity=station.identity, reason="security profile")
                station.disconnect(NOT_ADMITTED_ANY_MORE, "a higher security profile is required")


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _strerror(error: OSError) -> str:
    """The operating system's words, without the address that asyncio puts before them."""
    if isinstance(error, socket.gaierror):  # its numbers are the resolver's own, unknown to strerror
        return error.strerror or str(error)
    return os.strerror(error.errno) if error.errno else str(error)
