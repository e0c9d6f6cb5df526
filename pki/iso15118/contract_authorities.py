"""The CAs of mobility operators: roots that are trusted, and all that leads to them."""

from collections.abc import Sequence
from typing import Final

from cryptography import x509

from pki.anchors import is_issued_by
from pki.certificate_hash import CertificateHash, issued_by
from pki.extensions import ExtensionsUnreadable, read_extensions
from pki.iso15118.certificate_profiles import CONTRACT, is_of_another_role
from pki.iso15118.trust import TrustedPaths
from pki.ocsp.issuers import Issuers

INTERMEDIATES_MAX: Final = 1024
"""Sub-CAs that are looked at; further ones are left out."""


class ContractAuthorities:
    """Whom contract certificates may come from. Immutable. To be made in a thread: there may be many signatures.

    ``intermediates`` may hold any CA certificates: of those that lead to no root nothing is believed, nor of those of
    another role, since a charge point operator's under the same V2G root is none of theirs ([V2G2-925]).
    """

    def __init__(
        self,
        roots: Sequence[x509.Certificate],
        intermediates: Sequence[x509.Certificate] = (),
        own: Sequence[x509.Certificate] = (),
    ) -> None:
        """``own``: those of them through which contracts are issued here, all of which are on record."""
        under = _under(roots, intermediates[:INTERMEDIATES_MAX])
        self.paths = TrustedPaths(roots, tuple(under))
        self._issuers = Issuers((*roots, *under))
        self._under = under
        self._cas = frozenset(
            issued_by(issuer, ca.serial_number) for ca, issuer in (*under.items(), *zip(roots, roots, strict=True))
        )
        self._own = frozenset(own)

    def issuer(self, certificate: CertificateHash) -> x509.Certificate | None:
        """Return the CA under our roots that issued a certificate, by its hashes alone; None: it isn't known here."""
        return self._issuers.find(certificate)

    def is_own(self, issuer: x509.Certificate) -> bool:
        """Return whether what this CA issues is on record here."""
        return issuer in self._own

    def is_ca(self, certificate: CertificateHash) -> bool:
        """Return whether this is the name, in SHA-256, of a CA that is known here."""
        return certificate in self._cas

    def above(self, ca: x509.Certificate) -> tuple[x509.Certificate, ...]:
        """Return a CA that :meth:`issuer` gave, and those above it, the root last."""
        path = [ca]
        while path[-1] in self._under:
            path.append(self._under[path[-1]])
        return tuple(path)


def _under(
    roots: Sequence[x509.Certificate], candidates: Sequence[x509.Certificate]
) -> dict[x509.Certificate, x509.Certificate]:
    """Return the CAs that lead to one of ``roots``, and who issued each."""
    by_name: dict[bytes, list[x509.Certificate]] = {}
    for each in dict.fromkeys(candidates):
        if each not in roots and _may_be_above(each):
            by_name.setdefault(each.issuer.public_bytes(), []).append(each)
    found: dict[x509.Certificate, x509.Certificate] = {}
    waiting = list(roots)
    while waiting:
        ca = waiting.pop()
        for each in by_name.get(ca.subject.public_bytes(), ()):
            if each not in found and is_issued_by(each, ca):
                found[each] = ca
                waiting.append(each)
    return found


def _may_be_above(certificate: x509.Certificate) -> bool:
    try:
        return read_extensions(certificate).is_ca and not is_of_another_role(certificate, CONTRACT)
    except ExtensionsUnreadable:
        return False
