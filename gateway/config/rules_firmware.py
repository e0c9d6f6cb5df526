"""What must hold between the keys of ``firmware``."""

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from gateway.config.firmware import Firmware
from gateway.config.source import Fault
from pki.destinations import Destination

if TYPE_CHECKING:
    from gateway.config.tree import Config

MANUFACTURERS_MAX: Final = 100
VENDORS_MAX: Final = 100
"""Of one manufacturer."""
OBJECT_STORES: Final = ("s3", "gs", "az")

_NAME: Final = re.compile(r"(?!.*__)[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def broken_by_firmware(config: "Config") -> Iterator[Fault]:
    """Yield every rule that the section breaks."""
    if config.firmware is None:
        return
    for rule in _RULES:
        for key, text in rule(config.firmware):
            yield ("firmware", *key), text


def _manufacturers_have_names(section: Firmware) -> Iterator[Fault]:
    if len(section.manufacturers) > MANUFACTURERS_MAX:
        yield ("manufacturers",), f"must be {MANUFACTURERS_MAX} at most"
    for name in section.manufacturers:
        if not _NAME.fullmatch(name):
            yield ("manufacturers", name), "isn't a name: up to 64 letters, digits, - and single _, with no dot"


def _vendors_have_one_manufacturer(section: Firmware) -> Iterator[Fault]:
    """Else a station's image could be signed by whoever of them is careless."""
    named: dict[str, str] = {}
    for name, manufacturer in section.manufacturers.items():
        if len(manufacturer.vendors) > VENDORS_MAX:
            yield ("manufacturers", name, "vendors"), f"must be {VENDORS_MAX} at most"
        for vendor in manufacturer.vendors or (name,):
            if (other := named.setdefault(vendor, name)) != name:
                yield ("manufacturers", name, "vendors"), f"{vendor!a} is a vendor of {other} already; a vendor has one"


def _sources_are_places(section: Firmware) -> Iterator[Fault]:
    for index, source in enumerate(section.sources):
        try:
            Destination.parse(source)
        except ValueError as error:
            yield ("sources", index), str(error)
    if section.trusted_networks and not section.sources:
        yield ("trusted_networks",), "has an effect where firmware.sources names places; add them, or remove it"
    if section.roots is not None and not section.sources:
        yield ("roots",), "has an effect where firmware.sources names places; add them, or remove it"


def _crls_are_locations(section: Firmware) -> Iterator[Fault]:
    for name, manufacturer in section.manufacturers.items():
        for index, source in enumerate(manufacturer.crls):
            parts = urlsplit(source) if "://" in source else None
            if parts is not None and (parts.username is not None or parts.password is not None):
                yield ("manufacturers", name, "crls", index), "must not hold a user or password: a CRL is public"
        if manufacturer.crls and manufacturer.revocation == "off":
            yield ("manufacturers", name, "crls"), "has no effect while revocation is off; remove one of them"


def _object_store_is_one(section: Firmware) -> Iterator[Fault]:
    if section.object_store is None:
        return
    scheme, separator, rest = section.object_store.partition("://")
    if not separator or scheme not in OBJECT_STORES or not rest.partition("/")[0]:
        yield ("object_store",), "must be s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX"
    elif "@" in rest or "?" in rest:
        yield ("object_store",), "must not hold a user, password or key: the environment or the machine's role has them"


_RULES: Final[tuple[Callable[[Firmware], Iterator[Fault]], ...]] = (
    _manufacturers_have_names,
    _vendors_have_one_manufacturer,
    _sources_are_places,
    _crls_are_locations,
    _object_store_is_one,
)
