"""The engines on a real OpenBao."""

import pytest

from pki.vault.bootstrap_connection import Administrator, BootstrapFailed
from pki.vault.bootstrap_findings import State
from tests.bao import Bao
from tests.pki.vault.bootstrapped import administrator, changed, plan_of, set_up


def test_an_engine_that_cuts_certificates_short_is_raised(vault: Administrator) -> None:
    """Vault's default of 768 h, whatever a role's max_ttl is."""
    vault.write("sys/mounts/voltgate-stations", {"type": "pki"})

    findings = set_up(vault).findings

    told = "engine voltgate-stations: max_lease_ttl 768h -> 8760h: it would cut certificates short"
    assert told in changed(findings)
    assert (vault.read("sys/mounts/voltgate-stations/tune") or {})["max_lease_ttl"] == 365 * 86_400


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_namespace_that_isnt_there(bao: Bao, dry_run: bool) -> None:
    """A dry run took it for an empty one."""
    with (
        administrator(bao, namespace="nowhere") as vault,
        pytest.raises(BootstrapFailed, match="there is no namespace nowhere"),
    ):
        set_up(vault, dry_run=dry_run)


def test_an_engine_that_allows_longer_ones_stays_as_it_is(vault: Administrator) -> None:
    vault.write("sys/mounts/voltgate-stations", {"type": "pki", "config": {"max_lease_ttl": "87600h"}})

    findings = set_up(vault).findings

    assert [each.state for each in findings if each.subject == "engine voltgate-stations"] == [State.RIGHT]
    assert (vault.read("sys/mounts/voltgate-stations/tune") or {})["max_lease_ttl"] == 3650 * 86_400


def test_an_engine_of_another_kind_is_left_alone(vault: Administrator) -> None:
    vault.write("sys/mounts/voltgate-stations", {"type": "kv"})

    with pytest.raises(BootstrapFailed, match="voltgate-stations is an engine of type kv; name another one"):
        set_up(vault)


def test_a_crl_that_would_lapse_is_mended(vault: Administrator) -> None:
    set_up(vault)
    vault.write("voltgate-stations/config/crl", {"auto_rebuild": False, "disable": True, "expiry": "24h"})

    (told,) = changed(set_up(vault).findings)

    assert "disable true -> false" in told
    assert "auto_rebuild false -> true" in told
    assert "expiry 24h -> 72h" in told


def test_urls_are_left_as_they_are_where_none_are_given(vault: Administrator) -> None:
    set_up(vault, plan_of(public_url="http://pki.example.com"))
    before = vault.read("voltgate-stations/config/urls")

    assert changed(set_up(vault).findings) == []
    (told, *_) = changed(set_up(vault, plan_of(public_url="http://crl.example.com")).findings)

    assert before != vault.read("voltgate-stations/config/urls")
    assert told.startswith("URLs in certificates of voltgate-root: crl_distribution_points [http://pki.example.com/v1/")
