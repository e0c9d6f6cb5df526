"""The story with a contract certificate, on a stage with actors that only recite."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from gateway.demo.child import DemoFailed
from gateway.demo.contract_story import EMAID, PCID, ContractStory
from gateway.demo.timeline import Outcome
from pki.iso15118.development import write_plug_and_charge_pki
from tests.demo.stage import ACCOUNT, Stage

TOKEN = {"id_token": EMAID, "type": "eMAID"}


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    stage = Stage(tmp_path, monkeypatch, ContractStory)
    write_plug_and_charge_pki(stage.gateway.development_pki, operator="Example CPO")
    account = ACCOUNT | {"id_tag": EMAID}
    stage.script |= {
        "backend.stop_transaction": {"transaction": 1, "reason": "Local", "account": account},
        "station.transaction": {"account": account},
        "station.contract": {"status": "Installed", "emaid": EMAID, "until": "2027-11-23T05:00:00+00:00"},
        "station.authorize": {"id_token": TOKEN},
    }
    return stage


async def test_the_whole_story(stage: Stage) -> None:
    await stage.story.play()
    assert await stage.story.end() == 0

    assert stage.story.comparison is not None
    assert stage.story.comparison.agrees
    assert {step.outcome for step in stage.timeline.steps} == {Outcome.OK}
    assert "init Example CPO --plug-and-charge" in stage.log
    assert f"contract {PCID} {EMAID}" in stage.log
    said = [line for line in stage.log if line.startswith("station: ")]
    assert [line.split()[1] for line in said] == [
        "connect", "install_contract", "plug_and_charge", "charge", "stop", "unplug"
    ]  # fmt: skip
    assert not any("remote_start" in line for line in stage.log)


async def test_the_vehicle_is_certified_by_its_manufacturer(stage: Stage) -> None:
    await stage.story.play()

    pem = (stage.folder / "vehicle" / "provisioning.pem").read_bytes()
    names = x509.load_pem_x509_certificate(pem).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert [name.value for name in names] == [PCID]
    (started,) = [line for line in stage.log if line.startswith("start station")]
    assert started.endswith("--vehicle ./vehicle")


def without_contract(stage: Stage) -> None:
    stage.script["station.contract"] = {"status": "Failed", "info": {"reason_code": "NoContract"}}


def with_anothers(stage: Stage) -> None:
    stage.script["station.contract"] |= {"emaid": "DE8EXC00000000X"}


@pytest.mark.parametrize("mishap", [without_contract, with_anothers])
async def test_a_vehicle_without_its_contract_ends_it(stage: Stage, mishap: Callable[[Stage], None]) -> None:
    mishap(stage)

    with pytest.raises(DemoFailed, match="no contract"):
        await stage.story.play()

    assert stage.story.comparison is None
