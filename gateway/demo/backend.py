"""The demo's old backend: ``python -m gateway.demo.backend``, an OCPP 1.6-J central system on `ocpp` and websockets.

It is strict: HTTP Basic, the subprotocol ocpp1.6, BootNotification before anything else, schemas in both directions,
books that must add up. What breaks a rule is told as ``fault``. The commands on stdin (``json_lines``) are
``remote_start`` (station, connector, id_tag), ``update_firmware`` and ``get_diagnostics`` (station, location).
"""

import argparse
import asyncio
import base64
import hmac
from contextlib import AsyncExitStack
from dataclasses import asdict
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from gateway.demo.accounts import AccountFault, Accounts
from gateway.demo.backend_files import BackendFiles
from gateway.demo.charging import now
from gateway.demo.json_lines import Command, Tell, commands, lines_of_stdin, tell
from gateway.demo.typed_ocpp import ChargePoint16, FaultHandler, OCPPError, call16, on, result16

SUBPROTOCOL: Final = Subprotocol("ocpp1.6")
PATH: Final = "/ocpp/"
HEARTBEAT_INTERVAL: Final = 300
"""Seconds."""
CALL_TIMEOUT: Final = 10.0
"""Seconds that the backend waits for a charge point's answer."""


class Backend:
    """The central system: who may connect, whose tokens are good, and the books."""

    def __init__(self, *, id_tags: frozenset[str], password: str | None, accounts: Accounts, tell: Tell) -> None:
        self.accounts = accounts
        self.tell = tell
        self.booted: set[str] = set()
        self._id_tags = frozenset(tag.casefold() for tag in id_tags)
        self._password = password
        self._charge_points: dict[str, CentralPeer] = {}
        self._changed = asyncio.Condition()
        """Notified when a charge point connects."""

    async def listen(self, port: int) -> Server:
        """Open the port on loopback."""
        return await serve(
            self._live_on, "127.0.0.1", port, subprotocols=[SUBPROTOCOL], process_request=self._check_entry
        )

    async def obey(self, command: Command) -> None:
        """Send what the operator's app would, and tell the charge point's answer."""
        match name := command["command"]:
            case "remote_start":
                request = call16.RemoteStartTransaction(id_tag=command["id_tag"], connector_id=command["connector"])
            case "update_firmware":
                request = call16.UpdateFirmware(location=command["location"], retrieve_date=now())
            case "get_diagnostics":
                request = call16.GetDiagnostics(location=command["location"])
            case unknown:
                raise ValueError(f"no such command: {unknown!r}")
        try:
            answer = await self._ask(command["station"], request)
        except (OCPPError, TimeoutError) as error:
            self.tell("fault", text=f"{name}: {type(error).__name__}: {error}")
            return
        self.tell(name, station=command["station"], **asdict(answer))

    async def _ask(self, station: str, request: Any) -> Any:
        """Call a charge point once it is connected, again on its next connection when this one breaks off.

        Raises OCPPError for a CALLERROR, TimeoutError.
        """
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: station in self._charge_points)
                charge_point = self._charge_points[station]
            asking = asyncio.create_task(charge_point.call(request, suppress=False), name="call")
            breaking = asyncio.create_task(charge_point.gone(), name="connection")
            try:
                await asyncio.wait({asking, breaking}, return_when=asyncio.FIRST_COMPLETED)
                if asking.done() and not isinstance(asking.exception(), ConnectionClosed):
                    return asking.result()
            finally:
                asking.cancel()
                breaking.cancel()

    def id_tag_info(self, id_tag: str) -> dict[str, str]:
        """Return IdTagInfo: tokens are good or unknown (letter case doesn't count in 1.6)."""
        return {"status": "Accepted" if id_tag.casefold() in self._id_tags else "Invalid"}

    def _check_entry(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse a handshake before the upgrade: 404, 401, or 400 for the subprotocol."""
        identity = _identity(request.path)
        if identity is None:
            return self._refuse(connection, HTTPStatus.NOT_FOUND, f"path {request.path!r}")
        if self._password is not None and not self._is_authentic(request, identity):
            return self._refuse(connection, HTTPStatus.UNAUTHORIZED, f"{identity}: wrong or no Basic credentials")
        offered = ",".join(request.headers.get_all("Sec-WebSocket-Protocol"))
        if SUBPROTOCOL not in [each.strip() for each in offered.split(",")]:
            return self._refuse(connection, HTTPStatus.BAD_REQUEST, f"{identity}: offers {offered!r}, not ocpp1.6")
        return None

    def _refuse(self, connection: ServerConnection, status: HTTPStatus, why: str) -> Response:
        self.tell("fault", text=f"connection refused with {status.value}: {why}")
        return connection.respond(status, "")

    def _is_authentic(self, request: Request, identity: str) -> bool:
        expected = "Basic " + base64.b64encode(f"{identity}:{self._password}".encode()).decode("ascii")
        return hmac.compare_digest(expected.encode(), request.headers.get("Authorization", "").encode())

    async def _live_on(self, connection: ServerConnection) -> None:
        identity = _identity(connection.request.path) if connection.request is not None else None
        if identity is None:
            raise AssertionError("a connection came in past the check of its path")
        charge_point = CentralPeer(self, identity, connection)
        async with self._changed:
            self._charge_points[identity] = charge_point
            self._changed.notify_all()
        self.tell("connected", station=identity)
        try:
            await charge_point.start()
        except ConnectionClosed as closed:
            self.tell("disconnected", station=identity, code=closed.rcvd.code if closed.rcvd else None)
        finally:
            if self._charge_points.get(identity) is charge_point:
                del self._charge_points[identity]


class CentralPeer(ChargePoint16):  # type: ignore[misc]  # `ocpp` ships no types: its class is Any
    """One charge point's connection, seen from the backend."""

    def __init__(self, backend: Backend, identity: str, connection: ServerConnection) -> None:
        super().__init__(identity, connection, response_timeout=CALL_TIMEOUT)
        self._backend = backend
        self._websocket = connection

    async def gone(self) -> None:
        """Wait until the connection has ended."""
        await self._websocket.wait_closed()

    @on("BootNotification")
    def boot(self, charge_point_vendor: str, charge_point_model: str, **rest: Any) -> Any:
        """Accept every charge point that got this far."""
        self._backend.booted.add(self.id)
        self._tell(
            "boot",
            vendor=charge_point_vendor,
            model=charge_point_model,
            serial=rest.get("charge_point_serial_number"),
            firmware=rest.get("firmware_version"),
        )
        return result16.BootNotification(current_time=now(), interval=HEARTBEAT_INTERVAL, status="Accepted")

    @on("Heartbeat")
    def heartbeat(self) -> Any:
        """Tell the time."""
        self._check_booted("Heartbeat")
        return result16.Heartbeat(current_time=now())

    @on("StatusNotification")
    def status(self, connector_id: int, error_code: str, status: str, **_: object) -> Any:
        """Note a connector's status."""
        self._check_booted("StatusNotification")
        self._tell("status", connector=connector_id, status=status, error_code=error_code)
        return result16.StatusNotification()

    @on("FirmwareStatusNotification")
    def firmware_status(self, status: str) -> Any:
        """Note how far an update is."""
        self._check_booted("FirmwareStatusNotification")
        self._tell("firmware_status", status=status)
        return result16.FirmwareStatusNotification()

    @on("DiagnosticsStatusNotification")
    def diagnostics_status(self, status: str) -> Any:
        """Note how far an upload is."""
        self._check_booted("DiagnosticsStatusNotification")
        self._tell("diagnostics_status", status=status)
        return result16.DiagnosticsStatusNotification()

    @on("Authorize")
    def authorize(self, id_tag: str) -> Any:
        """Say whether a token may charge."""
        self._check_booted("Authorize")
        info = self._backend.id_tag_info(id_tag)
        self._tell("authorize", id_tag=id_tag, status=info["status"])
        return result16.Authorize(id_tag_info=info)

    @on("StartTransaction")
    def start_transaction(self, connector_id: int, id_tag: str, meter_start: int, timestamp: str, **_: object) -> Any:
        """Open a session in the books."""
        self._check_booted("StartTransaction")
        info = self._backend.id_tag_info(id_tag)
        try:
            opened = self._backend.accounts.start(self.id, connector_id, id_tag, meter_start, timestamp)
        except AccountFault as fault:
            self._fault(str(fault))
            return result16.StartTransaction(transaction_id=0, id_tag_info={"status": "ConcurrentTx"})
        self._tell("start_transaction", transaction=opened.number, id_tag=id_tag, register=meter_start)
        return result16.StartTransaction(transaction_id=opened.number, id_tag_info=info)

    @on("MeterValues")
    def meter_values(
        self,
        meter_value: list[dict[str, Any]],
        transaction_id: int | None = None,
        **_: object,
    ) -> Any:
        """Book the registers of a session; those outside one are only noted."""
        self._check_booted("MeterValues")
        if transaction_id is not None:
            try:
                for register in self._backend.accounts.sample(self.id, transaction_id, meter_value):
                    self._tell("meter_value", transaction=transaction_id, register=register)
            except AccountFault as fault:
                self._fault(str(fault))
        return result16.MeterValues()

    @on("StopTransaction")
    def stop_transaction(self, meter_stop: int, transaction_id: int, **rest: Any) -> Any:
        """Close a session in the books; what it says then is billed."""
        self._check_booted("StopTransaction")
        try:
            closed = self._backend.accounts.stop(self.id, transaction_id, meter_stop)
        except AccountFault as fault:
            self._fault(str(fault))
            return result16.StopTransaction()
        self._tell("stop_transaction", transaction=closed.number, reason=rest.get("reason"), account=closed.account())
        return result16.StopTransaction(id_tag_info=self._backend.id_tag_info(rest.get("id_tag", closed.id_tag)))

    def _check_booted(self, action: str) -> None:
        if self.id not in self._backend.booted:
            self._fault(f"{action} before BootNotification")

    def _fault(self, text: str) -> None:
        self._tell("fault", text=text)

    def _tell(self, event: str, **facts: Any) -> None:
        self._backend.tell(event, station=self.id, **facts)


def _identity(path: str) -> str | None:
    """Return the charge point's identity, the path's last segment, or None."""
    name = path.removeprefix(PATH)
    return unquote(name) if path.startswith(PATH) and name and "/" not in name else None


async def work(arguments: argparse.Namespace, reader: asyncio.StreamReader) -> None:
    """Be the backend until the director goes."""
    password = arguments.password_file.read_text() if arguments.password_file is not None else None
    backend = Backend(
        id_tags=frozenset(arguments.id_tag), password=password, accounts=Accounts(lose=arguments.lose_wh), tell=tell
    )
    FaultHandler(lambda text: tell("fault", text=text)).install()
    async with AsyncExitStack() as stack:
        files = None
        if arguments.files is not None:
            files = await stack.enter_async_context(BackendFiles(arguments.files, tell).listen())
        server = await stack.enter_async_context(await backend.listen(arguments.port))
        group = await stack.enter_async_context(asyncio.TaskGroup())
        tell("listening", port=server.sockets[0].getsockname()[1], files=files)
        async for command in commands(reader):
            group.create_task(backend.obey(command), name=command["command"])


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m gateway.demo.backend", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: the kernel picks one")
    parser.add_argument("--id-tag", action="append", default=[], help="a token that may charge; repeatable")
    parser.add_argument(
        "--password-file", type=Path, help="Basic password of every charge point; absent: none is asked"
    )
    parser.add_argument("--files", type=Path, help="the folder of a file server: images in firmware, logs in logs")
    parser.add_argument("--lose-wh", type=int, default=0, help=argparse.SUPPRESS)  # for the test of the comparison
    return parser.parse_args(words)


async def main() -> None:
    """Run the process."""
    await work(parse(), await lines_of_stdin())


if __name__ == "__main__":
    asyncio.run(main())
