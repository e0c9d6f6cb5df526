"""Credentials of the gateway, read when they are needed."""

from pathlib import Path

import pytest

from gateway.app.credentials import client_certificate, reader
from gateway.config.secrets import SecretRef
from pki.client_tls import CredentialMissing


def test_a_secret_is_read_anew_each_time(tmp_path: Path) -> None:
    read = reader(SecretRef.parse("file:secret", tmp_path))
    for text in ("old\n", " new "):
        (tmp_path / "secret").write_text(text)
        assert read() == text.strip()


def test_a_key_is_given_as_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "secret")
    certificate = client_certificate(Path("chain.pem"), SecretRef.parse("env:KEY"))
    assert certificate.chain == Path("chain.pem")
    with certificate.key() as path:
        assert path.read_text() == "secret"


def test_one_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KEY", raising=False)
    missing = SecretRef.parse("env:KEY")
    with pytest.raises(CredentialMissing, match="KEY"):
        reader(missing)()
    with pytest.raises(CredentialMissing, match="KEY"), client_certificate(Path("chain.pem"), missing).key():
        pass
