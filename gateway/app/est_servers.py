"""Authorities behind EST, out of the configuration."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

from gateway.app.credentials import client_certificate, reader
from gateway.app.problems import StartFailed
from gateway.app.tasks import Tasks
from gateway.config.authorities import EstAuthority, EstClient
from pki.authority.est import EstAuthority as EnrollingAuthority
from pki.client_tls import ClientCertificate, CredentialMissing, TlsTrust
from pki.est.client import EstClient as Client
from pki.est.client import Password
from pki.est.own_certificate import OwnCertificate


async def open_est(place: str, est: EstAuthority, stack: AsyncExitStack) -> EnrollingAuthority:
    """Open one; nothing is asked of the server yet. ``place`` is the section's key; ``stack`` closes it.

    Its client certificate, if it has one, is renewed there before it lapses. Raises StartFailed for a credential that
    can't be read.
    """
    files, password = _certificate(est.auth), _password(est.auth)
    trust = TlsTrust(est.roots, files)
    try:
        await asyncio.to_thread(_read_all, trust, password)
    except CredentialMissing as error:
        raise StartFailed(f"{place}: {error}") from None
    client = Client(est.url, trust, label=est.label, password=password, timeout=est.timeout)
    stack.push_async_callback(client.close)
    own = OwnCertificate(client, files) if files is not None else None
    if own is not None:
        tasks = Tasks()
        stack.push_async_callback(tasks.close)
        tasks.spawn(own.keep(), f"client certificate of {place}")
    return EnrollingAuthority(client, own=own)


def _certificate(auth: EstClient) -> ClientCertificate | None:
    if auth.chain is None or auth.key is None:
        return None
    return client_certificate(auth.chain, auth.key)


def _password(auth: EstClient) -> Password | None:
    user, secret = auth.user, auth.password
    if user is None or secret is None:
        return None
    read = reader(secret)
    return lambda: (user, read())


def _read_all(trust: TlsTrust, password: Callable[[], object] | None) -> None:
    """Read what will be needed: a reference that leads nowhere is found at the start."""
    trust.context()
    if password is not None:
        password()
