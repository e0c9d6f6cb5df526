"""Builds the runtime of a station: its books, its leg to the backend, the bridge between, and takes it apart again."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import structlog

from gateway.app.bridges import bridge_for
from gateway.app.clock import now
from gateway.app.foundation import Foundation
from gateway.app.ledgers import ledger_for
from gateway.app.legs import Legs, legs_for
from gateway.app.message_ids import MessageIds
from gateway.app.released_messages import ReleasedMessages
from gateway.app.routing import Belonging, Routing
from gateway.app.settling import SettlingIn
from gateway.app.takings import Takings
from gateway.bridge.books import Books, Page
from gateway.bridge.pairs import SERVED_BY
from gateway.bridge.v201_v16 import Settings
from gateway.config import Backend
from gateway.session.boot_notification import BootRules
from gateway.session.directory import Directory, Entry
from gateway.session.follow_ups import FollowUps
from gateway.session.peer import Peer
from gateway.session.ports import Provisional, StationRecord, StoreAway
from gateway.session.security import SecurityEvent
from gateway.session.stages import STATION_16, STATION_201
from gateway.session.station import Station
from gateway.session.station_quarantine import StationQuarantine
from gateway.session.station_quarantine import Surroundings as QuarantineGround
from gateway.upstream.journal import JournaledLedger
from gateway.wire.versions import Version

MOVES = 1001
"""Close code towards a station that has another backend when it comes back."""
MOVED_AT_ONCE = 50
"""Stations that are cut for it in one go: thousands would all come back at the same moment."""
BACKEND_WAIT = 5.0
"""Seconds that a BootNotification waits for the backend's leg: well below a station's own message timeout."""

RESUME_RETRY = 5.0
"""Seconds between two attempts to read the journals of an earlier run from a store that is away."""
Result = TypeVar("Result")

_SIDES = {Version.V16: STATION_16, Version.V201: STATION_201}
"""The station's side, by the OCPP version that it speaks."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Runtime:
    station: Station
    legs: Legs
    ledger: JournaledLedger
    books: Books
    backend: str
    """To which the books belong."""
    taking_apart: asyncio.Lock = field(default_factory=asyncio.Lock)
    is_apart: bool = False

    @property
    def may_move(self) -> bool:
        """True when its backend has heard all that it must hear of this station.

        A CALL in hand may be a StartTransaction that the backend has and has not answered.
        """
        return not self.ledger.depth and not self.station.is_handling and not self.books.has_running


@dataclass(slots=True)
class _Ties:
    """What the parts of one station call. Methods, since as many partials would take four times as much."""

    on: Foundation
    directory: Directory
    settling: SettlingIn
    station: Station
    runtimes: Mapping[str, _Runtime]

    def opened(self) -> None:
        self.settling.begin(self.station)
        self.on.opened(self.station)

    def provisional(self) -> None:
        self.on.when_provisional(self.station)

    async def came_up(self) -> None:
        """Tell the backend what it missed: first the boot, then the money, then how the connectors stand."""
        await self.station.report_boot()
        await self.runtimes[self.station.identity].ledger.drain()
        await self.station.bridge.backend_connected()

    def emptied(self) -> None:
        """The journal is empty: a station that has left needs its runtime no longer."""
        if not self.station.is_connected:
            self.on.tasks.spawn(self.directory.release(self.station), f"release {self.station.identity}")


