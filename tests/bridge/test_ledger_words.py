"""The ledger's words, as tables."""

from typing import Any

import pytest

from gateway.bridge.books import Transaction, TransactionState
from gateway.bridge.ledger_words import (
    ACTIONS,
    Step,
    addressed,
    enter_answer,
    enter_refusal,
    judges_late,
    step_of,
    version_of,
)
from gateway.wire.schemas import operations
from gateway.wire.versions import Version

STARTED = {"eventType": "Started", "triggerReason": "Authorized"}
UPDATED = {"eventType": "Updated", "triggerReason": "Authorized"}
ENDED = {"eventType": "Ended", "triggerReason": "StopAuthorized"}
STATES = TransactionState
REFUSED = {"idTokenInfo": {"status": "Blocked"}}


def test_an_action_says_in_whose_words_it_is() -> None:
    for version, actions in ACTIONS.items():
        assert {version_of(action) for action in actions.values()} == {version}


def test_each_version_has_an_action_of_its_own_for_each_step() -> None:
    for version, actions in ACTIONS.items():
        assert set(actions) == set(Step)
        assert set(actions.values()) <= set(operations(version))
    assert not set(ACTIONS[Version.V16].values()) & set(ACTIONS[Version.V201].values())


@pytest.mark.parametrize(
    ("action", "payload", "step"),
    [
        ("StartTransaction", {}, Step.START),
        ("MeterValues", {}, Step.METER),
        ("StopTransaction", {}, Step.STOP),
        ("TransactionEvent", STARTED, Step.START),
        ("TransactionEvent", UPDATED, Step.METER),
        ("TransactionEvent", ENDED, Step.STOP),
    ],
)
def test_what_a_message_is(action: str, payload: Any, step: Step) -> None:
    assert step_of(action, payload) is step


@pytest.mark.parametrize(
    ("action", "payload", "number", "sent"),
    [
        ("StartTransaction", {"meterStart": 1}, None, {"meterStart": 1}),
        ("StartTransaction", {"meterStart": 1}, 7, {"meterStart": 1}),
        ("MeterValues", {"connectorId": 1}, None, {"connectorId": 1}),
        ("MeterValues", {"connectorId": 1}, 0, {"connectorId": 1, "transactionId": 0}),
        ("StopTransaction", {"meterStop": 1}, None, {"meterStop": 1, "transactionId": -1}),
        ("StopTransaction", {"meterStop": 1}, 7, {"meterStop": 1, "transactionId": 7}),
        ("TransactionEvent", STARTED, 7, STARTED),
        ("TransactionEvent", ENDED, None, ENDED),
    ],
)
def test_the_backend_hears_its_own_transaction_id(action: str, payload: Any, number: int | None, sent: Any) -> None:
    assert addressed(action, payload, Transaction("t1", backend_tx=number)) == sent


@pytest.mark.parametrize(
    ("action", "payload", "conf", "before", "after", "number"),
    [
        ("StartTransaction", {}, {"transactionId": 7}, STATES.STARTING, STATES.OPEN, 7),
        ("StartTransaction", {}, {"transactionId": 7}, STATES.STOPPING, STATES.STOPPING, 7),
        ("MeterValues", {}, {}, STATES.OPEN, STATES.OPEN, None),
        ("StopTransaction", {}, {}, STATES.STOPPING, STATES.ENDED, None),
        ("TransactionEvent", STARTED, {}, STATES.STARTING, STATES.OPEN, None),
        ("TransactionEvent", STARTED, {}, STATES.STOPPING, STATES.STOPPING, None),
        ("TransactionEvent", UPDATED, {}, STATES.STARTING, STATES.STARTING, None),
        ("TransactionEvent", ENDED, {"totalCost": 1.5}, STATES.STOPPING, STATES.ENDED, None),
        ("StartTransaction", {}, {"transactionId": 7}, STATES.UNSTARTED, STATES.OPEN, 7),
    ],
)
def test_what_an_answer_means(
    action: str, payload: Any, conf: Any, before: STATES, after: STATES, number: int | None
) -> None:
    tx = Transaction("t1", before)
    enter_answer(action, payload, conf, tx)
    assert (tx.state, tx.backend_tx) == (after, number)


@pytest.mark.parametrize(
    ("action", "payload", "before", "after"),
    [
        ("StartTransaction", {}, STATES.STARTING, STATES.UNSTARTED),
        ("StartTransaction", {}, STATES.STOPPING, STATES.STOPPING),
        ("MeterValues", {}, STATES.OPEN, STATES.OPEN),
        ("StopTransaction", {}, STATES.STOPPING, STATES.ENDED),
        ("TransactionEvent", STARTED, STATES.STARTING, STATES.UNSTARTED),
        ("TransactionEvent", UPDATED, STATES.OPEN, STATES.OPEN),
        ("TransactionEvent", ENDED, STATES.STOPPING, STATES.ENDED),
    ],
)
def test_what_a_refusal_for_good_means(action: str, payload: Any, before: STATES, after: STATES) -> None:
    tx = Transaction("t1", before)
    enter_refusal(action, payload, tx)
    assert tx.state is after


@pytest.mark.parametrize(
    ("action", "payload", "conf", "judges"),
    [
        ("StartTransaction", {}, {"transactionId": 7, "idTagInfo": {"status": "Accepted"}}, True),
        ("MeterValues", {}, {}, False),
        ("StopTransaction", {}, {"idTagInfo": {"status": "Blocked"}}, False),
        ("TransactionEvent", STARTED, {}, False),
        ("TransactionEvent", STARTED, REFUSED, True),
        ("TransactionEvent", UPDATED, REFUSED, True),
        ("TransactionEvent", {**UPDATED, "triggerReason": "StopAuthorized"}, REFUSED, False),
        ("TransactionEvent", ENDED, REFUSED, False),
    ],
)
def test_which_late_answers_say_who_may_charge(action: str, payload: Any, conf: Any, judges: bool) -> None:
    assert judges_late(action, payload, conf) is judges
