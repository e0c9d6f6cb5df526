"""Every official schema of both versions: what fits passes, and each kind of violation gets the code of the table."""

import copy
import importlib.resources
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.schemas import Schema, operation, operations
from gateway.wire.versions import Version

V16, V201 = Version.V16, Version.V201
FORMAT = ErrorCode.FORMAT_VIOLATION
OCCURRENCE = ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION
PROPERTY = ErrorCode.PROPERTY_CONSTRAINT_VIOLATION
TYPE = ErrorCode.TYPE_CONSTRAINT_VIOLATION
CODES = {
    "additional": FORMAT,
    "enum": PROPERTY,
    "format": FORMAT,
    "maxItems": OCCURRENCE,
    "maxLength": PROPERTY,
    "required": OCCURRENCE,
    "type": TYPE,
}
MARK = "Zebra\r\n\x1b[31m"
"""What a peer wrote: no error may repeat it (attack C7)."""

Path = tuple[str | int, ...]


def documents() -> Iterator[tuple[str, Schema, dict[str, Any]]]:
    """Every schema with the document that it was compiled from."""
    for version, package, suffix in ((V16, "ocpp.v16", ""), (V201, "ocpp.v201", "Request")):
        for action, found in operations(version).items():
            for schema, name in ((found.request, action + suffix), (found.response, action + "Response")):
                text = (importlib.resources.files(package) / "schemas" / f"{name}.json").read_text("utf-8-sig")
                yield f"{version.value} {schema.name}", schema, json.loads(text)


class Instance:
    """A payload made out of a schema's document, with every optional field or with none, and its weak places."""

    def __init__(self, document: dict[str, Any], *, full: bool) -> None:
        self._definitions = document.get("definitions", {})
        self._full = full
        self.weak: list[tuple[Path, str, Any]] = []
        """(place, kind of constraint, its limit)"""
        self.payload = self._make(document, ())

    def _make(self, schema: dict[str, Any], place: Path) -> Any:
        if "$ref" in schema:
            return self._make(self._definitions[schema["$ref"].rsplit("/", 1)[1]], place)
        if "enum" in schema:
            self.weak.append((place, "enum", None))
            return schema["enum"][-1]
        make = {"object": self._object, "array": self._array, "string": self._string}
        kind = schema.get("type", "anything")
        return make[kind](schema, place) if kind in make else self._scalar(kind, schema, place)

    def _scalar(self, kind: str, schema: dict[str, Any], place: Path) -> Any:
        if kind != "anything":
            self.weak.append((place, "type", None))
        return {"boolean": True, "anything": "anything"}.get(kind, max(1, schema.get("minimum", 1)))

    def _array(self, schema: dict[str, Any], place: Path) -> list[Any]:
        if "maxItems" in schema:
            self.weak.append((place, "maxItems", schema["maxItems"]))
        return [self._make(schema["items"], (*place, 0))]

    def _object(self, schema: dict[str, Any], place: Path) -> dict[str, Any]:
        required = set(schema.get("required", ()))
        self.weak.extend((place, "required", name) for name in sorted(required))
        if schema.get("additionalProperties") is False:
            self.weak.append((place, "additional", None))
        return {
            name: self._make(part, (*place, name))
            for name, part in schema.get("properties", {}).items()
            if name in required or self._full
        }

    def _string(self, schema: dict[str, Any], place: Path) -> str:
        self.weak.append((place, "type", None))
        if "format" in schema:
            self.weak.append((place, "format", None))
            return {"date-time": "2026-01-01T00:00:00Z", "uri": "https://example.com/x"}[schema["format"]]
        if "maxLength" in schema:
            self.weak.append((place, "maxLength", schema["maxLength"]))
            return "x" * int(schema["maxLength"])
        return "x"

    def broken(self, place: Path, kind: str, limit: Any) -> tuple[dict[str, Any], ErrorCode]:
        """A copy with one violation, and the code that it deserves."""
        payload = copy.deepcopy(self.payload)
        holder: Any = {"": payload}
        for step in ("", *place)[:-1]:
            holder = holder[step]
        last = place[-1] if place else ""
        match kind:
            case "required":
                del holder[last][limit]
            case "additional":
                holder[last][MARK] = MARK
            case "maxItems":
                holder[last] = holder[last] * (limit + 1)
            case "type":
                holder[last] = {MARK: MARK}
            case "maxLength":
                holder[last] = "y" * (limit + 1)
            case _:
                holder[last] = MARK
        return payload, CODES[kind]


DOCUMENTS = list(documents())
every_schema = pytest.mark.parametrize(
    ("schema", "document"), [pytest.param(schema, document, id=name) for name, schema, document in DOCUMENTS]
)


