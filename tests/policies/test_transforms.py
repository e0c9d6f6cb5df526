"""Transforms: what becomes of a message, what is shared with the one that came, and what is refused at load."""

import copy
import hashlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.app.policy_schemas import OfficialSchemas
from policies.transforms import STEPS_MAX, compile_transform
from policies.vocabulary import Vocabulary
from policies.words import NOBODY, Kind, RuleError, RuleFailed, Stage, Surroundings, Target

SCHEMAS = OfficialSchemas()
VOCABULARY = Vocabulary(SCHEMAS)
NOW = 1_790_000_000.0
SURROUNDINGS = Surroundings(lambda: NOW, lambda: 0.0, lambda: NOBODY, lambda _: False)


def target(action: str, protocol: str = "ocpp2.0.1", kind: Kind = Kind.CALL) -> Target:
    return Target(Stage.FROM_STATION, kind, protocol, action)


EVENT = target("TransactionEvent")
METERS = target("MeterValues", "ocpp1.6")
BOOT = target("BootNotification")


def after(payload: dict[str, Any], of: Target, *steps: dict[str, Any]) -> dict[str, Any]:
    """Return what becomes of ``payload``; what came must be as it was."""
    before = copy.deepcopy(payload)
    result = compile_transform(list(steps), of, VOCABULARY, ("transform",)).apply(payload, SURROUNDINGS)
    assert payload == before
    return result


def refusal(of: Target, *steps: Any, targets: tuple[Target, ...] = ()) -> RuleError:
    with pytest.raises(RuleError) as refused:
        compile_transform(list(steps), of, VOCABULARY, ("transform",), targets)
    return refused.value


def event(**more: Any) -> dict[str, Any]:
    return {
        "eventType": "Updated",
        "timestamp": "2026-09-21T14:13:20Z",
        "triggerReason": "MeterValuePeriodic",
        "seqNo": 3,
        "transactionInfo": {"transactionId": "T1"},
        **more,
    }


def meters(*values: dict[str, Any]) -> dict[str, Any]:
    return {
        "connectorId": 1,
        "meterValue": [
            {"timestamp": "2026-09-21T14:13:20Z", "sampledValue": [{"value": "1"}]},
            {"timestamp": "2026-09-21T14:14:20Z", "sampledValue": list(values)},
        ],
    }


class TestDrop:
    def test_a_field_goes(self) -> None:
        assert after(event(offline=True, cableMaxCurrent=3), EVENT, {"drop": ["offline", "cableMaxCurrent"]}) == event()

    def test_every_field_of_an_object_may_go(self) -> None:
        info = {"vendorName": "V", "model": "M", "modem": {"iccid": "1", "imsi": "2"}}

        result = after(
            {"reason": "PowerUp", "chargingStation": info},
            BOOT,
            {"drop": ["chargingStation.modem.iccid", "chargingStation.modem.imsi"]},
        )

        assert result["chargingStation"]["modem"] == {}

    def test_it_goes_at_every_depth(self) -> None:
        extra = {"customData": {"vendorId": "x"}}
        rich = event(
            **extra,
            evse={"id": 1, **extra},
            meterValue=[{"timestamp": "t", **extra, "sampledValue": [{"value": 1, **extra}, {"value": 2}]}],
        )

        assert after(rich, EVENT, {"drop": "**.customData"}) == event(
            evse={"id": 1}, meterValue=[{"timestamp": "t", "sampledValue": [{"value": 1}, {"value": 2}]}]
        )

    def test_elements_go_where_it_says(self) -> None:
        step = {"drop": "meterValue[].sampledValue[]", "where": {"measurand": {"one_of": ["Temperature"]}}}
        hot, energy = {"value": "80", "measurand": "Temperature"}, {"value": "5"}

        assert after(meters(hot, energy, hot), METERS, step) == meters(energy)

    def test_a_list_falls_with_its_last_element_where_it_may_not_be_empty(self) -> None:
        step = {
            "drop": "meterValue[]",
            "where": {"timestamp": {"timestamp": {"past": 60}}, "sampledValue": {"present": True}},
        }
        late = {"timestamp": "2026-09-21T14:13:20Z", "sampledValue": [{"value": 1}]}
        early = {**late, "timestamp": "2020-01-01T00:00:00Z"}

        assert after(event(meterValue=[late, early]), EVENT, step) == event(meterValue=[early])
        assert after(event(meterValue=[late]), EVENT, step) == event()

    def test_a_list_that_may_be_empty_stays(self) -> None:
        step = {"drop": "configurationKey[]", "where": {"key": {"one_of": ["AuthorizationKey"]}}}
        secret = {"key": "AuthorizationKey", "readonly": False, "value": "x"}
        asked = target("GetConfiguration", "ocpp1.6", Kind.RESULT)

        assert after({"configurationKey": [secret]}, asked, step) == {"configurationKey": []}

    def test_elements_that_are_no_objects_are_named_by_a_dot(self) -> None:
        step = {"drop": "key[]", "where": {".": {"one_of": ["AuthorizationKey"]}}}
        asked = target("GetConfiguration", "ocpp1.6")

        assert after({"key": ["A", "AuthorizationKey"]}, asked, step) == {"key": ["A"]}

    def test_what_is_required_can_not_be_dropped(self) -> None:
        fault = refusal(EVENT, {"drop": "transactionInfo.transactionId"})

        assert "transactionInfo.transactionId is required in TransactionEvent of ocpp2.0.1" in str(fault)
        assert fault.where == ("transform", 0, "drop")

    def test_unless_what_holds_it_is_dropped_as_well(self) -> None:
        steps = ({"drop": "idToken.idToken"}, {"drop": "idToken"})

        assert after(event(idToken={"idToken": "A", "type": "Central"}), EVENT, *steps) == event()
        assert "is required" in str(refusal(EVENT, steps[0], {**steps[1], "where": {"offline": {"present": True}}}))


