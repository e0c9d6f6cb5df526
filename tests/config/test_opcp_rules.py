"""An OPCP provider as the file says it: nothing secret over a line that anybody can read, no header twice."""

from typing import Any

import pytest

from gateway.config.opcp_rules import HEADERS_MAX, broken_by_opcp, broken_by_opcp_cps
from gateway.config.plug_and_charge import NativeOpcpCps, Opcp
from gateway.config.source import spell

URL = "https://opcp.example.com"
TOKEN = {"url": "https://auth.example.com/oauth/token", "client_id": "voltgate", "client_secret": "env:OPCP_SECRET"}
WHOLE = {"url": f"{URL}/pnc/", "token": TOKEN, "headers": {"X-Api-Key": "env:KEY"}, "roots": "roots.pem"}


def faults(**opcp: Any) -> list[str]:
    return [f"{spell(key)}: {text}" for key, text in broken_by_opcp(Opcp.model_validate({"url": URL} | opcp))]


def test_what_may_be() -> None:
    assert faults() == []
    assert faults(**WHOLE) == []
    assert faults(headers={"Authorization": "env:KEY"}) == []
    assert faults(headers={f"X-{index}": "env:KEY" for index in range(HEADERS_MAX)}) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "10.1.2.3"])
def test_plain_http_where_it_stays_near(host: str) -> None:
    token = TOKEN | {"url": f"http://{host}:8080/token"}
    assert faults(url=f"http://{host}:8080", token=token, trusted_networks=["10.1.0.0/16"]) == []


@pytest.mark.parametrize(
    ("opcp", "fault"),
    [
        ({"url": "opcp.example.com"}, "url: must be a URL such as https://opcp.example.com"),
        ({"url": "ftp://opcp.example.com"}, "url: must be a URL such as https://opcp.example.com"),
        ({"url": "https://"}, "url: must be a URL such as https://opcp.example.com"),
        ({"url": "https://a b"}, "url: must be a URL such as https://opcp.example.com"),
        ({"url": "https://a:x"}, "url: must be a URL such as https://opcp.example.com"),
        (
            {"url": "https://u:p@a"},
            "url: must not hold a user, a ? or a # part; credentials go into token and headers",
        ),
        (
            {"url": "https://a?key=1"},
            "url: must not hold a user, a ? or a # part; credentials go into token and headers",
        ),
        (
            {"url": "http://opcp.example.com"},
            "url: is plain http: credentials would travel in clear; use https, or add opcp.example.com's network",
        ),
        (
            {"url": "http://10.2.0.1", "trusted_networks": ["10.1.0.0/16"]},
            "url: is plain http: credentials would travel in clear; use https, or add 10.2.0.1's network",
        ),
        (
            {"token": TOKEN | {"url": "http://auth.example.com/token"}},
            "token.url: is plain http: credentials would travel in clear; use https, or add auth.example.com's network",
        ),
        (
            {"token": TOKEN | {"client_secret": "file:{identity}"}},
            "token.client_secret: can't differ per station; remove {identity}",
        ),
        (
            {"headers": {"X Key": "env:KEY"}},
            "headers.X Key: must be the name of an HTTP header, such as X-Api-Key",
        ),
        ({"headers": {"": "env:KEY"}}, "headers.: must be the name of an HTTP header, such as X-Api-Key"),
        (
            {"headers": {"Content-Type": "env:KEY"}},
            "headers.Content-Type: is a header that the request has by itself; remove it",
        ),
        (
            {"headers": {"AlwaysReturnEXI": "env:KEY"}},
            "headers.AlwaysReturnEXI: is a header that the request has by itself; remove it",
        ),
        (
            {"token": TOKEN, "headers": {"authorization": "env:KEY"}},
            "headers.authorization: is where the token goes; remove it, or remove token",
        ),
        (
            {"headers": {"X-Key": "file:{identity}"}},
            "headers.X-Key: can't differ per station; remove {identity}",
        ),
        ({"headers": {f"X-{index}": "env:KEY" for index in range(HEADERS_MAX + 1)}}, "headers: must be 16 at most"),
    ],
)
def test_what_can_not_be(opcp: dict[str, Any], fault: str) -> None:
    assert faults(**opcp) == [fault]


@pytest.mark.parametrize(
    ("fingerprint", "is_good"),
    [
        (None, True),
        ("ab" * 32, True),
        (":".join(["AB"] * 32), True),
        ("896b6655-180e-4304-b642-606bb00df8f0", True),
        ("ab" * 31, False),
        ("896b6655180e4304b642606bb00df8f0", False),
        ("my root", False),
    ],
)
def test_how_a_v2g_root_is_named(fingerprint: str | None, is_good: bool) -> None:
    section = NativeOpcpCps.model_validate({"opcp": {"url": URL}, "v2g_root_fingerprint": fingerprint})
    assert [spell(key) for key, _ in broken_by_opcp_cps(section)] == ([] if is_good else ["v2g_root_fingerprint"])


def test_a_provisioning_service_is_a_provider_too() -> None:
    section = NativeOpcpCps.model_validate({"opcp": {"url": "http://a"}})
    assert [spell(key) for key, _ in broken_by_opcp_cps(section)] == ["opcp.url"]
