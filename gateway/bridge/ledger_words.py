"""The words in which a backend hears of transactions: three messages of 1.6, or TransactionEvent of 2.0.1.

Pure. A message that waits in the journal is read by its own words, whatever the backend speaks by now.
"""

import enum
from collections.abc import Mapping
from typing import Final

from gateway.bridge.books import Json, Transaction, TransactionState
from gateway.wire.versions import Version

NO_TRANSACTION: Final = -1
"""transactionId of a StopTransaction whose start was never taken (OCPP 1.6 errata)."""


class Step(enum.Enum):
    """What a message about a transaction is to the ledger."""

    __hash__ = object.__hash__
    """As of :class:`gateway.bridge.books.Page`."""

    START = "start"
    METER = "meter"
    """Whatever comes between the start and the stop."""
    STOP = "stop"


ACTIONS: Final[Mapping[Version, Mapping[Step, str]]] = {
    Version.V16: {Step.START: "StartTransaction", Step.METER: "MeterValues", Step.STOP: "StopTransaction"},
    Version.V201: dict.fromkeys(Step, "TransactionEvent"),
}
"""The version that a backend speaks -> the action by which each step is sent to it."""
_STEPS: Final = {action: step for step, action in ACTIONS[Version.V16].items()} | {
    "Started": Step.START,
    "Updated": Step.METER,
    "Ended": Step.STOP,
}
"""Action of 1.6, or eventType of 2.0.1 -> its step."""


def step_of(action: str, payload: Json) -> Step:
    """Return what a message of the ledger is."""
    return _STEPS[payload["eventType"] if action == "TransactionEvent" else action]


def version_of(action: str) -> Version:
    """Return the OCPP version in whose words a message of the ledger is."""
    return Version.V201 if action == ACTIONS[Version.V201][Step.START] else Version.V16


def addressed(action: str, payload: Json, tx: Transaction) -> Json:
    """Return ``payload`` with the transactionId under which the backend knows ``tx``; the same every time.

    In 1.6 that is the backend's own number, as soon as it is known; in 2.0.1 the station's, and it is in there.
    """
    if action in {"StartTransaction", "TransactionEvent"}:
        return payload
    if tx.backend_tx is not None:
        return {**payload, "transactionId": tx.backend_tx}
    if action == "StopTransaction":
        return {**payload, "transactionId": NO_TRANSACTION}
    return payload


def enter_answer(action: str, payload: Json, conf: Json, tx: Transaction) -> None:
    """Enter into the books what the backend's answer to a message of the ledger means for ``tx``."""
    step = step_of(action, payload)
    if action == "StartTransaction":
        tx.backend_tx = conf["transactionId"]
    if step is Step.START and tx.state in {TransactionState.STARTING, TransactionState.UNSTARTED}:
        tx.state = TransactionState.OPEN
    elif step is Step.STOP:
        tx.state = TransactionState.ENDED


def enter_refusal(action: str, payload: Json, tx: Transaction) -> None:
    """Enter into the books that the backend has refused a message for good: it is set aside."""
    step = step_of(action, payload)
    if step is Step.START and tx.state is TransactionState.STARTING:
        tx.state = TransactionState.UNSTARTED
    elif step is Step.STOP:
        tx.state = TransactionState.ENDED


def judges_late(action: str, payload: Json, conf: Json) -> bool:
    """Return whether an answer that comes after the station got its own says who may charge.

    In 2.0.1 it doesn't where the token was to end the transaction: who may not stop it stops nobody's charging.
    """
    if action == "TransactionEvent":
        is_to_end = step_of(action, payload) is Step.STOP or payload["triggerReason"] == "StopAuthorized"
        return "idTokenInfo" in conf and not is_to_end
    return action == "StartTransaction"
