"""Public keys: which are accepted, and which are known to be weak whatever their size (A00.FR.501 to 504)."""

import functools
import hashlib
import math
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki.profiles import KeyPolicy, Range

RSA_EXPONENT: Final = 65537
STRONG_HASHES: Final = frozenset({"sha256", "sha384", "sha512"})
"""What a certificate or CRL may be signed with (A00.FR.506), by pyca's names."""
SHORT_IDENTIFIER: Final = 8
"""Octets of a key identifier by method 2 of RFC 5280 4.2.1.2."""
NAMED_MAX: Final = 4096
"""Certificates whose fingerprint is remembered: as many as paths are (``pki.paths``)."""
FERMAT_ROUNDS: Final = 100
"""Tries at factoring a modulus whose primes lie close together (CVE-2022-26320)."""

_CURVES: Final = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
_SMALL_PRIMES: Final = tuple(n for n in range(3, 752, 2) if all(n % d for d in range(3, math.isqrt(n) + 1, 2)))
_SMALL_PRODUCT: Final = 2 * math.prod(_SMALL_PRIMES)
_ROCA_PRIMES: Final = tuple(prime for prime in _SMALL_PRIMES if prime <= 167)
_ROCA_RESIDUES: Final = {
    prime: frozenset(pow(RSA_EXPONENT, power, prime) for power in range(prime)) for prime in _ROCA_PRIMES
}

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


class KeyRefused(ValueError):
    """A public key that isn't accepted; the text says why."""


def check_key(key: object, policy: KeyPolicy) -> PublicKey:
    """Return ``key`` when ``policy`` accepts it. Raises :class:`KeyRefused`."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        curve = _CURVES.get(key.curve.name)
        if curve not in policy.curves:
            raise KeyRefused(f"the curve {key.curve.name} isn't one of {', '.join(policy.curves)}")
        return key
    if policy.rsa_bits is None:
        raise KeyRefused(f"only ECDSA keys on {', '.join(policy.curves)} are accepted")
    if isinstance(key, rsa.RSAPublicKey):
        _check_rsa(key, policy.rsa_bits)
        return key
    raise KeyRefused("only ECDSA and RSA keys are accepted")


@functools.lru_cache(maxsize=NAMED_MAX)
def certificate_fingerprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of the certificate's DER, in lower-case hex; at each accept it is asked for several times."""
    return certificate.fingerprint(SHA256()).hex()


def fingerprint(key: CertificatePublicKeyTypes) -> str:
    """Return the SHA-256 of the key's SubjectPublicKeyInfo, in hex."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def subject_key_identifier(key: PublicKey, *, is_short: bool) -> x509.SubjectKeyIdentifier:
    """Return the SHA-1 of the key's bits (RFC 5280 4.2.1.2): all 20 octets, or 0100 and its last 60 bits."""
    whole = x509.SubjectKeyIdentifier.from_public_key(key)
    if not is_short:
        return whole
    last = whole.digest[-SHORT_IDENTIFIER:]
    return x509.SubjectKeyIdentifier(bytes([0x40 | last[0] & 0x0F]) + last[1:])


def curve_name(key: object) -> str | None:
    """Return the curve of an EC key as profiles name it; None for any other key."""
    return _CURVES.get(key.curve.name) if isinstance(key, ec.EllipticCurvePublicKey) else None


def _check_rsa(key: rsa.RSAPublicKey, bits: Range) -> None:
    if not bits.minimum <= key.key_size <= bits.maximum:
        raise KeyRefused(f"an RSA key has {bits.minimum} to {bits.maximum} bits, this one {key.key_size}")
    numbers = key.public_numbers()
    if numbers.e != RSA_EXPONENT:
        raise KeyRefused(f"the RSA exponent must be {RSA_EXPONENT}")
    if math.gcd(numbers.n, _SMALL_PRODUCT) != 1:
        raise KeyRefused("the RSA modulus has a small factor")
    if all(numbers.n % prime in residues for prime, residues in _ROCA_RESIDUES.items()):
        raise KeyRefused("the RSA key comes from a chip with the ROCA weakness (CVE-2017-15361)")
    if _primes_are_close(numbers.n):
        raise KeyRefused("the primes of the RSA key lie too close together")


def _primes_are_close(modulus: int) -> bool:
    """Fermat's factoring: finds n = (a - b)(a + b) at once when b is small."""
    middle = math.isqrt(modulus - 1) + 1
    for a in range(middle, middle + FERMAT_ROUNDS):
        rest = a * a - modulus
        if math.isqrt(rest) ** 2 == rest:
            return True
    return False
