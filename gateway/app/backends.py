"""Configured backends -> addresses that can be dialled."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

from gateway.app.problems import StartFailed
from gateway.app.secret_files import readable_path
from gateway.config import Backend, BasicAuth, Config
from gateway.config.secrets import SecretError
from gateway.upstream.dialing import BackendAddress, BasicAuthorization, tls_context
from gateway.wire.versions import Version


def addresses(config: Config) -> dict[str, BackendAddress]:
    """Return every configured backend by name. Raises :class:`StartFailed` for TLS files that can't be used."""
    return {name: _address(name, backend) for name, backend in config.backends.items()}


def _address(name: str, backend: Backend) -> BackendAddress:
    basic = backend.auth.basic if backend.auth is not None else None
    return BackendAddress(
        name=name,
        url_for=backend.url_for,
        version=Version(backend.protocol),
        tls=_tls(name, backend) if backend.url.startswith("wss:") else None,
        basic=BasicAuthorization(basic.user_for, _password(basic)) if basic is not None else None,
    )


def _tls(name: str, backend: Backend) -> ssl.SSLContext:
    tls = backend.tls
    for path in _files(backend):
        if not path.is_file():
            raise StartFailed(f"backends.{name}.tls: there is no file {path}")
    try:
        if tls is None:
            return tls_context(None, None)
        if tls.chain is not None and tls.key is not None:
            with readable_path(tls.key) as key:
                return tls_context(tls.roots, (tls.chain, key))
        return tls_context(tls.roots, None)
    except (OSError, ssl.SSLError, SecretError) as error:
        raise StartFailed(f"backends.{name}.tls: {error}") from None


def _files(backend: Backend) -> list[Path]:
    """What the section names; OpenSSL's own error wouldn't say which of them is missing."""
    tls = backend.tls
    if tls is None:
        return []
    key = tls.key.path if tls.key is not None else None
    return [path for path in (tls.roots, tls.chain, key) if path is not None]


def _password(basic: BasicAuth) -> Callable[[str], Awaitable[str]]:
    """Read the secret anew for each dialling, off the event loop, so that it can be rotated in place."""

    async def password(identity: str) -> str:
        try:
            return await asyncio.to_thread(basic.password.resolve, identity)
        except SecretError as error:
            raise ValueError(str(error)) from None

    return password
