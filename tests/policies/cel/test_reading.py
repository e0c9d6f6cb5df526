"""Fetching: only what is named, as CEL wants it, and no more than was measured."""

from typing import Any

import pytest

from gateway.app.policy_schemas import OfficialSchemas
from policies.cel.binding import bind
from policies.cel.reading import ELEMENTS_MAX, OPEN_MAX, TEXT_MAX, reader_of
from policies.cel.syntax import parse
from policies.vocabulary import Vocabulary
from policies.words import Kind, RuleFailed, Stage, Target

WHEN = ("when",)
VOCABULARY = Vocabulary(OfficialSchemas())
ACTIONS = {"evse": "TransactionEvent", "meterValue": "TransactionEvent", "chargingProfile": "SetChargingProfile"}


def read(text: str, payload: dict[str, Any], action: str = "TransactionEvent", protocol: str = "ocpp2.0.1") -> object:
    target = Target(Stage.FROM_STATION, Kind.CALL, protocol, action)
    return reader_of(bind(parse(text, WHEN), [target], VOCABULARY, WHEN).payload)(payload)


METERS = [
    {"timestamp": "T", "sampledValue": [{"value": 1, "context": "Other"}]},
    {"timestamp": "U", "sampledValue": []},
]


@pytest.mark.parametrize(
    ("text", "payload", "values"),
    [
        ("payload.seqNo > 1", {"seqNo": 3, "other": 1}, {"v0": 3}),
        ("payload.seqNo > 1", {}, {}),
        ("payload.evse.id > 1", {}, {}),
        ("payload.evse.id > 1", {"evse": {}}, {}),
        ("payload.evse.id > 1", {"evse": {"id": 1}}, {"v0": 1}),
        ("has(payload.evse.id)", {}, {"v0": False}),
        ("has(payload.evse.id)", {"evse": {"id": 1}}, {"v0": True}),
        ("size(payload.meterValue) > 1", {"meterValue": METERS}, {"v0": 2}),
        ("size(payload.meterValue) > 1", {}, {}),
        ("payload.meterValue[1].timestamp == ''", {"meterValue": METERS}, {"v0": "U"}),
        ("payload.meterValue[2].timestamp == ''", {"meterValue": METERS}, {}),
        ("payload.meterValue.all(m, m.timestamp == '')", {"meterValue": METERS},
         {"v0": [{"v1": "T"}, {"v1": "U"}]}),
        ("payload.meterValue.all(m, m.sampledValue[0].value > 1.0)", {"meterValue": METERS}, {"v0": [{"v1": 1.0}, {}]}),
        ("payload.customData.x == 1", {"customData": {"x": None}}, {"v0": None}),
        ("payload.customData.x.y == 1", {"customData": {"x": "text"}}, {}),
    ],
)  # fmt: skip
def test_what_is_named(text: str, payload: dict[str, Any], values: dict[str, Any]) -> None:
    assert read(text, payload) == values


@pytest.mark.parametrize(("value", "kind"), [(5, float), (5.5, float)])
def test_numbers_are_doubles(value: float, kind: type) -> None:
    values = read(
        "payload.meterValue[0].sampledValue[0].value > 5.0", {"meterValue": [{"sampledValue": [{"value": value}]}]}
    )

    assert values == {"v0": value}
    assert isinstance(values, dict)
    assert type(values["v0"]) is kind


def test_integers_stay_integers() -> None:
    values = read("payload.seqNo > 1", {"seqNo": 3})

    assert isinstance(values, dict)
    assert type(values["v0"]) is int


def test_the_longest_list_and_one_more() -> None:
    text = "payload.meterValue.all(m, m.timestamp == '')"

    assert read(text, {"meterValue": METERS[:1] * ELEMENTS_MAX}) == {"v0": [{"v1": "T"}] * ELEMENTS_MAX}
    with pytest.raises(RuleFailed, match=r"payload\.meterValue has more than 100 elements: too many for a condition"):
        read(text, {"meterValue": METERS[:1] * (ELEMENTS_MAX + 1)})


def test_the_longest_list_of_texts_and_one_more() -> None:
    def keys(many: int) -> object:
        return read("payload.key.exists(k, k == 'a')", {"key": ["a"] * many}, "GetConfiguration", "ocpp1.6")

    assert keys(ELEMENTS_MAX) == {"v0": ["a"] * ELEMENTS_MAX}
    with pytest.raises(RuleFailed, match="more than 100 elements"):
        keys(ELEMENTS_MAX + 1)


def test_any_list_can_be_counted() -> None:
    assert read("size(payload.meterValue) > 1", {"meterValue": METERS * 1000}) == {"v0": 2000}


def test_the_longest_text_and_one_more() -> None:
    def data(characters: int) -> object:
        return read("payload.data == ''", {"data": "a" * characters}, "DataTransfer", "ocpp1.6")

    assert data(TEXT_MAX) == {"v0": "a" * TEXT_MAX}
    with pytest.raises(RuleFailed, match=r"payload\.data has more than 262144 characters"):
        data(TEXT_MAX + 1)


@pytest.mark.parametrize(
    "nested",
    [lambda n: [1] * n, lambda n: {str(i): 1 for i in range(n)}, lambda n: [[1]] * (n // 2)],
    ids=["list", "object", "lists"],
)
def test_the_most_of_what_no_schema_bounds_and_one_more(nested: Any) -> None:
    def data(many: int) -> object:
        return read("payload.data == 1", {"data": nested(many)}, "DataTransfer")

    assert data(OPEN_MAX - 1) == {"v0": nested(OPEN_MAX - 1)}
    with pytest.raises(RuleFailed, match=r"payload\.data has more than 100 values"):
        data(OPEN_MAX + 1)


def test_a_text_in_what_no_schema_bounds_is_bounded() -> None:
    with pytest.raises(RuleFailed, match="characters"):
        read("payload.data == 1", {"data": ["a" * (TEXT_MAX + 1)]}, "DataTransfer")
