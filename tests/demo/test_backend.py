"""The old backend against a 1.6 charge point on `ocpp`."""

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from gateway.demo.accounts import Accounts
from gateway.demo.backend import Backend, parse, work
from gateway.demo.charging import now
from gateway.demo.typed_ocpp import ChargePoint16, call16, on, result16

PASSWORD = "s3cret"
LOCATION = "http://files.example.com/two"
SUBPROTOCOLS = [Subprotocol("ocpp1.6")]


class ChargePoint(ChargePoint16):  # type: ignore[misc]  # `ocpp` ships no types: its class is Any
    """Accepts remote starts; while ``silent`` it doesn't answer them."""

    silent = False

    @on("RemoteStartTransaction")
    async def remote_start(self, id_tag: str, connector_id: int) -> Any:
        if self.silent:
            await asyncio.Event().wait()
        return result16.RemoteStartTransaction(
            status="Accepted" if (id_tag, connector_id) == ("TAG", 1) else "Rejected"
        )

    @on("UpdateFirmware")
    def update_firmware(self, location: str, **_: object) -> Any:
        assert location == LOCATION
        return result16.UpdateFirmware()

    @on("GetDiagnostics")
    def get_diagnostics(self, location: str) -> Any:
        assert location == LOCATION
        return result16.GetDiagnostics(file_name="log.zip")


@pytest.fixture
async def backend(told: Any) -> AsyncIterator[tuple[Backend, int]]:
    backend = Backend(id_tags=frozenset({"TAG"}), password=PASSWORD, accounts=Accounts(), tell=told)
    async with await backend.listen(0) as server:
        yield backend, server.sockets[0].getsockname()[1]


@pytest.fixture
async def port(backend: tuple[Backend, int]) -> int:
    return backend[1]


def basic(user: str = "CS001", password: str = PASSWORD) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@asynccontextmanager
async def charge_point(port: int, identity: str = "CS001") -> AsyncIterator[ChargePoint]:
    url = f"ws://127.0.0.1:{port}/ocpp/{identity}"
    async with connect(url, subprotocols=SUBPROTOCOLS, additional_headers=basic(identity), proxy=None) as connection:
        peer = ChargePoint(identity, connection, response_timeout=5)
        reading = asyncio.create_task(peer.start(), name="charge point")
        try:
            yield peer
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError, ConnectionClosed):
                await reading


async def boot(peer: ChargePoint) -> None:
    answer = await peer.call(
        call16.BootNotification("Two-Oh-One", "Voltgate", charge_point_serial_number="SN-1"), suppress=False
    )
    assert (answer.status, answer.interval) == ("Accepted", 300)


async def start(peer: ChargePoint, id_tag: str = "TAG", register: int = 1_000) -> Any:
    return await peer.call(
        call16.StartTransaction(connector_id=1, id_tag=id_tag, meter_start=register, timestamp=now()), suppress=False
    )


async def stop(peer: ChargePoint, number: int, register: int) -> Any:
    return await peer.call(
        call16.StopTransaction(meter_stop=register, timestamp=now(), transaction_id=number, reason="Local"),
        suppress=False,
    )