def refusal_of(schema: Schema, payload: dict[str, Any]) -> CallError:
    with pytest.raises(CallError) as refusal:
        schema.check(payload)
    return refusal.value


@pytest.mark.parametrize(("version", "count"), [(V16, 39), (V201, 64)])
def test_every_action_has_its_request_and_its_response(version: Version, count: int) -> None:
    found = operations(version)

    assert len(found) == count
    for action, pair in found.items():
        assert (pair.request.name, pair.response.name) == (action, f"{action}Response")


def test_schemas_are_compiled_once() -> None:
    assert operations(V201) is operations(V201)
    assert operation(V201, "Heartbeat") is operations(V201)["Heartbeat"]


@every_schema
@pytest.mark.parametrize("full", [False, True], ids=["smallest", "fullest"])
def test_what_fits_a_schema_passes(schema: Schema, document: dict[str, Any], full: bool) -> None:
    schema.check(Instance(document, full=full).payload)


@every_schema
def test_each_single_violation_gets_its_code_and_no_echo(schema: Schema, document: dict[str, Any]) -> None:
    instance = Instance(document, full=True)
    for place, kind, limit in instance.weak:
        payload, code = instance.broken(place, kind, limit)
        refusal = refusal_of(schema, payload)

        assert (refusal.code, place, kind) == (code, place, kind)
        assert refusal.description.isprintable()
        assert "Zebra" not in refusal.description
        assert ".".join(map(str, place)) in refusal.description


@pytest.mark.parametrize(
    ("version", "action", "payload", "code", "words"),
    [
        (V201, "Authorize", {}, OCCURRENCE, "Authorize: the payload: the field idToken is missing"),
        (
            V201,
            "Authorize",
            {"idToken": {"idToken": "x" * 37, "type": "Central"}},
            PROPERTY,
            "Authorize: idToken.idToken: is longer than 36 characters",
        ),
        (
            V201,
            "Authorize",
            {"idToken": {"idToken": "x", "type": "central"}},
            PROPERTY,
            "Authorize: idToken.type: is none of the allowed values",
        ),
        (
            V201,
            "Authorize",
            {"idToken": {"idToken": "x", "type": "Central", "additionalInfo": []}},
            OCCURRENCE,
            "Authorize: idToken.additionalInfo: has too few or too many elements",
        ),
        (V201, "Heartbeat", {"x": 1}, FORMAT, "Heartbeat: the payload: has a field that the schema does not know"),
        (V201, "Reset", {"type": 1}, TYPE, "Reset: type: is of the wrong type"),
        (V201, "Reset", {"type": None}, TYPE, "Reset: type: is of the wrong type"),
        (
            V201,
            "NotifyCustomerInformation",
            {"data": "x", "seqNo": 0, "generatedAt": "now", "requestId": 1},
            FORMAT,
            "NotifyCustomerInformation: generatedAt: is not a valid date-time",
        ),
        (
            V201,
            "SetMonitoringLevel",
            {"severity": 1.5},
            TYPE,
            "SetMonitoringLevel: severity: is of the wrong type",
        ),
        (
            V201,
            "NotifyEVChargingNeeds",
            {
                "evseId": 1,
                "chargingNeeds": {
                    "requestedEnergyTransfer": "DC",
                    "dcChargingParameters": {"evMaxCurrent": 1, "evMaxVoltage": 400, "stateOfCharge": 101},
                },
            },
            PROPERTY,
            "NotifyEVChargingNeeds: chargingNeeds.dcChargingParameters.stateOfCharge: breaks the rule Maximum",
        ),
        (V16, "GetDiagnostics", {"location": "no uri"}, FORMAT, "GetDiagnostics: location: is not a valid uri"),
        (V16, "StartTransaction", {"connectorId": 1}, OCCURRENCE, "StartTransaction: the payload: the field"),
    ],
)
def test_a_refusal_says_where_and_what(
    version: Version, action: str, payload: dict[str, Any], code: ErrorCode, words: str
) -> None:
    refusal = refusal_of(operation(version, action).request, payload)

    assert refusal.code is code
    assert refusal.description.startswith(words)


