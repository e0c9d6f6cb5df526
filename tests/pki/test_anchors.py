"""Roots that are given to stations: how they are read, which chain leads where, what a rotation must bring."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pki.anchors import (
    PEM_MAX,
    ROOTS_MAX,
    Anchor,
    RotationRefused,
    is_issued_by,
    issuer_names,
    leads_to,
    read_anchors,
    read_rotation,
)
from tests.roots import DAY, NOON, Authority, pem

OLD, NEW, OTHER = Authority("old"), Authority("new"), Authority("other")
CROSS = OLD.signs(NEW)


def test_a_file_may_hold_several_roots_each_is_read_once() -> None:
    read = read_anchors(pem(OLD.certificate, NEW.certificate, OLD.certificate).encode())
    assert [each.certificate for each in read] == [OLD.certificate, NEW.certificate]
    assert {len(each.names) for each in read} == {3}
    assert read[0].subject == "CN=old"
    assert read[0].pem == OLD.pem


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "holds no certificates"),
        ("rubbish", "holds no certificates"),
        (pem(CROSS), "CN=new is signed by CN=old; a root is signed by itself"),
        (pem(OLD.signs(NEW, is_ca=False)), "isn't a CA certificate"),
        (pem(*[OLD.certificate] * (ROOTS_MAX + 1)), f"more than {ROOTS_MAX}"),
    ],
)
def test_what_is_no_root_is_refused(content: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_anchors(content.encode())


def test_one_that_no_station_could_be_sent_is_refused() -> None:
    long = Authority("x" * 64)
    long.name = type(long.name)([*long.name, *list(long.name) * 120])
    with pytest.raises(ValueError, match=f"takes {PEM_MAX} at most"):
        read_anchors(pem(long.signs(long)).encode())


def test_which_chain_leads_to_which_root() -> None:
    chain = NEW.chain()
    assert leads_to(chain, NEW.certificate)
    assert not leads_to(chain, OLD.certificate)
    assert leads_to(chain, CROSS), "it has the new root's name and key"
    assert leads_to((*chain, CROSS), OLD.certificate), "by way of the cross-signed one"
    assert leads_to((*chain, NEW.certificate), NEW.certificate)
    impostor = Authority("new")
    assert not leads_to(chain, impostor.certificate), "the same name, another key"
    assert not is_issued_by(chain[0], NEW.certificate)
    names = {(each.algorithm, each.issuer_name) for each in issuer_names(chain)}
    assert all((each.algorithm, each.issuer_name) in names for each in Anchor.of(NEW.certificate).names)
    assert not any((each.algorithm, each.issuer_name) in names for each in OLD.anchor.names)


def test_the_roots_of_a_rotation() -> None:
    roots = read_rotation(OLD.pem.encode(), NEW.pem.encode(), pem(CROSS).encode(), NOON)
    assert [each.certificate for each in roots.new_ones] == [NEW.certificate, CROSS]
    assert roots.cross is not None
    assert roots.cross.names != roots.new.names
    alone = read_rotation(OLD.pem.encode(), NEW.pem.encode(), None, NOON)
    assert alone == replace(roots, cross=None)


EXPIRED = Authority("expired", days=1, since=NOON - 3 * DAY)
FUTURE = Authority("future", since=NOON + DAY)
TWIN = Authority("new")
RENAMED = Authority("renamed")
RENAMED.key = NEW.key


@pytest.mark.parametrize(
    ("old", "new", "cross", "words"),
    [
        (pem(CROSS), OTHER.pem, None, "the old root isn't signed by itself"),
        (OLD.pem, OLD.pem, None, "the same key"),
        (OLD.pem, pem(CROSS), None, "the new root isn't signed by itself"),
        (OLD.pem, EXPIRED.pem, None, "the new root is valid from 2026-05-29 to 2026-05-30 only"),
        (OLD.pem, FUTURE.pem, None, "the new root is valid from 2026-06-02"),
        (OLD.pem, "x", None, "the new root: the file holds no certificates"),
        (OLD.pem, NEW.pem + OTHER.pem, None, "the new root: the file holds 2 certificates"),
        (OLD.pem, NEW.pem, pem(OTHER.signs(NEW)), "isn't signed by the old root"),
        (OLD.pem, NEW.pem, NEW.pem, "isn't signed by the old root"),
        (OLD.pem, NEW.pem, pem(OLD.signs(TWIN)), "doesn't have the new root's name and key"),
        (OLD.pem, NEW.pem, pem(OLD.signs(RENAMED)), "doesn't have the new root's name and key"),
    ],
)
def test_what_would_not_do_is_refused_before_anything_is_sent(
    old: str, new: str, cross: str | None, words: str
) -> None:
    with pytest.raises(RotationRefused, match=words):
        read_rotation(old.encode(), new.encode(), cross.encode() if cross else None, NOON)


def test_a_cross_signature_that_is_forged_is_refused() -> None:
    forger = Authority("old", since=NOON - timedelta(days=1))
    with pytest.raises(RotationRefused, match="isn't signed by the old root"):
        read_rotation(OLD.pem.encode(), NEW.pem.encode(), pem(forger.signs(NEW)).encode(), NOON)
