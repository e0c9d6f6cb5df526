"""Which roots a station should have, what must go, and what must never go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.routes import Selection
from gateway.services.trust_plan import (
    Declared,
    Wanted,
    is_installed,
    may_delete,
    missing,
    unwanted,
    wanted_for,
)
from gateway.session.trust import AnchorType, Installed, Ours
from pki.anchors import leads_to
from pki.certificate_hash import HashAlgorithm, certificate_hash
from tests.roots import Authority

CSMS, V2G, MO = AnchorType.CSMS, AnchorType.V2G, AnchorType.MO
A, B, C = Authority("a"), Authority("b"), Authority("c")
EVERYBODY, NORTH = Selection(), Selection(group="north")
UNREADABLE = Installed(CSMS, {"hashAlgorithm": "SHA256", "issuerNameHash": "", "issuerKeyHash": "", "serialNumber": ""})


def declared(*roots: Authority, type_: AnchorType = V2G, stations: Selection = EVERYBODY, **how: bool) -> Declared:
    return Declared("trust_anchors[0]", type_, tuple(each.anchor for each in roots), stations, **how)


def installed(root: Authority, type_: AnchorType = CSMS, algorithm: HashAlgorithm = HashAlgorithm.SHA256) -> Installed:
    return Installed(type_, certificate_hash(root.certificate, root.certificate, algorithm).payload)


def subjects(found: object) -> list[str]:
    assert isinstance(found, list | tuple)
    return [each[1].subject for each in found]


def test_all_entries_count_that_mean_the_station() -> None:
    entries = [declared(A), declared(B, A, stations=NORTH), declared(C, type_=MO, exclusive=True)]
    north, south = wanted_for(entries, "CS1", "north"), wanted_for(entries, "CS1", None)
    assert subjects(north.install) == ["CN=a", "CN=b", "CN=c"]
    assert subjects(south.install) == ["CN=a", "CN=c"]
    assert north.types == {V2G, MO}
    assert north.exclusive == {MO}
    assert len({north.digest, south.digest, Wanted().digest}) == 3
    assert north.digest == wanted_for(list(reversed(entries)), "CS2", "north").digest
    assert north.names(V2G, B.anchor)
    assert not north.names(MO, B.anchor)


def test_what_is_to_be_removed_is_not_installed() -> None:
    wanted = wanted_for([declared(A, B), declared(B, remove=True)], "CS1", None)
    assert (subjects(wanted.install), subjects(wanted.remove)) == (["CN=a"], ["CN=b"])


@pytest.mark.parametrize("algorithm", HashAlgorithm)
def test_it_is_compared_in_the_algorithm_that_the_station_reports(algorithm: HashAlgorithm) -> None:
    wanted = wanted_for([declared(A, B)], "CS1", None)
    has = [installed(A, V2G, algorithm), installed(B, MO, algorithm)]
    assert is_installed(A.anchor, V2G, has)
    assert subjects(missing(wanted, frozenset({V2G}), has)) == ["CN=b"], "as another type it doesn't count"
    assert missing(wanted, frozenset(), has) == [], "it said nothing of this type"


OURS = [Ours(V2G, B.pem)]


@pytest.mark.parametrize(
    ("entries", "has", "gone"),
    [
        ([declared(A)], [A, C], []),
        ([declared(A)], [A, B, C], [B]),
        ([declared(A)], [B], []),
        ([], [B, C], [B]),
        ([declared(A, B)], [A, B], []),
        ([declared(A, exclusive=True)], [A, B, C], [B, C]),
        ([declared(A, exclusive=True)], [B, C], []),
        ([declared(exclusive=True)], [C], [C]),
        ([declared(A), declared(C, remove=True)], [C], [C]),
    ],
    ids=[
        "somebody else's stays",
        "ours goes when nothing names it",
        "not before its successor is there",
        "without a successor at once",
        "what is named stays",
        "exclusive",
        "exclusive: not before one of the declared is there",
        "exclusive, of none",
        "what is to be removed goes at once",
    ],
)
def test_what_goes(entries: list[Declared], has: list[Authority], gone: list[Authority]) -> None:
    there = [installed(each, V2G) for each in has]
    found = unwanted(wanted_for(entries, "CS1", None), there, OURS)
    assert found == [installed(each, V2G) for each in gone]


SHA384 = HashAlgorithm.SHA384
KNOWN = [A.anchor, B.anchor]
CHAIN_A, CHAIN_B, CHAIN_C = A.chain(), B.chain(), C.chain()


@pytest.mark.parametrize(
    ("root", "has", "chains", "why_not"),
    [
        (installed(A), [installed(A)], [], "the last CSMS root"),
        (UNREADABLE, [UNREADABLE, UNREADABLE], [], "the last CSMS root"),
        (installed(A), [installed(A), installed(B)], [], None),
        (installed(A), [installed(A), installed(B)], [CHAIN_A], "may lead to it"),
        (installed(B), [installed(A), installed(B)], [CHAIN_A], None),
        (installed(A), [installed(A), installed(B)], [CHAIN_A, CHAIN_B], "may lead to it"),
        (installed(C), [installed(A), installed(C)], [CHAIN_C], "may lead to it"),
        (installed(A), [installed(A), installed(C)], [CHAIN_C], "no root that would be left is known"),
        (installed(C), [installed(A), installed(C)], [CHAIN_A], None),
        (UNREADABLE, [UNREADABLE, installed(B)], [CHAIN_A], "may lead to it"),
        (UNREADABLE, [UNREADABLE, installed(B)], [CHAIN_B], None),
        (installed(A), [installed(A), installed(A, CSMS, SHA384)], [CHAIN_A], "the last CSMS root"),
        (installed(A), [installed(A), installed(A, CSMS, SHA384), installed(B)], [CHAIN_A], "may lead to it"),
        (installed(C), [installed(C), installed(C, CSMS, SHA384)], [], "the last CSMS root"),
        (installed(A, V2G), [installed(A, V2G)], [CHAIN_A], "lists no CSMS root"),
        (installed(A, V2G), [installed(A, V2G)], [CHAIN_B], None),
        (installed(A, V2G), [installed(A, V2G), installed(B)], [CHAIN_B], None),
        (installed(A, V2G), [installed(A, V2G), installed(A)], [], "the last CSMS root"),
        (installed(A, V2G), [installed(A, V2G), installed(A), installed(B)], [CHAIN_A], "may lead to it"),
        (installed(A, V2G), [installed(A, V2G), installed(A, CSMS, SHA384)], [CHAIN_A], "the last CSMS root"),
        (installed(C, V2G), [installed(C, V2G), installed(C), installed(A)], [CHAIN_A], None),
    ],
)
def test_what_must_not_go(root: Installed, has: list[Installed], chains: list[object], why_not: str | None) -> None:
    found = may_delete(root, has, KNOWN, chains)  # type: ignore[arg-type]  # chains of certificates, written short
    assert (found is None) is (why_not is None)
    assert why_not is None or why_not in str(found)


ALL = [A, B, C]
CHAINS = [CHAIN_A, CHAIN_B, CHAIN_C]


@given(
    has=st.lists(st.sampled_from(ALL), min_size=1, unique=True),
    shown=st.lists(st.sampled_from(CHAINS), unique=True),
    known=st.sets(st.sampled_from(range(3))),
    victim=st.sampled_from(ALL),
    algorithm=st.sampled_from(HashAlgorithm),
)
def test_whatever_goes_no_chain_loses_its_root(
    has: list[Authority],
    shown: list[tuple[object, ...]],
    known: set[int],
    victim: Authority,
    algorithm: HashAlgorithm,
) -> None:
    there = [installed(each, CSMS, algorithm) for each in has]
    root = installed(victim, CSMS, algorithm)
    if may_delete(root, there, [ALL[each].anchor for each in known], shown) is not None:  # type: ignore[arg-type]  # as above
        return
    left = [each for each in has if each is not victim]
    for chain in shown:
        before, after = (any(leads_to(chain, each.certificate) for each in roots) for roots in (has, left))  # type: ignore[arg-type]  # as above
        assert after or not before
