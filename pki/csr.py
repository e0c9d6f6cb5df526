"""Review of a certificate signing request, before any authority sees it (OCPP 2.0.1 A02, RFC 2986).

One check per function, each raising :class:`CsrRejected`. The subject of what is issued comes from the registry and the
configuration; the request is held against it, so that a station that asks for somebody else's name hears about it.
"""

import base64
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AttributeOID, ExtensionOID, NameOID

from pki import profiles
from pki.authority import SigningRequest
from pki.keys import KeyRefused, check_key, fingerprint
from pki.profiles import CertificateProfile

_ESCAPED_BREAK: Final = re.compile(r"\\r\\n|\\n")
"""A line break that was escaped once more than it should have been: some stations write their PEM so into JSON."""
_PEM: Final = re.compile(
    r"\s*-----BEGIN (?P<label>(?:NEW )?CERTIFICATE REQUEST)-----\s(?P<body>[A-Za-z0-9+/=\s]+)"
    r"-----END (?P=label)-----\s*",
    re.ASCII,
)
_OBJECT_IDENTIFIER: Final = 0x06
_HARMLESS_SUBJECT: Final = frozenset(
    {
        NameOID.COMMON_NAME,
        NameOID.ORGANIZATION_NAME,
        NameOID.ORGANIZATIONAL_UNIT_NAME,
        NameOID.COUNTRY_NAME,
        NameOID.STATE_OR_PROVINCE_NAME,
        NameOID.LOCALITY_NAME,
        NameOID.DOMAIN_COMPONENT,
        NameOID.SERIAL_NUMBER,
    }
)
"""What stations in the field put into a subject. None of it is copied."""
_HARMLESS_EXTENSIONS: Final = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
    }
)
"""What common tools ask for by themselves. None of it is copied; what would make a CA is refused."""
_HARMLESS_ATTRIBUTES: Final = frozenset(
    {x509.ObjectIdentifier("1.2.840.113549.1.9.14"), AttributeOID.CHALLENGE_PASSWORD}  # the first: extensionRequest
)
_CA_USAGES: Final = ("key_cert_sign", "crl_sign")
_HASHES: Final = {"sha256": "SHA-256", "sha384": "SHA-384", "sha512": "SHA-512"}


