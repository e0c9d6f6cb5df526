"""A CPS key in a real OpenBao's transit engine; and an engine that lies, fails, or has another key."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from pki.iso15118.cps import CpsChain, CpsSigner
from pki.iso15118.exi import Schema
from pki.iso15118.provisioning import ProvisioningRefused, Refusal
from pki.iso15118.transit import TransitCps
from pki.vault.connection import VaultConnection
from tests.bao import Bao
from tests.pki.iso15118.provisioning_parts import SUITES, v2g_pki
from tests.vault_standin import Reply, StandIn, failed

NOW = datetime.now(UTC)
KEYS = {Schema.ISO_2: ("cps", "ecdsa-p256"), Schema.ISO_20: ("cps-20", "ecdsa-p521")}
BOTH = pytest.mark.parametrize("schema", [Schema.ISO_2, Schema.ISO_20])
POLICY = """
path "transit/sign/cps" { capabilities = ["update"] }
path "transit/keys/cps" { capabilities = ["read"] }
"""
Connect = Callable[..., VaultConnection]


@pytest.fixture(scope="module")
def bao(bao: Bao) -> Bao:
    bao.ask("POST", "sys/mounts/transit", {"type": "transit"})
    for name, kind in KEYS.values():
        bao.ask("POST", f"transit/keys/{name}", {"type": kind})
    bao.ask("PUT", "sys/policies/acl/cps", {"policy": POLICY})
    return bao


def public_key(bao: Bao, name: str, version: str = "1") -> ec.EllipticCurvePublicKey:
    pem = bao.ask("GET", f"transit/keys/{name}")["data"]["keys"][version]["public_key"]
    key = load_pem_public_key(pem.encode())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key


def chain_for(schema: Schema, key: ec.EllipticCurvePublicKey) -> CpsChain:
    return CpsChain(v2g_pki(schema, NOW - timedelta(hours=2), key=key).chain_pem, SUITES[schema])


def token(bao: Bao) -> str:
    return str(bao.ask("POST", "auth/token/create", {"policies": ["cps", "default"]})["auth"]["client_token"])


@BOTH
async def test_it_signs_raw_and_verifiably(bao: Bao, connect: Connect, schema: Schema) -> None:
    name, _ = KEYS[schema]
    cps = chain_for(schema, public_key(bao, name))
    signer: CpsSigner = TransitCps(connect(bao), cps, mount="transit", key=name)

    await signer.health()
    value = await signer.sign(b"SignedInfo")

    assert len(value) == SUITES[schema].value_size
    cps.check_signature(b"SignedInfo", value)


async def test_the_two_paths_of_its_policy_are_enough(bao: Bao, connect: Connect) -> None:
    signer = TransitCps(
        connect(bao, token(bao)), chain_for(Schema.ISO_2, public_key(bao, "cps")), mount="transit", key="cps"
    )
    await signer.health()
    assert await signer.sign(b"x")


async def test_a_key_that_was_rotated_signs_with_the_leafs_version(bao: Bao, connect: Connect) -> None:
    """The leaf is for one version: rotated first, renewed later."""
    bao.ask("POST", "transit/keys/rotated", {"type": "ecdsa-p256"})
    old = chain_for(Schema.ISO_2, public_key(bao, "rotated"))
    signers = [TransitCps(connect(bao), old, mount="transit", key="rotated")]
    await signers[0].sign(b"before")
    bao.ask("POST", "transit/keys/rotated/rotate")
    signers.append(TransitCps(connect(bao), old, mount="transit", key="rotated"))
    new = chain_for(Schema.ISO_2, public_key(bao, "rotated", "2"))
    signers.append(TransitCps(connect(bao), new, mount="transit", key="rotated"))

    for signer in signers:
        signer.cps.check_signature(b"after", await signer.sign(b"after"))
    bao.ask("POST", "transit/keys/rotated/config", {"min_encryption_version": 2})
    with pytest.raises(ProvisioningRefused, match="lower min_encryption_version, or renew the leaf"):
        await signers[0].health()


async def test_a_leaf_of_another_key(bao: Bao, connect: Connect) -> None:
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    signer = TransitCps(connect(bao), chain_for(Schema.ISO_2, other), mount="transit", key="cps")

    for ask in (signer.health(), signer.sign(b"x")):
        with pytest.raises(
            ProvisioningRefused, match="no version of transit/keys/cps is the key of the CPS leaf"
        ) as no:
            await ask
        assert no.value.refusal is Refusal.PROVIDER_UNAVAILABLE


@pytest.mark.parametrize(
    ("mount", "key", "words"),
    [("transit", "nobody", "there is no transit/keys/nobody"), ("nowhere", "cps", "there is no nowhere/keys/cps")],
)
async def test_a_key_or_a_mount_that_is_not_there(bao: Bao, connect: Connect, mount: str, key: str, words: str) -> None:
    signer = TransitCps(connect(bao), chain_for(Schema.ISO_2, public_key(bao, "cps")), mount=mount, key=key)
    with pytest.raises(ProvisioningRefused, match=words) as refused:
        await signer.sign(b"x")
    assert refused.value.refusal is Refusal.PROVIDER_UNAVAILABLE


async def test_a_token_that_may_not(bao: Bao, connect: Connect) -> None:
    nobody = str(bao.ask("POST", "auth/token/create", {"policies": ["default"]})["auth"]["client_token"])
    cps = chain_for(Schema.ISO_2, public_key(bao, "cps"))
    signer = TransitCps(connect(bao, nobody), cps, mount="transit", key="cps")
    with pytest.raises(ProvisioningRefused, match=r'add path "transit/keys/cps" \{ capabilities = \["read"\]'):
        await signer.health()


async def test_vault_is_sealed_and_comes_back(bao: Bao, connect: Connect) -> None:
    signer = TransitCps(
        connect(bao, timeout=1.0), chain_for(Schema.ISO_2, public_key(bao, "cps")), mount="transit", key="cps"
    )
    await signer.sign(b"x")
    bao.seal()
    try:
        with pytest.raises(ProvisioningRefused) as refused:
            await signer.sign(b"x")
        assert refused.value.refusal is Refusal.PROVIDER_UNAVAILABLE
    finally:
        bao.unseal()


SIGN, KEY = ("POST", "/v1/transit/sign/cps"), ("GET", "/v1/transit/keys/cps")
OWN = ec.generate_private_key(ec.SECP256R1())


def told(key: ec.EllipticCurvePublicKey, **others: Any) -> Reply:
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return Reply(body={"data": {"keys": {"3": {"public_key": pem}}, **others}})


def signed(octets: bytes, *, version: int = 3, key: ec.EllipticCurvePrivateKey = OWN) -> str:
    der = key.sign(octets, ec.ECDSA(SUITES[Schema.ISO_2].hash_algorithm))
    raw = b"".join(number.to_bytes(32) for number in decode_dss_signature(der))
    return f"vault:v{version}:{base64.urlsafe_b64encode(raw).decode().rstrip('=')}"


def standing(standin: StandIn, connect: Connect, **how: Any) -> TransitCps:
    standin.say(*KEY, told(OWN.public_key()))
    return TransitCps(
        connect(standin, "t", **how), chain_for(Schema.ISO_2, OWN.public_key()), mount="transit", key="cps"
    )


async def test_what_is_asked_for(standin: StandIn, connect: Connect) -> None:
    signer = standing(standin, connect)
    standin.say(*SIGN, Reply(body={"data": {"signature": signed(b"x")}}))

    for _ in range(2):
        await signer.sign(b"x")

    (*_, asked) = [each for each in standin.asked if each.path == SIGN[1]]
    assert asked.body == {
        "input": base64.b64encode(b"x").decode(),
        "key_version": 3,
        "hash_algorithm": "sha2-256",
        "prehashed": False,
        "marshaling_algorithm": "jws",
    }
    assert (standin.count(*KEY), standin.count(*SIGN)) == (1, 2)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"data": {"signature": signed(b"other")}}, "isn't by the key of the CPS leaf"),
        ({"data": {"signature": signed(b"x", key=ec.generate_private_key(ec.SECP256R1()))}}, "isn't by the key"),
        ({"data": {"signature": signed(b"x", version=4)}}, "isn't a signature of the key's version 3"),
        ({"data": {"signature": "vault:v3:AAAA"}}, "isn't by the key"),
        ({"data": {"signature": "vault:v3:AAAAA"}}, "isn't a signature in base64"),
        ({"data": {"signature": signed(b"x").replace("v3:", "v3:MEQC")}}, "isn't by the key"),
        ({"data": {"signature": None}}, "isn't a signature of"),
        ({"data": {}}, "isn't a signature of"),
        ({"data": []}, "isn't a signature of"),
        ([], "isn't a signature of"),
        (b"not JSON", "isn't a signature of"),
    ],
    ids=range(11),
)
async def test_an_engine_that_lies(standin: StandIn, connect: Connect, answer: Any, words: str) -> None:
    signer = standing(standin, connect)
    standin.say(*SIGN, Reply(body=answer))

    with pytest.raises(ProvisioningRefused, match=words) as refused:
        await signer.sign(b"x")

    assert refused.value.refusal is Refusal.PROVIDER_ANSWER
    with pytest.raises(ProvisioningRefused):
        await signer.sign(b"x")
    assert standin.count(*KEY) == 2  # its version is looked up anew


@pytest.mark.parametrize(
    "keys",
    [
        None,
        [],
        {"x": {}},
        {"1": None},
        {"1": {"public_key": 7}},
        {"1": {"public_key": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"}},
        {"9" * 30: {}},
        {"²": {}},
    ],
)
async def test_an_engine_whose_key_cannot_be_read(standin: StandIn, connect: Connect, keys: Any) -> None:
    signer = standing(standin, connect)
    standin.say(*KEY, Reply(body={"data": {"keys": keys}}))
    with pytest.raises(ProvisioningRefused, match="no version of transit/keys/cps is the key"):
        await signer.sign(b"x")


@pytest.mark.parametrize(
    ("reply", "refusal"),
    [
        (failed(400, "no such version"), Refusal.PROVIDER_REFUSED),
        (failed(403, "permission denied"), Refusal.PROVIDER_UNAVAILABLE),
        (failed(500, "internal error"), Refusal.PROVIDER_UNAVAILABLE),
        (failed(503, "Vault is sealed"), Refusal.PROVIDER_UNAVAILABLE),
        (Reply(0), Refusal.PROVIDER_UNAVAILABLE),
    ],
)
async def test_an_engine_that_fails(standin: StandIn, connect: Connect, reply: Reply, refusal: Refusal) -> None:
    signer = standing(standin, connect, timeout=0.2)
    standin.say(*SIGN, reply)
    with pytest.raises(ProvisioningRefused) as refused:
        await signer.sign(b"x")
    assert refused.value.refusal is refusal


async def test_a_chain_that_is_over_asks_nobody(standin: StandIn, connect: Connect) -> None:
    late = NOW + timedelta(days=365)
    cps = chain_for(Schema.ISO_2, OWN.public_key())
    signer = TransitCps(connect(standin, "t"), cps, mount="transit", key="cps", clock=lambda: late)
    for ask in (signer.sign(b"x"), signer.health()):
        with pytest.raises(ProvisioningRefused, match="is valid from"):
            await ask
    assert standin.asked == []
    assert repr(signer).startswith("TransitCps(transit/cps, CpsChain(CN=Test CPS")
