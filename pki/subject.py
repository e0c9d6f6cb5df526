"""The subject that a certificate is to have, and what in another one nobody asked for (RFC 5280 4.1.2.6)."""

from collections.abc import Mapping
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from pki.profiles import CertificateProfile

_SHORT: Final = {
    NameOID.COMMON_NAME: "CN",
    NameOID.ORGANIZATION_NAME: "O",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "OU",
    NameOID.DOMAIN_COMPONENT: "DC",
    NameOID.COUNTRY_NAME: "C",
    NameOID.STATE_OR_PROVINCE_NAME: "ST",
    NameOID.LOCALITY_NAME: "L",
    NameOID.SERIAL_NUMBER: "serialNumber",
}


def wanted_subject(
    profile: CertificateProfile, common_name: str, organization: str
) -> dict[x509.ObjectIdentifier, str]:
    """Return each attribute of the subject with its one value, in the order in which they stand."""
    component = profile.subject.domain_component
    role = {NameOID.DOMAIN_COMPONENT: component} if component else {}
    return {**role, NameOID.ORGANIZATION_NAME: organization, NameOID.COMMON_NAME: common_name}


def surplus(subject: x509.Name, wanted: Mapping[x509.ObjectIdentifier, str], profile: CertificateProfile) -> list[str]:
    """Return what ``subject`` holds beside ``wanted`` and what the profile lets be, by short names."""
    allowed = {*wanted, NameOID.COUNTRY_NAME} if profile.subject.country_allowed else set(wanted)
    return [attribute_name(attribute.oid) for attribute in subject if attribute.oid not in allowed]


def attribute_name(oid: x509.ObjectIdentifier) -> str:
    """Return the short name of an attribute: ``CN``, ``OU``; dotted where it has none here."""
    return _SHORT.get(oid, oid.dotted_string)
