"""Names: what each stands for, and what is refused because it stands for nothing or for too much."""

import pytest

from gateway.app.policy_schemas import OfficialSchemas
from policies.cel.binding import Binding, bind
from policies.cel.slots import Record, Use
from policies.cel.syntax import parse
from policies.cel.writing import write
from policies.vocabulary import Vocabulary
from policies.words import Kind, RuleError, Stage, Target

WHEN = ("when",)
VOCABULARY = Vocabulary(OfficialSchemas())


def target(action: str, protocol: str = "ocpp2.0.1") -> Target:
    return Target(Stage.FROM_STATION, Kind.CALL, protocol, action)


EVENT = target("TransactionEvent")
DATA = target("DataTransfer")


def bound(text: str, *targets: Target) -> Binding:
    return bind(parse(text, WHEN), targets or (EVENT,), VOCABULARY, WHEN)


def slots(record: Record) -> dict[str, object]:
    """Return what is asked of an object: path -> how, or what of its elements."""
    return {
        slot.path: slot.use.value if slot.elements is None else slots(slot.elements) for slot in record.slots.values()
    }


@pytest.mark.parametrize(
    ("text", "written", "asked"),
    [
        ("payload.seqNo > 5", "v0 > 5", {"payload.seqNo": "value"}),
        ("payload.seqNo + payload.seqNo > 5", "v0 + v0 > 5", {"payload.seqNo": "value"}),
        ("payload['seqNo'] > 5", "v0 > 5", {"payload.seqNo": "value"}),
        ("has(payload.evse.connectorId)", "v0", {"payload.evse.connectorId": "present"}),
        ("size(payload.meterValue) > 5", "v0 > 5", {"payload.meterValue": "size"}),
        ("payload.meterValue.size() > 5", "v0 > 5", {"payload.meterValue": "size"}),
        ("size(payload.transactionInfo.transactionId) > 5", "size(v0) > 5",
         {"payload.transactionInfo.transactionId": "value"}),
        ("payload.meterValue[0].timestamp == ''", "v0 == ''", {"payload.meterValue[0].timestamp": "value"}),
        ("payload.meterValue.all(m, m.timestamp == '')", "v0.all(x, x.v1 == '')",
         {"payload.meterValue": {"m.timestamp": "value"}}),
        ("payload.meterValue.all(m, has(m.customData) || m.sampledValue.size() > m.sampledValue[0].value)",
         "v0.all(x, x.v1 || x.v2 > x.v3)",
         {"payload.meterValue":
          {"m.customData": "present", "m.sampledValue": "size", "m.sampledValue[0].value": "value"}}),
        ("payload.meterValue[payload.seqNo - 1].timestamp == ''", "v0[v1 - 1].v2 == ''",
         {"payload.seqNo": "value", "payload.meterValue": {"payload.meterValue[].timestamp": "value"}}),
        ("payload.meterValue.filter(m, m.timestamp != '').size() == 1", "size(v0.map(x, x.v1 != '', 1)) == 1",
         {"payload.meterValue": {"m.timestamp": "value"}}),
        ("payload.meterValue.filter(m, m.timestamp != '')[0].timestamp == ''", "v0.filter(x, x.v1 != '')[0].v1 == ''",
         {"payload.meterValue": {"m.timestamp": "value"}}),
        ("payload.meterValue.filter(m, m.timestamp != '').exists(n, n.timestamp == '')",
         "v0.filter(x, x.v1 != '').exists(x, x.v1 == '')", {"payload.meterValue": {"m.timestamp": "value"}}),
        ("payload.meterValue.map(m, m.timestamp).exists(t, t == '')", "v0.map(x, x.v1).exists(x, x == '')",
         {"payload.meterValue": {"m.timestamp": "value"}}),
        ("['a', 'b'].exists(each, each == payload.eventType)", "['a', 'b'].exists(x, x == v0)",
         {"payload.eventType": "value"}),
        ("payload.eventType in ['Ended', 'Started'] ? !true : -1 < 2", "v0 in ['Ended', 'Started'] ? !true : -1 < 2",
         {"payload.eventType": "value"}),
        ("timestamp(payload.timestamp) > now", "timestamp(v0) > now", {"payload.timestamp": "value"}),
        ("payload.customData.list.exists(x, x.y == 1)", "v0.exists(x, x.y == 1)", {"payload.customData.list": "value"}),
        ("payload.customData['a b.c'] == 1", "v0 == 1", {"payload.customData.a b.c": "value"}),
        ("[1, 2][payload.seqNo] == 1", "[1, 2][v0] == 1", {"payload.seqNo": "value"}),
        ("[1, 2][1u] == 1", "[1, 2][1u] == 1", {}),
        ("payload.customData.list.exists(x, has(x.y))", "v0.exists(x, has(x.y))", {"payload.customData.list": "value"}),
    ],
)  # fmt: skip
def test_paths_become_slots(text: str, written: str, asked: dict[str, object]) -> None:
    binding = bound(text)

    assert write(binding.node) == written
    assert slots(binding.payload) == asked


