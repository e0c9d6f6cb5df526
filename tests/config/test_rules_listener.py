"""The rules between a listener's keys: a small listener, and every line that it earns."""

from typing import Any

import pytest

from gateway.config import Config
from gateway.config.rules_listener import URL_MAX, broken_by_listener
from gateway.config.source import spell

TLS: dict[str, Any] = {"certificates": [{"chain": "c.pem", "key": "file:c.key"}], "station_roots": "r.pem"}
ISSUED: dict[str, Any] = {"names": ["gw.example.com"], "dir": "issued"}
PLAIN: dict[str, Any] = {"bind": "127.0.0.1:8080", "security_profiles": [1], "trusted_networks": ["10.0.0.0/8"]}
GATEWAY = "wss://gw.example.com:8443/ocpp"


def of_listener(**keys: Any) -> dict[str, str]:
    tree = {"backends": {"b": {"url": "wss://h/{identity}"}}, "listeners": [keys]}
    return {spell(key): text for key, text in broken_by_listener(Config.model_validate(tree).listeners[0])}


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
        ({"tls": {**TLS, "issued": ISSUED}}, "tls.issued", "keep one of both"),
        ({"tls": {"station_roots": "r.pem", "issued": {**ISSUED, "names": []}}}, "tls.issued.names", "at least one"),
        (
            {"tls": {"station_roots": "r.pem", "issued": {**ISSUED, "names": ["*.example.com"]}}},
            "tls.issued.names",
            "neither a host name nor an IP address",
        ),
        (
            {"tls": {"station_roots": "r.pem", "issued": ISSUED}, "hosts": ["other.example.com"]},
            "tls.issued.names",
            "gw.example.com isn't one of hosts",
        ),
        (
            {"security_profiles": [2], "tls": {"certificates": [{"chain": "c", "key": "file:{identity}"}]}},
            "tls.certificates[0].key",
            "can't differ per station",
        ),
        (
            {"security_profiles": [2], "tls": {**TLS, "factory_roots": "f.pem"}},
            "tls.factory_roots",
            "has an effect with profile 3 alone",
        ),
        ({**PLAIN, "protocols": []}, "protocols", "at least one of ocpp2.0.1, ocpp1.6"),
        ({**PLAIN, "protocols": ["ocpp1.6", "ocpp1.6"]}, "protocols", "twice"),
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
        {"tls": {"station_roots": "r.pem", "issued": ISSUED}, "hosts": ["GW.example.com"]},
        {"security_profiles": [3], "tls": TLS | {"factory_roots": "f.pem", "csms_roots": "c.pem"}},
        {**PLAIN, "protocols": ["ocpp1.6"], "public_url": "ws://10.0.0.1:8080/ocpp"},
        {**PLAIN, "path": "/{identity}", "public_url": "ws://[fd00::1]"},
        {"tls": TLS, "public_url": GATEWAY, "hosts": ["GW.example.com", "10.0.0.1", "::1"]},
        {"tls": TLS, "origins": ["https://app.example.com", "http://10.0.0.1:8000", "https://[::1]:1"]},
    ],
)
def test_a_listener_that_keeps_them(listener: dict[str, Any]) -> None:
    assert of_listener(**listener) == {}


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ws://gw.example.com/ocpp", "must be a wss:// URL such as wss://gateway.example.com/ocpp"),
        ("https://gw.example.com/ocpp", "must be a wss:// URL"),
        ("wss:///ocpp", "must be a wss:// URL"),
        ("wss://gw.example.com:99999/ocpp", "must be a wss:// URL"),
        ("wss://gw.example.com/oc pp", "must be a wss:// URL"),
        ("wss://gw.exämple.com/ocpp", "must be a wss:// URL"),
        ("wss://CS1:secret@gw.example.com/ocpp", "must not hold a user or password"),
        ("wss://gw.example.com/ocpp?x=1", "must not have a ? or # part"),
        ("wss://gw.example.com/ocpp#x", "must not have a ? or # part"),
        ("wss://gw.example.com/ocpp/{identity}", "must end in /ocpp: the listener's path without /{identity}"),
        ("wss://gw.example.com/ocpp/", "must end in /ocpp"),
        ("wss://gw.example.com", "must end in /ocpp"),
    ],
)
def test_a_public_url_that_breaks_a_rule(url: str, words: str) -> None:
    found = of_listener(tls=TLS, public_url=url)

    assert list(found) == ["public_url"]
    assert words in found["public_url"]
    assert "secret" not in found["public_url"]


def test_a_public_url_of_a_listener_in_clear() -> None:
    assert "must be a ws:// URL" in of_listener(**PLAIN, public_url=GATEWAY)["public_url"]
    assert "must have no path" in of_listener(**{**PLAIN, "path": "/{identity}"}, public_url="ws://h/x")["public_url"]


def test_the_longest_public_url() -> None:
    path = "/" + "x" * (URL_MAX - len("wss://gw.example.com/"))

    assert of_listener(tls=TLS, path=f"{path}/{{identity}}", public_url=f"wss://gw.example.com{path}") == {}
    longer = of_listener(tls=TLS, path=f"{path}x/{{identity}}", public_url=f"wss://gw.example.com{path}x")
    assert "at most 512 characters" in longer["public_url"]


def test_a_public_url_is_one_of_the_hosts() -> None:
    assert (
        "names gw.example.com, which isn't one of hosts"
        in (of_listener(tls=TLS, public_url=GATEWAY, hosts=["other.example.com"])["public_url"])
    )


@pytest.mark.parametrize("host", ["gw.example.com:8443", "wss://gw", "[::1]", "*.example.com", "a b", "-a", "gw_1"])
def test_what_is_no_host(host: str) -> None:
    found = of_listener(tls=TLS, hosts=["10.0.0.1", host])

    assert list(found) == ["hosts[1]"]
    assert "must be a host name or an IP address" in found["hosts[1]"]


@pytest.mark.parametrize(
    "origin",
    [
        "app.example.com",
        "https://app.example.com/",
        "https://app.example.com/x",
        "https://app.example.com?x",
        "https://u@app.example.com",
        "https://App.example.com",
        "https://app.example.com:",
        "https://app.example.com:x",
        "wss://app.example.com",
        "https://",
        "https://*.example.com",
        "null",
        "*",
    ],
)
def test_what_is_no_origin(origin: str) -> None:
    found = of_listener(tls=TLS, origins=[origin])

    assert list(found) == ["origins[0]"]
    assert "must be scheme://host" in found["origins[0]"]
