"""What a role of a Vault or OpenBao PKI engine must say, to issue by a certificate profile and nothing else.

A role has one set of key usages, whatever the key: for a profile that takes several kinds of keys it gets those that
fit all of them (RFC 3279 2.3.1: an RSA key can't agree on keys). A role can't give a DC, and ``pki/sign`` drops that of
the CSR: a profile with one is signed by ``pki/sign-verbatim``, whose subject is the CSR's own.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from pki.profiles import CertificateProfile, KeyKind

_USAGES: Final = {
    "digital_signature": "DigitalSignature",
    "content_commitment": "ContentCommitment",
    "key_agreement": "KeyAgreement",
    "key_encipherment": "KeyEncipherment",
}
_CURVE_BITS: Final = {"P-256": 256, "P-384": 384, "P-521": 521}


def role_settings(
    profile: CertificateProfile,
    organization: str,
    *,
    kinds: Sequence[KeyKind] = (),
    domains: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the body of ``POST <mount>/roles/<role>`` for certificates of ``organization`` under ``profile``.

    ``kinds`` narrows the kinds of keys that the profile takes; ``domains`` are the only host names that it may sign,
    where the profile has host names. Raises ValueError when that leaves nothing.
    """
    chosen = [kind for kind in profile.keys.kinds if not kinds or kind in kinds]
    if not chosen:
        raise ValueError(f"the profile {profile.name} takes no {' or '.join(kinds)} keys")
    has_names = profile.alternative_names == "required"
    if domains and not has_names:
        raise ValueError(f"the profile {profile.name} has no host names")
    lifetime = _seconds(profile.validity.lifetime)
    return {
        "key_type": chosen[0] if len(chosen) == 1 else "any",
        "key_bits": _key_bits(profile, chosen),
        "signature_bits": 0,
        "ttl": lifetime,
        "max_ttl": lifetime,
        "not_before_duration": _seconds(profile.validity.backdate),
        "key_usage": key_usages(profile, chosen),
        "ext_key_usage": [],
        "server_flag": False,
        "client_flag": False,
        "code_signing_flag": False,
        "email_protection_flag": False,
        "basic_constraints_valid_for_non_ca": True,
        "organization": [organization],
        "use_csr_common_name": False,
        "use_csr_sans": False,
        "no_store": False,
        "generate_lease": False,
        **_names(domains, has_names=has_names),
    }


def _names(domains: Sequence[str], *, has_names: bool) -> dict[str, Any]:
    """Which names it may sign: a station's is its serial number, which no list of domains can foresee."""
    return {
        "require_cn": True,
        "cn_validations": ["hostname"] if domains else ["disabled"],
        "enforce_hostnames": bool(domains),
        "allow_any_name": not domains,
        "allowed_domains": list(domains),
        "allow_bare_domains": bool(domains),
        "allow_subdomains": False,
        "allow_glob_domains": False,
        "allow_wildcard_certificates": False,
        "allow_localhost": False,
        "allow_ip_sans": has_names,
        "allowed_uri_sans": [],
        "allowed_other_sans": [],
    }


def key_usages(profile: CertificateProfile, kinds: Sequence[KeyKind]) -> list[str]:
    """Return the usages that fit every kind of key, in Vault's words."""
    per_kind = [profile.key_usage.ec if kind == "ec" else profile.key_usage.rsa for kind in kinds]
    return [_USAGES[usage] for usage in per_kind[0] if all(usage in usages for usages in per_kind)]


def _key_bits(profile: CertificateProfile, kinds: Sequence[KeyKind]) -> int:
    """The least that a key must have; 0 where kinds differ: the review of the CSR has seen to it before."""
    if len(kinds) > 1:
        return 0
    if kinds[0] == "ec":
        return min(_CURVE_BITS[curve] for curve in profile.keys.curves)
    return profile.keys.rsa_bits.minimum if profile.keys.rsa_bits else 0


def _seconds(duration: timedelta) -> str:
    return f"{int(duration.total_seconds())}s"
