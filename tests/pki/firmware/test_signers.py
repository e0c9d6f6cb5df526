"""Signers: the ones that hold, and a table of those that don't, each refused for its own reason."""

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from pki.crl import parse_crls
from pki.firmware import FirmwareRefused, Refusal
from pki.firmware.signers import CHARACTERS_MAX, SignerTrust
from pki.revocation import CrlStore, Finding, Status
from tests.firmware_pki import CODE_SIGNING, DAY, Signer, crl_of, make_signer, manufacturer, rsa_key
from tests.iso15118_pki import CA_USAGE, Issued, authority, usage

PKI: Final = manufacturer()
FOREIGN: Final = manufacturer("Foreign")
NOW: Final = PKI.now
CLIENT: Final = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
UNKNOWN: Final = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
ANY: Final = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])


class Saying:
    """A source of revocation that says the same of everything, from when it is asked."""

    def __init__(self, status: Status, known: Status = Status.UNKNOWN) -> None:
        self._said, self._known = Finding(status, f"{status.value} it says"), Finding(known, f"{known.value} it knows")
        self.asked = 0

    async def status(self, path: Sequence[x509.Certificate]) -> Finding:
        self.asked += 1
        return self._said

    def known(self, path: Sequence[x509.Certificate]) -> Finding:
        return self._known


def trusting(*sources: Any, at: datetime = NOW, **how: Any) -> SignerTrust:
    how.setdefault("revocation", "strict" if sources else "off")
    return SignerTrust([PKI.root.certificate], [PKI.sub.certificate], sources=sources, clock=lambda: at, **how)


TRUST: Final = trusting()


async def refused(trust: SignerTrust, pem: str, **how: Any) -> tuple[Refusal, str]:
    with pytest.raises(FirmwareRefused) as caught:
        await trust.check(pem, **how)
    assert caught.value.refusal.is_certificates
    return caught.value.refusal, str(caught.value)


def made(issuer: Issued = PKI.sub, **how: Any) -> Signer:
    return make_signer("Made", issuer, begins=NOW - DAY, ends=NOW + DAY, **how)


def pem_of(*issued: Issued) -> str:
    return "".join(each.certificate.public_bytes(Encoding.PEM).decode() for each in issued)


# --- what holds ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signer", [PKI.ec, PKI.rsa, PKI.revoked], ids=["EC", "RSA", "nobody is asked"])
async def test_a_signer_alone(signer: Signer) -> None:
    path = await TRUST.check(signer.pem)
    assert path == (signer.certificate, PKI.sub.certificate, PKI.root.certificate)


async def test_a_signer_with_its_cas() -> None:
    trust = SignerTrust([PKI.root.certificate], revocation="off", clock=lambda: NOW)
    assert len(await trust.check(PKI.ec.pem + pem_of(PKI.sub))) == 3
    assert len(await trust.check(PKI.ec.pem + pem_of(PKI.sub, PKI.root))) == 3, "a root that comes along is passed over"
    assert (await refused(trust, PKI.ec.pem))[0] is Refusal.CERTIFICATE_UNTRUSTED, "a leaf without chain"


@pytest.mark.parametrize(
    "how",
    [
        {"extensions": ()},
        {"extensions": [(CODE_SIGNING, True)]},
        {"extensions": [(ANY, False)]},
        {"key_usage": None},
        {"key_usage": usage("digital_signature", "key_agreement"), "extensions": [(CODE_SIGNING, False)]},
        {"key_usage": usage("digital_signature", "content_commitment")},
        {"key": ec.generate_private_key(ec.SECP521R1())},
        {"key": rsa_key(2048)},
    ],
)
async def test_what_a_signer_may_be(how: dict[str, Any]) -> None:
    signer = made(**how)
    assert (await TRUST.check(signer.pem))[0] == signer.certificate


async def test_a_sub_ca_alone_may_be_the_root_of_signers() -> None:
    """Where a manufacturer's root has its stations' certificates below it, too."""
    trust = SignerTrust([PKI.sub.certificate], revocation="off", clock=lambda: NOW)
    assert await trust.check(PKI.ec.pem) == (PKI.ec.certificate, PKI.sub.certificate)
    station = authority("Example Stations CA", PKI.root, begins=NOW - DAY, ends=NOW + DAY)
    assert (await refused(trust, made(station).pem + pem_of(station)))[0] is Refusal.CERTIFICATE_UNTRUSTED


