"""The subject that is asked for, and what nobody asked for."""

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from pki.profiles import charging_station, load_profile, secc
from pki.subject import attribute_name, surplus, wanted_subject


def test_what_is_wanted_stands_in_order() -> None:
    assert list(wanted_subject(charging_station(), "SN-1", "Example CPO").items()) == [
        (NameOID.ORGANIZATION_NAME, "Example CPO"),
        (NameOID.COMMON_NAME, "SN-1"),
    ]
    assert next(iter(wanted_subject(secc(), "SECC-1", "Example CPO").items())) == (NameOID.DOMAIN_COMPONENT, "CPO")


@pytest.mark.parametrize(
    ("oid", "value", "found"),
    [
        (NameOID.COUNTRY_NAME, "NL", []),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "admins", ["OU"]),
        (NameOID.SERIAL_NUMBER, "1", ["serialNumber"]),
        (NameOID.USER_ID, "root", ["0.9.2342.19200300.100.1.1"]),
    ],
)
def test_what_nobody_asked_for(oid: x509.ObjectIdentifier, value: str, found: list[str]) -> None:
    profile = charging_station()
    wanted = wanted_subject(profile, "SN-1", "Example CPO")
    subject = x509.Name([*(x509.NameAttribute(*each) for each in wanted.items()), x509.NameAttribute(oid, value)])

    assert surplus(subject, wanted, profile) == found
    strict = profile.model_copy(update={"subject": profile.subject.model_copy(update={"country_allowed": False})})
    assert surplus(subject, wanted, strict) == (found or ["C"])


def test_short_names() -> None:
    assert attribute_name(NameOID.DOMAIN_COMPONENT) == "DC"
    assert load_profile("contract").subject.country_allowed