class TestSet:
    def test_a_field_is_replaced_or_made(self) -> None:
        step = {"set": "offline", "to": False}

        assert after(event(offline=True), EVENT, step) == event(offline=False)
        assert after(event(), EVENT, step) == event(offline=False)

    def test_no_object_is_made_to_hold_it(self) -> None:
        payload = event()

        assert after(payload, EVENT, {"set": "evse.connectorId", "to": 1}) is payload

    def test_at_every_depth_only_what_is_there_is_replaced(self) -> None:
        assert after(event(evse={"id": 1}), EVENT, {"set": "**.connectorId", "to": 1}) == event(evse={"id": 1})
        assert after(event(evse={"id": 1, "connectorId": 2}), EVENT, {"set": "**.connectorId", "to": 1}) == event(
            evse={"id": 1, "connectorId": 1}
        )

    def test_it_is_set_in_the_elements_that_it_says(self) -> None:
        step = {"set": "meterValue[].sampledValue[].value", "to": "0", "where": {"measurand": {"present": False}}}

        result = after(meters({"value": "5"}, {"value": "6", "measurand": "Temperature"}), METERS, step)

        assert [each["value"] for each in result["meterValue"][1]["sampledValue"]] == ["0", "6"]

    def test_where_looks_at_the_payload_when_that_holds_the_field(self) -> None:
        step = {"set": "offline", "to": True, "where": {"seqNo": {"range": {"min": 3}}}}

        assert after(event(), EVENT, step) == event(offline=True)
        assert after(event(seqNo=2), EVENT, step) == event(seqNo=2)

    def test_elements_are_set_and_none_is_made(self) -> None:
        asked = target("GetConfiguration", "ocpp1.6")

        assert after({"key": ["A", "B"]}, asked, {"set": "key[]", "to": "C"}) == {"key": ["C", "C"]}
        assert after({"key": []}, asked, {"set": "key[]", "to": "C"}) == {"key": []}

    def test_a_value_of_parts_is_a_new_one_each_time(self) -> None:
        transform = compile_transform(
            [{"set": "evse", "to": {"id": 1, "customData": {"vendorId": "v", "any": [1]}}}], EVENT, VOCABULARY, ()
        )

        first = transform.apply(event(), SURROUNDINGS)
        first["evse"]["customData"]["any"].append(2)

        assert transform.apply(event(), SURROUNDINGS)["evse"] == {"id": 1, "customData": {"vendorId": "v", "any": [1]}}

    def test_it_may_be_the_time(self) -> None:
        assert after(event(), EVENT, {"set": "timestamp", "to": "$now"})["timestamp"] == "2026-09-21T14:13:20.000Z"

    @pytest.mark.parametrize(
        ("path", "value", "words"),
        [
            ("offline", "yes", "does not fit offline of TransactionEvent"),
            ("offline", 1, "does not fit offline"),
            ("seqNo", True, "does not fit seqNo"),
            ("seqNo", 1.5, "does not fit seqNo"),
            ("eventType", "Stopped", "does not fit eventType"),
            ("timestamp", "today", "does not fit timestamp"),
            ("transactionInfo.transactionId", "x" * 37, "does not fit transactionInfo.transactionId"),
            ("evse", {}, "evse needs the field id"),
            ("evse", {"id": "1"}, "does not fit evse.id"),
            ("evse", {"id": 1, "x": 1}, "no such field in evse; it has connectorId"),
            ("evse", [], "does not fit evse"),
            ("meterValue", [], "does not fit meterValue"),
            (
                "meterValue",
                [{"timestamp": "$now", "sampledValue": [{"value": "1"}]}],
                "meterValue\\[\\].sampledValue\\[\\].value",
            ),
            ("customData", {"vendorId": "v", "x": None}, "not null"),
        ],
    )
    def test_what_could_never_fit_is_refused(self, path: str, value: Any, words: str) -> None:
        fault = refusal(EVENT, {"set": path, "to": value})

        assert fault.where[:3] == ("transform", 0, "to")
        with pytest.raises(RuleError, match=words):
            raise fault

    def test_without_a_value_it_is_refused(self) -> None:
        assert "`to` is missing" in str(refusal(EVENT, {"set": "offline"}))


