"""An image that comes in, for who is on the event loop: what it holds goes to the disk in threads."""

import asyncio
from collections.abc import Callable
from typing import Final, Self, TypeVar

from gateway.store.firmware_parts import Part
from pki.firmware import ImageDigest

BUFFER: Final = 1_048_576
"""Bytes that are gathered before they go to the disk: a hop to a thread has its price, too."""

T = TypeVar("T")


class Incoming:
    """One image that comes in. Use it as a context; what is neither committed nor aborted waits to be resumed.

    Every method raises FirmwareRefused (TOO_LARGE, NO_SPACE): then nothing of it is left on the disk. NO_SPACE stands
    for all that a disk can't do; the text says what.
    """

    def __init__(self, part: Part) -> None:
        self._part = part
        self._buffer = bytearray()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await in_thread(self._part.close)

    @property
    def offset(self) -> int:
        """Bytes that are here already: from there on the rest is wanted."""
        return self._part.offset + len(self._buffer)

    @property
    def validator(self) -> str | None:
        """What the source called the version that these bytes are of (an ETag); None: nothing is here."""
        return self._part.validator

    async def restart(self, validator: str | None) -> None:
        """Drop what is here: all of it comes anew, of the version that the source calls so; None: it doesn't say."""
        self._buffer.clear()
        await in_thread(self._part.restart, validator)

    async def expect(self, size: int) -> None:
        """Look whether an image of ``size`` bytes, as the source says, fits."""
        await in_thread(self._part.expect, size)

    async def write(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._buffer += chunk
        if len(self._buffer) >= BUFFER:
            await self._flush()

    async def commit(self, expected: str | None = None) -> ImageDigest:
        """Put it in its place, on the disk for certain; the same content may be there already.

        ``expected`` is the SHA-256 (hex) that it must have: with another one it is dropped (CHANGED).
        """
        await self._flush()
        return await in_thread(self._part.commit, expected)

    async def abort(self) -> None:
        """Drop it."""
        self._buffer.clear()
        await in_thread(self._part.discard)

    async def _flush(self) -> None:
        taken, self._buffer = self._buffer, bytearray()
        if taken:
            await in_thread(self._part.append, bytes(taken))


async def in_thread(work: Callable[..., T], *args: object) -> T:
    """Run what blocks. It is never dropped on the way, and who is cancelled leaves it to end by itself."""
    return await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, work, *args))
