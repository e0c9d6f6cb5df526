"""A firmware key in the transit engine of HashiCorp Vault or OpenBao: it signs digests there, and never leaves it."""

from collections.abc import Callable
from datetime import datetime

from pki.clock import utc_now
from pki.firmware import Algorithm, ImageDigest, Signed
from pki.firmware.signing import SigningCertificate, SigningFailed
from pki.vault.connection import VaultConnection
from pki.vault.transit import TransitFailed, TransitKey


class TransitSigner:
    """Signs with the key of a certificate. Fulfils :class:`pki.firmware.signing.FirmwareSigner`."""

    def __init__(
        self,
        connection: VaultConnection,
        certificate: SigningCertificate,
        *,
        mount: str,
        key: str,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.certificate = certificate
        whose = "the signing certificate"
        self._key = TransitKey(connection, certificate.leaf, certificate.key, mount=mount, name=key, whose=whose)
        self._clock = clock

    def __repr__(self) -> str:
        return f"TransitSigner({self._key!r}, {self.certificate!r})"

    async def sign(self, digest: ImageDigest) -> Signed:
        """As :class:`pki.firmware.signing.FirmwareSigner` has it; RSA signs by PSS, its salt as long as the digest."""
        self.certificate.check_dates(self._clock())
        pss = self.certificate.algorithm is Algorithm.RSA_PSS
        try:
            value = await self._key.sign(
                digest.sha256, hash_algorithm="sha2-256", marshaling="asn1", prehashed=True, pss=pss
            )
        except TransitFailed as error:
            raise SigningFailed(str(error)) from None
        try:
            return self.certificate.signed(digest, value)
        except SigningFailed as error:
            self._key.forget()
            raise SigningFailed(f"{self._key.sign_path}: {error}") from None