class TestOtherEffects:
    def test_texts_and_lists_are_cut(self) -> None:
        long = meters({"value": "1", "format": "Raw"}, {"value": "22"})

        assert after(long, METERS, {"truncate": "meterValue[].sampledValue", "to": 1}) == meters(
            {"value": "1", "format": "Raw"}
        )
        assert after(long, METERS, {"truncate": "meterValue[].sampledValue[].value", "to": 1}) == meters(
            {"value": "1", "format": "Raw"}, {"value": "2"}
        )

    def test_a_list_is_cut_after_its_elements_were(self) -> None:
        step = {"truncate": ["key", "key[]"], "to": 2}

        assert after({"key": ["abc", "d", "e"]}, target("GetConfiguration", "ocpp1.6"), step) == {"key": ["ab", "d"]}

    def test_all_free_text_is_redacted_also_where_no_schema_looks(self) -> None:
        pan = "4111111111111111"
        payload = {"vendorId": pan, "messageId": "m", "data": {"a": [pan, 1, {"b": f"x {pan}"}], pan: True}}

        assert after(payload, target("DataTransfer"), {"redact": "**", "pattern": r"\d{13,19}"}) == {
            "vendorId": "***",
            "messageId": "m",
            "data": {"a": ["***", 1, {"b": "x ***"}], pan: True},
        }

    def test_each_message_is_searched_anew(self) -> None:
        transform = compile_transform([{"redact": "**", "pattern": "[a-z]+!"}], target("DataTransfer"), VOCABULARY, ())
        payload = {"vendorId": "v", "data": ["x" * 1000] * 3}

        for _ in range(3):
            assert transform.apply(payload, SURROUNDINGS) is payload
        much = transform.apply({"vendorId": "v", "data": ["x" * 1000] * 5}, SURROUNDINGS)
        assert much == {"vendorId": "***", "data": [*["x" * 1000] * 4, "***"]}

    def test_what_is_not_found_leaves_the_very_same_object(self) -> None:
        payload = {"vendorId": "v", "data": {"a": ["b", {"c": 1}]}}

        assert after(payload, target("DataTransfer"), {"redact": "**", "pattern": r"\d{13,19}"}) is payload

    def test_a_token_is_hashed_to_what_fits(self) -> None:
        result = after({"idTag": "A"}, target("Authorize", "ocpp1.6"), {"hash": "idTag"})

        assert result == {"idTag": hashlib.sha256(b"A").hexdigest()[:20]}

    def test_numbers_are_clamped_and_texts_keep_their_form(self) -> None:
        step = {"clamp": "meterValue[].sampledValue[].value", "min": 0, "max": 100}

        result = after(meters({"value": "120.50"}, {"value": "-3"}, {"value": "x"}), METERS, step)

        assert [each["value"] for each in result["meterValue"][1]["sampledValue"]] == ["100.00", "0", "x"]

    def test_times_are_clamped_to_now(self) -> None:
        step = {"clamp": "timestamp", "past": 60, "future": 30}

        assert after(event(timestamp="1999-01-01T00:00:00Z"), EVENT, step) == event(
            timestamp="2026-09-21T14:12:20.000Z"
        )
        assert after(event(timestamp="2099-01-01T00:00:00Z"), EVENT, step) == event(
            timestamp="2026-09-21T14:13:50.000Z"
        )

    def test_words_are_mapped(self) -> None:
        step = {"map": "triggerReason", "table": {"MeterValuePeriodic": "MeterValueClock"}, "other": "Trigger"}

        assert after(event(), EVENT, step)["triggerReason"] == "MeterValueClock"
        assert after(event(triggerReason="Deauthorized"), EVENT, step)["triggerReason"] == "Trigger"

    @pytest.mark.parametrize(
        ("table", "other", "words"),
        [
            ({"MeterValuePeriodic": "Clock"}, {}, "does not fit triggerReason"),
            ({"Trigger": "MeterValueClock"}, {"other": 5}, "does not fit triggerReason"),
            ({"Tigger": "Trigger"}, {}, "triggerReason is never 'Tigger'"),
        ],
    )
    def test_words_that_do_not_fit_are_refused(self, table: Any, other: dict[str, Any], words: str) -> None:
        assert words in str(refusal(EVENT, {"map": "triggerReason", "table": table, **other}))


