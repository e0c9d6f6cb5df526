"""Private keys for OpenSSL, which reads files only."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.config.secrets import SecretRef


@contextmanager
def readable_path(secret: SecretRef) -> Iterator[Path]:
    """Give a path under which the secret can be read while the context is open.

    A ``file:`` secret is its own path; any other lies in memory only, never on a disk. Raises SecretError.
    """
    if secret.path is not None and not secret.is_template:
        yield secret.path
        return
    content = secret.resolve_bytes()
    descriptor = os.memfd_create("voltgate-key", os.MFD_CLOEXEC)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(content)
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
