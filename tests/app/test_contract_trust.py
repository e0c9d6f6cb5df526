"""Who is trusted with contracts: files and operators, as they are and as they become."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from gateway.app.ca_files import FILE_MAX
from gateway.app.contract_trust import ContractTrust
from gateway.app.problems import StartFailed
from gateway.config.plug_and_charge import PlugAndCharge
from pki.iso15118.contract_authorities import ContractAuthorities
from pki.iso15118.development import write_plug_and_charge_pki
from pki.iso15118.exi import Schema
from pki.iso15118.messages import Action
from pki.iso15118.provisioning import ProvisioningRefused, Refusal
from tests.charging_vehicle import PCID, ChargingVehicle


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trust")
    write_plug_and_charge_pki(folder / "ours", operator="Example CPO")
    write_plug_and_charge_pki(folder / "theirs", operator="Example CPO")
    return folder


@pytest.fixture
def pki(made: Path, tmp_path: Path) -> Path:
    """Files that a test may change."""
    return Path(shutil.copytree(made, tmp_path / "pki"))


class Operators:
    """Whose contracts are taken."""

    def __init__(self) -> None:
        self.known: ContractAuthorities | None = None

    async def current(self) -> ContractAuthorities | None:
        return self.known


@pytest.fixture
def operators() -> Operators:
    return Operators()


def section(pki: Path, **keys: Any) -> PlugAndCharge:
    files = {"oem_roots": "ours/oem-roots.pem", "oem_intermediates": "ours/oem-intermediates.pem"}
    return PlugAndCharge.model_validate({"providers": {"a": {}}, **files, **keys}, context={"folder": pki})


def refusal(trust: ContractTrust, exi: bytes) -> Refusal | None:
    try:
        assert trust.verify(exi, Schema.ISO_2, Action.INSTALL).pcid == PCID
    except ProvisioningRefused as refused:
        return refused.refusal
    return None


async def test_whose_vehicles_are_known(pki: Path, tmp_path: Path, operators: Operators) -> None:
    trust = ContractTrust(section(pki), operators)
    await trust.open()
    assert refusal(trust, ChargingVehicle(pki / "ours", tmp_path / "a").asks()) is None
    assert refusal(trust, ChargingVehicle(pki / "theirs", tmp_path / "b").asks()) is Refusal.CHAIN_UNTRUSTED


async def test_roots_that_come_later(pki: Path, tmp_path: Path, operators: Operators) -> None:
    trust = ContractTrust(section(pki), operators)
    await trust.open()
    other = ChargingVehicle(pki / "theirs", tmp_path / "b")
    for name in ("oem-roots.pem", "oem-intermediates.pem"):
        shutil.copy(pki / "theirs" / name, pki / "ours" / name)
    assert refusal(trust, other.asks()) is Refusal.CHAIN_UNTRUSTED
    await trust.look()
    assert refusal(trust, other.asks()) is None


@pytest.mark.parametrize("content", [None, b"no PEM", b"-----BEGIN CERTIFICATE-----\nAAAA", b" " * (FILE_MAX + 1)])
async def test_a_file_that_is_spoilt_changes_nothing(
    pki: Path, tmp_path: Path, operators: Operators, content: bytes | None
) -> None:
    trust = ContractTrust(section(pki), operators)
    await trust.open()
    file = pki / "ours/oem-roots.pem"
    good = file.read_bytes()
    file.unlink() if content is None else file.write_bytes(content)
    await trust.look()
    assert "oem_roots" in trust._complaints
    assert refusal(trust, ChargingVehicle(pki / "ours", tmp_path / "a").asks()) is None
    file.write_bytes(good)
    await trust.look()
    assert trust._complaints == {}
    file.unlink() if content is None else file.write_bytes(content)
    with pytest.raises(StartFailed, match=r"plug_and_charge\.oem_roots: "):
        await ContractTrust(section(pki), operators).open()


@pytest.mark.parametrize("name", ["oem_roots", "oem_intermediates", "v2g_roots"])
async def test_a_start_without_a_file(pki: Path, operators: Operators, name: str) -> None:
    keys: dict[str, Any] = {name: "nowhere.pem"}
    with pytest.raises(StartFailed, match=rf"plug_and_charge\.{name}: .*nowhere\.pem: No such file"):
        await ContractTrust(section(pki, **keys), operators).open()


async def test_contracts_of_operators_that_become_known(pki: Path, operators: Operators) -> None:
    trust = ContractTrust(section(pki, mo_roots="theirs/oem-roots.pem"), operators)
    await trust.open()
    assert trust._requests._contracts._paths._anchors == frozenset()
    named = x509.load_pem_x509_certificate((pki / "theirs/oem-roots.pem").read_bytes())
    operators.known = ContractAuthorities([named])
    await trust.look()
    assert trust._requests._contracts is operators.known.paths
    assert trust.answers.verifier._mo is operators.known.paths
    assert trust.signed_answers.verifier._mo is operators.known.paths
    assert trust.answers.verifier._v2g is None


async def test_without_named_roots_others_contracts_may_lead_anywhere(pki: Path, operators: Operators) -> None:
    operators.known = ContractAuthorities([])
    trust = ContractTrust(section(pki, v2g_roots="ours/v2g-roots.pem"), operators)
    await trust.open()
    assert trust.answers.verifier._mo is None
    assert trust.answers.verifier._v2g is not None
    assert trust.signed_answers.verifier._mo is operators.known.paths
