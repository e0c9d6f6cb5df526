"""References to secrets: what is written, what is resolved, and that nothing leaks."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.secrets import SECRET_SIZE_MAX, Scheme, SecretError, SecretRef, exposure


@pytest.mark.parametrize(
    ("text", "scheme", "target"),
    [
        ("env:VOLTGATE_ADMIN_TOKEN", Scheme.ENV, "VOLTGATE_ADMIN_TOKEN"),
        ("file:secrets/x", Scheme.FILE, "/etc/v/secrets/x"),
        ("file:/run/secrets/x", Scheme.FILE, "/run/secrets/x"),
        ("vault:secret/volt/gate#token", Scheme.VAULT, "secret/volt/gate#token"),
    ],
)
def test_references(text: str, scheme: Scheme, target: str) -> None:
    reference = SecretRef.parse(text, Path("/etc/v"))

    assert (reference.scheme, reference.target, str(reference)) == (scheme, target, text)
    assert repr(reference) == f"SecretRef({text})"
    assert reference.path == (Path(target) if scheme is Scheme.FILE else None)


def test_a_relative_file_starts_at_the_working_directory_by_default() -> None:
    assert SecretRef.parse("file:x").path == Path.cwd() / "x"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hunter2", "isn't a reference"),
        ("ENV:HUNTER2", "isn't a reference"),
        ("", "isn't a reference"),
        ("env:hunter2-", "name of one environment variable"),
        ("env:", "name of one environment variable"),
        ("file:", "a path"),
        ("file:hunter2\0", "a path"),
        ("vault:hunter2", "MOUNT/PATH#FIELD"),
        ("vault:a/b", "MOUNT/PATH#FIELD"),
        ("vault:a/../hunter2#x", "MOUNT/PATH#FIELD"),
    ],
)
def test_what_is_no_reference_is_never_repeated(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        SecretRef.parse(text)

    assert "hunter2" not in str(caught.value).lower()


def test_an_environment_variable() -> None:
    reference = SecretRef.parse("env:TOKEN")

    assert reference.resolve(environ={"TOKEN": "s3cret"}) == "s3cret"
    for environ in ({}, {"TOKEN": ""}):
        with pytest.raises(SecretError, match=r"^env:TOKEN: the environment variable TOKEN is unset or empty; set it$"):
            reference.resolve(environ=environ)


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (b"s3cret", b"s3cret"),
        (b"s3cret\n", b"s3cret"),
        (b"s3cret\r\n", b"s3cret"),
        (b"s\n\n", b"s\n"),
        (b" s ", b" s "),
    ],
)
def test_a_file_less_one_newline(tmp_path: Path, content: bytes, secret: bytes) -> None:
    (tmp_path / "x").write_bytes(content)

    assert SecretRef.parse("file:x", tmp_path).resolve_bytes() == secret


def test_files_that_hold_no_secret(tmp_path: Path) -> None:
    reference = SecretRef.parse("file:x", tmp_path)
    file = tmp_path / "x"

    with pytest.raises(SecretError, match=r"file:x: there is no file .*/x; write the secret into it"):
        reference.resolve()
    file.write_bytes(b"\n")
    with pytest.raises(SecretError, match="file:x: is empty; put the secret there"):
        reference.resolve()
    file.write_bytes(b"\xff")
    with pytest.raises(SecretError, match="file:x: isn't UTF-8 text"):
        reference.resolve()
    assert reference.resolve_bytes() == b"\xff"
    file.write_bytes(b"x" * SECRET_SIZE_MAX)
    assert len(reference.resolve()) == SECRET_SIZE_MAX
    file.write_bytes(b"x" * (SECRET_SIZE_MAX + 1))
    with pytest.raises(SecretError, match="larger than"):
        reference.resolve()
    with pytest.raises(SecretError, match="can't be read: Is a directory"):
        SecretRef.parse("file:.", tmp_path).resolve()


def test_a_secret_per_station(tmp_path: Path) -> None:
    (tmp_path / "CP-1").write_text("one")
    (tmp_path / "a%2F..%2Fb").write_text("two")
    reference = SecretRef.parse("file:{identity}", tmp_path)

    assert reference.is_template
    assert reference.resolve("CP-1") == "one"
    assert reference.resolve("a/../b") == "two"
    with pytest.raises(SecretError, match="no station was named"):
        reference.resolve()
    for identity in ("", ".", ".."):
        with pytest.raises(SecretError, match="only dots"):
            reference.resolve(identity)


@given(st.text(st.characters(), min_size=1, max_size=30) | st.text("./\\%\0\ud800", max_size=6))
def test_no_identity_leaves_the_folder(identity: str) -> None:
    reference = SecretRef.parse("file:backend/{identity}", Path("/secrets"))
    try:
        target = reference._fill(identity)
    except SecretError:
        return

    assert os.path.normpath(target) == target
    assert str(Path(target).parent) == "/secrets/backend"


@pytest.mark.parametrize(
    ("mode", "is_key", "who"),
    [
        (0o600, True, None),
        (0o640, True, "its group"),
        (0o640, False, None),
        (0o644, False, "everybody"),
        (0o604, True, "everybody"),
    ],
)
def test_who_else_may_read(tmp_path: Path, mode: int, is_key: bool, who: str | None) -> None:
    file = tmp_path / "key"
    file.touch()
    file.chmod(mode)

    said = exposure(file, is_key=is_key)

    assert said is None if who is None else said is not None and who in said and "chmod 600" in said


def test_nobody_reads_what_is_not_there(tmp_path: Path) -> None:
    assert exposure(tmp_path / "key", is_key=True) is None


def test_vault_speaks_through_the_reference() -> None:
    with pytest.raises(SecretError, match=r"^vault:secret/x#y: the environment variable VAULT_ADDR is unset"):
        SecretRef.parse("vault:secret/x#y").resolve(environ={})
