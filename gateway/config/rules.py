"""What must hold between the keys of a configuration: one rule per function, yielding key paths and words."""

import ipaddress
import re
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

from gateway.config.secrets import IDENTITY
from gateway.config.source import KeyPath, spell
from gateway.config.values import Address, IpNetwork, ip_address

if TYPE_CHECKING:
    from gateway.config.tree import Backend, Config, Listener

_BACKEND_NAME: Final = re.compile(r"(?!.*__)[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_PATH: Final = re.compile(r"(/[A-Za-z0-9._~-]+)*/\{identity\}")
_LOOPBACK: Final = (ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1"))

Fault = tuple[KeyPath, str]


def broken_rules(config: "Config") -> Iterator[Fault]:
    """Yield every rule that ``config`` breaks."""
    if not config.listeners:
        yield ("listeners",), "must name at least one listener, or be left out for the default ones"
    for index, listener in enumerate(config.listeners):
        for listener_rule in _LISTENER_RULES:
            for key, text in listener_rule(listener):
                yield ("listeners", index, *key), text
    for name, backend in config.backends.items():
        for backend_rule in _BACKEND_RULES:
            for key, text in backend_rule(backend):
                yield ("backends", name, *key), text
    for rule in _RULES:
        yield from rule(config)


def _profiles_are_a_set(listener: "Listener") -> Iterator[Fault]:
    profiles = listener.security_profiles
    if not profiles:
        yield ("security_profiles",), "must name at least one of 1, 2, 3"
    if len(set(profiles)) != len(profiles):
        yield ("security_profiles",), "names a profile twice; remove one"


def _profiles_fit_each_other(listener: "Listener") -> Iterator[Fault]:
    """Profile 1 is plain text, 2 and 3 are TLS: one port can't be both (OCPP 2.0.1 A00.FR.006)."""
    if 1 in listener.security_profiles and set(listener.security_profiles) != {1}:
        yield ("security_profiles",), "profile 1 is without TLS and can't share a listener with 2 or 3; give it its own"


def _plain_is_trusted(listener: "Listener") -> Iterator[Fault]:
    """Profile 1 only where the network protects it (A00.FR.201, A00.FR.206)."""
    if set(listener.security_profiles) != {1}:
        if listener.trusted_networks:
            yield (
                ("trusted_networks",),
                "has an effect with profile 1 alone; remove it (stations of 2 and 3 prove themselves)",
            )
        return
    if listener.tls is not None:
        yield ("tls",), "profile 1 is without TLS; remove tls, or use profile 2"
    if not listener.trusted_networks:
        yield ("trusted_networks",), "is needed for profile 1: the networks whose stations may speak in clear"


def _tls_is_complete(listener: "Listener") -> Iterator[Fault]:
    if not {2, 3} & set(listener.security_profiles):
        return
    if listener.tls is None:
        yield ("tls",), "is needed for profiles 2 and 3; add certificates"
        return
    if not listener.tls.certificates:
        yield ("tls", "certificates"), "is needed for profiles 2 and 3: at least one chain with its key"
    if 3 in listener.security_profiles and listener.tls.station_roots is None:
        yield ("tls", "station_roots"), "is needed for profile 3: the roots that station certificates lead to"
    for index, certificate in enumerate(listener.tls.certificates):
        if certificate.key.is_template:
            yield ("tls", "certificates", index, "key"), f"can't differ per station; remove {IDENTITY}"


def _path_ends_in_identity(listener: "Listener") -> Iterator[Fault]:
    """The identity is the last segment of the URL (OCPP-J 2.0.1 Part 4, 3.1.1)."""
    if not _PATH.fullmatch(listener.path):
        yield ("path",), f"must be plain segments and end in one /{IDENTITY}, such as /ocpp/{IDENTITY}"


def _url_is_sound(backend: "Backend") -> Iterator[Fault]:
    parts = _split(backend.url)
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
    parts = _split(backend.url)
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


def _backends_have_names(config: "Config") -> Iterator[Fault]:
    if not config.backends:
        yield ("backends",), "must name at least one backend"
    for name in config.backends:
        if not _BACKEND_NAME.fullmatch(name):
            yield ("backends", name), "isn't a name: up to 64 letters, digits, - and single _, with no dot"


def _default_backend_exists(config: "Config") -> Iterator[Fault]:
    if config.default_backend in config.backends or not config.backends:
        return
    names = ", ".join(config.backends)
    if "default_backend" not in config.model_fields_set:
        yield (
            ("default_backend",),
            f"is missing; name the one of {names} that takes stations without a backend of their own",
        )
    else:
        yield ("default_backend",), f"isn't one of the backends ({names})"


def _binds_are_apart(config: "Config") -> Iterator[Fault]:
    binds: list[tuple[KeyPath, Address]] = [
        *((("listeners", index, "bind"), listener.bind) for index, listener in enumerate(config.listeners)),
        (("admin", "bind"), config.admin.bind),
    ]
    for (first, address), (second, other) in combinations(binds, 2):
        if address.overlaps(other):
            yield second, f"listens where {spell(first)} does already ({address}); give it another port"


def _secrets_stay_whole(config: "Config") -> Iterator[Fault]:
    if config.admin.token is not None and config.admin.token.is_template:
        yield ("admin", "token"), f"can't differ per station; remove {IDENTITY}"
    if config.store.password is not None:
        if config.store.password.is_template:
            yield ("store", "password"), f"can't differ per station; remove {IDENTITY}"
        if config.store.sqlite_path is not None:
            yield ("store", "password"), "has no effect on SQLite; remove it"
        elif urlsplit(config.store.url).username is None:
            yield (
                ("store", "url"),
                "must name the user whose password store.password is, such as //voltgate@db.internal",
            )


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError when it is no port
    except ValueError:
        return None
    return parts


_LISTENER_RULES: Final[tuple[Callable[["Listener"], Iterator[Fault]], ...]] = (
    _profiles_are_a_set,
    _profiles_fit_each_other,
    _plain_is_trusted,
    _tls_is_complete,
    _path_ends_in_identity,
)
_BACKEND_RULES: Final[tuple[Callable[["Backend"], Iterator[Fault]], ...]] = (
    _url_is_sound,
    _plain_backend_is_trusted,
    _client_certificate_is_whole,
    _user_has_no_colon,
)
_RULES: Final[tuple[Callable[["Config"], Iterator[Fault]], ...]] = (
    _backends_have_names,
    _default_backend_exists,
    _binds_are_apart,
    _secrets_stay_whole,
)
