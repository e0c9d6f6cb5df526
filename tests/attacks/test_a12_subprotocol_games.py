"""Attack A12: no subprotocol, two, unknown ones, another case; and TC_B_58_CSMS."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from gateway.session.security import Kind
from gateway.transport import Accept, AcceptThenClose, Refuse
from gateway.wire.versions import Version
from tests.edge.street import RULES, Street, basic

CLOSED = AcceptThenClose(1002, "no supported OCPP version offered")


@pytest.fixture
def street() -> Iterator[Street]:
    with Street() as made:
        yield made


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ("ocpp2.0.1", "ocpp2.0.1"),
        ("ocpp1.6", "ocpp1.6"),
        ("ocpp0.1, ocpp2.0.1", "ocpp2.0.1"),  # TC_B_58_CSMS
        ("ocpp1.6, ocpp2.0.1", "ocpp1.6"),
        ("ocpp2.0.1, ocpp1.6", "ocpp2.0.1"),
        ("ocpp2.0.1, ocpp2.0.1", "ocpp2.0.1"),
        ("ocpp2.1, ocpp2.0, ocpp1.6", "ocpp1.6"),
        (None, None),
        ("ocpp0.1", None),
        ("OCPP2.0.1", None),
        ("Ocpp1.6", None),
        ("ocpp2.0.10", None),
        ("ocpp2.0", None),
        ("soap", None),
    ],
)
async def test_the_clients_order_and_exact_names(street: Street, offered: str | None, chosen: str | None) -> None:
    verdict = await street.knock(headers=basic("CS1"), offered=offered)
    if chosen is None:
        assert verdict == CLOSED
        assert [event.kind for event in street.events] == [Kind.UNSUPPORTED_VERSION]
    else:
        assert isinstance(verdict, Accept)
        assert verdict.subprotocol == chosen
        assert [version.subprotocol for _, _, version in street.directory.entered] == [chosen]


@pytest.mark.parametrize("offered", [None, "ocpp0.1"])
async def test_refused_without_an_upgrade_where_so_configured_but_not_before_the_password(
    street: Street, offered: str | None
) -> None:
    rules = replace(RULES, no_common_subprotocol="refuse")
    assert await street.knock(headers=basic("CS1"), offered=offered, rules=rules) == Refuse(400)
    assert (await street.knock(headers=basic("CS1", "wrong"), offered=offered, rules=rules)).status == 401
    chosen: Any = await street.knock(headers=basic("CS1"), offered="ocpp0.1,ocpp2.0.1", rules=rules)
    assert chosen.subprotocol == "ocpp2.0.1"


@pytest.mark.parametrize(
    ("pinned", "offered", "chosen"),
    [
        (Version.V201, "ocpp1.6, ocpp2.0.1", "ocpp2.0.1"),
        (Version.V16, "ocpp2.0.1, ocpp1.6", "ocpp1.6"),
        (Version.V201, "ocpp1.6", None),
        (Version.V16, "ocpp2.0.1", None),
    ],
)
async def test_a_station_speaks_what_it_is_pinned_to(
    street: Street, pinned: Version, offered: str, chosen: str | None
) -> None:
    street.change("CS1", pinned_version=pinned)
    verdict = await street.knock(headers=basic("CS1"), offered=offered)
    assert verdict == CLOSED if chosen is None else verdict.subprotocol == chosen
    assert [event.kind for event in street.events] == ([Kind.DOWNGRADE] if chosen is None else [])


async def test_a_version_that_this_listener_does_not_speak(street: Street) -> None:
    rules = replace(RULES, versions=(Version.V16,))
    assert await street.knock(headers=basic("CS1"), offered="ocpp2.0.1", rules=rules) == CLOSED
    street.change("CS1", pinned_version=Version.V201)
    assert await street.knock(headers=basic("CS1"), offered="ocpp2.0.1, ocpp1.6", rules=rules) == CLOSED
