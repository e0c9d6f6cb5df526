"""Entries of fields and any: path and tests, against the messages of the official schemas."""

import re
from typing import Any

import pytest

from gateway.app.policy_schemas import OfficialSchemas
from policies.matchers import FieldCheck, compile_field
from policies.paths import EACH
from policies.vocabulary import Vocabulary
from policies.words import Kind, RuleError, Stage, Surroundings, Target

VOCABULARY = Vocabulary(OfficialSchemas())
EVENT = Target(Stage.FROM_STATION, Kind.CALL, "ocpp2.0.1", "TransactionEvent")
METER_VALUES = Target(Stage.FROM_STATION, Kind.CALL, "ocpp1.6", "MeterValues")
HEARTBEAT = Target(Stage.FROM_STATION, Kind.CALL, "ocpp1.6", "Heartbeat")
DATA_TRANSFER = Target(Stage.FROM_STATION, Kind.CALL, "ocpp2.0.1", "DataTransfer")
ERROR = Target(Stage.FROM_STATION, Kind.ERROR, "ocpp1.6", "Reset")

PAYLOAD = {
    "eventType": "Started",
    "timestamp": "2027-01-15T08:00:00Z",
    "seqNo": 0,
    "transactionInfo": {"transactionId": "mine"},
    "idToken": {"idToken": "04A1", "type": "ISO14443", "customData": {"vendorId": "x", "note": "a\x1bb"}},
    "meterValue": [
        {"timestamp": "2027-01-15T08:00:00Z", "sampledValue": [{"value": 5}, {"value": 50, "phase": "L1"}]},
    ],
}


def check(entry: dict[str, Any], target: Target = EVENT) -> FieldCheck:
    return compile_field(entry, (target,), target, VOCABULARY, ("fields", 0))


@pytest.mark.parametrize(
    ("entry", "does"),
    [
        ({"path": "seqNo", "present": True}, True),
        ({"path": "seqNo", "present": False}, False),
        ({"path": "offline", "present": True}, False),
        ({"path": "offline", "present": False}, True),
        ({"path": "offline", "one_of": [True]}, False),
        ({"path": "offline", "not": {"one_of": [True]}}, False),
        ({"path": "seqNo", "range": {"max": 0}}, True),
        ({"path": "seqNo", "present": True, "range": {"min": 1}}, False),
        ({"path": "meterValue[].sampledValue[].value", "range": {"above": 40}}, True),
        ({"path": "meterValue[].sampledValue[].value", "not": {"range": {"above": 40}}}, True),
        ({"path": "meterValue[].sampledValue[].value", "range": {"above": 50}}, False),
        ({"path": "meterValue[].sampledValue[].phase", "present": True}, True),
        ({"path": "meterValue[].sampledValue[].location", "present": False}, True),
        ({"path": "meterValue[].sampledValue", "length": {"max": 1}}, False),
        ({"path": "**.customData", "present": True}, True),
        ({"path": "**", "not": {"text": "printable"}}, True),
        ({"path": "**", "pattern": "^note$"}, True),
        ({"path": ["offline", "seqNo"], "present": True}, True),
        ({"path": ["offline", "seqNo"], "present": False}, False),
        ({"path": ["offline", "evse"], "present": False}, True),
        ({"path": ["idToken.idToken", "transactionInfo.transactionId"], "like": "04*"}, True),
        ({"path": "transactionInfo.transactionId", "owned": True}, True),
        ({"path": "timestamp", "timestamp": {"past": 0, "future": 0}}, True),
        ({"path": "idToken.customData.note", "text": "printable"}, False),
        ({"path": "idToken.customData.note", "not": {"text": "printable"}}, True),
        ({"path": "idToken.customData.note.deeper", "present": False}, True),
    ],
)
def test_entries(surroundings: Surroundings, entry: dict[str, Any], does: bool) -> None:
    assert check(entry).holds(PAYLOAD, surroundings) is does


def test_where_a_message_has_no_such_field_only_its_absence_holds(surroundings: Surroundings) -> None:
    targets = (EVENT, HEARTBEAT)
    there, absent = (
        compile_field({"path": "timestamp", **test}, targets, HEARTBEAT, VOCABULARY, ())
        for test in ({"not": {"timestamp": {"past": 5}}}, {"present": False})
    )

    assert (there.can_hold, there.holds({}, surroundings)) == (False, False)
    assert (absent.can_hold, absent.holds({}, surroundings)) == (True, True)


