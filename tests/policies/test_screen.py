"""The screen: one walk finds the rules whose first check holds, the same as asking each."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.app.policy_schemas import OfficialSchemas
from policies.matchers import FieldCheck, compile_field
from policies.screen import Screen
from policies.vocabulary import Vocabulary
from policies.words import NOBODY, Kind, Stage, Surroundings, Target

VOCABULARY = Vocabulary(OfficialSchemas())
EVENT = Target(Stage.FROM_STATION, Kind.CALL, "ocpp2.0.1", "TransactionEvent")
NEARBY = Surroundings(
    now=lambda: 1_800_000_000.0, monotonic=lambda: 0.0, facts=lambda: NOBODY, owns=lambda each: each == "mine"
)


def check(entry: dict[str, Any]) -> FieldCheck:
    return compile_field(entry, (EVENT,), EVENT, VOCABULARY, ("fields", 0))


def candidates(screen: Screen, payload: dict[str, Any]) -> Sequence[int]:
    return screen.positions(screen.look(payload, NEARBY))


ENTRIES: list[dict[str, Any]] = [
    {"path": "timestamp", "not": {"timestamp": {"past": 3600, "future": 300}}},
    {"path": "transactionInfo.transactionId", "not": {"text": "identifier"}},
    {"path": "transactionInfo.transactionId", "not": {"owned": True}},
    {"path": "idToken.idToken", "not": {"text": "printable_ascii", "length": {"max": 5}}},
    {"path": "idToken.idToken", "like": ["0*"]},
    {"path": "meterValue[].sampledValue[].value", "not": {"range": {"min": 0, "max": 10}}},
    {"path": "meterValue[].sampledValue", "length": {"min": 2}},
    {"path": "meterValue", "not": {"register": {}}},
    {"path": "**", "not": {"text": "printable"}},
    {"path": "**.customData", "present": True},
    {"path": "offline", "present": False},
    {"path": ["evse.connectorId", "seqNo"], "one_of": [0]},
    {"path": "idToken.customData.own.deep", "one_of": [1]},
    {"path": "idToken", "present": False},
]
CHECKS = [check(entry) for entry in ENTRIES]

TEXTS = st.sampled_from(["mine", "04A1", "0", "a b", "a\x1bb", "toolong"])
TIMES = st.sampled_from(["2027-01-15T08:00:00Z", "2027-01-15T07:30:00", "2030-01-01T00:00:00Z", "soon"])
CUSTOM = st.fixed_dictionaries(
    {"vendorId": TEXTS},
    optional={"own": st.one_of(st.integers(), TEXTS, st.fixed_dictionaries({"deep": st.integers(0, 1)}))},
)
SAMPLES = st.fixed_dictionaries({"value": st.integers(-1, 11)}, optional={"customData": CUSTOM})
EVENTS = st.fixed_dictionaries(
    {
        "timestamp": TIMES,
        "seqNo": st.integers(0, 1),
        "transactionInfo": st.fixed_dictionaries({"transactionId": TEXTS}),
    },
    optional={
        "offline": st.booleans(),
        "evse": st.fixed_dictionaries({"id": st.integers(0, 2)}, optional={"connectorId": st.integers(0, 2)}),
        "idToken": st.fixed_dictionaries({"idToken": TEXTS}, optional={"customData": CUSTOM}),
        "customData": CUSTOM,
        "meterValue": st.lists(
            st.fixed_dictionaries({"timestamp": TIMES, "sampledValue": st.lists(SAMPLES, min_size=1, max_size=2)}),
            min_size=1,
            max_size=2,
        ),
    },
)


@settings(deadline=None)
@given(EVENTS, st.sets(st.integers(0, len(ENTRIES) - 1)), st.integers(0, 1000))
def test_the_screen_finds_what_each_check_says(payload: dict[str, Any], chosen: set[int], first: int) -> None:
    checks = [(first + place * 3, CHECKS[place]) for place in chosen]
    found = candidates(Screen(checks), payload)

    assert list(found) == sorted(rule for rule, each in checks if each.holds(payload, NEARBY))


def test_of_a_message_that_concerns_no_rule_nothing_is_found() -> None:
    screen = Screen([(3, CHECKS[0]), (5, CHECKS[8])])
    payload = {"timestamp": "2027-01-15T08:00:00Z", "transactionInfo": {"transactionId": "mine"}}

    assert screen.look(payload, NEARBY) == 0
    assert screen.look({}, NEARBY) == 0
    assert Screen([]).look(payload, NEARBY) == 0


def test_many_rules() -> None:
    screen = Screen([(rule, check({"path": "seqNo", "one_of": [rule % 100]})) for rule in range(500)])

    assert list(candidates(screen, {"seqNo": 99})) == [99, 199, 299, 399, 499]


def test_several_checks_of_one_rule() -> None:
    screen = Screen([(4, check({"path": "seqNo", "one_of": [seq_no]})) for seq_no in (1, 2)])

    assert [list(candidates(screen, {"seqNo": seq_no})) for seq_no in (1, 2, 3)] == [[4], [4], []]


def test_a_rule_that_can_not_hold_here_is_no_candidate() -> None:
    heartbeat = Target(Stage.FROM_STATION, Kind.CALL, "ocpp1.6", "Heartbeat")
    nowhere = compile_field({"path": "seqNo", "present": True}, (EVENT, heartbeat), heartbeat, VOCABULARY, ())

    assert Screen([(0, nowhere)]).look({}, NEARBY) == 0
