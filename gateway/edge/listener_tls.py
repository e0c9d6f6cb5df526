"""The TLS contexts that a listener uses now: by server name, strict or tolerant of expiry, replaced while it runs."""

import hashlib
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from gateway.edge.tls import TlsRejected, reason_of, server_context
from pki.clock import utc_now

Pairs = Sequence[tuple[Path, Path]]
CertificateFiles = Callable[[], AbstractContextManager[Pairs]]
"""Gives the (chain, key) PEM files, readable while the context is open; a key may lie in memory only."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """One server certificate with its key."""

    files: tuple[Path, Path]
    names: tuple[str, ...]
    """Its dNSNames, or its CN where it has none; lower case."""
    is_rsa: bool
    not_before: datetime
    not_after: datetime
    chain: tuple[x509.Certificate, ...]


@dataclass(frozen=True, slots=True)
class _Contexts:
    """One per set of certificates, by server name; ``default`` is for a name that isn't known, and for none."""

    default: ssl.SSLContext
    by_name: Mapping[str, ssl.SSLContext]


class ListenerTls:
    """Holds a listener's contexts. ``context`` is for the event loop; ``reload`` blocks and belongs in a thread.

    A listener with several names has an ECDSA and an RSA chain for each; the name that the station asks for (SNI)
    chooses. Names are compared whole: a wildcard serves as the first certificate only (A00.FR.412 doesn't allow it).
    """

    def __init__(
        self,
        certificates: CertificateFiles,
        client_roots: Sequence[Path],
        *,
        static_rsa: bool = True,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """Read all files. Raises :class:`TlsRejected`; what ``certificates`` raises passes through."""
        self._certificates = certificates
        self._client_roots = client_roots
        self._static_rsa = static_rsa
        self._clock = clock
        self.tolerate_expiry = False
        """True while any station holds A00.FR.429's exception: who may use it, the application decides."""
        with certificates() as pairs:
            self._digest = self._digest_of(pairs)
            shown = _read(pairs)
            self._strict, self._tolerant = self._build(shown)
        self.chains = tuple(each.chain for each in shown)
        """What is shown now: each certificate, its CAs behind it."""

    def context(self, server_name: str | None) -> ssl.SSLContext:
        """Return the context for a handshake that asks for ``server_name`` (lower case). Costs nothing."""
        contexts = self._tolerant if self.tolerate_expiry else self._strict
        return contexts.by_name.get(server_name, contexts.default) if server_name is not None else contexts.default

    def reload(self) -> bool:
        """Read the files again and return whether anything had changed; connections that are open go on as they are.

        Nothing is replaced unless all of it can be used, and by today's date: else the last good contexts stay, and
        :class:`TlsRejected` says what is wrong. What ``certificates`` raises passes through.
        """
        with self._certificates() as pairs:
            digest = self._digest_of(pairs)
            if digest == self._digest:
                return False
            shown = _read(pairs)
            now = self._clock()
            for each in shown:
                if not each.not_before <= now <= each.not_after:
                    raise TlsRejected(
                        f"certificate {each.files[0]}: valid from {each.not_before:%Y-%m-%d %H:%M} to "
                        f"{each.not_after:%Y-%m-%d %H:%M} UTC only"
                    )
            self._strict, self._tolerant = self._build(shown)
            self._digest = digest
            self.chains = tuple(each.chain for each in shown)
        return True

    def _digest_of(self, pairs: Pairs) -> bytes:
        """Name the content of all files. It is read before they are used: what changes meanwhile is seen next time."""
        files = [file for pair in pairs for file in pair] + list(self._client_roots)
        return b"".join(hashlib.sha256(_content(file)).digest() for file in files)

    def _build(self, shown: Sequence[_Shown]) -> tuple[_Contexts, _Contexts]:
        groups = _by_name(shown)
        first = groups[shown[0].names[0]]

        def contexts(*, check_time: bool) -> _Contexts:
            made = {
                group: server_context(
                    [each.files for each in group],
                    self._client_roots,
                    static_rsa=self._static_rsa,
                    check_time=check_time,
                )
                for group in dict.fromkeys(groups.values())
            }
            return _Contexts(made[first], {name: made[group] for name, group in groups.items()})

        return contexts(check_time=True), contexts(check_time=False)


def _by_name(shown: Sequence[_Shown]) -> dict[str, tuple[_Shown, ...]]:
    """Group certificates by the names that they bear. Raises TlsRejected for two of a kind: OpenSSL would take one."""
    groups: dict[str, tuple[_Shown, ...]] = {}
    for each in shown:
        for name in each.names:
            group = groups.get(name, ())
            twin = next((other for other in group if other.is_rsa is each.is_rsa), None)
            if twin is not None:
                kind = "RSA" if each.is_rsa else "ECDSA"
                raise TlsRejected(
                    f"certificate {each.files[0]}: {twin.files[0]} is an {kind} certificate for {name} too; name one"
                )
            groups[name] = (*group, each)
    return groups


def _read(pairs: Pairs) -> list[_Shown]:
    if not pairs:
        raise TlsRejected("certificates: a listener with TLS needs one at least")
    return [_look_at(chain, key) for chain, key in pairs]


def _look_at(chain: Path, key: Path) -> _Shown:
    try:
        certificates = x509.load_pem_x509_certificates(_content(chain))
        leaf = certificates[0]
        names = _names(leaf)
    except ValueError:
        raise TlsRejected(f"certificate {chain} with key {key}: holds no certificate in PEM") from None
    is_rsa = isinstance(leaf.public_key(), rsa.RSAPublicKey)
    return _Shown((chain, key), names, is_rsa, leaf.not_valid_before_utc, leaf.not_valid_after_utc, tuple(certificates))


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    try:
        alternatives = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = alternatives.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        names = []
    if not names:
        names = [str(each.value) for each in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)] or [""]
    return tuple(dict.fromkeys(name.lower() for name in names))


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise TlsRejected(f"{file}: {reason_of(error)}") from None
