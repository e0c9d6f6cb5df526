"""Who signs, as the file says it: exactly one authority per use, and none over a line that anybody can read."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.config import Config
from gateway.config.authorities import AuthorityUse
from gateway.config.rules import broken_rules
from gateway.config.source import spell

BACKENDS: dict[str, Any] = {"legacy": {"url": "wss://csms.example.com/ocpp/{identity}"}}
VAULT = {"address": "https://vault.example.com:8200", "role": "station", "auth": {"token": "env:VAULT_TOKEN"}}
EST = {"url": "https://est.example.com", "auth": {"user": "voltgate", "password": "env:EST"}}


def tree(**authority: Any) -> Config:
    return Config.model_validate({"backends": BACKENDS, "authority": authority})


def faults(**authority: Any) -> list[str]:
    return [f"{spell(key)}: {text}" for key, text in broken_rules(tree(**authority))]


def test_stations_have_the_embedded_ca_without_a_word() -> None:
    assert [(name, use.local is not None) for name, use in tree().authority.uses()] == [("station", True)]
    assert tree(station={"lifetime": "90d"}).authority.station.local is not None


def test_another_authority_takes_its_place() -> None:
    authority = tree(station={"vault": VAULT}, v2g={"est": EST}).authority
    assert authority.station.local is None
    assert authority.station.vault is not None
    assert authority.station.vault.address == ("https://vault.example.com:8200",)
    assert [name for name, _ in authority.uses()] == ["station", "v2g"]


@pytest.mark.parametrize(("text", "wanted"), [("90d", 90 * 24), ("20h", 20), ("10m", 1 / 6), ("3650d", 3650 * 24)])
def test_a_lifetime(text: str, wanted: float) -> None:
    assert tree(station={"lifetime": text}).authority.station.lifetime == timedelta(hours=wanted)


@pytest.mark.parametrize("text", ["", "90", "d", "-1d", "9m", "3651d", "1.5d", "90 d", 7, "٣d", "9999999d"])
def test_no_lifetime(text: Any) -> None:
    with pytest.raises(ValueError, match="must be 10m to 3650d"):
        AuthorityUse.model_validate({"lifetime": text})


@pytest.mark.parametrize(
    ("authority", "fault"),
    [
        ({"v2g": {}}, "authority.v2g: must name exactly one of local, vault, est, and names none"),
        (
            {"station": {"local": {"dir": "ca"}, "est": EST}},
            "authority.station: must name exactly one of local, vault, est, and names local, est",
        ),
        (
            {"station": {"local": {"dir": "ca"}}, "v2g": {"local": {"dir": "ca"}}},
            "authority.v2g.local.dir: is another use's folder; each use has a CA of its own",
        ),
        (
            {"station": {"vault": VAULT | {"address": "http://10.0.0.1:8200"}}},
            (
                "authority.station.vault.address: is plain http: the token would travel in clear; "
                "use https, or add 10.0.0.1's network"
            ),
        ),
        (
            {"station": {"vault": VAULT | {"address": ["https://a:8200", "vault.example.com"]}}},
            "authority.station.vault.address[1]: must be a URL such as https://vault.example.com:8200, without a path",
        ),
        (
            {"station": {"vault": VAULT | {"address": "https://u:p@a:8200"}}},
            "authority.station.vault.address: must not hold a user, a ? or a # part; name credentials under auth",
        ),
        (
            {"station": {"vault": VAULT | {"address": []}}},
            "authority.station.vault.address: must name one node at least",
        ),
        (
            {"station": {"vault": VAULT | {"auth": {}}}},
            (
                "authority.station.vault.auth: must name exactly one of token, approle, kubernetes, tls, jwt, "
                "and names none"
            ),
        ),
        (
            {"station": {"vault": VAULT | {"auth": {"token": "file:{identity}"}}}},
            "authority.station.vault.auth.token: can't differ per station; remove {identity}",
        ),
        (
            {"station": {"est": EST | {"url": "http://est.example.com"}}},
            "authority.station.est.url: must be a URL such as https://est.example.com, without a path (RFC 7030 3.2.2)",
        ),
        ({"station": {"est": EST | {"label": "a/b"}}}, "authority.station.est.label: must be one segment of a path"),
        (
            {"station": {"est": EST | {"auth": {"user": "voltgate"}}}},
            "authority.station.est.auth.password: is missing; user and password go together",
        ),
        (
            {"station": {"est": EST | {"auth": {}}}},
            "authority.station.est.auth: must name chain and key, or user and password",
        ),
    ],
)
def test_what_can_not_be(authority: dict[str, Any], fault: str) -> None:
    assert faults(**authority) == [fault]


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "10.1.2.3"])
def test_plain_http_where_it_stays_near(host: str) -> None:
    vault = VAULT | {"address": f"http://{host}:8200", "trusted_networks": ["10.1.0.0/16"]}
    assert faults(station={"vault": vault}) == []


def test_each_use_may_have_its_own_folder() -> None:
    authority = tree(v2g={"local": {"dir": "v2g-ca"}}).authority
    assert authority.v2g is not None
    assert authority.v2g.local is not None
    assert authority.v2g.local.dir == Path.cwd() / "v2g-ca"
