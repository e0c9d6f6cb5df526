"""register: what a meter may say after what it has said."""

import copy
import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.app.policy_schemas import OfficialSchemas
from policies.matchers import FieldCheck, compile_field
from policies.matchers.registers import ENDED_MAX, TRACKS_MAX
from policies.vocabulary import Vocabulary
from policies.words import NOBODY, Kind, RuleError, Stage, Surroundings, Target

VOCABULARY = Vocabulary(OfficialSchemas())
EVENT = Target(Stage.FROM_STATION, Kind.CALL, "ocpp2.0.1", "TransactionEvent")
METER_VALUES = Target(Stage.TO_BACKEND, Kind.CALL, "ocpp1.6", "MeterValues")
STOP = Target(Stage.TO_BACKEND, Kind.CALL, "ocpp1.6", "StopTransaction")
NOW = 1_800_000_000.0


def check(
    limits: dict[str, float], path: str = "meterValue", target: Target = EVENT, *, is_wanted: bool = True
) -> FieldCheck:
    spec = {"register": limits} if is_wanted else {"not": {"register": limits}}
    return compile_field({"path": path, **spec}, (target,), target, VOCABULARY, ("fields", 0))


@pytest.fixture
def surroundings() -> Surroundings:
    return Surroundings(now=lambda: NOW, monotonic=lambda: 0.0, facts=lambda: NOBODY, owns=lambda _: True)


def at(seconds: float) -> str:
    return datetime.fromtimestamp(NOW + seconds, UTC).isoformat()


def event(*readings: tuple[float, float], transaction: str = "t", **sample: Any) -> dict[str, Any]:
    return {
        "timestamp": at(0),
        "transactionInfo": {"transactionId": transaction},
        "meterValue": [
            {"timestamp": at(moment), "sampledValue": [{"value": value, **sample}]} for moment, value in readings
        ],
    }


def meter_values(moment: float, value: str, **more: Any) -> dict[str, Any]:
    return {"connectorId": 1, "meterValue": [{"timestamp": at(moment), "sampledValue": [{"value": value}]}], **more}


