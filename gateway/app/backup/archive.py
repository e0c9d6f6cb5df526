"""The file that a backup is: a compressed tar of a manifest, then the store, then the files, each with its SHA-256."""

import hashlib
import io
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

MANIFEST: Final = "manifest.json"
MANIFEST_MAX: Final = 16 * 1024 * 1024
"""Bytes of a manifest."""
FILE_MAX: Final = 64 * 1024 * 1024
"""Bytes of one file beside the store: keys, certificates, CRLs."""
CHUNK: Final = 1024 * 1024

Kind = Literal["config", "store", "file"]


class ArchiveInvalid(Exception):
    """The file isn't a whole backup that this version can read; the text says why."""


class Member(BaseModel):
    """One file of the deployment."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Annotated[str, Field(pattern=r"^(store|files/[0-9]{1,6})$")]
    """Its name in the archive, which says nothing of where it belongs."""
    kind: Kind
    place: Annotated[str, Field(min_length=1, max_length=4096)]
    """Where it belongs: from the configuration's folder, or absolute."""
    mode: Annotated[int, Field(ge=0, le=0o777)]
    size: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Manifest(BaseModel):
    """What a backup holds."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Literal[1] = 1
    voltgate: str
    """The version that made it."""
    made_at: AwareDatetime
    db_schema: str | None
    """The store's revision; None without a store."""
    folders: list[str]
    """Of the embedded CAs and the certificates issued to the gateway: made for their owner alone."""
    members: list[Member]
    elsewhere: list[str]
    """What isn't in it, and where it is kept."""


def write(out: IO[bytes], manifest: Manifest, sources: dict[str, Path | bytes]) -> None:
    """Write an archive to a stream: ``sources`` are the members' contents, by name. Raises OSError."""
    with tarfile.open(fileobj=out, mode="w|gz") as tar:
        text = manifest.model_dump_json(indent=2).encode()
        tar.addfile(_entry(MANIFEST, len(text)), io.BytesIO(text))
        for member in manifest.members:
            source = sources[member.name]
            with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as content:
                tar.addfile(_entry(member.name, member.size), content)


def read(source: IO[bytes]) -> Iterator[Any]:
    """Yield the :class:`Manifest` of an archive, then for each member, in order, ``(member, file)``.

    The file is good until the next step, and is checked by whoever copies it with :func:`copied`. Raises
    :class:`ArchiveInvalid`, also when a member is missing, is too many or has another size.
    """
    with _damage_told(), tarfile.open(fileobj=source, mode="r|gz") as tar:
        entries = iter(tar)
        manifest = _manifest(tar, next(entries, None))
        yield manifest
        for member in manifest.members:
            entry = next(entries, None)
            if entry is None or entry.name != member.name or not entry.isreg() or entry.size != member.size:
                raise ArchiveInvalid(f"{member.name} ({member.place}) isn't in it as its manifest says; it is damaged")
            yield member, tar.extractfile(entry)
        if next(entries, None) is not None:
            raise ArchiveInvalid("it holds more than its manifest says")


def copied(member: Member, content: IO[bytes], target: IO[bytes]) -> None:
    """Copy a member. Raises :class:`ArchiveInvalid` when it isn't what was put in, and OSError."""
    digest = hashlib.sha256()
    while chunk := _chunk(content):
        digest.update(chunk)
        target.write(chunk)
    if digest.hexdigest() != member.sha256:
        raise ArchiveInvalid(
            f"{member.name} ({member.place}) has another SHA-256 than its manifest says; it is damaged"
        )


def _chunk(content: IO[bytes]) -> bytes:
    with _damage_told():
        return content.read(CHUNK)


@contextmanager
def _damage_told() -> Iterator[None]:
    """Turn what tarfile and zlib say of a damaged file into ArchiveInvalid."""
    try:
        yield
    except (tarfile.TarError, zlib.error, EOFError, TypeError) as error:  # TypeError: of a cut head of gzip, on 3.11
        raise ArchiveInvalid(f"it is damaged, or isn't a backup of Voltgate: {error}") from error


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size = size
    entry.mode = 0o600
    return entry


def _manifest(tar: tarfile.TarFile, entry: tarfile.TarInfo | None) -> Manifest:
    if entry is None or entry.name != MANIFEST or not entry.isreg() or entry.size > MANIFEST_MAX:
        raise ArchiveInvalid("it doesn't begin with a manifest: it isn't a backup of Voltgate")
    content = tar.extractfile(entry)
    text = b"" if content is None else content.read()
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "it"
        raise ArchiveInvalid(
            f"its manifest isn't one that this version of Voltgate reads: {where}: {first['msg']}"
        ) from None
