"""A manufacturer's place on the web, and stations that load firmware, look at its signature, and tell how it went."""

import base64
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from pki.firmware import Signed
from tests.firmware_pki import FirmwarePki, manufacturer
from tests.system.scripted_station import ACCEPTED, ScriptedStation, Station16, Station201

PUBLIC_URL: Final = "https://files.example.com:8444"
"""What stations are told; their DNS says that it is here."""
VENDOR: Final = "V"
IMAGE: Final = bytes(range(256)) * 400
SECURE: Final = ("Downloading", "Downloaded", "SignatureVerified", "Installing", "Installed")
"""What a station tells of an update without trouble (L01)."""


class FirmwareSite:
    """What the manufacturer offers for download, and what it signs with."""

    def __init__(self, folder: Path) -> None:
        self.pki: FirmwarePki = manufacturer(VENDOR).write(folder)
        self.folder = folder
        self.images: dict[str, bytes] = {}
        self.port = 0
        self._runner: web.AppRunner

    async def open(self) -> None:
        app = web.Application()
        app.router.add_get("/{name}", self._serve)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        await self._runner.cleanup()

    def offer(self, name: str, image: bytes = IMAGE) -> str:
        """Have an image there, and return its URL."""
        self.images[name] = image
        return f"http://127.0.0.1:{self.port}/{name}"

    def configure(self, tree: dict[str, Any]) -> None:
        """Let a gateway update stations of this manufacturer."""
        maker = {
            "vendors": [VENDOR],
            "roots": str(self.folder / "roots.pem"),
            "intermediates": str(self.folder / "intermediates.pem"),
            "crls": [str(self.folder / "signers.crl")],
        }
        tree["firmware"] = {
            "manufacturers": {"maker": maker},
            "sources": [f"127.0.0.1:{self.port}"],
            "trusted_networks": ["127.0.0.0/8"],
            "without_signature": [{"identity": "plain-*"}],
        }
        # The manufacturer is on this very machine: for the bundled policy that is no place to go.
        (self.folder / "policy.yaml").write_text("name: maker\nextends: legacy-1.6\nvalues: {url_private: true}\n")
        tree["policy"] = str(self.folder / "policy.yaml")
        tree["files"] = {"bind": "127.0.0.1:0", "public_url": PUBLIC_URL}

    async def _serve(self, request: web.Request) -> web.Response:
        image = self.images.get(request.match_info["name"])
        return web.Response(status=404) if image is None else web.Response(body=image)


class UpdatingStation(ScriptedStation):
    """It does as it is told, and tells ``tells``; where it tells of a download it loads, and looks at the signature."""

    status_action: str
    pki: FirmwarePki
    tells: Sequence[str] = SECURE
    loaded: bytes | None = None
    """What it has loaded and found to be its manufacturer's."""
    location = ""

    async def _update(self, payload: Any) -> None:
        firmware = payload["firmware"]
        for status in self.tells:
            if status == "SignatureVerified":
                self.location = firmware["location"]
                self.loaded = self._verified(await self._load(self.location), firmware)
            await self.tell(status, payload["requestId"])

    async def tell(self, status: str, request_id: int | None = None) -> Any:
        """Send one status notification."""
        named = {} if request_id is None else {"requestId": request_id}
        return await self.call(self.status_action, {"status": status, **named})

    async def _load(self, location: str) -> bytes:
        assert location.startswith(PUBLIC_URL)
        here = f"https://localhost:{self.gateway.port('https')}"
        tls = ssl.create_default_context(cadata="\n".join(self.roots))
        async with (
            aiohttp.ClientSession() as session,
            session.get(location.replace(PUBLIC_URL, here), ssl=tls) as response,
        ):
            assert response.status == 200, await response.text()
            return await response.read()

    def _verified(self, image: bytes, firmware: Any) -> bytes:
        """Return the image: its signer is one of the manufacturer's (L01.FR.12), and has signed it (L01.FR.04)."""
        certificate = x509.load_pem_x509_certificate(firmware["signingCertificate"].encode())
        certificate.verify_directly_issued_by(self.pki.sub.certificate)
        self.pki.sub.certificate.verify_directly_issued_by(self.pki.root.certificate)
        key, signature = certificate.public_key(), base64.b64decode(firmware["signature"])
        if isinstance(key, rsa.RSAPublicKey):
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
            key.verify(signature, image, pss, hashes.SHA256())
        else:
            assert isinstance(key, ec.EllipticCurvePublicKey)
            key.verify(signature, image, ec.ECDSA(hashes.SHA256()))
        return image

    def is_good(self, image: bytes, signed: Signed) -> bool:
        """Return whether it would install an image."""
        try:
            self._verified(image, {"signingCertificate": signed.signing_certificate, "signature": signed.signature})
        except InvalidSignature:
            return False
        return True


class UpdatingStation201(UpdatingStation, Station201):
    """Of OCPP 2.0.1."""

    status_action = "FirmwareStatusNotification"

    def _on_UpdateFirmware(self, _: Any) -> Any:  # noqa: N802 - the action's name
        return ACCEPTED

    async def _afterwards(self, action: str, payload: Any) -> None:
        await super()._afterwards(action, payload)
        if action == "UpdateFirmware":
            await self._update(payload)


class UpdatingStation16(UpdatingStation, Station16):
    """Of 1.6 with the white paper."""

    status_action = "SignedFirmwareStatusNotification"

    def _on_SignedUpdateFirmware(self, _: Any) -> Any:  # noqa: N802 - the action's name
        return ACCEPTED

    async def _afterwards(self, action: str, payload: Any) -> None:
        await super()._afterwards(action, payload)
        if action == "SignedUpdateFirmware":
            await self._update(payload)


KINDS: Final = {"ocpp2.0.1": UpdatingStation201, "ocpp1.6": UpdatingStation16}


async def new_station(
    gateway: Any, site: FirmwareSite, identity: str, version: str, folder: Path, backend: str = "legacy"
) -> Any:
    """Register a station of the manufacturer, with that backend."""
    wanted = {"identity": identity, "profile": 2, "serial": identity, "pinned_version": version, "backend": backend}
    status, made = await gateway.api("POST", "stations", wanted)
    assert status == 201, made
    kind = KINDS[version]
    station = kind(gateway, folder, identity=identity, serial=identity, password=made["password"], profile=2)
    station.pki = site.pki
    return station


def signed_order(location: str, signed: Signed, request_id: int = 7, **times: str) -> dict[str, Any]:
    """Return SignedUpdateFirmware of the white paper, or UpdateFirmware of 2.0.1."""
    firmware = {
        "location": location,
        "retrieveDateTime": "2026-01-01T00:00:00Z",
        "signingCertificate": signed.signing_certificate,
        "signature": signed.signature,
    }
    return {"requestId": request_id, "firmware": firmware | times}


async def updates_of(gateway: Any, identity: str) -> Any:
    """Return what the API tells of a station's updates, oldest first."""
    return (await gateway.api("GET", f"stations/{identity}/firmware"))[1]["updates"]
