"""What the schemas say of a field, over several messages at once."""

import pytest

from gateway.app.policy_schemas import OfficialSchemas
from policies.cel.shapes import Shape, payload_of
from policies.cel.slots import Steps
from policies.vocabulary import Vocabulary
from policies.words import Kind, Stage, Target

VOCABULARY = Vocabulary(OfficialSchemas())


def shape(path: Steps, *actions: str, protocol: str = "ocpp2.0.1", kind: Kind = Kind.CALL) -> Shape:
    targets = [Target(Stage.FROM_STATION, kind, protocol, action) for action in actions]
    found = payload_of(targets, VOCABULARY)
    for step in path:
        found = found.step(step)
    return found


@pytest.mark.parametrize(
    ("path", "kinds"),
    [
        (("seqNo",), {"integer"}),
        (("meterValue",), {"array"}),
        (("meterValue", 0), {"object"}),
        (("meterValue", 0, "sampledValue", 0, "value"), {"number"}),
        (("transactionInfo", "transactionId"), {"string"}),
        (("customData", "anything", "below"), {"any"}),
        (("customData", "vendorId"), {"string"}),
        (("customData", "com.vendor key"), {"any"}),
        (("evse", "a b"), set()),
        (("a b",), set()),
        (("nothing",), set()),
        (("meterValue", "timestamp"), set()),
        (("seqNo", 0), set()),
        (("customData", "list", 0), set()),
    ],
)
def test_kinds(path: Steps, kinds: set[str]) -> None:
    assert shape(path, "TransactionEvent").kinds == kinds


def test_the_messages_that_have_a_field() -> None:
    found = shape(("idToken",), "TransactionEvent", "Authorize", "Heartbeat")

    assert {target.action for target in found.targets} == {"TransactionEvent", "Authorize"}


@pytest.mark.parametrize(
    ("path", "is_certain"),
    [(("seqNo",), True), (("offline",), False), (("evse", "id"), False), (("transactionInfo", "transactionId"), True)],
)
def test_what_no_message_lacks(path: Steps, is_certain: bool) -> None:
    assert shape(path, "TransactionEvent").is_certain is is_certain


@pytest.mark.parametrize(
    ("path", "length"),
    [(("transactionInfo", "transactionId"), 36), (("timestamp",), None), (("idToken", "additionalInfo"), None)],
)
def test_lengths(path: Steps, length: int | None) -> None:
    assert shape(path, "TransactionEvent").length_max == length


def test_a_time_and_a_list_of_words() -> None:
    assert shape(("timestamp",), "TransactionEvent").is_time
    assert "Ended" in shape(("eventType",), "TransactionEvent").words
    assert not shape(("seqNo",), "TransactionEvent").words


def test_of_a_callerror() -> None:
    assert shape(("errorDescription",), "Heartbeat", kind=Kind.ERROR).length_max == 255
    assert shape(("errorDetails", "x"), "Heartbeat", kind=Kind.ERROR).kinds == {"any"}
