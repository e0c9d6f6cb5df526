"""The body of an upload: the file itself (PUT, POST), or a form that holds it (multipart/form-data, RFC 7578)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import BodyPartReader, ClientError, web
from aiohttp.http_exceptions import HttpProcessingError

from gateway.edge.file_targets import file_name

STALL: Final = 60.0
"""Seconds that a station may take for its next octets."""
PIECE: Final = 262_144
"""Bytes that are handed on at once."""
PARTS_MAX: Final = 16
"""Parts of a form before the one that is a file."""


class BrokenBody(Exception):
    """The body isn't what its head says: cut off, malformed, without a file. The text is for the log."""


class LogBody:
    """One upload's body. Of a form :meth:`begin` first; then :meth:`pieces` once."""

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request
        self._part: BodyPartReader | None = None
        self.is_form = request.content_type.startswith("multipart/")
        self.name: str | None = None
        """As the form calls the file; None for a body that is the file."""
        self.length = request.content_length
        """Bytes of the body, as announced: of a form a few more than the file has."""

    async def begin(self) -> None:
        """Read a form up to where the file begins. Raises BrokenBody, TimeoutError."""
        try:
            async with asyncio.timeout(STALL):
                self._part = await self._find_file()
        except (ValueError, LookupError, AssertionError, ClientError, HttpProcessingError) as error:
            raise BrokenBody(f"malformed form ({type(error).__name__})") from error
        self.name = file_name(self._part.filename)

    async def _find_file(self) -> BodyPartReader:
        reader = await self._request.multipart()
        for _ in range(PARTS_MAX):
            part = await reader.next()
            if not isinstance(part, BodyPartReader):
                break
            if part.filename is not None:
                return part
        raise BrokenBody("a form without a file")

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the file's octets as they were sent, without undoing any encoding. Raises as :meth:`begin`."""
        piece = bytearray()
        while True:
            try:
                async with asyncio.timeout(STALL):
                    chunk = await self._next()
            except (ValueError, AssertionError, ClientError, HttpProcessingError, ConnectionError) as error:
                raise BrokenBody(f"cut off or malformed ({type(error).__name__})") from error
            piece += chunk
            if piece and (len(piece) >= PIECE or not chunk):
                yield bytes(piece)
                piece.clear()
            if not chunk:
                return

    async def _next(self) -> bytes:
        if self._part is None:
            return await self._request.content.readany()
        while not (chunk := await self._part.read_chunk(PIECE)):
            if self._part.at_eof():
                break
            if self._request.content.at_eof():  # a part that says that it is longer than the form
                raise BrokenBody("a form without its end")
        return chunk
