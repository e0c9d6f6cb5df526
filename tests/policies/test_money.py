"""Which messages move money."""

import pytest

from policies.money import moves_money
from policies.words import Payload


@pytest.mark.parametrize(
    ("action", "payload", "moves"),
    [
        ("TransactionEvent", {}, True),
        ("StartTransaction", {}, True),
        ("StopTransaction", {}, True),
        ("MeterValues", {"connectorId": 1, "transactionId": 7, "meterValue": []}, True),
        ("MeterValues", {"connectorId": 1, "transactionId": 0, "meterValue": []}, True),
        ("MeterValues", {"connectorId": 1, "meterValue": []}, False),
        ("MeterValues", {"evseId": 1, "meterValue": []}, False),
        ("Authorize", {"idTag": "A"}, False),
        ("RemoteStopTransaction", {"transactionId": 7}, False),
        ("DataTransfer", {"vendorId": "x", "transactionId": 7}, False),
    ],
)
def test_what_belongs_to_a_transaction_moves_money(action: str, payload: Payload, moves: bool) -> None:
    assert moves_money(action, payload) is moves