@pytest.mark.parametrize(
    ("path", "headers", "subprotocols", "status", "why"),
    [
        ("/ocpp/CS001", {}, SUBPROTOCOLS, 401, "no Basic credentials"),
        ("/ocpp/CS001", basic(password="guess"), SUBPROTOCOLS, 401, "wrong"),
        ("/ocpp/CS001", basic(user="CS002"), SUBPROTOCOLS, 401, "wrong"),
        ("/ocpp/CS001", basic(), None, 400, "not ocpp1.6"),
        ("/ocpp/CS001", basic(), [Subprotocol("ocpp2.0.1")], 400, "'ocpp2.0.1', not ocpp1.6"),
        ("/ocpp/", basic(), SUBPROTOCOLS, 404, "path"),
        ("/ocpp/a/CS001", basic(), SUBPROTOCOLS, 404, "path"),
        ("/CS001", basic(), SUBPROTOCOLS, 404, "path"),
    ],
)
async def test_who_does_not_get_in(
    port: int, told: Any, path: str, headers: Any, subprotocols: Any, status: int, why: str
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://127.0.0.1:{port}{path}", subprotocols=subprotocols, additional_headers=headers, proxy=None)

    assert refused.value.response.status_code == status
    fault = await told.until("fault")
    assert why in fault["text"]
    assert PASSWORD not in fault["text"]


async def test_a_session_in_the_ledger(port: int, told: Any) -> None:
    async with charge_point(port) as peer:
        await boot(peer)
        assert (await peer.call(call16.Heartbeat())).current_time.endswith("Z")
        await peer.call(call16.StatusNotification(connector_id=1, error_code="NoError", status="Preparing"))
        assert (await peer.call(call16.Authorize(id_tag="tag"))).id_tag_info["status"] == "Accepted"
        opened = await start(peer)
        sample = {"value": "1.25", "unit": "kWh", "measurand": "Energy.Active.Import.Register"}
        values = [{"timestamp": now(), "sampled_value": [sample]}]
        await peer.call(call16.MeterValues(connector_id=1, meter_value=values, transaction_id=opened.transaction_id))
        await peer.call(call16.MeterValues(connector_id=1, meter_value=values))
        closed = await stop(peer, opened.transaction_id, 1_500)

    assert (opened.transaction_id, opened.id_tag_info["status"], closed.id_tag_info["status"]) == (
        1,
        "Accepted",
        "Accepted",
    )
    assert (await told.until("boot"))["serial"] == "SN-1"
    await told.until("status", connector=1, status="Preparing")
    await told.until("authorize", id_tag="tag", status="Accepted")
    await told.until("start_transaction", transaction=1, register=1_000)
    await told.until("meter_value", transaction=1, register=1_250)
    stopped = await told.until("stop_transaction", transaction=1, reason="Local")
    assert stopped["account"] == {"id_tag": "TAG", "start": 1_000, "samples": [1_250], "stop": 1_500}
    await told.until("disconnected", station="CS001")
    assert told.events == []


async def test_an_unknown_token_is_invalid(port: int) -> None:
    async with charge_point(port) as peer:
        await boot(peer)
        assert (await peer.call(call16.Authorize(id_tag="NOBODY"))).id_tag_info["status"] == "Invalid"
        assert (await start(peer, id_tag="NOBODY")).id_tag_info["status"] == "Invalid"


async def test_what_does_not_add_up_is_a_fault(port: int, told: Any) -> None:
    async with charge_point(port) as peer:
        await peer.call(call16.Heartbeat())
        assert "Heartbeat before BootNotification" in (await told.until("fault"))["text"]
        await boot(peer)
        await start(peer)
        assert (await start(peer, register=2_000)).id_tag_info["status"] == "ConcurrentTx"
        assert "while transaction 1 runs" in (await told.until("fault"))["text"]
        await stop(peer, 9, 1)
        assert "no transaction 9" in (await told.until("fault"))["text"]
        values = [{"timestamp": now(), "sampled_value": [{"value": "1"}]}]
        await peer.call(call16.MeterValues(connector_id=1, meter_value=values, transaction_id=9))
        assert "no transaction 9" in (await told.until("fault"))["text"]


async def test_a_remote_start_waits_for_the_charge_point(backend: tuple[Backend, int], told: Any) -> None:
    system, port = backend
    command = {"command": "remote_start", "station": "CS001", "connector": 1, "id_tag": "TAG"}
    asking = asyncio.create_task(system.obey(command), name="remote start")

    async with charge_point(port):
        await asking

    await told.until("remote_start", station="CS001", status="Accepted")


async def test_a_remote_start_is_sent_again_when_the_connection_breaks_off(
    backend: tuple[Backend, int], told: Any
) -> None:
    system, port = backend
    command = {"command": "remote_start", "station": "CS001", "connector": 1, "id_tag": "TAG"}

    async with charge_point(port) as peer:
        peer.silent = True
        asking = asyncio.create_task(system.obey(command), name="remote start")
        await told.until("connected")
    await told.until("disconnected")
    async with charge_point(port):
        await asking

    await told.until("remote_start", status="Accepted")


async def test_a_callerror_to_a_remote_start_is_a_fault(backend: tuple[Backend, int], told: Any) -> None:
    system, port = backend
    url = f"ws://127.0.0.1:{port}/ocpp/CS001"
    async with connect(url, subprotocols=SUBPROTOCOLS, additional_headers=basic(), proxy=None) as connection:
        command = {"command": "remote_start", "station": "CS001", "connector": 1, "id_tag": "TAG"}
        asking = asyncio.create_task(system.obey(command), name="remote start")
        _, number, action, _ = json.loads(await connection.recv())
        await connection.send(json.dumps([4, number, "InternalError", "", {}]))
        await asking

    assert action == "RemoteStartTransaction"
    assert "remote_start: InternalError" in (await told.until("fault"))["text"]


@pytest.mark.parametrize(
    ("command", "answer"), [("update_firmware", {}), ("get_diagnostics", {"file_name": "log.zip"})]
)
async def test_firmware_and_diagnostics_are_asked_for_by_a_location(
    backend: tuple[Backend, int], told: Any, command: str, answer: dict[str, str]
) -> None:
    system, port = backend
    async with charge_point(port):
        await system.obey({"command": command, "station": "CS001", "location": LOCATION})

    await told.until(command, station="CS001", **answer)


async def test_how_far_updates_and_uploads_are(port: int, told: Any) -> None:
    async with charge_point(port) as peer:
        await boot(peer)
        await peer.call(call16.FirmwareStatusNotification(status="Downloading"), suppress=False)
        await peer.call(call16.DiagnosticsStatusNotification(status="Uploaded"), suppress=False)

    await told.until("firmware_status", station="CS001", status="Downloading")
    await told.until("diagnostics_status", station="CS001", status="Uploaded")
    assert "fault" not in [event["event"] for event in told.events]


async def test_an_unknown_command_is_an_error(backend: tuple[Backend, int]) -> None:
    with pytest.raises(ValueError, match="'dance'"):
        await backend[0].obey({"command": "dance"})


async def test_a_newer_connection_takes_the_place_of_the_older(backend: tuple[Backend, int], told: Any) -> None:
    system, port = backend
    command = {"command": "remote_start", "station": "CS001", "connector": 1, "id_tag": "TAG"}
    async with charge_point(port) as newer_soon_older:
        newer_soon_older.silent = True
        await told.until("connected")
        async with charge_point(port):
            await told.until("connected")
            await system.obey(command)

    await told.until("remote_start", status="Accepted")


async def test_it_works_until_its_director_goes(tmp_path: Path, told: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.demo.backend.tell", told)
    (tmp_path / "password").write_text(PASSWORD)
    reader = asyncio.StreamReader()
    arguments = parse(
        ["--id-tag", "TAG", "--password-file", str(tmp_path / "password"), "--files", str(tmp_path / "files")]
    )
    working = asyncio.create_task(work(arguments, reader), name="backend")

    listening = await told.until("listening")
    async with charge_point(listening["port"]):
        async with ClientSession() as session, session.put(f"http://127.0.0.1:{listening['files']}/logs/a") as taken:
            assert taken.status == 201
        command = {"command": "remote_start", "station": "CS001", "connector": 1, "id_tag": "OTHER"}
        reader.feed_data(json.dumps(command).encode() + b"\n")
        await told.until("remote_start", status="Rejected")
        reader.feed_eof()
        await working


async def test_the_process() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway.demo.backend", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )

    out, _ = await process.communicate(b"")

    assert (json.loads(out)["event"], process.returncode) == ("listening", 0)
