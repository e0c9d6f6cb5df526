"""The demo's charging station: ``python -m gateway.demo.station`` (OCPP 2.0.1, security profiles 2 and 3).

It takes the commands of its installer and driver on stdin and tells events on stdout (``json_lines``): ``connect``
(url), ``plug_in``, ``charge`` (samples; energy: Wh each), ``stop`` (energy: the last Wh), ``unplug``; with a vehicle
of its own ``install_contract`` and ``plug_and_charge``.
"""

import argparse
import asyncio
import base64
from pathlib import Path
from typing import Any, Final

from websockets.asyncio.client import ClientConnection

from gateway.demo.charging import CONNECTOR, EVSE, ChargingSession, RemoteStart, now
from gateway.demo.device_model import (
    AUTHORIZE_REMOTE_START,
    SECURITY_PROFILE,
    SIGNING_REPEATS,
    SIGNING_WAIT,
    DeviceModel,
)
from gateway.demo.json_lines import Command, Tell, commands, lines_of_stdin, tell
from gateway.demo.meter import Meter
from gateway.demo.station_files import StationFiles
from gateway.demo.station_folder import StationFolder
from gateway.demo.station_link import Pause, StationLink
from gateway.demo.station_peer import SIGN_TRIGGER, StationPeer
from gateway.demo.typed_ocpp import FaultHandler, call201
from gateway.demo.vehicle import ContractRefused, Vehicle
from pki.iso15118.exi import Schema

FIRST_REGISTER: Final = 1_234_567
"""Wh on the meter before the first session: it has served before, and isn't round."""
VENDOR: Final = "Voltgate Demo"
FIRST_VERSION: Final = "1.0.0"
"""Of the firmware that it left its factory with."""
BOOT_RETRY: Final = 10
"""Seconds to the next BootNotification where the answer leaves it to the station (B02.FR.08)."""


