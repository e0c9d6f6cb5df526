"""Whether each configured authority could sign: the embedded CA, and a real OpenBao."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.app.pki_check import AuthorityChecked, _vehicles, check_authorities
from gateway.config import Config, load
from pki.authority.local import LocalAuthority
from pki.iso15118.exi import Schema
from pki.issuing import ISSUING_LIFETIME, new_ec_key
from pki.pem_files import key_pem
from pki.profiles import load_profile
from pki.vault.bootstrap import authority_section, cps_section
from pki.vault.bootstrap_plan import CpsKey
from tests.bao import Bao
from tests.pki.iso15118.provisioning_parts import v2g_pki
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


async def test_the_ca_of_contracts_and_its_provisioning_service(tmp_path: Path) -> None:
    v2g = v2g_pki(Schema.ISO_2, datetime.now(UTC) - timedelta(hours=2))
    (tmp_path / "cps.pem").write_text(v2g.chain_pem)
    (tmp_path / "cps.key").write_bytes(v2g.key_pem)
    (tmp_path / "cps.key").chmod(0o600)
    authority = {use: {"local": {"dir": str(tmp_path / use)}} for use in ("station", "contract", "contract_20")}
    own = {"native": {"cps": {"chain": str(tmp_path / "cps.pem"), "key": f"file:{tmp_path / 'cps.key'}"}}}
    config = configured(tmp_path, authority, plug_and_charge={"providers": {"own": own}, "oem_roots": "oem.pem"})

    right = await check_authorities(config)
    LocalAuthority.open(tmp_path / "small")
    authority["contract_20"]["local"]["dir"] = str(tmp_path / "small")
    (tmp_path / "cps.key").write_bytes(key_pem(new_ec_key("P-256")))
    wrong = await check_authorities(
        configured(tmp_path, authority, plug_and_charge={"providers": {"own": own}, "oem_roots": "oem.pem"})
    )

    assert [(each.use, each.kind, each.problems) for each in right] == [
        ("station", "local", []),
        ("contract", "local", []),
        ("contract_20", "local", []),
        ("own.native.cps", "file", []),
    ]
    assert right[-1].valid_until == [(v2g.leaf.subject.rfc4514_string(), v2g.leaf.not_valid_after_utc)]
    assert [len(each.problems) for each in wrong] == [0, 0, 2, 1]
    assert "isn't on P-521; make a CA that is" in wrong[2].problems[0]
    assert "own.native.cps.key: the key isn't that of the leaf" in wrong[3].problems[0]


async def test_a_provisioning_service_in_a_vault(bao: Bao, tmp_path: Path) -> None:
    plan = plan_of("contract", cps=(CpsKey("cps"),))
    with administrator(bao) as vault:
        outcome = set_up(vault, plan, secret_id_file=tmp_path / "secret-id")
        section = authority_section(vault, plan, outcome, tmp_path / "secret-id")["authority"]
        native = cps_section(vault, plan, outcome, tmp_path / "secret-id")
        asked = x509.load_pem_x509_csr(outcome.papers.requests["cps"].encode()).public_key()
        assert isinstance(asked, ec.EllipticCurvePublicKey)
        native["cps"]["chain"] = str(tmp_path / "cps.pem")
        (tmp_path / "cps.pem").write_text(v2g_pki(Schema.ISO_2, datetime.now(UTC), key=asked).chain_pem)
        vehicles = {"providers": {"own": {"native": native}}, "oem_roots": "oem.pem"}
        config = configured(tmp_path, section, plug_and_charge=vehicles)

        right = await check_authorities(config)
        for name, verb in (("contract", "sign/contract"), ("cps", "verify/cps")):
            rules = (vault.read(f"sys/policies/acl/voltgate-{name}") or {})["policy"]
            gone = {"contract": "sign-verbatim/contract", "cps": "sign/cps"}[name]
            vault.write(f"sys/policies/acl/voltgate-{name}", {"policy": rules.replace(gone, verb)})
        unable = await check_authorities(config)

    assert [(each.use, each.problems) for each in right[1:]] == [("contract", []), ("own.native.cps", [])]
    assert 'the token may not: add path "voltgate-contracts/sign-verbatim/contract"' in unable[1].problems[0]
    assert 'the token may not sign: add path "voltgate-cps/sign/cps"' in unable[2].problems[0]


async def test_an_issuing_ca_that_vehicles_find_too_large(tmp_path: Path) -> None:
    with_long_name = {"local": {"dir": str(tmp_path / "ca")}}
    LocalAuthority.open(tmp_path / "ca", organization="O" * 64, label="Contracts of " + "x" * 20)
    profile = load_profile("contract")
    found = AuthorityChecked("contract", "local")
    chain = await LocalAuthority.open(tmp_path / "ca").chain()

    _vehicles(found, chain, profile.model_copy(update={"certificate_size_max": 500}))

    (told,) = found.problems
    assert "bytes, vehicles take 500 (V2G2-010); make a CA with shorter names and URLs" in told
    (_, right) = await check_authorities(configured(tmp_path, {"contract": with_long_name}))
    assert right.problems == []


async def test_a_provisioning_service_that_is_over(tmp_path: Path) -> None:
    v2g = v2g_pki(Schema.ISO_2, datetime.now(UTC) - timedelta(days=100))
    (tmp_path / "cps.pem").write_text(v2g.chain_pem)
    (tmp_path / "cps.key").write_bytes(v2g.key_pem)
    (tmp_path / "cps.key").chmod(0o600)
    own = {"native": {"cps": {"chain": str(tmp_path / "cps.pem"), "key": f"file:{tmp_path / 'cps.key'}"}}}

    authority = {"contract": {"local": {"dir": str(tmp_path / "contract")}}}
    found = await check_authorities(
        configured(tmp_path, authority, plug_and_charge={"providers": {"own": own}, "oem_roots": "oem.pem"})
    )

    assert "put a new one in its place" in found[-1].problems[0]
