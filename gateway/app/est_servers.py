"""Authorities behind EST, out of the configuration."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

from gateway.app.problems import StartFailed
from gateway.app.secret_files import readable_path
from gateway.app.tasks import Tasks
from gateway.config.authorities import EstAuthority, EstClient
from gateway.config.secrets import SecretError, SecretRef
from pki.authority.est import EstAuthority as EnrollingAuthority
from pki.est.client import EstClient as Client
from pki.est.client import Password
from pki.est.own_certificate import OwnCertificate
from pki.vault.failures import CredentialMissing
from pki.vault.tls import ClientCertificate, TlsTrust


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
    chain, key = auth.chain, auth.key
    if chain is None or key is None:
        return None

    @contextlib.contextmanager
    def key_file() -> Iterator[Path]:
        with _as_missing(), readable_path(key) as path:
            yield path

    return ClientCertificate(chain, key_file)


def _password(auth: EstClient) -> Password | None:
    user, secret = auth.user, auth.password
    if user is None or secret is None:
        return None
    return lambda: (user, _resolved(secret))


def _resolved(secret: SecretRef) -> str:
    with _as_missing():
        return secret.resolve().strip()


@contextlib.contextmanager
def _as_missing() -> Iterator[None]:
    try:
        yield
    except SecretError as error:
        raise CredentialMissing(str(error)) from None


def _read_all(trust: TlsTrust, password: Callable[[], object] | None) -> None:
    """Read what will be needed: a reference that leads nowhere is found at the start."""
    trust.context()
    if password is not None:
        password()
