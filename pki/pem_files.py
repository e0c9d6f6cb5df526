"""Certificates and keys in files: PEM, keys readable by their owner alone, replaced whole or not at all."""

import functools
import os
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from pki.issuing import PrivateKey

PUBLIC_MODE: Final = 0o644
SECRET_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700
CHAINS_KEPT: Final = 64
"""Ways from an issuing CA upwards that are kept read."""

_END: Final = "-----END CERTIFICATE-----"


class KeyExposed(ValueError):
    """A private key that others than its owner may read or replace."""


def certificates_pem(certificates: Sequence[x509.Certificate]) -> str:
    """Return certificates as one PEM text, in their order."""
    return "".join(certificate.public_bytes(Encoding.PEM).decode() for certificate in certificates)


def key_pem(key: PrivateKey) -> bytes:
    """Return a private key as unencrypted PKCS#8 PEM: for a file of mode 0600, and for nowhere else."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def parse_key(pem: bytes) -> PrivateKey:
    """Read an unencrypted ECDSA or RSA key. Raises ValueError, whose text holds nothing of the key."""
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError:
        raise ValueError("the key is encrypted; store it without a passphrase, mode 0600") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("isn't a private key in PEM") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise ValueError("is neither an ECDSA nor an RSA key")  # noqa: TRY004  # wrong content, not a wrong type
    return key


def read_key(path: Path) -> PrivateKey:
    """Read a private key that only its owner can read. Raises OSError, ValueError, :class:`KeyExposed`."""
    return parse_key(read_secret(path))


def read_secret(path: Path) -> bytes:
    """Read a file that only its owner can read. Raises OSError, :class:`KeyExposed`."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeyExposed(f"{path} can be read by others (mode {mode:04o}); chmod 600 it")
    return path.read_bytes()


def write_file(path: Path, content: bytes, mode: int) -> None:
    """Write a file whole or not at all, with ``mode`` from its first moment, and on the disk when this returns."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make what was created or renamed in ``folder`` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_chain(pem: str) -> list[x509.Certificate]:
    """Read a chain, leaf first. Its CAs, which are the same again and again, are read once. Raises ValueError."""
    end = pem.find(_END)
    if end < 0:
        raise ValueError("holds no certificate in PEM")
    end += len(_END)
    rest = pem[end:].strip()
    return [x509.load_pem_x509_certificate(pem[:end].encode()), *(_issuers(rest) if rest else ())]


@functools.lru_cache(maxsize=CHAINS_KEPT)
def _issuers(pem: str) -> tuple[x509.Certificate, ...]:
    return tuple(x509.load_pem_x509_certificates(pem.encode()))