class StationFactory:
    """Makes the runtimes for the directory, and knows the parts of each."""

    def __init__(self, foundation: Foundation) -> None:
        self._on = foundation
        self._runtimes: dict[str, _Runtime] = {}
        self._routing = Routing(foundation.config)
        self._belonging = Belonging(self._routing, foundation.books)
        self._saving = asyncio.Lock()
        self._moving: set[str] = set()
        """Stations that have a backend which isn't that of their route."""
        self._services = {
            version: {action: service for (spoken, action), service in foundation.services.items() if spoken is version}
            for version in Version
        }
        self._settling = SettlingIn(foundation.tasks, foundation.quiet)
        self.came = 0
        """WebSockets of stations that have opened since the start."""
        self.left = 0
        """Runtimes that were taken apart since the start."""
        self.takings = Takings(foundation.stations, foundation.books, self._runtimes.__contains__)
        self.directory = Directory(
            self.takings, self.build, self.leave, self._retire, fits=self._fits, security=foundation.security
        )
        self.released = ReleasedMessages(
            foundation.quarantine, foundation.stations, self.directory, foundation.tasks, foundation.tally
        )

    # --- the directory's callbacks

    async def build(self, record: StationRecord, version: Version) -> Station:
        """Make a station's runtime for the OCPP version that it speaks, out of what the store holds of it.

        A backend that speaks another version by now than can serve it has it without a connection: what its journal
        holds is offered by a runtime of the backend's own version.
        """
        on = self._on
        books, depth = await self.takings.books(record.identity)
        settled, backend = await self._belonging.settle(record, books, depth, version)
        spoken = self._routing.version(backend, books.page(Page.BACKEND))
        version = version if version in SERVED_BY[spoken] else spoken
        if version is not (record.version or Version.V201):
            # What it said when it booted is in the words of another version.
            settled = replace(settled, boot_payload=None, boot_reported=True)
        record = settled
        station = Station(
            record,
            version=version,
            books=books,
            registry=on.stations,
            services=self._services[version],
            boot_rules=self._boot_rules(backend),
            clock=now,
        )
        station.guard = on.guards(station, backend)
        follow_ups = FollowUps(record.identity, on.tasks.spawn)
        ties = _Ties(on, self.directory, self._settling, station, self._runtimes)
        legs = legs_for(station, on, backend, spoken, came_up=ties.came_up, answered=follow_ups.answered)
        ledger = ledger_for(station, on, legs, depth=depth, backend=backend, version=spoken, emptied=ties.emptied)
        station.backend = legs.backend
        station.knows_contracts = self._backend(backend).knows_contracts
        ground = QuarantineGround(on.quarantine, spoken, ledger.release, on.tally.kept)
        station.quarantine = StationQuarantine(station, ground)
        station.when_accepted = ledger.nudge
        station.when_open = ties.opened
        station.when_provisional = ties.provisional
        station.reports = self._report
        station.bridge = bridge_for(
            station,
            on,
            backend=spoken,
            backend_name=backend,
            ledger=ledger,
            settings=self._settings(record, backend),
            afterwards=follow_ups.add,
        )
        self._runtimes[record.identity] = _Runtime(station, legs, ledger, books, backend)
        self.follow(record)
        return station

    async def leave(self, station: Station) -> bool:
        """The station has no connection any more: drop its runtime, unless something must still be delivered."""
        runtime = self._runtimes.get(station.identity)
        if runtime is None:
            return True  # the gateway ends: ``close`` was faster
        is_closing = runtime.taking_apart.locked()  # then nothing is begun any more
        if not is_closing and (runtime.ledger.depth or station.quarantine.is_releasing):
            runtime.legs.start()
            return False
        await self._take_apart(station.identity)
        return True

    async def _retire(self, station: Station) -> None:
        """The station speaks another version, or has another backend; it goes on in the runtime that is built next."""
        await self._take_apart(station.identity)

    def _fits(self, station: Station, record: StationRecord) -> bool:
        """Return whether a runtime can go on serving its station: it may not where another backend can have it."""
        runtime = self._runtimes.get(station.identity)
        return runtime is not None and (runtime.backend == self._routing.route(record).backend or not runtime.may_move)

    # --- moving to another backend (docs/backends.md)

    def follow(self, record: StationRecord) -> None:
        """The registry has changed: from now on a station has another backend as soon as it may, or no more."""
        runtime = self._runtimes.get(record.identity)
        if runtime is not None:
            runtime.station.regroup(record.group)
        if runtime is None or runtime.backend == self._routing.route(record).backend:
            self._moving.discard(record.identity)
        else:
            self._moving.add(record.identity)

    def move_on(self) -> None:
        """Cut some of the stations that may have their new backend now: they get it when they come back."""
        left = MOVED_AT_ONCE
        for identity in [*self._moving]:
            runtime, station = self._runtimes.get(identity), self.directory.get(identity)
            if runtime is None or station is None:
                self._moving.discard(identity)
            elif station.is_connected and runtime.may_move:
                log.info("session_cut", identity=identity, reason="moves to another backend")
                station.cut(MOVES, "moves to another backend")
                left -= 1
                if not left:
                    return

    # --- for the composition root

    def live(self, identity: str) -> tuple[Station, str] | None:
        """Return the runtime of a station and the name of the backend that it has, or None."""
        runtime = self._runtimes.get(identity)
        return None if runtime is None else (runtime.station, runtime.backend)

    async def may_speak(self, record: StationRecord) -> Collection[Version]:
        """Return the OCPP versions that can be bridged to the backend that the station has. Raises StoreAway."""
        protocols = {backend.protocol for backend in self._on.config.backends.values()}
        if len(protocols) == 1:
            return SERVED_BY[Version(*protocols)]
        return SERVED_BY[await self._belonging.foreseen(record)]

    def sink(self, entry: Entry) -> Peer:
        """Make the peer for a WebSocket that has just been admitted."""
        station = entry.station
        return Peer(
            _SIDES[station.version],
            station.identity,
            station.from_station,
            guard=station.guard,
            keep=station.keep,
            tally=self._on.tally,
            timeout=self._on.config.limits.call_timeout,
            new_id=MessageIds(),
            opened=functools.partial(self._joined, entry),
            lost=functools.partial(self._left, station),
            report=station.report,
        )

    def _joined(self, entry: Entry, peer: Peer) -> None:
        station = entry.station
        self.directory.attach(entry, peer)
        if station.peer is peer:
            self.came += 1
            if station.provisional is not Provisional.FACTORY:  # the backend has no business with it yet
                self._runtimes[station.identity].legs.start()
            self._on.joined(station)

    def _left(self, station: Station, peer: Peer, _: str) -> None:
        self.directory.detach(station, peer)

    async def resume(self) -> None:
        """Go on delivering the journals that an earlier run left, whether or not their stations are connected.

        Stations come in meanwhile: thousands of journals keep nobody waiting. While the store is away it waits.
        """
        for identity, depth in (await self._when_the_store_is_there(self._on.journal.depths)).items():
            await self._when_the_store_is_there(functools.partial(self._resume_one, identity))
            log.info("journal_resumed", identity=identity, entries=depth)

    async def _resume_one(self, identity: str) -> None:
        record = await self._on.stations.find(identity)
        if record is not None:
            # Its station may have come and gone meanwhile: dropped again where nothing is left to be delivered.
            await self.directory.release(await self.directory.open(record))

    async def _when_the_store_is_there(self, work: Callable[[], Awaitable[Result]]) -> Result:
        while True:
            try:
                return await work()
            except StoreAway as away:
                log.error("journals_not_resumed", reason=str(away), retry_in=RESUME_RETRY)  # noqa: TRY400 - the text says it
                await asyncio.sleep(RESUME_RETRY)

    async def expel(self, station: Station) -> None:
        """The station isn't registered any more: its journal went with it, and nothing is to be dialled for it."""
        await self.directory.expel(station)
        await self._take_apart(station.identity)

    async def save_registers(self) -> None:
        """Note where the meters stand, of transactions and EVSEs: one write for all of them."""
        async with self._saving:
            await self._save(dict(self._runtimes))  # some may leave meanwhile

    async def _save(self, runtimes: Mapping[str, _Runtime]) -> None:
        registers = [each for runtime in runtimes.values() for each in runtime.ledger.registers.take()]
        pages = [
            (identity, page, runtime.books.page(page))
            for identity, runtime in runtimes.items()
            for page in _taken(runtime.books.unsaved)
        ]
        try:
            if registers:
                await self._on.journal.save_registers(registers)
            if pages:
                await self._on.pages.save_many(pages)
        except StoreAway as away:
            log.error("registers_not_saved", count=len(registers), reason=str(away))  # noqa: TRY400 - the text says it
            for register in registers:
                runtimes[register.identity].ledger.registers.give_back(register)
            for identity, page, _ in pages:
                runtimes[identity].books.changed(page)

    async def close(self) -> None:
        """Take every runtime apart; what is undelivered stays in the journal."""
        async with self._saving:  # what is being saved has been taken from its runtimes, and isn't cut short
            for identity in list(self._runtimes):
                await self._take_apart(identity)

    @property
    def links_up(self) -> int:
        """Open legs to backends."""
        return sum(runtime.legs.backend.is_up for runtime in self._runtimes.values())

    @property
    def journal_entries(self) -> int:
        """Messages that a backend must still answer."""
        return sum(runtime.ledger.depth for runtime in self._runtimes.values())

    # --- the parts

    async def _take_apart(self, identity: str) -> None:
        if (runtime := self._runtimes.get(identity)) is None:
            return
        async with runtime.taking_apart:  # who comes second waits: the store may be closed when it returns
            if runtime.is_apart:
                return
            await runtime.ledger.quiesce()
            await self._save({identity: runtime})
            await runtime.legs.stop()
            runtime.is_apart = True
            self._settling.end(runtime.station)
            runtime.station.has_left()
            self.left += 1
            # A station that was removed and registered anew meanwhile has a runtime of its own here.
            if self._runtimes.get(identity) is runtime:
                del self._runtimes[identity]

    def _boot_rules(self, name: str) -> BootRules:
        limits = self._on.config.limits
        return BootRules(
            retry_interval=limits.boot_retry_interval,
            heartbeat_interval=limits.heartbeat_interval,
            cached=self._backend(name).boot_offline == "cached",
            backend_wait=BACKEND_WAIT,
        )

    def _settings(self, record: StationRecord, name: str) -> Settings:
        backend = self._backend(name)
        return Settings(
            default_id_tag=backend.default_id_tag,
            connectors=self._routing.connectors(record),
            authorize_offline=backend.authorize_offline,
            security_extension=backend.security_extension,
            plug_and_charge=backend.knows_contracts,
        )

    def _report(self, station: Station, kind: str, detail: str) -> None:
        """Note what a station did, with its address: alike events of one address are kept once, whatever it names."""
        self._on.security.note(SecurityEvent(kind, detail, station.identity, station.remote or None))

    def _backend(self, name: str) -> Backend:
        """Return the section of a backend; for one that isn't there any more the default one's says what to do."""
        backends = self._on.config.backends
        return backends.get(name) or backends[self._on.config.default_backend]


def _taken(unsaved: set[Page]) -> list[Page]:
    """Empty ``unsaved`` and return what was in it, in the order of its names."""
    taken = sorted(unsaved, key=lambda page: page.value)
    unsaved.clear()
    return taken
