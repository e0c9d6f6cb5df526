"""The rules between a backend's keys: a small backend, and every line that it earns."""

from typing import Any

import pytest

from gateway.config import Config
from gateway.config.rules_backend import broken_by_backend
from gateway.config.source import spell


def of_backend(url: str = "wss://csms.example.com/ocpp/{identity}", **keys: Any) -> dict[str, str]:
    tree = {"backends": {"b": {"url": url, **keys}}}
    return {spell(key): text for key, text in broken_by_backend(Config.model_validate(tree).backends["b"])}


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


@pytest.mark.parametrize(
    ("keys", "complaints"),
    [
        ({}, {}),
        ({"default_id_tag": "X"}, {"default_id_tag": "has no effect with protocol ocpp2.0.1; remove it"}),
        ({"security_extension": False}, {"security_extension": "has no effect with protocol ocpp2.0.1; remove it"}),
        ({"authorize_offline": "refuse"}, {}),
        ({"authorize_offline": "accept"}, {"authorize_offline": "must be refuse with protocol ocpp2.0.1"}),
    ],
)
def test_what_is_about_1_6_is_not_said_of_a_backend_of_2_0_1(keys: dict[str, Any], complaints: dict[str, str]) -> None:
    assert of_backend(protocol="ocpp2.0.1", **keys) == complaints
    assert of_backend(protocol="ocpp1.6", **keys) == {}
