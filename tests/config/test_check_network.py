"""Addresses and networks as `voltgate check` sees them."""

from ipaddress import ip_network

import pytest

from gateway.config.check_network import check_address, check_networks
from gateway.config.values import Address


@pytest.mark.parametrize("text", ["127.0.0.1:0", "127.0.0.1:1", "[::1]:0", "localhost:80", "0.0.0.0:8443", "[::]:1"])
def test_addresses_of_this_machine(text: str) -> None:
    assert list(check_address("bind", Address.parse(text))) == []


def test_names_that_nobody_knows() -> None:
    (problem,) = check_address("bind", Address("nowhere.invalid", 80))

    assert str(problem) == "error: bind: nowhere.invalid isn't a name that this machine can resolve"


def test_a_network_of_everybody() -> None:
    networks = [ip_network("10.0.0.0/8"), ip_network("0.0.0.0/0"), ip_network("::/0")]

    assert [str(each) for each in check_networks("load_balancers", networks)] == [
        "warning: load_balancers[1]: 0.0.0.0/0 trusts the whole internet",
        "warning: load_balancers[2]: ::/0 trusts the whole internet",
    ]
