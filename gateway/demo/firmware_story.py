"""The demo's story with an update first: what the manufacturer signed is installed, and nothing else (L01, N01)."""

import asyncio
import secrets
import shutil
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gateway.demo.backend_files import IMAGES, LOGS
from gateway.demo.child import DemoFailed
from gateway.demo.ledger import Comparison
from gateway.demo.station import VENDOR
from gateway.demo.story import IDENTITY, START_DEADLINE, Story, together
from gateway.demo.timeline import Timeline
from pki.firmware.development import (
    FIRMWARE_INTERMEDIATES,
    FIRMWARE_ROOTS,
    SIGNER,
    SIGNER_KEY,
    write_firmware_pki,
)

GOOD: Final = "1.1.0"
ALTERED: Final = "1.1.1"
FOREIGN: Final = "1.1.2"


@dataclass(frozen=True, slots=True)
class Forgery:
    """What is wrong with an image, and what the security team hears of it."""

    what: str
    event: str


FORGED: Final = {
    ALTERED: Forgery("one octet changed", "InvalidFirmwareSignature"),
    FOREIGN: Forgery("signed by another manufacturer", "InvalidFirmwareSigningCertificate"),
}
SIZE: Final = 1_000_000
"""Octets of an image, about."""
STRANGER: Final = "Another Manufacturer"
DETAIL_MAX: Final = 100
"""Characters of an event that are shown."""
POLICY: Final = "name: demo\nextends: legacy-1.6\nvalues: {url_private: true}\n"
"""The backend's file server is on this very machine, where the bundled policy sends nobody."""