# --- what doesn't ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"extensions": [(CLIENT, False)]}, "isn't signing code"),
        ({"extensions": [(CLIENT, True)]}, "isn't signing code"),
        ({"key_usage": usage("key_agreement")}, "isn't for signatures"),
        ({"key_usage": usage("digital_signature", "key_agreement"), "extensions": ()}, "for TLS"),
        ({"key_usage": usage("digital_signature", "key_encipherment"), "extensions": ()}, "for TLS"),
        ({"key_usage": CA_USAGE}, "is a CA's certificate"),
        ({"key": rsa_key(1024)}, "2048 to 4096 bits"),
        ({"key": ec.generate_private_key(ec.SECP224R1())}, "secp224r1"),
        ({"key": ec.generate_private_key(ec.BrainpoolP256R1())}, "brainpoolP256r1"),
        (
            {"extensions": [(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)]},
            "1.2.3.4",
        ),
    ],
)
async def test_what_a_signer_may_not_be(how: dict[str, Any], why: str) -> None:
    refusal, text = await refused(TRUST, made(**how).pem)
    assert (refusal, why in text) == (Refusal.CERTIFICATE_PROFILE, True), text


async def test_a_ca_as_signer() -> None:
    for ca in (PKI.sub, PKI.root, FOREIGN.root):
        assert (await refused(TRUST, pem_of(ca)))[0] is Refusal.CERTIFICATE_PROFILE


async def test_a_sub_ca_that_is_for_something_else() -> None:
    stations = authority(
        "Example Stations CA", PKI.root, begins=NOW - DAY, ends=NOW + DAY, extensions=[(CLIENT, False)]
    )
    for extensions in ((), ((CODE_SIGNING, False),)):
        refusal, text = await refused(TRUST, made(stations, extensions=extensions).pem + pem_of(stations))
        assert (refusal, "Stations CA" in text) == (Refusal.CERTIFICATE_PROFILE, True)


@pytest.mark.parametrize("others", [(), (FOREIGN.sub,), (FOREIGN.sub, FOREIGN.root)], ids=len)
async def test_another_manufacturers(others: Sequence[Issued]) -> None:
    refusal, text = await refused(TRUST, FOREIGN.ec.pem + pem_of(*others))
    assert refusal is Refusal.CERTIFICATE_UNTRUSTED
    assert "roots and intermediates" in text


async def test_an_impostor_of_the_sub_ca() -> None:
    impostor = authority("Example Firmware CA", PKI.root, begins=NOW - DAY, ends=NOW + DAY)
    forged = made(Issued(PKI.sub.certificate, impostor.key))
    assert (await refused(TRUST, forged.pem))[0] is Refusal.CERTIFICATE_UNTRUSTED


@pytest.mark.parametrize(
    "pem",
    [
        "",
        "x",
        PKI.ec.pem[:-30],
        PKI.ec.pem.replace("CERTIFICATE", "PUBLIC KEY"),
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        PKI.ec.pem + "x",
        PKI.ec.pem.ljust(CHARACTERS_MAX + 1),
        PKI.ec.pem * 6,
    ],
    ids=["empty", "x", "cut off", "another label", "no certificate", "more behind it", "too long", "too many"],
)
async def test_what_is_no_certificate(pem: str) -> None:
    assert (await refused(TRUST, pem))[0] is Refusal.CERTIFICATE_MALFORMED


async def test_the_longest_certificate() -> None:
    assert await TRUST.check(PKI.ec.pem.ljust(CHARACTERS_MAX))


