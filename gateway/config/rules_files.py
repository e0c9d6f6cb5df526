"""What must hold between the keys of ``files`` and the rest of the configuration."""

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from gateway.config.firmware import Files
from gateway.config.source import Fault
from gateway.config.values import url_parts

if TYPE_CHECKING:
    from gateway.config.tree import Config

PUBLIC_URL_MAX: Final = 390
"""Characters: with a secret and a file's name behind it, a URL has 512 at most (firmware.location, OCPP 2.0.1)."""
RATE_MIN: Final = 1_024
"""Bytes a second: what is slower is no transfer, and would hold its connection for days."""

_PRINTABLE: Final = re.compile(r"[!-~]+")


def broken_by_files(config: "Config") -> Iterator[Fault]:
    """Yield every rule that the section breaks."""
    if config.files is None:
        return
    for key, text in _broken_by_listener(config, config.files):
        yield ("files", *key), text
    for rule in _RULES:
        for key, text in rule(config.files):
            yield ("files", *key), text


def _broken_by_listener(config: "Config", section: Files) -> Iterator[Fault]:
    """Whose certificates it shows."""
    if section.plain:
        if section.listener is not None:
            yield ("listener",), "has no effect while plain is true; remove one of them"
        return
    if section.listener is None:
        if all(listener.tls is None for listener in config.listeners):
            yield ("listener",), "can't be left out: no listener has TLS whose certificates it could show"
    elif section.listener >= len(config.listeners):
        yield ("listener",), f"is none of the listeners, which are 0 to {len(config.listeners) - 1}"
    elif config.listeners[section.listener].tls is None:
        yield ("listener",), f"names listeners[{section.listener}], which has no TLS; name one that has"


def _public_url_is_a_place(section: Files) -> Iterator[Fault]:
    """A station that is sent to another place loads nothing."""
    key, scheme = ("public_url",), "http" if section.plain else "https"
    parts = url_parts(section.public_url)
    if parts is None or parts.scheme != scheme or not parts.hostname or not _PRINTABLE.fullmatch(section.public_url):
        example = f"{scheme}://files.example.com:{section.bind.port}"
        yield key, f"must be a {scheme}:// URL such as {example}" + ("" if section.plain else ", or plain be true")
        return
    if parts.username is not None or parts.password is not None:
        yield key, "must not hold a user or password: the links have a secret each"
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        yield key, "must have nothing behind host and port: the gateway adds the paths"
    if len(section.public_url) > PUBLIC_URL_MAX:
        yield key, f"must have at most {PUBLIC_URL_MAX} characters: stations take no longer links"


def _plain_is_trusted(section: Files) -> Iterator[Fault]:
    if section.plain and not section.trusted_networks:
        yield ("trusted_networks",), "is needed while plain is true: the networks whose stations load in clear"
    if section.trusted_networks and not section.plain:
        yield ("trusted_networks",), "has an effect while plain is true alone; remove it (a link has its own secret)"


def _rates_are_rates(section: Files) -> Iterator[Fault]:
    for key, rate in (("rate", section.rate), ("station_rate", section.station_rate)):
        if rate < RATE_MIN:
            yield (key,), f"must be at least {RATE_MIN}: bytes a second"


_RULES: Final[tuple[Callable[[Files], Iterator[Fault]], ...]] = (
    _public_url_is_a_place,
    _plain_is_trusted,
    _rates_are_rates,
)
