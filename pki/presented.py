"""What a certificate that a station presents must be by itself, before a path is looked for (attacks A9, B4).

One check per function, each raising :class:`PathRejected`.
"""

import enum
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

from pki import profiles
from pki.keys import STRONG_HASHES, KeyRefused, check_key

INTERMEDIATES_MAX: Final = 4
"""CA certificates that a station may present beside its own."""
CERTIFICATE_SIZE_MAX: Final = 8192
"""Bytes of one certificate in DER (a whole chain has 10,000 characters in OCPP)."""
CAS_REMEMBERED: Final = 256
"""CA certificates that aren't looked at again."""

_KNOWN_EXTENSIONS: Final = frozenset(
    {ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE, ExtensionOID.EXTENDED_KEY_USAGE}
    | {ExtensionOID.SUBJECT_ALTERNATIVE_NAME}
)
"""What may be critical in a station's certificate: what is looked at here (RFC 5280 4.2)."""
_OTHER_ROLES: Final = {"MO": "a mobility operator's", "OEM": "a vehicle's", "CPS": "a provisioning service's"}
"""The domain components by which ISO 15118-2 Annex F marks what isn't a charge point operator's."""


class Fault(enum.Enum):
    """Why a certificate is refused; the value is a label for logs and metrics."""

    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    WEAK_KEY = "weak_key"
    WEAK_SIGNATURE = "weak_signature"
    NOT_A_STATIONS = "not_a_stations"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    NO_PATH = "no_path"
    OTHER_NAME = "other_name"
    OTHER_ORGANIZATION = "other_organization"


class PathRejected(ValueError):
    """The certificate is refused: the text is for the log, ``fault`` for whoever has to decide (A00.FR.429)."""

    def __init__(self, reason: str, fault: Fault) -> None:
        super().__init__(reason)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Presented:
    """A station's certificate that may be one, and the CA certificates that came with it."""

    leaf: x509.Certificate
    common_name: str
    organization: str | None
    issuers: tuple[x509.Certificate, ...]
    """Each once, in the order in which they came; some may have nothing to do with the leaf."""


def check_sizes(certificate: bytes, chain: Sequence[bytes]) -> None:
    """Attack B4: a chain bomb is refused before anything is decoded."""
    if len(chain) > INTERMEDIATES_MAX:
        raise PathRejected(f"more than {INTERMEDIATES_MAX} certificates beside its own", Fault.TOO_LARGE)
    if any(len(der) > CERTIFICATE_SIZE_MAX for der in (certificate, *chain)):
        raise PathRejected(f"a certificate of more than {CERTIFICATE_SIZE_MAX} bytes", Fault.TOO_LARGE)


def read_presented(certificate: bytes, chain: Sequence[bytes]) -> Presented:
    """Decode and check what a station presented (DER). Raises :class:`PathRejected`.

    Neither signatures nor dates are looked at: that is the path's affair.
    """
    check_sizes(certificate, chain)
    try:
        leaf, *issuers = (x509.load_der_x509_certificate(der) for der in (certificate, *dict.fromkeys(chain)))
        _check_public_key(leaf)
        for issuer in issuers:
            check_ca(issuer)
        for presented in (leaf, *issuers):
            _check_signature(presented)
        _check_class(leaf)
        name, organization = _names(leaf)
    except PathRejected:
        raise
    except Exception as error:
        raise PathRejected("the certificate can't be decoded", Fault.MALFORMED) from error
    return Presented(leaf, name, organization, tuple(issuers))


@functools.lru_cache(maxsize=CAS_REMEMBERED)
def check_ca(certificate: x509.Certificate) -> None:
    """A CA in the path, the root included: its key, and what it is for. Raises :class:`PathRejected`.

    What has passed is remembered, since all stations of a CA present the same: an RSA key takes half a millisecond.
    """
    _check_public_key(certificate)
    _check_role(certificate)


