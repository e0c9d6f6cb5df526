"""Firmware signed by a real OpenBao, with the rights of the policy and no more; and an engine that lies."""

import base64
import hashlib
import urllib.error
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from pki.firmware import Algorithm, ImageDigest
from pki.firmware.signature import Scheme, check_signature
from pki.firmware.signing import FirmwareSigner, SigningCertificate, SigningFailed
from pki.firmware.transit import TransitSigner
from pki.vault.bootstrap_plan import FirmwareKey, policy_text
from pki.vault.connection import VaultConnection
from tests.bao import Bao
from tests.firmware_pki import FirmwarePki, manufacturer
from tests.firmware_signing import certified_for
from tests.vault_standin import Reply, StandIn, failed

NOW = datetime.now(UTC)
DIGEST = ImageDigest(5, hashlib.sha256(b"image").digest(), b"")
MOUNT = FirmwareKey().mount
KINDS = {"firmware": "ecdsa-p256", "firmware-384": "ecdsa-p384", "firmware-rsa": "rsa-3072"}
Connect = Callable[..., VaultConnection]


@pytest.fixture(scope="module")
def bao(bao: Bao) -> Bao:
    bao.ask("POST", f"sys/mounts/{MOUNT}", {"type": "transit"})
    for name, kind in KINDS.items():
        bao.ask("POST", f"{MOUNT}/keys/{name}", {"type": kind})
        text = policy_text(FirmwareKey()).replace('/firmware"', f'/{name}"')
        bao.ask("PUT", f"sys/policies/acl/{name}", {"policy": text})
    return bao


@pytest.fixture(scope="module")
def pki() -> FirmwarePki:
    return manufacturer(now=NOW)


def token(bao: Bao, policy: str) -> str:
    return str(bao.ask("POST", "auth/token/create", {"policies": [policy, "default"]})["auth"]["client_token"])


def certificate_of(pki: FirmwarePki, bao: Bao, name: str) -> SigningCertificate:
    """Return a certificate for the public key in the engine."""
    pem = bao.ask("GET", f"{MOUNT}/keys/{name}")["data"]["keys"]["1"]["public_key"]
    key = load_pem_public_key(pem.encode())
    assert isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)
    return SigningCertificate(certified_for(pki, key))


@pytest.mark.parametrize("name", KINDS)
async def test_it_signs_with_the_rights_of_its_policy(bao: Bao, connect: Connect, pki: FirmwarePki, name: str) -> None:
    certificate = certificate_of(pki, bao, name)
    connection = connect(bao, token(bao, name))
    signer: FirmwareSigner = TransitSigner(connection, certificate, mount=MOUNT, key=name)

    signed = await signer.sign(DIGEST)

    algorithm = Algorithm.RSA_PSS if name == "firmware-rsa" else Algorithm.ECDSA
    assert check_signature(DIGEST, signed.signature, certificate.key, Scheme()) is algorithm
    assert x509.load_pem_x509_certificate(signed.signing_certificate.encode()) == certificate.leaf


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("sign/firmware", {"prehashed": False}),
        ("sign/firmware", {"hash_algorithm": "sha1"}),
        ("sign/firmware", {"marshaling_algorithm": "jws"}),
        ("sign/firmware", {"signature_algorithm": "pkcs1v15"}),
        ("sign/firmware", {"batch_input": [{"input": "eA=="}]}),
        ("sign/firmware/sha1", {}),
        ("sign/firmware-rsa", {}),
        ("keys/firmware/rotate", {}),
        ("keys/firmware/config", {"exportable": True}),
        ("keys/firmware/csr", {}),
    ],
)
def test_what_its_policy_denies(bao: Bao, path: str, body: dict[str, Any]) -> None:
    asked = {"input": base64.b64encode(DIGEST.sha256).decode(), "hash_algorithm": "sha2-256", "prehashed": True}
    asked |= {"marshaling_algorithm": "asn1"} | body
    with pytest.raises(urllib.error.HTTPError) as denied:
        bao.ask("POST", f"{MOUNT}/{path}", asked, token=token(bao, "firmware"))
    with denied.value:
        assert denied.value.code == 403


async def test_a_certificate_of_another_key(bao: Bao, connect: Connect, pki: FirmwarePki) -> None:
    signer = TransitSigner(connect(bao), SigningCertificate(pki.ec.pem), mount=MOUNT, key="firmware")
    with pytest.raises(SigningFailed, match=f"no version of {MOUNT}/keys/firmware is the key of the signing cert"):
        await signer.sign(DIGEST)


async def test_a_certificate_that_is_over_asks_nobody(standin: StandIn, connect: Connect, pki: FirmwarePki) -> None:
    late = NOW + timedelta(days=365)
    certificate = SigningCertificate(pki.ec.pem)
    signer = TransitSigner(connect(standin, "t"), certificate, mount="m", key="k", clock=lambda: late)
    with pytest.raises(SigningFailed, match="is valid from"):
        await signer.sign(DIGEST)
    assert standin.asked == []
    assert repr(signer) == "TransitSigner(TransitKey(m/k), SigningCertificate(O=Example,CN=Example Signer))"


SIGN, KEY = ("POST", "/v1/m/sign/k"), ("GET", "/v1/m/keys/k")


def standing(standin: StandIn, connect: Connect, pki: FirmwarePki) -> TransitSigner:
    certificate = SigningCertificate(pki.ec.pem)
    public = certificate.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    standin.say(*KEY, Reply(body={"data": {"keys": {"1": {"public_key": public}}}}))
    return TransitSigner(connect(standin, "t", timeout=0.3), certificate, mount="m", key="k")


async def test_an_engine_that_signs_something_else(standin: StandIn, connect: Connect, pki: FirmwarePki) -> None:
    signer = standing(standin, connect, pki)
    wrong = base64.b64encode(pki.ec.signature(b"another image")).decode()
    standin.say(*SIGN, Reply(body={"data": {"signature": f"vault:v1:{wrong}"}}))

    for _ in range(2):
        with pytest.raises(SigningFailed, match=r"m/sign/k: what came back isn't a signature of .*CN=Example Signer"):
            await signer.sign(DIGEST)

    assert standin.count(*KEY) == 2  # its version is looked up anew
    asked = next(each.body for each in standin.asked if each.path == SIGN[1])
    assert (asked["prehashed"], base64.b64decode(asked["input"])) == (True, DIGEST.sha256)


@pytest.mark.parametrize(
    "reply", [failed(400, "no such version"), failed(403, "permission denied"), failed(503, "Vault is sealed")]
)
async def test_an_engine_that_fails(standin: StandIn, connect: Connect, pki: FirmwarePki, reply: Reply) -> None:
    signer = standing(standin, connect, pki)
    standin.say(*SIGN, reply)
    with pytest.raises(SigningFailed):
        await signer.sign(DIGEST)
