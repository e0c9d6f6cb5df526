"""The envelope: every intermediate of the vectors, both directions, and keys that nothing must be sealed to."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from pki.iso15118.envelope import (
    SESSION_KEY_2,
    SESSION_KEY_20,
    EnvelopeError,
    Sealed,
    _seal_2,
    _seal_20,
    _session_key,
    bound_to,
    checked,
    open_2,
    open_20,
    seal_2,
    seal_20,
)

VECTORS = Path(__file__).parent / "vectors"
INSTALL_2, UPDATE_2, INSTALL_20 = (
    f"{name}.envelope.json" for name in ("iso2_cert_install_res", "iso2_cert_update_res", "iso20_cert_install_res")
)
PCID = "WEXEXAMPLE00000012"
SKI = bytes.fromhex("466cb3d22839717d")
P_256, P_521 = ec.SECP256R1(), ec.SECP521R1()
N_256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def vector(name: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((VECTORS / name).read_text())
    return found


def private(told: dict[str, str], name: str, curve: ec.EllipticCurve) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int(told[name], 16), curve)


@pytest.mark.parametrize("name", [INSTALL_2, UPDATE_2])
def test_every_step_of_the_vectors_of_2(name: str) -> None:
    told = vector(name)
    ephemeral, static = (private(told, f"{which}_private", P_256) for which in ("ephemeral", "static"))
    contract = private(told, "contract_private", P_256)
    wanted = Sealed(bytes.fromhex(told["ContractSignatureEncryptedPrivateKey"]), bytes.fromhex(told["DHpublickey"]))

    assert ephemeral.exchange(ec.ECDH(), static.public_key()).hex() == told["shared_secret_x"]
    session = _session_key(ephemeral, static.public_key(), hashes.SHA256(), SESSION_KEY_2)
    assert session.hex() == told["session_key"]
    assert _seal_2(contract, static.public_key(), ephemeral, wanted.encrypted_private_key[:16]) == wanted
    assert open_2(wanted, static).private_numbers() == contract.private_numbers()
    assert (len(wanted.encrypted_private_key), len(wanted.dh_public_key)) == (48, 65)


def test_every_step_of_the_vector_of_20() -> None:
    told = vector(INSTALL_20)
    ephemeral, static = (private(told, f"{which}_private", P_521) for which in ("ephemeral", "static"))
    wanted = Sealed(bytes.fromhex(told["SECP521_EncryptedPrivateKey"]), bytes.fromhex(told["DHPublicKey"]))

    assert ephemeral.exchange(ec.ECDH(), static.public_key()).hex() == told["shared_secret_x"]
    session = _session_key(ephemeral, static.public_key(), hashes.SHA512(), SESSION_KEY_20)
    assert session.hex() == told["session_key"]
    assert bound_to(PCID, SKI).decode() == told["aad"]
    contract = open_20(wanted, static, PCID, SKI)
    certificate = x509.load_pem_x509_certificate((VECTORS / "pki_iso20/contract.cert.pem").read_bytes())
    assert contract.public_key() == certificate.public_key()
    again = _seal_20(contract, static.public_key(), PCID, SKI, ephemeral, wanted.encrypted_private_key[:12])
    assert again == wanted
    assert (len(wanted.encrypted_private_key), len(wanted.dh_public_key)) == (94, 133)


def test_no_two_envelopes_are_alike() -> None:
    key, vehicle = ec.generate_private_key(P_256), ec.generate_private_key(P_256)
    first, second = (seal_2(key, vehicle.public_key()) for _ in range(2))

    assert first.dh_public_key != second.dh_public_key
    assert first.encrypted_private_key[:16] != second.encrypted_private_key[:16]
    assert open_2(second, vehicle).private_numbers() == key.private_numbers()


@pytest.mark.parametrize("scalar", [1, 255, N_256 - 1])
def test_short_and_long_scalars_have_one_length(scalar: int) -> None:
    vehicle = ec.generate_private_key(P_256)
    sealed = seal_2(ec.derive_private_key(scalar, P_256), vehicle.public_key())

    assert len(sealed.encrypted_private_key) == 48
    assert open_2(sealed, vehicle).private_numbers().private_value == scalar


def test_a_short_scalar_of_20() -> None:
    vehicle = ec.generate_private_key(P_521)
    sealed = seal_20(ec.derive_private_key(1, P_521), vehicle.public_key(), PCID, SKI)

    assert len(sealed.encrypted_private_key) == 94
    assert open_20(sealed, vehicle, PCID, SKI).private_numbers().private_value == 1


def test_an_envelope_of_20_is_for_one_vehicle_and_one_certificate() -> None:
    key, vehicle = ec.generate_private_key(P_521), ec.generate_private_key(P_521)
    sealed = seal_20(key, vehicle.public_key(), PCID, SKI)
    changed = Sealed(sealed.encrypted_private_key[:-1] + b"\x00", sealed.dh_public_key)
    assert open_20(sealed, vehicle, PCID, SKI).private_numbers() == key.private_numbers()

    for strange in (
        (changed, vehicle, PCID, SKI),
        (sealed, vehicle, "WEXEXAMPLE00000013", SKI),
        (sealed, vehicle, PCID, bytes(8)),
        (sealed, ec.generate_private_key(P_521), PCID, SKI),
    ):
        with pytest.raises(EnvelopeError, match="changed, or is another"):
            open_20(*strange)


@pytest.mark.parametrize("pcid", ["WEXEXAMPLE0000001", PCID])
def test_a_pcid_with_or_without_its_check_digit(pcid: str) -> None:
    assert bound_to(pcid, SKI) == f"{pcid}466CB3D22839717D".encode()


@pytest.mark.parametrize("pcid", ["", "wexexample00000012", PCID + "3", PCID[:16], "WEX EXAMPLE0000001", PCID + "\n"])
def test_what_is_no_pcid(pcid: str) -> None:
    with pytest.raises(EnvelopeError, match="the PCID isn't"):
        bound_to(pcid, SKI)


@pytest.mark.parametrize("ski", [b"", bytes(7), bytes(9), bytes(20)])
def test_another_length_of_the_ski(ski: bytes) -> None:
    with pytest.raises(EnvelopeError, match=f"has {len(ski)} octets"):
        seal_20(ec.generate_private_key(P_521), ec.generate_private_key(P_521).public_key(), PCID, ski)


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP521R1(), ec.SECP256K1(), ec.BrainpoolP256R1()])
def test_keys_of_another_curve(curve: ec.EllipticCurve) -> None:
    right, wrong = ec.generate_private_key(P_256), ec.generate_private_key(curve)

    with pytest.raises(EnvelopeError, match="vehicle's key isn't one of secp256r1"):
        seal_2(right, wrong.public_key())
    with pytest.raises(EnvelopeError, match="contract's key isn't one of secp256r1"):
        seal_2(wrong, right.public_key())
    with pytest.raises(EnvelopeError, match="isn't one of"):
        open_2(seal_2(right, right.public_key()), wrong)


def test_a_point_beside_the_curve() -> None:
    """An invalid curve attack: the point is as long as one of the curve."""
    sealed = seal_2(ec.generate_private_key(P_256), ec.generate_private_key(P_256).public_key())
    x, y = sealed.dh_public_key[1:33], bytearray(sealed.dh_public_key[33:])
    y[-1] ^= 1
    beside = Sealed(sealed.encrypted_private_key, b"\x04" + x + bytes(y))

    with pytest.raises(EnvelopeError, match="doesn't lie on secp256r1"):
        open_2(beside, ec.generate_private_key(P_256))
    with pytest.raises(EnvelopeError, match="isn't one of"):
        checked("no key", P_256)


def _broken(sealed: Sealed, vehicle: ec.EllipticCurvePrivateKey) -> str:
    try:
        open_2(sealed, vehicle)
    except EnvelopeError as error:
        return str(error)
    return ""


def test_a_scalar_that_is_none() -> None:
    """[V2G2-823]: 0 < d < n."""
    vehicle, ephemeral = ec.generate_private_key(P_256), ec.generate_private_key(P_256)

    class Scalar:
        curve = P_256

        def __init__(self, value: int) -> None:
            self.private_value = value

        def private_numbers(self) -> "Scalar":
            return self

    for value in (0, N_256, (1 << 256) - 1):
        hostile: Any = Scalar(value)
        sealed = _seal_2(hostile, vehicle.public_key(), ephemeral, bytes(16))
        assert _broken(sealed, vehicle) == "what the envelope holds is no private key of its curve"


@given(encrypted=st.binary(max_size=100), point=st.binary(max_size=140))
def test_whatever_comes_only_its_own_error_leaves(encrypted: bytes, point: bytes) -> None:
    sealed = Sealed(encrypted, point)
    with pytest.raises(EnvelopeError) as error:
        open_2(sealed, ec.derive_private_key(7, P_256))
    assert point.hex() not in str(error.value) or not point
    with pytest.raises(EnvelopeError):
        open_20(sealed, ec.derive_private_key(7, P_521), PCID, SKI)
