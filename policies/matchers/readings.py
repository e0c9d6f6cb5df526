"""Energy registers in meter values, as either version writes them, in Wh or varh."""

from collections.abc import Mapping
from typing import Any, Final

from policies.matchers.numbers import number_in

REGISTER: Final = "Energy.Active.Import.Register"
"""What a sampled value is without a measurand, in either version."""
REGISTERS: Final = frozenset(
    {REGISTER, "Energy.Active.Export.Register", "Energy.Reactive.Import.Register", "Energy.Reactive.Export.Register"}
)
MULTIPLIER_MAX: Final = 12
"""The power of ten of a unit, either way: a watt-hour in terawatt-hours."""

OUTLET: Final = "Outlet"
_WH: Final = "Wh"
_UNITS: Final = {_WH: 1.0, "kWh": 1000.0, "wh": 1.0, "kwh": 1000.0, "mwh": 1_000_000.0, "varh": 1.0, "kvarh": 1000.0}
_SIGNED: Final = "SignedData"
"""1.6: the value is a signed record, not a number."""

Register = tuple[str, str, str | None]
"""Measurand, location, phase: what goes on counting by itself."""


def register_of(sample: Mapping[str, Any]) -> Register | None:
    """Return which register a sampled value is of; None for anything else, and for a signed record of 1.6."""
    measurand = sample.get("measurand", REGISTER)
    if measurand not in REGISTERS or sample.get("format") == _SIGNED:
        return None
    return measurand, sample.get("location", OUTLET), sample.get("phase")


def reading_of(sample: Mapping[str, Any]) -> float | None:
    """Return a sampled value in Wh or varh: 2.0.1 has unitOfMeasure with a power of ten, 1.6 a unit.

    None for what isn't a number, and for a unit that isn't one of energy.
    """
    value, measure = number_in(sample.get("value")), sample.get("unitOfMeasure")
    name, multiplier = sample.get("unit", _WH), 0
    if measure is not None:
        name, multiplier = measure.get("unit", _WH), measure.get("multiplier", 0)
    unit = _UNITS.get(name) or _UNITS.get(name.strip().lower())
    if value is None or unit is None or abs(multiplier) > MULTIPLIER_MAX:
        return None
    return value * unit * 10.0**multiplier if multiplier else value * unit
