"""The fifth migration: what had been set aside is held in the quarantine."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from gateway.session.quarantine import Kept, Selection, State, Why
from gateway.session.tally import Leg
from gateway.store.database import Database
from gateway.store.journal import Journal
from gateway.store.quarantine import Quarantine
from gateway.store.quarantine_decisions import QuarantineDecisions
from gateway.store.stations import Stations
from tests.store.former_store import former_store

Open = Callable[..., Awaitable[Database]]

EARLIER, LATER = "2026-03-01 00:00:00.000000", "2026-03-02 00:00:00.000000"
ROWS = [
    """
    INSERT INTO stations (identity, certificate_name, minimum_profile, boot_status, boot_interval, boot_reported, epoch,
        pending, registered_at) VALUES ('CS1', 'CS1', 1, 'None', 0, true, 1, 1, '2026-03-01 00:00:00.000000')
    """,
    f"""
    INSERT INTO journal (identity, station_tx, action, payload, attempts, recorded_at)
    VALUES ('CS1', 'T1', 'MeterValues', '{{}}', 0, '{EARLIER}')
    """,  # noqa: S608 - our own words
    *(
        f"""
        INSERT INTO journal (identity, station_tx, action, payload, attempts, recorded_at)
        VALUES ('CS1', 'T{number}', 'MeterValues', '{{}}', 0, '{EARLIER}')
        """  # noqa: S608 - our own words
        for number in range(3)
    ),
    "DELETE FROM journal WHERE id > 1",
    *(
        f"""
        INSERT INTO refused_messages
        (id, identity, station_tx, action, payload, attempts, reason, recorded_at, refused_at)
        VALUES ({number}, 'CS1', '{tx}', '{action}', '{{"n": {number}}}', {attempts}, 'why', '{recorded}', '{LATER}')
        """  # noqa: S608 - our own words
        for number, tx, action, attempts, recorded in (
            (2, "T1", "StopTransaction", 2, EARLIER),
            (3, "17", "MeterValues", 0, LATER),
            (4, "T2", "TransactionEvent", 2, EARLIER),
        )
    ),
]


@pytest.fixture
async def former_url(empty_url: str) -> str:
    """The URL of a store as the version before left it, with messages that were set aside."""
    return await former_store(empty_url, "0004", ROWS)


async def test_what_was_set_aside_is_held(former_url: str, opened: Open) -> None:
    database = await opened(former_url)
    found = await Quarantine(database).list()
    assert [(each.id, each.station_tx, each.action, each.protocol, each.rule, each.attempts) for each in found] == [
        (2, "T1", "StopTransaction", "ocpp1.6", "gateway:refused", 2),
        (3, "17", "MeterValues", "ocpp1.6", "gateway:foreign", 0),
        (4, "T2", "TransactionEvent", "ocpp2.0.1", "gateway:refused", 2),
    ]
    assert {(each.state, each.leg, each.reason, each.gathers) for each in found} == {
        (State.HELD, Leg.BACKEND, "why", False)
    }
    assert [each.payload for each in found] == [{"n": 2}, {"n": 3}, {"n": 4}]
    assert (found[0].recorded_at, found[0].kept_at) == (
        datetime(2026, 3, 1, tzinfo=UTC),
        datetime(2026, 3, 2, tzinfo=UTC),
    )
    assert await QuarantineDecisions(database).release(Selection([2, 3, 4]), "me") == [2, 3, 4]


async def test_the_journal_goes_on_and_so_do_its_numbers(former_url: str, opened: Open) -> None:
    database = await opened(former_url)
    assert [(each.id, each.released) for each in await Journal(database).pending("CS1")] == [(1, False)]
    epoch = await Stations(database).take("CS1", 0)
    data = Kept(Leg.STATION, "ocpp1.6", "DataTransfer", {"vendorId": "V"}, Why("r", "t"))
    made = await Quarantine(database).append("CS1", epoch, data)
    assert made is not None
    assert made[0].id == 5