@pytest.mark.parametrize(
    ("limits", "said", "verdicts"),
    [
        ({}, [event((0, 100)), event((60, 100)), event((120, 150))], [True, True, True]),
        ({}, [event((0, 100)), event((60, 99))], [True, False]),
        ({"tolerance_wh": 1}, [event((0, 100)), event((60, 99)), event((120, 97.9))], [True, True, False]),
        ({}, [event((0, -1))], [False]),
        ({"tolerance_wh": 1}, [event((0, -1)), event((60, -1.1)), event((120, 0))], [True, False, True]),
        ({}, [event((0, 100)), event((0, 100)), event((0, 99))], [True, True, False]),
        ({}, [event((60, 100)), event((0, 50)), event((120, 99))], [True, True, False]),
        ({}, [event((0, 100)), event((60, 50)), event((120, 99)), event((180, 100))], [True, False, False, True]),
        ({}, [event((0, 100)), event((60, 50), transaction="u")], [True, True]),
        ({}, [event((0, 100)), event((60, 50), phase="L1")], [True, True]),
        ({}, [event((0, 100)), event((60, 50), measurand="Voltage")], [True, True]),
        ({}, [event((0, 1), unitOfMeasure={"unit": "kWh"}), event((60, 1001)), event((90, 999))], [True, True, False]),
        ({}, [event((0, 100), (60, 90))], [False]),
        ({}, [event((60, 90), (0, 100))], [False]),
        ({}, [event((60, 110), (0, 100)), event((60, 100))], [True, False]),
        ({}, [event((0, 110), (0, 100)), event((60, 110))], [True, True]),
        ({}, [event((0, 110), (0, 100)), event((60, 109))], [True, False]),
        ({}, [event((0, 100), (60, 110)), event((0, 100), (60, 110))], [True, True]),
        ({}, [event((86_000, 100)), event((87_000, 100))], [True, False]),
        ({"max_power_w": 3600}, [event((0, 0)), event((60, 61)), event((120, 122.5))], [True, True, False]),
        ({"max_power_w": 3600}, [event((0, 0)), event((0, 1)), event((0, 3))], [True, True, False]),
        ({"tolerance_wh": 1}, [event((at, 100 - at)) for at in range(3)], [True, True, False]),
        ({"tolerance_wh": 1}, [event((at, 100 - at % 2)) for at in range(5)], [True] * 5),
        (
            {"max_power_w": 3600, "tolerance_wh": 10},
            [event((0, 0)), event((10, 20)), event((20, 31)), event((30, 42))],
            [True, True, True, False],
        ),
        ({"max_power_w": 3600, "tolerance_wh": 10}, [event((0, 0)), event((60, 71))], [True, True]),
        (
            {"max_power_w": 3600, "tolerance_wh": 1, "step_wh": 100},
            [event((0, 0)), event((0, 90)), event((0, 101)), event((0, 102)), event((10, 88))],
            [True, True, True, False, False],
        ),
        ({"max_power_w": 3600}, [event((0, 0)), event((60, 1000)), event((1200, 1001))], [True, False, True]),
        (
            {"max_power_w": 1},
            [event((at, at * 10), measurand="Energy.Reactive.Import.Register") for at in (0, 60)],
            [True, True],
        ),
    ],
)
def test_what_a_meter_may_say(
    surroundings: Surroundings, limits: dict[str, float], said: list[dict[str, Any]], verdicts: list[bool]
) -> None:
    plausible, doubtful = check(limits), check(limits, is_wanted=False)

    for payload, is_plausible in zip(said, verdicts, strict=True):
        before = copy.deepcopy(payload)
        assert doubtful.holds(payload, surroundings) is not is_plausible
        assert plausible.holds(payload, surroundings) is is_plausible
        assert plausible.holds(payload, surroundings) is is_plausible
        assert payload == before


def test_a_message_without_meter_values_concerns_neither(surroundings: Surroundings) -> None:
    payload = {"transactionInfo": {"transactionId": "t"}}

    assert not check({}).holds(payload, surroundings)
    assert not check({}, is_wanted=False).holds(payload, surroundings)


@pytest.mark.parametrize("timestamp", ["yesterday", "2027-01-15"])
def test_a_reading_without_a_time_is_not_plausible(surroundings: Surroundings, timestamp: str) -> None:
    payload = event((0, 1))
    payload["meterValue"][0]["timestamp"] = timestamp

    assert not check({}).holds(payload, surroundings)


def test_between_transactions_a_register_may_fall_but_not_run(surroundings: Surroundings) -> None:
    plausible = check({"max_power_w": 3600}, target=METER_VALUES)

    assert plausible.holds(meter_values(0, "1000"), surroundings)
    assert plausible.holds(meter_values(60, "0"), surroundings)
    assert not plausible.holds(meter_values(120, "1000"), surroundings)
    assert plausible.holds(meter_values(120, "1000", connectorId=2), surroundings)
    assert plausible.holds(meter_values(120, "1000", transactionId=5), surroundings)
    assert not plausible.holds(meter_values(180, "900", transactionId=5), surroundings)


@pytest.mark.parametrize("nothing", [0, -1])
def test_some_say_by_a_number_that_there_is_no_transaction(surroundings: Surroundings, nothing: int) -> None:
    plausible = check({"max_power_w": 3600}, target=METER_VALUES)

    assert plausible.holds(meter_values(0, "1000", transactionId=nothing), surroundings)
    assert plausible.holds(meter_values(60, "0", transactionId=nothing, connectorId=2), surroundings)
    assert plausible.holds(meter_values(120, "1001", transactionId=nothing), surroundings)
    assert not plausible.holds(meter_values(180, "9999", transactionId=nothing), surroundings)
    assert plausible.holds(meter_values(240, "0", transactionId=nothing), surroundings)


