"""What a message is to the quarantine: of which transaction, its begin or not, the same as another or not."""

from typing import Any

import pytest

from gateway.session.quarantine import Kept, Why, begins, digest_of, transaction_of
from gateway.session.tally import Leg


def event(kind: str, tx: str = "T1") -> dict[str, Any]:
    return {"eventType": kind, "transactionInfo": {"transactionId": tx}}


@pytest.mark.parametrize(
    ("action", "payload", "name", "is_begin"),
    [
        ("TransactionEvent", event("Started"), "T1", True),
        ("TransactionEvent", event("Ended"), "T1", False),
        ("TransactionEvent", event("Updated", "a\0b\ud800"), "a\N{REPLACEMENT CHARACTER}b?", False),
        ("StartTransaction", {"connectorId": 1}, "", True),
        ("StopTransaction", {"transactionId": 17}, "17", False),
        ("MeterValues", {"transactionId": -1}, "-1", False),
        ("MeterValues", {"connectorId": 1}, "", False),
        ("DataTransfer", {"transactionId": 17}, "", False),
    ],
)
def test_of_which_transaction_a_message_is(action: str, payload: Any, name: str, is_begin: bool) -> None:
    assert transaction_of(action, payload) == name
    assert begins(action, payload) is is_begin


def test_identical_messages_of_one_leg_have_one_digest() -> None:
    payload = {"a": 1, "b": {"c": [1, 2], "d": "\0"}}
    message = Kept(Leg.STATION, "ocpp1.6", "X", payload, Why("r", "t"))
    assert message.digest == digest_of(Leg.STATION, "X", {"b": {"d": "\0", "c": [1, 2]}, "a": 1})
    others = [(Leg.BACKEND, "X", payload), (Leg.STATION, "Y", payload), (Leg.STATION, "X", payload | {"a": 2})]
    assert message.digest not in {digest_of(*other) for other in others}


def test_what_a_message_says_is_not_in_its_repr() -> None:
    assert "secret" not in repr(Kept(Leg.STATION, "ocpp1.6", "X", {"a": "secret"}, Why("r", "t"), {"b": "secret"}))
