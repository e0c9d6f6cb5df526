"""Addresses in one form, whoever shows them."""

from ipaddress import ip_network

import pytest

from gateway.transport.addresses import household, plain, within

NETWORKS = [ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"), ip_network("fe80::/10")]


@pytest.mark.parametrize(
    ("shown", "meant"),
    [
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("::FFFF:10.1.2.3", "10.1.2.3"),
        ("10.1.2.3", "10.1.2.3"),
        ("::ffff:0:10.1.2.3", "::ffff:0:10.1.2.3"),
        ("::1:10.1.2.3", "::1:10.1.2.3"),
        ("::ffff:a01", "::ffff:a01"),
        ("2001:db8::1", "2001:db8::1"),
        ("", ""),
    ],
)
def test_a_mapped_address_is_ipv4(shown: str, meant: str) -> None:
    assert plain(shown) == meant


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("10.255.0.1", True),
        ("11.0.0.1", False),
        ("2001:db8:1::1", True),
        ("2001:db9::1", False),
        ("fe80::1%eth0", True),
        ("::ffff:10.0.0.1", False),
    ],
)
def test_which_network_it_is_in(address: str, *, inside: bool) -> None:
    assert within(address, NETWORKS) is inside


def test_nothing_is_in_no_network() -> None:
    assert not within("not looked at", [])


def test_an_address_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        within("localhost", NETWORKS)


def test_who_has_one_ipv6_address_has_its_64() -> None:
    assert household("2001:db8:1:2::1") == household("2001:db8:1:2:ffff::") != household("2001:db8:1:3::1")
    assert household("fe80::1%eth0") == household("fe80::2")
    assert household("10.0.0.1") != household("10.0.0.2")
