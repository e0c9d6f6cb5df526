"""A signing certificate for a key that is somewhere else: in Vault."""

from datetime import timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from pki.keys import PublicKey
from tests.firmware_pki import SIGNATURES, FirmwarePki

SIGNER: Final = "CN=Signer in Vault"


def certified_for(pki: FirmwarePki, key: PublicKey) -> str:
    """Return the sub-CA's certificate for ``key``, in PEM; valid for a day before and after ``pki.now``."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name.from_rfc4514_string(SIGNER))
        .issuer_name(pki.sub.certificate.subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(pki.now - timedelta(days=1))
        .not_valid_after(pki.now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(SIGNATURES, critical=True)
    )
    return builder.sign(pki.sub.key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()
