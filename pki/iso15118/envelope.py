"""The envelope in which a contract's private key travels to the vehicle: to its key alone.

One-pass ECDH, C(1, 1, ECC CDH) of NIST SP 800-56A: an ephemeral key of ours, the vehicle's static one, and the
concatenation KDF. Neither cipher's key nor the ephemeral one is kept by anybody.
"""

import os
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki.iso15118.identifiers import Pcid

CURVE_2: Final = ec.SECP256R1()
CURVE_20: Final = ec.SECP521R1()
OTHER_INFO: Final = bytes.fromhex("015556")
"""AlgorithmID 01, PartyUInfo "U", PartyVInfo "V", without lengths ([V2G2-818], [V2G20-2535])."""
SCALAR_2: Final = 32
"""Octets of a private key on P-256."""
SCALAR_20: Final = 66
"""Octets of one on P-521: seven zero bits in front ([V2G20-2497])."""
SESSION_KEY_2: Final = 16
SESSION_KEY_20: Final = 32
IV_2: Final = 16
IV_20: Final = 12
TAG_20: Final = 16
SKI_20: Final = 8
"""Octets of the contract certificate's subject key identifier (RFC 5280 4.2.1.2, method 2)."""


class EnvelopeError(ValueError):
    """A key that nothing can be sealed to or opened with, or an envelope that doesn't open. No text holds a key."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What is sent; without the vehicle's private key it is worth nothing."""

    encrypted_private_key: bytes
    """-2: IV 16, then 32 octets ([V2G2-815] to 817). -20: IV 12, 66 octets, tag 16 ([V2G20-2499])."""
    dh_public_key: bytes
    """The ephemeral key, uncompressed: 65 octets ([V2G2-819]), or 133."""


def seal_2(contract_key: ec.EllipticCurvePrivateKey, vehicle_key: ec.EllipticCurvePublicKey) -> Sealed:
    """Seal for ISO 15118-2: P-256, SHA-256, AES-128-CBC without padding. Raises :class:`EnvelopeError`.

    CBC protects nothing from change: that is done by the provisioning service's signature.
    """
    return _seal_2(contract_key, vehicle_key, ec.generate_private_key(CURVE_2), os.urandom(IV_2))


def seal_20(
    contract_key: ec.EllipticCurvePrivateKey, vehicle_key: ec.EllipticCurvePublicKey, pcid: str, contract_ski: bytes
) -> Sealed:
    """Seal for ISO 15118-20: P-521, SHA-512, AES-256-GCM. Raises :class:`EnvelopeError`.

    It opens for the vehicle ``pcid`` (capitals) and the certificate of this subject key identifier alone
    ([V2G20-2492]).
    """
    return _seal_20(contract_key, vehicle_key, pcid, contract_ski, ec.generate_private_key(CURVE_20), os.urandom(IV_20))


def open_2(sealed: Sealed, vehicle_key: ec.EllipticCurvePrivateKey) -> ec.EllipticCurvePrivateKey:
    """Open as a vehicle of ISO 15118-2 does: 0 < d < n ([V2G2-823]). Raises :class:`EnvelopeError`.

    Whether it is the certificate's key remains to be seen: CBC opens to anything.
    """
    if len(sealed.encrypted_private_key) != IV_2 + SCALAR_2:
        raise EnvelopeError("the encrypted private key hasn't its length")
    key = _session_key(vehicle_key, _point(sealed.dh_public_key, CURVE_2), hashes.SHA256(), SESSION_KEY_2)
    iv, ciphertext = sealed.encrypted_private_key[:IV_2], sealed.encrypted_private_key[IV_2:]
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    return _private(decryptor.update(ciphertext) + decryptor.finalize(), CURVE_2)


def open_20(
    sealed: Sealed, vehicle_key: ec.EllipticCurvePrivateKey, pcid: str, contract_ski: bytes
) -> ec.EllipticCurvePrivateKey:
    """Open as a vehicle of ISO 15118-20 does. Raises :class:`EnvelopeError`."""
    if len(sealed.encrypted_private_key) != IV_20 + SCALAR_20 + TAG_20:
        raise EnvelopeError("the encrypted private key hasn't its length")
    key = _session_key(vehicle_key, _point(sealed.dh_public_key, CURVE_20), hashes.SHA512(), SESSION_KEY_20)
    iv, ciphertext = sealed.encrypted_private_key[:IV_20], sealed.encrypted_private_key[IV_20:]
    try:
        scalar = AESGCM(key).decrypt(iv, ciphertext, bound_to(pcid, contract_ski))
    except InvalidTag:
        raise EnvelopeError("the envelope was changed, or is another vehicle's or certificate's") from None
    return _private(scalar, CURVE_20)


