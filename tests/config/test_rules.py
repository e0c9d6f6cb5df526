"""The rules between keys: a small configuration, and every line that it earns."""

from pathlib import Path
from typing import Any

import pytest

from gateway.config import Config
from gateway.config.authorities import LocalAuthority
from gateway.config.rules import broken_rules
from gateway.config.source import spell

BACKENDS = {"legacy": {"url": "wss://csms.example.com/ocpp/{identity}"}}
PLAIN = {"bind": "127.0.0.1:8080", "security_profiles": [1], "trusted_networks": ["10.0.0.0/8"]}


def faults(**keys: Any) -> dict[str, str]:
    return {spell(key): text for key, text in broken_rules(Config.model_validate({"backends": BACKENDS, **keys}))}


def test_the_defaults_keep_every_rule() -> None:
    assert faults() == {}


@pytest.mark.parametrize("name", ["a.b", "a__b", "", "-a", "a b", "x" * 65])
def test_a_backend_has_a_plain_name(name: str) -> None:
    assert "isn't a name" in faults(backends={name: BACKENDS["legacy"]})[spell(("backends", name))]


def test_which_backend_is_the_default() -> None:
    several = {"a": BACKENDS["legacy"], "b": BACKENDS["legacy"]}

    assert faults(backends=several, default_backend="b") == {}
    assert "name the one of a, b" in faults(backends=several)["default_backend"]
    assert "isn't one of the backends (a, b)" in faults(backends=several, default_backend="c")["default_backend"]
    assert faults(backends={}) == {"backends": "must name at least one backend"}


def test_binds_are_apart() -> None:
    found = faults(listeners=[PLAIN, {**PLAIN, "bind": "0.0.0.0:8080"}], admin={"bind": "127.0.0.1:8080"})

    assert list(found) == ["listeners[1].bind", "admin.bind"]
    assert "listeners[0].bind does already (127.0.0.1:8080)" in found["listeners[1].bind"]


def test_a_rule_of_a_section_names_the_whole_key() -> None:
    assert list(faults(listeners=[PLAIN, {**PLAIN, "bind": "127.0.0.1:1", "path": "/x"}])) == ["listeners[1].path"]
    assert list(faults(backends={"legacy": {"url": "wss://h/"}})) == ["backends.legacy.url"]


def test_the_rules_of_revocation_name_the_whole_key() -> None:
    assert list(faults(revocation={"crls": ["http:///x"]})) == ["revocation.crls[0]"]


def test_no_listener_at_all() -> None:
    assert list(faults(listeners=[])) == ["listeners"]


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        ({"admin": {"token": "file:{identity}"}}, "admin.token"),
        ({"store": {"password": "env:X"}}, "store.password"),
        ({"store": {"url": "postgresql+asyncpg://u@db/v", "password": "file:{identity}"}}, "store.password"),
        ({"store": {"url": "postgresql+asyncpg://db/v", "password": "env:X"}}, "store.url"),
        ({"store": {"url": "postgresql+asyncpg://u@db/v", "password": "env:X"}}, ""),
    ],
)
def test_secrets_that_have_no_place(keys: dict[str, Any], key: str) -> None:
    assert list(faults(**keys)) == ([key] if key else [])


def test_paths_without_a_context_start_at_the_working_directory() -> None:
    assert Config.model_validate({"backends": BACKENDS}).authority.station.local == LocalAuthority(
        dir=Path.cwd() / "certs/dev/ca"
    )


def test_issued_certificates_need_somebody_who_signs_them_and_a_folder_of_their_own() -> None:
    def listener(port: int, name: str, folder: str) -> dict[str, Any]:
        issued = {"names": [name], "dir": folder}
        return {"bind": f"127.0.0.1:{port}", "tls": {"station_roots": "r.pem", "issued": issued}}

    server = {"station": {"local": {"dir": "ca"}}, "server": {"local": {"dir": "csms-ca"}}}
    one, same, other = listener(1, "a.example", "x"), listener(2, "a.example", "x"), listener(3, "b.example", "x")

    assert faults(listeners=[one, same], authority=server) == {}
    assert faults(listeners=[one]) == {
        "listeners[0].tls.issued": "needs authority.server, which signs these certificates; add it"
    }
    found = faults(listeners=[one, same, other, listener(4, "b.example", "y")], authority=server)
    assert list(found) == ["listeners[2].tls.issued.dir"]
