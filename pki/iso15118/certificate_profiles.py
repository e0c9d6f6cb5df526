"""What the certificates of Plug & Charge look like (ISO 15118-2 Annex F; ISO 15118-20): roles, as data, and findings.

Two kinds of check. What tells the roles apart is never waived (:func:`check_role`): under one V2G root stand charge
points and provisioning services, and none may speak for the other. The rest breaks in the field without harm: it is a
list of findings (:func:`check_profile`), and whether these are enforced is the caller's policy.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pki.extensions import Usage, read_extensions
from pki.iso15118.exi import Schema
from pki.iso15118.identifiers import Emaid, Pcid
from pki.iso15118.provisioning import ProvisioningRefused, Refusal
from pki.iso15118.trust import LIMITS, Path, name_of
from pki.profiles import COMMON_NAME_MAX

CURVES: Final[Mapping[Schema, type[ec.EllipticCurve]]] = {Schema.ISO_2: ec.SECP256R1, Schema.ISO_20: ec.SECP521R1}
"""Of the keys, by generation. Ed448 and X448, which -20 knows too, aren't supported."""

_COMPONENTS: Final = frozenset({"CPO", "CPS", "MO", "OEM", "V2G"})
"""The domain components by which ISO 15118 tells the roles apart."""
_ROOT_COMPONENT: Final = "V2G"
"""Of the root above charge points and provisioning services, and of sub-CAs that they share."""


@dataclass(frozen=True, slots=True)
class Role:
    """One kind of leaf."""

    title: str
    component: str
    """Its DC."""
    usages: tuple[Usage, ...]
    """What its key can't do without."""
    component_needed: bool = False
    """Whether the DC must be there, since it alone sets it apart from others under the same root."""
    check_common_name: Callable[[str], None] | None = None
    """Raises ValueError for a CN that doesn't name whom it is about; None: its CN is anything."""
    lifetime: timedelta | None = None
    """At most."""


def _check_pcid(name: str) -> None:
    Pcid.parse(name)


def _check_emaid(name: str) -> None:
    if Emaid.of_peer(name).wire != name.upper():
        raise ValueError("it isn't an eMAID of 14 or 15 characters: it has hyphens")


OEM: Final = Role(
    "an OEM provisioning certificate",
    "OEM",
    (Usage.DIGITAL_SIGNATURE, Usage.KEY_AGREEMENT),
    check_common_name=_check_pcid,
)
CONTRACT: Final = Role(
    "a contract certificate",
    "MO",
    # Annex F lists contentCommitment and keyEncipherment too; nothing is ever done with them.
    (Usage.DIGITAL_SIGNATURE, Usage.KEY_AGREEMENT),
    check_common_name=_check_emaid,
    lifetime=timedelta(days=2 * 366),
)
CPS: Final = Role("a provisioning service's certificate", "CPS", (Usage.DIGITAL_SIGNATURE,), component_needed=True)


def check_role(path: Path, role: Role, schema: Schema) -> ec.EllipticCurvePublicKey:
    """Return the leaf's key when ``path``, which is a sound one, is of ``role``. Raises CERTIFICATE_PROFILE."""
    leaf = path[0]
    key = leaf.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, CURVES[schema]):
        raise _refused(leaf, f"must have a key on {CURVES[schema].name}: it can't be {role.title} of its generation")
    usage = read_extensions(leaf).key_usage
    if usage is not None and Usage.DIGITAL_SIGNATURE not in usage:
        raise _refused(leaf, f"isn't for signatures: it can't be {role.title}")
    for certificate in _without_root(path):
        foreign = _foreign_components(certificate, role, is_leaf=certificate is leaf)
        if foreign:
            raise _refused(certificate, f"has DC={foreign[0]}: it can't be {role.title}, nor above one ([V2G2-925])")
    if role.component_needed and role.component not in _components(leaf):
        raise _refused(leaf, f"lacks DC={role.component}: it can't be {role.title} ([V2G2-925])")
    return key