def test_steps_are_taken_one_after_the_other() -> None:
    steps = ({"set": "offline", "to": True}, {"drop": "offline", "where": {"offline": {"one_of": [True]}}})

    assert after(event(offline=False), EVENT, *steps) == event()


def test_what_is_not_changed_is_shared() -> None:
    payload = meters({"value": "1"}, {"value": "200"})

    result = after(payload, METERS, {"clamp": "meterValue[].sampledValue[].value", "max": 100})

    assert result is not payload
    assert result["meterValue"][0] is payload["meterValue"][0]
    assert result["meterValue"][1]["sampledValue"][0] is payload["meterValue"][1]["sampledValue"][0]
    assert result["meterValue"][1]["sampledValue"][1] == {"value": "100"}


def test_a_step_whose_path_another_action_has_is_left_out() -> None:
    transform = compile_transform([{"drop": "offline"}], BOOT, VOCABULARY, (), (EVENT, BOOT))

    assert transform.branches == ()


def test_a_failure_says_no_value() -> None:
    transform = compile_transform([{"hash": "data"}], target("DataTransfer"), VOCABULARY, ())

    with pytest.raises(RuleFailed, match=r"^the value to be hashed is no text$"):
        transform.apply({"vendorId": "v", "data": 5}, SURROUNDINGS)


@pytest.mark.parametrize(
    ("step", "where", "words"),
    [
        ("drop", (), "must be a mapping"),
        ({}, (), "exactly one of drop, set"),
        ({"drop": "offline", "set": "offline", "to": 1}, (), "exactly one"),
        ({"drop": "offline", "to": 1}, ("to",), "unknown key 'to' of drop; known: where"),
        ({"drop": 5}, ("drop",), "a path or a list of paths"),
        ({"drop": []}, ("drop",), "a path or a list of paths"),
        ({"drop": ["offline", 5]}, ("drop",), "a path or a list of paths"),
        ({"drop": "ofline"}, ("drop",), "did you mean offline"),
        ({"drop": ["offline", "ofline"]}, ("drop",), "did you mean offline"),
        ({"drop": "meterValue.timestamp"}, ("drop",), "did you mean meterValue[].timestamp"),
        ({"drop": "a..b"}, ("drop",), "was expected at character 3"),
        ({"drop": "**"}, ("drop",), "is required|name the fields"),
        ({"drop": "offline", "where": {}}, ("where",), "mapping of fields to tests"),
        ({"drop": "offline", "where": ["seqNo"]}, ("where",), "mapping of fields to tests"),
        ({"drop": "offline", "where": {"seqNo": 3}}, ("where", "seqNo"), "mapping of tests"),
        ({"drop": "offline", "where": {"seqN": {"present": True}}}, ("where", "seqN", "path"), "no such field"),
        ({"drop": "offline", "where": {"seqNo": {"one_of": ["x"]}}}, ("where", "seqNo", "one_of", 0), "seqNo is"),
        ({"drop": "offline", "where": {".": {"present": True}}}, ("where", "."), "must end in `[]`"),
        ({"drop": "offline", "where": {"seqNo": {"present": "yes"}}}, ("where", "seqNo", "present"), "true or false"),
        (
            {"drop": "offline", "where": {"seqNo": {"present": False, "one_of": [1]}}},
            ("where", "seqNo", "present"),
            "stands alone",
        ),
    ],
)
def test_a_step_that_says_nothing_possible_is_refused_at_its_place(
    step: Any, where: tuple[Any, ...], words: str
) -> None:
    fault = refusal(EVENT, step)

    assert fault.where == ("transform", 0, *where)
    assert any(each in str(fault) for each in words.split("|")), str(fault)


