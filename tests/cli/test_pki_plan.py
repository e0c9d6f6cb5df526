"""What the options of `voltgate pki bootstrap` ask for, and which of them are refused before anybody is asked."""

from pathlib import Path
from typing import Any

import pytest
import typer

from gateway.cli.output import Failed
from gateway.cli.pki_plan import (
    PEM_SIZE_MAX,
    Generation,
    KeyType,
    Wishes,
    administrator,
    approle_plan,
    chosen_engines,
    plan_for,
)
from pki.vault.bootstrap_plan import CpsKey, FirmwareKey, policy_names


def wishes(**others: Any) -> Wishes:
    wanted: dict[str, Any] = {"operator": "Example CPO", "mounts": {"station": "pki", "server": "pki-server"}}
    wanted |= {"root_mount": "root", "intermediates": [], "lifetimes": [], "public_url": None}
    return Wishes(**(wanted | others))


def test_what_is_wanted() -> None:
    approle = approle_plan("approle", "45s", "10m", "90d", ["192.0.2.0/24"])

    plan = plan_for(wishes(lifetimes=["30d", "server=12h"], server_names=["csms.example.com"]), approle)

    assert [(use.name, use.mount, use.profile.validity.lifetime.total_seconds()) for use in plan.uses] == [
        ("station", "pki", 2_592_000),
        ("server", "pki-server", 43_200),
    ]
    assert (plan.root_mount, plan.uses[1].host_names, plan.uses[0].host_names) == ("root", ("csms.example.com",), ())
    assert plan.approle is not None
    assert (plan.approle.token_ttl.seconds, plan.approle.secret_id_ttl.days) == (45, 90)


