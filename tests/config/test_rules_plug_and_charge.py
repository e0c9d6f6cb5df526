"""Plug & Charge in the configuration: a sound section, and every line that a wrong one earns."""

from typing import Any

import pytest

from gateway.config import Config
from gateway.config.rules_plug_and_charge import EMSPS_MAX, PROVIDERS_MAX, broken_by_plug_and_charge
from gateway.config.source import spell

CPS = {"chain": "cps.pem", "key": "file:cps.key"}
TRANSIT = {"address": "https://vault:8200", "auth": {"token": "env:T"}, "key": "cps"}
NATIVE = {"native": {"cps": CPS}}
OPCP = {"opcp": {"url": "https://opcp.example.com"}}
SIGNING = {"native_opcp_cps": OPCP}
BACKEND: dict[str, Any] = {"backend": {}}


def faults(
    providers: Any = None,
    *,
    authority: dict[str, Any] | None = None,
    backend: dict[str, Any] | None = None,
    **keys: Any,
) -> dict[str, str]:
    uses = {"contract": {"local": {"dir": "mo"}}} if authority is None else authority
    config = Config.model_validate(
        {
            "backends": {"legacy": {"url": "wss://h/{identity}", **(backend or {})}},
            "authority": uses,
            "plug_and_charge": {
                "providers": {"a": NATIVE} if providers is None else providers,
                "oem_roots": "oem.pem",
                **keys,
            },
        }
    )
    return {spell(key).removeprefix("plug_and_charge."): text for key, text in broken_by_plug_and_charge(config)}


def test_without_the_section() -> None:
    config = Config.model_validate({"backends": {"legacy": {"url": "wss://h/{identity}"}}})
    assert [*broken_by_plug_and_charge(config)] == []


@pytest.mark.parametrize(
    ("providers", "more"),
    [
        ({"a": NATIVE}, {}),
        ({}, {"oem_roots": None}),
        ({}, {"oem_roots": None, "authority": {}, "mo_roots": "mo.pem"}),
        ({}, {"oem_roots": None, "authority": {"contract_20": {"local": {"dir": "mo"}}}}),
        ({"a": {"native": {"cps": {"chain": "c.pem", "transit": TRANSIT}}}}, {}),
        ({"a": NATIVE, "b": OPCP}, {"provider": "b", "emsps": {"DE8EX": "a", "FR1AB": "b"}}),
        ({"a": OPCP}, {"authority": {}}),
        ({"a": SIGNING}, {}),
        ({"a": BACKEND}, {"backend": {"plug_and_charge": True}}),
        ({"a": BACKEND}, {"backend": {"protocol": "ocpp2.0.1"}}),
        (
            {"a": {"native": {"cps_20": CPS}}},
            {"authority": {"contract_20": {"local": {"dir": "mo"}}}},
        ),
    ],
)
def test_what_is_in_order(providers: Any, more: dict[str, Any]) -> None:
    assert faults(providers, **more) == {}


@pytest.mark.parametrize(
    ("providers", "more", "key", "words"),
    [
        ({}, {"provider": "a"}, "provider", "isn't one of the providers (there are none)"),
        ({}, {"emsps": {"DE8EX": "a"}}, "emsps.DE8EX", "isn't one of the providers (there are none)"),
        ({}, {"authority": {}}, "mo_roots", "is missing; where no provider is named"),
        ({"a.b": NATIVE}, {}, "providers.a.b", "isn't a name"),
        ({"a": {}}, {}, "providers.a", "exactly one of native, opcp, native_opcp_cps, backend, and names none"),
        ({"a": {**NATIVE, **OPCP}}, {}, "providers.a", "and names native, opcp"),
        ({"a": NATIVE, "b": OPCP}, {}, "provider", "is missing; name the one of a, b"),
        ({"a": NATIVE}, {"provider": "c"}, "provider", "isn't one of the providers (a)"),
        (None, {"emsps": {"DE8EX": "c"}}, "emsps.DE8EX", "isn't one of the providers (a)"),
        (None, {"emsps": {"de8e": "a"}}, "emsps.DE8E", "isn't an eMSP"),
        (None, {"emsps": {"DE-8EX": "a"}}, "emsps.DE-8EX", "isn't an eMSP"),
        (None, {"oem_roots": None}, "oem_roots", "is missing"),
        ({"a": {"native": {}}}, {}, "providers.a.native", "must name cps, cps_20 or both"),
        (None, {"authority": {}}, "providers.a.native.cps", "needs authority.contract,"),
        ({"a": {"native": {"cps": CPS, "cps_20": CPS}}}, {}, "providers.a.native.cps_20", "authority.contract_20,"),
        ({"a": {"native": {"cps": {"chain": "c"}}}}, {}, "providers.a.native.cps", "exactly one of key and transit"),
        (
            {"a": {"native": {"cps": {**CPS, "transit": TRANSIT}}}},
            {},
            "providers.a.native.cps",
            "exactly one of key and transit",
        ),
        (
            {"a": {"native": {"cps": {"chain": "c", "key": "file:{identity}"}}}},
            {},
            "providers.a.native.cps.key",
            "can't differ per station",
        ),
        (
            {"a": {"native": {"cps": {"chain": "c", "transit": {**TRANSIT, "address": "http://vault:8200"}}}}},
            {},
            "providers.a.native.cps.transit.address",
            "plain http",
        ),
        ({"a": {"opcp": {"url": "ftp://x"}}}, {}, "providers.a.opcp.url", "must be a URL"),
        (
            {"a": {"native_opcp_cps": {"opcp": {"url": "ftp://x"}}}},
            {},
            "providers.a.native_opcp_cps.opcp.url",
            "must be a URL",
        ),
        ({"a": SIGNING}, {"authority": {}}, "providers.a.native_opcp_cps", "needs authority.contract,"),
        ({"a": BACKEND}, {}, "providers.a.backend", "backends.NAME.plug_and_charge"),
        (
            {"a": BACKEND},
            {"backend": {"protocol": "ocpp2.0.1", "plug_and_charge": False}},
            "providers.a.backend",
            "backends.NAME.plug_and_charge",
        ),
    ],
)
def test_what_is_wrong(providers: Any, more: dict[str, Any], key: str, words: str) -> None:
    found = faults(providers, **more)
    assert list(found) == [key]
    assert words in found[key]


def test_how_many() -> None:
    many = {f"p{number}": NATIVE for number in range(PROVIDERS_MAX + 1)}
    assert list(faults(many, provider="p0")) == ["providers"]
    emsps = {f"DE{number:03}": "a" for number in range(1000)} | {"FR000": "a"}
    assert len(emsps) == EMSPS_MAX + 1
    assert list(faults(emsps=emsps)) == ["emsps"]
