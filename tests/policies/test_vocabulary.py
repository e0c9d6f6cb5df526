"""The vocabulary: which messages a rule is for, which fields they have, and what is said of those they don't."""

import re
from typing import Any

import pytest

from gateway.app.policy_schemas import OfficialSchemas
from policies.paths import EACH, WITHIN
from policies.rules import Match, Place, Rule
from policies.vocabulary import Field, Vocabulary
from policies.words import Effect, Kind, Mode, RuleError, Stage, Target

SCHEMAS = OfficialSchemas()
EVENT = Target(Stage.FROM_STATION, Kind.CALL, "ocpp2.0.1", "TransactionEvent")
METER_VALUES_16 = Target(Stage.TO_BACKEND, Kind.CALL, "ocpp1.6", "MeterValues")
DATA_TRANSFER = Target(Stage.FROM_STATION, Kind.CALL, "ocpp2.0.1", "DataTransfer")
ERROR = Target(Stage.FROM_STATION, Kind.ERROR, "ocpp1.6", "Reset")


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary(SCHEMAS)


def rule(*stages: Stage, **match: Any) -> Rule:
    place = Place("test.yaml", 1)
    return Rule("a-rule", "", stages, Match(**match), (), (), None, Effect.ALLOW, True, Mode.ENFORCE, place, {})


def test_a_rule_is_for_the_calls_that_its_match_names(vocabulary: Vocabulary) -> None:
    found = vocabulary.targets(rule(Stage.FROM_STATION, Stage.TO_BACKEND, actions=("MeterValues",)))

    assert found == (
        Target(Stage.FROM_STATION, Kind.CALL, "ocpp1.6", "MeterValues"),
        Target(Stage.FROM_STATION, Kind.CALL, "ocpp2.0.1", "MeterValues"),
        Target(Stage.TO_BACKEND, Kind.CALL, "ocpp1.6", "MeterValues"),
        Target(Stage.TO_BACKEND, Kind.CALL, "ocpp2.0.1", "MeterValues"),
    )


def test_kinds_and_globs(vocabulary: Vocabulary) -> None:
    found = vocabulary.targets(
        rule(Stage.TO_STATION, kinds=(Kind.CALL, Kind.ERROR), actions=("Res?t", "Reset"), protocols=("ocpp2.0.1",))
    )

    assert [(target.kind, target.action) for target in found] == [(Kind.CALL, "Reset"), (Kind.ERROR, "Reset")]


def test_what_is_excepted_is_left_out(vocabulary: Vocabulary) -> None:
    found = vocabulary.targets(rule(Stage.TO_STATION, actions=("*Firmware",), exceptions=("Publish*", "Un*")))

    assert {target.action for target in found} == {"SignedUpdateFirmware", "UpdateFirmware"} & SCHEMAS.actions(
        "ocpp1.6"
    )


def test_a_rule_without_a_match_is_for_every_action(vocabulary: Vocabulary) -> None:
    found = vocabulary.targets(rule(Stage.FROM_STATION))

    assert len(found) == sum(len(SCHEMAS.actions(protocol)) for protocol in SCHEMAS.protocols())


@pytest.mark.parametrize(
    ("match", "where", "complaint"),
    [
        (
            {"actions": ("Reset", "TransactionEvnt")},
            ("match", "action", 1),
            "no such action of ocpp1.6 or ocpp2.0.1: 'TransactionEvnt' (did you mean TransactionEvent?)",
        ),
        (
            {"actions": ("TransactionEvent",), "protocols": ("ocpp1.6",)},
            ("match", "action", 0),
            "no such action of ocpp1.6: 'TransactionEvent'",
        ),
        ({"actions": ("Foo*",)}, ("match", "action", 0), "'Foo*' matches no action of ocpp1.6 or ocpp2.0.1"),
        (
            {"actions": ("RESET",)},
            ("match", "action", 0),
            "no such action of ocpp1.6 or ocpp2.0.1: 'RESET' (did you mean",
        ),
        (
            {"protocols": ("ocpp16",)},
            ("match", "protocol", 0),
            "no such protocol: 'ocpp16' (did you mean ocpp1.6?)",
        ),
    ],
)
def test_what_a_rule_may_not_be_for(
    vocabulary: Vocabulary, match: dict[str, Any], where: tuple[str, ...], complaint: str
) -> None:
    with pytest.raises(RuleError, match=re.escape(complaint)) as refusal:
        vocabulary.targets(rule(Stage.FROM_STATION, **match))

    assert refusal.value.where == where


