"""Files of CA certificates that are read while the gateway runs."""

from pathlib import Path
from typing import Final

from cryptography import x509

from pki.paths import load_roots

FILE_MAX: Final = 1_048_576
"""Bytes of a file of CA certificates."""


def read_cas(path: Path) -> tuple[x509.Certificate, ...]:
    """Read CA certificates in PEM. Blocks on the disk. Raises OSError, and ValueError that goes on after the path."""
    with path.open("rb") as file:
        content = file.read(FILE_MAX + 1)
    if len(content) > FILE_MAX:
        raise ValueError(f"has more than {FILE_MAX} bytes")
    return tuple(load_roots(content))
