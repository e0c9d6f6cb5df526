"""The subject that is asked for, and what nobody asked for."""

from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pki.authority import SigningRefused, SigningRequest
from pki.iso15118.contract_csr import contract_request
from pki.issuing import new_ec_key
from pki.profiles import charging_station, load_profile, secc
from pki.subject import attribute_name, check_copied, check_copied_whole, surplus, wanted_subject

CN, O = NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME  # noqa: E741  # what it is called


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


@pytest.mark.parametrize(
    ("names", "words", "is_whole"),
    [
        (((O, "Example CPO"), (CN, "SN-1"), (NameOID.COUNTRY_NAME, "NL")), "", True),
        (((CN, "SN-1"),), "needs O=Example CPO", False),
        (((O, "Example CPO"), (CN, "SN-1"), (NameOID.LOCALITY_NAME, "Arnhem")), "holds L, and this CA", False),
    ],
)
def test_what_an_authority_may_copy(
    make_csr: Any, names: tuple[tuple[x509.ObjectIdentifier, str], ...], words: str, is_whole: bool
) -> None:
    csr = x509.load_pem_x509_csr(make_csr(names=names).encode())
    request = SigningRequest(csr, "SN-1", "Example CPO", charging_station())
    if is_whole:
        check_copied_whole(request)
        return
    with pytest.raises(SigningRefused, match=words):
        check_copied_whole(request)
    if "needs" in words:
        check_copied(request)
        return
    with pytest.raises(SigningRefused, match=words):
        check_copied(request)


def test_an_extended_key_usage_would_be_copied_too(make_csr: Any) -> None:
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    csr = x509.load_pem_x509_csr(make_csr(extensions=[usage]).encode())
    request = SigningRequest(csr, "SN-1", "Example CPO", charging_station())

    check_copied(request)
    with pytest.raises(SigningRefused, match=r"extended key usage \(A00\.FR\.514\)"):
        check_copied_whole(request)


def test_short_names() -> None:
    assert attribute_name(NameOID.DOMAIN_COMPONENT) == "DC"
    assert load_profile("contract").subject.country_allowed


def test_a_key_identifier_that_would_be_made_anew() -> None:
    profile = load_profile("contract_20")
    whole = contract_request(new_ec_key("P-521"), emaid="DE8EXC12345678A", organization="MO", profile=profile)
    without = contract_request(
        new_ec_key("P-521"),
        emaid="DE8EXC12345678A",
        organization="MO",
        profile=profile.model_copy(update={"short_key_identifier": False}),
    )

    check_copied_whole(whole)
    with pytest.raises(SigningRefused, match="needs a SubjectKeyIdentifier of 8 octets"):
        check_copied_whole(replace(without, profile=profile))
