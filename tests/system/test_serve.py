"""`voltgate serve` as an operator meets it: how it starts, how it doesn't, how it ends, and what it says meanwhile."""

import asyncio
import re
import signal
import socket
from typing import Any

import aiohttp
import pytest
from websockets.exceptions import InvalidStatus


async def test_a_line_per_listener_and_ready(gateway: Any) -> None:
    shapes = [
        r"listening wss://127\.0\.0\.1:\d+/ocpp/\{identity\} security_profiles=2,3",
        r"listening ws://127\.0\.0\.1:\d+/ocpp/\{identity\} security_profiles=1",
        r"listening http://127\.0\.0\.1:\d+ admin",
        "ready",
    ]
    assert [bool(re.fullmatch(shape, line)) for shape, line in zip(shapes, gateway.lines, strict=True)] == [True] * 4


async def test_sigterm_drains_and_exits_0(gateway: Any) -> None:
    password = await gateway.add("CS1", 2, "SN1")
    async with gateway.station("CS1", password) as station:
        await station.boot()
        stopping = asyncio.create_task(gateway.stop(signal.SIGTERM))
        assert await station.closed() == 1001
        assert await stopping == 0
    assert "Traceback" not in gateway.log


async def test_an_idle_station_does_not_hold_up_the_end(deployment: Any) -> None:
    deployment.configure(lambda tree: tree.update(limits={"drain_timeout": 600}))
    await deployment.start()
    password = await deployment.add("CS1", 2, "SN1")
    async with deployment.station("CS1", password) as station:
        await station.boot()
        stopping = asyncio.create_task(deployment.stop(signal.SIGTERM))
        assert await station.closed() == 1001
        assert await stopping == 0


async def test_a_second_signal_ends_it_at_once(deployment: Any) -> None:
    deployment.configure(lambda tree: tree.setdefault("limits", {}).update(drain_timeout=3600))
    await deployment.start()
    password = await deployment.add("CS1", 2, "SN1")
    async with deployment.station("CS1", password, close_timeout=0.1) as station:
        await station.boot()
        station.connection.transport.pause_reading()
        deployment.signal(signal.SIGTERM)
        await deployment.logged("stopping")
        assert await deployment.stop(signal.SIGTERM) == -signal.SIGTERM


async def _refused_start(deployment: Any) -> str:
    status, out, err = await deployment.run("serve", "--config", str(deployment.config))
    assert status == 1
    assert "ready" not in out
    lines = [line for line in err.splitlines() if line]
    assert len(lines) == 1, err
    return str(lines[0])


async def test_a_port_that_is_taken(deployment: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        deployment.configure(lambda tree: tree["listeners"][0].update(bind=f"127.0.0.1:{port}"))
        line = await _refused_start(deployment)
    assert f"127.0.0.1:{port}" in line
    assert "in use" in line


async def test_a_bad_certificate(deployment: Any) -> None:
    (deployment.folder / "certs/dev/gateway-rsa.pem").write_text("garbage")
    assert "gateway-rsa.pem" in await _refused_start(deployment)


async def test_a_database_that_is_none(deployment: Any) -> None:
    (deployment.folder / "voltgate.db").write_text("this is no database, and long enough to be read as one" * 50)
    assert "voltgate.db" in await _refused_start(deployment)


async def test_a_database_server_that_is_not_there(deployment: Any) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    url = f"postgresql+asyncpg://user@127.0.0.1:{port}/voltgate"
    deployment.configure(lambda tree: tree["store"].update(url=url))
    assert "store.url" in await _refused_start(deployment)


async def test_a_second_serve_on_the_same_file(gateway: Any) -> None:
    assert "already" in await _refused_start(gateway)


async def test_a_policy_and_a_secret_that_are_missing(deployment: Any) -> None:
    (deployment.folder / "secrets/admin-token").unlink()
    assert "admin.token" in await _refused_start(deployment)
    deployment.configure(lambda tree: tree.update(policy="nowhere.yaml"))
    assert "policy" in await _refused_start(deployment)


async def test_a_configuration_with_errors_names_key_and_line(deployment: Any) -> None:
    deployment.config.write_text(
        "operator: X\nbackends:\n  legacy:\n    url: wss://csms.example.com/{identity}\nbackend: x\n"
    )
    line = await _refused_start(deployment)
    assert "voltgate.yaml:5: backend" in line


async def test_health_readiness_and_metrics(gateway: Any) -> None:
    password = await gateway.add("CS1", 2, "SN1")
    async with gateway.station("CS1", password) as station:
        await station.boot()
        async with aiohttp.ClientSession(f"http://127.0.0.1:{gateway.port('http')}") as session:
            for path in ("/healthz", "/readyz"):
                async with session.get(path) as response:
                    assert response.status == 200
            async with session.get("/metrics") as response:
                text = await response.text()
    assert "voltgate_stations_connected 1.0" in text
    assert 'voltgate_calls_total{action="BootNotification",direction="in",leg="station",outcome="answered"} 1.0' in text


async def test_a_station_that_is_removed_is_cut_within_a_second(gateway: Any) -> None:
    password = await gateway.add("CS1", 2, "SN1")
    async with gateway.station("CS1", password) as station:
        await station.boot()
        status, _, err = await gateway.run("station", "remove", "CS1", "--config", str(gateway.config))
        assert status == 0, err
        assert await station.closed() == 1008
    with pytest.raises(InvalidStatus) as refused:
        async with gateway.station("CS1", password):
            pass
    assert refused.value.response.status_code == 401


async def test_a_station_that_is_added_by_command_is_admitted_at_once(gateway: Any) -> None:
    status, _, err = await gateway.run(
        "station", "add", "CS7", "--profile", "2", "--password-stdin", "--config", str(gateway.config),
        stdin="a password of my own\n",
    )  # fmt: skip
    assert status == 0, err
    async with gateway.station("CS7", "a password of my own") as station:
        assert (await station.boot())["status"] == "Accepted"


async def test_calls_through_the_api(gateway: Any) -> None:
    password = await gateway.add("CS1", 2, "SN1")
    async with gateway.station("CS1", password) as station:
        await station.boot()
        body = {"action": "ClearCache", "payload": {}}
        asking = asyncio.create_task(gateway.api("POST", "stations/CS1/calls", body))
        asked = await station.receive()
        assert asked[2:] == ["ClearCache", {}]
        await station.send(f'[3,"{asked[1]}",{{"status":"Accepted"}}]')
        assert await asking == (200, {"action": "ClearCache", "payload": {"status": "Accepted"}})
        shown = await gateway.api("GET", "stations/CS1")
        assert (shown[1]["connected"], shown[1]["connected_profile"]) == (True, 2)
