"""url: what a station may be sent to, and the many spellings of what it may not."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.matchers.urls import URL_MAX, compile_url
from policies.vocabulary import Field
from policies.words import NOBODY, Surroundings

Ask = Callable[..., Any]

ANY_HTTPS = {"schemes": ["https"]}
WIDE = {"schemes": ["https", "http", "ftp", "wss"], "userinfo": True, "private": True}

INSIDE = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "0177.0.0.1",
    "0x7f.1",
    "0x7f.0.0.1",
    "0X7F.1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "127.0.0.1.",
    "127。0。0。1",
    "\uff11\uff12\uff17.0.0.1",
    "①②⑦.0.0.1",
    "localhost",
    "LOCALHOST",
    "LocalHost.",
    "a.localhost",
    "ⓛocalhost",
    "intranet",
    "printer.LOCAL",
    "10.0.0.1",
    "10.1",
    "169.254.169.254",
    "0xA9FEA9FE",
    "2852039166",
    "metadata.google.internal",
    "192.168.0.1",
    "100.64.0.1",
    "0",
    "0.0.0.0",  # noqa: S104 - an address to refuse, nothing is bound
    "[::1]",
    "[::]",
    "[::ffff:10.0.0.1]",
    "[::FFFF:0a00:0001]",
    "[::10.0.0.1]",
    "[64:ff9b::10.0.0.1]",
    "[64:ff9b::a00:1]",
    "[2002:0a00:0001::]",
    "[fe80::1%25eth0]",
    "[fe80::1%eth0]",
    "[fe80::1]",
    "[fd00::1]",
    "[0:0:0:0:0:0:0:1]",
    "[v1.fe80::a]",
    "::1",
    "[127.0.0.1]",
    "[::1",
    "10.0.0.1.nip.io",
    "app.lvh.me",
    "%31%32%37.0.0.1",
    "127%2e0.0.1",
    "exam%70le.com",
    "example.com.",
    "",
    ".",
    "a..com",
    "-a.com",
    "exa mple.com",
    "example.com\t",
    "exa\tmple.com",
    "example.com\\@127.0.0.1",
    "example.com\n",
    "例え.jp",
]
"""Hosts that no station is to be sent to, however somebody else reads them."""


@pytest.mark.parametrize("host", INSIDE)
@pytest.mark.parametrize("before", ["", "user@", "example.com@"])
@pytest.mark.parametrize("behind", ["", "/f.bin", ":8443/x", "?a", "#b"])
def test_no_spelling_leads_inside(holds: Ask, host: str, before: str, behind: str) -> None:
    assert not holds({"url": ANY_HTTPS}, "string", f"https://{before}{host}{behind}")
    assert not holds({"url": {"schemes": ["https"], "userinfo": True}}, "string", f"https://{before}{host}{behind}")


@pytest.mark.parametrize(
    "url",
    [
        "https://files.example.com/fw/1.2.3/f%20w.bin?x=1&y=[]",
        "https://a.example/[x]",
        "https://example.com/a b",
        "https://example.com/%zz",
        "https://example.com/%2",
        "https://example.com/a|b",
        "https://example.com/`id`",
        'https://example.com/"',
        "https://example.com/\x00",
        "https://example.com/ä",
        "https:/example.com/",
        "https:example.com",
        "//example.com/",
        "example.com",
        "https://",
        "https:///path",
        "HTTPS",
        " https://example.com",
        "https://example.com ",
        "https://example.com:/",
        "https://example.com:0/",
        "https://example.com:08443/",
        "https://example.com:65536/",
        "https://example.com:99999/",
        "https://example.com:\uff18443/",
        "https://example.com:443:443/",
        "https://a@b@example.com/",
        "https://a/b@example.com/",
        "https://example.com#a#b",
        "http://example.com/",
        "file:///etc/passwd",
        "javascript://example.com/%0aalert(1)",
        "https\\://example.com",
        "https://example.com\\..",
        "https://example.com/" + "a" * URL_MAX,
        "",
    ],
)
def test_what_is_no_acceptable_url(holds: Ask, url: str) -> None:
    assert not holds({"url": ANY_HTTPS}, "string", url)
    assert holds({"not": {"url": ANY_HTTPS}}, "string", url)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "HTTPS://Files.Example.COM/fw?x=1?2#part",
        "https://example.com:8443/a/../b;c=(d)*!$&'+,=:@~",
        "https://8.8.8.8/f",
        "https://[2606:4700::1111]:443/",
        "https://example.com?query",
        "https://xn--bcher-kva.example/",
        "https://a_b.example.com/%C3%A4",
        "https://example.com/" + "a" * (URL_MAX - 20),
    ],
)
def test_acceptable_urls(holds: Ask, url: str) -> None:
    for kind in ("string", "uri", "any"):
        assert holds({"url": ANY_HTTPS}, kind, url)


@pytest.mark.parametrize(
    ("url", "spec"),
    [
        ("ftp://user:pass@10.0.0.1/f", WIDE),
        ("http://localhost/", WIDE),
        ("wss://csms.internal:9000/ocpp", WIDE),
        ("https://[fd00::1]/", WIDE),
        ("ftp://user:p%40ss@ftp.example.com/", {"schemes": ["ftp"], "userinfo": True}),
        ("ftp://@ftp.example.com/", {"schemes": ["ftp"], "userinfo": True}),
        ("https://10.1.2.3/", {"schemes": ["https"], "private": True, "hosts": ["10.*"]}),
    ],
)
def test_what_a_rule_may_allow(holds: Ask, url: str, spec: dict[str, Any]) -> None:
    assert holds({"url": spec}, "string", url)
    assert not holds({"url": {"schemes": spec["schemes"]}}, "string", url)


@pytest.mark.parametrize("host", ["127.1", "0x7f.1", "2130706433", "localhost.", "[fe80::1%25eth0]", "127%2e0.0.1"])
def test_odd_spellings_are_refused_even_where_private_addresses_are_not(holds: Ask, host: str) -> None:
    assert not holds({"url": WIDE}, "string", f"https://{host}/")


@pytest.mark.parametrize(
    ("hosts", "good", "bad"),
    [
        (
            ["files.example.com"],
            ["files.example.com", "FILES.example.COM"],
            ["example.com", "xfiles.example.com", "files.example.com.evil.org"],
        ),
        (["*.Example.com"], ["a.example.com", "a.b.example.com"], ["example.com", "notexample.com"]),
        (["*.example.com", "8.8.8.8"], ["8.8.8.8"], ["8.8.4.4"]),
        (["2606:4700::1111"], ["[2606:4700::1111]", "[2606:4700:0:0::1111]"], ["[2606:4700::1112]"]),
        ("*", ["a.org", "8.8.8.8"], []),
    ],
)
def test_hosts(holds: Ask, hosts: object, good: list[str], bad: list[str]) -> None:
    spec = {"url": {"schemes": ["https"], "hosts": hosts}}

    assert [host for host in good if not holds(spec, "string", f"https://{host}/")] == []
    assert [host for host in bad if holds(spec, "string", f"https://{host}/")] == []


def test_ports(holds: Ask) -> None:
    spec = {"url": {"schemes": ["https", "http", "gopher"], "ports": [443, 8443]}}

    assert holds(spec, "string", "https://example.com/")
    assert holds(spec, "string", "http://example.com:8443/")
    assert not holds(spec, "string", "http://example.com/")
    assert not holds(spec, "string", "https://example.com:22/")
    assert not holds(spec, "string", "gopher://example.com/")


@pytest.mark.parametrize("value", [5, None, []])
def test_where_any_value_may_stand_none_but_a_string_is_a_url(holds: Ask, value: object) -> None:
    assert not holds({"url": ANY_HTTPS}, "any", value)


@pytest.mark.parametrize(
    ("argument", "where", "complaint"),
    [
        ({}, ("url",), "needs `schemes`, such as [https]"),
        (True, ("url",), "must be a mapping with schemes, hosts, userinfo, private and ports"),
        ({"schemes": []}, ("url", "schemes"), "must be a list of texts that isn't empty"),
        ({"schemes": ["https://"]}, ("url", "schemes", 0), "'https://' isn't a scheme"),
        ({"schemes": "https", "hosts": []}, ("url", "hosts"), "must be a list of texts that isn't empty"),
        ({"schemes": "https", "hosts": ["[z-a]"]}, ("url", "hosts", 0), "isn't a glob"),
        ({"schemes": "https", "private": 1}, ("url", "private"), "must be true or false, not 1"),
        ({"schemes": "https", "userinfo": "no"}, ("url", "userinfo"), "must be true or false, not 'no'"),
        ({"schemes": "https", "ports": 443}, ("url", "ports"), "must be a list of ports"),
        ({"schemes": "https", "ports": [0]}, ("url", "ports", 0), "a port is a number from 1 to 65535"),
        ({"schemes": "https", "ports": ["443"]}, ("url", "ports", 0), "must be a whole number from 0"),
        ({"schemes": "https", "host": ["a"]}, ("url", "host"), "unknown key 'host' (did you mean hosts?)"),
    ],
)
def test_what_is_no_test_of_urls(refusal: Ask, argument: object, where: tuple[Any, ...], complaint: str) -> None:
    at, text = refusal({"url": argument}, "string")

    assert at == where
    assert complaint in text


@pytest.mark.parametrize("kind", ["integer", "boolean", "object", "array", "words"])
def test_url_is_of_texts(refusal: Ask, kind: str) -> None:
    assert refusal({"url": ANY_HTTPS}, kind)[0] == ("url",)


ACCEPTS = compile_url({"schemes": ["https"], "hosts": ["*.example.com"]}, Field(("location",), "string"), ()).holds()
NOWHERE = Surroundings(now=lambda: 0.0, monotonic=lambda: 0.0, facts=lambda: NOBODY, owns=lambda _: False)
PARTS = st.one_of(
    st.sampled_from(
        ["https", "http", "://", "//", "%40", "%2f", "evil.org", "files.example.com", "127.0.0.1", "::1", "443"]
    ),
    st.sampled_from([".example.com", "example.com", "user", *":/@#?\\%[].;\t\n\x00 \u3002\uff0f"]),
)


@settings(deadline=None)
@given(st.lists(PARTS, max_size=9).map("".join))
def test_what_is_accepted_names_one_of_the_hosts_to_any_reader(url: str) -> None:
    if ACCEPTS(url, NOWHERE):
        authority = url.lower().removeprefix("https://").split("/")[0].split("?")[0].split("#")[0]
        assert url.lower().startswith("https://")
        assert authority.split(":")[0].endswith(".example.com")
        assert "@" not in authority
        assert not {"\\", "\t", "\n", " ", "\x00"} & set(url)
        assert url.isascii()
