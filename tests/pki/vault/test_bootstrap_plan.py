"""What is wanted, before anybody is asked."""

import re
from datetime import timedelta

import pytest
from cryptography.x509.oid import NameOID

from pki.profiles import with_lifetime
from pki.vault.bootstrap_plan import (
    CPS_KEY_TYPES,
    CRL_SETTINGS,
    MOUNTS,
    NAME_MAX,
    AppRolePlan,
    CpsKey,
    FirmwareKey,
    Plan,
    Use,
    checked_mount,
    policy_names,
    policy_text,
    role_body,
    url_settings,
    use_named,
)

ORDER = ["voltgate-token", "voltgate-station", "voltgate-v2g", "voltgate-server"]
PATH = re.compile(r'path "([^"]+)"')


def paths(use: Use | CpsKey | FirmwareKey | None) -> list[str]:
    return PATH.findall(policy_text(use))


def test_a_role_follows_from_the_profile() -> None:
    use = use_named("station")

    body = role_body(use, "Example CPO")

    assert (use.role, use.mount, use.policy) == ("charging_station", "voltgate-stations", "voltgate-station")
    assert (body["max_ttl"], body["organization"]) == ("31536000s", ["Example CPO"])
    assert (body["not_after_bound"], body["not_before_bound"]) == ("forbid", "forbid")
    shorter = Use("station", use.mount, with_lifetime(use.profile, timedelta(days=90)))
    assert role_body(shorter, "Example CPO")["max_ttl"] == "7776000s"


def test_a_server_role_for_the_operators_host_names_alone() -> None:
    named = Use("server", "voltgate-server", use_named("server").profile, ("csms.example.com",))

    assert role_body(named, "Example CPO")["allowed_domains"] == ["csms.example.com"]
    assert role_body(use_named("server"), "Example CPO")["allow_any_name"]


@pytest.mark.parametrize("name", MOUNTS)
def test_a_policy_names_one_role_of_one_engine_and_no_pattern(name: str) -> None:
    use = use_named(name)
    verb = "sign" if name in {"station", "server"} else "sign-verbatim"

    assert paths(use) == [
        f"{use.mount}/{verb}/{use.role}",
        f"{use.mount}/roles/{use.role}",
        f"{use.mount}/revoke",
    ]
    assert not re.search(r'path "[^"]*[*+{]', policy_text(use))


def test_a_policy_for_an_engine_of_another_name_differs_in_that_alone() -> None:
    own = use_named("station", "pki/stations")

    assert paths(own) == [
        "pki/stations/sign/charging_station",
        "pki/stations/roles/charging_station",
        "pki/stations/revoke",
    ]
    assert policy_text(own).replace("pki/stations/", "voltgate-stations/") == policy_text(use_named("station"))


@pytest.mark.parametrize("name", CPS_KEY_TYPES)
def test_a_policy_names_one_key(name: str) -> None:
    assert paths(CpsKey(name)) == [f"voltgate-cps/sign/{name}", f"voltgate-cps/keys/{name}"]
    assert paths(CpsKey(name, "transit")) == [f"transit/sign/{name}", f"transit/keys/{name}"]
    text = policy_text(CpsKey(name))
    assert not re.search(r'path "[^"]*[*+{]', text)
    assert f'"hash_algorithm" = ["sha2-{256 if name == "cps" else 512}"]' in text


def test_the_key_that_signs_firmware_is_not_the_gateways() -> None:
    key = FirmwareKey("rsa-3072")
    plan = Plan("Example CPO", (use_named("station"),), firmware=key)

    assert paths(key) == ["voltgate-firmware/sign/firmware", "voltgate-firmware/keys/firmware"]
    assert paths(FirmwareKey(mount="releases")) == ["releases/sign/firmware", "releases/keys/firmware"]
    assert policy_names(plan, ["voltgate-firmware"]) == ["voltgate-token", "voltgate-station"]
    assert (plan.keys, plan.granted) == ((key,), plan.uses)
    assert len(key.subject("x" * 64)[NameOID.COMMON_NAME]) == NAME_MAX


def test_whose_certificates_they_are() -> None:
    plan = Plan("Example CPO", (), mobility_operator="Example MO")
    owners = {name: plan.owner(use_named(name)) for name in MOUNTS}

    assert owners == dict.fromkeys(("station", "v2g", "server"), "Example CPO") | dict.fromkeys(
        ("contract", "contract_20"), "Example MO"
    )
    assert Plan("Example CPO", ()).owner(use_named("contract")) == "Example CPO"


def test_the_policy_of_the_tokens_own_paths() -> None:
    assert paths(None) == [
        "auth/token/lookup-self",
        "auth/token/renew-self",
        "auth/token/revoke-self",
        "sys/capabilities-self",
    ]


@pytest.mark.parametrize(
    "name", ["", "/a", "a/", "a//b", "a*", "+", 'a" { }', "a b", "../a", "-a", "a" * 201, "{{identity}}"]
)
def test_names_that_would_reach_into_paths_and_policies(name: str) -> None:
    with pytest.raises(ValueError, match="is no name of a secrets engine"):
        checked_mount(name)


def test_names_that_vault_takes() -> None:
    assert [checked_mount(name) for name in ("pki", "pki/voltgate-1", "a" * 200)]


def test_urls_name_the_issuer_so_that_they_stay_right_when_it_changes() -> None:
    assert url_settings("pki", "http://pki.example.com/") == {
        "enable_templating": True,
        "issuing_certificates": ["http://pki.example.com/v1/pki/issuer/{{issuer_id}}/der"],
        "crl_distribution_points": ["http://pki.example.com/v1/pki/issuer/{{issuer_id}}/crl/der"],
        "ocsp_servers": ["http://pki.example.com/v1/pki/ocsp"],
    }


def test_urls_that_are_too_many_leave_the_issuers_out() -> None:
    body = url_settings("pki", "http://pki.example.com", is_issuer_named=False)
    assert body == url_settings("pki", "http://pki.example.com") | {"issuing_certificates": []}


def test_the_login_has_every_policy_and_not_vaults_default_one() -> None:
    plan = Plan("Example CPO", (use_named("station"), use_named("server")))
    names = policy_names(plan)
    assert names == ["voltgate-token", "voltgate-station", "voltgate-server"]

    assert policy_names(plan, ["voltgate-v2g", "admins", "voltgate-x"]) == sorted(
        [*names, "voltgate-v2g"], key=ORDER.index
    )

    with_cps = Plan("Example CPO", (use_named("station"), use_named("contract_20")), cps=(CpsKey("cps"),))
    assert policy_names(with_cps, ["voltgate-cps_20"]) == [
        "voltgate-token",
        "voltgate-station",
        "voltgate-contract_20",
        "voltgate-cps",
        "voltgate-cps_20",
    ]
    settings = AppRolePlan(mount="gateways", networks=("192.0.2.0/24",)).settings(names)

    assert (settings["token_policies"], settings["token_no_default_policy"]) == (names, True)
    assert settings["token_bound_cidrs"] == settings["secret_id_bound_cidrs"] == ["192.0.2.0/24"]
    assert AppRolePlan(mount="gateways").path == "auth/gateways/role/voltgate"


def test_a_crl_is_made_again_long_before_it_lapses() -> None:
    assert (CRL_SETTINGS["auto_rebuild"], CRL_SETTINGS["expiry"]) == (True, "72h")
