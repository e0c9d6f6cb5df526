"""Verified images in an object store (S3, Google's, Azure's), for all gateways: the folder is its cache.

Who one is to it (keys, region, endpoint) stands in the environment, in the names of its vendor's own tools
(``AWS_ACCESS_KEY_ID`` ...), or comes from the machine it runs on. Nothing that comes from there is believed: its
SHA-256 is its name. Needs the extra ``object-store``.
"""

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from gateway.store.firmware_files import SharingFailed
from gateway.store.firmware_parts import Part
from pki.firmware import FirmwareRefused, Refusal

if TYPE_CHECKING:
    from obstore.store import ObjectStore

SCHEMES: Final = frozenset({"s3", "gs", "az"})
PIECE: Final = 8_388_608
"""Bytes of one request, either way: what lies in memory, and has to come through in obstore's 30 seconds."""
ATTEMPTS: Final = 3
"""After the first, of one piece."""
GIVEN_UP: Final = timedelta(seconds=120)
"""After which no further attempt is begun."""
_AT_ONCE: Final = 2
_WORDS_MAX: Final = 400
_QUERY: Final = re.compile(r"\?\S*")


class ObjectStoreUnusable(ValueError):
    """The configured one can't be opened; the text says why and what to do."""


class ObjectStoreImages:
    """Fulfils SharedImages. Every method blocks."""

    def __init__(self, store: "ObjectStore") -> None:
        self._store = store

    @classmethod
    def at(cls, url: str) -> "ObjectStoreImages":
        """Open ``s3://BUCKET/PREFIX``, ``gs://BUCKET/PREFIX`` or ``az://CONTAINER/PREFIX``; nothing is asked yet.

        Raises :class:`ObjectStoreUnusable`.
        """
        parts = urlsplit(url)
        if parts.scheme not in SCHEMES or not parts.netloc or "@" in parts.netloc or parts.query or parts.fragment:
            raise ObjectStoreUnusable(
                "firmware.object_store: must be s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX; "
                "keys stand in the environment"
            )
        try:
            from obstore.exceptions import BaseError  # noqa: PLC0415 - an extra: it may not be there
            from obstore.store import from_url  # noqa: PLC0415 - the same
        except ModuleNotFoundError:
            raise ObjectStoreUnusable(
                "firmware.object_store: obstore isn't installed; pip install 'voltgate[object-store]'"
            ) from None
        single: dict[str, Any] = {"disable_bulk_delete": True} if parts.scheme == "s3" else {}
        try:
            store = from_url(
                url,
                retry_config={"max_retries": ATTEMPTS, "retry_timeout": GIVEN_UP},
                **single,
            )
        except BaseError as error:
            raise ObjectStoreUnusable(f"firmware.object_store: {_words(error)}") from None
        return cls(store)

    def download(self, sha256: str, part: Part) -> bool:
        """Write an image to ``part``, from where that stands on; False: it isn't there.

        Raises FirmwareRefused: FETCH_FAILED, and what the part raises.
        """
        try:
            size = self._store.head(sha256)["size"]
            if part.validator != sha256 or part.offset > size:
                part.restart(sha256)
            part.expect(size)
            while part.offset < size:
                start, length = part.offset, min(PIECE, size - part.offset)
                piece = bytes(self._store.get_range(sha256, start=start, length=length))
                if len(piece) != length:
                    raise _failed(f"it gave {len(piece)} bytes from {start} on, not {length}")
                part.append(piece)
        except FileNotFoundError:
            return False
        except _errors() as error:
            raise _failed(_words(error)) from None
        return True

    def upload(self, sha256: str, path: Path) -> None:
        """Put an image there, unless one of its size is. Raises SharingFailed."""
        try:
            if self._size(sha256) != path.stat().st_size:
                self._store.put(sha256, path, chunk_size=PIECE, max_concurrency=_AT_ONCE)
        except _errors() as error:
            raise SharingFailed(f"the object store (firmware.object_store) doesn't take it: {_words(error)}") from None

    def remove(self, sha256: str) -> None:
        """Drop an image, if it is there. Raises SharingFailed."""
        try:
            self._store.delete(sha256)
        except FileNotFoundError:
            return
        except _errors() as error:
            raise SharingFailed(f"the object store (firmware.object_store) doesn't drop it: {_words(error)}") from None

    def _size(self, sha256: str) -> int | None:
        try:
            return self._store.head(sha256)["size"]
        except FileNotFoundError:
            return None


def _errors() -> tuple[type[Exception], ...]:
    from obstore.exceptions import BaseError  # noqa: PLC0415 - an extra: here it is there

    return BaseError, OSError


def _failed(text: str) -> FirmwareRefused:
    return FirmwareRefused(Refusal.FETCH_FAILED, f"the object store (firmware.object_store) doesn't give it: {text}")


def _words(error: Exception) -> str:
    """Return an error's first line, without what stands in URLs behind the ``?``: it may be a token."""
    line = next(iter(str(error).splitlines()), "") or type(error).__name__
    return _QUERY.sub("", "".join(each for each in line if each.isprintable()))[:_WORDS_MAX]
