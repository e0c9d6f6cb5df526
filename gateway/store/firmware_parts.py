"""The file of an image on its way to the disk: hashed while it is written, resumed after a crash, whole or not there.

While it comes it is ``incoming/NAME.part``, locked by who writes it. ``NAME.note`` beside it has what the source calls
this version of it, and how much is on the disk for certain. Without such a name of the version nothing could be
resumed, and nothing is kept.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pki.firmware import FirmwareRefused, ImageDigest, Refusal
from pki.firmware.digest import Digesting

READ: Final = 1_048_576
"""Bytes that are read at once of what is there already."""
CHECKPOINT: Final = 33_554_432
"""Bytes after which what is written is brought to the disk, and free space is looked at again."""
RESERVE: Final = 268_435_456
"""Bytes that an image leaves free: the journal may live on the same disk."""
PARTS_MAX: Final = 16
"""Images that wait to be resumed; the ones that were left first go first."""
_VALIDATOR_MAX: Final = 1_000
_NAME_DIGITS: Final = 40


@dataclass(frozen=True, slots=True)
class Space:
    """Where images come in, and how much of it they may take."""

    directory: Path
    """Where they lie when they are whole, by their SHA-256."""
    max_size: int
    """Bytes of one image."""
    reserve: int = RESERVE
    free: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free
    """Bytes that the disk of this folder has left."""

    @property
    def incoming(self) -> Path:
        return self.directory / "incoming"

    def check(self, size: int, offset: int) -> None:
        """Return when an image of ``size`` fits, of which ``offset`` bytes are here. Raises FirmwareRefused."""
        if size > self.max_size:
            raise FirmwareRefused(
                Refusal.TOO_LARGE, f"it has more than {self.max_size} bytes; raise firmware.max_size if it should"
            )
        if size - offset > (free := self.free(self.directory) - self.reserve):
            raise FirmwareRefused(
                Refusal.NO_SPACE,
                f"{size - offset} bytes are to come and {max(free, 0)} are free in firmware.directory, "
                f"{self.reserve} kept back; make room there",
            )


class Part:
    """The file of one that comes in. Every method blocks; they don't run into each other."""

    def __init__(self, space: Space, path: Path, descriptor: int) -> None:
        self._space = space
        self._path = path
        self._descriptor: int | None = descriptor
        self._turn = threading.RLock()
        self._digesting = Digesting()
        self._synced = 0
        self.offset = 0
        self.validator: str | None = None

    @classmethod
    def open(cls, space: Space, key: str) -> "Part":
        """Take up what is left of ``key``, or begin. Who finds it in another's hands begins one that isn't resumed."""
        space.incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = hashlib.sha256(key.encode()).hexdigest()[:_NAME_DIGITS]
        path = space.incoming / f"{name}.part"
        descriptor = _lock(path, os.O_CREAT)
        if descriptor is None:
            path = path.with_name(f"{secrets.token_hex(_NAME_DIGITS // 2)}.part")
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        part = cls(space, path, descriptor)
        with part._refusing():
            part._resume()
        return part

    def restart(self, validator: str | None) -> None:
        """Begin anew."""
        with self._refusing() as descriptor:
            self.validator = validator if validator is None or len(validator) <= _VALIDATOR_MAX else None
            self.offset = self._synced = 0
            self._digesting = Digesting()
            self._write_note()
            os.ftruncate(descriptor, 0)

    def expect(self, size: int) -> None:
        """Look whether it fits."""
        with self._refusing():
            self._space.check(size, self.offset)

    def append(self, data: bytes) -> None:
        """Write and hash."""
        with self._refusing() as descriptor:
            if self.offset + len(data) > self._space.max_size:
                self._space.check(self.offset + len(data), self.offset)
            view = memoryview(data)
            while view:
                written = os.pwrite(descriptor, view, self.offset)
                self._digesting.update(view[:written])
                self.offset += written
                view = view[written:]
            if self.offset - self._synced >= CHECKPOINT:
                self._space.check(self.offset, self.offset)
                self._sync(descriptor)

    def commit(self, expected: str | None) -> ImageDigest:
        """Put it in its place."""
        with self._refusing() as descriptor:
            digest = self._digesting.result()
            if expected is not None and digest.sha256.hex() != expected:
                raise FirmwareRefused(Refusal.CHANGED, f"its SHA-256 is {digest.sha256.hex()}, not {expected}")
            os.fchmod(descriptor, 0o400)
            os.fsync(descriptor)
            self._path.rename(self._space.directory / digest.sha256.hex())
            _sync_folder(self._space.directory)
            self._note.unlink(missing_ok=True)
            self._release()
            return digest

    def discard(self) -> None:
        """Drop it."""
        with self._turn:
            if self._descriptor is not None:
                forget(self._path)
                self._release()

    def close(self) -> None:
        """Keep what can be resumed, drop what can't be."""
        with self._turn:
            if self._descriptor is None:
                return
            if self.validator is None or not self.offset:
                self.discard()
                return
            with contextlib.suppress(FirmwareRefused), self._refusing() as descriptor:
                self._sync(descriptor)
                self._release()

    @property
    def _note(self) -> Path:
        return self._path.with_suffix(".note")

    @contextlib.contextmanager
    def _refusing(self) -> Iterator[int]:
        """Hand out the descriptor; leave nothing behind when something fails."""
        with self._turn:
            if self._descriptor is None:
                raise ValueError("it has ended: open it again")
            try:
                yield self._descriptor
            except OSError as error:
                self.discard()
                raise unwritable(error) from error
            except FirmwareRefused:
                self.discard()
                raise

    def _resume(self) -> None:
        """Take what is on the disk for certain, hashed again; drop the rest."""
        descriptor = self._descriptor
        assert descriptor is not None  # noqa: S101  # it has just been opened
        validator, synced = _read_note(self._note)
        size = min(os.fstat(descriptor).st_size, synced)
        os.ftruncate(descriptor, size)
        while self.offset < size:
            data = os.pread(descriptor, min(READ, size - self.offset), self.offset)
            if not data:
                raise OSError("a part is shorter than it was")
            self._digesting.update(data)
            self.offset += len(data)
        self._synced = self.offset
        self.validator = validator if self.offset else None

    def _sync(self, descriptor: int) -> None:
        os.fsync(descriptor)
        self._synced = self.offset
        self._write_note()

    def _write_note(self) -> None:
        if self.validator is None:
            self._note.unlink(missing_ok=True)
            return
        made = self._note.with_suffix(".new")
        made.write_text(json.dumps({"validator": self.validator, "synced": self._synced}))
        made.replace(self._note)

    def _release(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def sweep(folder: Path, before: float) -> int:
    """Remove what nobody writes and nobody can resume, or what nobody has gone on with since ``before`` (epoch).

    Returns how many. Blocks; raises OSError.
    """
    removed = 0
    for path in _parts(folder):
        is_resumable = _read_note(path.with_suffix(".note"))[1] > 0
        if not is_resumable or _written(path) < before:
            removed += _remove_unless_held(path)
    for path in [*folder.glob("*.note"), *folder.glob("*.new")]:
        if not path.with_suffix(".part").exists():
            path.unlink(missing_ok=True)
    return removed


def make_room(folder: Path) -> None:
    """Remove the oldest of those that wait, so that PARTS_MAX are left. Blocks; raises OSError."""
    for path in _parts(folder)[:-PARTS_MAX]:
        _remove_unless_held(path)


def forget(path: Path) -> None:
    """Remove a part and its note. The note first: a part without a note is never resumed."""
    for suffix in (".note", ".new", ".part"):
        path.with_suffix(suffix).unlink(missing_ok=True)


def unwritable(error: OSError) -> FirmwareRefused:
    """Return what a disk can't do as the refusal of an image."""
    return FirmwareRefused(
        Refusal.NO_SPACE, f"it can't be written to firmware.directory: {error.strerror or error}; look at that disk"
    )


def _parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.part"), key=_written)


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _remove_unless_held(path: Path) -> bool:
    descriptor = _lock(path)
    if descriptor is None:
        return False
    try:
        forget(path)
    finally:
        os.close(descriptor)
    return True


def _lock(path: Path, how: int = 0) -> int | None:
    """Open a file that nobody else holds; None: somebody does, or it isn't there and ``how`` doesn't make it."""
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | how, 0o600)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except FileNotFoundError:
            pass  # it was renamed or removed between the two: look again
        os.close(descriptor)


def _read_note(path: Path) -> tuple[str | None, int]:
    """Return the validator and the bytes that are on the disk for certain; without a good note none are."""
    try:
        noted = json.loads(path.read_bytes())
        validator, synced = noted["validator"], noted["synced"]
    except (OSError, ValueError, LookupError, TypeError):
        return None, 0
    return (validator, synced) if isinstance(validator, str) and isinstance(synced, int) and synced > 0 else (None, 0)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
