"""One way to send a file to whatever URL somebody wants it at: by HTTP or FTP, where that is allowed."""

from pathlib import Path
from typing import Final, Self

from pki.destinations import AllowList, DestinationRefused
from pki.uploading import UploadFailed
from pki.uploading.ftp import FtpUploads
from pki.uploading.http import HttpUploads
from pki.uploading.places import UploadPlace

_FTP: Final = frozenset({"ftp", "ftps"})


class Uploading:
    """Sends files where it may. Close it, or use it as a context."""

    def __init__(self, allowed: AllowList, *, roots: Path | None = None) -> None:
        """``roots``: the only trust anchors of servers (PEM); None: the machine's. Raises OSError, ValueError."""
        self._allowed = allowed
        self._http = HttpUploads(allowed, roots=roots)
        self._ftp = FtpUploads(allowed, roots=roots)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close what is open, and break off what is under way."""
        await self._http.close()
        await self._ftp.close()

    async def send(self, location: str, file: Path, file_name: str) -> None:
        """Send ``file``, called ``file_name`` where ``location`` is a folder.

        Raises DestinationRefused for a place that nothing is sent to, UploadFailed, and OSError for a file that can't
        be read.
        """
        place = UploadPlace.parse(location, self._allowed)
        by = self._ftp if place.target.scheme in _FTP else self._http
        await by.send(place, file, file_name)


__all__ = ["DestinationRefused", "UploadFailed", "Uploading"]
