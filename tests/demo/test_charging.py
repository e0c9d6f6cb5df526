"""A session's TransactionEvents, in their order."""

from typing import Any

from gateway.demo.charging import ChargingSession, RemoteStart, now
from gateway.demo.meter import Meter
from gateway.demo.typed_ocpp import call201

TOKEN = {"id_token": "D0A1B2C3", "type": "ISO14443"}


def registers(event: Any) -> list[tuple[str, float]]:
    values = [sample for value in event.meter_value or [] for sample in value["sampled_value"]]
    return [(sample["context"], sample["value"]) for sample in values if "Energy" in sample["measurand"]]


def test_a_whole_session() -> None:
    meter = Meter(5_000)
    session = ChargingSession(meter, clock=lambda: "2025-11-22T10:00:00.000Z")

    started = session.plugged_in()
    authorized = session.authorized(RemoteStart(TOKEN, 17))
    charging = session.power_flows()
    sampled = []
    for _ in range(2):
        meter.deliver(1_250)
        sampled.append(session.sampled())
    meter.deliver(5)
    ended = session.stopped("StopAuthorized", "Local")

    events = [started, authorized, charging, *sampled, ended]
    assert all(isinstance(event, call201.TransactionEvent) for event in events)
    assert [event.seq_no for event in events] == [0, 1, 2, 3, 4, 5]
    assert [(event.event_type, event.trigger_reason) for event in events] == [
        ("Started", "CablePluggedIn"),
        ("Updated", "Authorized"),
        ("Updated", "ChargingStateChanged"),
        ("Updated", "MeterValuePeriodic"),
        ("Updated", "MeterValuePeriodic"),
        ("Ended", "StopAuthorized"),
    ]
    assert {event.transaction_info["transaction_id"] for event in events} == {session.transaction_id}
    assert [event.id_token for event in events] == [None, TOKEN, None, None, None, TOKEN]
    assert authorized.transaction_info["remote_start_id"] == 17
    assert ended.transaction_info["stopped_reason"] == "Local"
    assert started.evse == {"id": 1, "connector_id": 1}
    assert [found for event in events for found in registers(event)] == [
        ("Transaction.Begin", 5),
        ("Sample.Periodic", 6.25),
        ("Sample.Periodic", 7.5),
        ("Transaction.End", 7.505),
    ]
    assert session.account() == {"id_tag": "D0A1B2C3", "start": 5_000, "samples": [6_250, 7_500], "stop": 7_505}


def test_a_session_that_nobody_was_authorized_for() -> None:
    session = ChargingSession(Meter(1))

    assert session.account() == {"id_tag": "", "start": 1, "samples": [], "stop": None}


def test_the_time_is_utc_in_milliseconds() -> None:
    assert now().endswith("Z")
    assert len(now()) == len("2025-11-22T10:00:00.000Z")
