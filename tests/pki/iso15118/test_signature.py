"""Signatures: those of the vectors, own ones, and every way in which one can be wrong."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from pki.iso15118.exi import Schema
from pki.iso15118.messages import (
    CertificateInstallationReq,
    CertificateInstallationReq20,
    CertificateInstallationRes,
    CertificateInstallationRes20,
    CertificateUpdateReq,
    Message,
    Reference,
    Signature,
)
from pki.iso15118.provisioning import ProvisioningRefused, Refusal
from pki.iso15118.reading import read_message
from pki.iso15118.signature import (
    CANONICAL_EXI,
    Suite,
    check_digests,
    check_signature,
    make_signed_info,
    sign,
    signed_info_octets,
    suite_of,
)
from pki.iso15118.writing import signed_parts, write_message

VECTORS = Path(__file__).parent / "vectors"
SIGNERS = {
    "iso2_cert_install_req": "pki_iso2/oemLeaf",
    "iso2_cert_update_req": "pki_iso2/contractOld",
    "iso2_cert_install_res": "pki_iso2/cpsLeaf",
    "iso2_cert_update_res": "pki_iso2/cpsLeaf",
    "iso20_cert_install_req": "pki_iso20/oemLeaf",
    "iso20_cert_install_res": "pki_iso20/cpsLeaf",
}
SHA1 = "http://www.w3.org/2000/09/xmldsig#sha1"
EXCLUSIVE_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
ED448 = "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed448"


def octets(name: str) -> bytes:
    return (VECTORS / f"{name}.exi").read_bytes()


def read(name: str) -> Message:
    return read_message(octets(name), Schema.ISO_20 if name.startswith("iso20") else Schema.ISO_2)


def key_of(name: str) -> PublicKeyTypes:
    return x509.load_pem_x509_certificate((VECTORS / f"{name}.cert.pem").read_bytes()).public_key()


def signer_with(key: ec.EllipticCurvePrivateKey, suite: Suite) -> Callable[[bytes], Any]:
    async def signer(data: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(suite.hash_algorithm)))
        return r.to_bytes(suite.value_size // 2) + s.to_bytes(suite.value_size // 2)

    return signer


def signature_of(message: Message) -> Signature:
    assert message.header.signature is not None
    return message.header.signature


# --- right -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "signer"), SIGNERS.items())
def test_the_signatures_of_the_vectors(name: str, signer: str) -> None:
    check_signature(read(name), key_of(signer))


@pytest.mark.parametrize("name", SIGNERS)
def test_what_they_are_over(name: str) -> None:
    info = signature_of(read(name)).signed_info

    assert signed_info_octets(info) == octets(f"{name}.frag.SignedInfo")
    assert make_signed_info(signed_parts(read(name)), suite_of(read(name))) == info


@pytest.mark.parametrize("name", SIGNERS)
def test_a_signature_of_our_own(name: str) -> None:
    message = read(name)
    suite = suite_of(message)
    key = ec.generate_private_key(suite.curve)
    signed = asyncio.run(
        sign(replace(message, header=replace(message.header, signature=None)), signer_with(key, suite))
    )

    check_signature(signed, key.public_key())
    assert signature_of(signed).signed_info == signature_of(message).signed_info
    assert len(signature_of(signed).value) == suite.value_size


def test_the_order_of_the_references_is_free() -> None:
    """As Hubject has it: ID2, ID1, ID4, ID3."""
    message = read("iso2_cert_install_res")
    first, second, third, fourth = signature_of(message).signed_info.references
    key = ec.generate_private_key(ec.SECP256R1())

    check_signature(signed_over(message, (second, first, fourth, third), key), key.public_key())


def test_a_reference_and_a_signature_may_have_an_id() -> None:
    """[V2G2-771] names what is forbidden; these aren't among it."""
    message, key = read("iso2_cert_install_req"), ec.generate_private_key(ec.SECP256R1())
    (reference,) = signature_of(message).signed_info.references
    signed = signed_over(message, (replace(reference, id="r"),), key)
    signed = with_signature(signed, id="s")

    check_signature(read_message(write_message(signed), Schema.ISO_2), key.public_key())


@pytest.mark.parametrize("suite", Suite)
def test_the_order_of_the_curve(suite: Suite) -> None:
    """The last private key's point is the first one's mirror image, and behind it there is none."""
    base = ec.derive_private_key(1, suite.curve).public_key().public_numbers()
    last = ec.derive_private_key(suite.order - 1, suite.curve).public_key().public_numbers()

    assert last.x == base.x
    with pytest.raises(ValueError, match="Invalid EC key"):
        ec.derive_private_key(suite.order, suite.curve)


