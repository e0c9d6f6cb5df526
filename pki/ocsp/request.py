"""The question to a responder: made of hashes alone, without the certificate (RFC 6960 4.1)."""

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from pki.certificate_hash import CertificateHash


def ocsp_request(certificate: CertificateHash, nonce: bytes | None = None) -> bytes:
    """Return an unsigned OCSPRequest about one certificate, in DER."""
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
        bytes.fromhex(certificate.issuer_name),
        bytes.fromhex(certificate.issuer_key),
        certificate.serial_number,
        certificate.algorithm.hash,
    )
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


def is_about(response: ocsp.OCSPResponse, certificate: CertificateHash) -> bool:
    """Return whether a response speaks of this certificate, in the same hash algorithm (RFC 6960 3.2, 1)."""
    return (
        response.hash_algorithm.name == certificate.algorithm.hash.name
        and response.issuer_name_hash.hex() == certificate.issuer_name
        and response.issuer_key_hash.hex() == certificate.issuer_key
        and response.serial_number == certificate.serial_number
    )
