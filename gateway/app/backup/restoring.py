"""`voltgate restore`: a deployment as it was, on this machine; what must not go back stays ahead."""

import contextlib
import io
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from cryptography import x509

from gateway.app.backup.archive import ArchiveInvalid, Manifest, Member, copied, read
from gateway.app.problems import StartFailed
from gateway.store.copying import ServeLock, check_schema, companions, move_on
from gateway.store.unavailable import StoreUnavailable
from pki.authority.crl_file import CRL_FILE
from pki.pem_files import FOLDER_MODE, SECRET_MODE, sync_folder, write_file

NAMED_MAX: Final = 5
"""Files that are named when there are more in the way."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A deployment that was restored."""

    manifest: Manifest
    written: tuple[Path, ...]
    moved_aside: tuple[Path, ...]
    """What was there before, under the names that it has now."""
    kept: tuple[Path, ...]
    """CRLs that were left: they are newer than those in the backup."""


@dataclass(slots=True)
class _Unpacked:
    """What came out of the archive, all of it checked."""

    manifest: Manifest
    store: Path | None = None
    store_place: Path | None = None
    files: list[tuple[Path, Member, bytes]] = field(default_factory=list, repr=False)
    """With their contents, private keys among them."""


def restore(source: IO[bytes], config: Path, *, force: bool) -> Restored:
    """Restore the deployment in ``source`` with its configuration at ``config``; nothing is written unless all is good.

    What is in the way is an error; with ``force`` it is moved aside. No gateway may run on it. Blocks. Raises
    StartFailed.
    """
    config = config.absolute()
    try:
        with _unpacked(source, config) as unpacked:
            targets = [place for place, _, _ in unpacked.files]
            if unpacked.store_place is not None:
                targets += companions(unpacked.store_place)
            in_the_way = [path for path in targets if path.exists()]
            if in_the_way and not force:
                raise StartFailed(_refusal(in_the_way))
            with _nobody_serves(unpacked.store_place):
                return _put(unpacked, in_the_way)
    except ArchiveInvalid as error:
        raise StartFailed(f"the backup can't be restored: {error}") from None
    except StoreUnavailable as error:
        raise StartFailed(f"the backup can't be restored: {error}") from None
    except OSError as error:
        raise StartFailed(f"{error.filename or config}: {error.strerror or error}") from error


def _refusal(in_the_way: Sequence[Path]) -> str:
    named = ", ".join(str(path) for path in in_the_way[:NAMED_MAX])
    more = f" and {len(in_the_way) - NAMED_MAX} more" if len(in_the_way) > NAMED_MAX else ""
    return f"{named}{more}: there already; restore to another folder, or say --force: they are moved aside then"


@contextlib.contextmanager
def _unpacked(source: IO[bytes], config: Path) -> Iterator[_Unpacked]:
    """Check the whole archive; the store waits in a file of mode 0600 meanwhile. Raises ArchiveInvalid, OSError."""
    steps = read(source)
    manifest: Manifest = next(steps)
    if manifest.db_schema is not None:
        check_schema(manifest.db_schema)
    unpacked = _Unpacked(manifest)
    with contextlib.ExitStack() as stack:
        for member, content in steps:
            place = _place(member, config)
            if member.kind == "store":
                unpacked.store_place = place
                folder = config.parent if config.parent.is_dir() else None
                scratch = Path(
                    stack.enter_context(tempfile.TemporaryDirectory(prefix=".voltgate-restore-", dir=folder))
                )
                unpacked.store = _store(scratch, member, content)
            else:
                kept = io.BytesIO()
                copied(member, content, kept)
                unpacked.files.append((place, member, kept.getvalue()))
        yield unpacked


def _place(member: Member, config: Path) -> Path:
    if member.kind == "config":
        return config
    place = Path(member.place)
    if ".." in place.parts or "\0" in member.place:
        raise ArchiveInvalid(f"{member.name} belongs to {member.place!a}: that is no place of a backup")
    return config.parent / place


def _store(scratch: Path, member: Member, content: IO[bytes]) -> Path:
    path = scratch / "store.db"
    with path.open("wb") as file:
        path.chmod(SECRET_MODE)
        copied(member, content, file)
    return path


@contextlib.contextmanager
def _nobody_serves(store: Path | None) -> Iterator[None]:
    """Keep ``serve`` away from the store. Raises StoreUnavailable when it runs."""
    if store is None:
        yield
        return
    store.parent.mkdir(parents=True, exist_ok=True)
    lock = ServeLock(store)
    try:
        yield
    finally:
        lock.release()


def _put(unpacked: _Unpacked, in_the_way: Sequence[Path]) -> Restored:
    now = datetime.now(UTC)
    if unpacked.store is not None:
        move_on(unpacked.store, int(now.timestamp()))  # first: it fails where the store is damaged
    kept = tuple(place for place, _, content in unpacked.files if _is_newer_crl(place, content))
    moved = [_moved_aside(path, now) for path in in_the_way if path not in kept]
    written = []
    ca_folders = set(unpacked.manifest.folders)
    for place, member, content in unpacked.files:
        _make_folder(place.parent, is_private=str(Path(member.place).parent) in ca_folders)
        if place not in kept:
            write_file(place, content, member.mode)
            written.append(place)
    if unpacked.store is not None and unpacked.store_place is not None:
        _place_store(unpacked.store, unpacked.store_place)
        written.append(unpacked.store_place)
    return Restored(unpacked.manifest, tuple(written), tuple(moved), kept)


def _make_folder(folder: Path, *, is_private: bool) -> None:
    if not folder.exists():
        folder.mkdir(parents=True)
        if is_private:
            folder.chmod(FOLDER_MODE)


def _moved_aside(path: Path, now: datetime) -> Path:
    aside = path.with_name(f"{path.name}.before-{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}")
    path.rename(aside)
    return aside


def _place_store(copy: Path, place: Path) -> None:
    """Put the store where it belongs: under another name first, for the copy may lie on another file system."""
    fresh = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, SECRET_MODE), "wb") as target:
            with copy.open("rb") as source:
                shutil.copyfileobj(source, target)
            target.flush()
            os.fsync(target.fileno())
        fresh.rename(place)
    finally:
        fresh.unlink(missing_ok=True)
    sync_folder(place.parent)


def _is_newer_crl(place: Path, content: bytes) -> bool:
    """Return whether the CRL that is there is the same CA's and newer: who was revoked since then stays so."""
    if place.name != CRL_FILE or not place.is_file():
        return False
    try:
        there, backed_up = (x509.load_pem_x509_crl(each) for each in (place.read_bytes(), content))
        return there.issuer == backed_up.issuer and _number(there) > _number(backed_up)
    except (ValueError, x509.ExtensionNotFound):
        return False


def _number(crl: x509.CertificateRevocationList) -> Any:
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
