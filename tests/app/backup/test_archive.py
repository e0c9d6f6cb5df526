"""The archive: what was written is read, and what was damaged isn't."""

import hashlib
import io
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.app.backup import archive
from gateway.app.backup.archive import ArchiveInvalid, Manifest, Member, copied, read, write

CONTENT = {"store": b"rows" * 1_000, "files/0": b"operator: Example CPO\n", "files/1": b""}

Change = Callable[[str, bytes], tuple[str, bytes] | None]


def member(name: str, content: bytes, **changes: Any) -> Member:
    values: dict[str, Any] = {"name": name, "kind": "file", "place": f"place/{name}", "mode": 0o600}
    return Member(**{**values, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()} | changes)


def manifest(*members: Member) -> Manifest:
    return Manifest(
        voltgate="0.1", made_at=datetime.now(UTC), db_schema="0004", folders=[], members=list(members), elsewhere=[]
    )


def packed(made: Manifest | None = None) -> bytes:
    out = io.BytesIO()
    write(out, made or manifest(*(member(name, content) for name, content in CONTENT.items())), dict(CONTENT))
    return out.getvalue()


def unpack(data: bytes) -> dict[str, bytes]:
    found = {}
    steps = read(io.BytesIO(data))
    next(steps)
    for each, content in steps:
        kept = io.BytesIO()
        copied(each, content, kept)
        found[each.name] = kept.getvalue()
    return found


def retold(change: Change) -> bytes:
    """Pack the archive anew with each entry as ``change`` has it; None leaves it out."""
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(packed()), mode="r:gz") as was, tarfile.open(fileobj=out, mode="w:gz") as tar:
        for entry in was:
            content = was.extractfile(entry)
            assert content is not None
            changed = change(entry.name, content.read())
            if changed is not None:
                fresh = tarfile.TarInfo(changed[0])
                fresh.size = len(changed[1])
                tar.addfile(fresh, io.BytesIO(changed[1]))
    return out.getvalue()


def test_what_was_written_is_read() -> None:
    assert unpack(packed()) == CONTENT


CHANGES: dict[str, Change] = {
    "a file is missing": lambda name, content: None if name == "files/1" else (name, content),
    "the manifest is missing": lambda name, content: None if name == "manifest.json" else (name, content),
    "another name": lambda name, content: (name.replace("files/0", "../../etc/passwd"), content),
    "another content": lambda name, content: (name, content.replace(b"Example", b"Exomple")),
    "another size": lambda name, content: (name, content + b"x" if name == "files/0" else content),
    "another format": lambda name, content: (name, content.replace(b'"format": 1', b'"format": 2')),
    "an unknown key": lambda name, content: (name, content.replace(b'"elsewhere"', b'"elsewhare"')),
    "no JSON": lambda name, content: (name, b"{" if name == "manifest.json" else content),
}


@pytest.mark.parametrize("change", [pytest.param(change, id=name) for name, change in CHANGES.items()])
def test_what_was_changed_is_refused(change: Change) -> None:
    assert unpack(retold(lambda name, content: (name, content))) == CONTENT
    with pytest.raises(ArchiveInvalid):
        unpack(retold(change))


def test_more_than_the_manifest_says_is_refused() -> None:
    with pytest.raises(ArchiveInvalid, match="more than its manifest"):
        unpack(_with_one_more())


def _with_one_more() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(packed()), mode="r:gz") as was, tarfile.open(fileobj=out, mode="w:gz") as tar:
        for entry in was:
            tar.addfile(entry, was.extractfile(entry))
        tar.addfile(tarfile.TarInfo("files/2"), io.BytesIO())
    return out.getvalue()


def test_a_link_is_no_file() -> None:
    out = io.BytesIO()
    made = manifest(member("files/0", b""))
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        text = made.model_dump_json().encode()
        entry = tarfile.TarInfo("manifest.json")
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text))
        link = tarfile.TarInfo("files/0")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/shadow"
        tar.addfile(link)
    with pytest.raises(ArchiveInvalid, match="isn't in it as its manifest says"):
        unpack(out.getvalue())


@pytest.mark.parametrize("size", range(24))
def test_a_head_that_is_cut(size: int) -> None:
    with pytest.raises(ArchiveInvalid, match=r"damaged, or isn't a backup|doesn't begin with a manifest"):
        unpack(_PACKED[:size])


@given(st.data())
def test_no_damage_is_taken_for_a_backup(data: st.DataObject) -> None:
    whole = _PACKED
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = data.draw(
        st.one_of(
            st.just(whole[:at]),
            st.integers(1, 255).map(lambda bits: whole[:at] + bytes([whole[at] ^ bits]) + whole[at + 1 :]),
        )
    )
    try:
        found = unpack(damaged)
    except ArchiveInvalid:
        return
    assert found == CONTENT  # a bit that says nothing, such as the time in gzip's head


def test_a_huge_manifest_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MANIFEST_MAX", 10)
    with pytest.raises(ArchiveInvalid, match="doesn't begin with a manifest"):
        unpack(packed())


_PACKED = packed()
