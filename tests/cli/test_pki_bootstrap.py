"""`voltgate pki bootstrap` against a real OpenBao, as it is typed and printed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from typer.testing import CliRunner, Result

from gateway.cli import app
from gateway.cli.output import Failed, fail
from gateway.config import load
from tests.bao import Bao
from tests.pki.vault.offline_root import offline_root, signed_by

Bootstrap = Callable[..., Result]


@pytest.fixture
def bootstrap(bao: Bao, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Bootstrap:
    """Run the command in a namespace of the test's own."""
    namespace = f"of{abs(hash(request.node.name))}"
    bao.ask("POST", f"sys/namespaces/{namespace}")
    for name, value in (bao.environ | {"VAULT_NAMESPACE": namespace}).items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> Result:
        result = CliRunner().invoke(app, ["pki", "bootstrap", "--operator", "Example CPO", *arguments])
        if isinstance(result.exception, Failed):
            result.exit_code = fail(str(result.exception))
        return result

    return run


def section(printed: str) -> Any:
    return yaml.safe_load(printed.split("# voltgate.yaml\n")[1])


def test_a_dry_run_a_run_and_another(bootstrap: Bootstrap, tmp_path: Path) -> None:
    arguments = ("--server", "--secret-id-file", str(tmp_path / "secret-id"), "--out", str(tmp_path / "out"))

    shown = bootstrap(*arguments, "--dry-run")
    assert "change   engine voltgate-stations: created" in shown.output
    assert "would change; nothing did" in shown.output
    assert not (tmp_path / "out").exists()
    first = bootstrap(*arguments)
    second = bootstrap(*arguments)

    assert [shown.exit_code, first.exit_code, second.exit_code] == [0, 0, 0]
    assert "changed  role auth/approle/role/voltgate: created" in first.output
    assert "nothing changed" in second.output
    assert section(first.output) == section(second.output)
    assert sorted(section(first.output)["authority"]) == ["server", "station"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["server-root.pem", "station-root.pem"]
    secret_id = (tmp_path / "secret-id").read_text()
    assert secret_id
    for printed in (shown.output, first.output, second.output):
        assert secret_id not in printed


def test_json(bootstrap: Bootstrap, tmp_path: Path) -> None:
    shown = json.loads(bootstrap("--json", "--secret-id-file", str(tmp_path / "secret-id")).output)
    again = json.loads(bootstrap("--json", "--dry-run").output)

    assert len(shown["changed"]) > 10
    assert (shown["attention"], shown["dry_run"], again["dry_run"], again["changed"]) == ([], False, True, [])
    assert shown["role_id"] == shown["authority"]["station"]["vault"]["auth"]["approle"]["role_id"] == again["role_id"]
    assert "BEGIN CERTIFICATE" in shown["roots"]["station"]


def test_an_offline_root(bootstrap: Bootstrap, tmp_path: Path) -> None:
    root = offline_root()
    printed = bootstrap("--offline-root").output
    assert "BEGIN CERTIFICATE REQUEST" in printed
    assert "look at" in bootstrap("--offline-root", "--out", str(tmp_path)).output
    (tmp_path / "signed.pem").write_text(signed_by(root, (tmp_path / "station.csr").read_text()))

    done = bootstrap("--offline-root", "--intermediate", str(tmp_path / "signed.pem"), "--out", str(tmp_path))

    assert "CN=Example issuing CA imported" in done.output
    assert x509.load_pem_x509_certificate((tmp_path / "station-root.pem").read_bytes()) == root.certificate


def test_another_login_than_approle(bootstrap: Bootstrap) -> None:
    printed = bootstrap("--no-approle").output

    assert "approle" not in printed
    assert "a login whose tokens have the policies voltgate-token, voltgate-station" in printed


def test_what_is_wrong_is_one_line(
    bootstrap: Bootstrap, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "nobody")

    result = bootstrap()

    assert result.exit_code == 1
    error = capsys.readouterr().err
    assert error.startswith("the token may not read sys/mounts")
    assert error.count("\n") == 1


def test_wrong_usage(bootstrap: Bootstrap) -> None:
    assert bootstrap("--stations-mount", "a b").exit_code == 2
    assert CliRunner().invoke(app, ["pki", "bootstrap"]).exit_code == 2


def test_plug_and_charge(bootstrap: Bootstrap, tmp_path: Path) -> None:
    arguments = ("--contract", "2", "--cps", "2", "--mobility-operator", "Example MO")

    printed = bootstrap(*arguments)
    written = bootstrap(*arguments, "--contract", "20", "--cps", "20", "--out", str(tmp_path))

    assert [printed.exit_code, written.exit_code] == [0, 0]
    assert "to be signed under the V2G root (cps: DC=CPS, key usage digitalSignature):\n-----BEGIN" in printed.output
    tree = section(printed.output)
    assert sorted(tree["authority"]) == ["contract", "station"]
    assert tree["authority"]["contract"]["vault"]["mount"] == "voltgate-contracts"
    assert tree["plug_and_charge"]["mobility_operator"] == "Example MO"
    native = tree["plug_and_charge"]["providers"]["own"]["native"]
    assert (native["cps"]["transit"]["mount"], native["cps"]["transit"]["key"]) == ("voltgate-cps", "cps")
    assert sorted(section(written.output)["plug_and_charge"]["providers"]["own"]["native"]) == ["cps", "cps_20"]
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["contract-root.pem", "contract_20-root.pem", "cps.csr", "cps_20.csr", "station-root.pem"]
    root = x509.load_pem_x509_certificate((tmp_path / "contract_20-root.pem").read_bytes())
    assert "O=Example MO" in root.subject.rfc4514_string()
    (tmp_path / "voltgate.yaml").write_text(
        yaml.safe_dump({"backends": {"a": {"url": "wss://csms.example.com/{identity}"}}} | section(written.output))
    )
    assert load(tmp_path / "voltgate.yaml", {}).plug_and_charge is not None
    json_tree = json.loads(bootstrap(*arguments, "--json").output)
    assert "BEGIN CERTIFICATE REQUEST" in json_tree["csrs"]["cps"]


def test_a_generation_that_isnt_one(bootstrap: Bootstrap) -> None:
    assert bootstrap("--contract", "3").exit_code == 2