@pytest.mark.parametrize("value", ["", "nan", "-5", "1_000", "kWh"])
def test_what_is_written_must_be_a_number(surroundings: Surroundings, value: str) -> None:
    assert not check({"tolerance_wh": 2}, target=METER_VALUES).holds(meter_values(0, value), surroundings)


@pytest.mark.parametrize(("multiplier", "is_plausible"), [(3, True), (6, False)])
def test_what_a_unit_makes_of_a_number_counts(surroundings: Surroundings, multiplier: int, is_plausible: bool) -> None:
    said = event((0, 9e9), unitOfMeasure={"unit": "kWh", "multiplier": multiplier})

    assert check({}).holds(said, surroundings) is is_plausible


def test_what_1_6_says_at_the_end(surroundings: Surroundings) -> None:
    stop = {"transactionId": 5, "timestamp": at(60), "meterStop": 990}

    assert check({}, target=METER_VALUES).holds(meter_values(0, "1000", transactionId=5), surroundings)
    assert not check({}, "meterStop", STOP).holds(stop, surroundings)
    assert check({}, "meterStop", STOP).holds({**stop, "meterStop": 1000}, surroundings)
    assert not check({}, "meterStop", STOP).holds({**stop, "timestamp": "x"}, surroundings)
    assert not check({}, "transactionData", STOP).holds(stop, surroundings)
    samples = meter_values(90, "999")["meterValue"]
    assert not check({}, "transactionData", STOP).holds({**stop, "transactionData": samples}, surroundings)


@pytest.mark.parametrize(
    ("late", "is_plausible"),
    [((40, 950), True), ((40, 1000 + 20), True), ((40, 1000 + 22), False), ((-90_000, 1000 + 3602), False)],
)
def test_what_is_said_of_an_earlier_time_leaps_no_further(
    surroundings: Surroundings, late: tuple[float, float], is_plausible: bool
) -> None:
    plausible = check({"max_power_w": 3600})

    assert plausible.holds(event((0, 950), (60, 1000)), surroundings)
    assert plausible.holds(event(late), surroundings) is is_plausible


def test_what_nearly_every_event_says_is_judged_as_all_else_is(surroundings: Surroundings) -> None:
    """Beside a power reading, later and higher each time, with its unit or without; then one that falls."""
    plausible = check({"max_power_w": 3600, "step_wh": 100})
    power = {"value": 7200.0, "measurand": "Power.Active.Import", "unitOfMeasure": {"unit": "W"}}

    units: list[dict[str, Any]] = [{"unitOfMeasure": {"unit": "Wh"}}, {}, {"unitOfMeasure": {}}]
    for number, unit in enumerate(units * 3):
        payload = event((number * 60, 100.0 + number), **unit)
        payload["meterValue"][0]["sampledValue"].append(power)
        assert plausible.holds(payload, surroundings)

    [known] = surroundings.memory.registers.values()
    [(moment, least, most, _, first)] = known.values()
    assert (moment, least, most, first) == (NOW + 480, 108.0, 108.0, 100.0)
    assert not plausible.holds(event((540, 107.0)), surroundings)
    assert not plausible.holds(event((540, 900.0)), surroundings)
    assert not plausible.holds(event((90_000, 109.0)), surroundings)
    assert plausible.holds(event((540, 0.109), unitOfMeasure={"unit": "kWh"}), surroundings)


def test_what_is_only_explained_is_not_remembered(surroundings: Surroundings) -> None:
    plausible = check({})
    explained = dataclasses.replace(surroundings, remembers=False)

    assert plausible.holds(event((0, 100)), explained)
    assert surroundings.memory.registers == {}
    assert plausible.holds(event((0, 100)), surroundings)
    before = copy.deepcopy(surroundings.memory.registers)
    assert not plausible.holds(event((60, 50)), explained)
    assert plausible.holds(event((60, 150)), explained)
    assert surroundings.memory.registers == before
    assert plausible.holds(event((60, 100)), surroundings)


