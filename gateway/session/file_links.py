"""Files that stations load from the gateway or upload to it: links that nobody can guess, and who stands behind them.

A link's secret is in its URL alone: 256 random bits of which the store holds the SHA-256.
"""

import enum
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from gateway.session.firmware import FirmwareImage


class LinkKind(enum.Enum):
    """What a link is for."""

    DOWNLOAD = "download"
    UPLOAD = "upload"


@dataclass(frozen=True, slots=True)
class FileLink:
    """What a link leads to; ``image_id`` and ``sha256`` of a download, ``log_id`` of an upload."""

    kind: LinkKind
    identity: str | None
    """Whose it is; None: published for all stations (OCPP 2.0.1 L03)."""
    image_id: int | None
    sha256: str | None
    """Lower-case hex."""
    update_id: int | None
    log_id: int | None
    expires_at: datetime


class Links(Protocol):
    """Makes and ends the links of stations, as whole URLs of at most 512 characters (firmware.location of OCPP 2.0.1).

    Every method raises StoreAway. A URL is a secret: it goes to the station and nowhere else.
    """

    async def download(
        self, identity: str, image: FirmwareImage, update_id: int, *, not_before: datetime | None = None
    ) -> str:
        """Return where the station loads ``image`` (its sha256 is known) for this update.

        It is good at once, and for ``files.link_lifetime`` from ``not_before`` on: when the station may load it, if
        that is later. Each call makes a new link; the former ones stay good.
        """

    async def upload(self, identity: str, log_id: int) -> str:
        """Return where the station uploads this log. It ends with a slash: some take it for a folder."""

    async def publish(self, image: FirmwareImage) -> str:
        """Return where all stations load ``image``, until it is unpublished."""

    async def image_at(self, location: str) -> int | None:
        """Return the image that one of our own links leads to; None for anything else."""

    async def close_update(self, update_id: int) -> None:
        """End the links of an update that is over."""

    async def close_log(self, log_id: int) -> None:
        """End the links of a log for which nothing more is taken."""

    async def unpublish(self, image_id: int) -> None:
        """End the links that :meth:`publish` made for an image."""


class Images(Protocol):
    """Where the octets of verified images lie. Any thread and any event loop may ask."""

    async def path(self, sha256: str) -> Path | None:
        """Return the file that is kept under this SHA-256 (lower-case hex); None: it can't be had, as the log says.

        Who sends it checks what he sends.
        """


class UploadRefusal(enum.Enum):
    """Why no log is taken, or no more of it."""

    CLOSED = "closed"
    """Nothing is expected under this link any more. The station hears what any unknown URL hears."""
    BUSY = "busy"
    """Another upload of the same log is under way."""
    TOO_LARGE = "too_large"
    NO_SPACE = "no_space"


class UploadRefused(Exception):
    """A log isn't taken, or not further; the text is for the log, not for the station."""

    def __init__(self, refusal: UploadRefusal, text: str) -> None:
        super().__init__(text)
        self.refusal = refusal


class Upload(Protocol):
    """One upload under way. Either :meth:`finish` or :meth:`abort` is called, once; no half file stays."""

    async def write(self, chunk: bytes) -> None:
        """Take the next octets. Raises UploadRefused (TOO_LARGE, NO_SPACE); :meth:`abort` follows."""

    async def finish(self) -> None:
        """All is here. Raises UploadRefused, StoreAway; then nothing is kept, and :meth:`abort` doesn't follow."""

    async def abort(self, reason: str) -> None:
        """The station broke off, was too slow, or sent too much: forget what came."""


class Uploads(Protocol):
    """Takes the logs that stations upload. All of it is called on the gateway's own event loop."""

    async def begin(self, log_id: int, identity: str, name: str | None, length: int | None) -> Upload:
        """Begin to take one log.

        ``name`` is the file name that the station gave, of printable characters without a separator, at most 255;
        None where it gave none. ``length`` is what it announced, in bytes; None: it didn't. Raises UploadRefused,
        StoreAway.
        """