def test_a_path_may_be_a_list_in_which_one_exists(surroundings: Surroundings) -> None:
    entry = {"path": ["connectorId", "evse.id"], "range": {"min": 5}}
    targets = (EVENT, METER_VALUES)

    assert compile_field(entry, targets, EVENT, VOCABULARY, ()).holds({"evse": {"id": 5}}, surroundings)
    assert compile_field(entry, targets, METER_VALUES, VOCABULARY, ()).holds({"connectorId": 6}, surroundings)


def test_callerrors_and_data_have_fields_too(surroundings: Surroundings) -> None:
    error = {"errorCode": "GenericError", "errorDescription": "a\nb", "errorDetails": {}}

    assert check({"path": "errorDescription", "not": {"text": "printable"}}, ERROR).holds(error, surroundings)
    assert check({"path": "errorCode", "one_of": ["GenericError"]}, ERROR).holds(error, surroundings)
    assert check({"path": "data", "not": {"text": "printable"}}, DATA_TRANSFER).holds({"data": 5}, surroundings)
    assert not check({"path": "**", "not": {"text": "printable"}}, DATA_TRANSFER).holds({"data": 5}, surroundings)


def test_rules_that_ask_the_same_of_fields_of_one_kind_share_the_test() -> None:
    entry = {"path": ["timestamp", "meterValue[].timestamp"], "not": {"timestamp": {"past": 5}}}
    first, second = (check(entry).leaves for _ in range(2))
    [other] = check({"path": "timestamp", "not": {"timestamp": {"past": 6}}}).leaves

    assert len({leaf.predicate for leaf in (*first, *second)}) == 1
    assert other.predicate is not first[0].predicate


def test_the_same_words_for_another_kind_of_field_are_another_test(surroundings: Surroundings) -> None:
    test = {"range": {"min": 1}}
    value = "meterValue[].sampledValue[].value"
    number, text = check({"path": value, **test}), check({"path": value, **test}, METER_VALUES)

    assert number.holds({"meterValue": [{"sampledValue": [{"value": 1}]}]}, surroundings)
    assert text.holds({"meterValue": [{"sampledValue": [{"value": "1"}]}]}, surroundings)


def test_an_entry_beneath_a_list(surroundings: Surroundings) -> None:
    below = ("meterValue", EACH, "sampledValue", EACH)
    entries = ({"path": "measurand", "present": False}, {"path": "unitOfMeasure.unit", "one_of": ["Wh"]})
    absent, unit = (compile_field(entry, (EVENT,), EVENT, VOCABULARY, ("where",), below) for entry in entries)

    assert absent.holds({"value": 5}, surroundings)
    assert not absent.holds({"value": 5, "measurand": "Voltage"}, surroundings)
    assert unit.holds({"value": 5, "unitOfMeasure": {"unit": "Wh"}}, surroundings)


@pytest.mark.parametrize(
    ("entry", "where", "complaint"),
    [
        ({"text": "printable"}, (), "an entry needs a `path`"),
        ({"path": "seqNo"}, (), "an entry needs a test beside `path`"),
        ({"path": 5, "present": True}, ("path",), "must be a text, not 5"),
        ({"path": [], "present": True}, ("path",), "must be a list of texts that isn't empty"),
        (
            {"path": ["seqNo", "seqN"], "present": True},
            ("path", 1),
            "no such field in TransactionEvent: seqN (did you mean seqNo?)",
        ),
        ({"path": "a..b", "present": True}, ("path",), "a field's name was expected at character 3"),
        ({"path": "seqNo", "present": "yes"}, ("present",), "must be true or false, not 'yes'"),
        ({"path": "seqNo", "present": False, "range": {"min": 0}}, ("present",), "`present: false` stands alone"),
        (
            {"path": "seqNo", "text": "printable"},
            ("text",),
            "`text` is for texts, and seqNo is an integer (in TransactionEvent of ocpp2.0.1)",
        ),
        ({"path": "eventType", "one_of": ["Start"]}, ("one_of", 0), "'Start' can't be there (did you mean Started?)"),
        ({"path": "**", "range": {"minimum": 0}}, ("range", "minimum"), "unknown key 'minimum'"),
        ({"path": "meterValue", "register": {}, "length": {"max": 5}}, ("register",), "`register` stands alone"),
        ({"path": "meterValue", "not": {"register": {}, "length": {"max": 5}}}, ("not", "register"), "stands alone"),
        ({"path": "meterValue", "not": 5}, ("not",), "must be a mapping of tests"),
    ],
)
def test_what_is_no_entry(entry: dict[str, Any], where: tuple[Any, ...], complaint: str) -> None:
    with pytest.raises(RuleError, match=re.escape(complaint)) as refusal:
        check(entry)

    assert refusal.value.where == ("fields", 0, *where)