def bound_to(pcid: str, contract_ski: bytes) -> bytes:
    """Return the additional data of GCM: PCID, then the SKI in capital hex. Raises :class:`EnvelopeError`."""
    # A field vehicle's PCID may lack its check digit: it knows itself by the same 17 characters.
    try:
        is_one = Pcid.parse(pcid).text == pcid
    except ValueError:
        is_one = False
    if not is_one:
        raise EnvelopeError("the PCID isn't 17 or 18 capitals and digits, which its envelope is bound to (V2G20-2492)")
    if len(contract_ski) != SKI_20:
        raise EnvelopeError(
            f"the certificate's SubjectKeyIdentifier has {len(contract_ski)} octets, its envelope is bound to "
            f"{SKI_20} (V2G20-2492): let the CA take it from the CSR"
        )
    return pcid.encode() + contract_ski.hex().upper().encode()


def _seal_2(
    contract_key: ec.EllipticCurvePrivateKey,
    vehicle_key: ec.EllipticCurvePublicKey,
    ephemeral: ec.EllipticCurvePrivateKey,
    iv: bytes,
) -> Sealed:
    scalar = _scalar(contract_key, CURVE_2, SCALAR_2)
    key = _session_key(ephemeral, checked(vehicle_key, CURVE_2), hashes.SHA256(), SESSION_KEY_2)
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return Sealed(iv + encryptor.update(scalar) + encryptor.finalize(), _uncompressed(ephemeral.public_key()))


def _seal_20(
    contract_key: ec.EllipticCurvePrivateKey,
    vehicle_key: ec.EllipticCurvePublicKey,
    pcid: str,
    contract_ski: bytes,
    ephemeral: ec.EllipticCurvePrivateKey,
    iv: bytes,
) -> Sealed:
    scalar = _scalar(contract_key, CURVE_20, SCALAR_20)
    key = _session_key(ephemeral, checked(vehicle_key, CURVE_20), hashes.SHA512(), SESSION_KEY_20)
    ciphertext = AESGCM(key).encrypt(iv, scalar, bound_to(pcid, contract_ski))
    return Sealed(iv + ciphertext, _uncompressed(ephemeral.public_key()))


def checked(key: object, curve: ec.EllipticCurve) -> ec.EllipticCurvePublicKey:
    """Return a peer's key when it is a point of ``curve``. Raises :class:`EnvelopeError`.

    A point of another curve would give its owner, or who put it there, something of the ephemeral key (SP 800-56A
    5.6.2.3.3); the cofactor of both curves is 1.
    """
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != curve.name:
        raise EnvelopeError(f"the vehicle's key isn't one of {curve.name}")
    return _point(_uncompressed(key), curve)


def _point(octets: bytes, curve: ec.EllipticCurve) -> ec.EllipticCurvePublicKey:
    size = (curve.key_size + 7) // 8
    if len(octets) != 1 + 2 * size or octets[0] != 4:
        raise EnvelopeError(f"the point isn't an uncompressed one of {curve.name}")
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(curve, octets)
    except ValueError:
        raise EnvelopeError(f"the point doesn't lie on {curve.name}") from None


def _uncompressed(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _session_key(
    own: ec.EllipticCurvePrivateKey, other: ec.EllipticCurvePublicKey, algorithm: hashes.HashAlgorithm, length: int
) -> bytes:
    if own.curve.name != other.curve.name:
        raise EnvelopeError(f"the key isn't one of {other.curve.name}")
    return ConcatKDFHash(algorithm, length, OTHER_INFO).derive(own.exchange(ec.ECDH(), other))


def _scalar(key: ec.EllipticCurvePrivateKey, curve: ec.EllipticCurve, length: int) -> bytes:
    if key.curve.name != curve.name:
        raise EnvelopeError(f"the contract's key isn't one of {curve.name}")
    return key.private_numbers().private_value.to_bytes(length)


def _private(scalar: bytes, curve: ec.EllipticCurve) -> ec.EllipticCurvePrivateKey:
    try:
        return ec.derive_private_key(int.from_bytes(scalar), curve)
    except ValueError:
        raise EnvelopeError("what the envelope holds is no private key of its curve") from None
