"""Firmware in the configuration: a sound section, and every line that a wrong one earns."""

from typing import Any

import pytest

from gateway.config import Config
from gateway.config.rules_firmware import MANUFACTURERS_MAX, VENDORS_MAX, broken_by_firmware
from gateway.config.source import spell

ACME: dict[str, Any] = {"roots": "acme.pem"}


def faults(**keys: Any) -> dict[str, str]:
    section = {"manufacturers": {"acme": ACME}, **keys}
    config = Config.model_validate({"backends": {"legacy": {"url": "wss://h/{identity}"}}, "firmware": section})
    return {spell(key).removeprefix("firmware."): text for key, text in broken_by_firmware(config)}


def test_without_the_section() -> None:
    config = Config.model_validate({"backends": {"legacy": {"url": "wss://h/{identity}"}}})
    assert [*broken_by_firmware(config)] == []


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"manufacturers": {}},
        {"manufacturers": {"acme": {**ACME, "vendors": ["ACME", "ACME Ltd", "ACME"]}, "other": ACME}},
        {"manufacturers": {"acme": {**ACME, "crls": ["http://acme.example/signers.crl", "signers.crl"]}}},
        {
            "sources": ["fw.example.com", "*.example.org", "https://h:8443/firmware/"],
            "trusted_networks": ["10.0.0.0/8"],
        },
        {"object_store": "s3://bucket/firmware"},
        {"object_store": "az://container"},
        {"manufacturers": {f"m{number}": ACME for number in range(MANUFACTURERS_MAX)}},
    ],
)
def test_what_is_in_order(keys: dict[str, Any]) -> None:
    assert faults(**keys) == {}


@pytest.mark.parametrize(
    ("keys", "place", "complaint"),
    [
        ({"manufacturers": {"a.b": ACME}}, "manufacturers.a.b", "isn't a name"),
        ({"manufacturers": {f"m{n}": ACME for n in range(MANUFACTURERS_MAX + 1)}}, "manufacturers", "100 at most"),
        (
            {"manufacturers": {"acme": {**ACME, "vendors": [str(n) for n in range(VENDORS_MAX + 1)]}}},
            "manufacturers.acme.vendors",
            "100 at most",
        ),
        (
            {"manufacturers": {"acme": ACME, "b": {**ACME, "vendors": ["acme"]}}},
            "manufacturers.b.vendors",
            "'acme' is a vendor of acme already",
        ),
        ({"sources": ["https://u:p@h/"]}, "sources[0]", "must be a host, host:port"),
        ({"trusted_networks": ["10.0.0.0/8"]}, "trusted_networks", "has an effect where firmware.sources"),
        ({"roots": "roots.pem"}, "roots", "has an effect where firmware.sources"),
        (
            {"manufacturers": {"acme": {**ACME, "crls": ["https://u:p@h/a.crl"]}}},
            "manufacturers.acme.crls[0]",
            "must not hold a user or password",
        ),
        (
            {"manufacturers": {"acme": {**ACME, "crls": ["a.crl"], "revocation": "off"}}},
            "manufacturers.acme.crls",
            "has no effect while revocation is off",
        ),
        ({"object_store": "ftp://bucket"}, "object_store", "must be s3://"),
        ({"object_store": "s3:///prefix"}, "object_store", "must be s3://"),
        ({"object_store": "s3://key:secret@bucket/"}, "object_store", "must not hold a user"),
    ],
)
def test_what_is_wrong(keys: dict[str, Any], place: str, complaint: str) -> None:
    found = faults(**keys)
    assert [*found] == [place]
    assert complaint in found[place]
