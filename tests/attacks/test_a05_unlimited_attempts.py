"""Attack A5: unlimited attempts, enumeration, storms of connects. What fails runs out; who is in order comes in."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from gateway.transport import Accept
from tests.edge.street import LIMITS, PROFILE_2, Street, basic


@pytest.fixture
def street() -> Iterator[Street]:
    with Street() as made:
        yield made


async def _guess(street: Street, identity: str, remote: str) -> int:
    verdict = await street.knock(f"/ocpp/{identity}", basic(identity, "wrong horse battery"), remote=remote)
    return int(verdict.status)


async def test_one_address_tries_many_identities(street: Street) -> None:
    heard = [await _guess(street, f"CS{n}", "2001:db8::1") for n in range(100, 150)]
    assert heard.count(401) == LIMITS.passwords_per_address
    assert await _guess(street, "CS1", "2001:db8::2:3:4:5") == 429  # the same /64


async def test_many_addresses_try_one_identity_at_once(street: Street) -> None:
    remotes = [f"10.0.0.{n % 4}" for n in range(100)]
    heard = await asyncio.gather(*(_guess(street, "CS1", remote) for remote in remotes))
    own_tries = 4
    assert heard.count(401) == LIMITS.passwords_per_identity + own_tries
    assert heard.count(429) == 100 - heard.count(401)


async def test_what_runs_out_costs_no_work(street: Street) -> None:
    for _ in range(20):
        await _guess(street, "CS1", "10.0.0.1")
    street.scrypts.clear()
    assert await _guess(street, "CS1", "10.0.0.1") == 429
    assert street.scrypts == []


async def test_a_minute_brings_a_minutes_tries_and_no_more(street: Street) -> None:
    for _ in range(20):
        await _guess(street, "CS9", "10.0.0.1")
    for _ in range(3):
        street.clock.now += 60
        heard = [await _guess(street, "CS9", "10.0.0.1") for _ in range(20)]
        assert heard.count(401) <= LIMITS.passwords_per_identity + 2


async def test_the_station_itself_comes_in_all_the_while(street: Street) -> None:
    assert isinstance(await street.knock(headers=basic("CS1"), remote="10.9.9.9"), Accept)
    for n in range(20):
        await _guess(street, "CS1", f"10.0.0.{n}")
    assert isinstance(await street.knock(headers=basic("CS1"), remote="10.9.9.9"), Accept)  # it was there of late
    street.clock.now += 7200
    for n in range(20):
        await _guess(street, "CS1", f"10.0.0.{n}")
    assert isinstance(await street.knock(headers=basic("CS1"), remote="10.9.9.9"), Accept)  # by its address's own try


async def test_an_address_whose_connections_fail_is_turned_away_before_tls(street: Street) -> None:
    for _ in range(LIMITS.connections_per_address):
        assert street.failures.screen("10.0.0.1") is None
        await street.knock("/admin.php", remote="10.0.0.1")
    assert street.failures.screen("10.0.0.1") == "TOO_MANY"
    assert street.failures.screen("10.0.0.2") is None
    street.clock.now += 60 / LIMITS.connections_per_address + 0.001
    assert street.failures.screen("10.0.0.1") is None


async def test_stations_in_order_that_share_an_address_are_not_cut_off_when_all_return_at_once(street: Street) -> None:
    """After a restart of the gateway nobody has a proof; behind one NAT they wait for each other, and nothing more."""
    crowd = [f"CS{n}" for n in range(100, 125)]
    for identity in crowd:
        street.registry.records[identity] = replace(PROFILE_2, identity=identity)
    outside = set(crowd)
    while outside:
        came = sorted(outside)
        heard = await asyncio.gather(*(street.knock(f"/ocpp/{each}", basic(each), remote="10.0.0.1") for each in came))
        outside -= {each for each, verdict in zip(came, heard, strict=True) if isinstance(verdict, Accept)}
        assert {verdict.status for verdict in heard if not isinstance(verdict, Accept)} <= {503}
    for _ in range(LIMITS.connections_per_address):
        assert street.failures.screen("10.0.0.1") is None  # as many failures as ever are free
        street.failures.connection_failed("10.0.0.1")


async def test_those_who_are_sent_away_do_not_come_back_at_the_same_moment(street: Street) -> None:
    for _ in range(20):
        await _guess(street, "CS1", "10.0.0.1")
    waits = {
        (await street.knock(headers=basic("CS1", "x"), remote="10.0.0.1")).headers["Retry-After"] for _ in range(60)
    }
    assert len(waits) > 5
