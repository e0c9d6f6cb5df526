"""Dialling a WebSocket server."""

import asyncio
import enum
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidURI
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI, parse_uri

from gateway.transport.endpoint import LinkState
from gateway.transport.frames import Frames
from gateway.transport.handshakes import HandshakePool
from gateway.transport.head import HeadError, HeadScanner, check_fields, proper_target
from gateway.transport.limits import Limits
from gateway.transport.link import Link
from gateway.transport.messages import MessageSink
from gateway.transport.opening import Terms
from gateway.transport.quiet import QUIET
from gateway.transport.tls import TlsEngine
from gateway.transport.upgrade import MEM_LEVEL, WINDOW_BITS, part_from_parser
from gateway.transport.websocket import WebSocket

_DEFLATE: Final = ClientPerMessageDeflateFactory(
    server_max_window_bits=None, client_max_window_bits=WINDOW_BITS, compress_settings={"memLevel": MEM_LEVEL}
)
_OWN: Final = frozenset({"host", "upgrade", "connection", "content-length", "transfer-encoding"})
SWITCHING_PROTOCOLS: Final = 101


class DialStage(enum.Enum):
    """What a dial failed at."""

    URL = "url"
    CONNECT = "connect"
    TLS = "tls"
    HTTP = "http"
    SUBPROTOCOL = "subprotocol"


