"""Public keys: strong ones pass, every known weakness is named."""

import hashlib
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki.issuing import new_ec_key
from pki.keys import KeyRefused, certificate_fingerprint, check_key, curve_name, fingerprint, subject_key_identifier
from pki.profiles import Curve, KeyPolicy, Range, charging_station, secc

POLICY = charging_station().keys
PRIMES_TO_167 = [n for n in range(3, 168) if all(n % d for d in range(2, n))]


def rsa_public(modulus: int, exponent: int = 65537) -> rsa.RSAPublicKey:
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()


def without_small_factor(n: int) -> int:
    """Return the next odd number that looks like a prime to trial division."""
    n |= 1
    while math.gcd(n, math.prod(range(3, 752, 2))) != 1:
        n += 2
    return n


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_named_curves(curve: ec.EllipticCurve) -> None:
    key = ec.generate_private_key(curve).public_key()

    assert check_key(key, POLICY) is key


def test_rsa(rsa_key: rsa.RSAPrivateKey) -> None:
    key = rsa_key.public_key()

    assert check_key(key, POLICY) is key


def test_a_policy_without_rsa(rsa_key: rsa.RSAPrivateKey) -> None:
    with pytest.raises(KeyRefused, match="only ECDSA keys on P-256 are accepted"):
        check_key(rsa_key.public_key(), secc().keys)


def test_a_policy_with_fewer_curves() -> None:
    curves: tuple[Curve, ...] = ("P-384",)
    with pytest.raises(KeyRefused, match="secp256r1 isn't one of P-384"):
        check_key(
            ec.generate_private_key(ec.SECP256R1()).public_key(),
            KeyPolicy(curves=curves, rsa_bits=Range(minimum=2048, maximum=4096)),
        )


@pytest.mark.parametrize("curve", [ec.SECP256K1(), ec.SECP224R1(), ec.BrainpoolP256R1()], ids=lambda curve: curve.name)
def test_other_curves(curve: ec.EllipticCurve) -> None:
    with pytest.raises(KeyRefused, match="isn't one of P-256, P-384, P-521"):
        check_key(ec.generate_private_key(curve).public_key(), POLICY)


def test_other_algorithms() -> None:
    with pytest.raises(KeyRefused, match="only ECDSA and RSA"):
        check_key(ed25519.Ed25519PrivateKey.generate().public_key(), POLICY)


@pytest.mark.parametrize(("bits", "passes"), [(2047, False), (2048, True), (4096, True), (4097, False)])
def test_sizes_at_the_limits_and_one_past_them(bits: int, passes: bool) -> None:
    # Odd, without a small factor, far from a square.
    key = rsa_public(without_small_factor((1 << (bits - 1)) + (1 << (bits - 3))))
    assert key.key_size == bits

    if passes:
        check_key(key, POLICY)
        return
    with pytest.raises(KeyRefused, match=f"2048 to 4096 bits, this one {bits}"):
        check_key(key, POLICY)


@pytest.mark.parametrize("exponent", [3, 17, 65539, (1 << 64) + 1])
def test_other_exponents(rsa_key: rsa.RSAPrivateKey, exponent: int) -> None:
    with pytest.raises(KeyRefused, match="exponent must be 65537"):
        check_key(rsa_public(rsa_key.public_key().public_numbers().n, exponent), POLICY)


def test_a_modulus_with_a_small_factor(rsa_key: rsa.RSAPrivateKey) -> None:
    modulus = 751 * (rsa_key.public_key().public_numbers().n >> 9 | 1)

    with pytest.raises(KeyRefused, match="small factor"):
        check_key(rsa_public(modulus), POLICY)


def test_primes_that_lie_close_together() -> None:
    p = without_small_factor((1 << 1024) + (1 << 1023) + 12345)
    q = without_small_factor(p + 2)

    with pytest.raises(KeyRefused, match="too close together"):
        check_key(rsa_public(p * q), POLICY)


def test_a_roca_modulus() -> None:
    primorial = math.prod(PRIMES_TO_167)
    modulus = pow(65537, 1234567, primorial) + primorial * (1 << (2047 - primorial.bit_length()))
    step = primorial * 2
    modulus += primorial if modulus % 2 == 0 else 0
    while modulus.bit_length() < 2048 or math.gcd(modulus, math.prod(range(169, 752, 2))) != 1:
        modulus += step if modulus.bit_length() >= 2048 else step << (2047 - step.bit_length())

    with pytest.raises(KeyRefused, match="ROCA"):
        check_key(rsa_public(modulus), POLICY)


def test_a_fingerprint_is_that_of_the_public_key_info(ec_key: ec.EllipticCurvePrivateKey) -> None:
    der = ec_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    assert fingerprint(ec_key.public_key()) == hashlib.sha256(der).hexdigest()


def test_the_two_identifiers_of_rfc_5280() -> None:
    """The short one is that of the vectors' contract certificate of ISO 15118-20."""
    key = new_ec_key("P-521").public_key()
    whole = subject_key_identifier(key, is_short=False).digest

    assert whole == x509.SubjectKeyIdentifier.from_public_key(key).digest
    assert subject_key_identifier(key, is_short=True).digest.hex() == "4" + whole.hex()[-15:]
    pem = Path(__file__).parent / "iso15118/vectors/pki_iso20/contract.cert.pem"
    certificate = x509.load_pem_x509_certificate(pem.read_bytes())
    found = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    contract_key = certificate.public_key()
    assert isinstance(contract_key, ec.EllipticCurvePublicKey)
    assert found == subject_key_identifier(contract_key, is_short=True)


def test_the_name_of_a_curve() -> None:
    assert curve_name(new_ec_key("P-384").public_key()) == "P-384"
    assert curve_name(ec.generate_private_key(ec.SECP256K1()).public_key()) is None
    assert curve_name(ed25519.Ed25519PrivateKey.generate().public_key()) is None


def test_a_certificate_is_named_by_its_own_octets(ec_key: ec.EllipticCurvePrivateKey) -> None:
    def certificate(serial: int) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "CS1")])
        start = datetime(2026, 1, 1, tzinfo=UTC)
        builder = x509.CertificateBuilder(name, name, ec_key.public_key(), serial, start, start + timedelta(days=1))
        return builder.sign(ec_key, SHA256())

    first, second = certificate(1), certificate(2)
    for each in (first, second, first):
        assert certificate_fingerprint(each) == hashlib.sha256(each.public_bytes(Encoding.DER)).hexdigest()
