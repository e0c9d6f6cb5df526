"""The TLS context of a station listener (OCPP 2.0.1 A00.FR.306 to 324, 409 to 426).

What Python's ssl can't do: TLS 1.2's session-id cache can't be switched off, so resumption is possible there and earns
no credit (``station_certificates.py``); the names of the client CAs aren't sent (RFC 5246 7.4.4 allows an empty list:
the station shows the one certificate that it has); of key agreement groups it can name one alone, which under TLS 1.2
would refuse certificates on other curves, so that they are OpenSSL's own: X25519 and P-256 first, and the finite-field
ones of TLS 1.3, of which ffdhe8192 costs 120 ms, unless the process has an ``OPENSSL_CONF`` that says ``Groups``.
"""

import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gateway.transport import no_passphrase

STATIC_RSA_SUITES: Final = ("AES128-GCM-SHA256", "AES256-GCM-SHA384")
"""No forward secrecy, but asked for (docs/decisions/0010-static-rsa.md)."""
MANDATED_SUITES: Final = ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", *STATIC_RSA_SUITES)
"""The four suites of TLS 1.2 that A00.FR.318 asks for, in OpenSSL's names."""
EPHEMERAL_SUITES: Final = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",
)
"""Preferred to the static RSA ones, so that a station with an RSA-only trust store gets forward secrecy if it can."""
SECURITY_LEVEL: Final = "@SECLEVEL=2"
"""112 bits: no RSA key below 2048, no curve below 224, no SHA-1 (A00.FR.501 to 503)."""
NO_CHECK_TIME: Final = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME (openssl/x509_vfy.h), which Python doesn't name."""


class TlsRejected(Exception):
    """The listener's TLS files can't be used; the text names the file and what is wrong."""


def server_context(
    certificates: Sequence[tuple[Path, Path]],
    client_roots: Sequence[Path],
    *,
    static_rsa: bool = True,
    check_time: bool = True,
) -> ssl.SSLContext:
    """Make one context of a listener.

    ``certificates`` are (chain, key) PEM files, one ECDSA and one RSA side by side. With ``client_roots`` a station may
    present a certificate, and one that doesn't verify ends the handshake with its alert (security profile 3); without
    ``check_time`` an expired one passes here, and the application decides (A00.FR.429). Raises :class:`TlsRejected`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    suites = (*EPHEMERAL_SUITES, *(STATIC_RSA_SUITES if static_rsa else ()))
    context.set_ciphers(":".join((*suites, SECURITY_LEVEL)))
    context.options |= (
        ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET | ssl.OP_CIPHER_SERVER_PREFERENCE
    )
    # Resumption would let a revoked certificate back in without being shown again (attack A10).
    context.num_tickets = 0
    for chain, key in certificates:
        try:
            context.load_cert_chain(chain, key, no_passphrase)
        except (OSError, ssl.SSLError) as error:
            raise TlsRejected(f"certificate {chain} with key {key}: {reason_of(error)}") from None
    for roots in client_roots:
        try:
            context.load_verify_locations(roots)
        except (OSError, ssl.SSLError) as error:
            raise TlsRejected(f"roots {roots}: {reason_of(error)}") from None
        context.verify_mode = ssl.CERT_OPTIONAL
    if not check_time:
        context.verify_flags |= ssl.VerifyFlags(NO_CHECK_TIME)
    return context


def reason_of(error: OSError) -> str:
    """Say what OpenSSL or the operating system found, without its file names."""
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not usable").replace("_", " ").lower()
    return error.strerror or "not readable"
