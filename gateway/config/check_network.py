"""What ``voltgate check`` looks at in addresses and networks."""

import socket
from collections.abc import Iterator, Sequence

from gateway.config.problems import Problem
from gateway.config.values import Address, IpNetwork


def check_address(place: str, address: Address) -> Iterator[Problem]:
    """Can this machine listen there? Asked of the kernel with port 0, so that a running gateway isn't in the way."""
    try:
        found = socket.getaddrinfo(address.host, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError:
        yield Problem.error(place, f"{address.host} isn't a name that this machine can resolve")
        return
    for family, kind, protocol, _, target in found:
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.bind(target)
        except OSError as error:
            yield Problem.error(place, f"{address.host} isn't an address of this machine: {error.strerror}")
            return


def check_networks(place: str, networks: Sequence[IpNetwork]) -> Iterator[Problem]:
    """Warn of a network of everybody."""
    for index, network in enumerate(networks):
        if network.prefixlen == 0:
            yield Problem.warning(f"{place}[{index}]", f"{network} trusts the whole internet")
