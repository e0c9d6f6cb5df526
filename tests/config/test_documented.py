"""docs/configuration.md names every key, and no key that isn't there."""

import re
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from gateway.config import Config
from gateway.config.rules import broken_rules

PAGE = Path(__file__).parents[2] / "docs/configuration.md"
PLUG_AND_CHARGE = PAGE.with_name("plug-and-charge.md")
LISTENER = {
    "bind": "127.0.0.1:8443",
    "security_profiles": [2],
    "tls": {"certificates": [{"chain": "chain.pem", "key": "file:key.pem"}]},
}


def _keys(annotation: Any, place: str) -> Iterator[str]:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            yield from _keys(field.annotation, f"{place}.{name}".lstrip("."))
        if not annotation.model_fields:
            yield place
    elif origin in {typing.Union, types.UnionType}:
        chosen = [each for each in arguments if each is not type(None)]
        yield from _keys(chosen[0], place)
    elif origin is typing.Annotated:
        yield from _keys(arguments[0], place)
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        yield from _keys(arguments[1], f"{place}.NAME")
    elif origin is tuple and _is_section(arguments[0]):
        yield from _keys(arguments[0], f"{place}[]")
    else:
        yield place


def _once(key: str) -> str:
    """Return the key where it stands: the uses of authorities have the same keys; so have all Vaults, CPS and OPCP."""
    provider = r"plug_and_charge\.providers\.NAME"
    for pattern, other in (
        (r"authority\.(v2g|server|contract|contract_20)\.", "authority.station."),
        (rf"{provider}\.native\.cps_20\.", "plug_and_charge.providers.NAME.native.cps."),
        (rf"{provider}\.native\.cps\.transit\.(?!key$|mount$)", "authority.station.vault."),
        (rf"{provider}\.native_opcp_cps\.opcp\.", "plug_and_charge.providers.NAME.opcp."),
    ):
        key = re.sub(f"^{pattern}", other, key)
    return key


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def test_every_key_and_no_other() -> None:
    rows = [line.split("|")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    documented = {key for row in rows for key in re.findall(r"`([a-z][\w.\[\]]*(?:NAME[\w.]*)?)`", row)}
    known = {_once(key) for key in _keys(Config, "")}
    assert {key for key in documented if "/" not in key} == known


def _examples(page: Path) -> list[str]:
    examples = re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    assert examples
    return examples


def test_the_examples_of_plug_and_charge_keep_the_rules() -> None:
    for example in _examples(PLUG_AND_CHARGE):
        authority = {"contract": {"local": {"dir": "mo-ca"}}} if "own:" in example else {}
        whole = {"backends": {"legacy": {"url": "wss://csms.example.com/{identity}"}}, "authority": authority}
        assert list(broken_rules(Config.model_validate(whole | yaml.safe_load(example)))) == []


@pytest.mark.parametrize("page", ["firmware.md", "logs.md"])
def test_the_examples_of_firmware_and_logs_keep_the_rules(page: str) -> None:
    for example in _examples(PAGE.with_name(page)):
        whole = {
            "backends": {"legacy": {"url": "wss://csms.example.com/{identity}"}},
            "listeners": [LISTENER],
            "files": {"public_url": "https://files.example.com:8444"},
        }
        assert list(broken_rules(Config.model_validate(whole | yaml.safe_load(example)))) == []
