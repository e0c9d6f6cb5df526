"""Keys and their certificates in one folder: whole or not at all, for their owner alone, unchanged while read."""

import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pki import pair_folder, profiles
from pki.issuing import Hierarchy, PrivateKey, issue, new_hierarchy, new_key
from pki.pair_folder import KNOWN_MAX, PairFolder, PairKind, PairUnusable
from pki.pem_files import certificates_pem, key_pem

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=400)
NAMES = ("gw.example.com", "10.0.0.1")
PATIENCE = 10.0


@pytest.fixture(scope="module")
def csms() -> Hierarchy:
    return new_hierarchy("csms", None, NOW)


@pytest.fixture
def folder(tmp_path: Path) -> PairFolder:
    made = PairFolder(tmp_path / "a" / "issued")
    made.make()
    made.make()
    return made


def made(csms: Hierarchy, *, days: int = 1, use_rsa: bool = False) -> tuple[PrivateKey, str]:
    key = new_key(use_rsa=use_rsa, rsa_bits=2048)
    leaf = issue(
        csms.issuing,
        profiles.with_lifetime(profiles.csms_server(), timedelta(days=days)),
        key.public_key(),
        common_name=NAMES[0],
        organization="Example CPO",
        now=NOW,
        names=NAMES,
    )
    return key, certificates_pem([leaf, csms.issuing.certificate])


def test_what_was_written_is_read(folder: PairFolder, csms: Hierarchy) -> None:
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert folder.read(PairKind.ECDSA) is None
    folder.write(PairKind.ECDSA, *made(csms))
    folder.write(PairKind.RSA, *made(csms, use_rsa=True))
    for kind in PairKind:
        pair = folder.read(kind)
        assert pair is not None
        assert pair.names == set(NAMES)
        assert len(pair.chain) == 2
        assert pair.is_valid(NOW)
        assert not pair.is_valid(LATER)
        assert stat.S_IMODE(pair.path.stat().st_mode) == 0o600
    assert sorted(each.name for each in folder.path.iterdir()) == ["ecdsa.pem", "rsa.pem"]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path, _: path.write_bytes(path.read_bytes()[:400]), "can't be used"),
        (lambda path, _: path.write_bytes(b""), "can't be used"),
        (lambda path, _: path.write_bytes(path.read_bytes().partition(b"-----BEGIN CERT")[0]), "can't be used"),
        (lambda path, _: path.chmod(0o644), "can be read by others"),
        (lambda path, chain: path.write_bytes(key_pem(new_key()) + chain.encode()), "isn't that of its certificate"),
    ],
    ids=["half", "empty", "no certificate", "open to all", "another key"],
)
def test_what_can_not_be_used_is_named_never_shown_and_can_be_set_aside(
    folder: PairFolder, csms: Hierarchy, spoil: object, words: str
) -> None:
    key, chain = made(csms)
    folder.write(PairKind.ECDSA, key, chain)
    folder.write(PairKind.RSA, *made(csms, use_rsa=True))
    spoil(folder.path / "ecdsa.pem", chain)  # type: ignore[operator]  # a table of functions
    with pytest.raises(PairUnusable, match=words):
        folder.read(PairKind.ECDSA)
    with pytest.raises(PairUnusable, match=words), folder.held(NOW):
        pass
    folder.set_aside(PairKind.ECDSA)
    with folder.held(NOW) as pairs:
        assert [each.path.name for each in pairs] == ["rsa.pem"]
    assert sorted(each.name for each in folder.path.iterdir()) == ["ecdsa.unusable", "rsa.pem"]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), PairFolder(tmp_path / "nowhere").held(NOW):
        pass


def test_an_expired_one_is_left_out_beside_a_valid_one_and_kept_alone(folder: PairFolder, csms: Hierarchy) -> None:
    folder.write(PairKind.ECDSA, *made(csms))
    in_a_week = NOW + timedelta(days=7)
    with folder.held(in_a_week) as pairs:
        assert [each.path.name for each in pairs] == ["ecdsa.pem"]
    folder.write(PairKind.RSA, *made(csms, days=30, use_rsa=True))
    with folder.held(in_a_week) as pairs:
        assert [each.path.name for each in pairs] == ["rsa.pem"]


def test_what_is_known_by_its_content_is_bounded(folder: PairFolder, csms: Hierarchy) -> None:
    for _ in range(KNOWN_MAX + 2):
        folder.write(PairKind.ECDSA, *made(csms))
        assert folder.read(PairKind.ECDSA) == folder.read(PairKind.ECDSA)
    assert len(pair_folder._known) <= KNOWN_MAX


def test_nothing_is_replaced_while_somebody_reads(folder: PairFolder, csms: Hierarchy) -> None:
    folder.write(PairKind.ECDSA, *made(csms))
    begun, ended = threading.Event(), threading.Event()
    newer = made(csms)

    def replace() -> None:
        begun.set()
        folder.write(PairKind.ECDSA, *newer)
        ended.set()

    writer = threading.Thread(target=replace)
    with folder.held(NOW) as pairs:
        before = pairs[0].path.read_bytes()
        writer.start()
        assert begun.wait(PATIENCE)
        assert not ended.wait(0.05)  # it would long be done
        assert pairs[0].path.read_bytes() == before
    writer.join(PATIENCE)
    assert ended.is_set()
    assert (folder.path / "ecdsa.pem").read_bytes() != before


def test_readers_do_not_wait_for_each_other(folder: PairFolder, csms: Hierarchy) -> None:
    folder.write(PairKind.ECDSA, *made(csms))
    with folder.held(NOW) as one, folder.held(NOW) as other:
        assert [each.path for each in one] == [each.path for each in other]
