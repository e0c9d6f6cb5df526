"""The question to a responder, and whether an answer is one to it."""

import dataclasses

import pytest
from cryptography import x509
from cryptography.x509 import ocsp

from pki.certificate_hash import HashAlgorithm, certificate_hash
from pki.issuing import Hierarchy
from pki.ocsp.request import is_about, ocsp_request
from tests.pki.conftest import NOW
from tests.responders import leaf_of, response


@pytest.mark.parametrize("algorithm", list(HashAlgorithm))
@pytest.mark.parametrize("nonce", [None, b"n" * 32])
def test_the_question(hierarchy: Hierarchy, algorithm: HashAlgorithm, nonce: bytes | None) -> None:
    ca = hierarchy.issuing.certificate
    leaf = leaf_of(hierarchy.issuing, NOW)
    asked = ocsp.load_der_ocsp_request(ocsp_request(certificate_hash(leaf, ca, algorithm), nonce))
    whole = ocsp.OCSPRequestBuilder().add_certificate(leaf, ca, algorithm.hash).build()
    for name in ("serial_number", "issuer_name_hash", "issuer_key_hash"):
        assert getattr(asked, name) == getattr(whole, name)
    assert asked.hash_algorithm.name == algorithm.hash.name
    assert [extension.value for extension in asked.extensions] == ([] if nonce is None else [x509.OCSPNonce(nonce)])


@pytest.mark.parametrize(
    "other", [{"algorithm": HashAlgorithm.SHA384}, {"issuer_name": "00"}, {"issuer_key": "00"}, {"serial": "1"}]
)
def test_every_field_counts(hierarchy: Hierarchy, other: dict[str, object]) -> None:
    certificate = certificate_hash(leaf_of(hierarchy.issuing, NOW), hierarchy.issuing.certificate)
    answer = ocsp.load_der_ocsp_response(response(certificate, hierarchy.issuing, NOW))
    assert is_about(answer, certificate)
    assert not is_about(answer, dataclasses.replace(certificate, **other))  # type: ignore[arg-type]  # each of its own
