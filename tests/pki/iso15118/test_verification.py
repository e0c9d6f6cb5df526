"""Requests of vehicles: those of the vectors, and a table of bad ones, each refused for its own reason."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from pki.iso15118.exi import Schema
from pki.iso15118.messages import Action, CertificateChain, CertificateUpdateReq, Message, Request, SignedInfo
from pki.iso15118.provisioning import ProvisioningRefused, Refusal, VerifiedRequest
from pki.iso15118.trust import TrustedPaths
from pki.iso15118.verification import REQUEST_SIZE_MAX, Profiles, RequestVerifier
from pki.iso15118.writing import write_message
from tests.iso15118_dialogue import World, sign
from tests.iso15118_pki import DAY, EMAID, ENCODED_DEFAULT, NOW, PCID, Issued, authority, leaf, usage

VECTORS = Path(__file__).parent / "vectors"
TWO, TWENTY = World.made(Schema.ISO_2), World.made(Schema.ISO_20)
WORLDS = {"-2": TWO, "-20": TWENTY}
OTHER = World.made(Schema.ISO_2)
INSTALL, UPDATE = Action.INSTALL, Action.UPDATE


def verifier(world: World, *, profiles: Profiles = "enforce", at: datetime = NOW) -> RequestVerifier:
    return RequestVerifier(world.trusting_oem(), world.trusting_mo(), profiles=profiles, clock=lambda: at)


def verified(message: Request, world: World = TWO, *, profiles: Profiles = "enforce") -> VerifiedRequest:
    action = UPDATE if isinstance(message, CertificateUpdateReq) else INSTALL
    return verifier(world, profiles=profiles).verify(write_message(message), world.schema, action)


def refused(
    message: Message | bytes, world: World = TWO, *, action: Action | None = None, at: datetime = NOW
) -> tuple[Refusal, str]:
    said = action or (UPDATE if isinstance(message, CertificateUpdateReq) else INSTALL)
    exi = message if isinstance(message, bytes) else write_message(message)
    with pytest.raises(ProvisioningRefused) as caught:
        verifier(world, at=at).verify(exi, world.schema, said)
    return caught.value.refusal, str(caught.value)


# --- what holds ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("world", list(WORLDS.values()), ids=list(WORLDS))
def test_an_installation(world: World) -> None:
    message = sign(world.asks(), world.oem.leaf.key)
    request = verified(message, world)
    assert request.message == message
    assert (request.schema, request.action, request.exi) == (world.schema, INSTALL, write_message(message))
    assert [each.subject for each in request.path] == [
        each.certificate.subject for each in (world.oem.leaf, world.oem.sub2, world.oem.sub1, world.oem.root)
    ]
    assert request.key == world.oem.leaf.key.public_key()
    assert (request.pcid, request.emaid, request.warnings) == (PCID, None, ())


def test_an_update() -> None:
    request = verified(sign(TWO.update(), TWO.mo.leaf.key))
    assert request.key == TWO.mo.leaf.key.public_key()
    assert (request.action, request.pcid, request.emaid) == (UPDATE, None, EMAID)


@pytest.mark.parametrize(
    ("name", "action", "schema"),
    [
        ("iso2_cert_install_req", INSTALL, Schema.ISO_2),
        ("iso2_cert_update_req", UPDATE, Schema.ISO_2),
        ("iso20_cert_install_req", INSTALL, Schema.ISO_20),
    ],
)
def test_requests_of_the_vectors(name: str, action: Action, schema: Schema) -> None:
    request = vectors(schema).verify((VECTORS / f"{name}.exi").read_bytes(), schema, action)
    assert (request.pcid or request.emaid) in {"WEXAMPLE000000001", "DE8EXC12345678A", "WEXEXAMPLE00000012"}


def vectors(schema: Schema) -> RequestVerifier:
    def read(name: str) -> x509.Certificate:
        folder = VECTORS / ("pki_iso2" if schema is Schema.ISO_2 else "pki_iso20")
        return x509.load_pem_x509_certificate((folder / f"{name}.cert.pem").read_bytes())

    oem = TrustedPaths([read("oemRoot")], [read("oemSub1"), read("oemSub2")])
    return RequestVerifier(oem, TrustedPaths([read("moRoot")]), profiles="enforce", clock=lambda: NOW)


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        ("iso2_cert_install_req_unsigned", Refusal.SIGNATURE_PROFILE),
        ("iso2_cert_install_res", Refusal.MALFORMED),
        ("negative/iso2_cert_install_req.string_table_hits", Refusal.MALFORMED),
        ("negative/iso2_cert_install_req.unqualified_Id_schema_deviation", Refusal.MALFORMED),
        ("negative/iso2_cert_install_req.with_KeyInfo", Refusal.SIGNATURE_PROFILE),
        ("negative/iso2_cert_install_req.with_xpath_transform", Refusal.SIGNATURE_PROFILE),
        ("negative/iso2_wrong_namespace_root", Refusal.MALFORMED),
        ("negative/iso2_cert_install_req.frag.SignedInfo.msgdef_grammar", Refusal.MALFORMED),
        ("negative/iso2_cert_install_req.frag.SignedInfo.string_table_hits", Refusal.MALFORMED),
    ],
)
def test_bad_requests_of_the_vectors(name: str, refusal: Refusal) -> None:
    with pytest.raises(ProvisioningRefused) as caught:
        vectors(Schema.ISO_2).verify((VECTORS / f"{name}.exi").read_bytes(), Schema.ISO_2, INSTALL)
    assert caught.value.refusal is refusal


def test_a_certificate_that_pyca_cannot_read() -> None:
    odd = leaf(PCID, TWO.oem.sub2, component="OEM", basic_constraints=ENCODED_DEFAULT)
    with pytest.raises(ValueError, match="EncodedDefault"):
        _ = odd.certificate.extensions
    assert verified(sign(TWO.installation(odd), odd.key)).path[0] == odd.certificate


def test_a_certificate_without_key_usage_by_policy() -> None:
    odd = leaf("a vehicle", TWO.oem.sub2, key_usage=None)
    message = sign(TWO.installation(odd), odd.key)
    request = verified(message, profiles="warn")
    assert request.pcid == "A VEHICLE"
    assert ["no key usage" in request.warnings[0], "PCID" in request.warnings[1]] == [True, True]

    refusal, text = refused(message)
    assert refusal is Refusal.CERTIFICATE_PROFILE
    assert all(part in text for part in ("no key usage", "PCID", "plug_and_charge.certificate_profiles"))


@pytest.mark.parametrize(
    ("certified", "said"),
    [(EMAID, "de8exc12345678a"), (EMAID.lower(), EMAID), ("DE8EXC12345678", "DE8EXC12345678")],
)
def test_one_emaid_in_several_spellings(certified: str, said: str) -> None:
    old = leaf(certified, TWO.mo.sub2, component="MO")
    assert verified(sign(TWO.update(old, said), old.key)).emaid == certified.upper()


def test_an_emaid_with_hyphens_in_a_certificate() -> None:
    """As RISE-V2G makes them: no profile has it, nobody is mistaken by it."""
    old = leaf("DE-8EX-C12345678-A", TWO.mo.sub2, component="MO")
    message = sign(TWO.update(old), old.key)
    assert verified(message, profiles="warn").emaid == EMAID
    assert refused(message)[0] is Refusal.CERTIFICATE_PROFILE


# --- what doesn't, in the order of the checks ------------------------------------------------------------------------


def test_too_large() -> None:
    exi = write_message(sign(TWO.installation(), TWO.oem.leaf.key))
    assert refused(exi + bytes(REQUEST_SIZE_MAX - len(exi)))[0] is Refusal.MALFORMED
    assert refused(exi + bytes(REQUEST_SIZE_MAX - len(exi) + 1))[0] is Refusal.TOO_LARGE


def test_another_message_than_was_said() -> None:
    install, update = sign(TWO.installation(), TWO.oem.leaf.key), sign(TWO.update(), TWO.mo.leaf.key)
    assert refused(install, action=UPDATE)[0] is Refusal.MALFORMED
    assert refused(update, action=INSTALL)[0] is Refusal.MALFORMED
    assert refused(sign(TWENTY.installation_20(), TWENTY.oem.leaf.key), TWENTY, action=UPDATE)[0] is Refusal.MALFORMED
    assert refused(TWO.answer(install))[0] is Refusal.MALFORMED
    assert refused(write_message(install), TWENTY)[0] is Refusal.MALFORMED


def other_reference(info: SignedInfo) -> SignedInfo:
    return replace(info, references=(replace(info.references[0], uri="#id2"),))


def other_hash(info: SignedInfo) -> SignedInfo:
    digest = replace(info.references[0], digest_method="http://www.w3.org/2000/09/xmldsig#sha1")
    return replace(info, references=(digest,))


def two_references(info: SignedInfo) -> SignedInfo:
    return replace(info, references=info.references * 2)


def other_digest(info: SignedInfo) -> SignedInfo:
    return replace(info, references=(replace(info.references[0], digest=bytes(32)),))


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        (other_reference, Refusal.SIGNATURE_PROFILE),
        (other_hash, Refusal.SIGNATURE_PROFILE),
        (two_references, Refusal.SIGNATURE_PROFILE),
        (other_digest, Refusal.DIGEST_MISMATCH),
    ],
)
def test_what_is_signed(change: Callable[[SignedInfo], SignedInfo], refusal: Refusal) -> None:
    assert refused(sign(TWO.installation(), TWO.oem.leaf.key, change))[0] is refusal


def test_not_signed() -> None:
    assert refused(TWO.installation())[0] is Refusal.SIGNATURE_PROFILE


def test_changed_after_it_was_signed() -> None:
    signed, other = sign(TWO.installation(), TWO.oem.leaf.key), leaf(PCID, TWO.oem.sub2, component="OEM")
    changed = replace(TWO.installation(other), header=signed.header)
    assert refused(changed)[0] is Refusal.DIGEST_MISMATCH
    kept = replace(
        sign(TWENTY.installation_20(), TWENTY.oem.leaf.key), oem_chain=CertificateChain(other.der, (), "id1")
    )
    assert refused(kept, TWENTY)[0] is Refusal.DIGEST_MISMATCH


def test_signed_by_another_key() -> None:
    assert refused(sign(TWO.installation(), OTHER.oem.leaf.key))[0] is Refusal.SIGNATURE_INVALID
    assert refused(sign(TWO.update(), TWO.old.key))[0] is Refusal.SIGNATURE_INVALID
    assert refused(sign(TWENTY.installation_20(), TWENTY.old.key), TWENTY)[0] is Refusal.SIGNATURE_INVALID


def test_of_another_root() -> None:
    assert refused(sign(OTHER.installation(), OTHER.oem.leaf.key))[0] is Refusal.CHAIN_UNTRUSTED
    assert refused(sign(OTHER.update(), OTHER.mo.leaf.key))[0] is Refusal.CHAIN_UNTRUSTED


def test_a_contract_certificate_is_no_vehicles() -> None:
    """The roots of vehicles and of contracts are two sets."""
    assert refused(sign(TWO.installation(TWO.mo.leaf), TWO.mo.leaf.key))[0] is Refusal.CHAIN_UNTRUSTED
    mixed = leaf(EMAID, TWO.oem.sub2, component="MO")
    assert refused(sign(TWO.installation(mixed), mixed.key))[0] is Refusal.CERTIFICATE_PROFILE


def test_a_manufacturer_that_brings_its_root() -> None:
    """-20 carries the sub-CAs: neither they nor a root among them are trusted for that."""
    subs = (*TWENTY.mo.subs, TWENTY.mo.root.der)
    message = replace(TWENTY.installation_20(), oem_chain=CertificateChain(TWENTY.mo.leaf.der, subs, "id1"))
    assert refused(sign(message, TWENTY.mo.leaf.key), TWENTY)[0] is Refusal.CHAIN_UNTRUSTED


def test_a_ca_that_asks_for_itself() -> None:
    assert refused(sign(TWO.installation(TWO.oem.sub2), TWO.oem.sub2.key))[0] is Refusal.CERTIFICATE_PROFILE
    assert refused(sign(TWO.installation(TWO.oem.root), TWO.oem.root.key))[0] is Refusal.CERTIFICATE_PROFILE


def test_dates() -> None:
    message = sign(TWO.installation(), TWO.oem.leaf.key)
    assert refused(message, at=NOW + 31 * DAY)[0] is Refusal.CERTIFICATE_EXPIRED
    assert refused(message, at=NOW - 2 * DAY)[0] is Refusal.CERTIFICATE_NOT_YET_VALID
    assert refused(sign(TWO.update(), TWO.mo.leaf.key), at=NOW + 31 * DAY)[0] is Refusal.CERTIFICATE_EXPIRED


@pytest.mark.parametrize(
    "end",
    [
        lambda: leaf(PCID, TWO.oem.sub2, key=ec.generate_private_key(ec.SECP384R1())),
        lambda: leaf(PCID, TWO.oem.sub2, component="CPO"),
        lambda: leaf(PCID, TWO.oem.sub2, key_usage=usage("key_agreement")),
        lambda: leaf(None, TWO.oem.sub2),
    ],
    ids=["P-384", "CPO", "no signatures", "nameless"],
)
def test_what_no_policy_lets_pass(end: Callable[[], Issued]) -> None:
    message = sign(TWO.installation(end()), TWO.oem.leaf.key)
    policies: tuple[Profiles, ...] = ("enforce", "warn")
    for profiles in policies:
        with pytest.raises(ProvisioningRefused) as caught:
            verified(message, profiles=profiles)
        assert caught.value.refusal is Refusal.CERTIFICATE_PROFILE


@pytest.mark.parametrize("said", ["DE8EXC12345679A", "DE8EXC12345678B", "FR8EXC12345678A", "?8EXC123456789A"])
def test_an_update_of_another_contract(said: str) -> None:
    assert refused(sign(TWO.update(emaid=said), TWO.mo.leaf.key))[0] is Refusal.NO_CONTRACT


def test_an_update_with_a_certificate_of_no_contract() -> None:
    nobody = leaf("somebody", TWO.mo.sub2, component="MO")
    message = sign(TWO.update(nobody), nobody.key)
    with pytest.raises(ProvisioningRefused, match="names no contract"):
        verified(message, profiles="warn")


def test_the_cheaper_check_comes_first() -> None:
    """A forgery of a foreign, expired vehicle is a forgery before anybody looks for a root."""
    end = leaf(PCID, authority("Foreign"), ends=NOW - DAY / 2)
    assert refused(sign(TWO.installation(end), end.key, other_digest))[0] is Refusal.DIGEST_MISMATCH
    assert refused(sign(TWO.installation(end), TWO.oem.leaf.key))[0] is Refusal.CHAIN_UNTRUSTED


def test_texts_are_bounded_and_printable() -> None:
    end = leaf("\u202e\n" + "x" * 50, TWO.oem.sub2)
    for text in (refused(sign(TWO.installation(end), end.key))[1], refused(b"\xff" * 400)[1]):
        assert text.isprintable()
        assert len(text) < 600


# --- whatever comes --------------------------------------------------------------------------------------------------

SIGNED = {
    "install": write_message(sign(TWO.installation(), TWO.oem.leaf.key)),
    "update": write_message(sign(TWO.update(), TWO.mo.leaf.key)),
}


@settings(max_examples=300)
@given(
    name=st.sampled_from(sorted(SIGNED)),
    changes=st.lists(st.tuples(st.integers(0, 4000), st.integers(1, 255)), min_size=1, max_size=3),
    cut=st.integers(0, 3),
)
def test_mutants_are_refused(name: str, changes: list[tuple[int, int]], cut: int) -> None:
    """Nothing but ProvisioningRefused leaves it. What may be changed is the SessionID alone, which nobody signs."""
    octets = bytearray(SIGNED[name])
    for at, flips in changes:
        octets[at % len(octets)] ^= flips
    exi = bytes(octets[: len(octets) - cut])
    if exi == SIGNED[name]:
        return
    action = UPDATE if name == "update" else INSTALL
    try:
        request = verifier(TWO).verify(exi, Schema.ISO_2, action)
    except ProvisioningRefused:
        return
    original = verifier(TWO).verify(SIGNED[name], Schema.ISO_2, action).message
    assert replace(request.message, header=original.header) == original
    assert request.message.header.signature is not None


@settings(max_examples=200)
@given(octets=st.binary(max_size=300))
def test_noise_is_refused(octets: bytes) -> None:
    for world in WORLDS.values():
        with pytest.raises(ProvisioningRefused):
            verifier(world).verify(b"\x80" + octets, world.schema, INSTALL)