class Station:
    """What lasts over reconnects: boot state, device model, certificate, meter, the session."""

    def __init__(
        self,
        identity: str,
        serial: str,
        folder: StationFolder,
        variables: DeviceModel,
        tell: Tell,
        pause: Pause = asyncio.sleep,
        *,
        vehicle: Vehicle | None = None,
    ) -> None:
        """``vehicle``: one that speaks ISO 15118 with it."""
        self.identity = identity
        self.folder = folder
        self.variables = variables
        self.tell = tell
        self._serial = serial
        self._pause = pause
        self._vehicle = vehicle
        self._link = StationLink(identity, folder, tell, pause)
        self._files = StationFiles(folder, self._link, tell)
        self._version = FIRST_VERSION
        self._meter = Meter(FIRST_REGISTER)
        self._accepted = False
        self._session: ChargingSession | None = None
        self._remote: RemoteStart | None = None
        self._taken: RemoteStart | None = None
        """A remote start whose answer is on its way."""
        self._authorized = False
        self._renewing = False
        self._certificate_came = asyncio.Event()

    async def stay_connected(self, url: str) -> None:
        """Be connected until cancelled."""
        await self._link.stay_connected(url, self._new_peer, self._on_connected)

    def obey(self, command: Command) -> None:
        """Do what the driver or installer does."""
        match command["command"]:
            case "plug_in":
                work = self._plug_in()
            case "install_contract":
                work = self._install_contract(self._own_vehicle())
            case "plug_and_charge":
                work = self._plug_and_charge(self._own_vehicle())
            case "charge":
                work = self._charge(command["samples"], command["energy"])
            case "stop":
                self._meter.deliver(command["energy"])
                work = self._stop("StopAuthorized", "Local")
            case "unplug":
                work = self._unplug()
            case unknown:
                raise ValueError(f"no such command: {unknown!r}")
        self._link.spawn(work, command["command"])

    # --- boot: B01, B02

    def _new_peer(self, connection: ClientConnection) -> StationPeer:
        self.variables[SECURITY_PROFILE] = str(self._link.profile)
        return StationPeer(self, connection)

    async def _on_connected(self) -> None:
        interval = 0
        if not self._accepted:  # a mere reconnect needs no BootNotification (Part 4, 5.3)
            interval = await self._boot("PowerUp")
        while interval:
            await self._pause(interval)
            await self._link.call(call201.Heartbeat())

    async def _boot(self, reason: str) -> int:
        """Send BootNotification until it is accepted, and return the heartbeat interval in seconds."""
        station = {
            "vendor_name": VENDOR,
            "model": "Two-Oh-One",
            "serial_number": self._serial,
            "firmware_version": self._version,
        }
        while True:
            answer = await self._link.call(call201.BootNotification(charging_station=station, reason=reason))
            self.tell("boot", status=answer.status, interval=answer.interval)
            if answer.status == "Accepted":
                break
            await self._pause(answer.interval or BOOT_RETRY)
        self._accepted = True
        await self._report_connector()
        return int(answer.interval)

    async def _report_connector(self) -> None:
        status = "Available" if self._session is None else "Occupied"
        await self._link.call(
            call201.StatusNotification(timestamp=now(), connector_status=status, evse_id=EVSE, connector_id=CONNECTOR)
        )
        self.tell("status", connector=status)

    def triggered(self, message: str) -> None:
        """Send the message that TriggerMessage asked for."""
        work = {
            SIGN_TRIGGER: self._renew,
            "BootNotification": self._boot_again,
            "Heartbeat": self._heartbeat,
            "StatusNotification": self._report_connector,
        }[message]
        self._link.spawn(work(), message)

    async def _boot_again(self) -> None:
        await self._boot("Triggered")

    async def _heartbeat(self) -> None:
        await self._link.call(call201.Heartbeat())

    def report_inventory(self, request_id: int) -> None:
        """Send the inventory (B07.FR.03); it is short enough for one message."""
        report = call201.NotifyReport(
            request_id=request_id, generated_at=now(), seq_no=0, tbc=False, report_data=self.variables.report()
        )
        self._link.spawn(self._send(report), "NotifyReport")

    # --- certificate: A02

    async def _renew(self) -> None:
        """Ask for a certificate until one comes, waiting twice as long each time (A02.FR.17 to FR.19)."""
        if self._renewing:
            return
        self._renewing = True
        try:
            csr = await asyncio.to_thread(self.folder.new_csr)
            wait = int(self.variables[SIGNING_WAIT])
            for _ in range(1 + int(self.variables[SIGNING_REPEATS])):
                self._certificate_came.clear()
                answer = await self._link.call(
                    call201.SignCertificate(csr=csr, certificate_type="ChargingStationCertificate")
                )
                self.tell("csr", status=answer.status, info=answer.status_info)
                if answer.status != "Accepted" or await self._comes_within(wait):
                    return
                wait *= 2
        finally:
            self._renewing = False

    async def _comes_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self._certificate_came.wait()
        except TimeoutError:
            return False

    def certificate_installed(self) -> None:
        """Come back with the new certificate (A02.FR.08)."""
        self._certificate_came.set()
        self._link.reconnect()

    def certificate_refused(self, why: str) -> None:
        """Report a certificate that was refused (A02.FR.07)."""
        self._certificate_came.set()
        self._report("InvalidChargingStationCertificate", why)

    def _report(self, event: str, why: str) -> None:
        notification = call201.SecurityEventNotification(type=event, timestamp=now(), tech_info=why[:255])
        self._link.spawn(self._send(notification), "SecurityEventNotification")

    # --- firmware and logs: L01, N01

    def update(self, request_id: int, firmware: dict[str, Any]) -> None:
        """Install what is ordered, if it is signed."""
        self._link.spawn(self._update(request_id, firmware), "UpdateFirmware")

    async def _update(self, request_id: int, firmware: dict[str, Any]) -> None:
        version = await self._files.update(request_id, firmware)
        if version is None:
            return
        self._version = version
        await self._boot("FirmwareUpdate")
        await self._files.firmware_status("Installed", request_id)

    def signer_refused(self, why: str) -> None:
        """Report a signing certificate that was refused (L01.FR.02)."""
        self._report("InvalidFirmwareSigningCertificate", why)

    def upload_log(self, request_id: int, location: str) -> None:
        """Upload what may help to find a fault."""
        diagnostics = {
            "identity": self.identity,
            "serial_number": self._serial,
            "firmware_version": self._version,
            "register": self._meter.register,
            "variables": self.variables.report(),
        }
        self._link.spawn(self._files.upload_log(request_id, location, diagnostics), "GetLog")

    async def _send(self, payload: Any) -> None:
        await self._link.call(payload)

    # --- charging: E01 to E07, F01 to F03

    def remote_start(self, start: RemoteStart) -> bool:
        """Take a RequestStartTransaction unless another one waits or a session is authorized already."""
        if not self._accepted or self._remote is not None:
            return False
        self._remote = self._taken = start
        return True

    def follow_remote_start(self) -> None:
        """Authorize the token that was taken, if one was."""
        taken, self._taken = self._taken, None
        if taken is not None:
            self._link.spawn(self._authorize(taken), "Authorize")

    async def _authorize(self, remote: RemoteStart) -> None:
        """Ask for the token where AuthorizeRemoteStart says so (F01.FR.01, FR.02), then start if the cable is in."""
        if self.variables[AUTHORIZE_REMOTE_START] == "true":
            answer = await self._link.call(call201.Authorize(id_token=remote.id_token))
            status = answer.id_token_info["status"]
            self.tell("authorize", status=status, id_token=remote.id_token)
            if status != "Accepted":
                self._remote = None
                return
        self._authorized = True
        if self._session is not None:
            await self._begin(self._session, self._session.authorized(remote))

    async def _plug_in(self) -> None:
        if self._session is not None:
            return
        session = await self._connect_vehicle()
        if self._remote is not None and self._authorized:
            await self._begin(session, session.authorized(self._remote))

    async def _connect_vehicle(self) -> ChargingSession:
        session = self._session = ChargingSession(self._meter)
        await self._report_connector()
        await self._link.call(session.plugged_in())
        self.tell("transaction", state="Started", transaction_id=session.transaction_id)
        return session

    async def _begin(self, session: ChargingSession, authorized: Any) -> None:
        answer = await self._link.call(authorized)
        info = answer.id_token_info or {}
        self.tell("transaction", state="Authorized", status=info.get("status"))
        if info.get("status", "Accepted") != "Accepted":
            await self._stop("Deauthorized", "DeAuthorized")
            return
        await self._link.call(session.power_flows())
        self.tell("transaction", state="Charging")

    # --- a vehicle with a contract: M01, C07

    def _own_vehicle(self) -> Vehicle:
        if self._vehicle is None:
            raise ValueError("there is no vehicle that speaks ISO 15118")
        return self._vehicle

    async def _install_contract(self, vehicle: Vehicle) -> None:
        """Hand the vehicle's request on, and the answer back (M01.FR.01)."""
        request = base64.b64encode(await vehicle.ask()).decode()
        answer = await self._link.call(
            call201.Get15118EVCertificate(
                iso15118_schema_version=Schema.ISO_2.value, action="Install", exi_request=request
            )
        )
        if answer.status != "Accepted":
            self.tell("contract", status=answer.status, info=answer.status_info)
            return
        try:
            contract = await asyncio.to_thread(vehicle.take, base64.b64decode(answer.exi_response))
        except ContractRefused as refused:
            self.tell("contract", status="Refused", why=str(refused))
            return
        self.tell("contract", status="Installed", emaid=vehicle.emaid, until=contract.not_valid_after_utc.isoformat())

    async def _plug_and_charge(self, vehicle: Vehicle) -> None:
        """The vehicle shows its contract; the station, which has no MO root, has it verified (C07.FR.06)."""
        session = await self._connect_vehicle()
        token = {"id_token": vehicle.emaid, "type": "eMAID"}
        answer = await self._link.call(call201.Authorize(id_token=token, certificate=vehicle.contract_chain))
        status = answer.id_token_info["status"]
        self.tell("authorize", status=status, certificate=answer.certificate_status, id_token=token)
        if status == "Accepted":
            await self._begin(session, session.identified(token))
        else:
            await self._stop("Deauthorized", "DeAuthorized")

    async def _charge(self, samples: int, energy: int) -> None:
        session = self._session
        if session is None:
            return
        for _ in range(samples):
            self._meter.deliver(energy)
            await self._link.call(session.sampled())
            self.tell("meter", register=self._meter.register)

    def may_stop(self, transaction_id: str) -> bool:
        """Return whether this transaction runs."""
        session = self._session
        return session is not None and session.stop is None and session.transaction_id == transaction_id

    def follow_remote_stop(self, transaction_id: str) -> None:
        """Stop the transaction if it runs."""
        if self.may_stop(transaction_id):
            self._link.spawn(self._stop("RemoteStop", "Remote"), "RemoteStop")

    async def _stop(self, trigger: str, reason: str) -> None:
        session = self._session
        if session is None or session.stop is not None:
            return
        await self._link.call(session.stopped(trigger, reason))
        self._remote = None
        self._authorized = False
        self.tell("transaction", state="Ended", account=session.account())

    async def _unplug(self) -> None:
        await self._stop("EVDeparted", "EVDisconnected")
        self._session = None
        await self._report_connector()


