"""NIST's vectors of verification (CAVS, in ``cryptography_vectors``) through our own verify function.

Each says whether a verifier must take it, and why not: message, signature or key changed, the padding bent.
"""

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from pki.firmware import Algorithm, FirmwareRefused, ImageDigest, Refusal
from pki.firmware.signature import Scheme, check_signature

ASYMMETRIC: Final = files("cryptography_vectors") / "asymmetric"
CURVES: Final[Mapping[str, ec.EllipticCurve]] = {
    "P-224": ec.SECP224R1(),
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
}
OF_PSS: Final = Scheme(frozenset({Algorithm.RSA_PSS}), pss_salt="any")
OF_PKCS1: Final = Scheme(frozenset({Algorithm.RSA_PKCS1}))
DER: Final = Scheme(frozenset({Algorithm.ECDSA}))
RAW: Final = Scheme(frozenset({Algorithm.ECDSA}), ecdsa_encoding="raw")
Case = Mapping[str, str]


def cases(name: str) -> Iterator[Case]:
    """Yield the cases of a file, each with what was said once before it: the section, the modulus."""
    said: dict[str, str] = {}
    for line in (ASYMMETRIC / name).read_text(encoding="ascii").splitlines():
        if section := re.fullmatch(r"\[([^=]+)\]", line):
            said["section"] = section[1]
        elif pair := re.fullmatch(r"(\w+)\s*=\s*(.+?)\s*", line):
            said[pair[1]] = pair[2]
            if pair[1] == "Result":
                yield dict(said)


def outcome(case: Case, octets: bytes, key: object, scheme: Scheme) -> Refusal | None:
    """Return why our function refuses a case; None: it takes it."""
    image = bytes.fromhex(case["Msg"])
    digest = ImageDigest(len(image), hashlib.sha256(image).digest(), b"")
    try:
        check_signature(digest, base64.b64encode(octets).decode(), key, scheme)
    except FirmwareRefused as refused:
        return refused.refusal
    return None


def expected(case: Case, digest: str) -> Refusal | None:
    """Return what should become of it: what is signed over another digest than SHA-256 isn't taken either."""
    return None if re.fullmatch("SHA-?256", digest) and case["Result"].startswith("P") else Refusal.SIGNATURE_INVALID


def rsa_key(case: Case) -> rsa.RSAPublicKey:
    return rsa.RSAPublicNumbers(int(case["e"], 16), int(case["n"], 16)).public_key()


@pytest.mark.parametrize(
    ("name", "scheme", "taken", "refused"),
    [
        ("RSA/FIPS_186-2/SigVerPSS_186-3.rsp", OF_PSS, 15, 435),
        ("RSA/FIPS_186-2/SigVer15_186-3.rsp", OF_PKCS1, 15, 435),
        ("RSA/SigVer15EMTest.txt", OF_PKCS1, 0, 150),
    ],
)
def test_rsa(name: str, scheme: Scheme, taken: int, refused: int) -> None:
    found = Counter[Refusal | None]()
    for case in cases(name):
        found_out = outcome(case, bytes.fromhex(case["S"]), rsa_key(case), scheme)
        assert found_out is expected(case, case["SHAAlg"]), case
        found[found_out] += 1
    assert found == Counter({None: taken, Refusal.SIGNATURE_INVALID: refused})


def test_ecdsa() -> None:
    found = Counter[tuple[str, Refusal | None]]()
    for case in cases("ECDSA/FIPS_186-3/SigVer.rsp"):
        name, _, digest = case["section"].partition(",")
        if name not in CURVES:
            continue
        numbers = ec.EllipticCurvePublicNumbers(int(case["Qx"], 16), int(case["Qy"], 16), CURVES[name])
        r, s = int(case["R"], 16), int(case["S"], 16)
        key = numbers.public_key()
        size = (key.curve.key_size + 7) // 8
        der, raw = encode_dss_signature(r, s), r.to_bytes(size) + s.to_bytes(size)
        for octets, scheme in ((der, DER), (raw, RAW)):
            assert outcome(case, octets, key, scheme) is expected(case, digest), case
        found[name, expected(case, digest)] += 1
    each = {None: 3, Refusal.SIGNATURE_INVALID: 72}
    assert found == {(curve, refusal): count for curve in CURVES for refusal, count in each.items()}
