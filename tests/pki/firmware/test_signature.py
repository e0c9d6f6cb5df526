"""Signatures of images: what each setting takes, and a table of those that nothing takes."""

import base64
import hashlib
import itertools
from typing import Final

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from pki.firmware import Algorithm, FirmwareRefused, ImageDigest, Refusal
from pki.firmware.signature import SIGNATURE_LENGTH_MAX, Scheme, check_signature, decode_signature
from tests.firmware_pki import manufacturer, raw_signature, rsa_key

IMAGE: Final = b"firmware 1.2.3"
PKI: Final = manufacturer()
RSA: Final = rsa_key()
EC: Final = ec.derive_private_key(7, ec.SECP256R1())
ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
STRICT: Final = Scheme()
RAW: Final = Scheme(ecdsa_encoding="raw")
ANY_SALT: Final = Scheme(pss_salt="any")
PKCS1: Final = Scheme(frozenset({Algorithm.RSA_PKCS1}))
BOTH: Final = Scheme(frozenset({Algorithm.RSA_PSS, Algorithm.RSA_PKCS1}))
EC_ALONE: Final = Scheme(frozenset({Algorithm.ECDSA}))


def digest_of(image: bytes) -> ImageDigest:
    return ImageDigest(len(image), hashlib.sha256(image).digest(), b"")


