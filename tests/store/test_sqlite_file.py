"""The SQLite file and its lock."""

import contextlib
import fcntl
import os
import sqlite3
import stat
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.store.database import Database
from gateway.store.sqlite_file import ServeLock, prepare
from gateway.store.unavailable import StoreUnavailable

NOBODY = 65534


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Run as a user without root's rights, whom a folder's mode binds."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def closed_folder() -> Iterator[Path]:
    """A folder that anybody may read and nobody write, below one that anybody may enter."""
    with tempfile.TemporaryDirectory() as above:
        Path(above).chmod(0o755)
        folder = Path(above) / "closed"
        folder.mkdir(mode=0o555)
        yield folder


def test_a_new_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "voltgate.db"
    prepare(path)
    assert path.read_bytes().startswith(b"SQLite format 3\0\x10\x00\x02\x02"), "the last two say WAL"
    assert [file.name for file in tmp_path.iterdir()] == ["voltgate.db"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "voltgate.db"
    path.write_text("data")
    path.chmod(0o640)
    prepare(path)
    assert path.read_text() == "data"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="it isn't a file"):
        prepare(tmp_path)


@pytest.mark.parametrize("parent", ["absent", "absent/deeper", "file"])
def test_a_missing_folder_is_named(tmp_path: Path, parent: str) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / parent / "voltgate.db"
    with pytest.raises(StoreUnavailable) as refused:
        prepare(path)
    assert str(refused.value) == f"store {path}: the folder {path.parent} doesn't exist; create it or change store.url"


def test_an_unwritable_folder_is_named(closed_folder: Path) -> None:
    with (
        as_nobody(),
        pytest.raises(StoreUnavailable, match=rf"no file can be made in {closed_folder} \(Permission denied\)"),
    ):
        prepare(closed_folder / "voltgate.db")


def test_a_lock_file_that_cannot_be_written_is_named(closed_folder: Path) -> None:
    with as_nobody(), pytest.raises(StoreUnavailable, match=r"the lock file .*/voltgate\.db\.lock can't be written"):
        ServeLock(closed_folder / "voltgate.db")


def test_the_lock_has_one_holder_and_names_it(tmp_path: Path) -> None:
    path = tmp_path / "voltgate.db"
    lock = ServeLock(path)
    with pytest.raises(StoreUnavailable, match=f"already served by process {os.getpid()}; stop that one first"):
        ServeLock(path)
    lock.release()
    lock.release()
    ServeLock(path).release()


def test_a_holder_that_left_no_name_is_unknown(tmp_path: Path) -> None:
    with (tmp_path / "voltgate.db.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StoreUnavailable, match="already served by process unknown"):
            ServeLock(tmp_path / "voltgate.db")


def test_a_file_system_without_locks_is_no_place_for_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(_descriptor: int, _operation: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(StoreUnavailable, match=r"it can't be locked here \(Operation not supported\)"):
        ServeLock(tmp_path / "voltgate.db")


def test_the_lock_names_no_process_when_it_is_free(tmp_path: Path) -> None:
    ServeLock(tmp_path / "voltgate.db").release()
    assert (tmp_path / "voltgate.db.lock").read_bytes() == b""


def test_an_empty_file_that_was_put_there_is_used(tmp_path: Path) -> None:
    path = tmp_path / "voltgate.db"
    path.touch(mode=0o640)
    prepare(path)
    assert path.stat().st_size > 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_one_process_at_a_time_makes_a_file(tmp_path: Path) -> None:
    """Two that change a file to WAL mode together fail now and then with "database is locked", and don't wait."""
    path = tmp_path / "voltgate.db"
    making = threading.Thread(target=prepare, args=(path,))
    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    making.start()
    making.join(0.05)
    assert making.is_alive()
    assert not path.exists()
    os.close(folder)
    making.join()
    assert path.read_bytes()[18:20] == b"\x02\x02"


def test_a_file_that_cannot_be_made_a_database_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(_path: Path) -> sqlite3.Connection:
        connection = sqlite3.Connection(":memory:")
        connection.set_authorizer(lambda *_: sqlite3.SQLITE_DENY)
        return connection

    monkeypatch.setattr(sqlite3, "connect", connect)
    with pytest.raises(StoreUnavailable, match="not authorized"):
        prepare(tmp_path / "voltgate.db")


async def test_a_file_that_is_removed_or_replaced_while_it_is_open_takes_no_more(tmp_path: Path) -> None:
    path = tmp_path / "voltgate.db"
    database = await Database.open(f"sqlite+aiosqlite:///{path}", exclusive=True)
    try:
        await database.ping()
        path.rename(tmp_path / "elsewhere")
        for replaced in (False, True):
            if replaced:
                path.write_bytes(b"")
            with pytest.raises(StoreUnavailable, match="removed or replaced"):
                await database.ping()
        path.unlink()
        (tmp_path / "elsewhere").rename(path)
        await database.ping()
    finally:
        await database.close()
