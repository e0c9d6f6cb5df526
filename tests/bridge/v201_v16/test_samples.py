"""Meter values as tables: numbers, units, measurands, and the energy register in Wh."""

import json
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bridge.books import Json
from gateway.bridge.ports import Note
from gateway.bridge.v201_v16.samples import (
    MEASURANDS,
    Registers,
    decimal_text,
    measured,
)
from gateway.wire.errors import CallError, ErrorCode

AT = "2026-05-01T08:00:00Z"
unheard = dict[str, str]().__setitem__
"""Takes notes that the test doesn't read."""


def sample(value: float, unit: str | None = None, multiplier: int | None = None, **more: Any) -> Json:
    measure = {"unit": unit, "multiplier": multiplier}
    given_measure = {name: part for name, part in measure.items() if part is not None}
    return {"value": value, **({"unitOfMeasure": given_measure} if given_measure else {}), **more}


def sampled_values(raw: Json, note: Note = unheard) -> list[Json]:
    """Return what becomes of one sample."""
    values = measured([{"timestamp": AT, "sampledValue": [raw]}], note)[0]
    assert [list(each) for each in values] == [["timestamp", "sampledValue"]] * len(values)
    return values[0]["sampledValue"] if values else []


def register(raw: Json) -> int | None:
    """Return the register that one sample says."""
    return measured([{"timestamp": AT, "sampledValue": [raw]}], unheard)[1].last


@pytest.mark.parametrize(
    ("raw", "wh"),
    [
        (sample(1234), 1234),
        (sample(1234.5), 1235),
        (sample(1234.4999), 1234),
        (sample(2.5), 3),
        (sample(0), 0),
        (sample(1.2345, "kWh"), 1235),
        (sample(0.1 + 0.2, "kWh"), 300),
        (sample(1.0005, "kWh"), 1001),
        (sample(12, "Wh", 3), 12000),
        (sample(12345, "kWh", -3), 12345),
        (sample(1.5, None, 2), 150),
        (sample(7, "KWH"), 7000),
        (sample(5, measurand="Energy.Active.Import.Register"), 5),
        (sample(5, location="Outlet"), 5),
        (sample(5, location="Inlet"), None),
        (sample(5, phase="L1"), None),
        (sample(5, measurand="Energy.Active.Export.Register"), None),
        (sample(5, measurand="Voltage"), None),
        (sample(5, "J"), None),
        (sample(2**53), 2**53),
        (sample(9e15, "Wh"), 9 * 10**15),
    ],
)
def test_the_register_in_whole_wh(raw: Json, wh: int | None) -> None:
    assert register(raw) == wh


@pytest.mark.parametrize(
    "raw",
    [
        sample(2**53 + 1),
        sample(-(2**53) - 1),
        sample(1e300),
        sample(1, "kWh", 30),
        sample(1, None, 31),
        sample(1, None, -31),
    ],
)
def test_an_energy_that_no_meter_counts(raw: Json) -> None:
    with pytest.raises(CallError) as refused:
        register(raw)

    assert refused.value.code is ErrorCode.PROPERTY_CONSTRAINT_VIOLATION


@given(st.integers(0, 10**12), st.integers(-6, 3), st.sampled_from(["Wh", "kWh"]))
def test_no_watt_hour_is_lost_in_a_float(wh: int, multiplier: int, unit: str) -> None:
    exponent = multiplier + (3 if unit == "kWh" else 0)
    value = float(Decimal(wh).scaleb(-exponent))

    assert register(sample(value, unit, multiplier)) == wh


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("1E+3"), "1000"),
        (Decimal("100.0"), "100"),
        (Decimal("0.10"), "0.1"),
        (Decimal("1E-7"), "0.0000001"),
        (Decimal("-0.0"), "0"),
        (Decimal("-12.50"), "-12.5"),
    ],
)
def test_numbers_are_written_without_exponent(value: Decimal, text: str) -> None:
    assert decimal_text(value) == text


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (sample(230.1, "V", measurand="Voltage", phase="L1-N"), {"value": "230.1", "unit": "V"}),
        (sample(16, measurand="Current.Import"), {"value": "16"}),
        (sample(11, "kW", measurand="Power.Active.Import"), {"value": "11", "unit": "kW"}),
        (sample(11, "W", 3, measurand="Power.Active.Import"), {"value": "11000", "unit": "W"}),
        (sample(50.01, "Hz", measurand="Frequency"), {"value": "50.01"}),
        (sample(80, "Percent", measurand="SoC"), {"value": "80", "unit": "Percent"}),
        (sample(80, "%", measurand="SoC"), {"value": "80"}),
        (sample(1.5, "kvarh", measurand="Energy.Reactive.Import.Register"), {"value": "1.5", "unit": "kvarh"}),
        (sample(1e-7, "kWh"), {"value": "0.0000001", "unit": "kWh"}),
        (sample(1500), {"value": "1500", "unit": "Wh"}),
        (sample(1500, context="Trigger", location="Inlet"), {"value": "1500", "unit": "Wh"}),
    ],
)
def test_a_sample_keeps_its_words_and_gets_a_unit_of_1_6(raw: Json, expected: Json) -> None:
    same: Json = {name: raw[name] for name in ("context", "measurand", "phase", "location") if name in raw}

    assert sampled_values(raw) == [{**expected, **same}]


