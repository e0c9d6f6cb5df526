"""The API of a running gateway, on what it really stands on."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.app.records import new_contract, records
from gateway.app.serving import serving
from gateway.app.setup import scaffold
from gateway.config import load

TOKEN = "a-token-for-tests"
CAR, EMAID = "WVWZZZ1KZAW000123", "DE8EXC12345678"
CHANGES = {
    "VOLTGATE__LISTENERS__0__BIND": "127.0.0.1:0",
    "VOLTGATE__LISTENERS__1__BIND": "127.0.0.1:0",
    "VOLTGATE__ADMIN__BIND": "127.0.0.1:0",
    "VOLTGATE__ADMIN__TOKEN": "env:VOLTGATE_TEST_TOKEN",
}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("VOLTGATE_TEST_TOKEN", TOKEN)
    scaffold(tmp_path / "gw", backend_url="ws://127.0.0.1:1/{identity}", operator="A CPO", names=["localhost"])
    return load(tmp_path / "gw" / "voltgate.yaml", CHANGES)


async def test_every_part_answers_and_what_a_command_writes_is_seen_at_once(config: Any) -> None:
    lines: list[str] = []
    async with serving(config, lines.append):
        (admin,) = [line.split()[1] for line in lines if line.endswith("admin")]
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with aiohttp.ClientSession(f"{admin}/api/v1/", headers=headers) as session:

            async def asked(path: str) -> Any:
                async with session.get(path) as answer:
                    assert answer.status == 200, path
                    return await answer.json()

            for path in (
                *("stations", "pending-stations", "certificates", "certificate-requests", "quarantine"),
                *("security-events", "trust-anchors", "policies", "contract-certificates", "contract-provisionings"),
            ):
                assert path.replace("-", "_") in await asked(path)
            assert (await asked("contracts"))["contracts"] == []
            async with records(config) as beside:
                await beside.contracts.add(new_contract(CAR, EMAID), "ann")
            (contract,) = (await asked("contracts"))["contracts"]
            assert (contract["emaid"], contract["added_by"]) == (EMAID, "ann")
            body = {"pcid": CAR, "emaid": "DE8EXC99999999"}
            async with session.post("contracts", json=body) as answer:
                assert answer.status == 201
