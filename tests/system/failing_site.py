"""A whole site of which every part can fail: stations, network, gateway, network, and two backends in processes."""

import asyncio
import contextlib
import copy
import random
import re
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.system.backend_process import BackendProcess
from tests.system.charging_sessions import Session, sessions_of
from tests.system.cutter import Cutter, Line, Way
from tests.system.ledger_verdict import Verdict, judge
from tests.system.queueing_station import Pace, QueueingStation, QueueingStation16, QueueingStation201
from tests.system.scripted_station import until
from tests.system.stations import certify, client_tls, station_ca

NOBODY_LISTENS: Final = 1
"""A port of 127.0.0.1 that refuses connections."""
KINDS: Final = {"ocpp2.0.1": QueueingStation201, "ocpp1.6": QueueingStation16}


@dataclass(slots=True)
class Backend:
    """A backend and the network before it."""

    process: BackendProcess
    network: Cutter
    stations: list[QueueingStation] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)


class FailingSite:
    """Made by :func:`failing_site`. Half of the stations are at a backend that compares, half at one that doesn't."""

    def __init__(self, gateway: Any, folder: Path, dice: random.Random, *, call_timeout: float) -> None:
        self.gateway = gateway
        self.network = Cutter(self._gateway_port)
        """Between the stations and the gateway."""
        self.backends: list[Backend] = []
        self.overdue: list[str] = []
        """What had not come to its end when patience had."""
        self.gateway_kills = 0
        self.backend_kills = 0
        self.cuts = 0
        self._folder = folder
        self._call_timeout = call_timeout
        self._dice = dice
        self._lives: list[asyncio.Task[None]] = []
        self._charging: list[asyncio.Task[None]] = []

    @property
    def stations(self) -> list[QueueingStation]:
        """All of them."""
        return [station for backend in self.backends for station in backend.stations]

    # --- building

    async def open(self, lag: float) -> None:
        """Start everything but the stations; ``lag`` is the backends'."""
        await self.network.open()
        for compares in (True, False):
            process = BackendProcess(self._folder / f"ledger-{compares}", compares=compares, lag=lag)
            await process.start()
            network = Cutter(lambda process=process: process.port)  # type: ignore[misc]  # mypy can't infer a default
            await network.open()
            self.backends.append(Backend(process, network))
        self.gateway.configure(self._configure)
        await self.gateway.start()

    def _gateway_port(self) -> int:
        return int(self.gateway.port("wss")) if "ready" in self.gateway.lines else NOBODY_LISTENS

    def _configure(self, tree: dict[str, Any]) -> None:
        scaffolded = tree["backends"].pop("legacy")
        for backend in self.backends:
            url = f"ws://127.0.0.1:{backend.network.port}/ocpp/{{identity}}"
            tree["backends"][backend.process.name] = copy.deepcopy(scaffolded) | {"url": url}  # no YAML alias
        tree["default_backend"] = self.backends[0].process.name
        tree["limits"] = {"call_timeout": self._call_timeout, "boot_retry_interval": 1}
        tree["log"] = {"level": "warning"}

    async def populate(self, version: str, name: str, count: int, *, connectors: int = 1) -> list[QueueingStation]:
        """Register ``count`` stations with each backend, let them live, and return them.

        They have client certificates: a password's scrypt costs more than a session does.
        """
        ca, made = station_ca(self.gateway), []
        for backend in self.backends:
            for number in range(count):
                identity, serial = f"{name}-{backend.process.name[0]}{number}", f"SN{len(self._lives)}"
                registered = {"identity": identity, "profile": 3, "serial": serial, "pinned_version": version}
                answer = await self.gateway.api("POST", "stations", registered | {"backend": backend.process.name})
                assert answer[0] == 201, answer
                tls = client_tls(self.gateway, certificate=certify(self._folder, ca, serial))
                seed = self._dice.getrandbits(32)
                station = KINDS[version](identity, serial, self.network.port, tls, connectors=connectors, seed=seed)
                self._lives.append(asyncio.create_task(station.run(), name=f"life of {identity}"))
                backend.stations.append(station)
                made.append(station)
        return made

    async def close(self) -> None:
        """Stop the stations, and take the rest away."""
        await _end([*self._charging, *self._lives])
        for backend in self.backends:
            await backend.network.close()
            await backend.process.close()
        await self.network.close()

    # --- sessions

    def charge(self, stations: Iterable[QueueingStation], pace: Pace, *, round_: int) -> list[Session]:
        """Begin a session on each connector of these stations."""
        begun = []
        for backend in self.backends:
            for station in stations:
                if station in backend.stations:
                    made = sessions_of(station.identity, station.connectors, 1, self._dice, first=round_)
                    backend.sessions += made
                    begun += made
                    self._charging += [self._task(station.charge(each, pace), each) for each in made]
        return begun

    def _task(self, charging: Coroutine[Any, Any, None], session: Session) -> asyncio.Task[None]:
        return asyncio.create_task(charging, name=f"session {session.name}")

    async def finished(self, patience: float) -> None:
        """Wait until the stations have been answered all, and the backends have all; or until patience is at its end.

        After a restart the journal counts as empty until it has been read again: so the ledgers are looked at.
        """
        try:
            async with asyncio.timeout(patience):
                await asyncio.gather(*self._charging)
                self._charging.clear()
                while not await self._is_delivered():  # noqa: ASYNC110 - other processes: there is no event
                    await asyncio.sleep(0.1)
        except TimeoutError:
            running = [task.get_name() for task in self._charging if not task.done()]
            self.overdue.append(f"{await self.level('journal_entries')} entries in the journal, unanswered: {running}")

    async def _is_delivered(self) -> bool:
        return not await self.level("journal_entries") and not any(self.verdict(each).lost for each in self.backends)

    async def all_up(self) -> None:
        """Wait until every station and every leg is connected and says nothing."""
        expected = len(self.stations)
        await until(lambda: self.level("stations_connected"), lambda there: there == expected)
        await until(lambda: self.level("backend_links_up"), lambda up: up == expected)
        await until(self._idle, bool)

    async def level(self, name: str) -> int:
        """Return a gauge of the gateway's."""
        found = re.search(rf"^voltgate_{name} (\S+)$", await self.gateway.metrics(), re.MULTILINE)
        assert found is not None, name
        return int(float(found[1]))

    async def _idle(self) -> bool:
        return all(station.is_idle for station in self.stations)

    # --- what happens to it

    async def kill_gateway(self) -> None:
        """``kill -9``; it stays dead."""
        self.gateway_kills += 1
        self.gateway.lines = []
        await self.gateway.stop(signal.SIGKILL)

    async def kill_backends(self) -> None:
        """``kill -9`` of both; they stay dead."""
        self.backend_kills += len(self.backends)
        await asyncio.gather(*(backend.process.kill() for backend in self.backends))

    async def start_backends(self) -> None:
        """Start them again."""
        await asyncio.gather(*(backend.process.start() for backend in self.backends))

    def cut(self, which: Callable[[Line], bool] = lambda _: True) -> None:
        """Reset connections on both sides of the gateway."""
        self.cuts += 1
        for network in self.networks:
            network.cut(which)

    def reboot(self, stations: Iterable[QueueingStation]) -> None:
        """Let stations boot anew; their queues are on their disks."""
        rebooting = list(stations)
        for station in rebooting:
            station.is_accepted = False
        self.network.cut(line_of(rebooting))

    def lose_answers(self, which: Callable[[Line], bool] = lambda _: True) -> None:
        """From now on the backends' answers don't reach the gateway, nor the gateway's the stations."""
        for network in self.networks:
            network.silence(Way.BACK, which)

    @property
    def networks(self) -> list[Cutter]:
        """That of the stations, and those of the backends."""
        return [self.network, *(backend.network for backend in self.backends)]

    @property
    def kills(self) -> str:
        """What it has been through, in words."""
        kinds = f"{self.gateway_kills} gateway, {self.backend_kills} backend, {self.cuts} network"
        return f"{self.gateway_kills + self.backend_kills + self.cuts} kills ({kinds})"

    # --- the verdict

    def verdict(self, backend: Backend) -> Verdict:
        """Judge a backend's ledger."""
        return judge(backend.sessions, backend.process.rows())


def line_of(stations: Iterable[QueueingStation]) -> Callable[[Line], bool]:
    """Return the predicate of these stations' lines to the gateway: TLS hides whose they are, but not the port."""
    ports = {station.client_port for station in stations}

    def is_theirs(line: Line) -> bool:
        return line.client_port in ports

    return is_theirs


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)


@contextlib.asynccontextmanager
async def failing_site(
    gateway: Any, folder: Path, *, seed: int, call_timeout: float, lag: float = 0.0
) -> AsyncIterator[FailingSite]:
    """Build a site on a deployment that isn't running yet.

    ``call_timeout``: seconds that the gateway waits for an answer; ``lag``: those that its backends take.
    """
    dice = random.Random(seed)  # noqa: S311 - times and energies, no secret
    site = FailingSite(gateway, folder, dice, call_timeout=call_timeout)
    try:
        await site.open(lag)
        yield site
    finally:
        await site.close()
