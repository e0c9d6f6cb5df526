"""What an offline root has signed, looked at before it becomes an issuing CA."""

from datetime import datetime
from itertools import pairwise

from cryptography import x509

from pki.keys import STRONG_HASHES
from pki.vault.bootstrap_connection import BootstrapFailed


def read_signed(pem: str, *, now: datetime) -> list[x509.Certificate]:
    """Return an issuing CA and the CAs above it, its root last.

    Raises BootstrapFailed for what isn't whole, valid and a CA that can make no further CA (RFC 5280 4.2.1.9, 6.1).
    """
    try:
        chain = x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        raise BootstrapFailed("holds no certificates in PEM") from None
    try:
        _check(chain, now)
    except BootstrapFailed:
        raise
    except Exception as error:  # the parser decodes lazily and in many ways
        raise BootstrapFailed("can't be decoded") from error
    return chain


def check_key(chain: list[x509.Certificate], csr_pem: str) -> None:
    """Return when the CA's key is the one in Vault, whose CSR is ``csr_pem``. Raises BootstrapFailed."""
    if chain[0].public_key() != x509.load_pem_x509_csr(csr_pem.encode()).public_key():
        raise BootstrapFailed("is for another key than the one in Vault; sign the CSR that this command gives")


def _check(chain: list[x509.Certificate], now: datetime) -> None:
    for below, certificate in enumerate(chain):
        name = certificate.subject.rfc4514_string()
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value if below == 0 else None
        if not constraints.ca or (usage is not None and not (usage.key_cert_sign and usage.crl_sign)):
            raise BootstrapFailed(f"{name} isn't a CA that signs certificates and CRLs (CA:TRUE, keyCertSign, cRLSign)")
        if below == 0 and constraints.path_length != 0:
            raise BootstrapFailed(f"{name} may make further CAs; sign it with a path length of 0")
        if constraints.path_length is not None and constraints.path_length < below:
            raise BootstrapFailed(f"{name} has a path length of {constraints.path_length}, too little for what follows")
        if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc:
            raise BootstrapFailed(f"{name} isn't valid now")
        algorithm = certificate.signature_hash_algorithm
        if algorithm is None or algorithm.name not in STRONG_HASHES:
            raise BootstrapFailed(f"{name} is signed with a weak or unknown hash (A00.FR.506)")
    if len(chain) < 2 or chain[-1].subject != chain[-1].issuer:
        raise BootstrapFailed("must hold the issuing CA first and its root last")
    for certificate, issuer in pairwise(chain):
        try:
            certificate.verify_directly_issued_by(issuer)
        except Exception as error:
            raise BootstrapFailed(
                f"{certificate.subject.rfc4514_string()} isn't issued by the certificate that follows it"
            ) from error
