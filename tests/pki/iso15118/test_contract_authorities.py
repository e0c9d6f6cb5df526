"""Which CAs contracts may come from."""

from itertools import pairwise

import pytest

from pki.certificate_hash import HashAlgorithm, certificate_hash
from pki.iso15118.contract_authorities import INTERMEDIATES_MAX, ContractAuthorities
from tests.contracts import MobilityOperator
from tests.pki.conftest import NOW


@pytest.fixture(scope="module")
def mo() -> MobilityOperator:
    return MobilityOperator(lambda: NOW)


@pytest.mark.parametrize("algorithm", HashAlgorithm)
def test_an_issuer_is_found_by_its_hashes(mo: MobilityOperator, algorithm: HashAlgorithm) -> None:
    known = ContractAuthorities([mo.root.certificate], mo.sub_cas)
    path = mo.contract().path
    for certificate, issuer in pairwise(path):
        assert known.issuer(certificate_hash(certificate, issuer, algorithm)) == issuer


def test_what_leads_to_no_root_is_nobody(mo: MobilityOperator) -> None:
    other = MobilityOperator(lambda: NOW)  # the same names, other keys
    known = ContractAuthorities([mo.root.certificate], [*other.sub_cas, other.root.certificate, mo.contract().leaf])
    path = other.contract().path
    assert [known.issuer(certificate_hash(*pair)) for pair in pairwise(path)] == [None] * 3


def test_a_ca_without_its_own_issuer_leads_nowhere(mo: MobilityOperator) -> None:
    known = ContractAuthorities([mo.root.certificate], [mo.sub_2.certificate])
    assert known.issuer(certificate_hash(mo.contract().leaf, mo.sub_2.certificate)) is None


@pytest.mark.parametrize(("component", "is_known"), [("CPO", False), ("cps", False), ("OEM", False), ("V2G", True)])
def test_a_ca_of_another_role_is_no_mobility_operator(mo: MobilityOperator, component: str, is_known: bool) -> None:
    """Under a V2G root stand charge point operators, too, and `ocsp.issuers` names their CAs."""
    ca = mo.sub_ca(f"{component} sub", component)
    leaf = mo.contract(ca=ca).leaf
    known = ContractAuthorities([mo.root.certificate], [*mo.sub_cas, ca.certificate])
    assert (known.issuer(certificate_hash(leaf, ca.certificate)) is not None) == is_known


def test_which_names_are_those_of_cas(mo: MobilityOperator) -> None:
    known = ContractAuthorities([mo.root.certificate], mo.sub_cas)
    path = mo.contract().path
    named = [certificate_hash(*pair) for pair in pairwise(path)]
    named.append(certificate_hash(mo.root.certificate, mo.root.certificate))
    assert [known.is_ca(each) for each in named] == [False, True, True, True]


def test_who_stands_above_a_ca(mo: MobilityOperator) -> None:
    known = ContractAuthorities([mo.root.certificate], mo.sub_cas)
    path = mo.contract().path
    assert [known.above(ca) for ca in path[1:]] == [path[1:], path[2:], path[3:]]


def test_more_than_are_looked_at(mo: MobilityOperator) -> None:
    leaf = mo.contract().leaf
    known = ContractAuthorities([mo.root.certificate], [leaf] * INTERMEDIATES_MAX + mo.sub_cas)
    assert known.issuer(certificate_hash(leaf, mo.sub_2.certificate)) is None
