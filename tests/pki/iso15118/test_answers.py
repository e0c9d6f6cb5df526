"""Answers of other providers: the honest ones, and a table of what liars and the careless send."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from pki.iso15118.answers import ANSWER_SIZE_MAX, AnswerVerifier
from pki.iso15118.envelope import Sealed, open_2
from pki.iso15118.exi import Schema
from pki.iso15118.failures import failed_response
from pki.iso15118.messages import (
    Action,
    CertificateChain,
    CertificateInstallationRes,
    CertificateInstallationRes20,
    CertificateUpdateReq,
    KeyWrapping,
    Message,
    Notification,
    Request,
    Response,
    RootCertificateId,
)
from pki.iso15118.provisioning import Provision, ProvisioningRefused, Refusal, VerifiedRequest
from pki.iso15118.reading import read_message
from pki.iso15118.trust import TrustedPaths
from pki.iso15118.verification import Profiles, RequestVerifier
from pki.iso15118.writing import write_message
from tests.iso15118_dialogue import SESSION, World, sign
from tests.iso15118_pki import DAY, EMAID, ENCODED_DEFAULT, NOW, Issued, authority, leaf, usage

VECTORS = Path(__file__).parent / "vectors"
TWO, TWENTY, OTHER = World.made(Schema.ISO_2), World.made(Schema.ISO_20), World.made(Schema.ISO_2)
WORLDS = {"-2": TWO, "-20": TWENTY}
ANOTHER = "DE8EXC99999999A"


def asked(world: World, message: Request | None = None) -> VerifiedRequest:
    """Return a request as its verifier gives it; by default an installation."""
    message = message or sign(world.asks(), world.oem.leaf.key)
    action = Action.UPDATE if isinstance(message, CertificateUpdateReq) else Action.INSTALL
    check = RequestVerifier(world.trusting_oem(), world.trusting_mo(), profiles="enforce", clock=lambda: NOW)
    return check.verify(write_message(message), world.schema, action)


INSTALL, INSTALL_20 = asked(TWO), asked(TWENTY)
UPDATE = asked(TWO, sign(TWO.update(TWO.old), TWO.old.key))


def verifier(world: World = TWO, *, profiles: Profiles = "enforce", at: datetime = NOW) -> AnswerVerifier:
    return AnswerVerifier(world.trusting_v2g(), world.trusting_mo(), profiles=profiles, clock=lambda: at)


def refused(
    answer: Response | bytes,
    request: VerifiedRequest = INSTALL,
    *,
    check: AnswerVerifier | None = None,
    emaid: str | None = None,
    refusal: Refusal = Refusal.PROVIDER_ANSWER,
) -> str:
    """Return why an answer is refused."""
    check = check or verifier(TWENTY if request.schema is Schema.ISO_20 else TWO)
    with pytest.raises(ProvisioningRefused) as caught:
        check.check(answer if isinstance(answer, bytes) else write_message(answer), request, emaid=emaid)
    assert caught.value.refusal is refusal
    return str(caught.value)


def answer_2(**how: object) -> CertificateInstallationRes:
    """Return an answer of -2, not signed."""
    return cast("CertificateInstallationRes", TWO.answer(INSTALL.message, **how))  # type: ignore[arg-type]  # as told


def answer_20(**how: object) -> CertificateInstallationRes20:
    return cast("CertificateInstallationRes20", TWENTY.answer(INSTALL_20.message, **how))  # type: ignore[arg-type]  # as told


def by_cps(message: CertificateInstallationRes, **parts: object) -> CertificateInstallationRes:
    """Sign an answer whose parts are others than they should be, as a lying provider can."""
    contract = replace(message.contract, **parts)  # type: ignore[arg-type]  # its fields
    return sign(replace(message, contract=contract), TWO.v2g.leaf.key)


# --- what holds ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("world", "request_"), [(TWO, INSTALL), (TWO, UPDATE), (TWENTY, INSTALL_20)])
def test_what_an_honest_provider_gives(world: World, request_: VerifiedRequest) -> None:
    answer = sign(world.answer(request_.message), world.v2g.leaf.key)
    given = verifier(world).check(write_message(answer), request_, emaid=EMAID)
    assert given == Provision(
        write_message(answer),
        EMAID,
        world.mo.leaf.certificate,
        world.v2g.leaf.certificate,
        remaining=0 if world is TWENTY else None,
    )


def test_the_vehicle_opens_what_passed() -> None:
    given = verifier().check(write_message(sign(answer_2(), TWO.v2g.leaf.key)), INSTALL)
    message = read_message(given.exi, Schema.ISO_2)
    assert isinstance(message, CertificateInstallationRes)
    sealed = Sealed(message.contract.encrypted_private_key, message.contract.dh_public_key)
    key = TWO.oem.leaf.key
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert open_2(sealed, key).public_key() == TWO.mo.leaf.key.public_key()


@pytest.mark.parametrize(
    ("asked_", "answered", "action", "schema"),
    [
        ("iso2_cert_install_req", "iso2_cert_install_res", Action.INSTALL, Schema.ISO_2),
        ("iso2_cert_update_req", "iso2_cert_update_res", Action.UPDATE, Schema.ISO_2),
        ("iso20_cert_install_req", "iso20_cert_install_res", Action.INSTALL, Schema.ISO_20),
    ],
)
def test_answers_of_the_vectors(asked_: str, answered: str, action: Action, schema: Schema) -> None:
    def read(name: str) -> x509.Certificate:
        folder = VECTORS / ("pki_iso2" if schema is Schema.ISO_2 else "pki_iso20")
        return x509.load_pem_x509_certificate((folder / f"{name}.cert.pem").read_bytes())

    oem, mo, v2g = (TrustedPaths([read(f"{name}Root")], subs_of(read, name)) for name in ("oem", "mo", "v2g"))
    request = RequestVerifier(oem, mo, profiles="enforce", clock=lambda: NOW).verify(
        (VECTORS / f"{asked_}.exi").read_bytes(), schema, action
    )
    exi = (VECTORS / f"{answered}.exi").read_bytes()
    given = AnswerVerifier(v2g, mo, profiles="enforce", clock=lambda: NOW).check(exi, request, emaid=EMAID)
    wanted = read_message(exi, schema)
    if wanted.header.timestamp is not None:
        wanted = replace(wanted, header=replace(wanted.header, timestamp=int(NOW.timestamp())))
    assert (given.exi, given.emaid, given.warnings) == (write_message(wanted), EMAID, ())


def subs_of(read: Callable[[str], x509.Certificate], name: str) -> list[x509.Certificate]:
    return [read(f"{name}Sub1"), read(f"{name}Sub2")] if name == "oem" else []


@pytest.mark.parametrize(("world", "request_"), [(TWO, INSTALL), (TWENTY, INSTALL_20)])
def test_the_session_and_the_time_are_those_of_now(world: World, request_: VerifiedRequest) -> None:
    """OPCP's answers are older than the session; nobody signs the header."""
    answer = sign(world.answer(request_.message), world.v2g.leaf.key)
    notification, timestamp = (Notification("ParsingError", "of another time"), None) if world is TWO else (None, 1)
    old = replace(answer.header, session_id=bytes(8), notification=notification, timestamp=timestamp)
    stored = replace(answer, header=old)
    given = read_message(verifier(world).check(write_message(stored), request_).exi, world.schema)
    assert given == answer
    assert given.header.session_id == SESSION


