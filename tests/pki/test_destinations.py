"""Where the gateway may be sent by others, and where not (attacks B2, B6)."""

import contextlib
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.destinations import (
    DESTINATIONS_MAX,
    URL_LENGTH_MAX,
    AllowList,
    Destination,
    DestinationRefused,
    Target,
    split_credentials,
)


def allowed(*places: str) -> AllowList:
    return AllowList(map(Destination.parse, places))


@pytest.mark.parametrize(
    ("place", "url"),
    [
        ("ocsp.example.com", "http://ocsp.example.com"),
        ("ocsp.example.com", "https://ocsp.example.com/any/path?x=1"),
        ("OCSP.example.com", "http://ocsp.EXAMPLE.com:80/"),
        ("ocsp.example.com:8080", "http://ocsp.example.com:8080/"),
        ("ocsp.example.com:80", "http://ocsp.example.com/"),
        ("*.example.com", "http://a.b.example.com/"),
        ("http://ocsp.example.com/v2g", "http://ocsp.example.com/v2g"),
        ("http://ocsp.example.com/v2g", "http://ocsp.example.com/v2g/sub?x"),
        ("http://ocsp.example.com/v2g/", "http://ocsp.example.com/v2g/sub"),
        ("http://ocsp.example.com", "http://ocsp.example.com/anything"),
        ("192.0.2.1", "http://192.0.2.1/"),
        ("[2001:db8::1]:8080", "http://[2001:db8::1]:8080/"),
    ],
)
def test_what_is_on_the_list(place: str, url: str) -> None:
    assert str(allowed(place).target(url)) == str(Target.parse(url))


@pytest.mark.parametrize(
    ("place", "url"),
    [
        ("ocsp.example.com", "http://example.com/"),
        ("ocsp.example.com", "http://ocsp.example.com.evil.com/"),
        ("ocsp.example.com", "http://evil-ocsp.example.com/"),
        ("ocsp.example.com", "http://ocsp.example.com:8080/"),
        ("ocsp.example.com:8080", "http://ocsp.example.com/"),
        ("ocsp.example.com", "http://ocsp.example.com@evil.com/"),
        ("*.example.com", "http://example.com/"),
        ("*.example.com", "http://evilexample.com/"),
        ("http://ocsp.example.com/v2g", "https://ocsp.example.com/v2g"),
        ("http://ocsp.example.com/v2g", "http://ocsp.example.com/v2ghost"),
        ("http://ocsp.example.com/v2g/", "http://ocsp.example.com/v2g"),
        ("http://ocsp.example.com/v2g", "http://ocsp.example.com/"),
    ],
)
def test_what_is_not_on_the_list(place: str, url: str) -> None:
    with pytest.raises(DestinationRefused):
        allowed(place).target(url)


def test_without_a_list_nothing_is_allowed() -> None:
    with pytest.raises(DestinationRefused, match=r"http://example\.com:80 isn't on the list"):
        AllowList().target("http://example.com/?secret")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ocsp.example.com",
        "ftp://ocsp.example.com/",
        "file:///etc/passwd",
        "gopher://ocsp.example.com/",
        "http://",
        "http:///path",
        "http://user@ocsp.example.com/",
        "http://user:secret@ocsp.example.com/",
        "http://ocsp.example.com/#part",
        "http://ocsp.example.com:x/",
        "http://ocsp.example.com:99999/",
        "http://ocsp.example.com/a b",
        "http://ocsp.example.com/\r\nHost: evil",
        "http://ocsp.example.com\\@evil.com/",
        "http://ocsp.exämple.com/",
        "http://ocsp.example.com./",
        "http://[::1/",
        "http://[fe80::1%25eth0]/",
        "http://ocsp.example.com/v2g/../admin",
        "http://ocsp.example.com/v2g/%2e%2E/admin",
        "http://ocsp.example.com/v2g%2f..%2fadmin",
        "http://ocsp.example.com/v2g/./x",
    ],
)
def test_what_is_no_url_to_go_to(url: str) -> None:
    with pytest.raises(DestinationRefused):
        Target.parse(url)


@pytest.mark.parametrize(
    ("url", "bare", "credentials"),
    [
        ("http://a.example/x?u@h", "http://a.example/x?u@h", None),
        ("http://user:pass@a.example:81/x", "http://a.example:81/x", ("user", "pass")),
        ("http://user@a.example/", "http://a.example/", ("user", "")),
        ("http://us%40er:p:a%3ass@[2001:db8::1]/", "http://[2001:db8::1]/", ("us@er", "p:a:ss")),
        ("http://a@b@c.example/@", "http://c.example/@", ("a@b", "")),
        ("http://[secret@", "http://[secret@", None),
        ("nothing", "nothing", None),
    ],
)
def test_a_user_and_a_password_are_split_off(url: str, bare: str, credentials: tuple[str, str] | None) -> None:
    assert split_credentials(url) == (bare, credentials)


def test_the_length_of_a_url() -> None:
    longest = "http://a/" + "x" * (URL_LENGTH_MAX - 9)
    assert Target.parse(longest).host == "a"
    with pytest.raises(DestinationRefused, match=str(URL_LENGTH_MAX)):
        Target.parse(longest + "x")


@pytest.mark.parametrize(
    "place",
    ["", "*", "*.", "*.com", "*.192.0.2.1", "ocsp.*.com", "ocsp.example.com/path", "http://", "http://x/?q", "a b"],
)
def test_what_is_no_place(place: str) -> None:
    with pytest.raises(ValueError, match="must"):
        Destination.parse(place)


PRIVATE = [
    "127.0.0.1",
    "127.1.2.3",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "0.0.0.0",  # noqa: S104  # nobody binds it: it is refused
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_nobodys_business(address: str) -> None:
    with pytest.raises(DestinationRefused, match="isn't a public address"):
        AllowList().check_address(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::101:101"])
def test_public_addresses(address: str) -> None:
    AllowList().check_address(address)


@pytest.mark.parametrize(
    ("network", "address", "ok"),
    [
        ("10.1.0.0/16", "10.1.2.3", True),
        ("10.1.0.0/16", "::ffff:10.1.2.3", True),
        ("10.1.0.0/16", "10.2.0.1", False),
        ("127.0.0.0/8", "127.0.0.1", True),
        ("127.0.0.0/8", "::1", False),
        ("fd00::/8", "fd12::1", True),
    ],
)
def test_a_network_that_the_operator_lists(network: str, address: str, *, ok: bool) -> None:
    listed = AllowList(networks=[ipaddress.ip_network(network)])
    with contextlib.nullcontext() if ok else pytest.raises(DestinationRefused):
        listed.check_address(address)


def test_the_list_is_bounded() -> None:
    listed = AllowList(Destination(f"h{number}") for number in range(DESTINATIONS_MAX + 1))
    listed.target(f"http://h{DESTINATIONS_MAX - 1}/")
    with pytest.raises(DestinationRefused):
        listed.target(f"http://h{DESTINATIONS_MAX}/")


@given(url=st.text(max_size=80).map(lambda text: f"http://{text}") | st.text(max_size=80))
def test_whatever_is_written_nothing_else_is_raised(url: str) -> None:
    with contextlib.suppress(DestinationRefused):
        target = Target.parse(url)
        assert Target.parse(str(target)) == target
