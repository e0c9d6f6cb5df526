"""What a responder answered: everything that makes it one, and each thing that unmakes it."""

import contextlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier
from hypothesis import given
from hypothesis import strategies as st

from pki.certificate_hash import CertificateHash, HashAlgorithm, certificate_hash
from pki.issuing import Hierarchy, Issuer, new_hierarchy
from pki.ocsp.response import (
    CERTIFICATES_MAX,
    LIFETIME_WITHOUT_END,
    RESPONSE_SIZE_MAX,
    Answer,
    OcspRejected,
    read_answer,
)
from pki.revocation import CLOCK_SKEW_MAX, Status
from tests.pki.conftest import NOW
from tests.responders import GOOD, HOUR, REVOKED, UNKNOWN, delegate_of, impostor_of, leaf_of, response, unsuccessful

STRANGE = x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
SECOND = timedelta(seconds=1)
BY_KEY = ocsp.OCSPResponderEncoding.HASH


@dataclass
class Case:
    hierarchy: Hierarchy
    leaf: x509.Certificate

    @property
    def ca(self) -> Issuer:
        return self.hierarchy.issuing

    @property
    def cert_id(self) -> CertificateHash:
        return certificate_hash(self.leaf, self.ca.certificate)

    def read(self, der: bytes, nonce: bytes | None = None) -> Answer:
        return read_answer(der, self.cert_id, self.ca.certificate, now=NOW, nonce=nonce)

    def answer(self, signer: Issuer | None = None, **told: Any) -> Answer:
        return self.read(response(self.cert_id, signer or self.ca, NOW, **told))

    def rejection(self, signer: Issuer | None = None, **told: Any) -> str:
        with pytest.raises(OcspRejected) as rejected:
            self.answer(signer, **told)
        return str(rejected.value)


@pytest.fixture(scope="module")
def case(hierarchy: Hierarchy) -> Case:
    return Case(hierarchy, leaf_of(hierarchy.issuing, NOW))


@pytest.mark.parametrize(
    ("status", "reason", "expected", "words"),
    [
        (GOOD, None, Status.GOOD, ""),
        (REVOKED, x509.ReasonFlags.key_compromise, Status.REVOKED, "keyCompromise"),
        (REVOKED, None, Status.REVOKED, ""),
        (UNKNOWN, None, Status.UNKNOWN, ""),
    ],
)
@pytest.mark.parametrize("names_by", [ocsp.OCSPResponderEncoding.NAME, BY_KEY])
def test_what_the_issuer_itself_says(
    case: Case, status: Any, reason: Any, expected: Status, words: str, names_by: Any
) -> None:
    answer = case.answer(status=status, reason=reason, names_by=names_by)
    assert (answer.status, answer.reason) == (expected, words)
    assert (answer.this_update, answer.until, answer.delegate) == (NOW, NOW + HOUR, None)
    assert answer.is_vouched_for


@pytest.mark.parametrize("names_by", [ocsp.OCSPResponderEncoding.NAME, BY_KEY])
def test_what_a_delegate_says(case: Case, names_by: Any) -> None:
    delegate = delegate_of(case.ca, NOW)
    answer = case.answer(delegate, brings=(case.leaf, delegate.certificate), names_by=names_by)
    assert (answer.status, answer.delegate, answer.is_vouched_for) == (Status.GOOD, delegate.certificate, True)


def test_a_delegate_without_nocheck_has_to_be_asked_about(case: Case) -> None:
    delegate = delegate_of(case.ca, NOW, no_check=False)
    assert not case.answer(delegate, brings=(delegate.certificate,)).is_vouched_for


def test_an_rsa_issuer() -> None:
    hierarchy = new_hierarchy("RSA", "CPO", NOW, use_rsa=True)
    case = Case(hierarchy, leaf_of(hierarchy.issuing, NOW))
    assert case.answer().status is Status.GOOD


@pytest.mark.parametrize(
    ("usages", "further", "words"),
    [
        ((), (), "no id-kp-OCSPSigning"),
        ((ExtendedKeyUsageOID.SERVER_AUTH,), (), "no id-kp-OCSPSigning"),
        ((ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,), (), "no id-kp-OCSPSigning"),
        ((ExtendedKeyUsageOID.OCSP_SIGNING,), ((STRANGE, True),), "unknown critical extension"),
        (
            (ExtendedKeyUsageOID.OCSP_SIGNING,),
            ((x509.KeyUsage(False, False, True, False, False, False, False, False, False), True),),
            "key usage",
        ),
    ],
)
def test_a_certificate_of_the_issuer_that_is_no_responders(case: Case, usages: Any, further: Any, words: str) -> None:
    delegate = delegate_of(case.ca, NOW, usages=usages, further=further)
    assert words in case.rejection(delegate, brings=(delegate.certificate,))


def test_a_delegate_that_has_expired(case: Case) -> None:
    delegate = delegate_of(case.ca, NOW, lifetime=-SECOND)
    assert "isn't valid now" in case.rejection(delegate, brings=(delegate.certificate,))


def test_a_delegate_of_another_ca(case: Case, foreign: Hierarchy) -> None:
    for other in (foreign.issuing, case.hierarchy.root):
        delegate = delegate_of(other, NOW)
        assert "another CA" in case.rejection(delegate, brings=(delegate.certificate,))


def test_a_delegate_of_a_ca_that_has_only_the_name(case: Case) -> None:
    impostor = Issuer(case.ca.certificate, new_hierarchy("X", "X", NOW).issuing.key)
    delegate = delegate_of(impostor, NOW)
    assert "another CA" in case.rejection(delegate, brings=(delegate.certificate,))