def test_an_emaid_with_and_without_its_check_digit() -> None:
    contract = leaf("DE8EXC12345678", TWO.mo.sub2, component="MO")
    answer = sign(answer_2(contract=contract, emaid="DE8EXC12345678"), TWO.v2g.leaf.key)
    assert verifier().check(write_message(answer), INSTALL, emaid="de-8ex-c12345678").emaid == "DE8EXC12345678"


@pytest.mark.parametrize("world", list(WORLDS.values()), ids=list(WORLDS))
def test_without_roots_at_hand(world: World) -> None:
    """The chain hangs together; whether the vehicle trusts it, it will say."""
    request_ = INSTALL_20 if world is TWENTY else INSTALL
    check = AnswerVerifier(None, None, profiles="enforce", clock=lambda: NOW)
    assert check.check(write_message(sign(world.answer(request_.message), world.v2g.leaf.key)), request_).emaid == EMAID

    torn = CertificateChain(world.v2g.leaf.der, OTHER.v2g.subs)
    assert "isn't issued by" in refused(
        sign(world.answer(request_.message, cps=torn), world.v2g.leaf.key), request_, check=check
    )


# --- who signs -------------------------------------------------------------------------------------------------------


def signed_by(end: Issued, *subs: bytes, by: Issued | None = None) -> CertificateInstallationRes:
    return sign(answer_2(cps=CertificateChain(end.der, subs or TWO.v2g.subs)), (by or end).key)


