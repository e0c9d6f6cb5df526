"""Energy registers in meter values, as either version writes them, in Wh or varh."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from policies.matchers.numbers import number_in

REGISTER: Final = "Energy.Active.Import.Register"
"""What a sampled value is without a measurand, in either version."""
REGISTERS: Final = frozenset(
    {REGISTER, "Energy.Active.Export.Register", "Energy.Reactive.Import.Register", "Energy.Reactive.Export.Register"}
)
MULTIPLIER_MAX: Final = 12
"""The power of ten of a unit, either way: a watt-hour in terawatt-hours."""

_OUTLET: Final = "Outlet"
_UNITS: Final = {"wh": 1.0, "kwh": 1000.0, "mwh": 1_000_000.0, "varh": 1.0, "kvarh": 1000.0}
_SIGNED: Final = "SignedData"
"""1.6: the value is a signed record, not a number."""

Register = tuple[str, str, str | None]
"""Measurand, location, phase: what goes on counting by itself."""


def registers_in(samples: list[Mapping[str, Any]]) -> Iterator[tuple[Register, float | None]]:
    """Yield the registers of one MeterValue; None for one that can't be read."""
    for sample in samples:
        measurand = sample.get("measurand", REGISTER)
        if measurand in REGISTERS and sample.get("format") != _SIGNED:
            register = (measurand, sample.get("location", _OUTLET), sample.get("phase"))
            yield register, _in_hours(sample)


def _in_hours(sample: Mapping[str, Any]) -> float | None:
    """Return a sampled value in Wh or varh: 2.0.1 has unitOfMeasure with a power of ten, 1.6 a unit."""
    value, measure = number_in(sample.get("value")), sample.get("unitOfMeasure")
    if value is None:
        return None
    if measure is None:
        unit = _UNITS.get(sample.get("unit", "Wh").lower())
        return None if unit is None else value * unit
    multiplier, unit = measure.get("multiplier", 0), _UNITS.get(measure.get("unit", "Wh").strip().lower())
    if unit is None or abs(multiplier) > MULTIPLIER_MAX:
        return None
    return float(value * unit * 10.0**multiplier)
