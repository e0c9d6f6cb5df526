"""The station's connection: proof, retries, and what happens when it breaks off."""

import asyncio
import base64
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from gateway.demo.station_folder import StationFolder
from gateway.demo.station_link import NotConnected, StationLink
from gateway.demo.typed_ocpp import ChargePoint201, call201

BASIC = "Basic " + base64.b64encode(b"CS001:correct-horse-battery").decode()


async def idle() -> None:
    """Nothing to do on a new connection."""


@asynccontextmanager
async def connected(link: StationLink, url: str) -> AsyncIterator[None]:
    async def keep() -> None:
        await link.stay_connected(url, lambda connection: ChargePoint201("CS001", connection, 5), idle)

    task = asyncio.create_task(keep(), name="link")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_first_with_the_password_then_with_the_certificate(
    folder: StationFolder, told: Any, csms: Any, operator_ca: Any
) -> None:
    link = StationLink("CS001", folder, told)

    async with connected(link, csms.url):
        by_password = await csms.told.until("entered")
        assert (await told.until("connected"))["profile"] == 2
        folder.install(operator_ca.sign(folder.new_csr()))
        link.reconnect()
        assert (await told.until("disconnected"))["code"] == 1000
        by_certificate = await csms.told.until("entered")
        assert (await told.until("connected"))["tls"] == "TLSv1.3"
    await csms.told.until("left")

    assert by_password == {"event": "entered", "path": "/ocpp/CS001", "subject": None, "authorization": BASIC}
    assert by_certificate["subject"] == "CN=SN-1,O=Example CPO"
    assert by_certificate["authorization"] is None


async def test_it_tries_again_with_growing_patience(folder: StationFolder, told: Any) -> None:
    waits: list[float] = []
    seen_enough = asyncio.Event()

    async def pause(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 7:
            seen_enough.set()
            await asyncio.Event().wait()

    with socket.create_server(("127.0.0.1", 0)) as closed_soon:
        port = closed_soon.getsockname()[1]
    link = StationLink("CS001", folder, told, pause)

    async with connected(link, f"wss://localhost:{port}/ocpp"), asyncio.timeout(10):
        await seen_enough.wait()

    assert waits == [0.25, 0.5, 1.0, 2.0, 4.0, 4.0, 4.0]


async def test_a_csms_of_another_name_or_root_is_refused(
    folder: StationFolder, told: Any, csms: Any, tmp_path: Path, stranger_ca: Any
) -> None:
    link = StationLink("CS001", folder, told)

    async with connected(link, csms.url.replace("localhost", "127.0.0.1")):
        assert "certificate verify failed" in (await told.until("refused"))["why"]

    (tmp_path / "csms-root.pem").write_bytes(stranger_ca.root_pem)
    async with connected(link, csms.url):
        assert "certificate verify failed" in (await told.until("refused"))["why"]


async def test_a_csms_without_the_subprotocol_is_left(folder: StationFolder, told: Any, csms: Any) -> None:
    csms.subprotocol = "ocpp2.1"
    link = StationLink("CS001", folder, told)

    async with connected(link, csms.url):
        assert "does not speak ocpp2.0.1" in (await told.until("refused"))["why"]


async def test_calls_go_out_and_callerrors_and_breaks_are_faults(folder: StationFolder, told: Any, csms: Any) -> None:
    link = StationLink("CS001", folder, told)

    async def unsupported() -> None:
        await link.call(call201.PublishFirmwareStatusNotification(status="Idle"))

    with pytest.raises(NotConnected):
        await link.call(call201.Heartbeat())
    link.reconnect()
    link.spawn(idle(), "early")
    assert (await told.until("fault"))["text"] == "early: the station is not connected"

    async with connected(link, csms.url):
        await told.until("connected")
        await csms.told.until("entered")
        assert (await link.call(call201.Heartbeat())).current_time
        link.spawn(unsupported(), "odd")
        assert "odd: NotImplementedError" in (await told.until("fault"))["text"]
        await csms.peer.connection.close(1012)
        assert (await told.until("disconnected"))["code"] == 1012
        await told.until("connected")
