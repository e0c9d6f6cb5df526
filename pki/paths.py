"""Is the certificate that a station presented its own? The path to a trusted root, checked in the application.

The TLS handshake has checked the path already; what it lets pass (a server's certificate, a CA's, one of another
hierarchy: attack A9) or does not see again (a resumed session: attack A10) is refused here. Built on pyca's RFC 5280
verifier, whose rules for a leaf are made for the web: those for a station's are here.
"""

import enum
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID
from cryptography.x509.verification import ExtensionPolicy, PolicyBuilder, Store, VerificationError

from pki import profiles
from pki.keys import KeyRefused, check_key

INTERMEDIATES_MAX: Final = 4
"""CA certificates that a station may present beside its own."""
CERTIFICATE_SIZE_MAX: Final = 8192
"""Bytes of one certificate in DER (a whole chain has 10,000 characters in OCPP)."""
REMEMBERED_MAX: Final = 4096
"""Chains whose path is remembered; their dates are looked at every time."""

_KNOWN_EXTENSIONS: Final = frozenset(
    {ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE, ExtensionOID.EXTENDED_KEY_USAGE}
    | {ExtensionOID.SUBJECT_ALTERNATIVE_NAME}
)
"""What may be critical in a station's certificate: what is looked at here (RFC 5280 4.2)."""


class Fault(enum.Enum):
    """Why a certificate is refused; the value is a label for logs and metrics."""

    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    WEAK_KEY = "weak_key"
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
class VerifiedLeaf:
    """A station's certificate that leads to a trusted root."""

    certificate: x509.Certificate
    common_name: str
    organization: str | None
    chain: tuple[x509.Certificate, ...]
    """The path that was found: the leaf first, the root last."""
    not_before: datetime
    """From when on the whole path is valid; aware, in UTC."""
    not_after: datetime


def utc_now() -> datetime:
    return datetime.now(UTC)


class StationChainVerifier:
    """Verifies station certificates against one listener's roots.

    Raises ValueError when ``roots_pem`` holds no CA certificate. Safe to call from several threads.
    """

    def __init__(
        self, roots_pem: bytes, *, organization: str | None = None, clock: Callable[[], datetime] = utc_now
    ) -> None:
        roots = load_roots(roots_pem)
        self._organization = organization
        self._clock = clock
        self._store = Store(roots)
        self._ee_policy = ExtensionPolicy.permit_all()
        self._ca_policy = ExtensionPolicy.webpki_defaults_ca()
        self._known: OrderedDict[bytes, VerifiedLeaf] = OrderedDict()

    def __call__(self, certificate: bytes, chain: Sequence[bytes], expected_name: str) -> None:
        """Return when ``certificate`` (DER) is that of the station ``expected_name`` (A00.FR.403 to 405).

        ``chain`` is what the station presented beside it. Raises :class:`PathRejected`, a ValueError.
        """
        leaf = self.verify(certificate, chain)
        if leaf.common_name != expected_name:
            raise PathRejected(f"the CN is {leaf.common_name!r}, not {expected_name!r} (A00.FR.405)", Fault.OTHER_NAME)
        if self._organization is not None and leaf.organization != self._organization:
            raise PathRejected(
                f"the O is {leaf.organization!r}, not {self._organization!r} (A00.FR.404)", Fault.OTHER_ORGANIZATION
            )

    def verify(self, certificate: bytes, chain: Sequence[bytes] = (), *, at: datetime | None = None) -> VerifiedLeaf:
        """Return the verified leaf. ``at`` is the moment to verify for; now, where it isn't given.

        Raises :class:`PathRejected`.
        """
        moment = at or self._clock()
        _check_sizes(certificate, chain)
        key = _digest(certificate, chain)
        known = self._known.get(key)
        if known is not None and known.not_before <= moment <= known.not_after:
            return known
        verified = self._find_path(certificate, chain, moment)
        self._known[key] = verified
        while len(self._known) > REMEMBERED_MAX:
            self._known.popitem(last=False)
        return verified

    def _find_path(self, certificate: bytes, chain: Sequence[bytes], moment: datetime) -> VerifiedLeaf:
        leaf, *issuers = (_parse(der) for der in (certificate, *chain))
        try:
            for presented in (leaf, *issuers):
                check_key(presented.public_key(), profiles.charging_station().keys)
            _check_leaf(leaf)
            name, organization = _names(leaf)
        except PathRejected:
            raise
        except KeyRefused as error:
            raise PathRejected(f"a weak key: {error}", Fault.WEAK_KEY) from error
        except Exception as error:
            raise PathRejected("the certificate can't be decoded", Fault.MALFORMED) from error
        _check_dates(leaf, moment)
        verifier = (
            PolicyBuilder()
            .store(self._store)
            .time(moment)
            .max_chain_depth(INTERMEDIATES_MAX)
            .extension_policies(ca_policy=self._ca_policy, ee_policy=self._ee_policy)
            .build_client_verifier()
        )
        try:
            path = verifier.verify(leaf, issuers).chain
        except VerificationError as error:
            raise PathRejected(f"no path to a trusted root: {error}", Fault.NO_PATH) from error
        return VerifiedLeaf(
            leaf,
            name,
            organization,
            tuple(path),
            max(each.not_valid_before_utc for each in path),
            min(each.not_valid_after_utc for each in path),
        )