@pytest.mark.parametrize(
    ("path", "target", "found"),
    [
        ("timestamp", EVENT, Field(("timestamp",), "string", format="date-time", is_required=True)),
        (
            "transactionInfo.transactionId",
            EVENT,
            Field(("transactionInfo", "transactionId"), "string", 36, is_required=True),
        ),
        ("evse.id", EVENT, Field(("evse", "id"), "integer", is_required=True)),
        ("offline", EVENT, Field(("offline",), "boolean")),
        ("meterValue", EVENT, Field(("meterValue",), "array")),
        ("meterValue[]", EVENT, Field(("meterValue", EACH), "object")),
        (
            "meterValue[].sampledValue[].value",
            EVENT,
            Field(("meterValue", EACH, "sampledValue", EACH, "value"), "number", is_required=True),
        ),
        (
            "meterValue[].sampledValue[].value",
            METER_VALUES_16,
            Field(("meterValue", EACH, "sampledValue", EACH, "value"), "string", is_required=True),
        ),
        ("eventType", EVENT, Field(("eventType",), "string", None, ("Ended", "Started", "Updated"), is_required=True)),
        ("data", DATA_TRANSFER, Field(("data",), "any")),
        ("data.within[].it", DATA_TRANSFER, Field(("data", "within", EACH, "it"), "any")),
        ("customData.vendorId", EVENT, Field(("customData", "vendorId"), "string", 255, is_required=True)),
        ("customData.own", EVENT, Field(("customData", "own"), "any")),
        ("errorDescription", ERROR, Field(("errorDescription",), "string", 255, is_required=True)),
        ("errorDetails.own", ERROR, Field(("errorDetails", "own"), "any")),
    ],
)
def test_fields_are_as_their_schema_says(vocabulary: Vocabulary, path: str, target: Target, found: Field) -> None:
    assert vocabulary.resolve(path, target) == (found,)


@pytest.mark.parametrize(
    "path",
    [
        "nothing",
        "timestamp.x",
        "timestamp[]",
        "meterValue.timestamp",
        "customData.vendorId.x",
        "customData[]",
        "evse[].id",
    ],
)
def test_what_a_message_has_not_is_no_field(vocabulary: Vocabulary, path: str) -> None:
    assert vocabulary.resolve(path, EVENT) == ()


def test_error_codes_are_those_of_the_protocol(vocabulary: Vocabulary) -> None:
    (code,) = vocabulary.resolve("errorCode", ERROR)

    assert code.enum is not None
    assert set(code.enum) == SCHEMAS.errors("ocpp1.6")


def test_a_name_at_every_depth(vocabulary: Vocabulary) -> None:
    paths = [each.path for each in vocabulary.resolve("**.customData", EVENT)]

    assert "customData" in paths
    assert "meterValue[].sampledValue[].customData" in paths
    assert len(paths) == 9


def test_a_chain_at_every_depth(vocabulary: Vocabulary) -> None:
    assert [each.path for each in vocabulary.resolve("**.sampledValue[].value", EVENT)] == [
        "meterValue[].sampledValue[].value"
    ]


def test_every_free_text(vocabulary: Vocabulary) -> None:
    found = vocabulary.resolve("**", EVENT)
    paths = [each.path for each in found]

    assert "transactionInfo.transactionId" in paths
    assert "meterValue[].sampledValue[].unitOfMeasure.unit" in paths
    assert "customData.**" in paths
    assert not {"timestamp", "eventType", "seqNo", "customData", "customData.vendorId"} & set(paths)
    assert {each.type for each in found} == {"string"}


