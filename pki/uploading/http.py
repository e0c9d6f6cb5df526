"""A file sent by HTTP: PUT, or POST where PUT isn't known; to no address that is refused, and without redirects."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import aiohttp

from pki.destinations import AllowList, DestinationRefused
from pki.fetching import AddressRefused, GuardedClient, reason_of
from pki.uploading import UploadFailed
from pki.uploading.places import UploadPlace

CONNECT: Final = 15.0
"""Seconds for a connection, its name and its TLS included."""
STALL: Final = 60.0
"""Seconds in which a server that has everything has to answer."""
TOTAL: Final = 1_800.0
"""Seconds for one file."""

_CHUNK: Final = 262_144
_PUT_UNKNOWN: Final = frozenset({405, 501})
_LATER: Final = frozenset({408, 425, 429, 500, 502, 503, 504, 507})
"""What may be another answer the next time."""


class HttpUploads(GuardedClient):
    """Sends files."""

    def __init__(
        self, allowed: AllowList, *, roots: Path | None = None, stall: float = STALL, total: float = TOTAL
    ) -> None:
        """``roots``: the only trust anchors of https servers (PEM); None: the machine's. Raises OSError, ValueError."""
        timeout = aiohttp.ClientTimeout(total=total, connect=CONNECT, sock_connect=CONNECT, sock_read=stall)
        super().__init__(allowed, timeout, roots=roots)

    async def send(self, place: UploadPlace, file: Path, file_name: str) -> None:
        """Send ``file`` to ``place``.

        Raises DestinationRefused and UploadFailed, and OSError for a file that can't be read.
        """
        size = (await asyncio.to_thread(file.stat)).st_size
        try:
            status = await self._request("PUT", place, file, file_name, size)
            if status in _PUT_UNKNOWN:
                status = await self._request("POST", place, file, file_name, size)
        except TimeoutError:
            raise UploadFailed("no answer in time", is_final=False) from None
        except (aiohttp.ClientError, ConnectionError, ValueError) as error:
            if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, AddressRefused):
                raise DestinationRefused(str(error.os_error.strerror)) from None
            raise UploadFailed(reason_of(error), is_final=False) from None
        if not 200 <= status < 300:
            raise UploadFailed(f"it answered {status}", is_final=status not in _LATER)

    async def _request(self, method: str, place: UploadPlace, file: Path, file_name: str, size: int) -> int:
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        if place.credentials is not None:
            headers["Authorization"] = "Basic " + b64encode(":".join(place.credentials).encode()).decode()
        async with self.session.request(
            method,
            place.url(file_name),
            data=_octets(file),
            headers=headers,
            allow_redirects=False,
            ssl=self.tls,
        ) as response:
            return response.status


async def _octets(file: Path) -> AsyncIterator[bytes]:
    opened = await asyncio.to_thread(file.open, "rb")
    try:
        while chunk := await asyncio.to_thread(opened.read, _CHUNK):
            yield chunk
    finally:
        opened.close()
