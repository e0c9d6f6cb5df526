"""Keys for OpenSSL, wherever they lie."""

from pathlib import Path

import pytest

from gateway.app.secret_files import readable_path
from gateway.config.secrets import SecretError, SecretRef


def test_a_file_is_its_own_path(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("secret")
    with readable_path(SecretRef.parse("file:key", tmp_path)) as path:
        assert path == tmp_path / "key"


def test_any_other_secret_lies_in_memory_while_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "secret")
    with readable_path(SecretRef.parse("env:KEY")) as path:
        assert path.read_text() == "secret"
        assert str(path).startswith("/proc/self/fd/")
    assert not path.exists()


def test_a_secret_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KEY", raising=False)
    with pytest.raises(SecretError), readable_path(SecretRef.parse("env:KEY")):
        pass
