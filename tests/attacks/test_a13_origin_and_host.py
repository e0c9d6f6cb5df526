"""Attack A13: a browser's WebSocket from another site, and Host games. (Smuggling: the transport's tests.)"""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from gateway.session.security import Kind
from gateway.transport import Accept, Refuse
from tests.edge.street import RULES, Street, basic

LISTED = replace(RULES, origins=frozenset({"https://tool.example"}))
NAMED = replace(RULES, hosts=frozenset({"csms.example.com"}))


@pytest.fixture
def street() -> Iterator[Street]:
    with Street() as made:
        yield made


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "", "https://tool.example.evil", "http://tool.example"]
)
async def test_a_browser_does_not_come_in_with_the_right_password(street: Street, origin: str) -> None:
    for rules in (RULES, LISTED):
        assert await street.knock(headers=basic("CS1") | {"Origin": origin}, rules=rules) == Refuse(403)
    assert [event.kind for event in street.events] == [Kind.FOREIGN_REQUEST] * 2
    assert street.scrypts == []


async def test_an_origin_that_is_listed_comes_in(street: Street) -> None:
    verdict = await street.knock(headers=basic("CS1") | {"Origin": "https://tool.example"}, rules=LISTED)
    assert isinstance(verdict, Accept)


@pytest.mark.parametrize(
    ("host", "server_name", "is_let_in"),
    [
        ("csms.example.com", None, True),
        ("CSMS.EXAMPLE.COM:8443", "csms.example.com", True),
        ("evil.example", None, False),
        ("evil.example", "csms.example.com", False),
        ("csms.example.com", "evil.example", False),
        ("csms.example.com.evil.example", None, False),
        ("evil-csms.example.com", None, False),
        ("127.0.0.1:8443", None, False),
    ],
)
async def test_host_and_sni_are_among_the_listeners_names(
    street: Street, host: str, server_name: str | None, is_let_in: bool
) -> None:
    headers = basic("CS1") | {"Host": host}
    verdict = await street.knock(headers=headers, rules=NAMED, server_name=server_name)
    assert isinstance(verdict, Accept) is is_let_in
    assert [event.kind for event in street.events] == ([] if is_let_in else [Kind.FOREIGN_REQUEST])
    assert isinstance(await street.knock(headers=headers, server_name=server_name), Accept)
