"""What is left of a station that has left: nothing, without a look of the garbage collector."""

import asyncio
import base64
import gc
import itertools
import json
import re
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from gateway.app import serving as module
from gateway.app import stations
from gateway.app.policy_facts import FactsOf
from gateway.app.settling import SettlingIn
from gateway.app.setup import scaffold
from gateway.app.stations import StationFactory
from gateway.bridge.v16_v16 import V16ToV16
from gateway.bridge.v201_v16 import V201ToV16
from gateway.bridge.v201_v201 import V201ToV201
from gateway.config import load
from gateway.edge.passwords import hash_password
from gateway.services import renewal, trust_rounds
from gateway.session import directory
from gateway.session.peer import Peer
from gateway.session.station import Station
from gateway.session.station_quarantine import StationQuarantine
from gateway.store.database import Database
from gateway.store.stations import Stations
from gateway.transport import WebSocket
from gateway.transport.link import Link
from gateway.transport.tls import TlsEngine
from gateway.upstream.draining import Drains
from gateway.upstream.journal import JournaledLedger
from gateway.upstream.link import BackendLink
from policies.engine import Guard

PATIENCE: Final = 15.0
"""Seconds after which a test has failed."""
KINDS: Final = frozenset({
    *(Station, Peer, BackendLink, WebSocket, Link, TlsEngine, JournaledLedger, Drains, StationQuarantine),
    *(Guard, FactsOf, V16ToV16, V201ToV16, V201ToV201),
})  # fmt: skip
"""What a station, or one of its connections, is made of."""
PASSWORD: Final = "a-password-of-this-station"
NOW: Final = "2026-01-01T00:00:00.000Z"
V16, V201 = "ocpp1.6", "ocpp2.0.1"

BOOTS: Final[dict[str, dict[str, Any]]] = {
    V16: {"chargePointVendor": "V", "chargePointModel": "M"},
    V201: {"reason": "PowerUp", "chargingStation": {"model": "M", "vendorName": "V"}},
}
START_16: Final = {"connectorId": 1, "idTag": "TAG1", "meterStart": 0, "timestamp": NOW}


def _event(kind: str, number: int) -> dict[str, Any]:
    return {
        "eventType": kind,
        "timestamp": NOW,
        "triggerReason": "Authorized",
        "seqNo": number,
        "transactionInfo": {"transactionId": "tx-1"},
        "evse": {"id": 1, "connectorId": 1},
        "idToken": {"idToken": "TAG1", "type": "ISO14443"},
    }


STARTS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    V16: ("StartTransaction", START_16),
    V201: ("TransactionEvent", _event("Started", 0)),
}
STOPS: Final = {
    V16: ("StopTransaction", {"transactionId": 1, "meterStop": 9, "timestamp": NOW}),
    V201: ("TransactionEvent", _event("Ended", 1)),
}


class _Backend:
    """Answers every CALL, as soon as ``may_answer`` is set."""

    def __init__(self, protocol: str) -> None:
        self.port = 0
        self.may_answer, self.heard = asyncio.Event(), asyncio.Event()
        self.may_answer.set()
        self._protocol = protocol

    async def serve(self, connection: ServerConnection) -> None:
        async for text in connection:
            kind, message_id, action, *_ = json.loads(text)
            if kind == 2:
                if action != "StatusNotification":
                    self.heard.set()
                    await self.may_answer.wait()
                await connection.send(json.dumps([3, message_id, self._answer(action)]))

    def _answer(self, action: str) -> dict[str, Any]:
        if action == "BootNotification":
            return {"status": "Accepted", "currentTime": NOW, "interval": 300}
        if action == "StartTransaction":
            return {"transactionId": 1, "idTagInfo": {"status": "Accepted"}}
        return {}


class _Scene:
    """A gateway in this process, its backend, and what it has in memory."""

    def __init__(self, factory: StationFactory, backend: _Backend, port: int, speaks: str) -> None:
        self.factory = factory
        self.backend = backend
        self.speaks = speaks
        self._port = port
        self._numbers = map(str, itertools.count())
        self._before = {id(each) for each in gc.get_objects() if type(each) in KINDS}

    def left(self) -> Counter[str]:
        """Count what is in memory, by its name."""
        found = (each for each in gc.get_objects() if type(each) in KINDS and id(each) not in self._before)
        return Counter(type(each).__name__ for each in found)

    async def until(self, holds: Callable[[Counter[str]], object]) -> None:
        """Let the loop turn until it ``holds`` of what is left; fail with what that is."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not holds(self.left()):  # noqa: ASYNC110 - nobody tells of what is freed
                    await asyncio.sleep(0)
        except TimeoutError:
            pytest.fail(f"still in memory: {self.left()}")

    async def gone(self) -> None:
        """Wait until nothing is left of any station."""
        await self.until(lambda left: not left)

    async def come(self) -> ClientConnection:
        """Connect as CS1, whose certificate authorities aren't looked at."""
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        basic = base64.b64encode(f"CS1:{PASSWORD}".encode()).decode()
        return await connect(
            f"wss://127.0.0.1:{self._port}/ocpp/CS1",
            ssl=tls,
            subprotocols=[Subprotocol(self.speaks)],
            additional_headers={"Authorization": f"Basic {basic}"},
        )

    async def call(self, connection: ClientConnection, action: str, payload: Any) -> Any:
        """Send a CALL and return its answer; what the gateway asks meanwhile isn't supported."""
        number = next(self._numbers)
        await connection.send(json.dumps([2, number, action, payload]))
        async with asyncio.timeout(PATIENCE):
            while True:
                frame = json.loads(await connection.recv())
                if frame[0] != 2:
                    assert frame[:2] == [3, number], frame
                    return frame[2]
                await connection.send(json.dumps([4, frame[1], "NotSupported", "", {}]))

    async def charge(self) -> ClientConnection:
        """Connect, boot, and charge once."""
        connection = await self.come()
        assert (await self.call(connection, "BootNotification", BOOTS[self.speaks]))["status"] == "Accepted"
        for action, payload in (STARTS[self.speaks], STOPS[self.speaks]):
            await self.call(connection, action, payload)
        assert self.left()["Peer"] == 2
        return connection


