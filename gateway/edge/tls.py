"""The TLS context of a station listener (OCPP 2.0.1 A00.FR.306 to 324, 409 to 426)."""

import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gateway.transport import no_passphrase

MANDATED_SUITES: Final = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
)
"""The four suites of TLS 1.2 that A00.FR.318 asks for, in OpenSSL's names. The last two have no forward secrecy."""
PREFERRED_SUITES: Final = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",
)
"""Offered before the static RSA ones, so that a station with an RSA-only trust store gets forward secrecy if it can."""


class TlsRejected(Exception):
    """The listener's TLS files can't be used; the text names the file and what is wrong."""


def server_context(certificates: Sequence[tuple[Path, Path]], station_roots: Path | None) -> ssl.SSLContext:
    """Make the context of one listener.

    ``certificates`` are (chain, key) PEM files, one ECDSA and one RSA side by side; with ``station_roots`` a station
    may present a certificate, and one that doesn't verify ends the handshake with its alert (security profile 3).
    Raises :class:`TlsRejected`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(":".join(dict.fromkeys((*PREFERRED_SUITES, *MANDATED_SUITES))))
    context.options |= (
        ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET | ssl.OP_CIPHER_SERVER_PREFERENCE
    )
    # Resumption would let a revoked certificate back in without being shown again (attack A10).
    context.num_tickets = 0
    for chain, key in certificates:
        try:
            context.load_cert_chain(chain, key, no_passphrase)
        except (OSError, ssl.SSLError) as error:
            raise TlsRejected(f"certificate {chain} with key {key}: {_reason(error)}") from None
    if station_roots is not None:
        try:
            context.load_verify_locations(station_roots)
        except (OSError, ssl.SSLError) as error:
            raise TlsRejected(f"station_roots {station_roots}: {_reason(error)}") from None
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def _reason(error: OSError) -> str:
    """Say what OpenSSL or the operating system found."""
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not usable").replace("_", " ").lower()
    return error.strerror or "not readable"
