"""How a station's backend is dialled: URL, credentials, TLS (OCPP-J 1.6, 3; security white paper profiles 1 to 3)."""

import base64
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.transport import DialError, DialStage, HandshakePool, Limits, MessageSink, WebSocket, dial, no_passphrase
from gateway.wire.versions import Version

DIAL_TIMEOUT: Final = 10.0
"""Seconds for TCP, TLS and the WebSocket handshake together."""


@dataclass(frozen=True, slots=True)
class BasicAuthorization:
    """HTTP Basic towards a backend; the password is asked for at each dialling, so that it can be rotated."""

    user: Callable[[str], str]
    """``user(identity)``."""
    password: Callable[[str], Awaitable[str]]
    """``await password(identity)``; raises ValueError with a clear text when the secret can't be had."""


@dataclass(frozen=True, slots=True)
class BackendAddress:
    """One configured backend."""

    name: str
    url_for: Callable[[str], str]
    """``url_for(identity)``: the URL of that station's WebSocket."""
    version: Version
    tls: ssl.SSLContext | None
    basic: BasicAuthorization | None


def tls_context(roots: Path | None, certificate: tuple[Path, Path] | None) -> ssl.SSLContext:
    """Make the client context for one backend: TLS 1.2 or later, the server always verified by name and chain.

    ``roots`` is a PEM file (default: the system's), ``certificate`` the (chain, key) for mutual TLS.
    Raises OSError, ssl.SSLError among them, for files that can't be used.
    """
    context = ssl.create_default_context(cafile=roots)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate is not None:
        context.load_cert_chain(*certificate, no_passphrase)
    return context


class BackendDialer:
    """Dials one backend for one station."""

    __slots__ = ("_address", "_identity", "_limits", "_pool")

    def __init__(self, address: BackendAddress, identity: str, *, limits: Limits, pool: HandshakePool) -> None:
        self._address = address
        self._identity = identity
        self._limits = limits
        self._pool = pool

    async def __call__(self, sink: MessageSink) -> WebSocket:
        """Return the open WebSocket. Raises DialError."""
        address = self._address
        return await dial(
            address.url_for(self._identity),
            sink=sink,
            subprotocols=[address.version.subprotocol],
            headers=await self._headers(),
            tls=address.tls,
            limits=self._limits,
            pool=self._pool,
            timeout=DIAL_TIMEOUT,
        )

    async def _headers(self) -> dict[str, str]:
        basic = self._address.basic
        if basic is None:
            return {}
        try:
            password = await basic.password(self._identity)
        except ValueError as error:
            raise DialError(str(error), stage=DialStage.HTTP) from None
        token = base64.b64encode(f"{basic.user(self._identity)}:{password}".encode()).decode("ascii")
        return {"Authorization": f"Basic {token}"}
