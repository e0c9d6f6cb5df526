"""What must hold between the keys of ``plug_and_charge`` and the rest of the configuration."""

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from gateway.config.authorities import broken_by_vault
from gateway.config.opcp_rules import broken_by_opcp, broken_by_opcp_cps
from gateway.config.plug_and_charge import Cps, NativeProvider, PlugAndCharge, Provider
from gateway.config.secrets import IDENTITY
from gateway.config.source import Fault

if TYPE_CHECKING:
    from gateway.config.tree import Config

PROVIDERS_MAX: Final = 32
"""Providers, and so labels of the metrics."""
EMSPS_MAX: Final = 1000

_KINDS: Final = ("native", "opcp", "native_opcp_cps", "backend")
_NAME: Final = re.compile(r"(?!.*__)[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_NOTHING_TO_DO: Final = (
    "is missing; where no provider is named, the section is for Authorize with contracts: name the roots of those that "
    "are taken"
)
_EMSP: Final = re.compile(r"[A-Z]{2}[A-Z0-9]{3}")


def broken_by_plug_and_charge(config: "Config") -> Iterator[Fault]:
    """Yield every rule that the section breaks."""
    section = config.plug_and_charge
    if section is None:
        return
    for of_section in (_broken_by_names, _broken_by_emsps, _broken_by_roots):
        for key, text in of_section(section):
            yield ("plug_and_charge", *key), text
    own = config.authority.contract or config.authority.contract_20
    if not section.providers and section.mo_roots is None and own is None:
        yield ("plug_and_charge", "mo_roots"), _NOTHING_TO_DO
    for name, provider in section.providers.items():
        for rule in _RULES:
            for key, text in rule(provider, config):
                yield ("plug_and_charge", "providers", name, *key), text


def _broken_by_names(section: PlugAndCharge) -> Iterator[Fault]:
    if len(section.providers) > PROVIDERS_MAX:
        yield ("providers",), f"must be {PROVIDERS_MAX} at most"
    for name in section.providers:
        if not _NAME.fullmatch(name):
            yield ("providers", name), "isn't a name: up to 64 letters, digits, - and single _, with no dot"
    names = ", ".join(section.providers)
    if section.provider not in section.providers:
        if "provider" in section.model_fields_set:
            yield ("provider",), f"isn't one of the providers ({names or 'there are none'})"
        elif section.providers:
            yield ("provider",), f"is missing; name the one of {names} that provides where emsps names nobody"


def _broken_by_emsps(section: PlugAndCharge) -> Iterator[Fault]:
    names = ", ".join(section.providers)
    if len(section.emsps) > EMSPS_MAX:
        yield ("emsps",), f"must be {EMSPS_MAX} at most"
    for emsp, name in section.emsps.items():
        if not _EMSP.fullmatch(emsp):
            yield ("emsps", emsp), "isn't an eMSP: country and party in capitals, such as DE8EX, without hyphens"
        if name not in section.providers:
            yield ("emsps", emsp), f"isn't one of the providers ({names or 'there are none'})"


def _broken_by_roots(section: PlugAndCharge) -> Iterator[Fault]:
    if section.providers and section.oem_roots is None:
        yield ("oem_roots",), "is missing; without roots of vehicles' certificates every request would be refused"


def _is_one_kind(provider: Provider, _: "Config") -> Iterator[Fault]:
    chosen = [kind for kind in _KINDS if getattr(provider, kind) is not None]
    if len(chosen) != 1:
        yield (), f"must name exactly one of {', '.join(_KINDS)}, and names {', '.join(chosen) or 'none'}"


def _native_is_whole(provider: Provider, config: "Config") -> Iterator[Fault]:
    if (native := provider.native) is None:
        return
    if native.cps is None and native.cps_20 is None:
        yield ("native",), "must name cps, cps_20 or both: who signs the answers to vehicles"
    for key, cps in _signers(native):
        use = key.replace("cps", "contract")
        if getattr(config.authority, use) is None:
            yield ("native", key), f"needs authority.{use}, which signs the contract certificates; add it"
        for place, text in _broken_by_cps(cps):
            yield ("native", key, *place), text


def _signers(native: NativeProvider) -> Iterator[tuple[str, Cps]]:
    if native.cps is not None:
        yield "cps", native.cps
    if native.cps_20 is not None:
        yield "cps_20", native.cps_20


def _broken_by_cps(cps: Cps) -> Iterator[Fault]:
    if (cps.key is None) == (cps.transit is None):
        yield (), "must name exactly one of key and transit"
    if cps.key is not None and cps.key.is_template:
        yield ("key",), f"can't differ per station; remove {IDENTITY}"
    if cps.transit is not None:
        for place, text in broken_by_vault(cps.transit):
            yield ("transit", *place), text


def _opcp_is_whole(provider: Provider, config: "Config") -> Iterator[Fault]:
    if provider.opcp is not None:
        for place, text in broken_by_opcp(provider.opcp):
            yield ("opcp", *place), text
    if provider.native_opcp_cps is not None:
        for place, text in broken_by_opcp_cps(provider.native_opcp_cps):
            yield ("native_opcp_cps", *place), text
        if config.authority.contract is None:
            yield ("native_opcp_cps",), "needs authority.contract, which signs the contract certificates; add it"


def _some_backend_knows(provider: Provider, config: "Config") -> Iterator[Fault]:
    if provider.backend is not None and not any(each.knows_contracts for each in config.backends.values()):
        yield ("backend",), "needs a backend that knows contract certificates; say so: backends.NAME.plug_and_charge"


_RULES: Final[tuple[Callable[[Provider, "Config"], Iterator[Fault]], ...]] = (
    _is_one_kind,
    _native_is_whole,
    _opcp_is_whole,
    _some_backend_knows,
)
