"""Attack A9: a certificate that a trusted root vouches for, but which isn't a station's, at the CSMS port.

A table over the application's check, which every accept runs: it doesn't rely on the handshake.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

from pki.issuing import Hierarchy, Issuer, new_hierarchy
from pki.paths import Fault, PathRejected, StationChainVerifier
from pki.pem_files import certificates_pem

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SERIAL, OPERATOR = "SN-1", "Example CPO"
CN, ORG, DC = NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME, NameOID.DOMAIN_COMPONENT
Attribute = tuple[x509.ObjectIdentifier, str, _ASN1Type]
Extension = tuple[x509.ExtensionType, bool]
UTF8 = _ASN1Type.UTF8String
OWNER: Attribute = (ORG, OPERATOR, UTF8)
STATION: Sequence[Attribute] = ((CN, SERIAL, UTF8), OWNER)
KEY = ec.generate_private_key(ec.SECP256R1())
STATIONS = new_hierarchy("Station", OPERATOR, NOW - 30 * DAY)
CSMS = new_hierarchy("CSMS", OPERATOR, NOW - 30 * DAY)

END_ENTITY = (x509.BasicConstraints(ca=False, path_length=None), True)
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")


def usage(*names: str) -> Extension:
    every = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    more = ("key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: name in names for name in (*every, *more)}), True


def purposes(*oids: x509.ObjectIdentifier) -> Extension:
    return x509.ExtendedKeyUsage(oids), False


def name(attributes: Sequence[Attribute]) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, value, kind, _validate=False) for oid, value, kind in attributes])


def issued(
    *extensions: Extension,
    subject: Sequence[Attribute] = STATION,
    by: Issuer = STATIONS.issuing,
    begins: datetime = NOW - DAY,
    ends: datetime = NOW + DAY,
) -> x509.Certificate:
    builder = x509.CertificateBuilder(
        by.certificate.subject, name(subject), KEY.public_key(), x509.random_serial_number(), begins, ends
    )
    for value, critical in extensions:
        builder = builder.add_extension(value, critical=critical)
    return builder.sign(by.key, hashes.SHA256())


def sub_ca(common_name: str, component: str, by: Issuer) -> Issuer:
    """An issuing CA of ISO 15118 (Annex F): its role stands in a domain component."""
    ca = (x509.BasicConstraints(ca=True, path_length=None), True)
    key_id = (x509.SubjectKeyIdentifier.from_public_key(KEY.public_key()), False)
    subject = ((CN, common_name, UTF8), (DC, component, _ASN1Type.IA5String))
    return Issuer(issued(ca, usage("key_cert_sign", "crl_sign"), key_id, subject=subject, by=by), KEY)


def verdict(*path: x509.Certificate, roots: Hierarchy = STATIONS) -> Fault | None:
    verifier = StationChainVerifier(
        certificates_pem([roots.root.certificate]).encode(), organization=OPERATOR, clock=lambda: NOW
    )
    leaf, *chain = (each.public_bytes(Encoding.DER) for each in path)
    try:
        verifier(leaf, chain, SERIAL)
    except PathRejected as error:
        return error.fault
    return None


CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


@pytest.mark.parametrize(
    ("extensions", "fault"),
    [
        ([], None),
        ([END_ENTITY, usage("digital_signature", "key_agreement")], None),
        ([purposes(CLIENT)], None),
        ([purposes(SERVER, CLIENT)], None),
        ([purposes(SERVER)], Fault.NOT_A_STATIONS),
        ([purposes(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)], Fault.NOT_A_STATIONS),
        ([purposes(ExtendedKeyUsageOID.CODE_SIGNING)], Fault.NOT_A_STATIONS),
        ([purposes(ExtendedKeyUsageOID.OCSP_SIGNING)], Fault.NOT_A_STATIONS),
        ([(x509.BasicConstraints(ca=True, path_length=None), True)], Fault.NOT_A_STATIONS),
        ([(x509.BasicConstraints(ca=True, path_length=0), False)], Fault.NOT_A_STATIONS),
        ([usage("digital_signature", "key_cert_sign")], Fault.NOT_A_STATIONS),
        ([usage("digital_signature", "crl_sign")], Fault.NOT_A_STATIONS),
        ([usage("key_encipherment")], Fault.NOT_A_STATIONS),
        ([usage("key_agreement")], Fault.NOT_A_STATIONS),
        ([usage("content_commitment")], Fault.NOT_A_STATIONS),
        ([(UNKNOWN, False)], None),
        ([(UNKNOWN, True)], Fault.NOT_A_STATIONS),
        ([(x509.UnrecognizedExtension(ExtensionOID.BASIC_CONSTRAINTS, b"\x30\x80"), True)], Fault.MALFORMED),
        ([(x509.UnrecognizedExtension(ExtensionOID.EXTENDED_KEY_USAGE, b"\x04\x00"), False)], Fault.MALFORMED),
    ],
    ids=[
        "plain", "end entity", "client", "server and client", "server", "any purpose", "code signing", "OCSP responder",
        "CA", "CA, not critical", "signs certificates", "signs CRLs", "no digitalSignature", "key agreement alone",
        "non-repudiation alone", "unknown extension", "unknown critical extension", "damaged basic constraints",
        "damaged extended key usage",
    ],
)  # fmt: skip
def test_what_a_certificate_is_for(extensions: Sequence[Extension], fault: Fault | None) -> None:
    assert verdict(issued(*extensions), STATIONS.issuing.certificate) is fault


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ([STATIONS.issuing.certificate], Fault.NOT_A_STATIONS),
        ([STATIONS.root.certificate], Fault.NOT_A_STATIONS),
        ([issued(by=CSMS.issuing), CSMS.issuing.certificate], Fault.NO_PATH),
        ([issued(by=CSMS.issuing), CSMS.issuing.certificate, CSMS.root.certificate], Fault.NO_PATH),
        ([issued(by=CSMS.issuing), CSMS.issuing.certificate, STATIONS.root.certificate], Fault.NO_PATH),
        ([issued(by=Issuer(issued(), KEY)), issued(), STATIONS.issuing.certificate], Fault.NO_PATH),
        ([issued(begins=NOW + timedelta(seconds=1)), STATIONS.issuing.certificate], Fault.NOT_YET_VALID),
        ([issued(ends=NOW - timedelta(seconds=1)), STATIONS.issuing.certificate], Fault.EXPIRED),
    ],
    ids=[
        "the issuing CA itself", "the root itself", "the CSMS's hierarchy", "with its root", "with our root beside it",
        "issued by another station", "of tomorrow", "of yesterday",
    ],
)  # fmt: skip
def test_who_issued_it_and_when(path: Sequence[x509.Certificate], fault: Fault) -> None:
    assert verdict(*path) is fault


@pytest.mark.parametrize(
    ("component", "fault"),
    [
        ("CPO", None),  # a combined certificate: the SECC's too (A00.FR.428)
        ("MO", Fault.NOT_A_STATIONS),
        ("OEM", Fault.NOT_A_STATIONS),
        ("CPS", Fault.NOT_A_STATIONS),
    ],
)
def test_iso_15118_under_a_root_that_is_trusted(component: str, fault: Fault | None) -> None:
    """A V2G root among the station roots: contract, vehicle and provisioning chains still aren't stations'."""
    sub = sub_ca(f"{component} Sub-CA 1", component, STATIONS.root)
    bare, marked = issued(by=sub), issued(subject=(*STATION, (DC, component, _ASN1Type.IA5String)))

    assert verdict(bare, sub.certificate) is fault
    assert verdict(marked, STATIONS.issuing.certificate) is fault
    root = Hierarchy(sub, sub)
    assert verdict(bare, roots=root) is fault, "its own root, configured by mistake"


@pytest.mark.parametrize("component", ["V2G", "MO", "OEM", "CPS"])
def test_iso_15118_under_a_root_of_its_own(component: str) -> None:
    sub = sub_ca(f"{component} Sub-CA 1", component, CSMS.root)

    assert verdict(issued(by=sub), sub.certificate, CSMS.root.certificate) in {Fault.NO_PATH, Fault.NOT_A_STATIONS}


@pytest.mark.parametrize(
    ("subject", "fault"),
    [
        ([(CN, SERIAL, _ASN1Type.PrintableString), (ORG, OPERATOR, _ASN1Type.PrintableString)], None),
        ([(CN, SERIAL, _ASN1Type.BMPString), OWNER], None),
        ([(CN, SERIAL, _ASN1Type.T61String), OWNER], None),
        ([(CN, "SN-2", _ASN1Type.BMPString), OWNER], Fault.OTHER_NAME),
        ([(CN, "sn-1", UTF8), OWNER], Fault.OTHER_NAME),
        ([(CN, "\u0405N-1", UTF8), OWNER], Fault.OTHER_NAME),
        ([(CN, "\uff33N-1", UTF8), OWNER], Fault.OTHER_NAME),
        ([(CN, "SN-1 ", UTF8), OWNER], Fault.OTHER_NAME),
        ([(CN, "SN-1\0", UTF8), OWNER], Fault.NOT_A_STATIONS),
        ([(CN, "SN-1\0.example", UTF8), OWNER], Fault.NOT_A_STATIONS),
        ([(CN, "SN\u200b-1", UTF8), OWNER], Fault.NOT_A_STATIONS),
        ([(CN, "\u202e1-NS", UTF8), OWNER], Fault.NOT_A_STATIONS),
        ([(CN, "SN-1\nadmitted", UTF8), OWNER], Fault.NOT_A_STATIONS),
        ([(CN, "", UTF8), OWNER], Fault.NOT_A_STATIONS),
        ([(CN, "S" * 65, UTF8), OWNER], Fault.NOT_A_STATIONS),
        ([(CN, "10.1.2.3", UTF8), OWNER], Fault.NOT_A_STATIONS),
        ([(CN, "wss://csms/SN-1", UTF8), OWNER], Fault.NOT_A_STATIONS),
        ([OWNER], Fault.NOT_A_STATIONS),
        ([(CN, SERIAL, UTF8), (CN, "SN-2", UTF8), OWNER], Fault.NOT_A_STATIONS),
        ([(CN, SERIAL, UTF8), (CN, SERIAL, UTF8), OWNER], Fault.NOT_A_STATIONS),
        ([(CN, SERIAL, UTF8)], Fault.OTHER_ORGANIZATION),
        ([(CN, SERIAL, UTF8), (ORG, "example cpo", UTF8)], Fault.OTHER_ORGANIZATION),
        ([(CN, SERIAL, UTF8), (ORG, "Ex\u0430mple CPO", UTF8)], Fault.OTHER_ORGANIZATION),
        ([(CN, SERIAL, UTF8), (ORG, "Example CPO\0", UTF8)], Fault.OTHER_ORGANIZATION),
        ([(CN, SERIAL, UTF8), OWNER, OWNER], Fault.NOT_A_STATIONS),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:Attribute's length must be")  # pyca's, while it makes and reads the bad ones
def test_names(subject: Sequence[Attribute], fault: Fault | None) -> None:
    """One CN that is the serial number to the last character, in whatever string type it was written."""
    assert verdict(issued(subject=subject), STATIONS.issuing.certificate) is fault


def test_a_name_in_one_relative_name_with_another() -> None:
    """CN=SN-1+CN=SN-2: one RDN, two names, of which different software takes different ones."""
    both = x509.RelativeDistinguishedName([x509.NameAttribute(CN, SERIAL), x509.NameAttribute(CN, "SN-2")])
    subject = x509.Name([both, x509.RelativeDistinguishedName([x509.NameAttribute(ORG, OPERATOR)])])
    leaf = x509.CertificateBuilder(
        STATIONS.issuing.certificate.subject, subject, KEY.public_key(), 1 << 80, NOW - DAY, NOW + DAY
    ).sign(STATIONS.issuing.key, hashes.SHA256())

    assert verdict(leaf, STATIONS.issuing.certificate) is Fault.NOT_A_STATIONS
