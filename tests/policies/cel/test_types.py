"""Types: what can't go together is refused at load, what the schemas leave open shows at run time."""

import cel
import pytest

from gateway.app.policy_schemas import OfficialSchemas
from policies.cel.binding import bind
from policies.cel.syntax import parse
from policies.cel.types import check_types
from policies.vocabulary import Vocabulary
from policies.words import Kind, RuleError, Stage, Target

WHEN = ("when",)
VOCABULARY = Vocabulary(OfficialSchemas())


def target(action: str, protocol: str = "ocpp2.0.1") -> Target:
    return Target(Stage.FROM_STATION, Kind.CALL, protocol, action)


def check(text: str, *targets: Target) -> None:
    check_types(bind(parse(text, WHEN), targets or (target("TransactionEvent"),), VOCABULARY, WHEN), WHEN)


@pytest.mark.parametrize(
    "text",
    [
        "payload.seqNo > 5",
        "payload.seqNo > 5.5",
        "payload.seqNo == 5u",
        "payload.offline",
        "!payload.offline || has(payload.evse)",
        "payload.offline == true",
        "payload.eventType == 'Ended' && payload.eventType < 'F'",
        "payload.eventType in ['Ended', 'Updated']",
        "timestamp(payload.timestamp) < now + duration('5m')",
        "now - timestamp(payload.timestamp) > duration('5m')",
        "now.getHours() > 5",
        "duration('1h').getSeconds() > 5",
        "string(payload.seqNo).size() > size(payload.meterValue)",
        "double(payload.seqNo) / 2.0 > 1.5",
        "payload.seqNo % 2 == 0",
        "-payload.seqNo < 0",
        "payload.meterValue.all(m, m.sampledValue[0].value > 5)",
        "payload.meterValue.map(m, m.sampledValue[0].value).exists(v, v > 1.0)",
        "payload.meterValue.filter(m, m.timestamp != '')[0].timestamp == ''",
        "['a', 'b'].exists(x, payload.eventType == x)",
        "[1, 'a'].exists(x, x == 'a')",
        "(payload.offline ? 1 : 2) > payload.seqNo",
        "(payload.offline ? 1 : 'a') == payload.seqNo",
        "station.security_profile > 1 && station.identity != '' && session.running > 1 && session.booted",
        "payload.customData.x > 1 && payload.customData.x == 'a' && payload.customData.y",
        "payload.customData.z == null",
        "payload.customData.l.exists(x, x.y > 1 && x.z)",
        "bytes(payload.eventType).size() > 3 && b'a' == b'b'",
        "0x1F == 31",
    ],
)
def test_what_goes_together(text: str) -> None:
    check(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("payload.seqNo", "the condition must be true or false; this is an integer (column 1)"),
        ("'true'", "the condition must be true or false; this is a text"),
        ("payload.timestamp", "the condition must be true or false; this is a text"),
        ("[true]", "this is a list; ask size(...) > 0"),
        ("payload.seqNo == '5'", "an integer can't be compared with a text (column 1)"),
        ("true && payload.eventType > 5", "a text can't be compared with an integer (column 9)"),
        ("payload.timestamp > now", "a text can't be compared with a time; write timestamp(...) around the text"),
        ("payload.offline > 1", "true or false can't be compared with an integer"),
        ("payload.seqNo in ['a', 'b']", "an integer can't be compared with a text"),
        ("payload.eventType in 'Ended'", "what stands behind `in` must be a list; this is a text"),
        ("payload.evse.id == null", "no field of a message is null; ask has()"),
        ("payload.seqNo + 1.5 > 2.0", "don't go together with +; write double(...) around the integer"),
        ("payload.seqNo + 'a' == 'b'", "an integer and a text don't go together with +"),
        ("payload.eventType - 'a' == 'b'", "a text and a text don't go together with -"),
        ("1.5 % 2.0 == 0.0", "don't go together with %"),
        ("now + now > now", "a time and a time don't go together with +"),
        ("now - 300 > now", "a time and an integer don't go together with -"),
        ("[1] + [2] == [1, 2]", "a list and a list don't go together with +"),
        ("payload.offline && payload.seqNo", "what && joins must be true or false; this is an integer (column 20)"),
        ("!payload.seqNo", "what ! stands before must be true or false"),
        ("-payload.eventType == 'a'", "what - stands before must be"),
        ("payload.seqNo ? true : false", "what stands before ? must be true or false"),
        ("payload.seqNo.size() > 1", "what size() is asked of must be"),
        ("payload.seqNo.contains('1')", "what contains() looks at must be a text; this is an integer"),
        ("payload.eventType.contains(1)", "what contains() looks at must be a text"),
        ("payload.seqNo.matches('1')", "what matches() looks at must be a text"),
        ("payload.timestamp.getHours() > 1", "this is a text; write timestamp(...) around it"),
        ("double(payload.offline) > 1.0", "what double() is made of must be"),
        ("int(now) > 1", "what int() is made of must be"),
        ("payload.meterValue['a'] == 1", "payload.meterValue is a list"),
        ("payload.meterValue[payload.eventType].timestamp == ''", "a place in a list must be"),
        ("payload.meterValue.all(m, m.timestamp)", "what .all() asks must be true or false; this is a text"),
        ("payload.meterValue.filter(m, m.timestamp).size() > 1", "what .map() asks must be true or false"),
        ("payload.meterValue.all(m, m.sampledValue[0].value == 'x')", "a number with a fraction can't be compared"),
        ("payload.meterValue.map(m, m.timestamp)", "the condition must be true or false; this is a list"),
        ("['a'].exists(x, x > 1)", "a text can't be compared with an integer"),
        ("payload.eventType[0] == 'a'", "isn't a list"),
        ("station.security_profile == '3'", "an integer can't be compared with a text"),
        ("session.booted == 'true'", "true or false can't be compared with a text"),
    ],
)
def test_what_doesn_t(text: str, words: str) -> None:
    with pytest.raises(RuleError) as refusal:
        check(text)
    assert words in str(refusal.value)
    assert refusal.value.where == WHEN


def test_of_a_field_that_differs_between_messages_no_type_is_known() -> None:
    """``data`` is a text to OCPP 1.6, and anything to 2.0.1."""
    targets = target("DataTransfer", "ocpp1.6"), target("DataTransfer", "ocpp2.0.1")

    check("has(payload.data) && payload.data > 5", *targets)
    with pytest.raises(RuleError):
        check("payload.data > 5", targets[0])


VALUES = ["true", "1", "1u", "1.5", "'1'", "b'1'", "[1]", "now", "duration('1s')"]


@pytest.mark.parametrize("sign", ["==", "!=", "<", ">=", "+", "-", "*", "/", "%"])
@pytest.mark.parametrize("left", VALUES)
@pytest.mark.parametrize("right", VALUES)
def test_nothing_is_refused_that_the_library_can_evaluate(left: str, sign: str, right: str) -> None:
    """But for comparisons that hold for nothing, and lists that grow."""
    text = f"{left} {sign} {right}"
    condition = text if sign in {"==", "!=", "<", ">="} else f"{text} == {text}"
    try:
        check(condition)
    except RuleError:
        if sign in {"==", "!="} or (sign == "+" and left == right == "[1]"):
            return
        with pytest.raises(TypeError):
            cel.evaluate(condition, {"now": cel.evaluate("timestamp('2026-01-01T00:00:00Z')")})
    else:
        assert cel.evaluate(condition, {"now": cel.evaluate("timestamp('2026-01-01T00:00:00Z')")}) in {True, False}
