"""What is made, to the letter of RFC 5280 and the profiles."""

from datetime import datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from pki import profiles
from pki.issuing import (
    CA_BACKDATE,
    Hierarchy,
    Issuer,
    general_name,
    issue,
    new_ec_key,
    new_hierarchy,
    new_key,
    revocation_list,
)
from pki.keys import PublicKey, curve_name
from pki.profiles import Curve

UTF8_STRING = 0x0C


def station(hierarchy: Hierarchy, key: PublicKey, now: datetime, common_name: str = "SN-1") -> x509.Certificate:
    profile = profiles.charging_station()
    return issue(
        hierarchy.issuing, profile, key, common_name=common_name, organization="Example CPO", now=now, names=()
    )


def shape(certificate: x509.Certificate) -> list[tuple[str, bool]]:
    return [(type(each.value).__name__, each.critical) for each in certificate.extensions]


def usages(certificate: x509.Certificate) -> set[str]:
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    return {name for name in (*names, "key_cert_sign", "crl_sign") if getattr(usage, name)}


def test_a_root_and_its_issuing_ca(hierarchy: Hierarchy, now: datetime) -> None:
    root, issuing = hierarchy.root.certificate, hierarchy.issuing.certificate
    constraints = [each.extensions.get_extension_for_class(x509.BasicConstraints) for each in (root, issuing)]

    issuing.verify_directly_issued_by(root)
    root.verify_directly_issued_by(root)
    assert [(each.value.ca, each.value.path_length, each.critical) for each in constraints] == [
        (True, 1, True),
        (True, 0, True),
    ]
    assert usages(root) == usages(issuing) == {"key_cert_sign", "crl_sign"}
    assert shape(issuing)[2:] == [("SubjectKeyIdentifier", False), ("AuthorityKeyIdentifier", False)]
    assert root.not_valid_before_utc == issuing.not_valid_before_utc == now - CA_BACKDATE
    assert issuing.not_valid_after_utc < root.not_valid_after_utc
    assert root.subject.rfc4514_string().startswith("CN=Test station root ")
    assert root.subject.rfc4514_string().endswith(",O=Example CPO")


def test_two_generations_bear_different_names(hierarchy: Hierarchy, foreign: Hierarchy) -> None:
    assert hierarchy.root.certificate.subject != foreign.root.certificate.subject


def test_a_hierarchy_without_an_owner(now: datetime) -> None:
    assert "O=" not in new_hierarchy("Test", None, now).root.certificate.subject.rfc4514_string()


def test_a_station_certificate(hierarchy: Hierarchy, ec_key: ec.EllipticCurvePrivateKey, now: datetime) -> None:
    certificate = station(hierarchy, ec_key.public_key(), now)

    certificate.verify_directly_issued_by(hierarchy.issuing.certificate)
    assert certificate.subject.rfc4514_string() == "CN=SN-1,O=Example CPO"
    assert shape(certificate) == [
        ("BasicConstraints", True),
        ("KeyUsage", True),
        ("SubjectKeyIdentifier", False),
        ("AuthorityKeyIdentifier", False),
    ]
    assert usages(certificate) == {"digital_signature", "key_agreement"}
    assert (certificate.not_valid_before_utc, certificate.not_valid_after_utc) == (
        now - timedelta(hours=1),
        now + timedelta(days=365),
    )
    assert certificate.serial_number.bit_length() <= 159
    key_ids = (
        certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier,
        hierarchy.issuing.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest,
    )
    assert key_ids[0] == key_ids[1]
    name = certificate.subject.public_bytes()
    assert name[name.index(b"SN-1") - 2] == name[name.index(b"Example CPO") - 2] == UTF8_STRING


def test_an_rsa_station_certificate(hierarchy: Hierarchy, rsa_key: rsa.RSAPrivateKey, now: datetime) -> None:
    assert usages(station(hierarchy, rsa_key.public_key(), now)) == {"digital_signature"}


def test_an_secc_certificate_bears_its_role(hierarchy: Hierarchy, ec_key: ec.EllipticCurvePrivateKey) -> None:
    """[V2G2-925]: vehicles look for DC=CPO."""
    certificate = issue(
        hierarchy.issuing,
        profiles.secc(),
        ec_key.public_key(),
        common_name="SECC-1",
        organization="Example CPO",
        now=hierarchy.issuing.certificate.not_valid_before_utc + CA_BACKDATE,
    )

    assert certificate.subject.rfc4514_string() == "CN=SECC-1,O=Example CPO,DC=CPO"
    assert usages(certificate) == {"digital_signature", "key_agreement"}
    assert len(certificate.public_bytes(Encoding.DER)) <= 800


def test_serial_numbers_are_random(hierarchy: Hierarchy, ec_key: ec.EllipticCurvePrivateKey, now: datetime) -> None:
    serials = {station(hierarchy, ec_key.public_key(), now).serial_number for _ in range(20)}

    assert len(serials) == 20
    assert max(serials).bit_length() > 128