# --- wrong -----------------------------------------------------------------------------------------------------------


def with_signature(message: Message, **changes: Any) -> Message:
    signature = replace(signature_of(message), **changes)
    return replace(message, header=replace(message.header, signature=signature))


def with_info(message: Message, **changes: Any) -> Message:
    return with_signature(message, signed_info=replace(signature_of(message).signed_info, **changes))


def with_reference(message: Message, **changes: Any) -> Message:
    first, *others = signature_of(message).signed_info.references
    return with_info(message, references=(replace(first, **changes), *others))


def signed_over(message: Message, references: tuple[Reference, ...], key: ec.EllipticCurvePrivateKey) -> Message:
    info = replace(signature_of(message).signed_info, references=references)
    value = asyncio.run(signer_with(key, suite_of(message))(signed_info_octets(info)))
    return with_signature(message, signed_info=info, value=value)


def refusal_of(message: Message, key: PublicKeyTypes) -> ProvisioningRefused:
    with pytest.raises(ProvisioningRefused) as refused:
        check_signature(message, key)
    return refused.value


REQUEST = read("iso2_cert_install_req")
ANSWER = read("iso2_cert_install_res")
REQUEST_20 = read("iso20_cert_install_req")
REFERENCE = signature_of(REQUEST).signed_info.references[0]
REFERENCES = signature_of(ANSWER).signed_info.references
VALUE = signature_of(REQUEST).value
R, S = VALUE[:32], VALUE[32:]
ORDER = Suite.ISO_2.order.to_bytes(32)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (replace(REQUEST, header=replace(REQUEST.header, signature=None)), "the message isn't signed"),
        (
            read("negative/iso2_cert_install_req.with_KeyInfo"),
            "the signature has KeyInfo in Signature, which ISO 15118-2 doesn't allow",
        ),
        (
            read("negative/iso2_cert_install_req.with_xpath_transform"),
            "the signature has XPath in Transform, which ISO 15118-2 doesn't allow",
        ),
        (
            with_info(REQUEST, canonicalization_method=EXCLUSIVE_C14N),
            f"the canonicalization of the signature is '{EXCLUSIVE_C14N}', ISO 15118-2 wants {CANONICAL_EXI}",
        ),
        (
            with_info(REQUEST, signature_method=Suite.ISO_20.signature_method),
            "the signature method of the signature is 'http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512'",
        ),
        (with_info(REQUEST, signature_method=""), "the signature method of the signature is '', ISO 15118-2 wants"),
        (
            with_info(REQUEST_20, signature_method=Suite.ISO_2.signature_method),
            "xmldsig-more#ecdsa-sha256', ISO 15118-20 wants http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512",
        ),
        (
            with_info(REQUEST_20, signature_method=ED448),
            "signatures with Ed448 aren't supported, of ISO 15118-20 only those with secp521r1 are",
        ),
        (with_reference(REQUEST, digest_method=SHA1), f"the digest method of the signature is '{SHA1}'"),
        (
            with_reference(REQUEST_20, digest_method=Suite.ISO_2.digest_method),
            "the digest method of the signature is 'http://www.w3.org/2001/04/xmlenc#sha256', ISO 15118-20 wants",
        ),
        (with_reference(REQUEST, transforms=()), "the reference '#id1' has 0 transforms, it must have one"),
        (
            with_reference(REQUEST, transforms=(CANONICAL_EXI,) * 2),
            "the reference '#id1' has 2 transforms, it must have one",
        ),
        (
            with_reference(REQUEST, transforms=(EXCLUSIVE_C14N,)),
            f"the transform of the signature is '{EXCLUSIVE_C14N}'",
        ),
        (with_info(REQUEST, references=()), "the signature isn't over '#id1', which must be signed"),
        (with_reference(REQUEST, uri=""), "the signature is over '', which isn't a part that is signed"),
        (with_reference(REQUEST, uri="id1"), "the signature is over 'id1', which isn't a part that is signed"),
        (with_reference(REQUEST, uri="##id1"), "the signature is over '##id1', which isn't a part that is signed"),
        (
            with_reference(REQUEST, uri="http://example.com/#id1"),
            "the signature is over 'http://example.com/#id1', which isn't a part that is signed",
        ),
        (with_reference(REQUEST, uri="#" + "x" * 500), f"the signature is over '#{'x' * 79}...', which isn't"),
        (
            with_info(REQUEST, references=(REFERENCE, replace(REFERENCE, uri="#id2"))),
            "the signature is over '#id2', which isn't a part that is signed",
        ),
        (with_info(REQUEST, references=(REFERENCE,) * 2), "the signature refers to '#id1' more than once"),
        (with_info(ANSWER, references=REFERENCES[:3]), "the signature isn't over '#id4', which must be signed"),
        (
            with_info(ANSWER, references=(*REFERENCES[:3], REFERENCES[0])),
            "the signature refers to '#id1' more than once",
        ),
        (
            with_info(ANSWER, references=(*REFERENCES, REFERENCES[0])),
            "the signature has 5 references, at most 4 are allowed",
        ),
        (with_signature(REQUEST, value=b""), "the signature has 0 octets; r||s of secp256r1 has 64"),
        (with_signature(REQUEST, value=VALUE[1:]), "the signature has 63 octets"),
        (with_signature(REQUEST, value=VALUE + b"\0"), "the signature has 65 octets"),
        (with_signature(REQUEST_20, value=VALUE), "the signature has 64 octets; r||s of secp521r1 has 132"),
        (
            with_signature(REQUEST, value=encode_dss_signature(int.from_bytes(R), int.from_bytes(S))),
            "octets; r||s of secp256r1 has 64: it is in DER",
        ),
        (with_signature(REQUEST, value=bytes(32) + S), "r or s of the signature isn't between 0 and the order"),
        (with_signature(REQUEST, value=R + bytes(32)), "r or s of the signature isn't between 0 and the order"),
        (with_signature(REQUEST, value=ORDER + S), "r or s of the signature isn't between 0 and the order"),
        (with_signature(REQUEST, value=R + ORDER), "r or s of the signature isn't between 0 and the order"),
        (with_signature(REQUEST, value=b"\xff" * 64), "r or s of the signature isn't between 0 and the order"),
    ],
)
def test_what_15118_does_not_allow(message: Message, reason: str) -> None:
    key = key_of("pki_iso20/oemLeaf" if suite_of(message) is Suite.ISO_20 else "pki_iso2/oemLeaf")
    refused = refusal_of(message, key)

    assert refused.refusal is Refusal.SIGNATURE_PROFILE
    assert reason in str(refused)


