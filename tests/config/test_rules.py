"""The rules between keys: a small configuration, and every line that it earns."""

from pathlib import Path
from typing import Any

import pytest

from gateway.config import Config
from gateway.config.rules import broken_rules
from gateway.config.source import spell

BACKENDS = {"legacy": {"url": "wss://csms.example.com/ocpp/{identity}"}}
TLS = {"certificates": [{"chain": "c.pem", "key": "file:c.key"}], "station_roots": "r.pem"}
PLAIN = {"bind": "127.0.0.1:8080", "security_profiles": [1], "trusted_networks": ["10.0.0.0/8"]}


def faults(**keys: Any) -> dict[str, str]:
    return {spell(key): text for key, text in broken_rules(Config.model_validate({"backends": BACKENDS, **keys}))}


def of_listener(**keys: Any) -> dict[str, str]:
    return {key.removeprefix("listeners[0]."): text for key, text in faults(listeners=[keys]).items()}


def of_backend(url: str = BACKENDS["legacy"]["url"], **keys: Any) -> dict[str, str]:
    return {key.removeprefix("backends.b."): text for key, text in faults(backends={"b": {"url": url, **keys}}).items()}


def test_the_defaults_keep_every_rule() -> None:
    assert faults() == {}


@pytest.mark.parametrize(
    ("listener", "key", "words"),
    [
        ({"security_profiles": []}, "security_profiles", "at least one of 1, 2, 3"),
        ({"security_profiles": [2, 2], "tls": TLS}, "security_profiles", "twice"),
        ({"security_profiles": [1, 3], "tls": TLS}, "security_profiles", "can't share a listener"),
        ({"security_profiles": [1]}, "trusted_networks", "is needed for profile 1"),
        ({**PLAIN, "tls": TLS}, "tls", "profile 1 is without TLS"),
        ({"tls": TLS, "trusted_networks": ["10.0.0.0/8"]}, "trusted_networks", "profile 1 alone"),
        ({"security_profiles": [2]}, "tls", "is needed for profiles 2 and 3"),
        ({"security_profiles": [2], "tls": {"station_roots": "r.pem"}}, "tls.certificates", "at least one chain"),
        ({"tls": {"certificates": TLS["certificates"]}}, "tls.station_roots", "is needed for profile 3"),
        (
            {"security_profiles": [2], "tls": {"certificates": [{"chain": "c", "key": "file:{identity}"}]}},
            "tls.certificates[0].key",
            "can't differ per station",
        ),
        ({**PLAIN, "path": "/ocpp"}, "path", "must be plain segments and end in one /{identity}"),
        ({**PLAIN, "path": "/{identity}/{identity}"}, "path", "must be plain"),
        ({**PLAIN, "path": "/{identity}/ocpp"}, "path", "must be plain"),
        ({**PLAIN, "path": "/ocpp/x{identity}"}, "path", "must be plain"),
        ({**PLAIN, "path": "ocpp/{identity}"}, "path", "must be plain"),
        ({**PLAIN, "path": "/a?b=/{identity}"}, "path", "must be plain"),
    ],
)
def test_a_listener_that_breaks_one_rule(listener: dict[str, Any], key: str, words: str) -> None:
    found = of_listener(**listener)

    assert list(found) == [key]
    assert words in found[key]


@pytest.mark.parametrize(
    "listener",
    [
        PLAIN,
        {**PLAIN, "path": "/{identity}"},
        {**PLAIN, "path": "/a/b-c/{identity}"},
        {"tls": TLS},
        {"security_profiles": [2], "tls": {"certificates": TLS["certificates"]}},
        {"security_profiles": [3], "tls": TLS},
    ],
)
def test_a_listener_that_keeps_them(listener: dict[str, Any]) -> None:
    assert of_listener(**listener) == {}


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://h/{identity}", "must be a WebSocket URL"),
        ("wss:///{identity}", "must be a WebSocket URL"),
        ("wss://h:99999/{identity}", "must be a WebSocket URL"),
        ("wss://[::1/{identity}", "must be a WebSocket URL"),
        ("wss://h/a b/{identity}", "must be a WebSocket URL"),
        ("wss://u:p@h/{identity}", "use auth.basic"),
        ("wss://h/{identity}#x", "# part"),
        ("wss://h/ocpp", "must hold {identity} once"),
        ("wss://h/{identity}/{identity}", "must hold {identity} once"),
        ("wss://h/a-{identity}/b", "must hold {identity} once"),
        ("wss://{identity}", "must hold {identity} once"),
        ("wss://h/{serial}/{identity}", "no braces but {identity}"),
        ("ws://csms.example.com/{identity}", "names can be forged"),
        ("ws://10.0.0.1/{identity}", "ws:// goes only to hosts in trusted_networks"),
        ("ws://localhost/{identity}", "ws:// goes only to hosts in trusted_networks"),
    ],
)
def test_a_url_that_breaks_a_rule(url: str, words: str) -> None:
    assert words in of_backend(url)["url"]


@pytest.mark.parametrize(
    ("url", "networks"),
    [
        ("wss://h/{identity}", []),
        ("wss://h/ocpp/{identity}/ws", []),
        ("wss://h/ocpp/cp-{identity}", []),
        ("wss://h/ws?station={identity}", []),
        ("ws://10.0.0.1:9000/{identity}", ["10.0.0.0/8"]),
        ("ws://[fd00::1]/{identity}", ["10.0.0.0/8", "fd00::/8"]),
        ("ws://localhost:9000/{identity}", ["127.0.0.0/8"]),
        ("ws://localhost:9000/{identity}", ["::1/128"]),
    ],
)
def test_a_url_that_keeps_them(url: str, networks: list[str]) -> None:
    assert of_backend(url, trusted_networks=networks) == {}


@pytest.mark.parametrize(
    ("backend", "key", "words"),
    [
        ({"tls": {"chain": "c.pem"}}, "tls.key", "chain and key go together"),
        ({"tls": {"key": "file:c.key"}}, "tls.chain", "chain and key go together"),
        ({"tls": {"chain": "c.pem", "key": "file:{identity}"}}, "tls.key", "can't differ per station"),
        ({"auth": {"basic": {"user": "a:b", "password": "env:X"}}}, "auth.basic.user", "colon"),
        ({"auth": {"basic": {"password": "file:a"}}, "trusted_networks": []}, "", ""),
        ({"auth": {"basic": {"password": "file:{identity}"}}}, "", ""),
        ({"tls": {"roots": "r.pem"}}, "", ""),
    ],
)
def test_a_backends_credentials(backend: dict[str, Any], key: str, words: str) -> None:
    found = of_backend(**backend)

    assert list(found) == ([key] if key else [])
    assert all(words in text for text in found.values())


def test_tls_has_no_place_on_ws() -> None:
    assert (
        "no effect on ws://" in of_backend("ws://127.0.0.1/{identity}", tls={}, trusted_networks=["127.0.0.0/8"])["tls"]
    )


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
    assert Config.model_validate({"backends": BACKENDS}).authority.station.local.dir == Path.cwd() / "certs/dev/ca"
