"""IP addresses as peers show them, brought into the one form in which they are compared, limited and logged."""

import socket
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

Address = tuple[str, int]
"""An IP address as text, and a port."""
Network = IPv4Network | IPv6Network

_MAPPED: Final = "::ffff:"
SUBSCRIBER: Final = 8
"""Bytes of an IPv6 address that tell one subscriber from another: who has one address has its whole /64."""


def plain(address: str) -> str:
    """Return an IPv4-mapped IPv6 address (RFC 4291 2.5.5.2) as the IPv4 address that it is, any other unchanged."""
    rest = address[len(_MAPPED) :]
    return rest if "." in rest and ":" not in rest and address[: len(_MAPPED)].lower() == _MAPPED else address


def within(address: str, networks: Sequence[Network]) -> bool:
    """Tell whether ``address``, in plain form, is in one of ``networks``. Raises ValueError when it is no address."""
    if not networks:
        return False
    found = ip_address(address)
    return any(found in network for network in networks)


def household(address: str) -> str | bytes:
    """Return what stands for everybody who can send from ``address``: itself, or the /64 of an IPv6 address."""
    if ":" not in address:
        return address
    return socket.inet_pton(socket.AF_INET6, address.partition("%")[0])[:SUBSCRIBER]
