"""The meter, and that all its spellings mean the same energy."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.demo.meter import SPELLINGS, Meter, Spelling


@pytest.mark.parametrize(
    ("spelling", "value", "unit_of_measure"),
    [
        (SPELLINGS[0], 1234.567, {"unit": "kWh"}),
        (SPELLINGS[1], 1234.567, {"unit": "Wh", "multiplier": 3}),
        (SPELLINGS[2], 1234567, None),
        (SPELLINGS[3], 1234567, {"unit": "kWh", "multiplier": -3}),
    ],
)
def test_how_a_register_is_told(spelling: Spelling, value: float, unit_of_measure: dict[str, object] | None) -> None:
    sample = Meter(1_234_567).sampled_value("Sample.Periodic", spelling)

    assert sample["value"] == value
    assert sample.get("unit_of_measure") == unit_of_measure
    assert (sample["context"], sample["measurand"]) == ("Sample.Periodic", "Energy.Active.Import.Register")


@given(st.integers(0, 10**12), st.sampled_from(SPELLINGS))
def test_no_spelling_loses_a_wh_on_the_wire(register: int, spelling: Spelling) -> None:
    sample = json.loads(json.dumps(Meter(register).sampled_value("Transaction.End", spelling)))

    unit = sample.get("unit_of_measure", {})
    wh = sample["value"] * {"Wh": 1, "kWh": 1000}[unit.get("unit", "Wh")] * 10 ** unit.get("multiplier", 0)
    assert round(wh) == register


def test_it_counts_up_only() -> None:
    meter = Meter(100)

    meter.deliver(7)

    assert meter.register == 107
    assert repr(meter) == "<Meter 107 Wh>"
    with pytest.raises(ValueError, match="-1 Wh"):
        meter.deliver(-1)
