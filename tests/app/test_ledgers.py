"""What a station's ledger touches of the station and its leg."""

import dataclasses
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.app.foundation import Foundation
from gateway.app.ledgers import ledger_for
from gateway.bridge.books import Books
from gateway.bridge.ports import PeerUnavailable
from gateway.session.ports import StationRecord
from gateway.upstream.journal import JournaledLedger
from gateway.wire.versions import Version


@pytest.fixture
def station() -> Any:
    return SimpleNamespace(
        identity="CS1",
        epoch=3,
        books=Books(),
        record=StationRecord("CS1", 2, boot_reported=True),
        is_refused=False,
        call_backend=None,
        bridge=None,
    )


@pytest.fixture
def legs() -> Any:
    return SimpleNamespace(backend=SimpleNamespace(is_up=True))


@pytest.fixture
def ledger(foundation: Foundation, station: Any, legs: Any) -> JournaledLedger:
    return ledger_for(station, foundation, legs, depth=0, backend="legacy", version=Version.V16, emptied=lambda: None)


def test_money_goes_to_a_backend_that_is_there_and_has_accepted_the_station(
    ledger: JournaledLedger, station: Any, legs: Any
) -> None:
    found = [ledger.is_clear]
    station.is_refused = True
    found.append(ledger.is_clear)
    station.is_refused = False
    station.record = dataclasses.replace(station.record, boot_reported=False)
    found.append(ledger.is_clear)
    station.record = dataclasses.replace(station.record, boot_reported=True)
    legs.backend.is_up = False
    found.append(ledger.is_clear)
    assert found == [True, False, False, False]


def test_the_epoch_is_that_of_the_station_now(ledger: JournaledLedger, station: Any) -> None:
    station.epoch = 4
    assert ledger._epoch() == 4


async def test_a_late_refusal_that_cannot_be_enforced_is_only_logged(ledger: JournaledLedger, station: Any) -> None:
    async def started_late(*_: Any) -> None:
        raise PeerUnavailable("the station is not connected")

    station.bridge = SimpleNamespace(started_late=started_late)
    with capture_logs() as logged:
        await ledger._late_answer(SimpleNamespace(), {})  # type: ignore[arg-type]  # passed on as it is
    assert [(each["event"], each["identity"]) for each in logged] == [("late_refusal_not_enforced", "CS1")]


async def test_what_the_backend_refuses_for_good_goes_to_the_quarantine(ledger: JournaledLedger, station: Any) -> None:
    kept: list[Any] = []

    async def set_aside(*said: Any) -> None:
        kept.append(said)

    station.quarantine = SimpleNamespace(set_aside=set_aside)
    await ledger._set_aside("StopTransaction", {}, "refused")
    assert kept == [("StopTransaction", {}, "refused")]
