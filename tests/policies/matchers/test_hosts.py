"""Hosts: what is an address, what is a name, and which of them are public."""

import ipaddress

import pytest

from policies.matchers.hosts import HOST_MAX, is_name, is_public_address, is_public_name, literal


@pytest.mark.parametrize("text", ["10.0.0.1", "::1", "2001:db8::1", "::ffff:10.0.0.1"])
def test_addresses(text: str) -> None:
    assert literal(text) == ipaddress.ip_address(text)
    assert not is_name(text)


@pytest.mark.parametrize(
    "text",
    [
        "127.1",
        "127.0.1",
        "0177.0.0.1",
        "127.0.0.01",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "1.2.3.4.5",
        "256.1.1.1",
        "a.1",
        "a.0x",
        "fe80::1%eth0",
        "1.1.1.1.",
        "",
        ".",
        "a..b",
        ".a",
        "a.",
        "-a.com",
        "a-.com",
        "a" * 64 + ".com",
        ("a" * 60 + ".") * 4 + "a" * 10,
        "a b.com",
        "ä.com",
        "1\uff127.com",
        "a%2ecom",
        "A.com",
        "a.com\n",
    ],
)
def test_what_is_neither_name_nor_address(text: str) -> None:
    assert literal(text) is None
    assert not is_name(text)


@pytest.mark.parametrize(
    "text", ["example.com", "a", "1.com", "0x7f.com", "_x.example", "xn--bcher-kva.example", "127.0.0.1.example.com"]
)
def test_names(text: str) -> None:
    assert is_name(text)


def test_the_longest_name() -> None:
    name = ("a" * 60 + ".") * 4 + "a" * 9

    assert len(name) == HOST_MAX
    assert is_name(name)


@pytest.mark.parametrize(
    "name", ["example.com", "files.csms.example.com", "a.b", "nip.io.example.com", "notlocal.company"]
)
def test_public_names(name: str) -> None:
    assert is_public_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "localhost",
        "intranet",
        "a.localhost",
        "printer.local",
        "metadata.google.internal",
        "router.lan",
        "box.home.arpa",
        "1.0.0.10.in-addr.arpa",
        "a.test",
        "a.invalid",
        "x.onion",
        "localhost.localdomain",
        "10.0.0.1.nip.io",
        "nip.io",
        "a.sslip.io",
        "localtest.me",
        "a.b.lvh.me",
    ],
)
def test_names_that_lead_to_private_places(name: str) -> None:
    assert is_name(name)
    assert not is_public_name(name)


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0",  # noqa: S104 - an address to refuse, nothing is bound
        "10.0.0.1",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.192",
        "192.168.1.1",
        "198.18.0.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::10.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "64:ff9b::a00:1",
        "64:ff9b:1::808:808",
        "2002:a00:1::1",
        "2001:0:a00:1::1",
        "2001:db8::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ],
)
def test_addresses_that_are_not_public(text: str) -> None:
    assert not is_public_address(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    "text", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]
)
def test_public_addresses(text: str) -> None:
    assert is_public_address(ipaddress.ip_address(text))
