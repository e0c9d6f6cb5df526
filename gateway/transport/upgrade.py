"""The server's opening handshake with no I/O: a checked request in, the 101 out (RFC 6455 4.2)."""

from http import HTTPStatus
from typing import Final

from websockets.datastructures import Headers
from websockets.exceptions import (
    HeaderLineTooLong,
    InvalidHandshake,
    InvalidHeader,
    InvalidMethod,
    InvalidProtocol,
    InvalidUpgrade,
    RequestLineTooLong,
    TooManyHeaders,
)
from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.headers import parse_extension
from websockets.http11 import Request, Response
from websockets.protocol import Protocol
from websockets.server import ServerProtocol

from gateway.transport.head import HeadError, check_request
from gateway.transport.quiet import QUIET

WINDOW_BITS: Final = 12
"""log2 of the deflate window, both ways: 4 KiB hold some seven OCPP messages; the default of 15 costs 28 KiB more."""
MEM_LEVEL: Final = 5
"""zlib's memLevel: 16 KiB for the compressor's tables instead of 128."""

_DEFLATE: Final = ServerPerMessageDeflateFactory(
    server_max_window_bits=WINDOW_BITS, client_max_window_bits=WINDOW_BITS, compress_settings={"memLevel": MEM_LEVEL}
)


def part_from_parser(protocol: Protocol) -> None:
    """Let go of the parser of websockets' handshake, which reads no more, and of where its errors came from.

    Frames know the protocol, and the protocol them: 2 KiB of each open or refused WebSocket until a full collection.
    """
    protocol.parser.close()
    error: BaseException | None = protocol.handshake_exc
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


class Upgrade:
    """One opening handshake. Raises :class:`HeadError` from the constructor when the request isn't a proper one.

    websockets' own choice of a subprotocol isn't used: it prefers the server's order and answers 400 when none is
    common, where OCPP-J wants the client's order and an open door.
    """

    __slots__ = ("_protocol", "_request", "_response")

    def __init__(self, head: bytes) -> None:
        """``head`` is one whole HTTP request head."""
        self._protocol = ServerProtocol(logger=QUIET)
        self._request = self._parse(head)
        check_request(self._request.path, self._request.headers)
        self._response = self._provisional_response()
        try:
            for value in self.headers.get_all("Sec-WebSocket-Extensions"):
                parse_extension(value)
        except InvalidHandshake as exc:
            raise HeadError(HTTPStatus.BAD_REQUEST, "malformed Sec-WebSocket-Extensions header") from exc

    @property
    def target(self) -> str:
        """The raw request target."""
        return self._request.path

    @property
    def headers(self) -> Headers:
        """The request's headers."""
        return self._request.headers

    def accept(self, subprotocol: str | None, *, compression: bool) -> tuple[bytes, list[Extension]]:
        """Return the 101 response and the extensions that are in force from there on. To be called once."""
        headers = self._response.headers
        self._protocol.available_extensions = [_DEFLATE] if compression else None
        agreed, extensions = self._protocol.process_extensions(self.headers)
        if agreed is not None:
            headers["Sec-WebSocket-Extensions"] = agreed
        if subprotocol is not None:
            headers["Sec-WebSocket-Protocol"] = subprotocol
        return self._response.serialize(), extensions

    def _parse(self, head: bytes) -> Request:
        self._protocol.receive_data(head)
        part_from_parser(self._protocol)
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                return event
        cause = self._protocol.handshake_exc
        if isinstance(cause, (HeaderLineTooLong, RequestLineTooLong, TooManyHeaders)):
            raise HeadError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "request line or header too long") from cause
        raise HeadError(HTTPStatus.BAD_REQUEST, "malformed HTTP request, or one with a body") from cause

    def _provisional_response(self) -> Response:
        """Run websockets' own checks, before anybody is asked for admission; return a 101 with nothing agreed in it."""
        response = self._protocol.accept(self._request)
        part_from_parser(self._protocol)
        match self._protocol.handshake_exc:
            case None:
                return response
            case InvalidMethod():
                raise HeadError(HTTPStatus.METHOD_NOT_ALLOWED, "only GET is served here", {"Allow": "GET"})
            case InvalidProtocol():
                raise HeadError(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "only HTTP/1.1 is served here")
            case InvalidUpgrade():
                raise HeadError(HTTPStatus.UPGRADE_REQUIRED, "only WebSocket is served here", {"Upgrade": "websocket"})
            case InvalidHeader(name="Sec-WebSocket-Version"):
                raise HeadError(
                    HTTPStatus.UPGRADE_REQUIRED, "only WebSocket version 13 is served", {"Sec-WebSocket-Version": "13"}
                )
            case InvalidHeader(name=name):
                raise HeadError(HTTPStatus.BAD_REQUEST, f"malformed or missing {name} header")
            case exc:
                raise HeadError(HTTPStatus.BAD_REQUEST, "malformed opening handshake") from exc