@pytest.mark.parametrize(
    ("name", "make_key", "reason"),
    [
        (
            "iso2_cert_install_req",
            lambda: ec.generate_private_key(ec.SECP521R1()).public_key(),
            "the key of the signer's certificate is secp521r1, ISO 15118-2 wants secp256r1",
        ),
        (
            "iso20_cert_install_req",
            lambda: ec.generate_private_key(ec.SECP256R1()).public_key(),
            "the key of the signer's certificate is secp256r1, ISO 15118-20 wants secp521r1",
        ),
        (
            "iso2_cert_install_req",
            lambda: ec.generate_private_key(ec.SECP256K1()).public_key(),
            "the key of the signer's certificate is secp256k1, ISO 15118-2 wants secp256r1",
        ),
        (
            "iso20_cert_install_req",
            lambda: ed448.Ed448PrivateKey.generate().public_key(),
            "Ed448 isn't supported, of ISO 15118-20 only secp521r1 is",
        ),
        (
            "iso2_cert_install_req",
            lambda: rsa.generate_private_key(65537, 2048).public_key(),
            "the key of the signer's certificate is RSAPublicKey, ISO 15118-2 wants secp256r1",
        ),
    ],
    ids=["P-521 in -2", "P-256 in -20", "secp256k1", "Ed448", "RSA"],
)
def test_keys_of_another_kind(name: str, make_key: Callable[[], PublicKeyTypes], reason: str) -> None:
    refused = refusal_of(read(name), make_key())

    assert (refused.refusal, str(refused)) == (Refusal.SIGNATURE_PROFILE, reason)


