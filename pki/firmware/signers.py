"""Who may sign a manufacturer's firmware: the path of a signing certificate, its use, its dates and its revocation.

OCPP 2.0.1 L01.FR.11, 12, 21, 22; A00.FR.604, 707; RFC 5280 6. A signing certificate comes alone, or with its CAs.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, Literal

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from pki.clock import utc_now
from pki.extensions import Usage, read_extensions
from pki.firmware import FirmwareRefused, Refusal
from pki.path_building import Path, PathBuilder, PathFault, PathRefused, name_of
from pki.pem_chain import ChainMalformed, read_chain
from pki.revocation import Finding, RevocationSource, Status

CHARACTERS_MAX: Final = 5500
"""Of the signing certificate in PEM (OCPP 2.0.1 FirmwareType.signingCertificate)."""
SUB_CERTIFICATES_MAX: Final = 4
"""CAs between a signer and its root."""

Validity = Literal["now", "signing"]
"""When the path has to be valid: whenever it is looked at, or when the image was signed."""
Revocation = Literal["strict", "available", "off"]
"""What isn't known to be good is refused, or taken as long as it isn't known as revoked; or nobody is asked."""

_PURPOSES: Final = frozenset(
    each.dotted_string for each in (ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)
)
_OF_TLS: Final = frozenset({Usage.KEY_ENCIPHERMENT, Usage.DATA_ENCIPHERMENT, Usage.KEY_AGREEMENT})
_UNDERSTOOD: Final = frozenset({ExtensionOID.EXTENDED_KEY_USAGE.dotted_string})
_REFUSALS: Final[Mapping[PathFault, Refusal]] = {
    PathFault.MALFORMED: Refusal.CERTIFICATE_MALFORMED,
    PathFault.PROFILE: Refusal.CERTIFICATE_PROFILE,
    PathFault.UNTRUSTED: Refusal.CERTIFICATE_UNTRUSTED,
    PathFault.EXPIRED: Refusal.CERTIFICATE_EXPIRED,
    PathFault.NOT_YET_VALID: Refusal.CERTIFICATE_NOT_YET_VALID,
}


class SignerTrust:
    """The roots of one manufacturer. For the event loop: a path costs some signatures, everything else is waiting."""

    def __init__(
        self,
        roots: Sequence[x509.Certificate],
        intermediates: Sequence[x509.Certificate] = (),
        *,
        validity: Validity = "now",
        revocation: Revocation = "strict",
        sources: Sequence[RevocationSource] = (),
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """``sources`` know what is revoked: CRLs at hand, those that certificates name, OCSP; all of them are asked."""
        self._paths = PathBuilder(roots, intermediates, understood=_UNDERSTOOD)
        self._validity = validity
        self._revocation = revocation
        self._sources = tuple(sources)
        self._clock = clock

    async def check(self, pem: str, *, signed_at: datetime | None = None) -> Path:
        """Return the path of the signing certificate, itself first and the root last.

        ``signed_at`` (aware) counts where the policy is to look at the moment of signing; one that is still to come
        counts as now, and so does one that isn't known. What is revoked now is refused, whenever it signed.
        Raises :class:`FirmwareRefused`, with one of the CERTIFICATE refusals or REVOCATION_UNKNOWN.
        """
        path = self._find_path(pem, self._moment(signed_at))
        _check_use(path)
        if self._revocation != "off":
            await self._check_revocation(path)
        return path

    def _moment(self, signed_at: datetime | None) -> datetime:
        now = self._clock()
        return now if signed_at is None or self._validity == "now" else min(signed_at, now)

    def _find_path(self, pem: str, at: datetime) -> Path:
        try:
            leaf, *others = read_chain(pem, characters=CHARACTERS_MAX)
            return self._paths.path(leaf, others, at=at, longest=SUB_CERTIFICATES_MAX)
        except ChainMalformed as malformed:
            raise FirmwareRefused(Refusal.CERTIFICATE_MALFORMED, f"the signing certificate: {malformed}") from None
        except PathRefused as refused:
            text = f"the signing certificate: {refused}{_ADVICE.get(refused.fault, '')}"
            raise FirmwareRefused(_REFUSALS[refused.fault], text) from None

    async def _check_revocation(self, path: Path) -> None:
        known = [source.known(path) for source in self._sources]
        _check_not_revoked(path, known)
        said = await asyncio.gather(*(source.status(path) for source in self._sources))
        _check_not_revoked(path, said)
        if self._revocation == "available" or any(each.status is Status.GOOD for each in said):
            return
        reasons = "; ".join(each.reason for each in said) or "there is neither a CRL nor a responder"
        text = (
            f"whether {name_of(path[0])} is revoked isn't known: {reasons}. "
            "Name its CA's CRL in the manufacturer's crls, or have revocation: available take it"
        )
        raise FirmwareRefused(Refusal.REVOCATION_UNKNOWN, text)


_ADVICE: Final[Mapping[PathFault, str]] = {
    PathFault.UNTRUSTED: ". The manufacturer's roots and intermediates say who is trusted",
    PathFault.EXPIRED: ". Ask for an image that is signed anew",
}


def _check_use(path: Path) -> None:
    """A signer's certificate signs, and nothing above it says that what is below it is for something else.

    No extended key usage says nothing (RFC 5280 4.2.1.12), but a key that also agrees on keys or enciphers them is one
    for TLS: a station's, whose certificate has no extended key usage either (OCPP 2.0.1 A00.FR.514). On a sub-CA it
    binds what that has issued, as OpenSSL and Windows have it: beside the signers of firmware a manufacturer has its
    stations' certificates.
    """
    leaf = read_extensions(path[0])
    usage = leaf.key_usage or frozenset()
    if leaf.key_usage is not None and Usage.DIGITAL_SIGNATURE not in usage:
        raise _of_other_use(path[0], "its key usage isn't for signatures")
    if leaf.extended_key_usage is None and not usage.isdisjoint(_OF_TLS):
        raise _of_other_use(path[0], "its key usage is that of a station's certificate for TLS")
    for certificate in path[:-1]:
        purposes = read_extensions(certificate).extended_key_usage
        if purposes is not None and purposes.isdisjoint(_PURPOSES):
            raise _of_other_use(certificate, "its extended key usage isn't signing code")


def _of_other_use(certificate: x509.Certificate, what: str) -> FirmwareRefused:
    text = f"{name_of(certificate)} is no certificate of a signer, nor above one: {what}"
    return FirmwareRefused(Refusal.CERTIFICATE_PROFILE, text)


def _check_not_revoked(path: Path, findings: Sequence[Finding]) -> None:
    for finding in findings:
        if finding.status is Status.REVOKED:
            text = f"the signing certificate {name_of(path[0])} or a CA above it: {finding.reason}"
            raise FirmwareRefused(Refusal.CERTIFICATE_REVOKED, text)