def test_free_texts_of_what_no_schema_describes(vocabulary: Vocabulary) -> None:
    assert [each.steps for each in vocabulary.resolve("**", ERROR)] == [("errorDescription",), ("errorDetails", WITHIN)]
    assert ("data", WITHIN) in [each.steps for each in vocabulary.resolve("**", DATA_TRANSFER)]


@pytest.mark.parametrize(
    ("path", "targets", "complaint"),
    [
        ("timestmp", (EVENT,), "no such field in TransactionEvent: timestmp (did you mean timestamp?)"),
        ("transactionId", (EVENT,), "(did you mean transactionInfo.transactionId?)"),
        ("meterValue.timestamp", (EVENT,), "(did you mean meterValue[].timestamp? `[]` stands behind a list"),
        ("idToken[].idToken", (EVENT,), "(did you mean idToken.idToken? `[]` stands behind a list"),
        ("zzz", (EVENT, METER_VALUES_16), "no such field in any action of the rule: zzz"),
        ("**.costumData", (EVENT,), "no such field in TransactionEvent: **.costumData (did you mean customData"),
        ("key[]x", (EVENT,), "`.` and a name, or `[]`, was expected at character 6"),
    ],
)
def test_a_field_that_is_nowhere(
    vocabulary: Vocabulary, path: str, targets: tuple[Target, ...], complaint: str
) -> None:
    with pytest.raises(RuleError, match=re.escape(complaint)) as refusal:
        vocabulary.require(path, targets, ("fields", 0, "path"))

    assert refusal.value.where == ("fields", 0, "path")


def test_a_message_without_any_text(vocabulary: Vocabulary) -> None:
    heartbeat = Target(Stage.FROM_STATION, Kind.CALL, "ocpp1.6", "Heartbeat")

    with pytest.raises(RuleError, match="no free text in Heartbeat"):
        vocabulary.require("**", (heartbeat,), ("path",))


def test_a_field_at_one_of_several_targets_is_enough(vocabulary: Vocabulary) -> None:
    vocabulary.require("connectorId", (EVENT, METER_VALUES_16), ("path",))


@pytest.mark.parametrize(
    ("path", "holder"),
    [
        ("timestamp", ()),
        ("idToken.idToken", ("idToken",)),
        ("meterValue[].timestamp", ("meterValue", EACH)),
        ("meterValue[].sampledValue[].unitOfMeasure.unit", ("meterValue", EACH, "sampledValue", EACH)),
        ("meterValue[].sampledValue", ("meterValue", EACH)),
    ],
)
def test_what_holds_a_field(vocabulary: Vocabulary, path: str, holder: tuple[Any, ...]) -> None:
    (found,) = vocabulary.resolve(path, EVENT)

    assert found.holder == holder


def test_fields_beneath_another(vocabulary: Vocabulary) -> None:
    sampled = ("meterValue", EACH, "sampledValue", EACH)

    assert vocabulary.beneath("unitOfMeasure.unit", EVENT, sampled, ("where",)) == (
        Field(("unitOfMeasure", "unit"), "string", 20),
    )
    assert vocabulary.beneath("timestamp", EVENT, sampled, ("where",)) == ()
    with pytest.raises(RuleError, match=r"no such field in TransactionEvent: measurnd \(did you mean measurand\?\)"):
        vocabulary.require("measurnd", (EVENT,), ("where",), sampled)
    with pytest.raises(RuleError, match="name the field"):
        vocabulary.beneath("**.value", EVENT, sampled, ("where",))


def test_every_message_can_be_read(vocabulary: Vocabulary) -> None:
    for target in vocabulary.targets(rule(*Stage, kinds=tuple(Kind))):
        for each in vocabulary.fields(target):
            assert vocabulary.resolve(each.path, target) == (each,)
