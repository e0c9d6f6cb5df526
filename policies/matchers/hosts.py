"""Hosts of URLs: which are addresses, however they are spelt, and which lead to no public place.

Decided without DNS: a name that anybody may point to a private address is only as good as the list of hosts that a
policy allows. What can be seen by the name alone is refused here.
"""

import ipaddress
import re
from typing import Final

HOST_MAX: Final = 253
"""Characters of a name (RFC 1035 2.3.4)."""

SPECIAL_NAMES: Final = frozenset(
    {"alt", "arpa", "consul", "corp", "home", "i2p", "internal", "intranet", "invalid", "lan", "local", "localdomain"}
    | {"localhost", "mail", "onion", "private", "test", "workgroup"}
)
"""Last labels of names that aren't public (RFC 6761, 6762, 7686, 8375, 9476; ICANN SAC 113), or are used privately."""
LOOSE_NAMES: Final = frozenset(
    {"1u.ms", "lacolhost.com", "local.gd", "localhost.direct", "localtest.me", "lvh.me", "nip.io", "rbndr.us"}
    | {"rebind.network", "sslip.io", "traefik.me", "vcap.me", "xip.io", "xip.name"}
)
"""Zones whose names lead to any address that is asked for in them, or to the asker's own."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""A last label that makes resolvers read a host as an IPv4 address: ``127.1``, ``0x7f.1``, ``2130706433``."""
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
"""RFC 6052: the last four bytes are the IPv4 address that it leads to."""
_NOT_PUBLIC: Final = tuple(
    map(
        ipaddress.ip_network,
        ("168.63.129.16", "192.0.0.0/24", "192.88.99.0/24", "64:ff9b:1::/48", "3fff::/20", "5f00::/16"),
    )
)
"""What Python, or some release of it, takes for global: Azure's own server, RFC 6890, 7526, 8215, 9637, 9602."""


def literal(text: str) -> Address | None:
    """Return the address that a host (in lower case, without brackets) is, written as it ought to be; else None."""
    try:
        return ipaddress.ip_address(text) if "%" not in text else None
    except ValueError:
        return None


def is_name(text: str) -> bool:
    """Return whether a host in lower case is a name, and can't be read as an address."""
    if len(text) > HOST_MAX or _NAME.fullmatch(text) is None:
        return False
    return _NUMBER.fullmatch(text.rpartition(".")[2]) is None


def is_public_name(name: str) -> bool:
    """Return whether a name has two labels at least, and isn't known to lead to a private place."""
    labels = name.split(".")
    if len(labels) < 2 or labels[-1] in SPECIAL_NAMES:
        return False
    return not any(".".join(labels[start:]) in LOOSE_NAMES for start in range(len(labels) - 1))


def is_public_address(address: Address) -> bool:
    """Return whether an address, or the IPv4 one that it leads to, is one of the public internet."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public_address(inner)
        if address.is_site_local:
            return False
    if any(address in network for network in _NOT_PUBLIC):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)
