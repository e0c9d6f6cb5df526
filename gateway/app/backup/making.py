"""`voltgate backup`: the archive of a deployment, also while its gateway runs."""

import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

import gateway
from gateway.app.backup.archive import CHUNK, FILE_MAX, Kind, Manifest, Member, write
from gateway.app.backup.contents import contents
from gateway.app.problems import StartFailed
from gateway.config import Config
from gateway.store.copying import copy_store
from gateway.store.unavailable import StoreUnavailable
from pki.pem_files import SECRET_MODE, sync_folder

HOW_TO_KEEP: Final = (
    "it holds private keys and password hashes, in clear: keep it like them, or write it to a pipe that encrypts it, "
    "such as `voltgate backup - | age -r RECIPIENT > voltgate.backup.age`"
)


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was written."""

    manifest: Manifest
    missing: tuple[str, ...]
    """What the configuration refers to and isn't there."""


def back_up(config: Config, file: Path, out: Path) -> Made:
    """Write the archive of the deployment whose configuration is ``file`` to ``out``, mode 0600, whole or not at all.

    Blocks. Raises StartFailed.
    """
    fresh = out.with_name(f".{out.name}.{secrets.token_hex(4)}")
    try:
        if out.exists():
            raise StartFailed(f"{out} exists; a backup is never overwritten: name another file")
        try:
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, SECRET_MODE), "wb") as target:
                made = stream(config, file, target, out.parent)
                target.flush()
                os.fsync(target.fileno())
            os.link(fresh, out)  # not a rename: that would overwrite what came there meanwhile
        finally:
            fresh.unlink(missing_ok=True)
        sync_folder(out.parent)
    except OSError as error:
        raise StartFailed(f"{out}: {error.strerror or error}") from error
    return made


def stream(config: Config, file: Path, out: IO[bytes], scratch: Path) -> Made:
    """Write the archive to a stream; the copy of the store lies in the folder ``scratch`` meanwhile, mode 0600.

    Blocks. Raises StartFailed, and OSError when the stream or the folder can't be written.
    """
    file = file.absolute()
    what = contents(config, file)
    with _store_copy(what.store, scratch) as copied:
        # The store before the files: what is revoked meanwhile is on the CA's list, and so refused, if nowhere else.
        members: list[Member] = []
        sources: dict[str, Path | bytes] = {}
        if copied is not None and what.store is not None:
            path, revision = copied
            members.append(_store_member(path, _place(what.store, file)))
            sources["store"] = path
        for number, each in enumerate(what.files):
            member, content = _file_member(f"files/{number}", "file" if number else "config", each, file)
            members.append(member)
            sources[member.name] = content
        manifest = Manifest(
            voltgate=gateway.__version__,
            made_at=datetime.now(UTC),
            db_schema=None if copied is None else revision,
            folders=[_place(folder, file) for folder in what.folders],
            members=members,
            elsewhere=list(what.elsewhere),
        )
        write(out, manifest, sources)
    return Made(manifest, what.missing)


@contextmanager
def _store_copy(store: Path | None, scratch: Path) -> Iterator[tuple[Path, str] | None]:
    """Give a copy of the store and its revision while the context is open; None where the store is a server."""
    if store is None:
        yield None
        return
    copy = scratch / f".voltgate-{secrets.token_hex(8)}.db"
    try:
        os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, SECRET_MODE))
        yield copy, copy_store(store, copy)
    except StoreUnavailable as error:
        raise StartFailed(f"store.url: {error}") from None
    finally:
        copy.unlink(missing_ok=True)


def _store_member(copy: Path, place: str) -> Member:
    digest = hashlib.sha256()
    size = 0
    with copy.open("rb") as content:
        while chunk := content.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return Member(name="store", kind="store", place=place, mode=SECRET_MODE, size=size, sha256=digest.hexdigest())


def _file_member(name: str, kind: Kind, path: Path, config: Path) -> tuple[Member, bytes]:
    try:
        mode = stat.S_IMODE(path.stat().st_mode) & 0o777
        with path.open("rb") as file:
            content = file.read(FILE_MAX + 1)
    except OSError as error:
        raise StartFailed(f"{path} can't be read: {error.strerror}; a backup without it would be none") from None
    if len(content) > FILE_MAX:
        raise StartFailed(f"{path} has more than {FILE_MAX} bytes: that is no certificate, key or list")
    place = path.name if kind == "config" else _place(path, config)
    digest = hashlib.sha256(content).hexdigest()
    return Member(name=name, kind=kind, place=place, mode=mode, size=len(content), sha256=digest), content


def _place(path: Path, config: Path) -> str:
    """Write a path from the configuration's folder if it lies below it: it may be restored to another one."""
    folder = config.parent
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)
