"""The gateway's credentials towards authorities, out of the configuration: read anew whenever they are needed."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from gateway.app.secret_files import readable_path
from gateway.config.secrets import SecretError, SecretRef
from pki.client_tls import ClientCertificate, CredentialMissing


def reader(secret: SecretRef) -> Callable[[], str]:
    """Return what reads a secret, without the whitespace around it. It may block, and raises CredentialMissing."""

    def read() -> str:
        with _as_missing():
            return secret.resolve().strip()

    return read


def client_certificate(chain: Path, key: SecretRef) -> ClientCertificate:
    """Return the certificate whose key is ``key``."""

    @contextlib.contextmanager
    def key_file() -> Iterator[Path]:
        with _as_missing(), readable_path(key) as path:
            yield path

    return ClientCertificate(chain, key_file)


@contextlib.contextmanager
def _as_missing() -> Iterator[None]:
    try:
        yield
    except SecretError as error:
        raise CredentialMissing(str(error)) from None