def test_what_one_message_says_is_remembered_whole_or_not_at_all(surroundings: Surroundings) -> None:
    assert not check({}).holds(event((0, 100), (60, 200), (120, 150)), surroundings)
    assert surroundings.memory.registers == {}


def test_memory_lasts_over_a_reload_and_is_bounded(surroundings: Surroundings) -> None:
    for number in range(TRACKS_MAX + 10):
        assert check({}).holds(event((0, 100), transaction=str(number)), surroundings)
        assert check({}).holds(event((0, 100), transaction="kept"), surroundings)

    ((_, tracks),) = surroundings.memory.registers.items()
    assert len(tracks) == TRACKS_MAX
    assert not check({}).holds(event((60, 50), transaction="kept"), surroundings)
    assert check({}).holds(event((60, 50), transaction="0"), surroundings)


def ended(transaction: str, moment: float = 0, value: float = 100) -> dict[str, Any]:
    return {**event((moment, value), transaction=transaction), "eventType": "Ended"}


def test_of_ended_transactions_the_last_ones_are_remembered(surroundings: Surroundings) -> None:
    plausible = check({})
    for transaction in ("running", "twice"):
        assert plausible.holds(event((0, 100), transaction=transaction), surroundings)
    for number in range(TRACKS_MAX):
        assert plausible.holds(event((0, 90), (0, 95), transaction=str(number), phase="L1"), surroundings)
        assert plausible.holds(ended(str(number)), surroundings)
        assert plausible.holds(ended("twice", number), surroundings)

    [known] = surroundings.memory.registers.values()
    last = TRACKS_MAX - 1
    assert {track[0] for track in known} == {"running", "twice", *map(str, range(last - ENDED_MAX + 2, last + 1))}
    assert not plausible.holds(event((60, 50), transaction="running"), surroundings)
    assert not plausible.holds(ended(str(last), 60, 50), surroundings)


@pytest.mark.parametrize("moment", [0, 60])
def test_one_that_goes_on_after_its_end_is_running(surroundings: Surroundings, moment: float) -> None:
    plausible = check({})
    assert plausible.holds(event((0, 100), transaction="again"), surroundings)
    assert plausible.holds(ended("again"), surroundings)
    assert plausible.holds(event((moment, 100), transaction="again"), surroundings)
    for number in range(ENDED_MAX + 1):
        assert plausible.holds(ended(str(number)), surroundings)

    assert not plausible.holds(event((90, 50), transaction="again"), surroundings)


def test_what_1_6_has_stopped_is_forgotten_as_well(surroundings: Surroundings) -> None:
    values, stop = check({}, target=METER_VALUES), check({}, "meterStop", STOP)
    for number in range(1, ENDED_MAX + 2):
        assert values.holds(meter_values(0, "1000", transactionId=number), surroundings)
    for number in range(1, ENDED_MAX + 2):
        assert stop.holds({"transactionId": number, "timestamp": at(60), "meterStop": 2000}, surroundings)

    assert values.holds(meter_values(90, "1000", transactionId=1), surroundings)
    assert not values.holds(meter_values(90, "1000", transactionId=2), surroundings)


