"""What must hold between the keys of an OPCP provider."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from gateway.config.plug_and_charge import NativeOpcpCps, Opcp
from gateway.config.secrets import IDENTITY
from gateway.config.source import Fault
from gateway.config.values import IpNetwork, ip_address, url_parts

HEADERS_MAX: Final = 16
"""Further headers."""

_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_OURS: Final = frozenset(
    {"accept", "accept-encoding", "alwaysreturnexi", "connection", "content-length", "content-type", "host"}
    | {"transfer-encoding"}
)
"""Headers that the request itself needs."""
_FINGERPRINT: Final = re.compile(
    r"[0-9A-Fa-f]{64}|([0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2}|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){4}[0-9A-Fa-f]{8}"
)


def broken_by_opcp(opcp: Opcp) -> Iterator[Fault]:
    """Yield every rule that the section of an OPCP provider breaks; the keys begin at it."""
    for text in _broken_by_url(opcp.url, opcp.trusted_networks):
        yield ("url",), text
    if opcp.token is not None:
        for text in _broken_by_url(opcp.token.url, opcp.trusted_networks):
            yield ("token", "url"), text
        if opcp.token.client_secret.is_template:
            yield ("token", "client_secret"), f"can't differ per station; remove {IDENTITY}"
    yield from _broken_by_headers(opcp)


def broken_by_opcp_cps(section: NativeOpcpCps) -> Iterator[Fault]:
    """Yield every rule that a provisioning service's section breaks; the keys begin at it."""
    for key, text in broken_by_opcp(section.opcp):
        yield ("opcp", *key), text
    root = section.v2g_root_fingerprint
    if root is not None and not _FINGERPRINT.fullmatch(root):
        yield (
            ("v2g_root_fingerprint",),
            "must be what the provider names the V2G root by: a SHA-256 fingerprint in hex, or 8-4-4-4-12 hex digits",
        )


def _broken_by_headers(opcp: Opcp) -> Iterator[Fault]:
    if len(opcp.headers) > HEADERS_MAX:
        yield ("headers",), f"must be {HEADERS_MAX} at most"
    for name, secret in opcp.headers.items():
        if not _HEADER.fullmatch(name):
            yield ("headers", name), "must be the name of an HTTP header, such as X-Api-Key"
        elif name.lower() in _OURS:
            yield ("headers", name), "is a header that the request has by itself; remove it"
        elif name.lower() == "authorization" and opcp.token is not None:
            yield ("headers", name), "is where the token goes; remove it, or remove token"
        if secret.is_template:
            yield ("headers", name), f"can't differ per station; remove {IDENTITY}"


def _broken_by_url(url: str, networks: Sequence[IpNetwork]) -> Iterator[str]:
    parts = url_parts(url)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname or re.search(r"\s", url):
        yield "must be a URL such as https://opcp.example.com"
    elif parts.username is not None or parts.query or parts.fragment:
        yield "must not hold a user, a ? or a # part; credentials go into token and headers"
    elif parts.scheme == "http" and not _is_near(parts.hostname, networks):
        yield f"is plain http: credentials would travel in clear; use https, or add {parts.hostname}'s network"


def _is_near(host: str, networks: Sequence[IpNetwork]) -> bool:
    address = ip_address(host)
    if address is None:
        return host == "localhost"
    return address.is_loopback or any(address in network for network in networks)