def text(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def checked(octets: bytes, key: object, scheme: Scheme = STRICT, image: bytes = IMAGE) -> Algorithm:
    return check_signature(digest_of(image), text(octets), key, scheme)


def refused(octets: bytes, key: object, scheme: Scheme = STRICT, image: bytes = IMAGE) -> tuple[Refusal, str]:
    with pytest.raises(FirmwareRefused) as caught:
        checked(octets, key, scheme, image)
    return caught.value.refusal, str(caught.value)


def ecdsa(key: ec.EllipticCurvePrivateKey = EC, image: bytes = IMAGE) -> bytes:
    return key.sign(image, ec.ECDSA(hashes.SHA256()))


def pss(salt: int = 32, mgf: hashes.HashAlgorithm | None = None) -> bytes:
    return RSA.sign(IMAGE, padding.PSS(padding.MGF1(mgf or hashes.SHA256()), salt), hashes.SHA256())


def pkcs1(algorithm: hashes.HashAlgorithm | None = None) -> bytes:
    return RSA.sign(IMAGE, padding.PKCS1v15(), algorithm or hashes.SHA256())


# --- what holds ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_ecdsa_as_its_settings_have_it(curve: ec.EllipticCurve) -> None:
    key = ec.generate_private_key(curve)
    der = ecdsa(key)
    assert checked(der, key.public_key()) is Algorithm.ECDSA
    assert checked(raw_signature(der, key), key.public_key(), RAW) is Algorithm.ECDSA


@pytest.mark.parametrize(
    ("octets", "scheme", "algorithm"),
    [
        (pss(), STRICT, Algorithm.RSA_PSS),
        (pss(), BOTH, Algorithm.RSA_PSS),
        (pss(), ANY_SALT, Algorithm.RSA_PSS),
        (pss(0), ANY_SALT, Algorithm.RSA_PSS),
        (pss(3072 // 8 - 32 - 2), ANY_SALT, Algorithm.RSA_PSS),
        (pkcs1(), PKCS1, Algorithm.RSA_PKCS1),
        (pkcs1(), BOTH, Algorithm.RSA_PKCS1),
    ],
    ids=itertools.count(),  # what is signed is another text in each process
)
def test_rsa_as_its_settings_have_it(octets: bytes, scheme: Scheme, algorithm: Algorithm) -> None:
    assert checked(octets, RSA.public_key(), scheme) is algorithm


# --- what another setting would take: it is said which ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("octets", "key", "scheme", "said"),
    [
        (raw_signature(ecdsa(), EC), EC, STRICT, "ecdsa_encoding: raw"),
        (ecdsa(), EC, RAW, "ecdsa_encoding: der"),
        (pss(0), RSA, STRICT, "pss_salt: any"),
        (pss(20), RSA, BOTH, "pss_salt: any"),
        (pkcs1(), RSA, STRICT, "rsa-pkcs1v15-sha256, which isn't one of"),
        (pss(), RSA, PKCS1, "rsa-pss-sha256, which isn't one of"),
        (pss(), RSA, EC_ALONE, r"rsa-pss-sha256, which isn't one of the manufacturer's algorithms (ecdsa-sha256)"),
        (ecdsa(), EC, BOTH, "ecdsa-sha256, which isn't one of"),
    ],
    ids=itertools.count(),  # what is signed is another text in each process
)
def test_what_the_settings_dont_name(octets: bytes, key: ec.EllipticCurvePrivateKey, scheme: Scheme, said: str) -> None:
    refusal, why = refused(octets, key.public_key(), scheme)
    assert refusal is Refusal.ALGORITHM
    assert said in why


def test_a_key_that_is_neither() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    assert refused(key.sign(IMAGE), key.public_key())[0] is Refusal.ALGORITHM


# --- what no setting takes -------------------------------------------------------------------------------------------

MOST: Final = Scheme(frozenset(Algorithm), pss_salt="any")
MOST_RAW: Final = Scheme(frozenset(Algorithm), ecdsa_encoding="raw", pss_salt="any")


def der(*integers: bytes, head: bytes = b"\x30") -> bytes:
    """Write a signature as it shouldn't be: ``integers`` are the elements as they are."""
    body = b"".join(integers)
    return head + bytes([len(body)]) + body


def integer(number: int, pad: bytes = b"") -> bytes:
    octets = pad + number.to_bytes(number.bit_length() // 8 + 1)
    return bytes([2, len(octets)]) + octets


def numbers() -> tuple[int, int]:
    raw = raw_signature(ecdsa(), EC)
    return int.from_bytes(raw[:32]), int.from_bytes(raw[32:])


R, S = numbers()


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\x00",
        b"\x30\x00",
        encode_dss_signature(0, S),
        encode_dss_signature(R, 0),
        encode_dss_signature(0, 0),
        encode_dss_signature(0, 1),
        encode_dss_signature(1, 1),
        encode_dss_signature(R + ORDER, S),
        encode_dss_signature(R, S + ORDER),
        encode_dss_signature(ORDER, ORDER),
        encode_dss_signature(S, R),
        der(integer(R, b"\0"), integer(S)),
        der(integer(R), integer(S), b"\x05\x00"),
        der(integer(R)),
        der(integer(R), integer(S), head=b"\x31"),
        der(integer(R), integer(S)) + b"\0",
        der(integer(R), integer(S))[:-1],
        b"\x30\x81" + der(integer(R), integer(S))[1:],
        b"\x30\x80" + integer(R) + integer(S) + b"\0\0",
        der(integer(R), integer(S), head=b"\x30").replace(b"\x02", b"\x09", 1),
        encode_dss_signature(R, S)[::-1],
        bytes(64),
        R.to_bytes(32) + bytes(32),
        (R + ORDER).to_bytes(33) + S.to_bytes(33),
        raw_signature(ecdsa(), EC) + b"\0",
        bytes(1) + raw_signature(ecdsa(), EC),
        raw_signature(ecdsa(), EC)[:-1],
        raw_signature(ecdsa(image=b"firmware 1.2.4"), EC),
        ecdsa(image=b"firmware 1.2.4"),
        ecdsa(ec.derive_private_key(8, ec.SECP256R1())),
        EC.sign(IMAGE, ec.ECDSA(hashes.SHA384())),
        EC.sign(IMAGE, ec.ECDSA(hashes.SHA1())),  # noqa: S303  # which is the point
        pss(),
    ],
    ids=itertools.count(),  # what is signed is another text in each process
)
@pytest.mark.parametrize("scheme", [MOST, MOST_RAW])
def test_ecdsa_that_isnt(octets: bytes, scheme: Scheme) -> None:
    with pytest.raises(FirmwareRefused) as caught:
        checked(octets, EC.public_key(), scheme)
    assert caught.value.refusal in {Refusal.SIGNATURE_INVALID, Refusal.NO_SIGNATURE}
    assert caught.value.refusal is Refusal.SIGNATURE_INVALID or not octets


def test_s_and_its_negative_are_both_signatures() -> None:
    """ECDSA's own; an image is known by its SHA-256, so that two signatures of one image are no two images."""
    assert checked(encode_dss_signature(R, S), EC.public_key()) is Algorithm.ECDSA
    assert checked(encode_dss_signature(R, ORDER - S), EC.public_key()) is Algorithm.ECDSA


def shaped(encoded: bytes) -> bytes:
    """Apply the private key to octets that are no padding of an honest signer."""
    private, size = RSA.private_numbers(), RSA.key_size // 8
    return pow(int.from_bytes(encoded), private.d, private.public_numbers.n).to_bytes(size)


def padded(info: bytes, filled: bytes | None = None, tail: bytes = b"") -> bytes:
    """Return a PKCS #1 v1.5 block with ``info`` in it."""
    size = RSA.key_size // 8
    filling = b"\xff" * (size - 3 - len(info) - len(tail)) if filled is None else filled
    return (b"\0\1" + filling + b"\0" + info + tail).ljust(size, b"\0")


HASH: Final = hashlib.sha256(IMAGE).digest()
INFO: Final = bytes.fromhex("3031300d060960864801650304020105000420") + HASH
INFO_WITHOUT_NULL: Final = bytes.fromhex("302f300b0609608648016503040201") + b"\x04\x20" + HASH


def test_the_shaping_makes_good_ones_where_nothing_is_bent() -> None:
    assert checked(shaped(padded(INFO)), RSA.public_key(), PKCS1) is Algorithm.RSA_PKCS1


@pytest.mark.parametrize(
    "octets",
    [
        bytes(384),
        (1).to_bytes(384),
        (RSA.public_key().public_numbers().n).to_bytes(384),
        (RSA.public_key().public_numbers().n - 1).to_bytes(384),
        pss()[:-1],
        pss() + b"\0",
        b"\0" + pss(),
        pss(mgf=hashes.SHA1()),  # noqa: S303  # which is the point
        RSA.sign(IMAGE, padding.PSS(padding.MGF1(hashes.SHA384()), 48), hashes.SHA384()),
        RSA.sign(hashlib.sha256(IMAGE[:-1]).digest(), padding.PKCS1v15(), Prehashed(hashes.SHA256())),
        rsa_key(number=1).sign(IMAGE, padding.PKCS1v15(), hashes.SHA256()),
        pkcs1(hashes.SHA1()),  # noqa: S303  # which is the point
        pkcs1(hashes.SHA512()),
        shaped(padded(INFO, b"\xff" * 8)),
        shaped(padded(INFO, b"\xff" * 8, tail=b"\xaa" * 300)),
        shaped(padded(INFO, tail=b"\0\0")),
        shaped(padded(INFO, b"")),
        shaped(padded(INFO, b"\0" * (384 - 3 - len(INFO)))),
        shaped(padded(HASH)),
        shaped(padded(INFO_WITHOUT_NULL)),
        shaped(padded(INFO)[:1] + b"\2" + padded(INFO)[2:]),
        shaped(b"\0" * 384),
        ecdsa(),
    ],
    ids=itertools.count(),  # what is signed is another text in each process
)
def test_rsa_that_isnt(octets: bytes) -> None:
    assert refused(octets, RSA.public_key(), MOST)[0] is Refusal.SIGNATURE_INVALID


@given(st.integers(0, 8 * 384 - 1))
def test_a_bit_that_turned_in_rsa(bit: int) -> None:
    octets = bytearray(PSS_SIGNATURE)
    octets[bit // 8] ^= 1 << bit % 8
    assert refused(bytes(octets), RSA.public_key(), MOST)[0] is Refusal.SIGNATURE_INVALID


PSS_SIGNATURE: Final = pss()


@given(st.binary(max_size=600))
def test_whatever_comes_is_refused_in_words(octets: bytes) -> None:
    for key in (EC, RSA):
        for scheme in (MOST, MOST_RAW):
            with pytest.raises(FirmwareRefused):
                checked(octets, key.public_key(), scheme)


# --- base64 ----------------------------------------------------------------------------------------------------------


def test_the_longest_signature_and_one_past_it() -> None:
    assert len(decode_signature("A" * SIGNATURE_LENGTH_MAX)) == 600
    with pytest.raises(FirmwareRefused, match="804 characters, OCPP has room for 800") as caught:
        decode_signature("A" * (SIGNATURE_LENGTH_MAX + 4))
    assert caught.value.refusal is Refusal.SIGNATURE_MALFORMED


@pytest.mark.parametrize(
    "written", ["=", "A", "AAA", "AA==A", "AAAA\n", " AAAA", "A-_A", "AAAA====", "AB==", "é" * 4, "\0", "\ud800"]
)
def test_what_isnt_base64(written: str) -> None:
    with pytest.raises(FirmwareRefused) as caught:
        decode_signature(written)
    assert caught.value.refusal is Refusal.SIGNATURE_MALFORMED


def test_no_signature() -> None:
    with pytest.raises(FirmwareRefused) as caught:
        decode_signature("")
    assert caught.value.refusal is Refusal.NO_SIGNATURE


def test_signers_of_the_tests_sign_as_they_say() -> None:
    for signer, algorithm in ((PKI.ec, Algorithm.ECDSA), (PKI.rsa, Algorithm.RSA_PSS)):
        signed = signer.sign(IMAGE)
        assert check_signature(digest_of(IMAGE), signed.signature, signer.certificate.public_key(), STRICT) is algorithm