def test_a_cps_that_pyca_cannot_read() -> None:
    """As one in the field is."""
    odd = leaf("CPS", TWO.v2g.sub2, component="CPS", basic_constraints=ENCODED_DEFAULT)
    given = verifier().check(write_message(signed_by(odd)), INSTALL)
    assert given.cps_certificate == odd.certificate


def test_a_cps_that_breaks_its_profile_by_policy() -> None:
    odd = leaf("CPS", TWO.v2g.sub2, component="CPS", key_usage=None)
    given = verifier(profiles="warn").check(write_message(signed_by(odd)), INSTALL)
    assert ["no key usage" in each for each in given.warnings] == [True]
    assert "no key usage" in refused(signed_by(odd))


CPO = authority("CPO Sub", TWO.v2g.root, component="CPO")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (answer_2, "isn't signed"),
        (lambda: signed_by(TWO.v2g.leaf, by=OTHER.v2g.leaf), "wasn't made with the key"),
        (lambda: signed_by(TWO.v2g.leaf, by=TWO.mo.leaf), "wasn't made with the key"),
        (lambda: signed_by(leaf("CPS", TWO.v2g.sub2)), "lacks DC=CPS"),
        (lambda: signed_by(leaf("SECC", TWO.v2g.sub2, component="CPO")), "DC=CPO"),
        (lambda: signed_by(leaf("CPS", CPO, component="CPS"), CPO.der), "DC=CPO"),
        (lambda: signed_by(leaf("CPS", TWO.v2g.sub2, component="CPS", key_usage=usage("key_agreement"))), "signatures"),
        (lambda: signed_by(leaf("CPS", TWO.v2g.sub2, component="CPS", ends=NOW - DAY / 2)), "has expired"),
        (lambda: signed_by(leaf("CPS", TWO.v2g.sub2, component="CPS", begins=NOW + DAY)), "isn't valid before"),
        (lambda: signed_by(OTHER.v2g.leaf, *OTHER.v2g.subs), "no path"),
        (lambda: signed_by(OTHER.v2g.leaf, *OTHER.v2g.subs, OTHER.v2g.root.der), "no path"),
        (lambda: signed_by(TWO.mo.leaf, *TWO.mo.subs), "no path"),
        (lambda: signed_by(TWO.v2g.sub2), "is a CA's certificate"),
        (lambda: signed_by(TWO.v2g.root), "is a CA's certificate"),
    ],
    ids=[
        "nobody", "another key", "the contract's key", "no DC", "a charge point", "a charge point operator's CA",
        "no signatures", "expired", "not yet valid", "another root", "its own root", "a mobility operator", "a CA",
        "the root",
    ],
)  # fmt: skip
def test_who_may_not_sign(answer: Callable[[], CertificateInstallationRes], why: str) -> None:
    assert why in refused(answer())


def test_a_chain_that_is_too_long() -> None:
    sub1 = authority("CPS Sub 1", TWO.v2g.root, component="CPS")
    sub2 = authority("CPS Sub 2", sub1, component="CPS")
    sub3 = authority("CPS Sub 3", sub2, component="CPS")
    end = leaf("CPS", sub3, component="CPS")
    assert "more than 2 sub-CAs" in refused(signed_by(end, sub3.der, sub2.der, sub1.der))


