"""From a certificate of Plug & Charge to a root that is trusted, as long as ISO 15118's generations have it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509

from pki.iso15118.exi import Schema
from pki.iso15118.provisioning import ProvisioningRefused, Refusal
from pki.path_building import Path, PathBuilder, PathFault, PathRefused, build_chain, name_of

__all__ = ["LIMITS", "Path", "PathLimits", "TrustedPaths", "chain_path", "name_of"]


@dataclass(frozen=True, slots=True)
class PathLimits:
    """How long a path may be, and how large a certificate of it should."""

    sub_certificates: int
    """CAs between leaf and root."""
    certificate_size: int
    """Octets of DER: more is a finding of the profile, no fault of the path."""


LIMITS: Final[Mapping[Schema, PathLimits]] = {
    Schema.ISO_2: PathLimits(sub_certificates=2, certificate_size=800),
    Schema.ISO_20: PathLimits(sub_certificates=3, certificate_size=1600),
}
"""By generation: [V2G2-009], [V2G2-010]; ISO 15118-20 has room for one more, and for the keys of P-521."""

_REFUSALS: Final[Mapping[PathFault, Refusal]] = {
    PathFault.MALFORMED: Refusal.MALFORMED,
    PathFault.PROFILE: Refusal.CERTIFICATE_PROFILE,
    PathFault.UNTRUSTED: Refusal.CHAIN_UNTRUSTED,
    PathFault.EXPIRED: Refusal.CERTIFICATE_EXPIRED,
    PathFault.NOT_YET_VALID: Refusal.CERTIFICATE_NOT_YET_VALID,
}


class TrustedPaths:
    """The roots of one kind of certificates, and sub-CAs that peers needn't send. Immutable; for any thread."""

    def __init__(self, roots: Sequence[x509.Certificate], intermediates: Sequence[x509.Certificate] = ()) -> None:
        self._paths = PathBuilder(roots, intermediates)

    def path(self, leaf: bytes, sub_certificates: Sequence[bytes] = (), *, at: datetime, limits: PathLimits) -> Path:
        """Return the path of ``leaf``, as :meth:`PathBuilder.path` does, with at most the generation's sub-CAs.

        Raises :class:`ProvisioningRefused`: MALFORMED, CERTIFICATE_PROFILE (the leaf is weak, or none),
        CHAIN_UNTRUSTED, CERTIFICATE_EXPIRED, CERTIFICATE_NOT_YET_VALID.
        """
        with _refusing():
            return self._paths.path(leaf, sub_certificates, at=at, longest=limits.sub_certificates)


def chain_path(leaf: bytes, sub_certificates: Sequence[bytes], *, at: datetime, limits: PathLimits) -> Path:
    """Return a chain that hangs together, where no root is at hand to lead it to.

    Raises as :meth:`TrustedPaths.path` does.
    """
    with _refusing():
        return build_chain(leaf, sub_certificates, at=at, longest=limits.sub_certificates)


@contextmanager
def _refusing() -> Iterator[None]:
    """Say in the words of provisioning why there is no path."""
    try:
        yield
    except PathRefused as refused:
        raise ProvisioningRefused(_REFUSALS[refused.fault], str(refused)) from refused.__cause__
