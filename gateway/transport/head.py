"""HTTP heads with no I/O: found within bounds, and checked more strictly than a WebSocket library does.

A head is trusted to be one head only: the end is found before any parser sees it, fields that must be single are
single, and what follows it is never taken for a part of the conversation (attacks: request smuggling, a doubled Host
or Authorization).
"""

import email.utils
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from websockets.datastructures import Headers
from websockets.http11 import Response

from gateway.transport.limits import Limits

SINGLE: Final = (
    "Host",
    "Authorization",
    "Origin",
    "Upgrade",
    "Content-Length",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
)
"""Fields that a request may hold once; with two, two readers could each believe another."""

_END: Final = b"\r\n\r\n"
_TARGET: Final = re.compile(r"/[!\"$-~]*")
_HOST: Final = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OWN: Final = frozenset({"connection", "content-length", "content-type", "date", "transfer-encoding"})


class HeadError(Exception):
    """A head that is refused with ``status``. ``reason`` names what is wrong and holds nothing that the peer sent."""

    def __init__(self, status: int, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers: Mapping[str, str] = headers or {}


class HeadScanner:
    """Collects bytes until a head is whole: CRLF CRLF within ``max_head`` bytes and ``max_headers`` lines."""

    __slots__ = ("_buffer", "_limits")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buffer = bytearray()

    def feed(self, data: bytes | memoryview) -> tuple[bytes, bytes] | None:
        """Return the head and what came after it, None when more is needed. Raises :class:`HeadError`: 400 or 431."""
        buffer = self._buffer
        searched = max(0, len(buffer) - len(_END) + 1)
        buffer += data
        if buffer and not (65 <= buffer[0] <= 90):  # neither a method nor "HTTP/"
            tls = " (it looks like TLS, on a port without TLS)" if buffer[0] == 0x16 else ""
            raise HeadError(HTTPStatus.BAD_REQUEST, f"not HTTP{tls}")
        end = buffer.find(_END, searched) + len(_END)
        whole = end >= len(_END)
        if (end if whole else len(buffer)) > self._limits.max_head:
            raise HeadError(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"head of more than {self._limits.max_head} bytes"
            )
        if not whole:
            return None
        head = bytes(buffer[:end])
        if head.count(b"\r\n") - 2 > self._limits.max_headers:
            raise HeadError(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"more than {self._limits.max_headers} header lines"
            )
        return head, bytes(buffer[end:])


def proper_target(target: str) -> bool:
    """Tell whether this is in origin-form (RFC 9112 3.2.1): visible ASCII that starts with "/", without a fragment."""
    return _TARGET.fullmatch(target) is not None


def check_request(target: str, headers: Headers) -> None:
    """Check what websockets leaves to the HTTP server in front of it. Raises :class:`HeadError` with status 400."""
    if not proper_target(target):
        raise HeadError(HTTPStatus.BAD_REQUEST, 'request target is not visible ASCII that starts with "/"')
    for name in SINGLE:
        if len(headers.get_all(name)) > 1:
            raise HeadError(HTTPStatus.BAD_REQUEST, f"more than one {name} header")
    if not _HOST.fullmatch(headers.get("Host", "")):
        raise HeadError(HTTPStatus.BAD_REQUEST, "Host header is missing or malformed")


def check_fields(fields: Mapping[str, str]) -> None:
    """Check header fields of our own making. Raises ValueError when one could break out of its line."""
    for name, value in fields.items():
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"{name!r} can't be the name of a header")
        if any(ord(char) < 32 or ord(char) > 126 for char in value):
            raise ValueError(f"the value of the header {name} has characters other than visible ASCII and spaces")


def refusal(status: int, fields: Mapping[str, str], body: str) -> bytes:
    """Return an HTTP response that ends the connection. ``fields`` must have passed :func:`check_fields`.

    Framing fields and Date are set here, and only here.
    """
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    content = body.encode()
    headers = Headers(
        {
            "Date": email.utils.formatdate(usegmt=True),
            "Connection": "close",
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Length": str(len(content)),
        }
    )
    for name, value in fields.items():
        if name.lower() not in _OWN:
            headers[name] = value
    return Response(status, phrase, headers, content).serialize()
