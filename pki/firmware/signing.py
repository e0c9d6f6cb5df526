"""Signing firmware, where the operator is the signer: what stations verify (OCPP 2.0.1 L01.FR.04, 11, 12).

The image is hashed where it lies; the key's holder is given its SHA-256 alone.
"""

import asyncio
import base64
from collections.abc import Callable
from datetime import datetime
from typing import Final, Protocol, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from pki.clock import utc_now
from pki.firmware import Algorithm, FirmwareRefused, ImageDigest, Signed
from pki.firmware.signature import Scheme, check_signature
from pki.issuing import PrivateKey
from pki.keys import KeyRefused, PublicKey, check_key
from pki.pem_files import certificates_pem, parse_key, read_chain
from pki.profiles import load_profile

CERTIFICATE_LENGTH_MAX: Final = 5500
"""Characters of PEM (OCPP 2.0.1 FirmwareType.signingCertificate)."""
PROFILE: Final = "firmware_signing"

_HASHED: Final = Prehashed(hashes.SHA256())
_PSS: Final = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)


E = TypeVar("E", bound=x509.ExtensionType)


class SigningFailed(Exception):
    """There is no signature; the text says why and what to do, never what the key is."""


class SigningCertificate:
    """A certificate whose signatures stations may take."""

    def __init__(self, pem: str) -> None:
        """``pem``: the leaf first, its CAs may follow. Raises :class:`SigningFailed`; its dates are for later."""
        try:
            self.leaf = read_chain(pem)[0]
        except ValueError:
            raise SigningFailed("the signing certificate isn't in PEM, leaf first") from None
        self.subject = self.leaf.subject.rfc4514_string()
        self.pem = certificates_pem([self.leaf])
        """What the station is given: OCPP carries the leaf alone."""
        self.key = _checked(self.leaf, self.pem)

    def __repr__(self) -> str:
        return f"SigningCertificate({self.subject})"

    def check_dates(self, now: datetime) -> None:
        """Raise :class:`SigningFailed` when it isn't valid at ``now``."""
        begins, ends = self.leaf.not_valid_before_utc, self.leaf.not_valid_after_utc
        if not begins <= now <= ends:
            raise SigningFailed(
                f"the certificate {self.subject} is valid from {begins.date()} to {ends.date()}; have a new one "
                "signed, or set this machine's clock"
            )

    def signed(self, digest: ImageDigest, value: bytes) -> Signed:
        """Return what a station is given, once it is verified. Raises :class:`SigningFailed`."""
        signature = base64.b64encode(value).decode()
        try:
            check_signature(digest, signature, self.key, Scheme())
        except FirmwareRefused:
            raise SigningFailed(f"what came back isn't a signature of {self.subject} over this image") from None
        return Signed(signature, self.pem)

    @property
    def algorithm(self) -> Algorithm:
        """How its key signs."""
        return Algorithm.ECDSA if isinstance(self.key, ec.EllipticCurvePublicKey) else Algorithm.RSA_PSS


class FirmwareSigner(Protocol):
    """Signs images."""

    certificate: SigningCertificate

    async def sign(self, digest: ImageDigest) -> Signed:
        """Return the signature, verified. Raises :class:`SigningFailed`."""


class FileSigner:
    """Signs with a key that this process holds: for development. Fulfils :class:`FirmwareSigner`."""

    def __init__(
        self, certificate: SigningCertificate, key_pem: bytes, *, clock: Callable[[], datetime] = utc_now
    ) -> None:
        """``key_pem``: the certificate's private key, unencrypted. Raises :class:`SigningFailed`."""
        try:
            key = parse_key(key_pem)
        except ValueError as error:
            raise SigningFailed(f"the key: {error}") from None
        if key.public_key() != certificate.key:
            raise SigningFailed(f"the key isn't that of the certificate {certificate.subject}")
        self.certificate = certificate
        self._key = key
        self._clock = clock

    def __repr__(self) -> str:
        return f"FileSigner({self.certificate!r})"

    async def sign(self, digest: ImageDigest) -> Signed:
        """As :class:`FirmwareSigner` has it."""
        self.certificate.check_dates(self._clock())
        return self.certificate.signed(digest, await asyncio.to_thread(_signature, self._key, digest.sha256))


def _signature(key: PrivateKey, sha256: bytes) -> bytes:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(sha256, ec.ECDSA(_HASHED))
    return key.sign(sha256, _PSS, _HASHED)


def _checked(leaf: x509.Certificate, pem: str) -> PublicKey:
    """Return the key of a certificate that may sign firmware. Raises :class:`SigningFailed`."""
    name = leaf.subject.rfc4514_string()
    if len(pem) > CERTIFICATE_LENGTH_MAX:
        raise SigningFailed(
            f"the certificate {name} has {len(pem)} characters of PEM, OCPP has room for {CERTIFICATE_LENGTH_MAX}"
        )
    try:
        key = check_key(leaf.public_key(), load_profile(PROFILE).keys)
        constraints, usage = _extension(leaf, x509.BasicConstraints), _extension(leaf, x509.KeyUsage)
    except KeyRefused as error:
        raise SigningFailed(f"the key of {name}: {error}") from None
    except Exception as error:  # the parser decodes lazily and in many ways
        raise SigningFailed(f"the certificate {name} can't be decoded") from error
    if constraints is not None and constraints.ca:
        raise SigningFailed(f"{name} is a CA; name the certificate of the key that signs, leaf first")
    if usage is not None and not usage.digital_signature:
        raise SigningFailed(f"the key usage of {name} lacks digitalSignature")
    return key


def _extension(leaf: x509.Certificate, kind: type[E]) -> E | None:
    try:
        return leaf.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
