"""Whether a value that a rule writes fits its field: as the official schema says, part by part."""

from typing import Any

import pytest

from gateway.app.policy_schemas import OfficialSchemas
from policies.edits.fitting import check_fits
from policies.vocabulary import Vocabulary
from policies.words import Kind, RuleError, Stage, Target

VOCABULARY = Vocabulary(OfficialSchemas())


def fit(action: str, protocol: str, path: str, value: Any) -> None:
    target = Target(Stage.FROM_BACKEND, Kind.CALL, protocol, action)
    [field] = VOCABULARY.resolve(path, target)
    check_fits(value, field, target, VOCABULARY, ("to",))


@pytest.mark.parametrize(
    ("action", "protocol", "path", "value"),
    [
        ("Reset", "ocpp1.6", "type", "Soft"),
        ("GetConfiguration", "ocpp1.6", "key", []),
        ("GetConfiguration", "ocpp1.6", "key[]", "x" * 50),
        ("UpdateFirmware", "ocpp1.6", "location", "https://example.com/x"),
        ("UpdateFirmware", "ocpp1.6", "retrieveDate", "2026-01-01T00:00:00Z"),
        ("SetVariables", "ocpp2.0.1", "setVariableData[].variable", {"name": "X"}),
        ("DataTransfer", "ocpp2.0.1", "data", {"a": [1, True]}),
        ("DataTransfer", "ocpp2.0.1", "customData", {"vendorId": "v", "more": {"a": [1]}}),
        ("DataTransfer", "ocpp2.0.1", "customData.more.a", 5),
    ],
)
def test_what_the_schema_takes_fits(action: str, protocol: str, path: str, value: Any) -> None:
    fit(action, protocol, path, value)


@pytest.mark.parametrize(
    ("action", "protocol", "path", "value", "where", "words"),
    [
        ("Reset", "ocpp1.6", "type", "Warm", (), r"does not fit type of Reset \(ocpp1.6\)"),
        ("GetConfiguration", "ocpp1.6", "key", ["x" * 51], (0,), "does not fit key"),
        ("GetConfiguration", "ocpp1.6", "key", "x", (), "does not fit key"),
        ("UpdateFirmware", "ocpp1.6", "location", "not an address", (), "does not fit location"),
        ("UpdateFirmware", "ocpp1.6", "retries", "3", (), "does not fit retries"),
        ("SetVariables", "ocpp2.0.1", "setVariableData", [], (), "does not fit setVariableData"),
        ("SetVariables", "ocpp2.0.1", "setVariableData[].variable", {}, (), "needs the field name"),
        ("SetVariables", "ocpp2.0.1", "setVariableData[].variable", {"name": 5}, ("name",), "variable.name"),
        ("SetVariables", "ocpp2.0.1", "setVariableData[].variable", {"name": "a", "x": 1}, ("x",), "no such field"),
        ("DataTransfer", "ocpp2.0.1", "customData", {"vendorId": 5}, ("vendorId",), "does not fit"),
    ],
)
def test_what_it_does_not_take_is_refused_at_its_place(
    action: str, protocol: str, path: str, value: Any, where: tuple[str | int, ...], words: str
) -> None:
    with pytest.raises(RuleError, match=words) as refused:
        fit(action, protocol, path, value)

    assert refused.value.where == ("to", *where)
