"""TLS towards authorities: whom we trust there, and which certificate we show."""

import contextlib
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

KeyFile = Callable[[], AbstractContextManager[Path]]
"""Gives a path under which the private key can be read while the context is open. Raises CredentialMissing."""


class CredentialMissing(Exception):
    """A credential can't be read; the text says which and why, and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """The certificate of a TLS login, read anew for each."""

    chain: Path
    key: KeyFile


class TlsTrust:
    """Makes the TLS context of all connections: servers' certificates are always verified, names included."""

    def __init__(self, roots: Path | None = None, certificate: ClientCertificate | None = None) -> None:
        self._roots = roots
        self._certificate = certificate
        self._context: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext:
        """Return it; made on first use. Blocks. Raises CredentialMissing."""
        context = self._context
        if context is None:
            context = self._context = self._make()
        return context

    def forget(self) -> bool:
        """Have the certificate read anew; returns whether there is one."""
        if self._certificate is not None:
            self._context = None
        return self._certificate is not None

    def _make(self) -> ssl.SSLContext:
        # With a file of roots, Python loads these alone; without one, those of the machine.
        with _naming(f"the roots {self._roots}"):
            context = ssl.create_default_context(cafile=self._roots)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self._certificate is not None:
            chain = self._certificate.chain
            with self._certificate.key() as key, _naming(f"the client certificate {chain} and its key"):
                context.load_cert_chain(chain, key, password=_no_passphrase)
        return context


def _no_passphrase() -> str:
    raise ValueError("the key is encrypted; store it without a passphrase, mode 0600")


@contextlib.contextmanager
def _naming(what: str) -> Iterator[None]:
    try:
        yield
    except ssl.SSLError as error:
        raise CredentialMissing(f"{what} can't be used ({error.reason or 'no certificate in PEM'})") from None
    except OSError as error:
        raise CredentialMissing(f"{what} can't be read: {error.strerror}") from None
    except ValueError as error:
        raise CredentialMissing(f"{what}: {error}") from None