def test_a_server_certificate(hierarchy: Hierarchy, rsa_key: rsa.RSAPrivateKey, now: datetime) -> None:
    names = ["csms.example.com", "127.0.0.1", "::1"]
    certificate = issue(
        hierarchy.issuing,
        profiles.csms_server(),
        rsa_key.public_key(),
        common_name=names[0],
        organization="Example CPO",
        now=now,
        names=names,
    )

    san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert list(san.value) == [
        x509.DNSName("csms.example.com"),
        x509.IPAddress(ip_address("127.0.0.1")),
        x509.IPAddress(ip_address("::1")),
    ]
    assert not san.critical
    assert usages(certificate) == {"digital_signature", "key_encipherment"}


def test_nothing_outlives_its_issuer(hierarchy: Hierarchy, ec_key: ec.EllipticCurvePrivateKey) -> None:
    ca = hierarchy.issuing.certificate

    late = station(hierarchy, ec_key.public_key(), ca.not_valid_after_utc - timedelta(days=3))
    early = station(hierarchy, ec_key.public_key(), ca.not_valid_before_utc)

    assert late.not_valid_after_utc == ca.not_valid_after_utc
    assert early.not_valid_before_utc == ca.not_valid_before_utc


def test_a_date_past_2050_is_a_generalized_time(now: datetime) -> None:
    """RFC 5280 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050 on."""
    der = new_hierarchy("Test", None, now.replace(year=2045)).root.certificate.public_bytes(Encoding.DER)

    assert b"\x18\x0f2065" in der
    assert b"\x17\x0d45" in der


@pytest.mark.parametrize("name", ["", "x" * 65, "10.0.0.1", "a/b"])
def test_names_that_no_station_bears(
    hierarchy: Hierarchy, ec_key: ec.EllipticCurvePrivateKey, now: datetime, name: str
) -> None:
    with pytest.raises(ValueError, match="certificate name"):
        station(hierarchy, ec_key.public_key(), now, name)


def test_alternative_names_go_with_the_profile(
    hierarchy: Hierarchy, ec_key: ec.EllipticCurvePrivateKey, now: datetime
) -> None:
    with pytest.raises(ValueError, match="has alternative names: none"):
        issue(
            hierarchy.issuing,
            profiles.charging_station(),
            ec_key.public_key(),
            common_name="SN-1",
            organization="Example CPO",
            now=now,
            names=["a.example"],
        )


def test_a_larger_curve_signs_with_a_larger_hash(hierarchy: Hierarchy, now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    issuer = Issuer(hierarchy.issuing.certificate, key)

    hashed = station(Hierarchy(issuer, issuer), key.public_key(), now).signature_hash_algorithm

    assert hashed is not None
    assert hashed.name == "sha384"


def test_an_issuer_hides_its_key(hierarchy: Hierarchy) -> None:
    assert repr(hierarchy.issuing).startswith("Issuer(CN=Test station issuing CA ")
    assert "key" not in repr(hierarchy)


def test_new_keys() -> None:
    assert new_key().key_size == 256
    assert new_key(use_rsa=True, rsa_bits=2048).key_size == 2048
    assert general_name("a.example") == x509.DNSName("a.example")


def test_a_revocation_list(hierarchy: Hierarchy, now: datetime) -> None:
    issuer, ca = hierarchy.issuing, hierarchy.issuing.certificate
    gone = x509.RevokedCertificateBuilder().serial_number(5).revocation_date(now).build()

    crl = revocation_list(issuer, [gone], number=7, now=now + timedelta(milliseconds=5), lifetime=timedelta(days=7))

    assert crl.is_signature_valid(issuer.key.public_key())
    assert (crl.issuer, [entry.serial_number for entry in crl]) == (ca.subject, [5])
    assert (crl.last_update_utc, crl.next_update_utc) == (now, now + timedelta(days=7))
    assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 7
    end = ca.not_valid_after_utc
    assert revocation_list(issuer, [], number=8, now=end, lifetime=timedelta(days=7)).next_update_utc == end


@pytest.mark.parametrize(("curve", "name"), [("P-256", "sha256"), ("P-384", "sha384"), ("P-521", "sha512")])
def test_a_hierarchy_of_a_curve_signs_with_its_hash(curve: Curve, name: str, now: datetime) -> None:
    hierarchy = new_hierarchy("Test", None, now, curve=curve, domain_components=("MO", "MO"))

    for issuer in (hierarchy.root, hierarchy.issuing):
        algorithm = issuer.certificate.signature_hash_algorithm
        assert algorithm is not None
        assert algorithm.name == name
        assert curve_name(issuer.certificate.public_key()) == curve
        assert "DC=MO" in issuer.certificate.subject.rfc4514_string()


def test_a_profile_that_wants_a_short_key_identifier(hierarchy: Hierarchy, now: datetime) -> None:
    key = new_ec_key("P-521").public_key()
    profile = profiles.load_profile("contract_20")
    leaf = issue(hierarchy.issuing, profile, key, common_name="DE8EXC12345678A", organization="MO", now=now)

    assert len(leaf.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest) == 8
