"""An empty OpenBao is set up, twice, and only looked at; and what comes for the configuration."""

from pathlib import Path

import pytest
import yaml

from gateway.config import load
from pki.vault.bootstrap import authority_section
from pki.vault.bootstrap_connection import Administrator, BootstrapFailed
from pki.vault.bootstrap_findings import State
from pki.vault.bootstrap_plan import AppRolePlan, Plan
from tests.bao import Bao
from tests.pki.vault.bootstrapped import OPERATOR, administrator, changed, everything, looked_at, plan_of, set_up

ALL = ("station", "v2g", "server")


def test_the_second_run_finds_everything_right(vault: Administrator, tmp_path: Path) -> None:
    plan = plan_of(*ALL, public_url="http://pki.example.com")
    options = {"secret_id_file": tmp_path / "secret-id"}

    first = set_up(vault, plan, **options)
    before = everything(vault, plan)
    second = set_up(vault, plan, **options)

    assert len(first.of(State.CHANGED)) == 31
    assert [str(each) for each in second.findings if each.state is not State.RIGHT] == []
    assert everything(vault, plan) == before
    assert (first.login.role_id, first.papers.roots) == (second.login.role_id, second.papers.roots)
    assert set(first.papers.roots) == set(ALL)
    assert len(set(first.papers.roots.values())) == 3


def test_a_dry_run_tells_what_the_first_run_then_does(vault: Administrator, tmp_path: Path) -> None:
    plan = plan_of("station", "server")
    file = tmp_path / "secret-id"
    before = everything(vault, plan)

    shown = set_up(vault, plan, secret_id_file=file, dry_run=True)
    after = everything(vault, plan)
    done = set_up(vault, plan, secret_id_file=file)

    assert after == before
    assert {each.subject for each in shown.findings} == {each.subject for each in done.findings}
    assert not looked_at(done.findings)


def test_a_dry_run_needs_no_more_than_reading(bao: Bao, vault: Administrator, tmp_path: Path) -> None:
    plan = plan_of()
    file = tmp_path / "secret-id"
    set_up(vault, plan, secret_id_file=file)
    vault.write("sys/policies/acl/reader", {"policy": 'path "*" { capabilities = ["read", "list"] }'})
    assert vault.namespace is not None
    login = bao.ask("POST", "auth/token/create", {"policies": ["reader"]}, vault.namespace)["auth"]

    with administrator(bao, login["client_token"], vault.namespace) as reader:
        outcome = set_up(reader, plan, secret_id_file=file, dry_run=True)
        with pytest.raises(BootstrapFailed, match="the token may not update sys/mounts/voltgate-v2g"):
            set_up(reader, plan_of("station", "v2g"))

    assert changed(outcome.findings) == []


def test_a_use_that_was_set_up_before_keeps_its_rights(vault: Administrator) -> None:
    """The command for one use more, or for one alone, takes nothing from the others; what isn't ours goes."""
    set_up(vault, plan_of("station", "server"))
    assert changed(set_up(vault, plan_of("station")).findings) == []
    role = "auth/approle/role/voltgate"
    vault.write(role, {"token_policies": ["voltgate-station", "voltgate-server", "admins"]})

    (told,) = changed(set_up(vault, plan_of("station")).findings)

    assert "admins" in told
    assert set((vault.read(role) or {})["token_policies"]) == {"voltgate-server", "voltgate-station", "voltgate-token"}


def test_each_finding_is_told_when_it_is_settled(vault: Administrator) -> None:
    told: list[str] = []

    outcome = set_up(vault, tell=lambda finding: told.append(str(finding)))

    assert told == [str(each) for each in outcome.findings]


def test_what_failed_half_way_is_taken_up_by_the_next_run(vault: Administrator) -> None:
    """The root is away when the issuing CA's key is there already."""
    vault.write("sys/auth/approle", {"type": "userpass"})
    with pytest.raises(BootstrapFailed, match="auth/approle is of type userpass"):
        set_up(vault)

    plan = Plan(OPERATOR, plan_of().uses, approle=AppRolePlan(mount="approle2"))

    assert changed(set_up(vault, plan).findings) == [
        "login approle2: approle enabled",
        "role auth/approle2/role/voltgate: created",
    ]


def test_the_section_for_the_configuration_is_one(vault: Administrator, tmp_path: Path) -> None:
    plan = plan_of(*ALL)
    outcome = set_up(vault, plan, secret_id_file=tmp_path / "secret-id")
    section = authority_section(vault, plan, outcome, tmp_path / "secret-id")
    file = tmp_path / "voltgate.yaml"
    file.write_text(yaml.safe_dump({"backends": {"a": {"url": "wss://csms.example.com/{identity}"}}} | section))

    authority = load(file, {}).authority

    for name, use in authority.uses():
        assert use.vault is not None
        assert use.vault.namespace == vault.namespace
        assert use.vault.auth.approle is not None
        assert use.vault.auth.approle.role_id == outcome.login.role_id
        assert (use.vault.mount, use.vault.role) == {
            "station": ("voltgate-stations", "charging_station"),
            "v2g": ("voltgate-v2g", "secc"),
            "server": ("voltgate-server", "csms_server"),
        }[name]


def test_a_login_that_isnt_approle_is_left_to_the_reader(vault: Administrator) -> None:
    plan = Plan(OPERATOR, plan_of().uses)

    section = authority_section(vault, plan, set_up(vault, plan), None)

    assert "auth" not in section["authority"]["station"]["vault"]