@pytest.fixture
def uncollected() -> Iterator[None]:
    """No garbage is collected, but what earlier tests have left; nor is what is here now looked through again."""
    gc.collect()
    gc.disable()
    gc.freeze()
    yield
    gc.unfreeze()
    gc.enable()


@pytest.fixture(params=[(V16, V16), (V201, V16), (V201, V201)], ids="-".join)
async def scene(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uncollected: None
) -> AsyncIterator[_Scene]:
    del uncollected
    speaks, backend = request.param[0], _Backend(request.param[1])
    made: list[StationFactory] = []
    lines: list[str] = []

    def factory(*arguments: Any) -> StationFactory:
        made.append(StationFactory(*arguments))
        return made[0]

    monkeypatch.setattr(module, "StationFactory", factory)
    monkeypatch.setattr(stations, "SettlingIn", lambda tasks, _: SettlingIn(tasks, 0.01))
    monkeypatch.setattr(trust_rounds, "TICK", 0.01)  # those who have left are forgotten after ten
    monkeypatch.setattr(renewal, "SWEEP_EVERY", 0.1)  # and with the next look at what is due
    async with serve(backend.serve, "127.0.0.1", 0, subprotocols=[Subprotocol(request.param[1])]) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        folder = tmp_path / "gw"
        scaffold(folder, backend_url=f"ws://127.0.0.1:{port}/{{identity}}", operator="A CPO", names=["localhost"])
        ports = {f"VOLTGATE__{each}__BIND": "127.0.0.1:0" for each in ("LISTENERS__0", "LISTENERS__1", "ADMIN")}
        protocol = {f"VOLTGATE__BACKENDS__{name}__PROTOCOL": request.param[1] for name in ("LEGACY",)}
        config = load(folder / "voltgate.yaml", ports | protocol)
        database = await Database.open(config.store.connect_url(), exclusive=True)
        await Stations(database).add("CS1", profile=2, serial=None, backend=None, password_hash=hash_password(PASSWORD))
        await database.close()
        async with module.serving(config, lines.append):
            (listening,) = (int(found[1]) for each in lines if (found := re.search(r"wss://.*?:(\d+)", each)))
            yield _Scene(made[0], backend, listening, speaks)


async def test_nothing_is_left_of_a_station_that_has_said_goodbye(scene: _Scene) -> None:
    connection = await scene.charge()
    await connection.close()
    await scene.gone()


async def test_nothing_is_left_of_a_station_whose_connection_was_lost_amid_a_call(scene: _Scene) -> None:
    connection = await scene.charge()
    scene.backend.may_answer.clear()
    scene.backend.heard.clear()
    action, payload = STARTS[scene.speaks]
    again = json.dumps([2, "again", action, payload]).replace("tx-1", "tx-2")
    await connection.send(again)
    async with asyncio.timeout(PATIENCE):
        await scene.backend.heard.wait()
    connection.transport.abort()
    await scene.until(lambda left: left["WebSocket"] == 1)
    scene.backend.may_answer.set()
    await scene.gone()


async def test_nothing_is_left_of_a_connection_that_a_newcomer_has_replaced(
    scene: _Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "PROBE_TIMEOUT", 0.05)
    silent = await scene.charge()
    silent.transport.pause_reading()
    newcomer = await scene.come()
    silent.transport.abort()
    await scene.until(lambda left: (left["Station"], left["Peer"], left["WebSocket"], left["Link"]) == (1, 2, 2, 2))
    await newcomer.close()
    await scene.gone()


async def test_nothing_is_left_of_a_station_that_was_removed(scene: _Scene) -> None:
    connection = await scene.charge()
    station = scene.factory.directory.get("CS1")
    assert station is not None
    station.cut(1008, "not registered any more")
    await scene.factory.expel(station)
    await connection.wait_closed()
    del station
    await scene.gone()


async def _fault(ask: Callable[[], Awaitable[Any]]) -> str:
    try:
        await ask()
    except Exception as fault:  # noqa: BLE001 - its name is what is asked for; pytest.raises would keep its frames
        return type(fault).__name__
    pytest.fail("it was answered")


async def test_who_still_has_a_station_that_has_left_hears_so(scene: _Scene) -> None:
    connection = await scene.charge()
    station = scene.factory.directory.get("CS1")
    assert station is not None
    await connection.close()
    await scene.until(lambda left: left["Peer"] == 0 and not scene.factory.live("CS1"))
    asks: list[Callable[[], Awaitable[Any]]] = [
        partial(station.call_station, "Reset", {"type": "Immediate"}),
        partial(station.call_backend, "Heartbeat", {}),
        partial(station.from_backend, "Reset", {"type": "Soft"}),
        partial(station.from_station, "Heartbeat", {}),
        partial(station.from_station, *STARTS[scene.speaks]),
        partial(station.from_station, "BootNotification", BOOTS[scene.speaks]),
    ]
    assert [await _fault(ask) for ask in asks] == [
        "PeerUnavailable",
        "NotSent",
        "CallError",
        "CallError",
        "Unanswerable",
        "CallError",
    ]
    assert await station.settle_in()
    del station, asks
    await scene.gone()
