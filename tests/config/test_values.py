"""The kinds of value: what is written, what is read."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.config.secrets import Scheme, SecretRef
from gateway.config.values import (
    FOLDER,
    Address,
    Bind,
    FilePath,
    Named,
    Network,
    Organization,
    PolicySource,
    Secret,
    expand_url,
    store_url,
    with_password,
)

HERE = Path("/etc/voltgate")


def accept(kind: Any, value: Any) -> Any:
    return TypeAdapter(kind).validate_python(value, context={FOLDER: HERE})


def refuse(kind: Any, value: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        accept(kind, value)
    return str(caught.value.errors()[0]["msg"])


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("10.0.0.1:8443", Address("10.0.0.1", 8443)),
        ("127.0.0.1:0", Address("127.0.0.1", 0)),
        ("[::]:8443", Address("::", 8443)),
        ("[2001:DB8::0:1]:65535", Address("2001:db8::1", 65535)),
        ("gateway-1.example.com:80", Address("gateway-1.example.com", 80)),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    assert Address.parse(text) == address
    assert Address.parse(str(address)) == address
    assert accept(Bind, text) == accept(Bind, address) == address


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("8443", "host:port"),
        ("a:65536", "host:port"),
        ("a:-1", "host:port"),
        ("a:٣", "host:port"),
        ("a:", "host:port"),
        (":8443", "must name an address"),
        ("::1:80", "in brackets"),
        ("[127.0.0.1]:80", "IPv6 address between the brackets"),
        ("-a:80", "IP address or a host name"),
        ("a b:80", "IP address or a host name"),
        (8443, "must be text"),
    ],
)
def test_what_is_no_address(text: Any, words: str) -> None:
    assert words in refuse(Bind, text)


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ("127.0.0.1:80", "127.0.0.1:80", True),
        ("127.0.0.1:80", "0.0.0.0:80", True),
        ("[::]:80", "[::1]:80", True),
        ("[::]:80", "0.0.0.0:80", False),
        ("127.0.0.1:80", "127.0.0.2:80", False),
        ("127.0.0.1:80", "127.0.0.1:81", False),
        ("127.0.0.1:0", "127.0.0.1:0", False),
        ("a.example:80", "A.example:80", True),
        ("a.example:80", "127.0.0.1:80", False),
    ],
)
def test_which_addresses_exclude_each_other(one: str, other: str, overlap: bool) -> None:
    assert Address.parse(one).overlaps(Address.parse(other)) is overlap
    assert Address.parse(other).overlaps(Address.parse(one)) is overlap


@pytest.mark.parametrize(
    ("template", "identity", "url"),
    [
        ("wss://h/ocpp/{identity}", "CP-1", "wss://h/ocpp/CP-1"),
        ("wss://h/ocpp/{identity}", "a/b?c#d|é", "wss://h/ocpp/a%2Fb%3Fc%23d%7C%C3%A9"),
        ("wss://h/ocpp/{identity}", "a@b=c+d*e:f", "wss://h/ocpp/a@b=c+d*e:f"),
        ("wss://h/ocpp/{identity}/ws", "..%2F", "wss://h/ocpp/..%252F/ws"),
        ("wss://h/ws?id={identity}", "a+b&c=d", "wss://h/ws?id=a%2Bb%26c%3Dd"),
    ],
)
def test_an_identity_stays_where_it_is_put(template: str, identity: str, url: str) -> None:
    assert expand_url(template, identity) == url


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("sqlite+aiosqlite:///voltgate.db", "sqlite+aiosqlite:////etc/voltgate/voltgate.db"),
        ("sqlite+aiosqlite:////var/lib/v.db?timeout=5", "sqlite+aiosqlite:////var/lib/v.db?timeout=5"),
        ("postgresql+asyncpg://u@db:5432/voltgate", "postgresql+asyncpg://u@db:5432/voltgate"),
    ],
)
def test_store_urls(text: str, url: str) -> None:
    assert store_url(text, HERE) == url


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sqlite:///voltgate.db", "must begin with sqlite"),
        ("voltgate.db", "must begin with sqlite"),
        ("sqlite+aiosqlite://", "a file that lasts"),
        ("sqlite+aiosqlite:///", "a file that lasts"),
        ("sqlite+aiosqlite:///:memory:", "a file that lasts"),
        ("sqlite+aiosqlite:///file:x?mode=memory", "a file that lasts"),
        ("postgresql+asyncpg://u:hunter2@db/voltgate", "holds a password"),
        ("postgresql+asyncpg://u@db/voltgate?password=hunter2", "holds a password"),
        ("postgresql+asyncpg://u@db", "a host and a database"),
        ("postgresql+asyncpg:///voltgate", "a host and a database"),
    ],
)
def test_what_is_no_store_url(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        store_url(text, HERE)
    assert "hunter2" not in str(caught.value)


def test_a_folder_that_would_break_the_url() -> None:
    with pytest.raises(ValueError, match="a \\? in its name"):
        store_url("sqlite+aiosqlite:///v.db", Path("/what?"))


def test_a_password_in_a_store_url_is_encoded() -> None:
    assert with_password("postgresql+asyncpg://u%40x@db/v", "p@ss:/") == "postgresql+asyncpg://u%40x:p%40ss%3A%2F@db/v"
    assert with_password("postgresql+asyncpg://db/v", "p") == "postgresql+asyncpg://db/v"


def test_paths_start_at_the_folder() -> None:
    assert accept(FilePath, "a/b") == accept(FilePath, Path("a/b")) == HERE / "a/b"
    assert accept(FilePath, "/a") == Path("/a")
    assert TypeAdapter(FilePath).validate_python("a") == Path.cwd() / "a"


@pytest.mark.parametrize(
    ("value", "words"), [("", "a path"), ("a\0", "a path"), ("file:a", "without file:"), (1, "text")]
)
def test_what_is_no_path(value: Any, words: str) -> None:
    assert words in refuse(FilePath, value)


@pytest.mark.parametrize(
    ("value", "words"), [("10.0.0.1/8", "bits after the mask"), ("lan", "must be a network"), (10, "must be a network")]
)
def test_what_is_no_network(value: Any, words: str) -> None:
    assert words in refuse(Network, value)


def test_networks() -> None:
    assert str(accept(Network, "fd00::/8")) == "fd00::/8"
    assert str(accept(Network, "10.1.2.3")) == "10.1.2.3/32"


def test_secrets() -> None:
    reference = accept(Secret, "file:s/x")

    assert reference == SecretRef(Scheme.FILE, "/etc/voltgate/s/x", "file:s/x")
    assert accept(Secret, reference) is reference


@pytest.mark.parametrize(
    ("value", "source"),
    [
        ("legacy-1.6", "legacy-1.6"),
        ("mine.yaml", HERE / "mine.yaml"),
        ("p/mine", HERE / "p/mine"),
        ("/p.yml", Path("/p.yml")),
    ],
)
def test_policies(value: str, source: str | Path) -> None:
    assert accept(PolicySource, value) == source


def test_what_is_no_policy() -> None:
    assert "bundled policy" in refuse(PolicySource, "a b")


def test_an_organization_at_the_limit_and_one_past_it() -> None:
    assert accept(Organization, "x" * 64) == "x" * 64
    assert "at most 64" in refuse(Organization, "x" * 65)


def test_named_sections_are_read_only() -> None:
    named = accept(Named[int], {"a": 1})

    assert named == {"a": 1}
    with pytest.raises(TypeError):
        named["b"] = 2
