"""What a certificate that doesn't fit tells of the role that it was issued under."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from pki.authority import SigningRequest
from pki.issued import BACKDATE_MAX, lifetime_slack

LONGER: Final = "raise the max_ttl of the role and of the mount (`vault secrets tune -max-lease-ttl`), or renew the CA"

Advice = Callable[[x509.Certificate, SigningRequest, datetime], str | None]


def advice(leaf: x509.Certificate, request: SigningRequest, now: datetime) -> str:
    """Return which settings of the role to mend, in Vault's words; empty when none shows."""
    found = (look(leaf, request, now) for look in _LOOKS)
    return "; ".join(text for text in found if text)


def _common_name(leaf: x509.Certificate, request: SigningRequest, _: datetime) -> str | None:
    if _values(leaf, NameOID.COMMON_NAME) != [request.common_name]:
        return "set the role's use_csr_common_name to false"
    return None


def _organization(leaf: x509.Certificate, request: SigningRequest, _: datetime) -> str | None:
    if _values(leaf, NameOID.ORGANIZATION_NAME) != [request.organization]:
        return f"set the role's organization to {request.organization!r}"
    return None


def _extended_key_usage(leaf: x509.Certificate, _: SigningRequest, __: datetime) -> str | None:
    if _holds(leaf, x509.ExtendedKeyUsage):
        return (
            "set the role's server_flag, client_flag, code_signing_flag and email_protection_flag to false, "
            "ext_key_usage and ext_key_usage_oids to nothing"
        )
    return None


def _alternative_names(leaf: x509.Certificate, request: SigningRequest, _: datetime) -> str | None:
    if request.profile.alternative_names == "none" and _holds(leaf, x509.SubjectAlternativeName):
        return "set the role's use_csr_sans to false"
    return None


def _key_usage(leaf: x509.Certificate, _: SigningRequest, __: datetime) -> str | None:
    try:
        usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return None
    if not usage.digital_signature or usage.key_cert_sign or usage.crl_sign:
        return "set the role's key_usage to DigitalSignature, and KeyAgreement for EC keys"
    return None


def _begin(leaf: x509.Certificate, _: SigningRequest, now: datetime) -> str | None:
    if leaf.not_valid_before_utc < now - BACKDATE_MAX:
        return "shorten the role's not_before_duration"
    return None


def _end(leaf: x509.Certificate, request: SigningRequest, now: datetime) -> str | None:
    lifetime = request.profile.validity.lifetime
    wanted, slack = now + lifetime, lifetime_slack(lifetime)
    if leaf.not_valid_after_utc > wanted + slack:
        return "remove the role's not_after"
    if leaf.not_valid_after_utc < wanted - slack:
        return LONGER
    return None


def _values(leaf: x509.Certificate, oid: x509.ObjectIdentifier) -> list[str | bytes]:
    return [name.value for name in leaf.subject.get_attributes_for_oid(oid)]


def _holds(leaf: x509.Certificate, kind: type[x509.ExtensionType]) -> bool:
    return any(isinstance(extension.value, kind) for extension in leaf.extensions)


_LOOKS: Final[tuple[Advice, ...]] = (
    _common_name,
    _organization,
    _extended_key_usage,
    _alternative_names,
    _key_usage,
    _begin,
    _end,
)
