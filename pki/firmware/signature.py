"""Is a signature its key's over an image? ECDSA and RSA with SHA-256, by what is known of the image: its digest.

What vendors' tools do differently (r and s bare, long salts, PKCS #1 v1.5) is taken where their settings name it; where
they don't, the refusal says which setting it would be, as far as that can be told.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.padding import AsymmetricPadding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature

from pki.firmware import Algorithm, FirmwareRefused, ImageDigest, Refusal

SIGNATURE_LENGTH_MAX: Final = 800
"""Characters of base64 (OCPP 2.0.1 FirmwareType.signature)."""

_SHA256: Final = hashes.SHA256()
_HASHED: Final = Prehashed(_SHA256)
_MGF1: Final = padding.MGF1(_SHA256)
_ANY_SALT: Final = padding.PSS(_MGF1, padding.PSS.AUTO)
_SALTS: Final[Mapping[str, AsymmetricPadding]] = {
    "digest": padding.PSS(_MGF1, padding.PSS.DIGEST_LENGTH),
    "any": _ANY_SALT,
}


@dataclass(frozen=True, slots=True)
class Scheme:
    """What a manufacturer's signatures look like."""

    algorithms: frozenset[Algorithm] = frozenset({Algorithm.ECDSA, Algorithm.RSA_PSS})
    ecdsa_encoding: Literal["der", "raw"] = "der"
    """ASN.1, or r and s one after the other, each as long as the curve's order."""
    pss_salt: Literal["digest", "any"] = "digest"
    """The salt of RSA-PSS has 32 octets, or any number. The mask is always MGF1 with SHA-256."""


def check_signature(digest: ImageDigest, signature: str, key: object, scheme: Scheme) -> Algorithm:
    """Return how the image of this digest was signed with the private key of ``key``; ``signature`` is base64.

    Raises :class:`FirmwareRefused`: NO_SIGNATURE, SIGNATURE_MALFORMED, ALGORITHM, SIGNATURE_INVALID.
    """
    octets = decode_signature(signature)
    if isinstance(key, ec.EllipticCurvePublicKey):
        return _check_ecdsa(digest, octets, key, scheme)
    if isinstance(key, rsa.RSAPublicKey):
        return _check_rsa(digest, octets, key, scheme)
    raise FirmwareRefused(Refusal.ALGORITHM, "the signing certificate's key is neither ECDSA's nor RSA's")


def decode_signature(signature: str) -> bytes:
    """Return the octets of a signature in base64. Raises :class:`FirmwareRefused`."""
    if not signature:
        raise FirmwareRefused(Refusal.NO_SIGNATURE, "the image has no signature; ask its manufacturer for it")
    if len(signature) > SIGNATURE_LENGTH_MAX:
        text = f"the signature has {len(signature)} characters, OCPP has room for {SIGNATURE_LENGTH_MAX}"
        raise FirmwareRefused(Refusal.SIGNATURE_MALFORMED, text)
    try:
        octets = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        octets = b""
    if base64.b64encode(octets).decode() != signature:
        raise FirmwareRefused(Refusal.SIGNATURE_MALFORMED, "the signature isn't base64, in one line (RFC 4648 4)")
    return octets


def _check_ecdsa(digest: ImageDigest, octets: bytes, key: ec.EllipticCurvePublicKey, scheme: Scheme) -> Algorithm:
    _check_allowed(scheme, Algorithm.ECDSA)
    given = _as_der(octets, key, scheme.ecdsa_encoding)
    if given is not None and _is_ecdsa(digest, given, key):
        return Algorithm.ECDSA
    encoding: Literal["der", "raw"] = "raw" if scheme.ecdsa_encoding == "der" else "der"
    other = _as_der(octets, key, encoding)
    if other is not None and _is_ecdsa(digest, other, key):
        text = f"the signature is good, but written in another way; ecdsa_encoding: {encoding} would take it"
        raise FirmwareRefused(Refusal.ALGORITHM, text)
    raise _invalid()


def _as_der(octets: bytes, key: ec.EllipticCurvePublicKey, encoding: Literal["der", "raw"]) -> bytes | None:
    """Return the signature in ASN.1; None: it isn't written so."""
    if encoding == "der":
        return octets
    size = (key.curve.key_size + 7) // 8
    if len(octets) != 2 * size:
        return None
    return encode_dss_signature(int.from_bytes(octets[:size]), int.from_bytes(octets[size:]))


def _is_ecdsa(digest: ImageDigest, der: bytes, key: ec.EllipticCurvePublicKey) -> bool:
    try:
        key.verify(der, digest.sha256, ec.ECDSA(_HASHED))
    except InvalidSignature:
        return False
    return True


def _check_rsa(digest: ImageDigest, octets: bytes, key: rsa.RSAPublicKey, scheme: Scheme) -> Algorithm:
    paddings = {Algorithm.RSA_PSS: _SALTS[scheme.pss_salt], Algorithm.RSA_PKCS1: padding.PKCS1v15()}
    allowed = [each for each in paddings if each in scheme.algorithms]
    if not allowed:
        raise _not_allowed(scheme, "an RSA key", Algorithm.RSA_PSS)
    for algorithm in allowed:
        if _is_rsa(digest, octets, key, paddings[algorithm]):
            return algorithm
    if Algorithm.RSA_PSS in allowed and _is_rsa(digest, octets, key, _ANY_SALT):
        text = "the signature is good, but its salt isn't as long as the digest; pss_salt: any would take it"
        raise FirmwareRefused(Refusal.ALGORITHM, text)
    for algorithm in paddings.keys() - allowed:
        if _is_rsa(digest, octets, key, paddings[algorithm]):
            raise _not_allowed(scheme, "a good signature", algorithm)
    raise _invalid()


def _is_rsa(digest: ImageDigest, octets: bytes, key: rsa.RSAPublicKey, how: AsymmetricPadding) -> bool:
    try:
        key.verify(octets, digest.sha256, how, _HASHED)
    except InvalidSignature:
        return False
    return True


def _check_allowed(scheme: Scheme, algorithm: Algorithm) -> None:
    if algorithm not in scheme.algorithms:
        raise _not_allowed(scheme, "an EC key", algorithm)


def _not_allowed(scheme: Scheme, what: str, algorithm: Algorithm) -> FirmwareRefused:
    named = ", ".join(sorted(each.value for each in scheme.algorithms))
    text = f"{what} of {algorithm.value}, which isn't one of the manufacturer's algorithms ({named}); add it there"
    return FirmwareRefused(Refusal.ALGORITHM, text)


def _invalid() -> FirmwareRefused:
    return FirmwareRefused(
        Refusal.SIGNATURE_INVALID,
        "the signature isn't the signing certificate's over this image: the image is another one or damaged, "
        "or another key has signed it",
    )
