"""An administrator's connection to a real OpenBao, and what goes wrong with one."""

import socket
from pathlib import Path

import pytest

from pki.vault.bootstrap_connection import Administrator, BootstrapFailed
from tests.bao import ROOT_TOKEN, Bao


def opened(bao: Bao, token: str = ROOT_TOKEN) -> Administrator:
    return Administrator(bao.address, token, cacert=bao.cacert)


def test_paths_and_plain_data(bao: Bao) -> None:
    with opened(bao) as vault:
        assert vault.read("sys/policies/acl/nothing") is None
        assert vault.list("auth/approle/role") == {}
        assert vault.write("sys/mounts/pki", {"type": "pki"}) == {}
        made = vault.write("pki/root/generate/internal", {"common_name": "Root", "issuer_name": "it"})
        assert list(vault.list("pki/issuers")) == [made["issuer_id"]]
        assert vault.list("pki/issuers")[made["issuer_id"]]["issuer_name"] == "it"
        vault.patch("pki/issuer/it", {"leaf_not_after_behavior": "truncate"})
        read = vault.read("pki/issuer/it") or {}
        assert (read["leaf_not_after_behavior"], read["issuer_name"]) == ("truncate", "it")
        write = vault.writing("sys/mounts/later", {"type": "pki"})
        assert "later/" not in (vault.read("sys/mounts") or {})
        write()
        assert "later/" in (vault.read("sys/mounts") or {})


def test_a_token_that_may_not(bao: Bao) -> None:
    token = bao.ask("POST", "auth/token/create", {"policies": ["default"]})["auth"]["client_token"]
    with opened(bao, token) as vault:
        for ask, told in (
            (lambda: vault.read("sys/mounts"), "may not read sys/mounts; give it a policy with the capability 'read'"),
            (lambda: vault.list("pki/keys"), "may not list pki/keys"),
            (lambda: vault.write("sys/mounts/x", {}), "may not update sys/mounts/x"),
            (lambda: vault.patch("pki/issuer/it", {}), "may not patch pki/issuer/it"),
        ):
            with pytest.raises(BootstrapFailed, match=told) as failed:
                ask()
            assert token not in str(failed.value)


def test_what_vault_says_is_told_in_one_line(bao: Bao) -> None:
    with opened(bao) as vault, pytest.raises(BootstrapFailed, match="Vault refused to update sys/mounts/x: ") as failed:
        vault.write("sys/mounts/x", {"type": "nothing"})
    assert "\n" not in str(failed.value)
    with opened(bao) as vault, pytest.raises(BootstrapFailed, match="there is nothing at nowhere/x to write to"):
        vault.write("nowhere/x", {})


def test_a_certificate_that_isnt_trusted(bao: Bao) -> None:
    with (
        Administrator(bao.address, ROOT_TOKEN) as vault,
        pytest.raises(BootstrapFailed, match="isn't trusted; name its root's file"),
    ):
        vault.read("sys/mounts")


def test_nobody_there(tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        with (
            Administrator(f"http://127.0.0.1:{held.getsockname()[1]}", "secret") as vault,
            pytest.raises(BootstrapFailed, match=r"can't be reached .*; check the address"),
        ):
            vault.read("sys/mounts")
    assert "secret" not in repr(vault)


def test_a_sealed_vault(bao: Bao) -> None:
    bao.seal()
    try:
        with opened(bao) as vault, pytest.raises(BootstrapFailed, match="is sealed or down; unseal it"):
            vault.read("sys/mounts")
    finally:
        bao.unseal()
