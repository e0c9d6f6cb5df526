"""A root that lies elsewhere, and what it signs."""

from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from pki.issuing import Issuer, new_hierarchy
from pki.pem_files import certificates_pem

USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def offline_root() -> Issuer:
    return new_hierarchy("Offline", "Example CPO", datetime.now(UTC)).root


def signed_by(root: Issuer, csr_pem: str, **others: Any) -> str:
    """Return the chain that the root's owner sends back; ``others``: what they do wrong."""
    wanted: dict[str, Any] = {"ca": True, "path_length": 0, "usages": ("key_cert_sign", "crl_sign")}
    wanted |= {"begins": datetime.now(UTC) - timedelta(days=1), "lasts": timedelta(days=3650), "with_root": True}
    wanted |= {"signer": root, **others}
    csr = x509.load_pem_x509_csr(csr_pem.encode())
    ca = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Example issuing CA")]))
        .issuer_name(root.certificate.subject)
        .public_key(csr.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(wanted["begins"])
        .not_valid_after(wanted["begins"] + wanted["lasts"])
        .add_extension(x509.BasicConstraints(wanted["ca"], wanted["path_length"]), critical=True)
        .add_extension(x509.KeyUsage(**{each: each in wanted["usages"] for each in USAGES}), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(csr.public_key()), critical=False)
        .sign(wanted["signer"].key, hashes.SHA256())
    )
    return certificates_pem([ca, root.certificate] if wanted["with_root"] else [ca])
