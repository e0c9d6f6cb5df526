"""Bytes, for both legs: TLS, opening handshake, WebSocket messages, deadlines, back-pressure. Knows nothing of OCPP.

Everything that other parts need is imported from here.
"""

from websockets.datastructures import Headers

from gateway.transport.addresses import Network, household, within
from gateway.transport.admission import (
    Accept,
    AcceptThenClose,
    Admit,
    Observe,
    Refuse,
    Refused,
    Screen,
    Stage,
    UpgradeRequest,
    Verdict,
)
from gateway.transport.client import DialError, DialStage, dial
from gateway.transport.handshakes import HandshakePool
from gateway.transport.limits import Limits
from gateway.transport.listener import Listener
from gateway.transport.messages import Closed, MessageSink
from gateway.transport.tls import TlsPeer, no_passphrase
from gateway.transport.websocket import State, WebSocket

__all__ = [
    "Accept",
    "AcceptThenClose",
    "Admit",
    "Closed",
    "DialError",
    "DialStage",
    "HandshakePool",
    "Headers",
    "Limits",
    "Listener",
    "MessageSink",
    "Network",
    "Observe",
    "Refuse",
    "Refused",
    "Screen",
    "Stage",
    "State",
    "TlsPeer",
    "UpgradeRequest",
    "Verdict",
    "WebSocket",
    "dial",
    "household",
    "no_passphrase",
    "within",
]
