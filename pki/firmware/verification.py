"""Is an image its manufacturer's? The signing certificate first, then the signature (OCPP 2.0.1 L01.FR.11, 12, 21)."""

from datetime import datetime
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import PublicKeyAlgorithmOID

from pki.firmware import Algorithm, FirmwareRefused, ImageDigest, Refusal, Signed, Verified
from pki.firmware.signature import Scheme, check_signature


class Trust(Protocol):
    """Who knows the manufacturer's signers: :class:`pki.firmware.signers.SignerTrust`."""

    async def check(self, pem: str, *, signed_at: datetime | None = None) -> tuple[x509.Certificate, ...]:
        """Return the path, the signing certificate first. Raises FirmwareRefused."""


class FirmwareVerifier:
    """Verifies the images of one manufacturer. For the event loop: it costs some milliseconds, the rest is waiting."""

    def __init__(self, trust: Trust, scheme: Scheme) -> None:
        self._trust = trust
        self._scheme = scheme

    async def verify(self, digest: ImageDigest, signed: Signed, *, signed_at: datetime | None = None) -> Verified:
        """Return how the image of this digest was found to be signed by a signer who holds.

        ``signed_at`` (aware) is when it was signed, as far as that is known. Raises :class:`FirmwareRefused`.
        """
        if not signed.signature:
            raise FirmwareRefused(Refusal.NO_SIGNATURE, "the image has no signature; ask its manufacturer for it")
        signer, *_ = await self._trust.check(signed.signing_certificate, signed_at=signed_at)
        algorithm = check_signature(digest, signed.signature, signer.public_key(), self._scheme)
        if algorithm is Algorithm.RSA_PKCS1 and signer.public_key_algorithm_oid == PublicKeyAlgorithmOID.RSASSA_PSS:
            text = (
                "the signing certificate's key is for RSA-PSS alone, and the signature is PKCS #1 v1.5 (RFC 4055 1.2)"
            )
            raise FirmwareRefused(Refusal.ALGORITHM, text)
        return Verified(algorithm, signer.subject.rfc4514_string(), signer.fingerprint(SHA256()).hex())

    async def check_signer(self, pem: str, *, signed_at: datetime | None = None) -> None:
        """Return when the signing certificate holds (L01.FR.21, 22). Raises :class:`FirmwareRefused`."""
        await self._trust.check(pem, signed_at=signed_at)