class FirmwareStory(Story):
    """The backend orders updates as it always has, by URLs of its own; it knows nothing of signatures."""

    init_options = ("--firmware",)

    def __init__(self, folder: Path, timeline: Timeline, backend_options: Sequence[str] = ()) -> None:
        self._site = folder / "backend-files"
        super().__init__(folder, timeline, (*backend_options, "--files", str(self._site)))
        self._stranger = folder / "another-manufacturer"
        self._policy = folder / "policy.yaml"

    # --- before the station comes

    def _configure(self) -> None:
        super()._configure()
        self._policy.write_text(POLICY)
        self.gateway.use_files(VENDOR, self._listening["files"], self._policy)

    async def _register(self) -> None:
        """The station comes from its factory with its manufacturer's root."""
        await super()._register()
        shutil.copy(self.gateway.development_pki / FIRMWARE_ROOTS, self.station_folder / "firmware-roots.pem")
        shutil.copy(self.gateway.development_pki / FIRMWARE_INTERMEDIATES, self.station_folder / "firmware-cas.pem")

    async def _renew(self) -> None:
        await super()._renew()
        await together(self._sign(), self._sign_elsewhere())
        await together(self._add(), self._add_forged(ALTERED), self._add_forged(FOREIGN))
        await self._install()
        for version in FORGED:
            await self._refuse(version)
        for version in FORGED:
            await self._alarm(version)
        await self._hand_over_log()

    # --- the steps

    async def _sign(self) -> None:
        async with self._step("operator", "", "voltgate firmware sign", START_DEADLINE) as step:
            image = await asyncio.to_thread(self._make, GOOD)
            self._image(ALTERED).write_bytes(image[:-1] + bytes([image[-1] ^ 1]))
            signed = await self._signed(GOOD, self.gateway.development_pki)
            shutil.copy(self._signature(GOOD), self._signature(ALTERED))
            step.detail = f"{signed['algorithm']}, SHA-256 {signed['sha256'][:16]}..., by {signed['signer']}"

    async def _sign_elsewhere(self) -> None:
        async with self._step("stranger", "", "voltgate firmware sign", START_DEADLINE) as step:
            await asyncio.to_thread(self._make, FOREIGN)
            await asyncio.to_thread(write_firmware_pki, self._stranger, manufacturer=STRANGER)
            signed = await self._signed(FOREIGN, self._stranger)
            step.detail = f"as good a signature, by {signed['signer']}"

    async def _add(self) -> None:
        async with self._step("operator", "voltgate", f"voltgate firmware add, {GOOD}", START_DEADLINE) as step:
            added = await self._added(GOOD, self.gateway.development_pki)
            if added["state"] != "verified":
                raise DemoFailed(f"the image isn't verified: {added['reason']}")
            step.detail = f"fetched from {self._place}, signature and signer verified"

    async def _add_forged(self, version: str) -> None:
        what, signer = FORGED[version].what, self._stranger if version == FOREIGN else self.gateway.development_pki
        async with self._step("operator", "voltgate", f"voltgate firmware add, {version}", START_DEADLINE) as step:
            added = await self._added(version, signer)
            if added["state"] != "refused":
                raise DemoFailed(f"the image is {added['state']}, though it is {what}")
            step.detail = f"{what}: refused, {added['refusal']}"

    async def _install(self) -> None:
        async with self._step("backend", "station", "UpdateFirmware -> UpdateFirmware, signed") as step:
            await self._order(GOOD)
            ordered = await self.station.expect("update_firmware")
            if ordered["status"] != "Accepted":
                raise DemoFailed(f"the station refuses the signer: {ordered}")
            step.detail = "the signing certificate is under the station's own root"
        async with self._step("station", "voltgate", "loads the image (TLS), verifies it itself") as step:
            loaded = await self.station.expect("firmware")
            if loaded["status"] != "Verified":
                raise DemoFailed(f"the station doesn't take the image: {loaded}")
            step.detail = f"{loaded['size'] / 1e6:.1f} MB from {loaded['place']}, SHA-256 {loaded['sha256'][:16]}..."
        async with self._step("station", "backend", "FirmwareStatusNotification") as step:
            heard = await self._statuses("firmware_status", "Installed")
            await self.backend.expect("boot", station=IDENTITY, firmware=GOOD)
            step.detail = f"{', '.join(heard)}; it boots with {GOOD}"

    async def _refuse(self, version: str) -> None:
        async with self._step("backend", "voltgate", f"UpdateFirmware all the same, {version}") as step:
            await self._order(version)
            heard = await self._statuses("firmware_status", "InstallationFailed")
            self._check_that_the_station_heard_nothing()
            step.detail = f"{', '.join(heard)}; the station has heard nothing"

    async def _alarm(self, version: str) -> None:
        event = FORGED[version].event
        async with self._step("voltgate", "operator", f"security event, {version}") as step:
            told = await self.gateway.security_event(IDENTITY, event)
            step.detail = f"{event}: {textwrap.shorten(told['detail'], DETAIL_MAX, placeholder=' ...')}"

    async def _hand_over_log(self) -> None:
        async with self._step("backend", "station", "GetDiagnostics -> GetLog, to a place of ours") as step:
            location = f"http://{self._place}/{LOGS}/"
            await self.backend.say("get_diagnostics", station=IDENTITY, location=location)
            uploaded = await self.station.expect("log")
            if uploaded["status"] != "Uploaded":
                raise DemoFailed(f"the station's log didn't come: {uploaded}")
            step.detail = f"{uploaded['size']} bytes to {uploaded['place']}"
        async with self._step("voltgate", "backend", "hands the log over to where it was wanted") as step:
            taken = await self.backend.expect("log", size=uploaded["size"])
            heard = await self._statuses("diagnostics_status", "Uploaded")
            step.detail = f"{taken['name']}; the backend hears {', '.join(heard)}"

    async def _stop(self) -> Comparison:
        comparison = await super()._stop()
        self._check_that_the_station_heard_nothing()
        return comparison

    # --- how they are made

    @property
    def _place(self) -> str:
        return f"127.0.0.1:{self._listening['files']}"

    def _image(self, version: str) -> Path:
        return self._site / IMAGES / f"two-oh-one-{version}.bin"

    def _make(self, version: str) -> bytes:
        """Make an image, and put it where the backend has its images."""
        image = f"Two-Oh-One {version}\n".encode() + secrets.token_bytes(SIZE)
        self._image(version).write_bytes(image)
        return image

    def _signature(self, version: str) -> Path:
        return self._folder / f"two-oh-one-{version}.sig"

    async def _signed(self, version: str, pki: Path) -> dict[str, Any]:
        certificate, key = pki / SIGNER, pki / SIGNER_KEY
        return await self.gateway.sign_firmware(self._image(version), certificate, key, self._signature(version))

    async def _added(self, version: str, pki: Path) -> dict[str, Any]:
        return await self.gateway.add_firmware(self._url(version), version, self._signature(version), pki / SIGNER)

    def _url(self, version: str) -> str:
        return f"http://{self._place}/{IMAGES}/{self._image(version).name}"

    async def _order(self, version: str) -> None:
        await self.backend.say("update_firmware", station=IDENTITY, location=self._url(version))
        await self.backend.expect("update_firmware", station=IDENTITY)

    async def _statuses(self, event: str, last: str) -> list[str]:
        """Return what the backend hears until ``last``."""
        heard: list[str] = []
        while not heard or heard[-1] != last:
            heard.append((await self.backend.expect(event, station=IDENTITY))["status"])
            if heard[-1].endswith("Failed") and heard[-1] != last:
                raise DemoFailed(f"the backend hears {', '.join(heard)}")
        return heard

    def _check_that_the_station_heard_nothing(self) -> None:
        if self.station.has_told("update_firmware"):
            raise DemoFailed("the station was told to install what its manufacturer didn't sign")
