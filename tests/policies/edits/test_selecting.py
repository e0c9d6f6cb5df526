"""Where a step looks before it does something."""

from typing import Any

import pytest

from gateway.app.policy_schemas import OfficialSchemas
from policies.edits.selecting import compile_where, selected_at
from policies.paths import EACH, Steps
from policies.vocabulary import Vocabulary
from policies.words import NOBODY, Kind, RuleError, Stage, Surroundings, Target

VOCABULARY = Vocabulary(OfficialSchemas())
SURROUNDINGS = Surroundings(lambda: 0.0, lambda: 0.0, lambda: NOBODY, lambda _: False)
EVENT = Target(Stage.FROM_STATION, Kind.CALL, "ocpp2.0.1", "TransactionEvent")
ASKED = Target(Stage.FROM_BACKEND, Kind.CALL, "ocpp1.6", "GetConfiguration")
BOOT = Target(Stage.FROM_STATION, Kind.CALL, "ocpp2.0.1", "BootNotification")


def holds(path: str, target: Target, spec: Any, value: Any, *others: Target) -> bool:
    [field] = VOCABULARY.resolve(path, target)
    return compile_where(spec, field, (target, *others), target, VOCABULARY, ("where",))(value, SURROUNDINGS)


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("offline", ()),
        ("evse.id", ("evse",)),
        ("meterValue", ()),
        ("meterValue[]", ("meterValue", EACH)),
        ("meterValue[].timestamp", ("meterValue", EACH)),
        ("meterValue[].sampledValue", ("meterValue", EACH)),
        ("meterValue[].sampledValue[].unitOfMeasure.unit", ("meterValue", EACH, "sampledValue", EACH)),
    ],
)
def test_it_looks_at_the_innermost_element_or_the_object(path: str, steps: Steps) -> None:
    [field] = VOCABULARY.resolve(path, EVENT)

    assert selected_at(field) == steps


@pytest.mark.parametrize(
    ("path", "target", "spec", "value", "held"),
    [
        ("offline", EVENT, {"seqNo": {"one_of": [1]}}, {"seqNo": 1}, True),
        ("offline", EVENT, {"seqNo": {"one_of": [1]}}, {"seqNo": 2}, False),
        ("offline", EVENT, {"seqNo": {"one_of": [1]}}, {}, False),
        ("offline", EVENT, {"seqNo": {"present": False}}, {}, True),
        ("offline", EVENT, {"evse.id": {"range": {"min": 1}}, "seqNo": {"present": True}}, {"evse": {"id": 1}}, False),
        (
            "offline",
            EVENT,
            {"evse.id": {"range": {"min": 1}}, "seqNo": {"present": True}},
            {"evse": {"id": 1}, "seqNo": 1},
            True,
        ),
        (
            "meterValue[]",
            EVENT,
            {"sampledValue[].value": {"range": {"max": 1}}},
            {"sampledValue": [{"value": 9}, {"value": 0}]},
            True,
        ),
        ("key[]", ASKED, {".": {"like": ["auth*"]}}, "AuthorizationKey", True),
        ("key[]", ASKED, {".": {"like": ["auth*"]}}, "Heartbeat", False),
    ],
)
def test_all_of_it_must_hold(path: str, target: Target, spec: Any, value: Any, held: bool) -> None:
    assert holds(path, target, spec, value) is held


def test_a_field_that_another_action_has_is_not_there() -> None:
    spec = {"reason": {"one_of": ["PowerUp"]}}

    assert not holds("customData", EVENT, spec, {"reason": "PowerUp"}, BOOT)


@pytest.mark.parametrize(
    ("path", "spec", "words"),
    [
        ("offline", None, "mapping of fields to tests"),
        ("offline", {}, "mapping of fields to tests"),
        ("offline", {"seqNo": None}, "mapping of tests"),
        ("offline", {"seqNo": {}}, "mapping of tests"),
        ("offline", {"seqNo": {"path": "offline", "present": True}}, "mapping of tests"),
        ("offline", {"nothing": {"present": True}}, "no such field"),
        ("offline", {".": {"one_of": [True]}}, "must end in"),
        ("meterValue[].timestamp", {"seqNo": {"present": True}}, "no such field"),
    ],
)
def test_what_is_not_there_is_refused(path: str, spec: Any, words: str) -> None:
    with pytest.raises(RuleError, match=words):
        holds(path, EVENT, spec, {})
