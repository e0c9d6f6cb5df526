"""The largest message: as large as the schemas allow where a condition looks, and one that it can be evaluated on."""

from typing import Any

import pytest

from gateway.app.policy_schemas import OfficialSchemas
from policies.cel.binding import bind
from policies.cel.examples import largest
from policies.cel.reading import ELEMENTS_MAX, OPEN_MAX, TEXT_MAX, reader_of
from policies.cel.syntax import parse
from policies.vocabulary import Vocabulary
from policies.words import Kind, Stage, Target

WHEN = ("when",)
VOCABULARY = Vocabulary(OfficialSchemas())


def example(text: str, action: str = "TransactionEvent", protocol: str = "ocpp2.0.1", *, mixed: bool = False) -> Any:
    target = Target(Stage.FROM_STATION, Kind.CALL, protocol, action)
    record = bind(parse(text, WHEN), [target], VOCABULARY, WHEN).payload
    payload = largest(record, mixed=mixed)
    reader_of(record)(payload)  # nothing in it is too large to be read
    return payload


def test_a_list_of_objects_is_as_long_as_may_be_with_what_is_named_in_each() -> None:
    meters = example("payload.meterValue.all(m, m.sampledValue[0].value > 1.0)")["meterValue"]

    assert meters == [{"sampledValue": [{"value": 1.5}]}] * ELEMENTS_MAX


def test_a_list_is_no_longer_than_its_schema_allows() -> None:
    schedules = example(
        "payload.chargingProfile.chargingSchedule.all(s, s.id > 1)", "SetChargingProfile"
    )["chargingProfile"]["chargingSchedule"]  # fmt: skip

    assert schedules == [{"id": 1}] * 3


@pytest.mark.parametrize(
    "text", ["payload.meterValue[2].timestamp == ''", "payload.meterValue[2].timestamp.size() > 1"]
)
def test_a_place_in_a_list_is_filled(text: str) -> None:
    assert example(text)["meterValue"][2]["timestamp"].startswith("2026")


def test_a_list_and_a_place_in_it() -> None:
    text = "payload.meterValue[0].sampledValue[0].value > 1.0 && payload.meterValue.all(m, m.timestamp == '')"
    meters = example(text)["meterValue"]

    assert len(meters) == ELEMENTS_MAX
    assert meters[0]["sampledValue"] == [{"value": 1.5}]
    assert all("timestamp" in meter for meter in meters)


def test_a_list_that_is_counted_has_elements() -> None:
    assert len(example("size(payload.meterValue) > 1")["meterValue"]) == ELEMENTS_MAX


@pytest.mark.parametrize("mixed", [True, False])
def test_texts(mixed: bool) -> None:
    assert (
        len(example("payload.transactionInfo.transactionId == ''", mixed=mixed)["transactionInfo"]["transactionId"])
        == 36
    )
    data = example("payload.data == ''", "DataTransfer", "ocpp1.6", mixed=mixed)["data"]
    assert len(data) == TEXT_MAX
    assert (len(set(data)) > 10) is mixed


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("double(payload.data) > 1.0", "1.0"),
        ("int(payload.data) > 1", "1"),
        ("duration(payload.data) > duration('1s')", "1s"),
        ("timestamp(payload.data) > now", "2026-01-01T00:00:00.000Z"),
    ],
)
@pytest.mark.parametrize("protocol", ["ocpp1.6", "ocpp2.0.1"])
def test_a_text_that_is_read_as_something_is_one(text: str, value: str, protocol: str) -> None:
    assert example(text, "DataTransfer", protocol)["data"] == value


def test_one_of_the_words_that_a_field_may_have() -> None:
    assert example("payload.eventType == ''")["eventType"] in {"Started", "Updated", "Ended"}


def test_what_no_schema_bounds() -> None:
    assert len(example("payload.data == 1", "DataTransfer")["data"]) == OPEN_MAX - 1


def test_presence_of_something_within_something() -> None:
    text = "has(payload.evse) && has(payload.evse.id) && payload.evse.id > 1 && payload.evse.connectorId > 1"

    assert example(text)["evse"] == {"id": 1, "connectorId": 1}
