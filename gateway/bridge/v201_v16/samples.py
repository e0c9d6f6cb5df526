"""Meter values as pure functions (OCPP 2.0.1 block J): samples for 1.6, and the energy register in whole Wh."""

import json
from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, NamedTuple

from gateway.bridge.books import Json
from gateway.bridge.ports import Note
from gateway.bridge.timestamps import in_order, utc
from gateway.wire.errors import CallError, ErrorCode

MULTIPLIER_MAX: Final = 30
"""Largest magnitude of unitOfMeasure.multiplier; the SI prefixes end there."""
REGISTER_MAX: Final = 2**53
"""Largest register in Wh that every JSON reader takes for the same number."""

REGISTER: Final = "Energy.Active.Import.Register"
MEASURANDS: Final = frozenset(
    {
        *(f"{kind}.{way}" for kind in ("Current", "Power.Active", "Power.Reactive") for way in ("Import", "Export")),
        *(
            f"Energy.{kind}.{way}.{form}"
            for kind in ("Active", "Reactive")
            for way in ("Import", "Export")
            for form in ("Register", "Interval")
        ),
        "Current.Offered",
        "Frequency",
        "Power.Factor",
        "Power.Offered",
        "SoC",
        "Voltage",
    }
)
"""Measurands that both versions know: Net and Apparent energies are only in 2.0.1, Temperature and RPM only in 1.6."""

UNITS: Final = (
    *("Wh", "kWh", "varh", "kvarh", "W", "kW", "VA", "kVA", "var", "kvar"),
    *("A", "V", "K", "Celsius", "Fahrenheit", "Percent"),
)
"""Units of 1.6, whose case 2.0.1 ignores. Hertz isn't among them: StopTransaction's schema refuses it, and Frequency
has no other unit."""
_BY_NAME: Final = {name: unit for unit in UNITS for name in (unit, unit.casefold())}
_IMPLIED: Final = {"Frequency": frozenset({"hz", "hertz"})}
"""Units that 1.6 has no word for and needs none, by measurand."""
_ENERGY_EXPONENTS: Final = {"Wh": 0, "kWh": 3}
_NO_MEASURE: Final[Json] = {}
_BESIDE: Final = ("context", "measurand", "phase", "location")
"""Fields of a sample that both versions have."""
_DIGITS_MAX: Final = 15
"""Digits that a number is taken by as it stands; more may need to be rounded."""


class Registers(NamedTuple):
    """The energy registers in one message, in whole Wh, None where it has none."""

    begin: int | None = None
    """With the context Transaction.Begin."""
    begin_at: str | None = None
    end: int | None = None
    """With the context Transaction.End."""
    first: int | None = None
    """The earliest of all."""
    last: int | None = None
    """The latest of all."""


_NO_REGISTERS: Final = Registers()
_Reading = tuple[str, str | None, int]
"""Time, context and Wh of one register."""


def measured(values: Iterable[Json], note: Note, known: str | None = None) -> tuple[list[Json], Registers]:
    """Read MeterValue elements, in one go; what can't be said in 1.6 goes to ``note``.

    Return the elements of 1.6, without samples of measurands that it doesn't know and without those that are empty, and
    what the energy register of the EVSE's outlet says. ``known`` is a timestamp that is as :func:`utc` writes it: most
    events have the time of what was measured. Raises :class:`CallError` for a timestamp or a number that can't be.
    """
    translated: list[Json] = []
    readings: list[_Reading] = []
    for value in values:
        timestamp: str = value["timestamp"]
        if timestamp != known:
            timestamp = utc(timestamp, "meterValue.timestamp")
        samples: list[Json] = []
        for sample in value["sampledValue"]:
            raw = sampled_value(sample, note)
            if raw is None:
                continue
            if raw.get("measurand", REGISTER) == REGISTER and (wh := _register(raw)) is not None:
                readings.append((timestamp, raw.get("context"), wh))
            signed = sample.get("signedMeterValue")
            if signed is None:
                samples.append(raw)
            else:
                text = _signed_text(signed)
                samples += {**raw, "format": "Raw"}, {**raw, "format": "SignedData", "value": text}
        if samples:
            translated.append({"timestamp": timestamp, "sampledValue": samples})
    return translated, _registers(readings) if readings else _NO_REGISTERS


