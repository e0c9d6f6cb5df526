"""TransactionEvent, read."""

from collections.abc import Callable

import pytest

from gateway.bridge.books import Json
from gateway.bridge.v201_v16.samples import Registers
from gateway.bridge.v201_v16.transaction_event import TransactionEvent, read_event
from gateway.wire.errors import CallError

NewEvent = Callable[..., Json]


def test_all_fields(new_event: NewEvent) -> None:
    payload = new_event(
        "Ended",
        7,
        tx="TX-9",
        at="2026-05-01T10:00:00+02:00",
        trigger="StopAuthorized",
        token="04A2B3C4",
        evse={"id": 2, "connectorId": 3},
        state="EVConnected",
        reason="Local",
        remote=42,
        wh=1500,
        context="Transaction.End",
        offline=True,
        reservationId=8,
    )

    sample = {"value": "1500", "unit": "Wh", "context": "Transaction.End"}
    assert read_event(payload, dict[str, str]().__setitem__) == TransactionEvent(
        kind="Ended",
        station_tx="TX-9",
        seq_no=7,
        timestamp="2026-05-01T08:00:00Z",
        trigger="StopAuthorized",
        offline=True,
        evse_id=2,
        connector_id=3,
        token={"idToken": "04A2B3C4", "type": "ISO14443"},
        charging_state="EVConnected",
        stopped_reason="Local",
        remote_start_id=42,
        reservation_id=8,
        meter_values=[{"timestamp": "2026-05-01T08:00:00Z", "sampledValue": [sample]}],
        registers=Registers(end=1500, first=1500, last=1500),
    )


def test_required_fields_only(new_event: NewEvent) -> None:
    event = read_event(new_event("Started", trigger="CablePluggedIn"), dict[str, str]().__setitem__)

    assert (event.kind, event.seq_no, event.offline) == ("Started", 0, False)
    absent = (
        *(event.evse_id, event.connector_id, event.token, event.charging_state),
        *(event.stopped_reason, event.remote_start_id, event.reservation_id),
    )
    assert absent == (None,) * 7
    assert (event.meter_values, event.registers) == ([], Registers())


@pytest.mark.parametrize("evse", [{"id": 0}, {"id": -1, "connectorId": 0}])
def test_a_place_that_can_not_be_is_none(new_event: NewEvent, evse: Json) -> None:
    event = read_event(new_event("Started", evse=evse), dict[str, str]().__setitem__)

    assert (event.evse_id, event.connector_id) == (None, None)


def test_a_bad_time_is_refused(new_event: NewEvent) -> None:
    with pytest.raises(CallError, match="timestamp is not"):
        read_event(new_event("Started", at="2026-05-01T10:00:00"), dict[str, str]().__setitem__)
