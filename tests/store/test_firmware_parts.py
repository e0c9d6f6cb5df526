"""An image's file on its way: what is taken up again, what is dropped, and that a failure leaves nothing behind."""

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.store import firmware_parts
from gateway.store.firmware_parts import PARTS_MAX, Part, Space, make_room, sweep
from pki.firmware import FirmwareRefused, Refusal

MAX_SIZE = 10_000
TAG = '"v1"'
LATER = 1e12


@pytest.fixture
def space(tmp_path: Path) -> Space:
    return Space(tmp_path / "firmware", MAX_SIZE, reserve=0)


def left(space: Space) -> list[str]:
    """What lies in the folder: ``incoming`` files by their suffix, images by the beginning of their name."""
    files = [path for path in space.directory.rglob("*") if path.is_file()]
    return sorted(path.suffix or path.name[:8] for path in files)


def begin(space: Space, key: str = "key", validator: str | None = TAG, octets: bytes = b"") -> Part:
    part = Part.open(space, key)
    part.restart(validator)
    part.append(octets)
    return part


def waiting(space: Space, octets: bytes = b"first", key: str = "key") -> Path:
    """Leave a part that can be resumed; return its note."""
    before = set(space.incoming.glob("*.note")) if space.incoming.exists() else set()
    begin(space, key, octets=octets).close()
    (note,) = set(space.incoming.glob("*.note")) - before
    return note


def test_an_image_is_there_when_it_is_whole(space: Space) -> None:
    part = begin(space, octets=b"some ")
    part.append(b"octets")
    assert ".part" in left(space)
    digest = part.commit(None)
    (image,) = space.directory.glob(digest.sha256.hex())
    assert image.read_bytes() == b"some octets"
    assert (digest.size, digest.sha256) == (11, hashlib.sha256(b"some octets").digest())
    assert digest.md5 == hashlib.md5(b"some octets", usedforsecurity=False).digest()
    assert left(space) == [digest.sha256.hex()[:8]]
    assert (image.stat().st_mode & 0o777, space.incoming.stat().st_mode & 0o777) == (0o400, 0o700)


def test_the_same_content_lies_there_once(space: Space) -> None:
    first = begin(space, "one", octets=b"same").commit(None)
    assert begin(space, "other", octets=b"same").commit(None) == first
    assert len(left(space)) == 1


def test_a_damaged_image_is_replaced_by_the_good_one(space: Space) -> None:
    image = space.directory / begin(space, octets=b"good").commit(None).sha256.hex()
    image.chmod(0o600)
    image.write_bytes(b"baad")
    begin(space, octets=b"good").commit(None)
    assert image.read_bytes() == b"good"


def test_what_is_another_image_than_expected_is_dropped(space: Space) -> None:
    part = begin(space, octets=b"other")
    with pytest.raises(FirmwareRefused, match="its SHA-256 is") as caught:
        part.commit("0" * 64)
    assert caught.value.refusal is Refusal.CHANGED
    assert left(space) == []


def test_what_was_left_is_gone_on_with(space: Space) -> None:
    waiting(space, b"first ")
    part = Part.open(space, "key")
    assert (part.offset, part.validator) == (6, TAG)
    part.append(b"second")
    assert part.commit(None).sha256 == hashlib.sha256(b"first second").digest()
    assert Part.open(space, "key").offset == 0


def test_each_key_has_its_own(space: Space) -> None:
    waiting(space, key="../../etc/passwd")
    assert Part.open(space, "another").offset == 0
    assert Part.open(space, "../../etc/passwd").offset == 5


@pytest.mark.parametrize("validator", [None, '"' + "x" * 1000 + '"'])
def test_what_has_no_version_is_not_kept(space: Space, validator: str | None) -> None:
    begin(space, validator=validator, octets=b"first").close()
    assert left(space) == []


def test_nothing_is_kept_of_nothing(space: Space) -> None:
    begin(space).close()
    assert left(space) == []