class DialError(Exception):
    """A WebSocket that didn't come about; the text says where and why.

    ``status`` is the HTTP status when the server answered with one that isn't 101. ``code`` is OpenSSL's symbol when
    TLS failed ("CERTIFICATE_VERIFY_FAILED", "TLSV1_ALERT_UNKNOWN_CA", ...), "TIMEOUT" when nothing came in time.
    """

    def __init__(self, reason: str, *, stage: DialStage, status: int | None = None, code: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.stage = stage
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class _Wish:
    """What is asked of the server."""

    uri: WebSocketURI
    subprotocols: Sequence[str]
    headers: Mapping[str, str]
    compression: bool

    @property
    def place(self) -> str:
        """The server's name in messages; no path, which may hold an identity, and no credentials."""
        return f"{self.uri.host}:{self.uri.port}"


class _Dialogue:
    """The endpoint of a dialled link until the upgrade; ``outcome`` is the WebSocket, or the :class:`DialError`."""

    __slots__ = ("_link", "_protocol", "_scanner", "_sink", "_stage", "_wish", "outcome")

    def __init__(self, wish: _Wish, sink: MessageSink, link: Link) -> None:
        self._wish = wish
        self._sink = sink
        self._link = link
        self._scanner = HeadScanner(link.limits)
        self._protocol = ClientProtocol(
            wish.uri,
            extensions=[_DEFLATE] if wish.compression else None,
            subprotocols=[Subprotocol(name) for name in wish.subprotocols] or None,
            logger=QUIET,
        )
        self._stage = DialStage.CONNECT
        self.outcome: asyncio.Future[WebSocket] = asyncio.get_running_loop().create_future()

    @property
    def stage(self) -> DialStage:
        """What is under way."""
        return DialStage.TLS if self._link.state is LinkState.SECURING else self._stage

    def give_up(self) -> None:
        """Leave nothing behind, because nobody waits for the outcome any more. To be called once."""
        outcome = self.outcome
        if outcome.cancel() or outcome.cancelled():
            self._link.abort("dialling was given up")
        elif outcome.exception() is None:
            outcome.result().abort("dialling was given up")
        part_from_parser(self._protocol)
        del self._link  # it knows us until it is lost, which one that never was connected isn't

    def arrived(self) -> None:
        """Nothing to do: we know whom we dialled."""

    def secured(self) -> None:
        """Send the request."""
        self._stage = DialStage.HTTP
        request = self._protocol.connect()
        for name, value in self._wish.headers.items():
            request.headers[name] = value
        self._protocol.send_request(request)
        self._link.write(b"".join(self._protocol.data_to_send()))

    def received(self, data: memoryview) -> None:
        """Collect the response head; then it is a WebSocket, or an error."""
        if not data or self.outcome.done():
            return
        try:
            found = self._scanner.feed(data)
            if found is not None:
                self._judge(*found)
        except HeadError as exc:
            self._fail(f"answered with something else than an HTTP response: {exc.reason}")

    def ended(self) -> None:
        """The server hung up."""
        self._fail("closed the connection instead of answering the upgrade request")

    def failed(self, code: str, reason: str) -> None:
        """TLS failed, in the handshake or, under TLS 1.3, right after it, when the server refuses our certificate."""
        self._stage = DialStage.TLS
        self._fail(f"TLS failed: {reason}", code=code)

    def lost(self, reason: str, *, by_peer: bool) -> None:
        """The connection is gone."""
        self._fail(f"dropped the connection ({reason})" if by_peer else reason)

    def shut(self, code: int, reason: str) -> None:
        """Never called: a dialled link has no listener."""

    def _judge(self, head: bytes, rest: bytes) -> None:
        """Check the response, without waiting for a body that nobody reads."""
        status_line = head[: head.index(b"\r\n")].split(b" ", 2)
        version, status = status_line[0], status_line[1] if len(status_line) > 1 else b""
        if version not in (b"HTTP/1.1", b"HTTP/1.0") or len(status) != 3 or not status.isdigit():
            self._fail("answered with a malformed HTTP status line")
            return
        if int(status) != SWITCHING_PROTOCOLS:
            self._fail(f"answered HTTP {int(status)} to the upgrade request", status=int(status))
            return
        protocol = self._protocol
        protocol.receive_data(head)
        part_from_parser(protocol)
        if protocol.handshake_exc is not None:
            self._fail_handshake(protocol.handshake_exc)
            return
        chosen = protocol.subprotocol
        if self._wish.subprotocols and chosen is None:
            self._stage = DialStage.SUBPROTOCOL
            self._fail(f"chose no subprotocol; offered were {', '.join(self._wish.subprotocols)}")
            return
        link = self._link
        frames = Frames(link.limits, client=True, extensions=protocol.extensions)
        socket = WebSocket(link, self._sink, frames, chosen)
        link.attach(socket)
        socket.open()
        self.outcome.set_result(socket)
        if rest:
            socket.received(memoryview(rest))

    def _fail_handshake(self, cause: Exception) -> None:
        """Say what is wrong with a 101, in our own words."""
        headers = str(cause).lower()
        if "subprotocol" in headers or "sec-websocket-protocol" in headers:
            self._stage = DialStage.SUBPROTOCOL
            offered = ", ".join(self._wish.subprotocols) or "none"
            self._fail(f"chose a subprotocol that wasn't offered; offered were {offered}")
        elif isinstance(cause, InvalidHandshake):
            self._fail(f"answered the upgrade with a wrong handshake ({type(cause).__name__})")
        else:
            self._fail("answered the upgrade with a malformed HTTP response")

    def _fail(self, what: str, *, status: int | None = None, code: str = "") -> None:
        part_from_parser(self._protocol)
        if not self.outcome.done():
            reason = f"{self._wish.place}: {what}"
            self.outcome.set_exception(DialError(reason, stage=self.stage, status=status, code=code))
            self._link.finish()


async def dial(  # noqa: PLR0913  # part of the agreed interface
    url: str,
    *,
    sink: MessageSink,
    subprotocols: Sequence[str],
    headers: Mapping[str, str],
    tls: ssl.SSLContext | None,
    limits: Limits | None = None,
    pool: HandshakePool | None = None,
    timeout: float = 10.0,  # part of the agreed interface
    compression: bool = False,
) -> WebSocket:
    """Connect to ``url`` and return the open WebSocket; ``sink.connected`` has been called by then.

    ``tls`` is needed for wss:// and must be None for ws://; its verification uses the URL's host. ``headers`` are added
    to the request (Authorization, ...). When ``subprotocols`` are offered, the server must choose one of them.
    ``timeout`` (s) covers everything, from the name look-up to the 101. Raises :class:`DialError`; ValueError for
    headers that can't be sent.
    """
    wish = _Wish(_parse(url, tls), subprotocols, _checked(headers), compression)
    uri = wish.uri
    loop = asyncio.get_running_loop()
    limits = limits or Limits()
    make_engine = None if tls is None else lambda _: TlsEngine(tls, server_hostname=uri.host)
    gone: asyncio.Future[None] = loop.create_future()  # of None: of the link, each would keep the other
    link = Link(Terms(limits, make_engine, pool, speaks_first=True), gone=lambda _: gone.set_result(None))
    dialogue = _Dialogue(wish, sink, link)
    link.attach(dialogue)
    socket: WebSocket | None = None
    try:
        async with asyncio.timeout(timeout):
            await loop.create_connection(lambda: link, uri.host, uri.port)
            socket = await dialogue.outcome
            link.disown()
    except DialError:
        await asyncio.wait([gone])  # the link sees to it that this isn't long: nothing of a failed dial stays behind
        raise
    except TimeoutError as exc:
        reason = f"{wish.place}: no answer in {timeout:g} s (stage: {dialogue.stage.value})"
        raise DialError(reason, stage=dialogue.stage, code="TIMEOUT") from exc
    except OSError as exc:
        reason = f"{wish.place}: can't be reached: {exc.strerror or exc}"
        raise DialError(reason, stage=DialStage.CONNECT) from exc
    finally:
        if socket is None:
            dialogue.give_up()
        del dialogue  # the error knows this frame, and it the error
    return socket


def _parse(url: str, tls: ssl.SSLContext | None) -> WebSocketURI:
    """Read the URL. The errors don't repeat it, for it may hold what must not be logged."""
    try:
        uri = parse_uri(url)
    except InvalidURI as exc:
        raise DialError(f"not a WebSocket URL: {exc.msg}", stage=DialStage.URL) from None
    except ValueError as exc:
        raise DialError(f"not a WebSocket URL: {exc}", stage=DialStage.URL) from None
    if uri.user_info is not None:
        raise DialError("a WebSocket URL must not hold credentials: send an Authorization header", stage=DialStage.URL)
    if not proper_target(uri.resource_name):
        raise DialError("a WebSocket URL must be percent-encoded: its path isn't visible ASCII", stage=DialStage.URL)
    if uri.secure != (tls is not None):
        wanted = "needs a TLS context" if uri.secure else "takes no TLS context: it would be plain text"
        raise DialError(f"{'wss' if uri.secure else 'ws'}:// {wanted}", stage=DialStage.URL)
    return uri


def _checked(headers: Mapping[str, str]) -> Mapping[str, str]:
    check_fields(headers)
    for name in headers:
        if name.lower() in _OWN or name.lower().startswith("sec-websocket-"):
            raise ValueError(f"the header {name} is set by the handshake itself")
    return headers
