"""The scheduler on a real store and the embedded CA: a station's certificate from its plan to its successor."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.app.renewals import renewal_rules
from gateway.config import Config
from gateway.session.boot import BootGate
from gateway.session.ports import BootStatus
from gateway.session.renewals import RenewalState
from gateway.store.renewals import Renewals
from tests.app.house import FakeStation, House, open_house, runtime


@pytest.fixture
async def house(configured: Callable[..., Config], tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(configured(), tmp_path) as made:
        yield made


def test_the_operators_wishes(configured: Callable[..., Config]) -> None:
    rules = renewal_rules(configured(renewal={"window": 0.5, "jitter": 0.1, "alert": ["10d", "12h"]}))
    assert (rules.window, rules.jitter) == (0.5, 0.1)
    assert rules.alert == (timedelta(days=10), timedelta(hours=12))


async def test_what_was_issued_is_watched_and_renewed_when_a_person_wants_it(house: House) -> None:
    station = FakeStation(gate=BootGate(BootStatus.ACCEPTED))
    first = await house.certificate(station)
    scheduler = house.services.pki.renewals
    await scheduler.sweep()
    (plan,) = scheduler.of_station("CS1")
    assert (int(plan.serial, 16), plan.state) == (first.serial_number, RenewalState.PLANNED)
    assert plan.due_at > datetime.now(UTC) + timedelta(days=200)
    assert house.services.pki.expiring() == {"station": 0}

    house.services.joined(runtime(station))
    assert await scheduler.renew_all("station", None) == 1
    await scheduler.sweep()
    assert await station.asked() == ("TriggerMessage", {"requestedMessage": "SignChargingStationCertificate"})
    second = await house.certificate(station)
    assert scheduler.of_station("CS1")[0].state is RenewalState.RENEWED
    await scheduler.sweep()
    (plan,) = scheduler.of_station("CS1")
    assert int(plan.serial, 16) == second.serial_number

    again = Renewals(house.stations._database)
    assert list(await again.load()) == [plan]