@pytest.mark.parametrize(
    ("field", "target", "end"),
    [
        ("meterValue", EVENT, {"eventType": "Ended", "transactionInfo": {"transactionId": 5}}),
        ("meterValue", EVENT, {**event((60, 7), transaction="5", measurand="Voltage"), "eventType": "Ended"}),
        ("transactionData", STOP, {"transactionId": 5, "timestamp": at(60), "meterStop": 2000}),
    ],
)
def test_one_may_end_without_a_register(
    surroundings: Surroundings, field: str, target: Target, end: dict[str, Any]
) -> None:
    plausible = check({}, field, target)
    for number in range(ENDED_MAX + 1):
        said, last = meter_values(0, "1000", transactionId=number + 1), {**end, "transactionId": number + 1}
        if target is EVENT:
            said, last = event((0, 100), transaction=str(number)), copy.deepcopy(end)
            last["transactionInfo"]["transactionId"] = str(number)
        assert check({}, target=METER_VALUES if target is STOP else EVENT).holds(said, surroundings)
        plausible.holds(last, dataclasses.replace(surroundings, remembers=False))
        plausible.holds(last, surroundings)

    [known] = surroundings.memory.registers.values()
    assert len(known) == ENDED_MAX


def test_what_is_said_late_of_one_that_has_ended_keeps_it_no_longer(surroundings: Surroundings) -> None:
    plausible = check({})
    for number in range(ENDED_MAX + 1):
        assert plausible.holds(event((0, 100), transaction=str(number)), surroundings)
        assert plausible.holds(ended(str(number), 60), surroundings)
        assert plausible.holds(event((0, 100), transaction=str(number)), surroundings)

    [known] = surroundings.memory.registers.values()
    assert len(known) == ENDED_MAX


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(-1, 20), st.sampled_from(["t", "u"])),
        max_size=12,
    )
)
def test_no_transaction_is_seen_to_fall(said: list[tuple[int, int, str]]) -> None:
    nearby = Surroundings(now=lambda: NOW, monotonic=lambda: 0.0, facts=lambda: NOBODY, owns=lambda _: True)
    plausible, said_before = check({}), dict[str, list[tuple[int, int]]]()

    for moment, value, transaction in said:
        before = said_before.setdefault(transaction, [])
        latest = max((when for when, _ in before), default=-1)
        least = max((low for _, low in before), default=0)
        if moment == latest:
            least = min(low for when, low in before if when == latest)
        is_late = moment < latest
        is_plausible = value >= 0 and (is_late or value >= least)
        assert plausible.holds(event((moment, value), transaction=transaction), nearby) is is_plausible
        if is_plausible and not is_late:
            before.append((moment, value))


READINGS = st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 9)), min_size=1, max_size=4)


@settings(deadline=None)
@given(st.lists(READINGS, max_size=5))
def test_a_message_is_plausible_again_in_whatever_order(messages: list[list[tuple[int, int]]]) -> None:
    nearby = Surroundings(now=lambda: NOW, monotonic=lambda: 0.0, facts=lambda: NOBODY, owns=lambda _: True)
    plausible = check({"max_power_w": 7200})

    for readings in messages:
        first = plausible.holds(event(*readings), nearby)
        assert plausible.holds(event(*readings), nearby) is first
        assert plausible.holds(event(*reversed(readings)), nearby) is first


@pytest.mark.parametrize(
    ("path", "argument", "where", "complaint"),
    [
        ("timestamp", {}, ("register",), "`register` is for meterValue, transactionData, meterStop; timestamp is"),
        ("meterValue[].sampledValue", {}, ("register",), "`register` is for meterValue"),
        ("meterValue", True, ("register",), "must be a mapping with tolerance_wh, max_power_w and step_wh"),
        ("meterValue", {"tolerance": 5}, ("register", "tolerance"), "(did you mean tolerance_wh?)"),
        ("meterValue", {"tolerance_wh": -5}, ("register", "tolerance_wh"), "must not be negative"),
        ("meterValue", {"max_power_w": "5"}, ("register", "max_power_w"), "must be a finite number"),
    ],
)
def test_what_is_no_test_of_registers(path: str, argument: object, where: tuple[str, ...], complaint: str) -> None:
    with pytest.raises(RuleError) as refusal:
        compile_field({"path": path, "register": argument}, (EVENT,), EVENT, VOCABULARY, ("fields", 0))

    assert refusal.value.where == ("fields", 0, *where)
    assert complaint in str(refusal.value)