@given(at=st.integers(0, 5000), octet=st.binary(min_size=1, max_size=1))
async def test_mutants_are_refused(at: int, octet: bytes) -> None:
    der = bytearray(PKI.ec.issued.der)
    at %= len(der)
    if der[at : at + 1] == octet:
        return
    der[at : at + 1] = octet
    body = base64.b64encode(der).decode()
    await refused(TRUST, f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")


# --- when ------------------------------------------------------------------------------------------------------------


async def test_now_is_when_it_is_looked_at() -> None:
    assert (await refused(TRUST, PKI.expired.pem))[0] is Refusal.CERTIFICATE_EXPIRED
    assert (await refused(TRUST, PKI.expired.pem, signed_at=NOW - 9 * DAY))[0] is Refusal.CERTIFICATE_EXPIRED
    assert (await refused(TRUST, PKI.not_yet.pem))[0] is Refusal.CERTIFICATE_NOT_YET_VALID
    assert await trusting(at=NOW + 2 * DAY).check(PKI.not_yet.pem)
    assert (await refused(trusting(at=NOW + 2000 * DAY), PKI.ec.pem))[0] is Refusal.CERTIFICATE_EXPIRED


async def test_when_it_signed_where_the_policy_says_so() -> None:
    trust = trusting(validity="signing")
    assert await trust.check(PKI.expired.pem, signed_at=NOW - 9 * DAY)
    assert (await refused(trust, PKI.expired.pem))[0] is Refusal.CERTIFICATE_EXPIRED, "nobody says when"
    assert (await refused(trust, PKI.expired.pem, signed_at=NOW - DAY / 2))[0] is Refusal.CERTIFICATE_EXPIRED
    assert (await refused(trust, PKI.ec.pem, signed_at=NOW - 9 * DAY))[0] is Refusal.CERTIFICATE_NOT_YET_VALID
    refusal, _ = await refused(trust, PKI.not_yet.pem, signed_at=NOW + 2 * DAY)
    assert refusal is Refusal.CERTIFICATE_NOT_YET_VALID, "nobody has signed tomorrow"


# --- revocation ------------------------------------------------------------------------------------------------------


def listing(issuer: Issued, *revoked: x509.Certificate) -> CrlStore:
    return CrlStore(parse_crls(crl_of(issuer, revoked, now=NOW)), clock=lambda: NOW)


@pytest.mark.parametrize("revocation", ["strict", "available"])
async def test_what_a_crl_lists(revocation: str) -> None:
    crls = CrlStore(parse_crls(PKI.crl), clock=lambda: NOW)
    trust = trusting(crls, revocation=revocation)
    assert await trust.check(PKI.ec.pem)
    refusal, text = await refused(trust, PKI.revoked.pem)
    assert (refusal, "keyCompromise" in text) == (Refusal.CERTIFICATE_REVOKED, True)


async def test_a_signer_that_is_revoked_had_better_never_signed() -> None:
    trust = trusting(CrlStore(parse_crls(PKI.crl), clock=lambda: NOW), validity="signing")
    assert (await refused(trust, PKI.revoked.pem, signed_at=NOW - DAY))[0] is Refusal.CERTIFICATE_REVOKED


async def test_a_sub_ca_that_is_revoked() -> None:
    trust = trusting(listing(PKI.root, PKI.sub.certificate), revocation="available")
    assert (await refused(trust, PKI.ec.pem))[0] is Refusal.CERTIFICATE_REVOKED


async def test_a_crl_of_another_manufacturer_says_nothing() -> None:
    crls = listing(FOREIGN.sub, PKI.ec.certificate)
    refusal, text = await refused(trusting(crls), PKI.ec.pem)
    assert (refusal, "there is no CRL of" in text) == (Refusal.REVOCATION_UNKNOWN, True)
    assert "revocation: available" in text
    assert await trusting(crls, revocation="available").check(PKI.ec.pem)


async def test_without_anybody_to_ask() -> None:
    refusal, text = await refused(trusting(revocation="strict"), PKI.ec.pem)
    assert (refusal, "neither a CRL nor a responder" in text) == (Refusal.REVOCATION_UNKNOWN, True)
    assert await trusting(revocation="available").check(PKI.ec.pem)


@pytest.mark.parametrize(
    ("said", "strict", "available"),
    [
        ((Status.UNKNOWN, Status.GOOD), None, None),
        ((Status.GOOD, Status.UNKNOWN), None, None),
        ((Status.GOOD, Status.REVOKED), Refusal.CERTIFICATE_REVOKED, Refusal.CERTIFICATE_REVOKED),
        ((Status.UNKNOWN, Status.UNKNOWN), Refusal.REVOCATION_UNKNOWN, None),
    ],
)
async def test_what_several_say(said: tuple[Status, ...], strict: Refusal | None, available: Refusal | None) -> None:
    async def found(revocation: str) -> Refusal | None:
        try:
            await trusting(*map(Saying, said), revocation=revocation).check(PKI.ec.pem)
        except FirmwareRefused as refused:
            return refused.refusal
        return None

    assert (await found("strict"), await found("available")) == (strict, available)


async def test_nobody_is_asked_without_need() -> None:
    known, other = Saying(Status.GOOD, known=Status.REVOKED), Saying(Status.GOOD)
    assert (await refused(trusting(known, other), PKI.ec.pem))[0] is Refusal.CERTIFICATE_REVOKED
    assert (await refused(trusting(other), FOREIGN.ec.pem))[0] is Refusal.CERTIFICATE_UNTRUSTED
    assert await trusting(other, revocation="off").check(PKI.ec.pem)
    assert (known.asked, other.asked) == (0, 0)
