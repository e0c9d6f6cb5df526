"""What must hold between the keys of a listener."""

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult

from gateway.config.secrets import IDENTITY
from gateway.config.source import Fault
from gateway.config.values import is_host, url_parts
from pki.development import check_names

if TYPE_CHECKING:
    from gateway.config.tree import Listener

URL_MAX: Final = 512
"""Characters of a URL that a station is told (NetworkConnectionProfileType.ocppCsmsUrl)."""

_PATH: Final = re.compile(r"(/[A-Za-z0-9._~-]+)*/\{identity\}")
_PRINTABLE: Final = re.compile(r"[!-~]+")


def broken_by_listener(listener: "Listener") -> Iterator[Fault]:
    """Yield every rule that ``listener`` breaks; the keys begin at the listener."""
    for rule in _RULES:
        yield from rule(listener)


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
    if not listener.tls.certificates and listener.tls.issued is None:
        yield ("tls", "certificates"), "is needed for profiles 2 and 3: at least one chain with its key; or tls.issued"
    if listener.tls.certificates and listener.tls.issued is not None:
        yield ("tls", "issued"), "stands beside certificates; keep one of both"
    if 3 in listener.security_profiles and listener.tls.station_roots is None:
        yield ("tls", "station_roots"), "is needed for profile 3: the roots that station certificates lead to"
    if 3 not in listener.security_profiles and listener.tls.factory_roots is not None:
        yield ("tls", "factory_roots"), "has an effect with profile 3 alone; remove it"
    for index, certificate in enumerate(listener.tls.certificates):
        if certificate.key.is_template:
            yield ("tls", "certificates", index, "key"), f"can't differ per station; remove {IDENTITY}"


def _issued_names_are_names(listener: "Listener") -> Iterator[Fault]:
    """What no certificate can bear is found before an authority is asked (A00.FR.309, A00.FR.510)."""
    if listener.tls is None or listener.tls.issued is None:
        return
    key = ("tls", "issued", "names")
    try:
        check_names(listener.tls.issued.names)
    except ValueError as error:
        yield key, str(error)
    hosts = [host.lower() for host in listener.hosts]
    for name in listener.tls.issued.names:
        if hosts and name.lower() not in hosts:
            yield key, f"{name} isn't one of hosts: a station that asks for it would be refused; add it there"


def _path_ends_in_identity(listener: "Listener") -> Iterator[Fault]:
    """The identity is the last segment of the URL (OCPP-J 2.0.1 Part 4, 3.1.1)."""
    if not _PATH.fullmatch(listener.path):
        yield ("path",), f"must be plain segments and end in one /{IDENTITY}, such as /ocpp/{IDENTITY}"


def _protocols_are_a_set(listener: "Listener") -> Iterator[Fault]:
    if not listener.protocols:
        yield ("protocols",), "must name at least one of ocpp2.0.1, ocpp1.6"
    if len(set(listener.protocols)) != len(listener.protocols):
        yield ("protocols",), "names a version twice; remove one"


def _public_url_leads_here(listener: "Listener") -> Iterator[Fault]:
    """A station that is sent to a URL which doesn't lead to this listener is lost (OCPP 2.0.1 B09, B10)."""
    if listener.public_url is None:
        return
    key = ("public_url",)
    scheme = "ws" if set(listener.security_profiles) == {1} else "wss"
    parts = url_parts(listener.public_url)
    if parts is None or parts.scheme != scheme or not parts.hostname or not _PRINTABLE.fullmatch(listener.public_url):
        yield key, f"must be a {scheme}:// URL such as {scheme}://gateway.example.com{_before_identity(listener)}"
        return
    if parts.username is not None or parts.password is not None:
        yield key, "must not hold a user or password; stations have their own"
    if parts.query or parts.fragment:
        yield key, "must not have a ? or # part"
    if parts.path != (wanted := _before_identity(listener)):
        ending = f"must end in {wanted}" if wanted else "must have no path"
        yield key, f"{ending}: the listener's path without /{IDENTITY}, which the station adds"
    if len(listener.public_url) > URL_MAX:
        yield key, f"must have at most {URL_MAX} characters: stations take no more"
    if listener.hosts and parts.hostname not in {host.lower() for host in listener.hosts}:
        yield key, f"names {parts.hostname}, which isn't one of hosts: stations would be refused; add it there"


def _before_identity(listener: "Listener") -> str:
    return listener.path.removesuffix(f"/{IDENTITY}")


def _hosts_are_names(listener: "Listener") -> Iterator[Fault]:
    for index, host in enumerate(listener.hosts):
        if not is_host(host):
            yield ("hosts", index), "must be a host name or an IP address, without scheme, port or brackets"


def _origins_are_origins(listener: "Listener") -> Iterator[Fault]:
    """What a browser sends: scheme, host, and the port where it isn't the scheme's own (RFC 6454 6.2)."""
    for index, origin in enumerate(listener.origins):
        parts = url_parts(origin)
        host = parts.hostname if parts is not None and parts.scheme in {"http", "https"} else None
        if parts is None or not is_host(host or "") or origin != _serialized(parts):
            yield (
                ("origins", index),
                "must be scheme://host or scheme://host:port in small letters, such as https://app.example.com",
            )


def _serialized(parts: SplitResult) -> str:
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port is not None else "")


_RULES: Final[tuple[Callable[["Listener"], Iterator[Fault]], ...]] = (
    _profiles_are_a_set,
    _profiles_fit_each_other,
    _plain_is_trusted,
    _tls_is_complete,
    _issued_names_are_names,
    _path_ends_in_identity,
    _protocols_are_a_set,
    _public_url_leads_here,
    _hosts_are_names,
    _origins_are_origins,
)
