"""Providers of the Open Plug&Charge Protocol, out of the configuration."""

import asyncio
import re
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import Final

from gateway.app.credentials import reader
from gateway.app.problems import StartFailed
from gateway.config.plug_and_charge import NativeOpcpCps, Opcp
from pki.client_tls import CredentialMissing, TlsTrust
from pki.iso15118.opcp.client import Headers, OpcpClient
from pki.iso15118.opcp.provider import AnswerCheck, OpcpProvider
from pki.iso15118.opcp.signing import Issuer, NativeWithOpcpCps
from pki.iso15118.opcp.token import OAuthClient

SHARE: Final = 0.9
"""Of a vehicle's time that its provider has: who asks must hear of a provider that is late before giving up itself."""

_SENDABLE: Final = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")


async def open_opcp(
    place: str, opcp: Opcp, answers: AnswerCheck, stack: AsyncExitStack, *, timeout: float
) -> OpcpProvider:
    """Open a provider that keeps signed contracts; nothing is asked of it yet.

    ``place`` is the section's key; ``timeout``: seconds for one request of a vehicle; ``stack`` closes it. Raises
    StartFailed for a secret or roots that can't be read.
    """
    client = await _open_client(place, opcp, stack, timeout)
    return OpcpProvider(client, answers, always_return_exi=opcp.always_return_exi)


async def open_native_opcp_cps(
    place: str, section: NativeOpcpCps, issuer: Issuer, answers: AnswerCheck, stack: AsyncExitStack, *, timeout: float
) -> NativeWithOpcpCps:
    """Open a provisioning service that signs what ``issuer`` issues, the same way; ``issuer`` stays its owner's."""
    client = await _open_client(f"{place}.opcp", section.opcp, stack, timeout)
    return NativeWithOpcpCps(issuer, client, answers, v2g_root=section.v2g_root_fingerprint)


async def _open_client(place: str, opcp: Opcp, stack: AsyncExitStack, timeout: float) -> OpcpClient:
    trust, oauth, headers = TlsTrust(opcp.roots), _oauth(opcp), _headers(opcp)
    try:
        await asyncio.to_thread(_read_all, trust, oauth, headers)
    except CredentialMissing as error:
        raise StartFailed(f"{place}: {error}") from None
    client = OpcpClient(opcp.url, trust, oauth=oauth, headers=headers, timeout=SHARE * timeout)
    stack.push_async_callback(client.close)
    return client


def _oauth(opcp: Opcp) -> OAuthClient | None:
    token = opcp.token
    if token is None:
        return None
    return OAuthClient(token.url, token.client_id, reader(token.client_secret), token.scope, token.audience)


def _headers(opcp: Opcp) -> Headers | None:
    if not opcp.headers:
        return None
    readers: Mapping[str, Callable[[], str]] = {name: reader(secret) for name, secret in opcp.headers.items()}

    def read() -> Mapping[str, str]:
        values = {name: value() for name, value in readers.items()}
        for name, value in values.items():
            if not _SENDABLE.fullmatch(value):
                raise CredentialMissing(f"the value of the header {name} isn't one line of printable ASCII")
        return values

    return read


def _read_all(trust: TlsTrust, oauth: OAuthClient | None, headers: Headers | None) -> None:
    """Read what will be needed: a reference that leads nowhere is found at the start."""
    trust.context()
    if oauth is not None:
        oauth.secret()
    if headers is not None:
        headers()