def sampled_value(sample: Json, note: Note) -> Json | None:
    """Translate one SampledValue, but for what the meter signed.

    None where 1.6 has no such measurand, or where it would read an energy of unknown unit as Wh. Without a unit that
    1.6 knows, any other value goes without one. Where the station names none, energy is in Wh.
    """
    measurand: str = sample.get("measurand", REGISTER)
    if measurand not in MEASURANDS:
        note("measurand", f"samples of {measurand} are left out: 1.6 has no such measurand")
        return None
    measure: Json = sample.get("unitOfMeasure", _NO_MEASURE)
    named: str | None = measure.get("unit")
    if named is None:
        unit = "Wh" if measurand.startswith("Energy.") else None
    else:
        unit = _BY_NAME.get(named) or _BY_NAME.get(named.casefold())
        if unit is None and measurand.startswith("Energy."):
            note("energy-unit", f"samples of {measurand} are left out: 1.6 would read their unit as Wh")
            return None
        if unit is None and named.casefold() not in _IMPLIED.get(measurand, ()):
            note("unit", f"samples of {measurand} go without a unit: 1.6 doesn't know theirs")
    raw: Json = {"value": _written(sample["value"], measure.get("multiplier", 0))}
    for name in _BESIDE:
        if name in sample:
            raw[name] = sample[name]
    if unit is not None:
        raw["unit"] = unit
    return raw


def _registers(readings: list[_Reading]) -> Registers:
    """Return what readings, one at least, say of the energy register."""
    if len(readings) > 1:
        readings.sort(key=lambda reading: in_order(reading[0]))
    begin = begin_at = end = None
    for at, context, wh in readings:
        if context == "Transaction.End":
            end = wh
        elif context == "Transaction.Begin" and begin is None:
            begin, begin_at = wh, at
    return Registers(begin, begin_at, end, readings[0][2], readings[-1][2])


def _register(raw: Json) -> int | None:
    """Return the register of a sample of 1.6 in whole Wh, rounded half up, when it is the outlet's and in a known unit.

    Raises :class:`CallError` PropertyConstraintViolation for a value that no meter has.
    """
    exponent, text = _ENERGY_EXPONENTS.get(raw["unit"]), raw["value"]
    if exponent is None or "phase" in raw or raw.get("location", "Outlet") != "Outlet":
        return None
    if exponent == 0 and len(text) <= _DIGITS_MAX and text.isdecimal():
        return int(text)
    wh = Decimal(text).scaleb(exponent)
    if abs(wh) > REGISTER_MAX:
        raise CallError(ErrorCode.PROPERTY_CONSTRAINT_VIOLATION, "sampledValue.value is no energy that a meter counts")
    return int(wh.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def _signed_text(signed: Json) -> str:
    """Write SignedMeterValueType as OCA's note "Signed Meter Values" has it for 1.6: as JSON text, all of it.

    signedMeterData alone can't be verified by who doesn't know its encoding and the meter's public key.
    """
    fields = ("signedMeterData", "signingMethod", "encodingMethod", "publicKey")
    return json.dumps({name: signed[name] for name in fields if name in signed}, ensure_ascii=False)


def decimal_text(value: Decimal) -> str:
    """Write a number as 1.6 wants it: no exponent, no superfluous zeros."""
    return format(value.normalize() + 0, "f")


def _written(value: float, multiplier: int) -> str:
    """Write value x 10^multiplier as 1.6 wants it, of the decimal number that the station wrote."""
    text = str(value)
    if not multiplier and len(text) <= _DIGITS_MAX and "e" not in text and text != "-0.0":
        return text.removesuffix(".0")  # Python writes no other superfluous zero
    if abs(multiplier) > MULTIPLIER_MAX:
        raise CallError(ErrorCode.PROPERTY_CONSTRAINT_VIOLATION, f"unitOfMeasure.multiplier is beyond {MULTIPLIER_MAX}")
    number = Decimal(text)
    return decimal_text(number.scaleb(multiplier) if multiplier else number)