def test_beginning_anew_forgets_what_was_there(space: Space) -> None:
    waiting(space)
    part = Part.open(space, "key")
    part.restart('"v2"')
    part.append(b"anew")
    part.close()
    part = Part.open(space, "key")
    assert (part.offset, part.validator) == (4, '"v2"')
    assert part.commit(None).sha256 == hashlib.sha256(b"anew").digest()


def test_what_was_not_on_the_disk_for_certain_comes_again(space: Space) -> None:
    """After a loss of power a file may be longer than what is whole in it."""
    part = waiting(space).with_suffix(".part")
    part.write_bytes(b"first\0\0\0")
    resumed = Part.open(space, "key")
    assert resumed.offset == 5
    resumed.append(b"!")
    assert resumed.commit(None).sha256 == hashlib.sha256(b"first!").digest()


def test_a_file_that_is_shorter_than_noted(space: Space) -> None:
    waiting(space).with_suffix(".part").write_bytes(b"fir")
    assert Part.open(space, "key").offset == 3


@settings(max_examples=40)
@given(
    note=st.binary(max_size=50)
    | st.fixed_dictionaries(
        {},
        optional={"validator": st.none() | st.integers() | st.text(), "synced": st.none() | st.integers() | st.text()},
    ).map(lambda made: json.dumps(made).encode())
)
def test_whatever_a_note_says(tmp_path_factory: pytest.TempPathFactory, note: bytes) -> None:
    space = Space(tmp_path_factory.mktemp("firmware"), MAX_SIZE, reserve=0)
    waiting(space).write_bytes(note)
    part = Part.open(space, "key")
    assert part.offset <= 5
    assert (part.validator is None) == (part.offset == 0)
    part.discard()
    assert left(space) == []


def test_who_finds_it_in_anothers_hands_writes_its_own(space: Space) -> None:
    first = begin(space, octets=b"same")
    second = begin(space, octets=b"same")
    assert second.commit(None) == first.commit(None)
    assert len(left(space)) == 1


def test_what_has_ended_takes_no_more(space: Space) -> None:
    part = begin(space)
    part.discard()
    part.discard()
    part.close()
    for work in (lambda: part.append(b"x"), lambda: part.restart(None), lambda: part.commit(None)):
        with pytest.raises(ValueError, match="it has ended"):
            work()


def test_the_greatest_image(space: Space) -> None:
    part = begin(space, octets=b"x" * MAX_SIZE)
    part.expect(MAX_SIZE)
    assert part.commit(None).size == MAX_SIZE


@pytest.mark.parametrize(
    "work",
    [lambda part: part.expect(MAX_SIZE + 1), lambda part: [part.append(b"x" * 5001) for _ in range(2)]],
    ids=["announced", "come"],
)
def test_one_byte_more(space: Space, work: Callable[[Part], Any]) -> None:
    part = begin(space)
    with pytest.raises(FirmwareRefused, match=r"more than 10000 bytes; raise firmware\.max_size") as caught:
        work(part)
    assert caught.value.refusal is Refusal.TOO_LARGE
    assert left(space) == []


def test_room_is_kept_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = [1000]
    space = Space(tmp_path, MAX_SIZE, reserve=100, free=lambda _: free[0])
    part = begin(space, octets=b"x" * 10)
    part.expect(910)
    with pytest.raises(FirmwareRefused, match="901 bytes are to come and 900 are free") as caught:
        part.expect(911)
    assert caught.value.refusal is Refusal.NO_SPACE
    assert left(space) == []

    monkeypatch.setattr(firmware_parts, "CHECKPOINT", 10)
    part, free[0] = begin(space), 99
    with pytest.raises(FirmwareRefused) as caught:
        part.append(b"x" * 10)
    assert caught.value.refusal is Refusal.NO_SPACE, "what didn't say its length is stopped, too"
    assert left(space) == []


