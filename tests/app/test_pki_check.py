"""Whether each configured authority could sign: the embedded CA, and a real OpenBao."""

import asyncio
from pathlib import Path
from typing import Any

import yaml

from gateway.app.pki_check import check_authorities
from gateway.config import Config, load
from pki.issuing import ISSUING_LIFETIME
from pki.vault.bootstrap import authority_section
from tests.bao import Bao
from tests.pki.vault.bootstrapped import OPERATOR, administrator, plan_of, set_up


def configured(folder: Path, authority: dict[str, Any], **others: Any) -> Config:
    tree = {"operator": OPERATOR, "backends": {"a": {"url": "wss://csms.example.com/{identity}"}}}
    file = folder / "voltgate.yaml"
    file.write_text(yaml.safe_dump({**tree, **others, "authority": authority}))
    return load(file, {})


async def test_the_embedded_ca(tmp_path: Path) -> None:
    (found,) = await check_authorities(configured(tmp_path, {}))

    assert (found.use, found.kind, found.problems) == ("station", "local", [])
    assert found.shown()["ok"]
    assert [name.split(" ")[1:3] for name, _ in found.valid_until] != []


async def test_each_use_of_a_vault(bao: Bao, tmp_path: Path) -> None:
    plan = plan_of("station", "server")
    with administrator(bao) as vault:
        outcome = set_up(vault, plan, secret_id_file=tmp_path / "secret-id")
        section = authority_section(vault, plan, outcome, tmp_path / "secret-id")["authority"]

        right = await check_authorities(configured(tmp_path, section))
        other = await check_authorities(configured(tmp_path, section, operator="Another CPO"))
        section["station"]["lifetime"] = f"{ISSUING_LIFETIME.days}d"
        longer = await check_authorities(configured(tmp_path, section))
        vault.write("sys/policies/acl/voltgate-server", {"policy": 'path "x" { capabilities = ["read"] }'})
        unable = await check_authorities(configured(tmp_path, section))
        (tmp_path / "secret-id").write_text("wrong")
        (refused, _) = await check_authorities(configured(tmp_path, section))

    assert [(each.use, each.kind, each.problems) for each in right] == [
        ("station", "vault", []),
        ("server", "vault", []),
    ]
    assert [len(each.valid_until) for each in right] == [2, 2]
    assert "organization is [Example CPO], must be [Another CPO]" in other[0].problems[0]
    assert "max_ttl is 365 days" in longer[0].problems[-1]
    assert "the token may not sign" in unable[1].problems[0]
    assert "the login (approle) is refused" in refused.problems[0]


async def test_a_ca_that_ends_before_what_it_signs(bao: Bao, tmp_path: Path) -> None:
    plan = plan_of()
    with administrator(bao) as vault:
        outcome = set_up(vault, plan, secret_id_file=tmp_path / "secret-id")
        section = authority_section(vault, plan, outcome, tmp_path / "secret-id")["authority"]
        section["station"]["lifetime"] = f"{ISSUING_LIFETIME.days}d"
        (found,) = await check_authorities(configured(tmp_path, section))

    assert "a CA of its chain ends on" in found.problems[0] or "max_ttl" in found.problems[0]


async def test_a_list_that_has_run_out(bao: Bao, tmp_path: Path) -> None:
    plan = plan_of()
    with administrator(bao) as vault:
        outcome = set_up(vault, plan, secret_id_file=tmp_path / "secret-id")
        config = configured(tmp_path, authority_section(vault, plan, outcome, tmp_path / "secret-id")["authority"])
        vault.write("voltgate-stations/config/crl", {"auto_rebuild": False, "expiry": "1s"})
        vault.read("voltgate-stations/crl/rotate")

        async def stale() -> bool:
            (found,) = await check_authorities(config)
            return any("is stale since" in problem and "auto_rebuild" in problem for problem in found.problems)

        async with asyncio.timeout(30):
            while not await stale():
                pass


async def test_an_authority_that_cant_be_opened(tmp_path: Path) -> None:
    vault = {"address": "https://127.0.0.1:1", "mount": "pki", "role": "x", "auth": {"token": "file:missing"}}

    (found,) = await check_authorities(configured(tmp_path, {"station": {"vault": vault}}))

    assert not found.shown()["ok"]
    assert "missing" in found.problems[0]
