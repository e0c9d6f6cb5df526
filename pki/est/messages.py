"""What EST says, with no I/O: requests written, answers read, chains put in order (RFC 7030 4, RFC 8951 3)."""

import base64
import binascii
import email.utils
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from pki.anchors import is_issued_by

CERTIFICATES_MAX: Final = 20
"""In one answer."""
CHAIN_MAX: Final = 10
"""Certificates on the way to a root."""
RETRY_MIN: Final = 1.0
RETRY_MAX: Final = 7 * 86_400.0
"""Seconds that a server may ask to wait; more or less is taken as these."""
RETRY_UNSAID: Final = 60.0
"""Seconds, where the server doesn't say, though it must (RFC 7030 4.2.3)."""

_ARMOR: Final = re.compile(rb"-----(?:BEGIN|END) (?:PKCS7|CMS)-----")
_SEQUENCE: Final = 0x30


class Malformed(ValueError):
    """An answer that isn't what RFC 7030 says; the text says how."""


def request_body(csr: x509.CertificateSigningRequest) -> bytes:
    """Write a PKCS#10 request: base64 of its DER, in lines (RFC 7030 4.2.1)."""
    return base64.encodebytes(csr.public_bytes(Encoding.DER))


def read_certificates(body: bytes) -> list[x509.Certificate]:
    """Read a certs-only PKCS#7 (RFC 7030 4.1.3, 4.2.3), in whatever order it has them.

    In base64, as it must be whatever Content-Transfer-Encoding says or doesn't (RFC 8951 3.1); in plain DER or with
    PEM's lines around it, as some servers have it. Raises :class:`Malformed`.
    """
    try:
        der = body if body[:1] == bytes([_SEQUENCE]) else _from_base64(body)
        certificates = pkcs7.load_der_pkcs7_certificates(der)
    except (ValueError, UnsupportedAlgorithm, binascii.Error):
        raise Malformed("the answer isn't a PKCS#7 of certificates alone (RFC 7030 4.1.3)") from None
    if not 0 < len(certificates) <= CERTIFICATES_MAX:
        raise Malformed(f"the answer has {len(certificates)} certificates, 1 to {CERTIFICATES_MAX} are taken")
    return certificates


def _from_base64(body: bytes) -> bytes:
    return base64.b64decode(b"".join(_ARMOR.sub(b"", body).split()), validate=True)


def retry_after(header: str | None, now: datetime) -> float:
    """Return the seconds that a Retry-After (seconds, or a date: RFC 9110 10.2.3) asks to wait, within bounds."""
    seconds = RETRY_UNSAID
    if header is not None and re.fullmatch(r"[0-9]{1,9}", header.strip(), re.ASCII):
        seconds = float(header)
    elif header is not None:
        try:
            moment = email.utils.parsedate_to_datetime(header)
        except ValueError:
            moment = None
        if moment is not None:
            seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()
    return min(max(seconds, RETRY_MIN), RETRY_MAX)


def way_up(leaf: x509.Certificate, known: Iterable[x509.Certificate]) -> list[x509.Certificate]:
    """Return ``leaf`` and its issuers in order, as far as they are ``known``; a root comes last."""
    way, pool = [leaf], list(known)
    while len(way) < CHAIN_MAX and not is_root(way[-1]):
        issuer = next((each for each in pool if each not in way and is_issued_by(way[-1], each)), None)
        if issuer is None:
            break
        way.append(issuer)
    return way


def issuers_in_order(certificates: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """Return CA certificates from the one that issues to its root: the longest way, of several the newest's."""
    lowest = [
        each for each in certificates if not any(is_issued_by(other, each) for other in certificates if other != each)
    ]
    ways = [way_up(each, certificates) for each in lowest or certificates]
    return max(ways, key=lambda way: (len(way), way[0].not_valid_before_utc))


def is_root(certificate: x509.Certificate) -> bool:
    """True when a certificate names itself as its issuer."""
    return certificate.subject == certificate.issuer
