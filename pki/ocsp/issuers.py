"""Who issued a certificate of which only the hashes are known, and which responders a certificate names."""

import hashlib
from collections.abc import Iterable
from typing import Final

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from pki.certificate_hash import CertificateHash, HashAlgorithm, certificate_hash

ISSUERS_MAX: Final = 1024
"""CA certificates of one :class:`Issuers`; further ones are left out."""


class Issuers:
    """CA certificates, found by the hashes of their name and key. Of two of one CA, the one that is valid longer."""

    def __init__(self, certificates: Iterable[x509.Certificate] = ()) -> None:
        self._by_hashes: dict[tuple[HashAlgorithm, str, str], x509.Certificate] = {}
        self.certificates: tuple[x509.Certificate, ...] = ()
        self.replace(certificates)

    def replace(self, certificates: Iterable[x509.Certificate]) -> None:
        """Know these instead; at most ISSUERS_MAX."""
        taken = tuple(dict.fromkeys(certificates))[:ISSUERS_MAX]
        found = {}
        for ca in sorted(taken, key=lambda each: each.not_valid_after_utc):
            for algorithm in HashAlgorithm:
                name = hashlib.new(algorithm.hash.name, ca.subject.public_bytes()).hexdigest()
                found[algorithm, name, certificate_hash(ca, ca, algorithm).issuer_key] = ca
        self._by_hashes, self.certificates = found, taken

    def find(self, certificate: CertificateHash) -> x509.Certificate | None:
        """Return the CA that issued it, if it is known here."""
        return self._by_hashes.get((certificate.algorithm, certificate.issuer_name, certificate.issuer_key))


def responders_of(certificate: x509.Certificate) -> list[str]:
    """Return the URLs of OCSP responders that a certificate names, in its order (RFC 5280 4.2.2.1)."""
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        return []
    return [
        each.access_location.value
        for each in access
        if each.access_method == AuthorityInformationAccessOID.OCSP
        and isinstance(each.access_location, x509.UniformResourceIdentifier)
    ]
