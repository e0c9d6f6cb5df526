"""Attack A1: a known id and nothing else. Who guesses ids learns neither which exist nor which were nearly right."""

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.edge import passwords
from gateway.edge.refusals import CHALLENGE
from gateway.transport import Refuse
from tests.edge.street import Street, basic

REFUSED = Refuse(401, CHALLENGE)


@pytest.fixture
def street() -> Iterator[Street]:
    with Street() as made:
        yield made


@pytest.mark.parametrize("target", ["/ocpp/CS1", "/ocpp/CS3", "/ocpp/CS4", "/ocpp/CS9"])
@pytest.mark.parametrize("offered", ["ocpp2.0.1", "ocpp1.6", "ocpp0.1", None])
async def test_an_id_alone_is_refused_before_the_upgrade(street: Street, target: str, offered: str | None) -> None:
    assert await street.knock(target, offered=offered) == REFUSED
    assert street.directory.entered == []


async def test_known_and_unknown_hear_the_same_after_the_same_work(street: Street) -> None:
    heard: list[tuple[Any, int]] = []
    for target, user, password in (
        ("/ocpp/CS1", "CS1", "wrong horse battery"),
        ("/ocpp/CS9", "CS9", "wrong horse battery"),
        ("/ocpp/CS4", "CS4", "wrong horse battery"),
        ("/ocpp/CS1", "CS9", "wrong horse battery"),
        ("/ocpp/CS9", "CS1", "correct horse battery"),
    ):
        street.scrypts.clear()
        heard.append((await street.knock(target, basic(user, password)), len(street.scrypts)))
    assert heard == [(REFUSED, passwords.COMPARISONS)] * 5


async def test_a_certificate_of_another_station_tells_nothing_either(street: Street) -> None:
    assert await street.knock("/ocpp/CS3", certificate=b"SN1") == REFUSED
    assert await street.knock("/ocpp/CS9", certificate=b"SN1") == REFUSED


@pytest.mark.parametrize("identity", ["CS1", "CS9"])
async def test_when_guesses_run_out_that_tells_nothing_either(street: Street, identity: str) -> None:
    heard = [await street.knock(f"/ocpp/{identity}", basic(identity, f"guess number {n:04}")) for n in range(8)]
    assert [verdict.status for verdict in heard] == [401] * 6 + [429] * 2
    assert all(set(verdict.headers) == {"Retry-After"} and not verdict.body for verdict in heard[6:])


async def test_a_pending_station_hears_what_any_unknown_one_hears(street: Street) -> None:
    heard = [await street.knock("/ocpp/CS9", basic("CS9")) for _ in range(2)]
    assert heard == [REFUSED] * 2
    assert len(street.pending) == 2
