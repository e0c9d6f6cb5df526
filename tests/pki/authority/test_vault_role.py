"""What a certificate tells of its role."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pki.authority import SigningRequest
from pki.authority.vault_role import LONGER, advice
from pki.csr import review
from pki.issuing import Hierarchy

USAGE = dict.fromkeys(
    (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    ),
    False,
)
OURS = ((NameOID.COMMON_NAME, "SN-1"), (NameOID.ORGANIZATION_NAME, "Example CPO"))


@pytest.mark.parametrize(
    ("change", "mend"),
    [
        ({}, ""),
        ({"names": ((NameOID.COMMON_NAME, "SN-2"), OURS[1])}, "set the role's use_csr_common_name to false"),
        ({"names": OURS[:1]}, "set the role's organization to 'Example CPO'"),
        ({"extensions": [x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])]}, "set the role's server_flag, cli"),
        ({"extensions": [x509.SubjectAlternativeName([x509.DNSName("a")])]}, "set the role's use_csr_sans to false"),
        ({"extensions": [x509.KeyUsage(**USAGE)]}, "set the role's key_usage to DigitalSignature, and KeyAgreement"),
        ({"extensions": [x509.KeyUsage(**USAGE | {"digital_signature": True})]}, ""),
        ({"begins": timedelta(days=-2)}, "shorten the role's not_before_duration"),
        ({"ends": timedelta(days=367)}, "remove the role's not_after"),
        ({"ends": timedelta(days=32)}, LONGER),
        (
            {"names": (), "begins": timedelta(days=-2)},
            "set the role's use_csr_common_name to false; set the role's org",
        ),
    ],
)
def test_what_to_mend(hierarchy: Hierarchy, make_csr: Any, now: datetime, change: dict[str, Any], mend: str) -> None:
    request = review(make_csr(), common_name="SN-1", organization="Example CPO").request_for("Example CPO")

    said = advice(_certificate(hierarchy, request, now, **change), request, now)
    assert said.startswith(mend)
    assert bool(said) == bool(mend)


def _certificate(
    hierarchy: Hierarchy,
    request: SigningRequest,
    now: datetime,
    *,
    names: Sequence[tuple[x509.ObjectIdentifier, str]] = OURS,
    extensions: Sequence[x509.ExtensionType] = (),
    begins: timedelta = timedelta(hours=-1),
    ends: timedelta = timedelta(days=365),
) -> x509.Certificate:
    key = request.csr.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(oid, value) for oid, value in names]))
        .issuer_name(hierarchy.issuing.certificate.subject)
        .public_key(key)
        .serial_number(1 << 100)
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(hierarchy.issuing.key, hashes.SHA256())
