"""A folder with a server's certificates and their keys: ``ecdsa.pem`` and ``rsa.pem``, each a key and its chain.

Key and chain are one file, replaced whole, so that no crash leaves a certificate with another one's key. Who uses both
as files reads them twice; that happens under a shared lock on the folder, and a file is replaced under an exclusive
one. The kernel drops either with the process that holds it.
"""

import contextlib
import enum
import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509

from pki.issuing import PrivateKey
from pki.pem_files import FOLDER_MODE, SECRET_MODE, key_pem, parse_key, read_secret, write_file

KNOWN_MAX: Final = 16
"""Files whose content isn't looked at again: an RSA key takes ten milliseconds."""

_known: Final[dict[bytes, tuple[x509.Certificate, ...]]] = {}
"""By the digest of a file's content: the chain in it, which has its key beside it."""


class PairKind(enum.Enum):
    """The kind of key; a server has one of each (OCPP 2.0.1 A00.FR.318)."""

    ECDSA = "ecdsa"
    RSA = "rsa"


class PairUnusable(ValueError):
    """A file that holds no key with its certificate; the text names it and says why."""


@dataclass(frozen=True, slots=True)
class KeptPair:
    """A certificate whose key lies beside it in ``path``."""

    path: Path
    chain: tuple[x509.Certificate, ...]
    """Leaf first."""

    @property
    def leaf(self) -> x509.Certificate:
        return self.chain[0]

    @property
    def names(self) -> frozenset[str]:
        """Its alternative names as they are written in a configuration, in lower case."""
        try:
            found = self.leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return frozenset()
        hosts = (name.lower() for name in found.get_values_for_type(x509.DNSName))
        return frozenset({*hosts, *(str(address) for address in found.get_values_for_type(x509.IPAddress))})

    def is_valid(self, at: datetime) -> bool:
        """True when its dates include ``at``."""
        return self.leaf.not_valid_before_utc <= at <= self.leaf.not_valid_after_utc


class PairFolder:
    """The folder. Every method blocks, and raises OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def make(self) -> None:
        """Make the folder, for its owner alone, where there is none."""
        self.path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)

    def read(self, kind: PairKind) -> KeptPair | None:
        """Return what is kept of this kind, or None. Raises :class:`PairUnusable`."""
        path = self._file(kind)
        try:
            return KeptPair(path, _chain_in(read_secret(path)))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise PairUnusable(f"{path} can't be used: {error}") from None

    def write(self, kind: PairKind, key: PrivateKey, chain_pem: str) -> None:
        """Replace what is kept of this kind, on the disk when this returns."""
        with self._locked(fcntl.LOCK_EX):
            write_file(self._file(kind), key_pem(key) + chain_pem.encode("ascii"), SECRET_MODE)

    @contextlib.contextmanager
    def held(self, at: datetime) -> Iterator[Sequence[KeptPair]]:
        """Give what can be shown at ``at``; nothing of it changes while the context is open.

        An expired one is left out beside one that is valid, and kept where there is no other: whoever shows it now goes
        on. Raises :class:`PairUnusable`: what was shown before is better.
        """
        with self._locked(fcntl.LOCK_SH):
            found = [pair for kind in PairKind if (pair := self.read(kind)) is not None]
            yield [each for each in found if each.is_valid(at)] or found

    def set_aside(self, kind: PairKind) -> None:
        """Give what is kept of this kind another name, so that it is in nobody's way."""
        path = self._file(kind)
        with self._locked(fcntl.LOCK_EX):
            path.replace(path.with_suffix(".unusable"))

    def _file(self, kind: PairKind) -> Path:
        return self.path / f"{kind.value}.pem"

    @contextlib.contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(folder, how)
            yield
        finally:
            os.close(folder)


def _chain_in(content: bytes) -> tuple[x509.Certificate, ...]:
    """Return the chain of a file that holds its key too. Raises ValueError."""
    digest = hashlib.sha256(content).digest()
    if (chain := _known.get(digest)) is not None:
        return chain
    key, chain = parse_key(content), tuple(x509.load_pem_x509_certificates(content))
    if chain[0].public_key() != key.public_key():
        raise ValueError("its key isn't that of its certificate")
    if len(_known) >= KNOWN_MAX:
        _known.clear()
    _known[digest] = chain
    return chain
