"""Which station is held by which connection: never two live ones under one identity (attacks A2, A3)."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, Final

import structlog

from gateway.session.peer import Peer
from gateway.session.ports import Owners, Proof, StationRecord
from gateway.session.replacements import Replacements
from gateway.session.security import Kind, SecurityEvent, SecurityLog
from gateway.session.station import Station
from gateway.wire.versions import Version

PROBE_TIMEOUT: Final = 5.0
"""Seconds in which the holder of an identity must answer a ping, or give way to the newcomer."""
GOING_AWAY: Final = 1001
"""WebSocket close code (RFC 6455 7.4.1)."""

log = structlog.get_logger(__name__)


class Held(Exception):
    """The identity is held by a connection that is alive, or better authenticated than the newcomer."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An admission whose WebSocket is about to open; worth nothing once a later one has been given."""

    station: Station
    epoch: int
    proof: Proof
    remote: str = ""
    """The newcomer's address."""


class Directory:
    """The stations in memory, by identity.

    A station is here while it is connected and while its journal isn't empty. ``build`` makes its runtime for the OCPP
    version that it speaks, ``leave`` is told when the last connection is gone and decides whether it may be dropped,
    ``retire`` takes it apart whatever its journal holds, because the station speaks another version by now, or because
    it doesn't ``fits`` what the registry says of the station.
    """

    def __init__(
        self,
        registry: Owners,
        build: Callable[[StationRecord, Version], Awaitable[Station]],
        leave: Callable[[Station], Awaitable[bool]],
        retire: Callable[[Station], Coroutine[Any, Any, None]],
        *,
        fits: Callable[[Station, StationRecord], bool] = lambda _, __: True,
        security: SecurityLog,
    ) -> None:
        self._registry = registry
        self._build = build
        self._leave = leave
        self._retire = retire
        self._fits = fits
        self._security = security
        self._replacements = Replacements()
        self._stations: dict[str, Station] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        """One per identity that was ever admitted; dropping one that somebody waits for would let two in."""
        self._awaited: dict[str, Entry] = {}
        """By identity: the newest entry, while it waits for its WebSocket. Its runtime isn't dropped meanwhile."""
        self._tasks: set[asyncio.Task[None]] = set()

    def __iter__(self) -> Iterator[Station]:
        return iter(list(self._stations.values()))

    def __len__(self) -> int:
        return len(self._stations)

    def get(self, identity: str) -> Station | None:
        """Return the station's runtime, or None."""
        return self._stations.get(identity)

    async def enter(self, record: StationRecord, proof: Proof, version: Version, remote: str = "") -> Entry:
        """Make room for a newcomer that has been authenticated by ``proof`` and return its entry.

        The holder of the identity gives way only to a newcomer that is authenticated at least as strongly, only if it
        doesn't answer a ping within ``PROBE_TIMEOUT`` seconds, and not too often (attack A4). Raises :class:`Held`
        otherwise; RecordChanged when ``record``, which may be an old one, isn't what the registry lets in by.
        """
        async with self._lock(record.identity):
            station = self._stations.get(record.identity)
            if station is not None and station.is_connected:
                await self._registry.confirm(record)  # who may not come in displaces nobody
                await self._displace(station, proof, remote)
            try:
                taken = await self._registry.let_in(record, proof.profile, version)
            except asyncio.CancelledError:
                if station is not None:
                    self._own(self._reclaim(station), f"reclaim {station.identity}")
                raise
            record, epoch = taken.record, taken.epoch
            if station is not None and not (station.version is version and self._fits(station, record)):
                await self._make_way(station, record, epoch)
                station = None
            if station is None:
                station = await self._build(record, version)
                self._stations[record.identity] = station
            station.owned(record, epoch)
            entry = self._awaited[record.identity] = Entry(station, epoch, proof, remote)
            return entry

    async def open(self, record: StationRecord) -> Station:
        """Return the station's runtime without a connection: its journal is to be delivered."""
        async with self._lock(record.identity):
            station = self._stations.get(record.identity)
            if station is None:
                epoch = await self._registry.take(record.identity, 0)
                station = await self._build(record, record.version or Version.V201)
                station.owned(record, epoch)
                self._stations[record.identity] = station
            return station

    def attach(self, entry: Entry, peer: Peer) -> None:
        """The WebSocket of ``entry`` is open: ``peer`` is the station's connection, unless a later entry was given."""
        station = entry.station
        is_newest = self._awaited.get(station.identity) is entry
        if is_newest:
            del self._awaited[station.identity]
        if not is_newest or station.is_connected:
            log.warning("session_taken", identity=station.identity, profile=entry.proof.profile)
            peer.close(GOING_AWAY, "replaced by a new connection")
            return
        station.joined(peer, entry.proof, entry.remote)

    def withdraw(self, entry: Entry) -> None:
        """The WebSocket of ``entry`` won't open: nothing is kept for it any longer."""
        station = entry.station
        if self._awaited.get(station.identity) is entry:
            del self._awaited[station.identity]
            self._own(self.release(station), f"leave {station.identity}")

    def detach(self, station: Station, peer: Peer) -> None:
        """``peer`` is gone. Only its own place is cleared: a newcomer that has taken over stays (attack A3)."""
        if station.peer is not peer:
            return
        self._own(self._depart(station, peer), f"leave {station.identity}")

    def _own(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reclaim(self, station: Station) -> None:
        """A newcomer left while the store gave it an epoch: the runtime that is here goes on under one of its own."""
        async with self._lock(station.identity):
            if self._stations.get(station.identity) is station:
                station.owned(station.record, await self._registry.take(station.identity, 0))
                if station.peer is None:
                    await self._drop_if_idle(station)

    async def _depart(self, station: Station, peer: Peer) -> None:
        await peer.finished()
        async with self._lock(station.identity):
            if station.peer is peer:
                station.peer = None
                await self._drop_if_idle(station)

    async def release(self, station: Station) -> None:
        """The station's journal is empty: drop the runtime unless it is connected."""
        async with self._lock(station.identity):
            if station.peer is None:
                await self._drop_if_idle(station)

    async def expel(self, station: Station) -> None:
        """The station isn't registered any more: nobody finds its runtime here from now on."""
        async with self._lock(station.identity):
            self._awaited.pop(station.identity, None)
            if self._stations.get(station.identity) is station:
                del self._stations[station.identity]

    async def _drop_if_idle(self, station: Station) -> None:
        if station.identity in self._awaited or self._stations.get(station.identity) is not station:
            return
        if await self._leave(station):
            del self._stations[station.identity]

    async def _make_way(self, station: Station, record: StationRecord, epoch: int) -> None:
        """The newcomer speaks another OCPP version, or has another backend: the runtime here can't serve it.

        Raises :class:`Held` when an earlier entry has become a connection meanwhile.
        """
        if station.is_connected:
            station.owned(record, epoch)
            raise Held("another connection was faster")
        del self._stations[station.identity]
        self._awaited.pop(station.identity, None)
        retiring = asyncio.get_running_loop().create_task(self._retire(station), name=f"retire {station.identity}")
        try:
            await asyncio.shield(retiring)
        except asyncio.CancelledError:
            # The newcomer has left; the next one must not find half a runtime.
            await asyncio.wait([retiring])
            raise

    async def _displace(self, holder: Station, proof: Proof, remote: str) -> None:
        if _strength(proof) < _strength(holder.proof):
            raise Held("weaker authentication than the present connection's")
        now = asyncio.get_running_loop().time()
        if wait := self._replacements.wait(holder.identity, now):
            raise Held(f"replaced too often of late: not again for {wait:.0f} s")
        peer = holder.peer
        if peer is not None and await peer.is_alive(PROBE_TIMEOUT):
            raise Held("the present connection is alive")
        self._replacements.happened(holder.identity, now)
        log.warning("session_taken", identity=holder.identity, profile=proof.profile)
        self._security.note(
            SecurityEvent(
                Kind.SESSION_REPLACED, "the connection before it answered no ping", holder.identity, remote or None
            )
        )
        if peer is not None:
            peer.close(GOING_AWAY, "replaced by a new connection")
            peer.give_up("replaced by a new connection")

    async def close(self) -> None:
        """Wait for what departing stations have left to do."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    def _lock(self, identity: str) -> asyncio.Lock:
        return self._locks.setdefault(identity, asyncio.Lock())


def _strength(proof: Proof) -> tuple[int, bool]:
    """Order proofs: by security profile, and a certificate that must be renewed below one in order."""
    return proof.profile, proof.provisional is None
