"""Firmware signatures (OCPP 2.0.1 L01.FR.04, 11, 12; A00.FR.707): is an image what its manufacturer signed?

The words that all parts of it share. ECSchnorr, the other algorithm of L01.FR.04, isn't supported: no library has it.
"""

import enum
from dataclasses import dataclass


class Algorithm(enum.Enum):
    """How an image's SHA-256 is signed."""

    ECDSA = "ecdsa-sha256"
    RSA_PSS = "rsa-pss-sha256"
    RSA_PKCS1 = "rsa-pkcs1v15-sha256"
    """Not of the standard; only where a manufacturer's settings name it."""


class Refusal(enum.Enum):
    """Why an image isn't taken."""

    NO_SIGNATURE = "no_signature"
    SIGNATURE_MALFORMED = "signature_malformed"
    """No base64, or longer than OCPP allows."""
    SIGNATURE_INVALID = "signature_invalid"
    """It isn't the signing certificate's over these octets: another image, a damaged one, another key."""
    ALGORITHM = "algorithm_not_allowed"
    CERTIFICATE_MALFORMED = "certificate_malformed"
    CERTIFICATE_UNTRUSTED = "certificate_untrusted"
    """No path to a root of this manufacturer."""
    CERTIFICATE_PROFILE = "certificate_profile"
    """A CA's, a weak key, of a use that isn't signing."""
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_NOT_YET_VALID = "certificate_not_yet_valid"
    CERTIFICATE_REVOKED = "certificate_revoked"
    REVOCATION_UNKNOWN = "revocation_unknown"
    MANUFACTURER_UNKNOWN = "manufacturer_unknown"
    SOURCE_NOT_ALLOWED = "source_not_allowed"
    FETCH_FAILED = "fetch_failed"
    TOO_LARGE = "too_large"
    NO_SPACE = "no_space"
    CHANGED = "changed"
    """The octets aren't those that were verified before."""
    WRONG_STATION = "wrong_station"
    """It is for another vendor's or another model's stations."""
    WITHDRAWN = "withdrawn"

    @property
    def is_certificates(self) -> bool:
        """True where the signing certificate is at fault, and not the signature or the image."""
        return self in _CERTIFICATES


_CERTIFICATES = frozenset(
    {
        Refusal.CERTIFICATE_MALFORMED,
        Refusal.CERTIFICATE_UNTRUSTED,
        Refusal.CERTIFICATE_PROFILE,
        Refusal.CERTIFICATE_EXPIRED,
        Refusal.CERTIFICATE_NOT_YET_VALID,
        Refusal.CERTIFICATE_REVOKED,
        Refusal.REVOCATION_UNKNOWN,
    }
)


class FirmwareRefused(Exception):
    """An image, its signature or its signing certificate isn't taken; the text says why, and what to do."""

    def __init__(self, refusal: Refusal, text: str) -> None:
        super().__init__(text)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class ImageDigest:
    """What an image is known by."""

    size: int
    """Bytes."""
    sha256: bytes
    md5: bytes
    """For PublishFirmware alone (OCPP 2.0.1 L03.FR.03): it proves nothing."""


@dataclass(frozen=True, slots=True)
class Signed:
    """An image's signature and the certificate of its signer, in the words of OCPP's FirmwareType."""

    signature: str
    """Base64, at most 800 characters."""
    signing_certificate: str
    """PEM, at most 5500 characters: the leaf first, where its CAs come with it."""


@dataclass(frozen=True, slots=True)
class Verified:
    """How an image was found to be its manufacturer's."""

    algorithm: Algorithm
    signer: str
    """The signing certificate's subject (RFC 4514)."""
    fingerprint: str
    """The SHA-256 of its DER, in hex."""
