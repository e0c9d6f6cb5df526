"""StartTransaction and StopTransaction as tables."""

from collections.abc import Callable

import pytest

from gateway.bridge.books import Json, Transaction
from gateway.bridge.v201_v16.start_stop import REASONS, meter_stop, start_request, stop_reason, stop_request
from gateway.bridge.v201_v16.transaction_event import read_event

NewEvent = Callable[..., Json]
AT = "2026-05-01T09:00:00Z"


@pytest.mark.parametrize("reservation", [None, 17])
def test_start(fits: Callable[..., Json], reservation: int | None) -> None:
    tx = Transaction("TX", connector_id=2, id_tag="TAG", meter_start=1000, started_at=AT, reservation_id=reservation)

    payload = fits("v16", "StartTransaction", start_request(tx))

    expected = {"connectorId": 2, "idTag": "TAG", "meterStart": 1000, "timestamp": AT}
    assert payload == (expected if reservation is None else {**expected, "reservationId": 17})


@pytest.mark.parametrize(
    ("stopped", "expected"),
    [
        ("DeAuthorized", "DeAuthorized"),
        ("EmergencyStop", "EmergencyStop"),
        ("EVDisconnected", "EVDisconnected"),
        ("Local", "Local"),
        ("Other", "Other"),
        ("PowerLoss", "PowerLoss"),
        ("Reboot", "Reboot"),
        ("Remote", "Remote"),
        ("ImmediateReset", "HardReset"),
        ("EnergyLimitReached", "Other"),
        ("GroundFault", "Other"),
        ("LocalOutOfCredit", "Other"),
        ("MasterPass", "Other"),
        ("OvercurrentFault", "Other"),
        ("PowerQuality", "Other"),
        ("SOCLimitReached", "Other"),
        ("StoppedByEV", "Other"),
        ("TimeLimitReached", "Other"),
        ("Timeout", "Other"),
    ],
)
def test_every_reason_of_2_0_1_is_one_of_1_6(
    fits: Callable[..., Json], new_event: NewEvent, stopped: str, expected: str
) -> None:
    event = read_event(
        fits("v201", "TransactionEvent", new_event("Ended", reason=stopped)), dict[str, str]().__setitem__
    )

    payload = stop_request(Transaction("TX"), event, None, soft_reset=False)

    assert payload == {"meterStop": 0, "timestamp": AT, "reason": expected}
    fits("v16", "StopTransaction", {**payload, "transactionId": 1})
    assert stopped in REASONS


@pytest.mark.parametrize(
    ("trigger", "stopped", "soft_reset", "expected"),
    [
        ("UnlockCommand", "Other", False, "UnlockCommand"),
        ("UnlockCommand", None, False, "UnlockCommand"),
        ("ResetCommand", "Other", True, "SoftReset"),
        ("ResetCommand", "ImmediateReset", False, "HardReset"),
        ("StopAuthorized", "Local", True, "Local"),
        ("StopAuthorized", None, False, None),
        ("EVDeparted", None, False, None),
        ("Deauthorized", None, False, "DeAuthorized"),
        ("EVCommunicationLost", None, False, "EVDisconnected"),
        ("EVConnectTimeout", None, False, "Other"),
        ("RemoteStop", None, False, "Remote"),
        ("AbnormalCondition", "ReqEnergyTransferRejected", False, "Other"),
    ],
)
def test_the_trigger_steers_the_reason(
    new_event: NewEvent, trigger: str, stopped: str | None, soft_reset: bool, expected: str | None
) -> None:
    event = read_event(new_event("Ended", trigger=trigger, reason=stopped), dict[str, str]().__setitem__)

    assert stop_reason(event, soft_reset=soft_reset) == expected
    assert ("reason" in stop_request(Transaction("TX"), event, None, soft_reset=soft_reset)) == (expected is not None)


@pytest.mark.parametrize(
    ("wh", "context", "last_register", "meter_start", "expected"),
    [
        (1500, "Transaction.End", 1400, 1000, 1500),
        (1450, "Sample.Clock", 1400, 1000, 1450),
        (None, "", 1400, 1000, 1400),
        (None, "", None, 1000, 1000),
        (None, "", None, None, 0),
    ],
)
def test_the_register_at_the_end(
    new_event: NewEvent,
    wh: int | None,
    context: str,
    last_register: int | None,
    meter_start: int | None,
    expected: int,
) -> None:
    tx = Transaction("TX", last_register=last_register, meter_start=meter_start)

    assert (
        meter_stop(tx, read_event(new_event("Ended", wh=wh, context=context), dict[str, str]().__setitem__)) == expected
    )


def test_what_was_measured_at_the_end_goes_along(fits: Callable[..., Json], new_event: NewEvent) -> None:
    event = read_event(new_event("Ended", wh=1500, context="Transaction.End"), dict[str, str]().__setitem__)

    payload = stop_request(Transaction("TX"), event, "TAG", soft_reset=False)

    assert payload == {
        "meterStop": 1500,
        "timestamp": AT,
        "idTag": "TAG",
        "transactionData": [
            {
                "timestamp": AT,
                "sampledValue": [{"value": "1500", "unit": "Wh", "context": "Transaction.End"}],
            }
        ],
    }
    fits("v16", "StopTransaction", {**payload, "transactionId": 1})