def is_of_another_role(ca: x509.Certificate, role: Role) -> bool:
    """Return whether a sub-CA says of itself that no leaf of ``role`` is below it."""
    return bool(_foreign_components(ca, role, is_leaf=False))


def common_name(leaf: x509.Certificate) -> str:
    """Return its CN, of which there is one: printable ASCII, 64 characters at most. Raises CERTIFICATE_PROFILE."""
    names = [each.value for each in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if len(names) != 1 or not isinstance(names[0], str):
        raise _refused(leaf, "must have one CN, which says whose it is")
    name = names[0]
    # Letters beyond ASCII turn into others in capitals (a dotless i): no certificate names another vehicle that way.
    if not 1 <= len(name) <= COMMON_NAME_MAX or not name.isascii() or not name.isprintable():
        raise _refused(leaf, f"has a CN that isn't 1 to {COMMON_NAME_MAX} printable characters of ASCII")
    return name


def check_profile(path: Path, role: Role, schema: Schema) -> list[str]:
    """Return what breaks the profile of ``role`` in ``path``, leaf first; empty when nothing does."""
    leaf, *_ = path
    found = [*_leaf_findings(leaf, role)]
    for certificate in _without_root(path):
        found += _size_findings(certificate, schema)
        if certificate is not leaf:
            found += _ca_findings(certificate, role, schema)
    if role is CPS and len(path) > 1 and _is_root(path[1]):
        found.append(f"{name_of(leaf)} is issued by a V2G root itself ([V2G2-867])")
    return found


def _leaf_findings(leaf: x509.Certificate, role: Role) -> Iterator[str]:
    extensions = read_extensions(leaf)
    if extensions.key_usage is None:
        yield f"{name_of(leaf)} has no key usage (ISO 15118-2 Annex F)"
    else:
        for usage in role.usages:
            if usage not in extensions.key_usage:
                yield f"{name_of(leaf)} lacks the key usage {usage.name.lower()} (ISO 15118-2 Annex F, [V2G2-822])"
    if role.check_common_name is not None:
        try:
            role.check_common_name(common_name(leaf))
        except ValueError as error:
            yield f"the CN of {name_of(leaf)}: {error} (ISO 15118-2 Annex F)"
    span = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    if role.lifetime is not None and span > role.lifetime:
        yield f"{name_of(leaf)} is valid for {span.days} days, more than {role.lifetime.days} (ISO 15118-2 Annex F)"


def _size_findings(certificate: x509.Certificate, schema: Schema) -> Iterator[str]:
    size, allowed = len(certificate.public_bytes(Encoding.DER)), LIMITS[schema].certificate_size
    if size > allowed:
        yield f"{name_of(certificate)} has {size} octets, more than {allowed} ([V2G2-010])"


def _ca_findings(certificate: x509.Certificate, role: Role, schema: Schema) -> Iterator[str]:
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, CURVES[schema]):
        yield f"{name_of(certificate)} has a key that isn't on {CURVES[schema].name} (ISO 15118-2 Annex F)"
    if role.component_needed and role.component not in _components(certificate):
        yield f"{name_of(certificate)} lacks DC={role.component} (ISO 15118-2 Annex F)"


def _without_root(path: Path) -> Iterator[x509.Certificate]:
    return (certificate for certificate in path if not _is_root(certificate))


def _is_root(certificate: x509.Certificate) -> bool:
    return certificate.issuer == certificate.subject


def _foreign_components(certificate: x509.Certificate, role: Role, *, is_leaf: bool) -> list[str]:
    others = _COMPONENTS - {role.component} - (frozenset() if is_leaf else {_ROOT_COMPONENT})
    return sorted(_components(certificate) & others)


def _components(certificate: x509.Certificate) -> frozenset[str]:
    found = certificate.subject.get_attributes_for_oid(NameOID.DOMAIN_COMPONENT)
    return frozenset(str(each.value).upper() for each in found)


def _refused(certificate: x509.Certificate, text: str) -> ProvisioningRefused:
    return ProvisioningRefused(Refusal.CERTIFICATE_PROFILE, f"{name_of(certificate)} {text}")
