"""Who issued what only hashes name, and whom a certificate names as its responders."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from pki.certificate_hash import HashAlgorithm, certificate_hash
from pki.issuing import Hierarchy
from pki.ocsp.issuers import ISSUERS_MAX, Issuers, responders_of
from tests.pki.conftest import NOW
from tests.responders import leaf_of


@pytest.fixture(scope="module")
def leaf(hierarchy: Hierarchy) -> x509.Certificate:
    return leaf_of(hierarchy.issuing, NOW, responder="http://ocsp.example.com/v2g")


@pytest.mark.parametrize("algorithm", list(HashAlgorithm))
def test_the_issuer_is_found_by_its_hashes(
    hierarchy: Hierarchy, foreign: Hierarchy, leaf: x509.Certificate, algorithm: HashAlgorithm
) -> None:
    issuers = Issuers([hierarchy.root.certificate, hierarchy.issuing.certificate])
    named = certificate_hash(leaf, hierarchy.issuing.certificate, algorithm)
    assert issuers.find(named) == hierarchy.issuing.certificate
    issuers.replace([foreign.issuing.certificate])
    assert issuers.find(named) is None


def test_of_two_certificates_of_one_ca_the_one_that_is_valid_longer(hierarchy: Hierarchy) -> None:
    old = hierarchy.issuing.certificate
    end = old.not_valid_after_utc.replace(year=old.not_valid_after_utc.year + 1)
    new = (
        x509.CertificateBuilder()
        .issuer_name(old.issuer)
        .subject_name(old.subject)
        .public_key(hierarchy.issuing.key.public_key())
        .serial_number(7)
        .not_valid_before(old.not_valid_before_utc)
        .not_valid_after(end)
        .sign(hierarchy.root.key, hashes.SHA256())
    )
    named = certificate_hash(leaf_of(hierarchy.issuing, NOW), old)
    for both in ((old, new), (new, old)):
        assert Issuers(both).find(named) == new


def test_issuers_are_bounded(hierarchy: Hierarchy) -> None:
    issuers = Issuers(leaf_of(hierarchy.issuing, NOW) for _ in range(4))
    assert len(issuers.certificates) == 4
    assert ISSUERS_MAX == 1024


def test_the_responders_that_a_certificate_names(hierarchy: Hierarchy, leaf: x509.Certificate) -> None:
    assert responders_of(leaf) == ["http://ocsp.example.com/v2g"]
    assert responders_of(hierarchy.issuing.certificate) == []