def load_roots(pem: bytes) -> list[x509.Certificate]:
    """Read trust anchors: one or more CA certificates in PEM. Raises ValueError."""
    try:
        roots = x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise ValueError("holds no certificates in PEM") from None
    for root in roots:
        try:
            is_ca = root.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except (x509.ExtensionNotFound, ValueError):
            is_ca = False
        if not is_ca:
            raise ValueError(f"{root.subject.rfc4514_string()} isn't a CA certificate; a root must be one")
    return roots


def _check_sizes(certificate: bytes, chain: Sequence[bytes]) -> None:
    """Attack B4: a chain bomb is refused before anything is decoded."""
    if len(chain) > INTERMEDIATES_MAX:
        raise PathRejected(f"more than {INTERMEDIATES_MAX} certificates beside its own", Fault.TOO_LARGE)
    if any(len(der) > CERTIFICATE_SIZE_MAX for der in (certificate, *chain)):
        raise PathRejected(f"a certificate of more than {CERTIFICATE_SIZE_MAX} bytes", Fault.TOO_LARGE)


def _digest(certificate: bytes, chain: Sequence[bytes]) -> bytes:
    """Name a presented chain. Each part is hashed alone, so that no two chains run into the same bytes."""
    return b"".join(hashlib.sha256(der).digest() for der in (certificate, *chain))


def _parse(der: bytes) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(der)
    except Exception as error:
        raise PathRejected("the certificate can't be decoded", Fault.MALFORMED) from error


def _check_leaf(leaf: x509.Certificate) -> None:
    """An end entity that may authenticate as a client (RFC 5280 4.2.1.3, 4.2.1.9, 4.2.1.12; attack A9)."""
    if leaf.version is not x509.Version.v3:
        raise PathRejected("not an X.509 v3 certificate", Fault.MALFORMED)
    for extension in leaf.extensions:
        value = extension.value
        if isinstance(value, x509.BasicConstraints) and value.ca:
            raise PathRejected("a CA's certificate", Fault.NOT_A_STATIONS)
        if isinstance(value, x509.KeyUsage) and (value.key_cert_sign or not value.digital_signature):
            raise PathRejected("its key usage isn't for authentication", Fault.NOT_A_STATIONS)
        if isinstance(value, x509.ExtendedKeyUsage) and ExtendedKeyUsageOID.CLIENT_AUTH not in value:
            raise PathRejected("its extended key usage isn't client authentication", Fault.NOT_A_STATIONS)
        if extension.critical and extension.oid not in _KNOWN_EXTENSIONS:
            raise PathRejected(f"an unknown critical extension {extension.oid.dotted_string}", Fault.NOT_A_STATIONS)


def _check_dates(leaf: x509.Certificate, moment: datetime) -> None:
    if moment < leaf.not_valid_before_utc:
        raise PathRejected(f"not valid before {leaf.not_valid_before_utc.isoformat()}", Fault.NOT_YET_VALID)
    if moment > leaf.not_valid_after_utc:
        raise PathRejected(f"expired at {leaf.not_valid_after_utc.isoformat()}", Fault.EXPIRED)


def _names(leaf: x509.Certificate) -> tuple[str, str | None]:
    """Return the CN, of which there is one, and the O, of which there is one at most."""
    names, owners = (
        [str(name.value) for name in leaf.subject.get_attributes_for_oid(oid)]
        for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME)
    )
    if len(names) != 1 or len(owners) > 1:
        raise PathRejected("the subject must hold one CN, and one O at most", Fault.NOT_A_STATIONS)
    return names[0], owners[0] if owners else None