# --- what is signed --------------------------------------------------------------------------------------------------


def contract_of(name: str = EMAID, **how: object) -> CertificateInstallationRes:
    """Return a signed answer with a contract certificate that is made differently."""
    how = {"component": "MO", **how}
    certificate = leaf(name, TWO.mo.sub2, **how)  # type: ignore[arg-type]  # as the table has them
    message = answer_2()
    return by_cps(message, chain=replace(message.contract.chain, certificate=certificate.der))


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda: contract_of(key=ec.generate_private_key(ec.SECP384R1())), "must have a key on secp256r1"),
        (lambda: contract_of(key_usage=usage("key_agreement")), "isn't for signatures"),
        (lambda: contract_of(key_usage=usage("digital_signature")), "key_agreement"),
        (lambda: contract_of(component="CPO"), "DC=CPO"),
        (lambda: contract_of(ends=NOW - DAY / 2), "has expired"),
        (lambda: contract_of(begins=NOW + DAY), "isn't valid before"),
        (lambda: contract_of(ends=NOW + 800 * DAY), "days"),
        (lambda: contract_of(ANOTHER), "the message says another"),
        (lambda: contract_of("somebody"), "'somebody' isn't an eMAID"),
        (lambda: by_cps(answer_2(), emaid=ANOTHER), "the message says another"),
        (lambda: by_cps(answer_2(), chain=CertificateChain(TWO.mo.sub2.der, TWO.mo.subs, "id1")), "is a CA's"),
        (lambda: by_cps(answer_2(), chain=CertificateChain(OTHER.mo.leaf.der, OTHER.mo.subs, "id1")), "no path"),
        (lambda: by_cps(answer_2(), chain=CertificateChain(TWO.mo.leaf.der, (), "id1")), "no path"),
        (lambda: by_cps(answer_2(), dh_public_key=b"\x04" + bytes(64)), "isn't a point of secp256r1"),
        (lambda: by_cps(answer_2(), dh_public_key=b"\x02" + bytes(32)), "33 octets, not 65"),
        (lambda: by_cps(answer_2(), encrypted_private_key=bytes(32)), "32 octets, not 48"),
    ],
    ids=[
        "P-384", "no signatures", "no agreement", "a charge point", "expired", "not yet valid", "too long valid",
        "another eMAID", "no eMAID", "another eMAID beside it", "a CA", "another root", "without its CAs",
        "no point", "compressed", "too short a key",
    ],
)  # fmt: skip
def test_what_a_lying_provider_signs(answer: Callable[[], CertificateInstallationRes], why: str) -> None:
    assert why in refused(answer())


def test_changed_after_it_was_signed() -> None:
    for name, value in {"emaid": ANOTHER, "dh_public_key": TWENTY_POINT, "encrypted_private_key": bytes(48)}.items():
        answer = sign(answer_2(), TWO.v2g.leaf.key)
        contract = replace(answer.contract, **{name: value})  # type: ignore[arg-type]  # its fields
        assert "was changed" in refused(replace(answer, contract=contract))


TWENTY_POINT = bytes.fromhex(
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)
"""P-256's own base point."""


def test_another_contract_than_was_asked_for() -> None:
    honest = sign(answer_2(), TWO.v2g.leaf.key)
    assert "the contract that was asked for says another" in refused(honest, emaid=ANOTHER)
    contract = leaf(ANOTHER, TWO.mo.sub2, component="MO")
    answer = sign(TWO.answer(UPDATE.message, contract=contract, emaid=ANOTHER), TWO.v2g.leaf.key)
    assert "the certificate before says another" in refused(answer, UPDATE)


