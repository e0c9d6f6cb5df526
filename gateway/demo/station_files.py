"""What the station loads and uploads (OCPP 2.0.1 L01, N01): firmware, which it verifies itself, and its log.

Of the CSMS it takes nothing on trust here: a signer under a manufacturer's root that it has, and a signature over
what it has loaded.
"""

import asyncio
import hashlib
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from gateway.demo.json_lines import Tell
from gateway.demo.station_folder import CertificateRefused, StationFolder
from gateway.demo.station_link import StationLink
from gateway.demo.typed_ocpp import call201

TIMEOUT: Final = 10.0
"""Seconds without an octet."""
CHUNK: Final = 65_536
VERSION_MAX: Final = 50
"""Characters of a firmwareVersion."""
LOG_FILE: Final = "diagnostics.json"


class TransferFailed(Exception):
    """Nothing was loaded, or uploaded; the text says why."""


@dataclass(frozen=True, slots=True)
class Image:
    """What was loaded. An image of the demo says its version in its first line: ``Two-Oh-One 1.1.0``."""

    sha256: bytes
    size: int
    version: str


class StationFiles:
    """The station's client of file servers: https alone, and whom it trusts to be the CSMS."""

    def __init__(self, folder: StationFolder, link: StationLink, tell: Tell) -> None:
        self._folder = folder
        self._link = link
        self._tell = tell

    async def update(self, request_id: int, firmware: Mapping[str, Any]) -> str | None:
        """Load and verify what is to be installed (L01.FR.04, FR.12); return its version. None: it isn't installed.

        The manufacturer's signer has been looked at before the order was agreed to.
        """
        await self.firmware_status("Downloading", request_id)
        try:
            signer = await asyncio.to_thread(self._folder.firmware_signer, firmware["signing_certificate"])
            image = await asyncio.to_thread(_load, firmware["location"], self._folder)
        except (TransferFailed, CertificateRefused) as failure:
            await self._fails("DownloadFailed", request_id, str(failure))
            return None
        await self.firmware_status("Downloaded", request_id)
        if not signer.has_signed(image.sha256, firmware["signature"]):
            await self._fails("InvalidSignature", request_id, "the signature isn't the signer's over this image")
            return None
        await self.firmware_status("SignatureVerified", request_id)
        self._tell(
            "firmware",
            status="Verified",
            version=image.version,
            size=image.size,
            sha256=image.sha256.hex(),
            signer=signer.name,
            place=_place(firmware["location"]),
        )
        await self.firmware_status("Installing", request_id)
        return image.version

    async def firmware_status(self, status: str, request_id: int) -> None:
        """Say how far an update is (L01.FR.10, FR.20)."""
        await self._link.call(call201.FirmwareStatusNotification(status=status, request_id=request_id))

    async def upload_log(self, request_id: int, location: str, diagnostics: Mapping[str, Any]) -> None:
        """Upload a log to where it is wanted (N01.FR.02, FR.07); it is PUT there under its name."""
        octets = json.dumps(diagnostics, indent=1).encode()
        await self._log_status("Uploading", request_id)
        url = f"{location}{LOG_FILE}" if location.endswith("/") else location
        try:
            await asyncio.to_thread(_upload, url, octets, self._folder)
        except TransferFailed as failure:
            self._tell("log", status="UploadFailure", why=str(failure))
            await self._log_status("UploadFailure", request_id)
            return
        self._tell("log", status="Uploaded", size=len(octets), place=_place(location))
        await self._log_status("Uploaded", request_id)

    async def _log_status(self, status: str, request_id: int) -> None:
        await self._link.call(call201.LogStatusNotification(status=status, request_id=request_id))

    async def _fails(self, status: str, request_id: int, why: str) -> None:
        self._tell("firmware", status=status, why=why)
        await self.firmware_status(status, request_id)


def _load(location: str, folder: StationFolder) -> Image:
    """Load an image, hashing it as it comes. Raises TransferFailed."""
    sha256, size, beginning = hashlib.sha256(), 0, b""
    connection, path = _connection(location, folder)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        if response.status != http.client.OK:
            raise TransferFailed(f"the server answers {response.status}")
        while chunk := response.read(CHUNK):
            beginning = beginning or chunk
            sha256.update(chunk)
            size += len(chunk)
    except (OSError, http.client.HTTPException) as error:
        raise TransferFailed(f"{type(error).__name__}: {error}") from None
    finally:
        connection.close()
    first_line = beginning.partition(b"\n")[0].decode("ascii", "replace")
    return Image(sha256.digest(), size, first_line.rpartition(" ")[2][:VERSION_MAX])


def _upload(url: str, octets: bytes, folder: StationFolder) -> None:
    """Raises TransferFailed."""
    connection, path = _connection(url, folder)
    try:
        connection.request("PUT", path, body=octets)
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException) as error:
        raise TransferFailed(f"{type(error).__name__}: {error}") from None
    finally:
        connection.close()
    if response.status not in {http.client.OK, http.client.CREATED, http.client.NO_CONTENT}:
        raise TransferFailed(f"the server answers {response.status}")


def _connection(url: str, folder: StationFolder) -> tuple[http.client.HTTPSConnection, str]:
    """Return the connection for a URL, not yet open, and the path on it. Raises TransferFailed."""
    parts = urlsplit(url)
    if parts.scheme != "https" or parts.hostname is None:
        raise TransferFailed("the place isn't one of https")
    context = folder.tls_context()
    connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=TIMEOUT, context=context)
    return connection, parts.path or "/"


def _place(location: str) -> str:
    """Return what may be shown of a URL: its path holds a secret."""
    parts = urlsplit(location)
    return f"{parts.scheme}://{parts.netloc}"