def test_what_an_offline_root_has_signed(tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_text("A")
    (tmp_path / "b.pem").write_text("B")
    files = [str(tmp_path / "a.pem"), f"server={tmp_path / 'b.pem'}"]

    plan = plan_for(wishes(root_mount=None, intermediates=files), None)

    assert (plan.signed, plan.root_mount) == ({"station": "A", "server": "B"}, None)


@pytest.mark.parametrize(
    ("others", "fault"),
    [
        ({"operator": " "}, "--operator must name the owner"),
        ({"operator": "x" * 65}, "--operator must have 64 characters at most"),
        ({"operator": "Example\nCPO"}, "none of them control characters"),
        ({"mounts": {"station": "a b"}}, "is no name of a secrets engine"),
        ({"root_mount": "*"}, "is no name of a secrets engine"),
        ({"root_mount": "pki"}, "each engine needs a name of its own"),
        ({"lifetimes": ["soon"]}, "'soon' is no duration"),
        ({"lifetimes": ["v2g=90d"]}, "'v2g' isn't set up here"),
        ({"lifetimes": ["0d"]}, "a lifetime must be longer than nothing"),
        ({"intermediates": ["x"]}, r"give --offline-root too|can't be read"),
        ({"public_url": "pki.example.com"}, "--public-url must be a URL"),
        ({"server_names": ["*.example.com"]}, "is no host name"),
        ({"server_names": ["a"], "mounts": {"station": "pki"}}, "give --server too"),
    ],
)
def test_what_is_refused(others: dict[str, Any], fault: str) -> None:
    with pytest.raises((typer.BadParameter, Failed), match=fault):
        plan_for(wishes(**others), None)


@pytest.mark.parametrize(
    ("terms", "fault"),
    [
        (("a b", "1h", "24h", "0s", []), "is no name of a secrets engine"),
        (("approle", "1h", "1m", "0s", []), "--token-max-ttl not less"),
        (("approle", "0s", "1m", "0s", []), "must be more than nothing"),
        (("approle", "1h", "24h", "x", []), "--secret-id-ttl: 'x' is no duration"),
        (("approle", "1h", "24h", "0s", ["192.0.2.1/24"]), "has host bits set"),
    ],
)
def test_a_login_that_is_refused(terms: Any, fault: str) -> None:
    with pytest.raises(typer.BadParameter, match=fault):
        approle_plan(*terms)


@pytest.mark.parametrize("content", ["x" * (PEM_SIZE_MAX + 1), "é"])
def test_a_chain_that_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.pem").write_text(content)
    with pytest.raises(Failed, match=r"is larger than|isn't PEM"):
        plan_for(wishes(root_mount=None, intermediates=[str(tmp_path / "a.pem")]), None)


def test_whom_to_ask_and_as_whom(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("VAULT_TOKEN", raising=False)
    monkeypatch.delenv("BAO_TOKEN", raising=False)
    with pytest.raises(Failed, match="there is no token"):
        administrator("https://vault.example.com:8200", None, None)
    (tmp_path / ".vault-token").write_text("t\n")
    with administrator("https://vault.example.com:8200/", None, "") as vault:
        assert (vault.address, vault.namespace) == ("https://vault.example.com:8200", None)
    for address in ("vault.example.com", "https://vault.example.com/v1", "http://vault.example.com:8200"):
        with pytest.raises(typer.BadParameter):
            administrator(address, None, None)
    with pytest.raises(Failed, match="is no file"):
        administrator("https://vault.example.com", tmp_path / "missing", None)


def test_what_plug_and_charge_wants() -> None:
    two, twenty = Generation.ISO_2, Generation.ISO_20

    assert chosen_engines([], [], None, []) == ({}, (), None)
    assert chosen_engines([twenty, two, two], [twenty], None, []) == (
        {"contract": "voltgate-contracts", "contract_20": "voltgate-contracts-20"},
        (CpsKey("cps_20"),),
        None,
    )
    assert chosen_engines([two], [two, twenty], None, ["contract=mo", "cps=transit"]) == (
        {"contract": "mo"},
        (CpsKey("cps", "transit"), CpsKey("cps_20", "transit")),
        None,
    )


def test_a_key_for_firmware() -> None:
    assert chosen_engines([], [], KeyType.RSA_3072, []).firmware == FirmwareKey("rsa-3072", "voltgate-firmware")
    named = chosen_engines([], [], KeyType.P256, ["firmware=releases"]).firmware
    assert named == FirmwareKey("ecdsa-p256", "releases")
    plan = plan_for(wishes(firmware=named), None)
    assert (plan.keys, "voltgate-firmware" in policy_names(plan)) == ((named,), False)
    with pytest.raises(typer.BadParameter, match="each engine needs a name of its own"):
        plan_for(wishes(firmware=FirmwareKey(mount="pki")), None)


@pytest.mark.parametrize(
    ("mount", "fault"),
    [
        ("contract_20=mo", "--mount: 'contract_20' isn't set up here; one of contract, cps"),
        ("station=x", "'station' isn't set up here"),
        ("contract", "must be USE=NAME"),
        ("contract=", "must be USE=NAME"),
        ("=x", "'' isn't set up here"),
    ],
)
def test_engines_that_arent_wanted(mount: str, fault: str) -> None:
    with pytest.raises(typer.BadParameter, match=fault):
        chosen_engines([Generation.ISO_2], [Generation.ISO_2], None, [mount])


@pytest.mark.parametrize(
    ("others", "fault"),
    [
        ({"mobility_operator": "Example MO"}, "give --contract too"),
        ({"mobility_operator": " ", "mounts": {"contract": "mo"}}, "--mobility-operator must name the owner"),
        ({"mobility_operator": "x" * 65, "mounts": {"contract": "mo"}}, "--mobility-operator must have 64"),
        ({"cps": (CpsKey("cps", "a b"),)}, "is no name of a secrets engine"),
        ({"cps": (CpsKey("cps", "pki"),)}, "each engine needs a name of its own"),
    ],
)
def test_what_plug_and_charge_cant_be(others: dict[str, Any], fault: str) -> None:
    with pytest.raises(typer.BadParameter, match=fault):
        plan_for(wishes(**others), None)


def test_whose_the_contracts_are() -> None:
    wanted = wishes(mounts={"contract": "mo"}, mobility_operator=" Example MO ", cps=(CpsKey("cps"), CpsKey("cps_20")))

    plan = plan_for(wanted, None)

    assert (plan.owner(plan.uses[0]), plan.operator, plan.cps) == ("Example MO", "Example CPO", wanted.cps)