def flipped(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def changed(message: Message) -> Message:
    """Return ``message`` with a small change in what is signed."""
    match message:
        case CertificateInstallationReq():
            return replace(message, root_certificate_ids=message.root_certificate_ids * 2)
        case CertificateUpdateReq():
            return replace(message, emaid="DE8EXC12345678B")
        case CertificateInstallationReq20():
            return replace(message, oem_chain=replace(message.oem_chain, sub_certificates=()))
        case CertificateInstallationRes20():
            data = message.installation_data
            return replace(message, installation_data=replace(data, dh_public_key=flipped(data.dh_public_key)))
        case _:
            contract = message.contract
            key = flipped(contract.encrypted_private_key)
            return replace(message, contract=replace(contract, encrypted_private_key=key))


@pytest.mark.parametrize(("name", "signer"), SIGNERS.items())
def test_what_was_changed_after_it_was_signed(name: str, signer: str) -> None:
    refused = refusal_of(changed(read(name)), key_of(signer))

    assert refused.refusal is Refusal.DIGEST_MISMATCH
    assert "was changed after it was signed: its digest differs" in str(refused)


@pytest.mark.parametrize("digest", [flipped(REFERENCE.digest), REFERENCE.digest[:-1], b"", REFERENCE.digest + b"\0"])
def test_another_digest(digest: bytes) -> None:
    refused = refusal_of(with_reference(REQUEST, digest=digest), key_of("pki_iso2/oemLeaf"))

    assert refused.refusal is Refusal.DIGEST_MISMATCH


def test_digests_of_two_parts_changed_places() -> None:
    """Each is right, but for another part."""
    first, second, *others = REFERENCES
    swapped = (replace(first, digest=second.digest), replace(second, digest=first.digest), *others)

    assert refusal_of(with_info(ANSWER, references=swapped), key_of("pki_iso2/cpsLeaf")).refusal is (
        Refusal.DIGEST_MISMATCH
    )


def test_two_parts_with_one_id() -> None:
    """Of two elements with the Id that is signed, the digest would be of one, and the other be used."""
    assert isinstance(ANSWER, CertificateInstallationRes)
    message = replace(ANSWER, contract=replace(ANSWER.contract, emaid_id="id1"))
    refused = refusal_of(message, key_of("pki_iso2/cpsLeaf"))

    assert refused.refusal is Refusal.SIGNATURE_PROFILE
    assert str(refused) == "eMAID, which is to be signed, has no Id of its own"


@pytest.mark.parametrize(("name", "signer"), SIGNERS.items())
def test_a_signature_by_another_key(name: str, signer: str) -> None:
    message = read(name)
    foreign = ec.generate_private_key(suite_of(message).curve)
    refused = refusal_of(message, foreign.public_key())

    assert refused.refusal is Refusal.SIGNATURE_INVALID
    assert str(refused) == "the signature wasn't made with the key of the signer's certificate"


def test_a_value_that_was_changed() -> None:
    for value in (flipped(R) + S, R + flipped(S), S + R):
        refused = refusal_of(with_signature(REQUEST, value=value), key_of("pki_iso2/oemLeaf"))
        assert refused.refusal is Refusal.SIGNATURE_INVALID


def test_a_signature_of_another_message() -> None:
    """Its digests were made to fit; its value can't be."""
    message = changed(REQUEST)
    info = make_signed_info(signed_parts(message), Suite.ISO_2)
    refused = refusal_of(with_signature(message, signed_info=info), key_of("pki_iso2/oemLeaf"))

    assert refused.refusal is Refusal.SIGNATURE_INVALID


@pytest.mark.parametrize(
    ("name", "hash_algorithm"),
    [("iso2_cert_install_req", hashes.SHA512()), ("iso20_cert_install_req", hashes.SHA256())],
)
def test_another_hash_than_the_one_that_is_named(name: str, hash_algorithm: hashes.HashAlgorithm) -> None:
    message = read(name)
    suite, key = suite_of(message), ec.generate_private_key(suite_of(message).curve)
    der = key.sign(signed_info_octets(signature_of(message).signed_info), ec.ECDSA(hash_algorithm))
    value = b"".join(number.to_bytes(suite.value_size // 2) for number in decode_dss_signature(der))

    assert refusal_of(with_signature(message, value=value), key.public_key()).refusal is Refusal.SIGNATURE_INVALID


def test_what_is_not_signed_may_change() -> None:
    """The header isn't: a SessionID may be set to the vehicle's, as for what a provider had in store."""
    message = replace(ANSWER, header=replace(ANSWER.header, session_id=b"\1\2\3"))

    check_signature(message, key_of("pki_iso2/cpsLeaf"))


def test_digests_can_be_checked_before_there_is_a_key() -> None:
    assert check_digests(REQUEST) is REQUEST.header.signature


@pytest.mark.parametrize("value", [b"", bytes(64), encode_dss_signature(2**255, 2**255), b"\xff" * 64])
def test_a_signer_that_gives_something_else(value: bytes) -> None:
    async def signer(data: bytes) -> bytes:
        return value

    with pytest.raises(ValueError, match=r"the signature has \d+ octets|r or s of the signature"):
        asyncio.run(sign(REQUEST, signer))
