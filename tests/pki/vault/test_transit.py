"""Any key of a transit engine: which version signs, and an engine that lies. On OpenBao: the twins of its users."""

import base64
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki.vault.transit import VERSIONS_MAX, Fault, TransitFailed, TransitKey
from tests.iso15118_pki import authority
from tests.pki.vault.conftest import Connect
from tests.vault_standin import Reply, StandIn, failed

SIGN, KEY = ("POST", "/v1/transit/sign/k"), ("GET", "/v1/transit/keys/k")
OWN = ec.generate_private_key(ec.SECP256R1())
PEM = OWN.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
LEAF: x509.Certificate = authority("Leaf").certificate


def keyed(standin: StandIn, connect: Connect, versions: Any = None, **others: Any) -> TransitKey:
    standin.say(*KEY, Reply(body={"data": {"keys": versions or {"1": {"public_key": PEM}}, **others}}))
    return TransitKey(connect(standin), LEAF, OWN.public_key(), mount="transit", name="k", whose="the leaf")


async def signed(key: TransitKey) -> bytes:
    return await key.sign(b"x", hash_algorithm="sha2-256", marshaling="asn1")


@pytest.mark.parametrize("alphabet", [base64.b64encode, base64.urlsafe_b64encode])
async def test_octets_of_either_alphabet(standin: StandIn, connect: Connect, alphabet: Any) -> None:
    value = bytes(range(256)) * 2
    standin.say(*SIGN, Reply(body={"data": {"signature": f"vault:v1:{alphabet(value).decode()}"}}))
    assert await signed(keyed(standin, connect)) == value


async def test_the_version_that_is_the_certificates_and_no_more_look_ups(standin: StandIn, connect: Connect) -> None:
    versions = {str(each): {"public_key": "other"} for each in range(1, 12)} | {"7": {"public_key": PEM}}
    key = keyed(standin, connect, versions)
    standin.say(*SIGN, Reply(body={"data": {"signature": "vault:v7:AAAA"}}))

    await signed(key)
    await signed(key)

    assert standin.count(*KEY) == 1
    assert {each.body["key_version"] for each in standin.asked if each.path == SIGN[1]} == {7}
    key.forget()
    await signed(key)
    assert standin.count(*KEY) == 2


@pytest.mark.parametrize("beyond", [0, 1])
async def test_only_so_many_versions_are_looked_at(standin: StandIn, connect: Connect, beyond: int) -> None:
    versions = {str(each): {"public_key": "other"} for each in range(2, VERSIONS_MAX + 1 + beyond)}
    key = keyed(standin, connect, versions | {"1": {"public_key": PEM}})
    if not beyond:
        assert await key.find_version() == 1
        return
    with pytest.raises(TransitFailed, match="no version of transit/keys/k is the key of the leaf O=Example,CN=Leaf"):
        await key.find_version()


async def test_a_version_that_signs_no_more(standin: StandIn, connect: Connect) -> None:
    key = keyed(standin, connect, min_encryption_version=2)
    with pytest.raises(TransitFailed, match="signs with version 2 or newer, the key of the leaf is version 1") as no:
        await key.find_version()
    assert no.value.fault is Fault.UNAVAILABLE


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        (Reply(body={"data": {"signature": "vault:v2:AAAA"}}), Fault.ANSWER),
        (Reply(body={"data": {"signature": "vault:v1:A"}}), Fault.ANSWER),
        (Reply(body={"data": {"signature": "vault:v1:" + "A" * 1501}}), Fault.ANSWER),
        (Reply(body={"data": {"signature": "vault:v1:A A="}}), Fault.ANSWER),
        (Reply(body=[]), Fault.ANSWER),
        (failed(400, "no such version"), Fault.REFUSED),
        (failed(403, "permission denied"), Fault.UNAVAILABLE),
    ],
)
async def test_an_engine_that_gives_no_signature(
    standin: StandIn, connect: Connect, reply: Reply, fault: Fault
) -> None:
    key = keyed(standin, connect)
    standin.say(*SIGN, reply)
    for _ in range(2):
        with pytest.raises(TransitFailed) as no:
            await signed(key)
        assert no.value.fault is fault
    assert standin.count(*KEY) == 2  # its version is looked up anew
    assert repr(key) == "TransitKey(transit/k)"


async def test_only_rsa_is_asked_for_a_padding(standin: StandIn, connect: Connect) -> None:
    key = keyed(standin, connect)
    standin.say(*SIGN, Reply(body={"data": {"signature": "vault:v1:AAAA"}}))
    await signed(key)
    await key.sign(b"d", hash_algorithm="sha2-256", marshaling="asn1", prehashed=True, pss=True)
    plain, padded = (each.body for each in standin.asked if each.path == SIGN[1])
    assert not {"signature_algorithm", "salt_length"} & plain.keys()
    assert (padded["signature_algorithm"], padded["salt_length"], padded["prehashed"]) == ("pss", "hash", True)