async def live(arguments: argparse.Namespace, reader: asyncio.StreamReader) -> None:
    """Be the station until the director goes."""
    folder = StationFolder(arguments.folder, serial=arguments.serial, operator=arguments.operator)
    variables = DeviceModel(identity=arguments.identity, operator=arguments.operator)
    vehicle = None if arguments.vehicle is None else Vehicle(arguments.vehicle)
    station = Station(arguments.identity, arguments.serial, folder, variables, tell, vehicle=vehicle)
    FaultHandler(lambda text: tell("fault", text=text)).install()
    tell("ready")
    connection: asyncio.Task[None] | None = None
    async with asyncio.TaskGroup() as group:
        async for command in commands(reader):
            if command["command"] == "connect" and connection is None:
                connection = group.create_task(station.stay_connected(command["url"]), name="connection")
            else:
                station.obey(command)
        if connection is not None:
            connection.cancel()


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m gateway.demo.station", description=__doc__)
    parser.add_argument("--identity", required=True)
    parser.add_argument("--serial", required=True, help="the station's serial number: its certificate's CN")
    parser.add_argument("--operator", required=True, help="its owner: its certificate's O")
    parser.add_argument("--folder", required=True, type=Path, help="where password, roots and keys are")
    parser.add_argument("--vehicle", type=Path, help="the folder of a vehicle that speaks ISO 15118")
    return parser.parse_args(words)


async def main() -> None:
    """Run the process."""
    await live(parse(), await lines_of_stdin())


if __name__ == "__main__":
    asyncio.run(main())
