"""CPU per message on the road of a frame, without sockets and TLS.

A station's frame goes through decoding, schema, policy, bridge, ledger, schema and encoding to the backend's peer, and
the answer back. Sockets are stand-ins; everything else is what ``voltgate serve`` runs. What a session has written goes
to a SQLite file as there, and its threads count.
"""

import asyncio
import functools
import itertools
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench.traffic import Message, Story
from gateway.app.policy_schemas import OfficialSchemas
from gateway.bridge.books import Books, Connector, Json, Transaction, TransactionState
from gateway.bridge.v201_v16 import Settings, V201ToV16
from gateway.session.peer import Handler, Peer
from gateway.session.stages import BACKEND_16, STATION_201, Inspector, Side
from gateway.session.tally import Tally
from gateway.store.connectors import Connectors
from gateway.store.database import Database
from gateway.store.journal import Journal
from gateway.store.pages import Pages
from gateway.store.stations import Stations
from gateway.upstream.journal import JournaledLedger
from gateway.wire import frames
from policies.engine import Decision, Guard, Policy, load
from policies.words import NOBODY, Surroundings

ROUNDS: Final = 5
MESSAGES: Final = 4_000
SESSIONS: Final = 300
BEGUN: Final = datetime(2026, 1, 1, tzinfo=UTC)


class _Wire:
    """A socket whose peer answers every CALL at once."""

    def __init__(self, answer: Callable[[frames.Call], Json] | None = None) -> None:
        self.peer: Peer
        self._answer = answer
        self.sent = asyncio.Event()

    def send(self, text: bytes) -> bool:
        self.sent.set()
        if self._answer is None:
            return True
        call = frames.decode(text)
        if isinstance(call, frames.Call):
            answer = frames.encode_result(call.message_id, self._answer(call))
            asyncio.get_running_loop().call_soon(self.peer.message, answer)
        return True

    def close(self, code: int = 1000, reason: str = "") -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    async def ping(self, timeout: float) -> bool:
        return True


def guard(policy: Policy) -> Guard:
    """Return a policy as it meets the station of this road."""
    surroundings = Surroundings(now=time.time, monotonic=time.monotonic, facts=lambda: NOBODY, owns=lambda number: True)
    return Guard(lambda: policy, surroundings, _decided)


def _decided(decision: Decision) -> None:
    """End the measurement: refused messages cost something else."""
    raise SystemExit(f"{decision.rule} decides on a message of the road: {decision.text}")


def _peer(side: Side, handle: Handler, wire: _Wire, inspector: Inspector) -> Peer:
    counter = itertools.count()
    wire.peer = Peer(
        side,
        "CS1",
        handle,
        guard=inspector,
        tally=Tally(),
        timeout=30.0,
        new_id=lambda: f"id-{next(counter)}",
        lost=lambda peer, reason: None,
    )
    wire.peer.connected(wire)
    return wire.peer


_BACKEND_SAYS: Final[dict[str, Json]] = {
    "Heartbeat": {"currentTime": "2026-01-01T00:00:00.000Z"},
    "StartTransaction": {"transactionId": 7, "idTagInfo": {"status": "Accepted"}},
}


def _backend_says(call: frames.Call) -> Json:
    return _BACKEND_SAYS.get(call.action, {})


async def _nothing(*_: Any) -> None:
    """Stands where nothing is to be persisted."""


@dataclass(frozen=True)
class _Disk:
    """A store with the station in it."""

    database: Database
    epoch: int


class Road:
    """One station, one backend. Without a ``disk`` a transaction is running, and nothing may be written."""

    def __init__(self, inspector: Inspector, disk: _Disk | None = None) -> None:
        self.station_wire = _Wire()
        backend = _peer(BACKEND_16, self._from_backend, _Wire(_backend_says), inspector)
        self.story = Story("CS1", BEGUN)
        name = self.story.transaction
        tx = Transaction(name, TransactionState.OPEN, backend_tx=7, evse_id=1, connector_id=1, id_tag="TAG")
        tx.meter_start, tx.started_at = 0, "2026-01-01T00:00:00Z"
        connector = Connector(1, 1, 1, "Occupied")
        books = Books(transactions={} if disk else {name: tx}, connectors={(1, 1): connector})
        ledger = JournaledLedger(
            "CS1",
            Journal(disk.database) if disk else None,  # type: ignore[arg-type]  # meter values don't touch it
            books.transactions,
            call=backend.call,
            is_up=lambda: True,
            epoch=lambda: disk.epoch if disk else 1,
            late_answer=_nothing,
            depth=0,
            set_aside=_nothing,
            withheld=set(),
        )
        self.bridge = V201ToV16(
            books=books,
            ledger=ledger,
            call_station=self._from_backend,
            call_backend=backend.call,
            save_connector=functools.partial(Connectors(disk.database).save, "CS1") if disk else _nothing,
            save_page=functools.partial(Pages(disk.database).save, "CS1") if disk else _nothing,
            afterwards=lambda follow_up: None,
            note=lambda topic, text: None,
            clock=lambda: datetime.now(UTC),
            settings=Settings(),
        )
        self.station = _peer(STATION_201, self.bridge.from_station, self.station_wire, inspector)

    async def _from_backend(self, action: str, payload: Json) -> Json:
        return {}

    async def send(self, text: bytes) -> None:
        """One frame of the station, until it is answered."""
        self.station_wire.sent.clear()
        self.station.message(text)
        await self.station_wire.sent.wait()


async def cost(inspector: Inspector, make: Callable[[Story], Message] = Story.updated) -> float:
    """Return the CPU seconds per message, there and back, of one round."""
    road = Road(inspector)
    texts = [make(road.story)[1] for _ in range(MESSAGES)]
    await road.send(texts[0])
    began = time.process_time()
    for text in texts[1:]:
        await road.send(text)
    return (time.process_time() - began) / (MESSAGES - 1)


async def session_costs(inspector: Inspector) -> dict[str, float]:
    """Return the CPU seconds of a session's messages, there and back, their writes to a SQLite file included."""
    with tempfile.TemporaryDirectory() as folder:
        database = await Database.open(f"sqlite+aiosqlite:///{Path(folder) / 'bench.db'}", exclusive=True)
        try:
            stations = Stations(database)
            await stations.add("CS1", profile=2, serial=None, backend=None, password_hash=None)
            road = Road(inspector, _Disk(database, await stations.take("CS1", 2)))
            makes = {
                "StatusNotification": road.story.status,
                "TransactionEvent Started": road.story.started,
                "TransactionEvent Ended": road.story.ended,
            }
            found = dict.fromkeys(makes, 0.0)
            for _ in range(SESSIONS):
                for name, make in makes.items():
                    text = make()[1]
                    began = time.process_time()
                    await road.send(text)
                    found[name] += time.process_time() - began
        finally:
            await database.close()
    return {name: seconds / SESSIONS for name, seconds in found.items()}


def main() -> None:
    """Print CPU per message, there and back."""
    policy = load("legacy-1.6", OfficialSchemas())
    for name, make in (("Heartbeat", Story.heartbeat), ("TransactionEvent Updated to MeterValues", Story.updated)):
        best = min(asyncio.run(cost(guard(policy), make)) for _ in range(ROUNDS))
        print(f"{name}: {best * 1e6:.0f} us CPU, there and back, without sockets")
    rounds = [asyncio.run(session_costs(guard(policy))) for _ in range(ROUNDS)]
    for name in rounds[0]:
        best = min(each[name] for each in rounds)
        print(f"{name}, with what is written: {best * 1e6:.0f} us CPU, there and back, without sockets")


if __name__ == "__main__":
    main()