@pytest.mark.parametrize(
    "raw",
    [
        sample(1, measurand="Energy.Active.Net"),
        sample(1, measurand="Energy.Reactive.Net"),
        sample(1, measurand="Energy.Apparent.Net"),
        sample(1, measurand="Energy.Apparent.Import"),
        sample(1, measurand="Energy.Apparent.Export"),
        sample(1, "J"),
        sample(1, "MWh", measurand="Energy.Active.Import.Interval"),
    ],
)
def test_what_1_6_would_misread_is_left_out(raw: Json) -> None:
    assert sampled_values(raw) == []


@pytest.mark.parametrize(
    ("raw", "topic"),
    [
        (sample(1), None),
        (sample(1, "kwh"), None),
        (sample(50, "Hz", measurand="Frequency"), None),
        (sample(50, measurand="Frequency"), None),
        (sample(0.9, measurand="Power.Factor"), None),
        (sample(1, measurand="Energy.Apparent.Import"), "measurand"),
        (sample(1, "MWh"), "energy-unit"),
        (sample(1, "mA", measurand="Current.Import"), "unit"),
        (sample(1, "ppm", measurand="Frequency"), "unit"),
    ],
)
def test_what_1_6_can_not_say_is_noted(raw: Json, topic: str | None) -> None:
    notes: dict[str, str] = {}
    sampled_values(raw, notes.__setitem__)

    assert list(notes) == ([] if topic is None else [topic])


def test_a_signed_value_stands_beside_the_plain_one() -> None:
    signed = {"signedMeterData": "OCMF|{}|{}", "signingMethod": "", "encodingMethod": "OCMF", "publicKey": ""}

    assert sampled_values(sample(1500, "Wh", context="Transaction.End", signedMeterValue=signed)) == [
        {"value": "1500", "unit": "Wh", "context": "Transaction.End", "format": "Raw"},
        {"value": json.dumps(signed), "unit": "Wh", "context": "Transaction.End", "format": "SignedData"},
    ]


def test_every_measurand_and_unit_is_one_of_1_6(fits: Callable[..., Json]) -> None:
    units = ["Wh", "kWh", "varh", "kvarh", "W", "kW", "VA", "kVA", "var", "kvar", "A", "V", "K", "Celsius", "Percent"]
    raw = [sample(1, unit, measurand=measurand) for measurand in sorted(MEASURANDS) for unit in [*units, "Fahrenheit"]]

    values = measured([{"timestamp": AT, "sampledValue": raw}], unheard)[0]

    assert len(values[0]["sampledValue"]) == len(raw)
    fits("v16", "MeterValues", {"connectorId": 1, "meterValue": values})
    stop = {"transactionId": 1, "meterStop": 0, "timestamp": AT, "transactionData": values}
    fits("v16", "StopTransaction", stop)


def test_elements_without_any_sample_are_left_out() -> None:
    values = [
        {"timestamp": "2026-05-01T10:00:00+02:00", "sampledValue": [sample(1, "V", measurand="Voltage")]},
        {"timestamp": AT, "sampledValue": [sample(1, measurand="Energy.Active.Net")]},
    ]

    assert measured(values, unheard)[0] == [
        {"timestamp": AT, "sampledValue": [{"value": "1", "measurand": "Voltage", "unit": "V"}]}
    ]


def test_a_time_that_is_read_already_is_taken_and_any_other_is_read() -> None:
    times = [AT, "2026-05-01T10:00:00.5+02:00", AT]
    values = [{"timestamp": at, "sampledValue": [sample(wh)]} for wh, at in enumerate(times)]

    found, registers = measured(values, unheard, AT)

    assert [each["timestamp"] for each in found] == [AT, "2026-05-01T08:00:00.500Z", AT]
    assert registers.last == 1
    with pytest.raises(CallError, match=r"meterValue\.timestamp"):
        measured([{"timestamp": "noon", "sampledValue": [sample(1)]}], unheard, AT)


def test_a_bad_timestamp_is_refused() -> None:
    with pytest.raises(CallError, match=r"meterValue\.timestamp"):
        measured([{"timestamp": "noon", "sampledValue": [sample(1)]}], unheard)


@given(
    st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.floats(-1e6, 1e6), st.integers(-(10**40), 10**40)),
    st.integers(-30, 30) | st.none(),
    st.sampled_from([None, "Wh", "kWh"]),
)
def test_a_number_is_written_and_counted_as_the_decimal_that_it_is(
    value: float, multiplier: int | None, unit: str | None
) -> None:
    raw, number = sample(value, unit, multiplier), Decimal(str(value)).scaleb(multiplier or 0)
    wh = number.scaleb(3 if unit == "kWh" else 0)

    assert sampled_values({**raw, "phase": "L1"})[0]["value"] == decimal_text(number)
    if abs(wh) <= 2**53:
        assert register(raw) == int(wh.quantize(Decimal(1), rounding=ROUND_HALF_UP))
    else:
        with pytest.raises(CallError, match="no energy that a meter counts"):
            register(raw)


def test_the_registers_of_a_message_are_read_by_their_time() -> None:
    def at(second: int, *samples: Json) -> Json:
        return {"timestamp": f"2026-05-01T08:00:{second:02}Z", "sampledValue": list(samples)}

    values = [
        at(30, sample(1300, context="Transaction.End"), sample(9, measurand="Voltage")),
        at(10, sample(1.0, "kWh", context="Transaction.Begin")),
        at(20, sample(1200, context="Sample.Clock")),
    ]

    assert measured(values, unheard)[1] == Registers(1000, "2026-05-01T08:00:10Z", 1300, 1000, 1300)
    assert measured(values[2:], unheard)[1] == Registers(first=1200, last=1200)
    assert measured([at(1, sample(9, measurand="Voltage"))], unheard)[1] == Registers()
