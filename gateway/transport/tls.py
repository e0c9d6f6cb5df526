"""TLS with no socket: one connection's ``ssl.SSLObject`` between two memory BIOs."""

import errno
import functools
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, cast

RECORD: Final = 16_384
"""Bytes of plain text in the largest TLS record (RFC 8446 5.1)."""
SLICE: Final = 1_024
"""Bytes put through a memory BIO at a time: a BIO never gives back the most that it once held, and a third more."""
_ENCODING_DER: Final = 2
"""X509_FILETYPE_ASN1, by which the inner certificate object of Python 3.11 and 3.12 is told to write DER."""
SHARED_ISSUERS: Final = 256
"""Issuer certificates of which one copy serves all connections."""


@dataclass(frozen=True, slots=True)
class TlsPeer:
    """What a finished TLS handshake says about the peer.

    ``certificate`` is the leaf in DER as it was presented, None when there was none. ``chain`` begins with the leaf: as
    OpenSSL verified it, or as it was presented where OpenSSL didn't verify (a resumed session). ``server_name`` is the
    name that was dialled; on a listener the one that the client asked for (``client_hello.ClientHello``), if any.
    """

    version: str
    cipher: str
    certificate: bytes | None = None
    chain: tuple[bytes, ...] = ()
    resumed: bool = False
    server_name: str | None = None


@functools.lru_cache(maxsize=SHARED_ISSUERS)
def _shared(der: bytes) -> bytes:
    """Return one and the same object for equal certificates."""
    return der


def _ders(connection: ssl.SSLObject, getter: str) -> tuple[bytes, ...]:
    """Call ``get_verified_chain`` or ``get_unverified_chain``: public from Python 3.13, on the inner object before."""
    owner: Any = connection
    if not hasattr(owner, getter):
        owner = owner._sslobj  # noqa: SLF001  # the only way before Python 3.13
    chain = getattr(owner, getter)()
    return tuple(each if isinstance(each, bytes) else each.public_bytes(_ENCODING_DER) for each in chain or ())


def _chain(connection: ssl.SSLObject, leaf: bytes) -> tuple[bytes, ...]:
    issuers = (_ders(connection, "get_verified_chain") or _ders(connection, "get_unverified_chain"))[1:]
    return (leaf, *map(_shared, issuers))


def explain(exc: Exception) -> tuple[str, str]:
    """Return OpenSSL's symbol for an error (or the exception's name), and a sentence free of the peer's words."""
    symbol = (exc.reason if isinstance(exc, ssl.SSLError) else None) or type(exc).__name__
    text = symbol.replace("_", " ").lower()
    if isinstance(exc, ssl.SSLCertVerificationError):
        return symbol, f"{text}: {exc.verify_message}"
    return symbol, text


def no_passphrase() -> str:
    """Raise OSError. It is the ``password`` of ``load_cert_chain``: without one, OpenSSL asks on the terminal."""
    raise OSError(errno.EACCES, "the key is encrypted; store it without a passphrase, mode 0600")


class TlsEngine:
    """One side of one TLS connection. Ciphertext comes in by ``feed`` and goes out by ``outgoing`` and ``encrypt``.

    Not thread-safe: while ``step`` runs in a thread, nothing else may be called.
    """

    __slots__ = ("_asked", "_incoming", "_outgoing", "_ssl")

    def __init__(
        self, context: ssl.SSLContext, *, server_hostname: str | None = None, asked: str | None = None
    ) -> None:
        """``server_hostname`` makes it the client's side. Raises ValueError when the name can't be one.

        ``asked`` is the name that the client asked for, on the server's side.
        """
        self._asked = asked
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._ssl = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_hostname is None, server_hostname=server_hostname
        )

    def step(self) -> TlsPeer | Exception | None:
        """Carry the handshake as far as it goes: the peer when it is finished, None when the peer must say more.

        A failure is returned, not raised, because this runs in threads; the alert for the peer is then in ``outgoing``.
        """
        try:
            self._ssl.do_handshake()
            return self._peer()
        except ssl.SSLWantReadError:
            return None
        except Exception as exc:  # noqa: BLE001  # it ends this handshake, and must not end the thread
            return exc

    def _peer(self) -> TlsPeer:
        connection = self._ssl
        leaf = connection.getpeercert(binary_form=True)
        cipher = connection.cipher()
        return TlsPeer(
            version=connection.version() or "",
            cipher=cipher[0] if cipher else "",
            certificate=leaf,
            chain=_chain(connection, leaf) if leaf else (),
            resumed=bool(connection.session_reused),
            server_name=connection.server_hostname or self._asked,
        )

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take ciphertext from the network."""
        self._incoming.write(data)

    def outgoing(self) -> bytes:
        """Return the ciphertext that has to go out: handshake messages, alerts, key updates. Usually none."""
        return self._outgoing.read() if self._outgoing.pending else b""

    def read(self, plain: memoryview) -> int:
        """Decrypt at most one record into ``plain``: the bytes written, 0 when more must come in, -1 at close_notify.

        Raises ssl.SSLError, with an alert in ``outgoing``, when the peer breaks the protocol.
        """
        try:
            # With a buffer it returns a number, whatever the stub says; 0 is close_notify.
            return cast("int", self._ssl.read(RECORD, plain)) or -1
        except ssl.SSLWantReadError:
            return 0
        except ssl.SSLZeroReturnError:
            return -1

    @property
    def pending(self) -> bool:
        """True when ``read`` may give more without a further ``feed``."""
        return self._incoming.pending > 0 or self._ssl.pending() > 0

    def encrypt(self, data: bytes) -> bytes:
        """Return ``data`` as TLS records, together with whatever else has to go out."""
        if len(data) <= SLICE:
            self._ssl.write(data)
            return self._outgoing.read()
        records = []
        for start in range(0, len(data), SLICE):
            self._ssl.write(data[start : start + SLICE])
            records.append(self._outgoing.read())
        return b"".join(records)

    def farewell(self) -> bytes:
        """Return close_notify (RFC 8446 6.1); after it nothing can be encrypted."""
        with suppress(ssl.SSLError):  # the peer's own close_notify isn't there yet, or the connection is broken
            self._ssl.unwrap()
        return self._outgoing.read()