def _check_public_key(certificate: x509.Certificate) -> None:
    """A00.FR.501 to 504: the same bounds for a CA's key as for a station's."""
    try:
        check_key(certificate.public_key(), profiles.charging_station().keys)
    except KeyRefused as error:
        raise PathRejected(f"a weak key in {_subject(certificate)}: {error}", Fault.WEAK_KEY) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        # Among them: a curve that is spelt out instead of named (CVE-2020-0601 lived on that).
        raise PathRejected(f"the key in {_subject(certificate)} isn't accepted: {error}", Fault.WEAK_KEY) from error


def _check_role(certificate: x509.Certificate) -> None:
    """Attack A9: nothing of ISO 15118's other roles speaks for a station.

    A V2G root itself may stand above a station: its certificate may be the SECC's as well (A00.FR.428).
    """
    for component in certificate.subject.get_attributes_for_oid(NameOID.DOMAIN_COMPONENT):
        role = _OTHER_ROLES.get(str(component.value))
        if role is not None:
            raise PathRejected(f"{_subject(certificate)} is {role} certificate (ISO 15118-2)", Fault.NOT_A_STATIONS)


def _check_signature(certificate: x509.Certificate) -> None:
    """A00.FR.506. What a root says of itself proves nothing, so that nobody relies on its hash."""
    algorithm = certificate.signature_hash_algorithm
    if (algorithm is None or algorithm.name not in STRONG_HASHES) and certificate.issuer != certificate.subject:
        named = "an unknown hash" if algorithm is None else algorithm.name
        raise PathRejected(f"{_subject(certificate)} is signed with {named} (A00.FR.506)", Fault.WEAK_SIGNATURE)


def _check_class(leaf: x509.Certificate) -> None:
    """An end entity that may authenticate as a client (RFC 5280 4.2.1.3, 4.2.1.9, 4.2.1.12; attack A9).

    No extended key usage is right (A00.FR.514). One must name client authentication: anyExtendedKeyUsage alone is
    refused, as RFC 5280 allows and OpenSSL does, since it says that nobody thought of stations.
    """
    if leaf.version is not x509.Version.v3:
        raise PathRejected("not an X.509 v3 certificate", Fault.MALFORMED)
    _check_role(leaf)
    for extension in leaf.extensions:
        value = extension.value
        if isinstance(value, x509.BasicConstraints) and value.ca:
            raise PathRejected("a CA's certificate", Fault.NOT_A_STATIONS)
        if isinstance(value, x509.KeyUsage) and (value.key_cert_sign or value.crl_sign or not value.digital_signature):
            raise PathRejected("its key usage isn't for authentication", Fault.NOT_A_STATIONS)
        if isinstance(value, x509.ExtendedKeyUsage) and ExtendedKeyUsageOID.CLIENT_AUTH not in value:
            raise PathRejected("its extended key usage isn't client authentication", Fault.NOT_A_STATIONS)
        if extension.critical and extension.oid not in _KNOWN_EXTENSIONS:
            raise PathRejected(f"an unknown critical extension {extension.oid.dotted_string}", Fault.NOT_A_STATIONS)


def _names(leaf: x509.Certificate) -> tuple[str, str | None]:
    """Return the CN, of which there is one and which may be a station's (A00.FR.511), and the O, of which one at most.

    Whatever string type they have in ASN.1, they are compared as text, exactly: no case, no form of Unicode is folded.
    """
    names, owners = (
        [name.value for name in leaf.subject.get_attributes_for_oid(oid)]
        for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME)
    )
    if len(names) != 1 or len(owners) > 1:
        raise PathRejected("the subject must hold one CN, and one O at most", Fault.NOT_A_STATIONS)
    name, owner = names[0], owners[0] if owners else None
    if not isinstance(name, str) or isinstance(owner, bytes):
        raise PathRejected("the CN or the O isn't text", Fault.NOT_A_STATIONS)
    try:
        profiles.check_common_name(name, profiles.charging_station().subject.common_name)
    except ValueError as error:
        raise PathRejected(f"the CN {name[: profiles.COMMON_NAME_MAX]!r}: {error}", Fault.NOT_A_STATIONS) from error
    return name, owner


def _subject(certificate: x509.Certificate) -> str:
    return ascii(certificate.subject.rfc4514_string())
