"""The file endpoint in the configuration: sound sections, and the line that each wrong one earns."""

from typing import Any

import pytest

from gateway.config import Config
from gateway.config.rules import broken_rules
from gateway.config.rules_files import PUBLIC_URL_MAX, RATE_MIN
from gateway.config.source import spell

TLS = {"certificates": [{"chain": "gateway.pem", "key": "file:gateway.key"}]}
PLAIN = {"public_url": "http://files.example.com:8444", "plain": True, "trusted_networks": ["10.0.0.0/8"]}
LISTENERS = [
    {"bind": "127.0.0.1:8080", "security_profiles": [1], "trusted_networks": ["127.0.0.0/8"]},
    {"bind": "127.0.0.1:8443", "security_profiles": [2], "tls": TLS},
]


def faults(listeners: Any = LISTENERS, **keys: Any) -> dict[str, str]:
    config = Config.model_validate(
        {
            "backends": {"legacy": {"url": "wss://h/{identity}"}},
            "listeners": listeners,
            "files": {"public_url": "https://files.example.com:8444", **keys},
        }
    )
    return {spell(key): text for key, text in broken_rules(config)}


def of(host: str, length: int) -> str:
    return f"https://{'x' * (length - len(host) - 8)}{host}"


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"public_url": "https://files.example.com/"},
        {"public_url": "https://[2001:db8::1]:8444"},
        {"public_url": of(".example.com", PUBLIC_URL_MAX)},
        {"listener": 1},
        {"rate": RATE_MIN, "station_rate": RATE_MIN},
        PLAIN,
        {**PLAIN, "listeners": LISTENERS[:1]},
    ],
)
def test_what_is_sound(keys: dict[str, Any]) -> None:
    assert faults(**keys) == {}


@pytest.mark.parametrize(
    ("keys", "key", "text"),
    [
        ({"public_url": "http://files.example.com"}, "public_url", "must be a https:// URL such as https://files.ex"),
        ({**PLAIN, "public_url": "https://files.example.com"}, "public_url", "must be a http:// URL such as http://"),
        ({"public_url": "files.example.com"}, "public_url", "must be a https:// URL"),
        ({"public_url": "https://"}, "public_url", "must be a https:// URL"),
        ({"public_url": "https://files.example.com:port"}, "public_url", "must be a https:// URL"),
        ({"public_url": "https://files .example.com"}, "public_url", "must be a https:// URL"),
        ({"public_url": "https://me:secret@files.example.com"}, "public_url", "must not hold a user or password"),
        ({"public_url": "https://files.example.com/fw"}, "public_url", "must have nothing behind host and port"),
        ({"public_url": "https://files.example.com?a=b"}, "public_url", "must have nothing behind host and port"),
        ({"public_url": of(".example.com", PUBLIC_URL_MAX + 1)}, "public_url", f"at most {PUBLIC_URL_MAX} characters"),
        ({"listener": 2}, "listener", "is none of the listeners, which are 0 to 1"),
        ({"listener": 0}, "listener", r"names listeners[0], which has no TLS"),
        ({"listeners": LISTENERS[:1]}, "listener", "can't be left out: no listener has TLS"),
        ({**PLAIN, "listener": 1}, "listener", "has no effect while plain is true"),
        ({**PLAIN, "trusted_networks": []}, "trusted_networks", "is needed while plain is true"),
        ({"trusted_networks": ["10.0.0.0/8"]}, "trusted_networks", "has an effect while plain is true alone"),
        ({"rate": RATE_MIN - 1}, "rate", "must be at least 1024"),
        ({"station_rate": RATE_MIN - 1}, "station_rate", "must be at least 1024"),
        ({"bind": "0.0.0.0:8443"}, "bind", "listens where listeners[1].bind does already"),
    ],
)
def test_what_is_wrong(keys: dict[str, Any], key: str, text: str) -> None:
    found = faults(**keys)
    assert list(found) == [f"files.{key}"]
    assert text in found[f"files.{key}"]
    assert "secret@" not in str(found)
