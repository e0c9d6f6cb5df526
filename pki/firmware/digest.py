"""What an image is known by: one pass over its octets, whatever its size (OCPP 2.0.1 L01.FR.04, L03.FR.03)."""

import hashlib
from pathlib import Path
from typing import Final

from pki.firmware import ImageDigest

CHUNK: Final = 262_144
"""Bytes that are read at once: small enough to stay in the processor's cache between reading and hashing."""


class Digesting:
    """Digests octets while they pass by. Long pieces are hashed without the interpreter's lock."""

    def __init__(self, *, md5: bool = True) -> None:
        """Without ``md5`` it costs a third: MD5 is the slower of the two, and PublishFirmware alone asks for it."""
        self._size = 0
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False) if md5 else None

    def update(self, octets: bytes | bytearray | memoryview) -> None:
        """Take the next octets."""
        self._size += len(octets)
        self._sha256.update(octets)
        if self._md5 is not None:
            self._md5.update(octets)

    def result(self) -> ImageDigest:
        """Return the digest of all octets so far; without MD5 that is empty."""
        md5 = b"" if self._md5 is None else self._md5.digest()
        return ImageDigest(self._size, self._sha256.digest(), md5)


def digest_file(path: Path, *, md5: bool = True) -> ImageDigest:
    """Digest a file. Blocks: for a thread. Raises OSError."""
    digesting = Digesting(md5=md5)
    buffer = memoryview(bytearray(CHUNK))
    with path.open("rb", buffering=0) as file:
        while length := file.readinto(buffer):
            digesting.update(buffer[:length])
    return digesting.result()