class CsrRejected(Exception):
    """A request that isn't signed. ``check`` names the check that it failed; the text is fit for the station's ears."""

    def __init__(self, reason: str, check: str) -> None:
        super().__init__(reason)
        self.check = check


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a request is held against."""

    common_name: str
    organization: str
    profile: CertificateProfile


@dataclass(frozen=True, slots=True)
class ReviewedCsr:
    """A request that passed every check, for the holder of ``common_name``."""

    csr: x509.CertificateSigningRequest
    common_name: str
    profile: CertificateProfile
    key_fingerprint: str
    """SHA-256 of the SubjectPublicKeyInfo, in hex: to see that no other station has the key (A00.FR.427)."""

    def request_for(self, organization: str) -> SigningRequest:
        """Return what to ask an authority for on behalf of ``organization``."""
        return SigningRequest(self.csr, self.common_name, organization, self.profile)


def review(pem: str, *, common_name: str, organization: str, profile: CertificateProfile | None = None) -> ReviewedCsr:
    """Check a PEM request of the station whose certificate must carry ``common_name``. Raises :class:`CsrRejected`."""
    expectation = Expectation(common_name, organization, profile or profiles.charging_station())
    try:
        csr = _parse(pem, expectation.profile)
        for check in CHECKS:
            check(csr, expectation)
        key = check_key(csr.public_key(), expectation.profile.keys)
    except CsrRejected:
        raise
    except Exception as error:  # the parser decodes lazily and in many ways; hostile DER ends here
        raise CsrRejected("is damaged: it can't be decoded", check="parse") from error
    return ReviewedCsr(csr, common_name, expectation.profile, fingerprint(key))


def _parse(pem: str, profile: CertificateProfile) -> x509.CertificateSigningRequest:
    """One PEM block, nothing around it (A02.FR.03)."""
    if len(pem) > profile.request_size_max:
        raise CsrRejected(f"is larger than {profile.request_size_max} characters", check="size")
    block = _PEM.fullmatch(_ESCAPED_BREAK.sub("\n", pem))
    if block is None:
        raise CsrRejected("isn't one PEM block CERTIFICATE REQUEST (A02.FR.03)", check="pem")
    return x509.load_der_x509_csr(base64.b64decode("".join(block["body"].split()), validate=True))


def _name_can_be_certified(_: x509.CertificateSigningRequest, expected: Expectation) -> None:
    """A00.FR.511: the name on file must be fit for a certificate."""
    try:
        profiles.check_common_name(expected.common_name, expected.profile.subject.common_name)
    except ValueError as error:
        raise CsrRejected(str(error), check="certificate_name") from None


def _key_is_strong(csr: x509.CertificateSigningRequest, expected: Expectation) -> None:
    """A00.FR.501 to 504, RFC 5480 2.1.1 (named curves alone)."""
    try:
        key = csr.public_key()
    except Exception as error:  # every way in which a key can't be read is one answer
        raise CsrRejected("the key can't be read, or its curve isn't a named one", check="key") from error
    try:
        check_key(key, expected.profile.keys)
    except KeyRefused as error:
        raise CsrRejected(str(error), check="key") from None
    if isinstance(key, ec.EllipticCurvePublicKey) and not _curve_is_named(csr):
        raise CsrRejected("the curve is spelled out, it must be named (RFC 5480 2.1.1)", check="key")


def _curve_is_named(csr: x509.CertificateSigningRequest) -> bool:
    """CVE-2020-0601: the parser takes the parameters of a known curve too, and an authority may copy them."""
    _, request = next(_elements(csr.tbs_certrequest_bytes))
    _version, _subject, (_, key_info), *_ = _elements(request)
    _, algorithm = next(_elements(key_info))
    return [tag for tag, _ in _elements(algorithm)] == [_OBJECT_IDENTIFIER, _OBJECT_IDENTIFIER]


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of each element of DER that was parsed before (X.690 8.1.2, 8.1.3)."""
    at = 0
    while at < len(der):
        tag, length, at = der[at], der[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(der[at : at + size]), at + size
        yield tag, der[at : at + length]
        at += length


def _signature_hash_is_strong(csr: x509.CertificateSigningRequest, expected: Expectation) -> None:
    """A00.FR.506."""
    algorithm = csr.signature_hash_algorithm
    if algorithm is None or _HASHES.get(algorithm.name) not in expected.profile.request_hashes:
        raise CsrRejected(f"must be signed with {', '.join(expected.profile.request_hashes)}", check="signature_hash")


def _key_is_possessed(csr: x509.CertificateSigningRequest, _: Expectation) -> None:
    """RFC 2986 3: signed with the key that it asks a certificate for."""
    if not csr.is_signature_valid:
        raise CsrRejected("its signature isn't by the key that it holds", check="proof_of_possession")


def _name_is_the_stations(csr: x509.CertificateSigningRequest, expected: Expectation) -> None:
    """A00.FR.405: one CN, and it is the station's own."""
    names = csr.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if len(names) != 1:
        raise CsrRejected("the subject must hold one CN (A00.FR.511)", check="common_name")
    if names[0].value != expected.common_name:
        raise CsrRejected("the CN isn't this station's certificate name (A00.FR.405)", check="common_name")


def _organization_is_the_operators(csr: x509.CertificateSigningRequest, expected: Expectation) -> None:
    """A00.FR.404, A00.FR.509. Without an O the authority puts it in; a different one is somebody else's station."""
    found = [name.value for name in csr.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    if found not in ([], [expected.organization]):
        raise CsrRejected("the O isn't the operator's (set SecurityCtrlr.OrganizationName)", check="organization")


def _role_is_the_profiles(csr: x509.CertificateSigningRequest, expected: Expectation) -> None:
    """[V2G2-925]: a DC says for which part somebody holds a certificate. Without one the authority puts it in."""
    wanted = expected.profile.subject.domain_component
    found = [name.value for name in csr.subject.get_attributes_for_oid(NameOID.DOMAIN_COMPONENT)]
    if wanted is not None and found not in ([], [wanted]):
        raise CsrRejected(f"the DC isn't {wanted} (ISO 15118-2 V2G2-925)", check="domain_component")


def _subject_holds_nothing_strange(csr: x509.CertificateSigningRequest, _: Expectation) -> None:
    for attribute in csr.subject:
        if attribute.oid not in _HARMLESS_SUBJECT:
            raise CsrRejected(f"the subject holds {attribute.oid.dotted_string}", check="subject")


def _attributes_hold_nothing_strange(csr: x509.CertificateSigningRequest, _: Expectation) -> None:
    """RFC 2985 5.4: extension requests, and the challenge password that some tools leave behind."""
    for attribute in csr.attributes:
        if attribute.oid not in _HARMLESS_ATTRIBUTES:
            raise CsrRejected(f"holds the attribute {attribute.oid.dotted_string}", check="attributes")


def _no_alternative_names(csr: x509.CertificateSigningRequest, _: Expectation) -> None:
    """A00.FR.511: a station has one name, and that is its CN."""
    if any(extension.oid == ExtensionOID.SUBJECT_ALTERNATIVE_NAME for extension in csr.extensions):
        raise CsrRejected("asks for alternative names (A00.FR.511)", check="alternative_names")


def _no_authority(csr: x509.CertificateSigningRequest, _: Expectation) -> None:
    """RFC 5280 4.2.1.9, 4.2.1.3: a station is no CA."""
    for extension in csr.extensions:
        value = extension.value
        if isinstance(value, x509.BasicConstraints) and value.ca:
            raise CsrRejected("asks to be a CA", check="authority")
        if isinstance(value, x509.KeyUsage) and any(getattr(value, usage) for usage in _CA_USAGES):
            raise CsrRejected("asks for the key usage of a CA", check="authority")


def _extensions_hold_nothing_strange(csr: x509.CertificateSigningRequest, _: Expectation) -> None:
    for extension in csr.extensions:
        if extension.oid not in _HARMLESS_EXTENSIONS:
            raise CsrRejected(f"asks for the extension {extension.oid.dotted_string}", check="extensions")


Check = Callable[[x509.CertificateSigningRequest, Expectation], None]
CHECKS: Final[tuple[Check, ...]] = (
    _name_can_be_certified,
    _key_is_strong,
    _signature_hash_is_strong,
    _key_is_possessed,
    _name_is_the_stations,
    _organization_is_the_operators,
    _role_is_the_profiles,
    _subject_holds_nothing_strange,
    _attributes_hold_nothing_strange,
    _no_alternative_names,
    _no_authority,
    _extensions_hold_nothing_strange,
)
"""Cheap before dear: a key that is too large is never used to verify a signature."""