def test_facts() -> None:
    binding = bound(
        "has(station.serial) && station.serial != station['identity'] && session.booted && session.running > 1"
    )

    assert write(binding.node) == "h_serial && f_serial != f_identity && f_is_booted && f_running > 1"
    assert binding.facts == {
        "f_serial": "serial", "f_identity": "identity", "f_is_booted": "is_booted", "f_running": "running",
    }  # fmt: skip
    assert binding.asked == {"h_serial": "serial"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("payload", "payload can't be taken whole: name the field that you mean (column 1)"),
        ("1 in payload", "payload can't be taken whole: name the field that you mean (column 6)"),
        ("payload.exists(k, true)", "payload can't be taken whole"),
        ("payload[session.address] == 1", "payload can't be taken whole"),
        ("paylod.seqNo", "unknown name 'paylod' (did you mean payload?) (column 1)"),
        ("x", "unknown name 'x'; known are payload, station, session, now (column 1)"),
        ("payload.meterValue.all(m, n.timestamp == '')", "unknown name 'n'"),
        ("payload.meterValue.all(m, true) && m.timestamp == ''", "unknown name 'm'"),
        ("int == 1", "unknown name 'int'"),
        ("now.year == 1", "now is a time, without fields"),
        ("station == 1", "station has identity, group, backend"),
        ("station.serialNumber == 1", "no station.serialNumber (did you mean serial?)"),
        ("station.identity.x == 1", "name one of them"),
        ("session.x == 1", "no session.x; known are address, booted, running"),
        ("has(session.x)", "no session.x"),
        ("true && payload.seqno > 1", "seqno (did you mean seqNo?) (column 9)"),
        ("has(payload.evs.id)", "no such field in TransactionEvent: evs"),
        ("has(payload.evse.ident)", "no such field in TransactionEvent: evse.ident"),
        ("payload.meterValue.all(m, m.timestam == '')", "did you mean meterValue[].timestamp"),
        ("payload.seqNo.x > 1", "no such field in TransactionEvent: seqNo.x"),
        ("payload.seqNo[0] > 1", "payload.seqNo isn't a list: it has no payload.seqNo[0]"),
        ("payload.meterValue.timestamp == ''", "payload.meterValue is a list: ask .exists() or .all() of it"),
        ("payload.customData.list[0] == 1", "payload.customData.list isn't a list"),
        ("payload.customData.list[payload.seqNo] == 1", "its fields are named, as in payload.customData.list.name"),
        ("payload['a b'] == 1", "path 'a b'"),
        ("payload.evse == 1", "payload.evse is an object; name the field that you mean"),
        ("size(payload.evse) == 1", "payload.evse is an object"),
        ("payload.meterValue == []", "payload.meterValue is a list of objects: ask size(), .exists() or .all() of it"),
        ("payload.meterValue[0] == payload.meterValue[0]", "payload.meterValue[0] is an object"),
        ("payload.meterValue.map(m, m).size() > 0", "m is an object"),
        ("payload.meterValue.all(m, m)", "m is an object"),
        ("payload.meterValue.all(m, m.sampledValue[0] == 1)", "m.sampledValue[0] is an object"),
        ("payload.meterValue.filter(m, true) == []", "payload.meterValue is a list of objects"),
        ("payload.evse.exists(k, true)", "payload.evse isn't a list"),
        ("payload.eventType.exists(k, true)", "payload.eventType isn't a list"),
        ("payload.meterValue.all(m, m.sampledValue.all(s, true))", ".all() within another comprehension"),
        ("[1].all(m, payload.meterValue.filter(s, true).size() == 1)", ".filter() within another comprehension"),
        ("[1].all(a, true) || [1].all(a, true) || [1].all(a, true)", "more than 2 comprehensions"),
        ("[1].map(a, a).map(a, a).map(a, a) == []", "more than 2 comprehensions"),
        ("payload.meterValue.all(payload, true)", "payload can't be the variable of a comprehension"),
        ("[1].all(now, true)", "now can't be the variable of a comprehension"),
        ("[1].all(a, a.b == 1)", "a has no fields, 'b' neither"),
        ("(1 + 2).b == 1", "this value has no fields"),
        ("has(payload)", "has() takes a path, as in has(payload.a.b)"),
        ("has(payload['seqNo'])", "has() takes a path"),
        ("has(payload.meterValue[0])", "has() takes a path"),
        ("has(now.x)", "this value has no fields, 'x' neither"),
        ("foo(payload.seqNo)", "unknown function foo()"),
    ],
)
def test_what_is_refused(text: str, words: str) -> None:
    with pytest.raises(RuleError) as refusal:
        bound(text)
    assert words in str(refusal.value)
    assert refusal.value.where == WHEN


def test_a_field_that_only_some_messages_have_wants_has() -> None:
    targets = [EVENT, target("Authorize"), target("Heartbeat")]

    with pytest.raises(
        RuleError, match=r"Authorize, Heartbeat has no payload.seqNo: every such message would be denied"
    ):
        bound("payload.seqNo > 5", *targets)
    assert write(bound("has(payload.seqNo) && payload.seqNo > 5", *targets).node) == "v0 && v1 > 5"
    bound("has(payload.evse) && payload.evse.id > 5", *targets)
    with pytest.raises(RuleError, match=r"payload\.meterValue"):
        bound("has(payload.seqNo) && size(payload.meterValue) > 5", *targets)


def test_a_field_in_no_message_is_refused_even_by_has() -> None:
    with pytest.raises(RuleError, match="no such field in any action of the rule: nothing"):
        bound("has(payload.nothing)", EVENT, DATA)


def test_optional_fields_that_has_isn_t_asked_of() -> None:
    assert bound("payload.seqNo > 1 && payload.offline && payload.evse.id > 1").unasked == (
        "payload.offline",
        "payload.evse.id",
    )
    assert bound("has(payload.evse) && has(payload.offline) && payload.offline && payload.evse.id > 1").unasked == ()


def test_a_field_knows_that_it_is_read_as_something() -> None:
    sampled = target("MeterValues", "ocpp1.6")
    binding = bound("payload.meterValue.all(m, double(m.sampledValue[0].value) > 1.0)", sampled)
    (meters,) = binding.payload.slots.values()
    assert meters.elements is not None

    assert [(slot.use, slot.conversion) for slot in meters.elements.slots.values()] == [(Use.VALUE, "double")]
