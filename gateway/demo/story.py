"""The demo's story, step by step: each has a name, a deadline, and an event that it waits for."""

import asyncio
import secrets
import shutil
import sys
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from gateway.demo.child import DemoFailed, Talker, clean_environ
from gateway.demo.deployment import Deployment
from gateway.demo.ledger import Comparison, Session, kwh
from gateway.demo.timeline import Step, Timeline

IDENTITY: Final = "CS001"
SERIAL: Final = "VG-2025-000417"
OPERATOR: Final = "Example CPO"
ID_TAG: Final = "D0A1B2C3"
SAMPLES: Final = 4
ENERGY: Final = 1_377
"""Wh between two meter values."""
LAST_ENERGY: Final = 83
"""Wh after the last of them, until the contactor opens."""
START_DEADLINE: Final = 40.0
"""Seconds for a step that starts a process, on a machine that has other things to do."""
DEADLINE: Final = 15.0
"""Seconds for any other step."""


class Story:
    """Plays the demo in ``folder``. What it starts, :meth:`end` ends, whatever happened."""

    id_tag = ID_TAG
    """Who pays, as the backend knows it."""
    init_options: tuple[str, ...] = ()
    station_options: tuple[str, ...] = ()

    def __init__(self, folder: Path, timeline: Timeline, backend_options: Sequence[str] = ()) -> None:
        self.gateway = Deployment(folder / "gateway", folder / "gateway.log")
        self.comparison: Comparison | None = None
        self.station_folder = folder / "station"
        self._folder = folder
        self._timeline = timeline
        self._backend_options = backend_options
        self._backend_password = folder / "backend-password"
        self._listening: dict[str, Any] = {}
        self._talkers: dict[str, Talker] = {}

    @property
    def backend(self) -> Talker:
        """The old backend's process."""
        return self._talkers["backend"]

    @property
    def station(self) -> Talker:
        """The charging station's process."""
        return self._talkers["station"]

    async def play(self) -> None:
        """Play it all. Raises DemoFailed at the first step that doesn't happen."""
        await self._start_everybody()
        await self._boot()
        await self._renew()
        await self._start_session()
        await self._charge()
        self.comparison = await self._stop()
        for talker in self._talkers.values():
            talker.check()

    async def end(self) -> int | None:
        """End the processes, station first; return the gateway's exit status, None if it was never started."""
        if "station" in self._talkers:
            await self.station.dismiss()
        status = await self.gateway.stop()
        if "backend" in self._talkers:
            await self.backend.dismiss()
        return status

    def last_events(self) -> list[str]:
        """Return the latest thing that each process told."""
        return [f"{name}: {talker.last}" for name, talker in self._talkers.items() if talker.last]

    # --- the steps

    async def _start_everybody(self) -> None:
        _write_secret(self._backend_password, secrets.token_urlsafe(24))
        self.station_folder.mkdir(mode=0o700)
        await together(self._start_backend(), self._init())
        self._configure()
        await together(self._serve(), self._register(), self._start_station())

    def _configure(self) -> None:
        """Lay what is known of the others by now over the configuration."""
        self.gateway.use_backend(self._listening["port"], self._backend_password)

    async def _start_backend(self) -> None:
        async with self._step("backend", "", "old OCPP 1.6 central system listens", START_DEADLINE) as step:
            options = ("--id-tag", self.id_tag, "--password-file", str(self._backend_password), *self._backend_options)
            backend = await self._start("backend", *options)
            self._listening = await backend.expect("listening")
            step.detail = f"ws://127.0.0.1:{self._listening['port']}, Basic auth, one password"

    async def _start_station(self) -> None:
        async with self._step("station", "", "OCPP 2.0.1 station powers up", START_DEADLINE) as step:
            options = ("--identity", IDENTITY, "--serial", SERIAL, "--operator", OPERATOR)
            station = await self._start(
                "station", *options, "--folder", str(self.station_folder), *self.station_options
            )
            await station.expect("ready")
            step.detail = f"serial number {SERIAL}"

    async def _init(self) -> None:
        async with self._step("operator", "voltgate", "voltgate init", START_DEADLINE) as step:
            await self.gateway.init(OPERATOR, *self.init_options)
            step.detail = "configuration and development PKI"

    async def _serve(self) -> None:
        async with self._step("voltgate", "", "serves stations and the API", START_DEADLINE) as step:
            where = await self.gateway.serve()
            step.detail = f"{where.stations}/{{identity}}"

    async def _register(self) -> None:
        """Register the station, and give it what an installer would: password and roots."""
        async with self._step("operator", "voltgate", f"voltgate station add {IDENTITY}", START_DEADLINE) as step:
            registered = await self.gateway.add_station(IDENTITY, serial=SERIAL, profile=2)
            step.detail = "one-time password, security profile 2 or above"
        _write_secret(self.station_folder / "password", registered["password"])
        shutil.copy(self.gateway.csms_root, self.station_folder / "csms-root.pem")
        shutil.copy(self.gateway.station_roots, self.station_folder / "cso-root.pem")

    async def _boot(self) -> None:
        where = self.gateway.endpoints
        if where is None:
            raise DemoFailed("the gateway is not running")
        async with self._step("station", "voltgate", "connects: TLS and password (profile 2)") as step:
            await self.station.say("connect", url=where.stations)
            connected = await self.station.expect("connected", profile=2)
            step.detail = f"{connected['tls']}, {connected['cipher']}"
        async with self._step("station", "backend", "BootNotification") as step:
            seen = await self.backend.expect("boot", station=IDENTITY, serial=SERIAL)
            await self.station.expect("boot", status="Accepted")
            step.detail = f"Accepted; the backend sees {seen['vendor']} {seen['model']}"
        async with self._step("station", "backend", "StatusNotification: Available"):
            await self.station.expect("status", connector="Available")
            await self.backend.expect("status", station=IDENTITY, connector=1, status="Available")

    async def _renew(self) -> None:
        async with self._step("operator", "station", "API: renew the certificate -> TriggerMessage"):
            await self.gateway.renew_certificate(IDENTITY)
            await self.station.expect("trigger", message="SignChargingStationCertificate", status="Accepted")
        async with self._step("station", "voltgate", "SignCertificate: a CSR for its own new key") as step:
            answer = await self.station.expect("csr")
            if answer["status"] != "Accepted":
                raise DemoFailed(f"the gateway answered SignCertificate with {answer}")
            step.detail = f"CN={SERIAL}, O={OPERATOR}"
        async with self._step("voltgate", "station", "CertificateSigned") as step:
            answer = await self.station.expect("certificate")
            if answer["status"] != "Accepted":
                raise DemoFailed(f"the station refused the certificate: {answer['why']}")
            step.detail = "key, name and path to the operator's root verified"
        async with self._step("station", "voltgate", "reconnects with its certificate (profile 3)") as step:
            connected = await self.station.expect("connected", profile=3)
            known = await self.gateway.station(IDENTITY)
            if known["profile"] != 3:
                raise DemoFailed(f"the gateway admits {IDENTITY} below security profile 3 still: {known}")
            step.detail = f"{connected['tls']}; the password opens nothing any more"

    async def _start_session(self) -> None:
        async with self._step("backend", "station", "RemoteStartTransaction -> RequestStartTransaction") as step:
            await self.backend.say("remote_start", station=IDENTITY, connector=1, id_tag=ID_TAG)
            taken = await self.station.expect("remote_start")
            answer = await self.backend.expect("remote_start")
            if answer["status"] != "Accepted" or taken["id_token"]["id_token"] != ID_TAG:
                raise DemoFailed(f"the station took {taken}, the backend got {answer}")
            step.detail = f"Accepted, idTag {ID_TAG} is an {taken['id_token']['type']} token"
        async with self._step("station", "backend", "Authorize"):
            await self.backend.expect("authorize", id_tag=ID_TAG, status="Accepted")
            await self.station.expect("authorize", status="Accepted")
        async with self._step("driver", "station", "plugs in: Occupied -> Preparing"):
            await self.station.say("plug_in")
            await self.station.expect("status", connector="Occupied")
            await self.backend.expect("status", connector=1, status="Preparing")
        await self._power_flows()

    async def _power_flows(self) -> None:
        async with self._step("station", "backend", "TransactionEvent Started -> StartTransaction") as step:
            opened = await self.backend.expect("start_transaction", id_tag=self.id_tag)
            await self.station.expect("transaction", state="Authorized")
            step.detail = f"transaction {opened['transaction']} at {kwh(opened['register'])} kWh"
        async with self._step("station", "backend", "power flows -> Charging"):
            await self.station.expect("transaction", state="Charging")
            await self.backend.expect("status", connector=1, status="Charging")

    async def _charge(self) -> None:
        async with self._step("station", "backend", "TransactionEvent Updated -> MeterValues") as step:
            await self.station.say("charge", samples=SAMPLES, energy=ENERGY)
            for number in range(1, SAMPLES + 1):
                told = await self.backend.expect("meter_value")
                step.detail = f"{number} of {SAMPLES}, {kwh(told['register'])} kWh"

    async def _stop(self) -> Comparison:
        async with self._step("station", "backend", "TransactionEvent Ended -> StopTransaction") as step:
            await self.station.say("stop", energy=LAST_ENERGY)
            ended = await self.station.expect("transaction", state="Ended")
            booked = await self.backend.expect("stop_transaction")
            step.detail = f"transaction {booked['transaction']}, reason {booked['reason']}"
        async with self._step("driver", "station", "unplugs: Available"):
            await self.station.say("unplug")
            await self.station.expect("status", connector="Available")
            await self.backend.expect("status", connector=1, status="Available")
        return _compared(booked["account"], ended["account"])

    # --- how a step is made

    @asynccontextmanager
    async def _step(self, who: str, whom: str, what: str, deadline: float | None = None) -> AsyncIterator[Step]:
        seconds = DEADLINE if deadline is None else deadline
        with self._timeline.step(who, whom, what) as step:
            try:
                async with asyncio.timeout(seconds):
                    yield step
            except TimeoutError:
                raise DemoFailed(f"{step.way}, {what}: did not happen within {seconds:g} s") from None
            except DemoFailed as failure:
                raise DemoFailed(f"{step.way}, {what}: {failure}") from None

    async def _start(self, name: str, *options: str) -> Talker:
        words = (sys.executable, "-m", f"gateway.demo.{name}", *options)
        talker = await Talker.start(name, words, log=self._folder / f"{name}.log", environ=clean_environ({}))
        self._talkers[name] = talker
        return talker


async def together(*steps: Coroutine[Any, Any, None]) -> None:
    """Run steps side by side: most of their time is the start of a process. The first failure ends the others."""
    try:
        async with asyncio.TaskGroup() as group:
            for step in steps:
                group.create_task(step)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


def _write_secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def _compared(backend: dict[str, Any], station: dict[str, Any]) -> Comparison:
    try:
        return Comparison(backend=Session.read(backend), station=Session.read(station))
    except ValueError as error:
        raise DemoFailed(str(error)) from None
