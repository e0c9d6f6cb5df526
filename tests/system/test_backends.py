"""Several backends behind one gateway: routes, a station that moves, and mirrors that nobody notices."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

AVAILABLE = {"timestamp": "2026-01-01T00:00:00Z", "connectorStatus": "Available", "evseId": 1, "connectorId": 1}
MONEY = ("StartTransaction", "MeterValues", "StopTransaction")
WAIT = 15.0
"""Seconds for what the gateway does by itself."""


def ledger(backend: Any) -> list[tuple[str, Any]]:
    """What a backend has heard that moves money."""
    return [(action, payload) for action, payload in backend.log if action in MONEY]


@pytest.fixture
async def more(backend: Any) -> AsyncIterator[Callable[[], Any]]:
    """Makes more backends."""
    made: list[Any] = []

    async def make() -> Any:
        another = type(backend)()
        await another.open()
        made.append(another)
        return another

    yield make
    for each in made:
        await each.close()


def configured(tree: dict[str, Any], url: str, **keys: Any) -> None:
    """Add a backend, with ``keys`` of the whole configuration."""
    name = keys.pop("name")
    tree["backends"][name] = {"url": url, "trusted_networks": ["127.0.0.0/8"]}
    tree.update(keys)


async def register(gateway: Any, identity: str, **more: Any) -> str:
    status, made = await gateway.api("POST", "stations", {"identity": identity, "profile": 2, **more})
    assert status == 201, made
    return str(made["password"])


async def session(station: Any, transaction_event: Any, token: Any, evse: Any, *, number: int = 1) -> None:
    """A whole session of 1500 Wh."""
    for kind, seq_no, wh, trigger in (
        ("Started", 0, 1000, "Authorized"),
        ("Updated", 1, 2000, "MeterValuePeriodic"),
        ("Ended", 2, 2500, "StopAuthorized"),
    ):
        extra = {} if kind == "Updated" else {"idToken": token}
        event = transaction_event(kind, seq_no, wh=wh + number, trigger=trigger, evse=evse, tx=f"tx-{number}", **extra)
        assert (await station.call("TransactionEvent", event))[0] == 3


async def test_stations_go_where_their_pattern_their_group_or_they_themselves_say(
    deployment: Any, backend: Any, more: Any, transaction_event: Any, token: Any, evse: Any
) -> None:
    north, south = await more(), await more()
    routes = [{"identity": "ABB-*", "backend": "north"}, {"group": "depot", "backend": "south"}]
    deployment.configure(lambda tree: configured(tree, north.url, name="north"))
    deployment.configure(lambda tree: configured(tree, south.url, name="south", routes=routes))
    deployment.configure(lambda tree: tree.update(connector_tables=[{"group": "depot", "connectors": {"1.1": 7}}]))
    await deployment.start()
    expected = {
        "ABB-1": (north, {}, "routes[0]"),
        "ABB-2": (north, {"group": "depot"}, "routes[0]"),
        "CS1": (south, {"group": "depot"}, "routes[1]"),
        "abb-3": (backend, {}, "default_backend"),
        "ABB-4": (backend, {"backend": "legacy"}, "its own"),
    }
    for identity, (there, keys, by) in expected.items():
        password = await register(deployment, identity, **keys)
        async with deployment.station(identity, password) as station:
            await station.boot(chargingStation={"model": "M", "vendorName": "V"})
            await station.call("StatusNotification", AVAILABLE)
            await session(station, transaction_event, token, evse)
        before = {id(each): len(ledger(each)) for each in (backend, north, south)}
        assert {key for key, count in before.items() if count} == {id(there)}
        number = 7 if keys.get("group") == "depot" else 1
        assert [action for action, _ in ledger(there)] == list(MONEY)
        assert ledger(there)[0][1]["connectorId"] == number
        assert ledger(there)[2][1]["meterStop"] == 2501
        _, shown = await deployment.api("GET", f"stations/{identity}")
        assert shown["route"]["by"] == by
        assert shown["route"]["in_use"] == shown["route"]["backend"]
        for each in (backend, north, south):
            each.log.clear()


async def test_a_station_moves_when_its_backend_has_heard_all(
    deployment: Any, backend: Any, more: Any, transaction_event: Any, token: Any, evse: Any
) -> None:
    north = await more()
    routes = [{"group": "depot-north", "backend": "north"}]
    deployment.configure(lambda tree: configured(tree, north.url, name="north", routes=routes))
    await deployment.start()
    password = await register(deployment, "CS1")
    async with deployment.station("CS1", password) as station:
        await station.boot(chargingStation={"model": "M", "vendorName": "V"})
        await station.call("StatusNotification", AVAILABLE)
        started = transaction_event("Started", 0, wh=1000, idToken=token, evse=evse)
        await station.call("TransactionEvent", started)

        exit_status, _, _ = await deployment.run(
            "station", "set-group", "CS1", "depot-north", "--config", str(deployment.config)
        )
        assert exit_status == 0
        _, shown = await deployment.api("GET", "stations/CS1")
        assert shown["route"] == {
            "backend": "north", "by": "routes[0]", "in_use": "legacy", "waits_for": "1 session",
        }  # fmt: skip
        # This takes longer than a change of the registry does: nothing has happened to the session.
        _, said, _ = await deployment.run("station", "show", "CS1", "--config", str(deployment.config))
        assert "north (routes[0]); still legacy, which must hear of 1 session first" in said
        updated = transaction_event("Updated", 1, wh=1500, trigger="MeterValuePeriodic", state="Charging")
        assert (await station.call("TransactionEvent", updated))[0] == 3

        ended = transaction_event("Ended", 2, wh=2345, trigger="StopAuthorized", idToken=token)
        assert (await station.call("TransactionEvent", ended))[0] == 3
        assert await station.closed() == 1001
    assert [action for action, _ in ledger(backend)] == list(MONEY)
    assert north.log == []

    async with deployment.station("CS1", password) as station:
        assert (await north.expect("BootNotification"))["chargePointModel"] == "M"
        assert (await north.expect("StatusNotification"))["status"]
        await session(station, transaction_event, token, evse, number=2)
        _, shown = await deployment.api("GET", "stations/CS1")
        assert shown["route"]["in_use"] == "north"
        assert (shown["route"]["waits_for"], shown["boot_status"]) == (None, "Accepted")
    assert [action for action, _ in ledger(north)] == list(MONEY)
    assert len(ledger(backend)) == 3


async def test_a_transaction_stays_with_its_backend_over_a_restart_with_other_routes(
    deployment: Any, backend: Any, more: Any, transaction_event: Any, token: Any, evse: Any
) -> None:
    north = await more()
    await deployment.start()
    password = await register(deployment, "CS1")
    async with deployment.station("CS1", password) as station:
        await station.boot(chargingStation={"model": "M", "vendorName": "V"})
        await station.call("TransactionEvent", transaction_event("Started", 0, wh=0, idToken=token, evse=evse))
    await deployment.stop()
    routes = [{"identity": "CS*", "backend": "north"}]
    deployment.configure(lambda tree: configured(tree, north.url, name="north", routes=routes))
    await backend.close()
    await deployment.start()
    async with deployment.station("CS1", password) as station:
        ended = transaction_event("Ended", 1, wh=700, trigger="StopAuthorized", idToken=token)
        assert (await station.call("TransactionEvent", ended))[0] == 3
        _, shown = await deployment.api("GET", "stations/CS1")
        assert shown["route"]["waits_for"] == "1 message and 1 session"
        await backend.open()
        assert await station.closed() == 1001
    assert [action for action, _ in ledger(backend)] == ["StartTransaction", "StopTransaction"]
    assert north.log == []
    async with deployment.station("CS1", password) as station:
        assert (await north.expect("BootNotification"))["chargePointModel"] == "M"
        assert (await station.call("Heartbeat", {}))[0] == 3


# --- mirrors


class Deaf:
    """Takes connections and reads nothing of them, ever."""

    def __init__(self) -> None:
        self.came = asyncio.Event()

    async def serve(self, connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        self.came.set()
        await connection.wait_closed()


class Rude:
    """Sends commands, nonsense and answers to nothing, and keeps what it hears."""

    SAID = ("{", "[]", "[2]", '[9,"x",{}]', '[3,"nothing",{}]', '[4,"nothing","X","",{}]', '[3,"x",7]')

    def __init__(self) -> None:
        self.refused: asyncio.Queue[Any] = asyncio.Queue()

    async def serve(self, connection: ServerConnection) -> None:
        reset = [2, "r-1", "Reset", {"type": "Hard"}]
        for text in (json.dumps(reset), *self.SAID):
            await connection.send(text)
        async for heard in connection:
            frame = json.loads(heard)
            if frame[0] == 2:
                for answer in ({"idTagInfo": {"status": "Blocked"}, "transactionId": 999}, {"status": "Rejected"}):
                    await connection.send(json.dumps([3, frame[1], answer]))
            else:
                self.refused.put_nowait(frame)


@contextlib.asynccontextmanager
async def listening(handler: Any) -> AsyncIterator[str]:
    async with serve(handler, "127.0.0.1", 0, subprotocols=["ocpp1.6"], close_timeout=0.1) as server:  # type: ignore[list-item]  # a name
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/ocpp/{{identity}}"


async def test_mirrors_see_everything_and_change_nothing(
    deployment: Any, backend: Any, more: Any, transaction_event: Any, token: Any, evse: Any
) -> None:
    eye, killed = await more(), await more()
    deaf, rude = Deaf(), Rude()
    async with listening(deaf.serve) as deaf_url, listening(rude.serve) as rude_url:
        urls = {"eye": eye.url, "killed": killed.url, "deaf": deaf_url, "rude": rude_url}
        for name, url in urls.items():
            deployment.configure(lambda tree, name=name, url=url: configured(tree, url, name=name))
        deployment.configure(lambda tree: tree["backends"]["legacy"].update(mirrors=list(urls)))
        await deployment.start()
        password = await register(deployment, "CS1")
        async with deployment.station("CS1", password) as station:
            await station.boot(chargingStation={"model": "M", "vendorName": "V"})
            await station.call("StatusNotification", AVAILABLE)
            await asyncio.gather(killed.joined("CS1"), eye.joined("CS1"), asyncio.wait_for(deaf.came.wait(), WAIT))
            await killed.close()
            for number in range(5):
                await session(station, transaction_event, token, evse, number=number)
            assert (await station.call("Heartbeat", {}))[0] == 3
            refusal = await asyncio.wait_for(rude.refused.get(), WAIT)
            assert refusal[:3] == [4, "r-1", "NotSupported"]
            await eye.expect("Heartbeat")
        await eye.left("CS1")

    assert [action for action, _ in ledger(backend)] == [*MONEY] * 5
    assert [payload["transactionId"] for action, payload in ledger(backend) if action == "StopTransaction"] == [
        1, 2, 3, 4, 5,
    ]  # fmt: skip
    assert ledger(eye) == ledger(backend)
    assert eye.log[0][0] == "BootNotification"

    def dropped(text: str) -> bool:
        return 'voltgate_mirror_dropped_total{backend="killed",reason="away"}' in text

    assert dropped(await deployment.metrics())
    assert 'backend="eye"' not in await deployment.metrics()
    _, shown = await deployment.api("GET", "stations/CS1")
    assert shown["boot_status"] == "Accepted"


async def test_a_mirror_that_comes_later_hears_the_boot_first(
    deployment: Any, backend: Any, more: Any, transaction_event: Any, token: Any, evse: Any
) -> None:
    eye = await more()
    deployment.configure(lambda tree: configured(tree, eye.url, name="eye"))
    deployment.configure(lambda tree: tree["backends"]["legacy"].update(mirrors=["eye"]))
    await eye.close()
    await deployment.start()
    password = await register(deployment, "CS1")
    async with deployment.station("CS1", password) as station:
        await station.boot(chargingStation={"model": "M", "vendorName": "V"})
        await deployment.logged("mirror_unreachable")
        await eye.open()
        await eye.joined("CS1")
        await session(station, transaction_event, token, evse)
        await eye.expect("StopTransaction")
    assert eye.log[0] == backend.log[0]
    assert ledger(eye) == ledger(backend)
