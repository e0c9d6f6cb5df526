"""`voltgate firmware sign`, as it is typed and printed: with a key in a file, and with one in a real OpenBao."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from typer import Typer
from typer.testing import CliRunner, Result

from gateway.cli import app as voltgate
from gateway.cli.firmware_sign import PEM_SIZE_MAX, sign
from gateway.cli.output import Failed, fail
from pki.firmware.digest import digest_file
from pki.firmware.signature import Scheme, check_signature
from tests.bao import Bao
from tests.firmware_pki import FirmwarePki, Signer, manufacturer
from tests.firmware_signing import SIGNER, certified_for

Run = Callable[..., Result]

app = Typer()
app.command("sign")(sign)


@pytest.fixture(scope="module")
def pki() -> FirmwarePki:
    return manufacturer()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.bin"
    path.write_bytes(b"image" * 100_000)
    return path


def run(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    if isinstance(result.exception, Failed):
        result.exit_code = fail(str(result.exception))
    return result


def files_of(signer: Signer, folder: Path) -> tuple[str, Path, str, Path]:
    """Return the options for a key in a file."""
    certificate, key = folder / "signer.pem", folder / "signer.key"
    certificate.write_text(signer.pem)
    key.touch(mode=0o600)
    key.write_bytes(signer.key_pem)
    return "--certificate", certificate, "--key", key


def is_signed(image: Path, signature: str, key: object) -> bool:
    check_signature(digest_file(image), signature, key, Scheme())
    return True


@pytest.mark.parametrize("name", ["ec", "rsa"])
def test_with_a_key_in_a_file(pki: FirmwarePki, image: Path, name: str) -> None:
    signer: Signer = getattr(pki, name)
    result = run(image, *files_of(signer, image.parent))

    assert result.exit_code == 0, result.output
    signature = image.with_name("image.bin.sig").read_text()
    assert is_signed(image, signature.strip(), signer.certificate.public_key())
    assert f"signature: {signature}sha256: {digest_file(image).sha256.hex()}\n" in result.output
    assert f"signer: {signer.certificate.subject.rfc4514_string()}\n" in result.output


def test_json_and_another_place(pki: FirmwarePki, image: Path) -> None:
    out = image.with_name("elsewhere")
    told = json.loads(run(image, *files_of(pki.ec, image.parent), "--out", out, "--json").stdout)

    assert told["signing_certificate"] == pki.ec.pem
    assert (told["algorithm"], told["size"], told["written"]) == ("ecdsa-sha256", 500_000, str(out))
    assert out.read_text() == told["signature"] + "\n"
    assert not image.with_name("image.bin.sig").exists()


def test_from_an_empty_vault_to_a_signature(
    bao: Bao, pki: FirmwarePki, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`voltgate pki bootstrap --firmware`, a certificate for its CSR, a token with no more rights than it takes."""
    bao.ask("POST", "sys/namespaces/releases")
    for variable, value in (bao.environ | {"VAULT_NAMESPACE": "releases"}).items():
        monkeypatch.setenv(variable, value)
    bootstrap = ["pki", "bootstrap", "--operator", "Example CPO", "--firmware", "ecdsa-p384"]
    made = CliRunner().invoke(voltgate, [*bootstrap, "--out", str(image.parent)])
    assert made.exit_code == 0, made.output
    key = x509.load_pem_x509_csr(image.with_name("firmware.csr").read_bytes()).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    certificate = image.with_name("firmware.pem")
    certificate.write_text(certified_for(pki, key))
    rights = {"policies": ["voltgate-token", "voltgate-firmware"], "no_default_policy": True}
    token = bao.ask("POST", "auth/token/create", rights, "releases")["auth"]["client_token"]
    monkeypatch.setenv("VAULT_TOKEN", token)

    result = run(image, "--certificate", certificate, "--json")

    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert is_signed(image, told["signature"], key)
    assert told["signer"] == SIGNER
    assert token not in result.output
    again = CliRunner().invoke(voltgate, [*bootstrap, "--dry-run"], env={"VAULT_TOKEN": bao.environ["VAULT_TOKEN"]})
    assert "nothing would change" in again.output


def test_what_is_wrong_is_one_line_and_nothing_is_written(
    pki: FirmwarePki, image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = image.parent
    good = files_of(pki.ec, folder)
    expired = folder / "expired.pem"
    expired.write_text(pki.expired.pem)
    (folder / "empty").touch()
    (folder / "large").write_bytes(bytes(PEM_SIZE_MAX + 1))
    open_key = folder / "open.key"
    open_key.write_bytes(pki.ec.key_pem)
    open_key.chmod(0o644)
    wrong = {
        "is empty; name the image": (folder / "empty", *good),
        "missing can't be read: No such file": (folder / "missing", *good),
        "isn't that of the certificate": (image, "--certificate", expired, *good[2:]),
        "isn't in PEM": (image, "--certificate", folder / "empty", *good[2:]),
        f"is larger than {PEM_SIZE_MAX} bytes": (image, "--certificate", folder / "large", *good[2:]),
        "can be read by others": (image, *good[:2], "--key", open_key),
        "none.key can't be read": (image, *good[:2], "--key", folder / "none.key"),
        "name another file: --out": (image, *good, "--out", folder / "no" / "where"),
    }
    for words, arguments in wrong.items():
        assert run(*arguments).exit_code == 1
        error = capsys.readouterr().err
        assert words in error
        assert error.count("\n") == 1
    assert not image.with_name("image.bin.sig").exists()


def test_wrong_usage(pki: FirmwarePki, image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = files_of(pki.ec, image.parent)[:2]
    monkeypatch.setenv("VAULT_TOKEN", "t")
    monkeypatch.delenv("VAULT_ADDR", raising=False)
    monkeypatch.delenv("BAO_ADDR", raising=False)
    for arguments in (
        (),
        ("--address", "http://vault.example.com"),
        ("--address", "https://127.0.0.1:1", "--mount", "a b"),
        ("--address", "https://127.0.0.1:1", "--name", "../x"),
    ):
        assert run(image, *certificate, *arguments).exit_code == 2