def test_a_signature_that_is_another_ones(case: Case) -> None:
    assert "the signature isn't" in case.rejection(impostor_of(case.ca.certificate, NOW))
    delegate = delegate_of(case.ca, NOW).certificate
    assert "the signature isn't" in case.rejection(impostor_of(delegate, NOW), brings=(delegate,))


def test_a_signature_of_another_kind_than_the_key(case: Case) -> None:
    key = rsa.generate_private_key(65537, 2048)
    assert "another kind" in case.rejection(impostor_of(case.ca.certificate, NOW, key))


def test_a_signer_that_nobody_knows(case: Case, foreign: Hierarchy) -> None:
    assert "signed neither" in case.rejection(foreign.issuing)


def test_more_certificates_than_a_response_needs(case: Case) -> None:
    delegate = delegate_of(case.ca, NOW)
    enough = (delegate.certificate,) * CERTIFICATES_MAX
    assert case.answer(delegate, brings=enough).status is Status.GOOD
    assert "more than" in case.rejection(delegate, brings=(*enough, delegate.certificate))


def test_another_certificate(case: Case, foreign: Hierarchy) -> None:
    others = (
        leaf_of(case.ca, NOW),
        leaf_of(foreign.issuing, NOW),
    )
    for other in others:
        der = response(certificate_hash(other, case.ca.certificate), case.ca, NOW)
        with pytest.raises(OcspRejected, match="isn't about this"):
            case.read(der)


def test_the_same_certificate_in_another_hash(case: Case) -> None:
    with pytest.raises(OcspRejected, match="isn't about this"):
        case.read(response(certificate_hash(case.leaf, case.ca.certificate, HashAlgorithm.SHA384), case.ca, NOW))


@pytest.mark.parametrize(
    ("this_update", "next_update", "ok"),
    [
        (CLOCK_SKEW_MAX, HOUR, True),
        (CLOCK_SKEW_MAX + SECOND, HOUR, False),
        (-HOUR, -CLOCK_SKEW_MAX, True),
        (-HOUR, -CLOCK_SKEW_MAX - SECOND, False),
        (-LIFETIME_WITHOUT_END, None, True),
        (-LIFETIME_WITHOUT_END - CLOCK_SKEW_MAX - SECOND, None, False),
    ],
)
def test_dates(case: Case, this_update: timedelta, next_update: timedelta | None, *, ok: bool) -> None:
    if ok:
        assert case.answer(this_update=this_update, next_update=next_update).status is Status.GOOD
    else:
        assert case.rejection(this_update=this_update, next_update=next_update)


@pytest.mark.parametrize("status", [each for each in ocsp.OCSPResponseStatus if each.value])
def test_a_response_that_says_nothing(case: Case, status: ocsp.OCSPResponseStatus) -> None:
    with pytest.raises(OcspRejected, match=status.name.lower()):
        case.read(unsuccessful(status))


def test_the_nonce(case: Case) -> None:
    ours, others = b"a" * 32, b"b" * 32
    assert case.read(response(case.cert_id, case.ca, NOW), ours).status is Status.GOOD, "it needn't be echoed"
    assert case.read(response(case.cert_id, case.ca, NOW, nonce=ours), ours).status is Status.GOOD
    for asked in (others, None):
        with pytest.raises(OcspRejected, match="nonce"):
            case.read(response(case.cert_id, case.ca, NOW, nonce=ours), asked)


def test_extensions(case: Case) -> None:
    assert case.answer(further=((STRANGE, False),)).status is Status.GOOD
    assert "unknown critical extension" in case.rejection(further=((STRANGE, True),))


def test_a_weak_signature(case: Case) -> None:
    # pyca signs nothing with SHA-1 for OCSP: the name of the algorithm is changed in its place.
    der = response(case.cert_id, case.ca, NOW)
    sha256, sha1 = bytes.fromhex("06082a8648ce3d040302"), bytes.fromhex("06082a8648ce3d040301")
    with pytest.raises(OcspRejected):
        case.read(der.replace(sha256, sha1))


def test_an_issuer_that_has_expired(case: Case) -> None:
    late = case.ca.certificate.not_valid_after_utc + SECOND
    with pytest.raises(OcspRejected, match="expired"):
        read_answer(response(case.cert_id, case.ca, late), case.cert_id, case.ca.certificate, now=late)


def test_the_size(case: Case) -> None:
    with pytest.raises(OcspRejected, match=f"at most {RESPONSE_SIZE_MAX}"):
        case.read(bytes(RESPONSE_SIZE_MAX + 1))
    with pytest.raises(OcspRejected, match="decoded"):
        case.read(bytes(RESPONSE_SIZE_MAX))


@pytest.fixture(scope="module")
def revoked(case: Case) -> bytes:
    return response(case.cert_id, case.ca, NOW, status=REVOKED)


@given(place=st.integers(0, 299), change=st.integers(1, 255))
def test_no_byte_may_change(case: Case, revoked: bytes, place: int, change: int) -> None:
    """Whatever becomes of a response on its way: it says the same, or nothing."""
    der = bytearray(revoked)
    der[place] ^= change
    with contextlib.suppress(OcspRejected):
        assert case.read(bytes(der)).status is Status.REVOKED


@given(garbage=st.binary(max_size=600))
def test_garbage(case: Case, garbage: bytes) -> None:
    with pytest.raises(OcspRejected):
        case.read(garbage)


def test_hash_of_the_algorithms(case: Case) -> None:
    assert case.answer(algorithm=hashes.SHA384()).status is Status.GOOD
