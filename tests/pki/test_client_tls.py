"""Whom the connections trust, and what they show."""

import ssl
from contextlib import nullcontext
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from pki.client_tls import ClientCertificate, CredentialMissing, TlsTrust


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def roots(tmp_path: Path, ca: trustme.CA) -> Path:
    path = tmp_path / "roots.pem"
    ca.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def shown(tmp_path: Path, ca: trustme.CA) -> tuple[Path, Path]:
    certificate = ca.issue_cert("gateway.example.com")
    chain, key = tmp_path / "client.pem", tmp_path / "client.key"
    certificate.cert_chain_pems[0].write_to_path(str(chain))
    certificate.private_key_pem.write_to_path(str(key))
    return chain, key


def test_nothing_but_the_roots_that_are_named(roots: Path) -> None:
    context = TlsTrust(roots).context()

    assert [each["serialNumber"] for each in context.get_ca_certs()] == [
        ssl._ssl._test_decode_cert(str(roots))["serialNumber"]  # type: ignore[attr-defined]  # the stdlib's own tests use it
    ]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_always_verified_without_roots_too() -> None:
    context = TlsTrust().context()

    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_a_certificate_is_read_anew_when_it_is_forgotten(roots: Path, shown: tuple[Path, Path]) -> None:
    chain, key = shown
    trust = TlsTrust(roots, ClientCertificate(chain, lambda: nullcontext(key)))
    first = trust.context()
    assert trust.context() is first
    assert trust.forget()
    assert trust.context() is not first


def test_without_a_certificate_there_is_nothing_to_forget(roots: Path) -> None:
    trust = TlsTrust(roots)
    first = trust.context()

    assert not trust.forget()
    assert trust.context() is first


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, r"the roots .* can't be read: No such file"), (b"no PEM", r"the roots .* can't be used")],
)
def test_roots_that_are_none(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "roots.pem"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(CredentialMissing, match=words):
        TlsTrust(path).context()


def test_a_key_that_does_not_fit(roots: Path, shown: tuple[Path, Path], ca: trustme.CA, tmp_path: Path) -> None:
    other = tmp_path / "other.key"
    ca.issue_cert("other.example.com").private_key_pem.write_to_path(str(other))
    trust = TlsTrust(roots, ClientCertificate(shown[0], lambda: nullcontext(other)))

    with pytest.raises(CredentialMissing, match=r"client\.pem and its key can't be used \(KEY_VALUES_MISMATCH\)"):
        trust.context()


def test_a_key_with_a_passphrase_is_refused_not_asked_for(
    roots: Path, shown: tuple[Path, Path], tmp_path: Path
) -> None:
    key = tmp_path / "encrypted.key"
    secret = ec.generate_private_key(ec.SECP256R1())
    key.write_bytes(secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")))
    trust = TlsTrust(roots, ClientCertificate(shown[0], lambda: nullcontext(key)))

    with pytest.raises(CredentialMissing, match="the key is encrypted"):
        trust.context()


def test_a_chain_that_is_not_there(roots: Path, shown: tuple[Path, Path], tmp_path: Path) -> None:
    trust = TlsTrust(roots, ClientCertificate(tmp_path / "nowhere.pem", lambda: nullcontext(shown[1])))

    with pytest.raises(CredentialMissing, match=r"nowhere\.pem and its key can't be read: No such file"):
        trust.context()
