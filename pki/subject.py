"""The subject that a certificate is to have, and what in another one nobody asked for (RFC 5280 4.1.2.6).

Some authorities copy the subject of the CSR, which the station wrote: :func:`check_copied` comes before them.
"""

from collections.abc import Mapping
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from pki.authority import SigningRefused, SigningRequest
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


def check_copied(request: SigningRequest) -> None:
    """Return when the CSR's subject may be certified as it is, though something may be missing in it.

    Raises :class:`pki.authority.SigningRefused`: so that no certificate comes into being which nobody must have.
    """
    wanted = wanted_subject(request.profile, request.common_name, request.organization)
    extra = surplus(request.csr.subject, wanted, request.profile)
    if extra:
        raise SigningRefused(
            f"the CSR's subject holds {', '.join(extra)}, and this CA copies it: have the station leave that out"
        )


def check_copied_whole(request: SigningRequest) -> None:
    """Return when the CSR may be certified as it is, where an authority puts nothing in. Raises SigningRefused."""
    check_copied(request)
    _check_usages(request)
    _check_key_identifier(request)
    for oid, value in wanted_subject(request.profile, request.common_name, request.organization).items():
        if [name.value for name in request.csr.subject.get_attributes_for_oid(oid)] != [value]:
            raise SigningRefused(
                f"the CSR's subject needs {attribute_name(oid)}={value}, since this CA copies it: have the station put "
                "that in (the O is SecurityCtrlr.OrganizationName)"
            )


def _check_usages(request: SigningRequest) -> None:
    """What ``sign-verbatim`` of Vault and OpenBao takes from a CSR before anything that it is asked for."""
    for extension in request.csr.extensions:
        value = extension.value
        if isinstance(value, x509.ExtendedKeyUsage):
            raise SigningRefused(
                "the CSR asks for an extended key usage (A00.FR.514), and this CA copies it: have the station leave it "
                "out"
            )
        if isinstance(value, x509.KeyUsage):
            missing = [usage for usage in request.profile.key_usage.required if not getattr(value, usage)]
            if missing:
                raise SigningRefused(
                    f"the CSR asks for a key usage without {', '.join(missing)}, and this CA copies it: have the "
                    "station ask for none, or for all"
                )


def _check_key_identifier(request: SigningRequest) -> None:
    """An authority that copies it makes one of 20 octets where the CSR has none."""
    if request.profile.short_key_identifier and not any(
        isinstance(extension.value, x509.SubjectKeyIdentifier) for extension in request.csr.extensions
    ):
        raise SigningRefused("the CSR needs a SubjectKeyIdentifier of 8 octets, since this CA copies it")


def attribute_name(oid: x509.ObjectIdentifier) -> str:
    """Return the short name of an attribute: ``CN``, ``OU``; dotted where it has none here."""
    return _SHORT.get(oid, oid.dotted_string)