@pytest.mark.parametrize(
    ("limit", "fits"), [(21.4, True), (0.3, True), (11.1, True), (16, True), (4.35, False), (0.05, False)]
)
def test_tenths_are_counted_as_decimals(limit: float, fits: bool) -> None:
    """1.6 has multipleOf 0.1, which binary fractions get wrong."""
    payload = Instance(document_of("ocpp1.6 SetChargingProfile"), full=False).payload
    payload["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] = limit
    schema = operation(V16, "SetChargingProfile").request

    if fits:
        schema.check(payload)
    else:
        assert refusal_of(schema, payload).code is PROPERTY


def document_of(name: str) -> dict[str, Any]:
    return next(document for found, _, document in DOCUMENTS if found == name)


@pytest.mark.parametrize(
    ("text", "in_16", "in_201"),
    [
        ("2026-01-01T00:00:00Z", True, True),
        ("2026-01-01T00:00:00.123Z", True, True),
        ("2026-01-01T00:00:00+02:00", True, True),
        ("2026-01-01T00:00:00-00:00", True, True),
        ("2026-01-01T00:00:00", True, False),
        ("2026-01-01T00:00:00.123", True, False),
        ("2026-01-01", False, False),
        ("2026-01-01 00:00:00Z", False, False),
        ("2026-13-01T00:00:00Z", False, False),
        ("2026-02-29T00:00:00Z", False, False),
        ("2026-01-01T25:00:00Z", False, False),
        ("2026-01-01T00:00:00Z\n", False, False),
        ("1767225600", False, False),
        ("", False, False),
        ("now", False, False),
    ],
)
def test_a_timestamp_may_lack_its_zone_in_16_only(text: str, in_16: bool, in_201: bool) -> None:
    for version, fits in ((V16, in_16), (V201, in_201)):
        schema = operation(version, "Heartbeat").response
        if fits:
            schema.check({"currentTime": text})
        else:
            refusal = refusal_of(schema, {"currentTime": text})
            assert (refusal.code, refusal.description) == (
                FORMAT,
                "HeartbeatResponse: currentTime: is not a valid date-time",
            )


@pytest.mark.parametrize(
    ("version", "action"),
    [
        (V201, "Teapot"),
        (V201, "heartbeat"),
        (V201, "HeartbeatRequest"),
        (V201, "StartTransaction"),
        (V16, "TransactionEvent"),
        (V16, "HeartbeatResponse"),
        (V16, ""),
        (V201, "../v16/schemas/Heartbeat"),
        (V201, MARK),
    ],
)
def test_an_action_that_the_version_lacks_is_not_implemented(version: Version, action: str) -> None:
    with pytest.raises(CallError) as refusal:
        operation(version, action)

    assert refusal.value.code is ErrorCode.NOT_IMPLEMENTED
    assert refusal.value.description == f"{version.value} has no such action"


values = st.recursive(
    st.just(MARK) | st.none() | st.integers() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([MARK, "idToken"]), inner, max_size=2),
    max_leaves=6,
)


@settings(deadline=None)
@given(st.sampled_from(DOCUMENTS), st.data())
def test_no_refusal_repeats_what_the_peer_wrote(found: tuple[str, Schema, dict[str, Any]], data: st.DataObject) -> None:
    """Attack C7: put the peer's text anywhere in a payload, as a value or as a key."""
    _, schema, document = found
    instance = Instance(document, full=True)
    holder = data.draw(st.sampled_from(list(containers(instance.payload))))
    if isinstance(holder, list):
        holder[0] = data.draw(values)
    else:
        holder[data.draw(st.sampled_from([*holder, MARK]))] = data.draw(values)
    said = ""
    try:
        schema.check(instance.payload)
    except CallError as refusal:
        said = str(refusal)
    assert "Zebra" not in said
    assert said.isprintable()


def containers(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from containers(inner)


@pytest.mark.parametrize(
    ("action", "payload", "mended"),
    [
        ("Heartbeat", {"currentTime": "2026-01-01T00:00:00Z", "more": 1}, {"currentTime": "2026-01-01T00:00:00Z"}),
        ("StatusNotification", {"status": "Accepted"}, {}),
        ("Authorize", {"idTagInfo": {"status": "Blocked", "parentIdTag": None}}, {"idTagInfo": {"status": "Blocked"}}),
        ("Reset", {"status": None}, None),
        ("Authorize", {"idTagInfo": {"status": "Accepted", "expiryDate": "soon", "x": 1}}, None),
        ("StartTransaction", {"transactionId": "7", "idTagInfo": {"status": "Accepted"}}, None),
        ("GetConfiguration", {"configurationKey": [None, {"key": "A", "readonly": True, "value": None}]}, None),
        (
            *("GetConfiguration", {"configurationKey": [{"key": "A", "readonly": True, "value": None, "x": 1}]}),
            {"configurationKey": [{"key": "A", "readonly": True}]},
        ),
    ],
)
def test_what_says_nothing_is_left_out(action: str, payload: dict[str, Any], mended: dict[str, Any] | None) -> None:
    assert operation(Version.V16, action).response.mended(payload) == mended