def test_an_update_that_gives_the_old_certificate_again() -> None:
    answer = sign(TWO.answer(UPDATE.message, contract=TWO.old), TWO.v2g.leaf.key)
    assert "own certificate" in refused(answer, UPDATE)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"ecdh_curve": "X448", "key_wrapping": KeyWrapping.X448, "dh_public_key": bytes(133)}, "X448"),
        ({"key_wrapping": KeyWrapping.TPM, "encrypted_private_key": bytes(206)}, "TPM"),
        ({"dh_public_key": bytes(133)}, "isn't a point of secp521r1"),
    ],
)
def test_keys_of_minus_20_that_the_vehicle_cannot_open(change: dict[str, object], why: str) -> None:
    answer = answer_20()
    if change.get("key_wrapping") is KeyWrapping.X448:
        change = {**change, "encrypted_private_key": bytes(84)}
    data = replace(answer.installation_data, **change)  # type: ignore[arg-type]  # its fields
    assert why in refused(sign(replace(answer, installation_data=data), TWENTY.v2g.leaf.key), INSTALL_20)


def test_a_promise_is_no_answer() -> None:
    ongoing = sign(replace(answer_20(), evse_processing="Ongoing"), TWENTY.v2g.leaf.key)
    assert "Ongoing" in refused(ongoing, INSTALL_20)


# --- what it is ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["FAILED", "FAILED_NoCertificateAvailable", "FAILED_SignatureError"])
def test_a_no_within_an_accepted(code: str) -> None:
    text = refused(failed_response(INSTALL.message, code), refusal=Refusal.PROVIDER_REFUSED)
    assert text == f"the provider answers the vehicle with {code}"
    signed = sign(replace(answer_2(), response_code=code), TWO.v2g.leaf.key)
    assert refused(signed, refusal=Refusal.PROVIDER_REFUSED)


def test_a_warning_of_minus_20_is_a_no() -> None:
    no = failed_response(INSTALL_20.message, "WARNING_NoContractMatchingPCIDFound")
    assert refused(no, INSTALL_20, refusal=Refusal.PROVIDER_REFUSED)


def test_another_message() -> None:
    install, update = (sign(TWO.answer(each.message), TWO.v2g.leaf.key) for each in (INSTALL, UPDATE))
    messages: list[tuple[Message, VerifiedRequest]] = [
        (install, UPDATE),
        (update, INSTALL),
        (INSTALL.message, INSTALL),
        (sign(answer_20(), TWENTY.v2g.leaf.key), INSTALL),
        (install, INSTALL_20),
    ]
    for message, request_ in messages:
        refused(write_message(message), request_)


def test_sizes() -> None:
    exi = write_message(sign(answer_2(), TWO.v2g.leaf.key))
    assert "isn't" not in refused(exi + bytes(ANSWER_SIZE_MAX - len(exi)))
    assert "at most 12750" in refused(exi + bytes(ANSWER_SIZE_MAX - len(exi) + 1))


def test_a_root_that_the_vehicle_does_not_name() -> None:
    """It may be named otherwise than we think, so that this is said, not enforced."""
    message = replace(TWO.installation(), root_certificate_ids=(RootCertificateId("CN=Another", 7),))
    request_ = asked(TWO, sign(message, TWO.oem.leaf.key))
    given = verifier().check(write_message(sign(answer_2(), TWO.v2g.leaf.key)), request_)
    assert ["doesn't name" in each for each in given.warnings] == [True]


SIGNED = write_message(sign(answer_2(), TWO.v2g.leaf.key))


@settings(max_examples=300)
@given(
    changes=st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 255)), min_size=1, max_size=3),
    cut=st.integers(0, 3),
)
def test_mutants_are_refused(changes: list[tuple[int, int]], cut: int) -> None:
    """Nothing but ProvisioningRefused leaves it; what isn't signed is the header, the code and the CPS chain."""
    octets = bytearray(SIGNED)
    for at, flips in changes:
        octets[at % len(octets)] ^= flips
    try:
        given = verifier().check(bytes(octets[: len(octets) - cut]), INSTALL)
    except ProvisioningRefused:
        return
    message, original = (read_message(each, Schema.ISO_2) for each in (given.exi, SIGNED))
    assert isinstance(message, CertificateInstallationRes)
    assert isinstance(original, CertificateInstallationRes)
    assert message.contract == original.contract
    assert message.header == original.header
    assert message.response_code.startswith("OK")
