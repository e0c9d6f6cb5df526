"""A load balancer before the gateway: PROXY protocol v2, from the one that is named and from nobody else."""

import asyncio
import json
import socket
import struct
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidMessage, InvalidStatus

from tests.system.scripted_station import ScriptedStation, Station16, Station201

BALANCER = "127.0.0.1"
STRANGER = "127.0.0.2"
INSIDE = "10.1.2.3"
"""In the trusted networks of the plain listener."""
OUTSIDE = "203.0.113.9"


def proxy_header(client: str) -> bytes:
    """What a balancer says of a client over IPv4 (HAProxy, "The PROXY protocol", 2.2)."""
    addresses = socket.inet_aton(client) + socket.inet_aton("192.0.2.1") + struct.pack("!HH", 50_000, 443)
    return b"\r\n\r\n\x00\r\nQUIT\n" + struct.pack("!BBH", 0x21, 0x11, len(addresses)) + addresses


async def _through(station: ScriptedStation, source: str, client: str | None) -> None:
    """Let the station's next connection come from ``source``, behind a header where a client is named."""
    port = station.gateway.port("ws" if station.profile == 1 else "wss")

    def connect() -> socket.socket:
        made = socket.create_connection(("127.0.0.1", port), 15, source_address=(source, 0))
        if client is not None:
            made.sendall(proxy_header(client))
        return made

    station.dialling = {"sock": await asyncio.to_thread(connect)}


async def _dropped(station: ScriptedStation) -> None:
    """It hears nothing that TLS or HTTP would be, or in clear that what it says is no HTTP."""
    with pytest.raises((OSError, EOFError, InvalidMessage, InvalidStatus)) as caught:
        async with station.online():
            pass
    assert not isinstance(caught.value, InvalidStatus) or caught.value.response.status_code == 400


@pytest.fixture
async def gateway(deployment: Any) -> Any:
    def behind_a_balancer(tree: dict[str, Any]) -> None:
        for listener in tree["listeners"]:
            listener["load_balancers"] = [f"{BALANCER}/32"]
        tree["listeners"][1]["trusted_networks"] = ["10.1.0.0/16", f"{STRANGER}/32"]

    deployment.configure(behind_a_balancer)
    await deployment.start()
    return deployment


async def _new(gateway: Any, folder: Path, kind: type[ScriptedStation], identity: str, profile: int) -> Any:
    password = await gateway.add(identity, profile, f"SN-{identity}")
    return kind(gateway, folder, identity=identity, serial=f"SN-{identity}", password=password, profile=profile)


async def test_the_clients_address_is_the_balancers_word(gateway: Any, tmp_path: Path) -> None:
    secured = await _new(gateway, tmp_path, Station201, "CS1", 2)
    plain = await _new(gateway, tmp_path, Station16, "CS2", 1)

    await _through(secured, BALANCER, OUTSIDE)
    async with secured.online() as boot:
        assert boot["status"] == "Accepted"
    assert (await gateway.told(event="admitted", identity="CS1"))["remote"] == OUTSIDE
    await _through(plain, BALANCER, INSIDE)
    async with plain.online() as boot:
        assert boot["status"] == "Accepted"
    assert (await gateway.told(event="admitted", identity="CS2"))["remote"] == INSIDE

    await _through(plain, BALANCER, OUTSIDE)
    assert (await plain.refused()).status_code == 403
    secured.password = "a wrong password 17"
    await _through(secured, BALANCER, OUTSIDE)
    assert (await secured.refused()).status_code == 401

    await gateway.stop()
    _, printed, _ = await gateway.run("events", "--json", "--config", str(gateway.config))
    assert sorted((each["type"], each["identity"], each["remote"]) for each in json.loads(printed)) == [
        ("FailedToAuthenticateAtCsms", "CS1", OUTSIDE),
        ("ForeignRequest", "CS2", OUTSIDE),
    ]


async def test_a_header_from_anybody_else_and_none_from_the_balancer(gateway: Any, tmp_path: Path) -> None:
    secured = await _new(gateway, tmp_path, Station201, "CS1", 2)
    plain = await _new(gateway, tmp_path, Station16, "CS2", 1)
    for station in (secured, plain):
        # A stranger that says whom it is from isn't believed, nor taken for somebody who said nothing.
        await _through(station, STRANGER, INSIDE)
        await _dropped(station)
        await _through(station, BALANCER, None)
        await _dropped(station)
        # Without a header it is who it is.
        await _through(station, STRANGER, None)
        async with station.online() as boot:
            assert boot["status"] == "Accepted"
        assert (await gateway.told(event="admitted", identity=station.identity))["remote"] == STRANGER
    refusals = [json.loads(line) for line in gateway.log.splitlines() if '"connection_refused"' in line]
    assert [(each["remote"], each["reason"]) for each in refusals if each["remote"] == BALANCER] == [
        (BALANCER, "connection_proxy_header"),
        (BALANCER, "connection_proxy_header"),
    ]
    assert INSIDE not in gateway.log
