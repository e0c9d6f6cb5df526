"""Logs on disk: whole or not at all, for nobody else, and never larger than they may be."""

import hashlib
import os
import stat
from pathlib import Path

import pytest

from gateway.session.file_links import UploadRefusal, UploadRefused
from gateway.store.firmware_parts import RESERVE
from gateway.store.log_files import LogFiles

TEXT = b"a station's words"


@pytest.fixture
async def files(tmp_path: Path) -> LogFiles:
    files = LogFiles(tmp_path / "logs", max_size=100)
    await files.prepare()
    return files


async def test_a_log_is_whole_and_for_nobody_else(files: LogFiles) -> None:
    incoming = await files.begin(7, None)
    await incoming.write(TEXT[:3])
    await incoming.write(TEXT[3:])

    assert await incoming.commit() == hashlib.sha256(TEXT).hexdigest()

    assert files.path(7).read_bytes() == TEXT
    assert incoming.size == len(TEXT)
    assert [path.name for path in files.directory.iterdir()] == ["7.log"]
    assert stat.S_IMODE(files.path(7).stat().st_mode) == 0o600
    assert stat.S_IMODE(files.directory.stat().st_mode) == 0o700


async def test_what_was_broken_off_leaves_nothing(files: LogFiles) -> None:
    incoming = await files.begin(7, 50)
    await incoming.write(TEXT)
    await incoming.abort()

    assert list(files.directory.iterdir()) == []


async def test_what_an_earlier_run_was_in_the_middle_of_is_forgotten(files: LogFiles) -> None:
    incoming = await files.begin(7, None)
    await incoming.write(TEXT)
    files.path(6).write_bytes(TEXT)

    await files.prepare()

    assert list(files.directory.iterdir()) == [files.path(6)]
    await incoming.abort()


async def test_the_size_is_bounded_as_announced_and_as_sent(files: LogFiles) -> None:
    with pytest.raises(UploadRefused) as announced:
        await files.begin(7, 101)
    incoming = await files.begin(7, 100)
    await incoming.write(bytes(100))
    with pytest.raises(UploadRefused) as sent:
        await incoming.write(b"x")
    await incoming.abort()

    assert announced.value.refusal is sent.value.refusal is UploadRefusal.TOO_LARGE
    assert list(files.directory.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk here that is always full")
async def test_a_full_disk_leaves_nothing(files: LogFiles) -> None:
    incoming = await files.begin(7, None)
    os.dup2(full := os.open("/dev/full", os.O_WRONLY), incoming._file)
    os.close(full)

    with pytest.raises(UploadRefused) as refused:
        await incoming.write(TEXT)
    await incoming.abort()

    assert refused.value.refusal is UploadRefusal.NO_SPACE
    assert list(files.directory.iterdir()) == []


async def test_the_disk_keeps_what_the_journal_needs(tmp_path: Path) -> None:
    free = RESERVE + 20
    files = LogFiles(tmp_path, max_size=100, free=lambda _: free)
    with pytest.raises(UploadRefused) as announced:
        await files.begin(7, 21)
    incoming = await files.begin(7, None)
    await incoming.write(bytes(20))
    free = RESERVE
    with pytest.raises(UploadRefused) as sent:
        await incoming.write(b"x")
    await incoming.abort()

    assert announced.value.refusal is sent.value.refusal is UploadRefusal.NO_SPACE
    assert list(files.directory.iterdir()) == []


async def test_a_folder_that_is_gone_is_no_place(files: LogFiles) -> None:
    incoming = await files.begin(7, None)
    incoming._part.unlink()
    with pytest.raises(UploadRefused):
        await incoming.commit()
    files.directory.rmdir()

    with pytest.raises(UploadRefused) as refused:
        await files.begin(8, None)
    assert refused.value.refusal is UploadRefusal.NO_SPACE


async def test_a_log_is_removed_once_or_twice(files: LogFiles) -> None:
    incoming = await files.begin(7, None)
    await incoming.commit()
    await files.remove(7)
    await files.remove(7)

    assert not files.path(7).exists()
