"""Connections to Vault or OpenBao, out of the configuration: one for all uses that name the same credentials."""

import asyncio
from contextlib import AsyncExitStack

from gateway.app.credentials import client_certificate, reader
from gateway.app.problems import StartFailed
from gateway.app.tasks import Tasks
from gateway.config.authorities import VaultAuth, VaultServer
from pki.client_tls import CredentialMissing, TlsTrust
from pki.vault.connection import VaultConnection
from pki.vault.logins import AppRoleLogin, CertificateLogin, JwtLogin, KubernetesLogin, Login, TokenLogin


class VaultConnections:
    """Opens each once; ``stack`` closes them, and ends the tasks that keep their tokens."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._opened: dict[VaultServer, VaultConnection] = {}

    async def connect(self, place: str, vault: VaultServer) -> VaultConnection:
        """Return the connection; nothing is asked of Vault yet. ``place`` is the section's key.

        Raises StartFailed for a credential that can't be read.
        """
        key = VaultServer.model_construct(**{name: getattr(vault, name) for name in VaultServer.model_fields})
        if key not in self._opened:
            self._opened[key] = await self._open(place, vault)
        return self._opened[key]

    async def _open(self, place: str, vault: VaultServer) -> VaultConnection:
        login, trust = login_of(vault.auth), trust_of(vault)
        try:
            await asyncio.to_thread(_read_all, login, trust)
        except CredentialMissing as error:
            raise StartFailed(f"{place}: {error}") from None
        connection = VaultConnection(
            vault.address, login, trust=trust, namespace=vault.namespace, timeout=vault.timeout
        )
        tasks = Tasks()
        self._stack.push_async_callback(connection.close)
        self._stack.push_async_callback(tasks.close)
        tasks.spawn(connection.keep_alive(), f"token of {place}")
        return connection


def login_of(auth: VaultAuth) -> Login:
    """Return the one way to log in that ``auth`` names."""
    if auth.approle is not None:
        return AppRoleLogin(auth.approle.role_id, reader(auth.approle.secret_id), auth.approle.mount)
    if auth.kubernetes is not None:
        return KubernetesLogin(auth.kubernetes.role, auth.kubernetes.token_file, auth.kubernetes.mount)
    if auth.tls is not None:
        return CertificateLogin(auth.tls.role, auth.tls.mount)
    if auth.jwt is not None:
        return JwtLogin(auth.jwt.role, reader(auth.jwt.token), auth.jwt.mount)
    if auth.token is not None:
        return TokenLogin(reader(auth.token))
    raise ValueError("names no way to log in")


def trust_of(vault: VaultServer) -> TlsTrust:
    """Return whom the connections trust, and which certificate they show."""
    tls = vault.auth.tls
    if tls is None:
        return TlsTrust(vault.roots)
    return TlsTrust(vault.roots, client_certificate(tls.chain, tls.key))


def _read_all(login: Login, trust: TlsTrust) -> None:
    """Read what will be needed: a reference that leads nowhere is found at the start."""
    trust.context()
    login.check()