@pytest.mark.parametrize("steps", [None, {}, [], "drop", [{"drop": "offline"}] * (STEPS_MAX + 1)])
def test_a_transform_has_steps(steps: Any) -> None:
    with pytest.raises(RuleError, match="must be a list of 1 to"):
        compile_transform(steps, EVENT, VOCABULARY, ("transform",))


STEPS = st.sampled_from(
    [
        {"drop": "**.customData"},
        {"drop": "meterValue[].sampledValue[]", "where": {"value": {"range": {"above": 10}}}},
        {"drop": ["evse", "offline"]},
        {"drop": "meterValue[]", "where": {"sampledValue[].context": {"present": True}}},
        {"set": "transactionInfo.chargingState", "to": "Idle"},
        {"set": "evse", "to": {"id": 7}},
        {"truncate": "meterValue", "to": 1},
        {"truncate": "**", "to": 2},
        {"redact": "**", "with": "-"},
        {"redact": "**", "pattern": "[ab]+"},
        {"hash": "transactionInfo.transactionId"},
        {"clamp": "**.value", "min": 0, "max": 5},
        {"clamp": "**.timestamp", "past": 10, "future": 10},
        {"map": "eventType", "table": {"Updated": "Ended"}},
    ]
)
CUSTOM = st.fixed_dictionaries(
    {"vendorId": st.text("abc", max_size=3)}, optional={"x": st.lists(st.text("ab", max_size=3))}
)
SAMPLED = st.fixed_dictionaries(
    {"value": st.floats(-20, 20)}, optional={"context": st.just("Trigger"), "customData": CUSTOM}
)
METER_VALUE = st.fixed_dictionaries(
    {
        "timestamp": st.sampled_from(["2026-09-21T14:13:20Z", "1990-01-01T00:00:00", "2200-01-01T00:00:00+01:00"]),
        "sampledValue": st.lists(SAMPLED, min_size=1, max_size=3),
    },
    optional={"customData": CUSTOM},
)
EVENTS = st.fixed_dictionaries(
    {key: st.just(value) for key, value in event().items()},
    optional={
        "offline": st.booleans(),
        "evse": st.fixed_dictionaries({"id": st.integers(0, 3)}, optional={"customData": CUSTOM}),
        "meterValue": st.lists(METER_VALUE, min_size=1, max_size=3),
        "customData": CUSTOM,
    },
)


@settings(deadline=None)
@given(EVENTS, st.lists(STEPS, min_size=1, max_size=4))
def test_the_message_that_came_is_never_changed(payload: dict[str, Any], steps: list[dict[str, Any]]) -> None:
    transform = compile_transform(steps, EVENT, VOCABULARY, ())
    before = copy.deepcopy(payload)

    result = transform.apply(payload, SURROUNDINGS)

    assert payload == before
    if result == before:
        assert result is payload


def test_each_step_that_is_wrong_is_told() -> None:
    first = refusal(
        BOOT, {"drop": "nothing"}, {"drop": "customData"}, {"hash": "nobody"}, {"clamp": "reason", "min": 1}
    )

    assert [each.where for each in (first, *first.further)] == [
        ("transform", 0, "drop"),
        ("transform", 2, "hash"),
        ("transform", 3),
    ]
