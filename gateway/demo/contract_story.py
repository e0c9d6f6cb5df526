"""The demo's story with a vehicle in place of a card: it gets a contract certificate, and charges on it (M01, C07)."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gateway.demo.child import DemoFailed
from gateway.demo.story import IDENTITY, START_DEADLINE, Story
from gateway.demo.timeline import Timeline
from pki.iso15118.development import write_vehicle

PCID: Final = "WVGDEMO0000000042"
EMAID: Final = "DE8EXC12345678O"


class ContractStory(Story):
    """Nobody has told the vehicle, the station or the backend anything of contracts: the backend knows an idTag."""

    id_tag = EMAID
    init_options = ("--plug-and-charge",)

    def __init__(self, folder: Path, timeline: Timeline, backend_options: Sequence[str] = ()) -> None:
        super().__init__(folder, timeline, backend_options)
        self._vehicle_folder = folder / "vehicle"
        self.station_options = ("--vehicle", str(self._vehicle_folder))

    async def _init(self) -> None:
        await super()._init()
        async with self._step("manufacturer", "vehicle", "provisioning certificate", START_DEADLINE) as step:
            pki = self.gateway.development_pki
            await asyncio.to_thread(write_vehicle, pki, self._vehicle_folder, pcid=PCID)
            step.detail = f"PCID {PCID}; the vehicle trusts the development V2G root"

    async def _renew(self) -> None:
        await super()._renew()
        await self._install()

    async def _install(self) -> None:
        async with self._step("operator", "voltgate", "voltgate contract add", START_DEADLINE) as step:
            await self.gateway.add_contract(PCID, EMAID)
            step.detail = f"eMAID {EMAID}"
        async with self._step("vehicle", "voltgate", "CertificateInstallationReq (EXI) -> contract") as step:
            await self.station.say("install_contract")
            told = await self.station.expect("contract")
            if told["status"] != "Installed" or told["emaid"] != EMAID:
                raise DemoFailed(f"the vehicle got no contract: {told}")
            step.detail = f"signature verified, key decrypted, valid until {told['until'][:10]}"

    async def _start_session(self) -> None:
        async with self._step("driver", "station", "plugs in: Occupied -> Preparing"):
            await self.station.say("plug_and_charge")
            await self.station.expect("status", connector="Occupied")
            await self.backend.expect("status", station=IDENTITY, connector=1, status="Preparing")
        async with self._step("vehicle", "backend", "Authorize with its contract -> Authorize") as step:
            await self.backend.expect("authorize", id_tag=EMAID, status="Accepted")
            told = await self.station.expect("authorize", status="Accepted", certificate="Accepted")
            step.detail = f"chain verified at the gateway; the backend sees idTag {told['id_token']['id_token']}"
        await self._power_flows()