class Disk:
    """Takes ``room`` bytes, in pieces, and no more."""

    def __init__(self, room: int, number: int) -> None:
        self.room = room
        self.number = number
        self._write = os.pwrite

    def pwrite(self, descriptor: int, data: memoryview, offset: int) -> int:
        if not self.room:
            raise OSError(self.number, os.strerror(self.number))
        taken = min(self.room, len(data), 3)
        self.room -= taken
        return self._write(descriptor, data[:taken], offset)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS])
def test_a_disk_that_takes_no_more(space: Space, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    part = begin(space)
    monkeypatch.setattr(os, "pwrite", Disk(7, number).pwrite)
    with pytest.raises(FirmwareRefused, match=os.strerror(number)) as caught:
        part.append(b"0123456789")
    assert caught.value.refusal is Refusal.NO_SPACE
    assert left(space) == []


def test_a_disk_that_takes_it_in_pieces(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "pwrite", Disk(10, 0).pwrite)
    assert begin(space, octets=b"0123456789").commit(None).sha256 == hashlib.sha256(b"0123456789").digest()


def _full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_that_is_full_at_the_end(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    part = begin(space, octets=b"x")
    monkeypatch.setattr(os, "fsync", _full)
    with pytest.raises(FirmwareRefused):
        part.commit(None)
    assert left(space) == []


def test_what_cannot_be_kept_is_dropped(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    part = begin(space, octets=b"x")
    monkeypatch.setattr(os, "fsync", _full)
    part.close()
    assert left(space) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from gateway.store import firmware_parts
firmware_parts.CHECKPOINT = 1000
part = firmware_parts.Part.open(firmware_parts.Space(Path(sys.argv[1]), 10_000, 0), "key")
part.restart('"v1"')
for _ in range(25):
    part.append(b"x" * 100)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_kill_leaves_is_gone_on_with(space: Space) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED, str(space.directory)], check=False)  # noqa: S603 - our own words
    assert ended.returncode == -signal.SIGKILL
    part = Part.open(space, "key")
    assert (part.offset, part.validator) == (2000, TAG)
    part.append(b"y")
    assert part.commit(None).sha256 == hashlib.sha256(b"x" * 2000 + b"y").digest()


def test_the_sweep(space: Space) -> None:
    resumable = waiting(space).with_suffix(".part")
    orphan = resumable.with_name("0.part")
    orphan.write_bytes(b"of a crash")
    resumable.with_name("1.note").write_text("{}")
    held = begin(space, "held", octets=b"coming")
    assert sweep(space.incoming, before=0.0) == 1
    assert (resumable.exists(), orphan.exists(), resumable.with_name("1.note").exists()) == (True, False, False)
    assert sweep(space.incoming, before=LATER) == 1
    assert not resumable.exists()
    assert held.commit(None).size == 6


def test_few_wait_to_be_resumed(space: Space) -> None:
    for number in range(PARTS_MAX + 1):
        note = waiting(space, key=str(number))
        os.utime(note.with_suffix(".part"), (number, number))
    make_room(space.incoming)
    assert len(list(space.incoming.glob("*.part"))) == PARTS_MAX
    assert Part.open(space, "0").offset == 0
    assert Part.open(space, "1").offset == 5


def test_what_is_in_somebodys_hands_is_not_removed(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firmware_parts, "PARTS_MAX", 1)
    part = begin(space, octets=b"first")
    waiting(space, key="another")
    make_room(space.incoming)
    part.append(b"!")
    assert part.commit(None).size == 6


def test_a_link_in_its_place_is_not_followed(space: Space, tmp_path: Path) -> None:
    part = waiting(space).with_suffix(".part")
    part.unlink()
    (tmp_path / "elsewhere").write_bytes(b"precious")
    part.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        Part.open(space, "key")
    assert (tmp_path / "elsewhere").read_bytes() == b"precious"
