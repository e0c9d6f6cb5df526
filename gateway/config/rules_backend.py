"""What must hold between the keys of a backend."""

import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from gateway.config.secrets import IDENTITY
from gateway.config.source import Fault
from gateway.config.values import IpNetwork, ip_address, url_parts

if TYPE_CHECKING:
    from gateway.config.tree import Backend

_ABOUT_16: Final = frozenset({"default_id_tag", "security_extension"})
"""Keys that say how 1.6 is spoken."""
_LOOPBACK: Final = (ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1"))


def broken_by_backend(backend: "Backend") -> Iterator[Fault]:
    """Yield every rule that ``backend`` breaks; the keys begin at the backend."""
    for rule in _RULES:
        yield from rule(backend)


def _url_is_sound(backend: "Backend") -> Iterator[Fault]:
    parts = url_parts(backend.url)
    if parts is None or parts.scheme not in {"ws", "wss"} or not parts.hostname or re.search(r"\s", backend.url):
        yield ("url",), f"must be a WebSocket URL such as wss://csms.example.com/ocpp/{IDENTITY}"
        return
    if parts.username is not None or parts.password is not None:
        yield ("url",), "must not hold a user or password; use auth.basic"
    if parts.fragment:
        yield ("url",), "must not have a # part (RFC 6455 3)"
        return
    after_host = backend.url.partition("://")[2].partition("/")[2]
    segments = after_host.partition("?")[0].split("/")
    whole = IDENTITY in segments or after_host.endswith(IDENTITY)
    if backend.url.count(IDENTITY) != 1 or not whole:
        yield ("url",), f"must hold {IDENTITY} once, as a whole path segment or at the end"
    elif {"{", "}"} & set(backend.url.replace(IDENTITY, "")):
        yield ("url",), f"must hold no braces but {IDENTITY}"


def _plain_backend_is_trusted(backend: "Backend") -> Iterator[Fault]:
    parts = url_parts(backend.url)
    if parts is None or parts.scheme != "ws" or not parts.hostname:
        return
    if backend.tls is not None:
        yield ("tls",), "has no effect on ws://; use wss://, or remove tls"
    host = parts.hostname
    if host != "localhost" and ip_address(host) is None:
        yield ("url",), "ws:// to a host name can't be trusted (names can be forged); use wss://, or an IP address"
    elif not _is_trusted(host, backend.trusted_networks):
        yield (
            ("url",),
            f"ws:// goes only to hosts in trusted_networks, and {host} isn't; use wss://, or add its network",
        )


def _is_trusted(host: str, networks: tuple[IpNetwork, ...]) -> bool:
    address = ip_address(host)
    candidates = _LOOPBACK if address is None else (address,)
    return any(candidate in network for candidate in candidates for network in networks)


def _client_certificate_is_whole(backend: "Backend") -> Iterator[Fault]:
    if backend.tls is None:
        return
    if (backend.tls.chain is None) != (backend.tls.key is None):
        yield ("tls", "chain" if backend.tls.chain is None else "key"), "is missing; chain and key go together"
    if backend.tls.key is not None and backend.tls.key.is_template:
        yield ("tls", "key"), f"can't differ per station; remove {IDENTITY}"


def _user_has_no_colon(backend: "Backend") -> Iterator[Fault]:
    """A colon ends the user name in HTTP Basic (RFC 7617 2)."""
    if backend.auth is not None and ":" in backend.auth.basic.user:
        yield ("auth", "basic", "user"), "must not hold a colon (RFC 7617 2)"


def _keys_fit_the_version(backend: "Backend") -> Iterator[Fault]:
    """What is about the words of 1.6, or isn't built for 2.0.1, would go unheeded."""
    if backend.protocol == "ocpp1.6":
        return
    for key in _ABOUT_16 & backend.model_fields_set:
        yield (key,), f"has no effect with protocol {backend.protocol}; remove it"
    if backend.authorize_offline != "refuse":
        yield ("authorize_offline",), f"must be refuse with protocol {backend.protocol}"


_RULES: Final[tuple[Callable[["Backend"], Iterator[Fault]], ...]] = (
    _url_is_sound,
    _plain_backend_is_trusted,
    _client_certificate_is_whole,
    _user_has_no_colon,
    _keys_fit_the_version,
)
