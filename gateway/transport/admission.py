"""What a listener asks its owner about a connection, what the owner may answer, and what never got that far."""

import enum
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from websockets.datastructures import Headers
from websockets.exceptions import InvalidHeader
from websockets.headers import parse_subprotocol

from gateway.transport.head import check_fields
from gateway.transport.messages import MessageSink, check_close_code
from gateway.transport.tls import TlsPeer


@dataclass(frozen=True, slots=True)
class UpgradeRequest:
    """A well-formed WebSocket opening handshake (RFC 6455 4.2.1), before anything is decided about it.

    ``target`` is the raw request target in origin-form, still percent-encoded: visible ASCII that starts with "/".
    ``headers`` hold exactly one Host and at most one Authorization and Origin. ``remote`` is the client, a
    mapped IPv4 address in its plain form, and ``via`` the load balancer that passed the connection on, if one did.
    """

    target: str
    headers: Headers = field(repr=False)  # Authorization is one of them
    remote: tuple[str, int]
    tls: TlsPeer | None = None
    via: tuple[str, int] | None = None

    @property
    def offered(self) -> tuple[str, ...]:
        """The subprotocols in the client's order of preference. Raises ValueError on a malformed header.

        A listener has answered a malformed one with 400 before it asks for admission.
        """
        try:
            lists = [parse_subprotocol(value) for value in self.headers.get_all("Sec-WebSocket-Protocol")]
        except InvalidHeader as exc:
            raise ValueError("malformed Sec-WebSocket-Protocol header") from exc
        return tuple(name for names in lists for name in names)


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer with an HTTP error and close. ``body`` is plain text; it must not echo what the peer sent.

    Date and the framing fields (Connection, Content-Length, Content-Type) are set by the transport, whatever
    ``headers`` say. Raises ValueError for a status outside 300 to 599, and for headers that could break out of their
    line.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""

    def __post_init__(self) -> None:
        """Check where the mistake is made, not where it is sent."""
        if not 300 <= self.status <= 599:
            raise ValueError(f"{self.status} is not the status of a refusal")
        check_fields(self.headers)


@dataclass(frozen=True, slots=True)
class Accept:
    """Upgrade. ``subprotocol`` must be one that was offered; ``compression`` allows permessage-deflate (RFC 7692)."""

    sink: MessageSink
    subprotocol: str | None
    compression: bool = True


@dataclass(frozen=True, slots=True)
class AcceptThenClose:
    """Upgrade without a subprotocol, then close at once: what OCPP-J asks for when no subprotocol is common.

    Raises ValueError for a code that may not be sent.
    """

    code: int
    reason: str

    def __post_init__(self) -> None:
        """Check where the mistake is made, not where it is sent."""
        check_close_code(self.code)


Verdict = Refuse | Accept | AcceptThenClose

Admit = Callable[[UpgradeRequest], Awaitable[Verdict]]
"""Decides about one connection. It is cancelled when the peer leaves, or at ``Limits.admission_timeout``.

An exception from it answers 500 and is logged whole. Once it has returned :class:`Accept`, the sink hears ``connected``
and later ``disconnected``, exactly once each, even if the peer is gone by then; unless it was cancelled before, and
returned all the same.
"""


class Stage(enum.Enum):
    """How far a connection had come when it was refused."""

    CONNECTION = "connection"
    TLS = "tls"
    HEAD = "head"
    ADMISSION = "admission"


@dataclass(frozen=True, slots=True)
class Refused:
    """A connection that ended before anybody was asked to admit it, or while they were asked.

    ``remote`` is the client, or the load balancer where its PROXY header is what was wrong. ``reason`` is a sentence
    for the log and holds nothing that the peer chose. ``code`` is for machines, one of a bounded set: OpenSSL's symbols
    ("UNSUPPORTED_PROTOCOL", "CERTIFICATE_VERIFY_FAILED", ...), "HTTP_400" and the like, "TIMEOUT", "EOF", "EMPTY" (it
    came and went without a byte, as a load balancer's probe does), "PROXY_HEADER", "TOO_MANY" or another word of the
    screen, "INTERNAL" (the screen failed), "NO_CONTEXT".
    """

    remote: tuple[str, int]
    stage: Stage
    reason: str
    code: str = ""


Screen = Callable[[str], str | None]
"""Whether a connection from this address may go on, asked before TLS: None, or the ``Refused.code`` that ends it.

It must be cheap: it runs for each connection of a flood. IPv4-mapped addresses come as IPv4.
"""

Observe = Callable[[Refused], None]
