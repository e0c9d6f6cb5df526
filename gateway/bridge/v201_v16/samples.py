"""Meter values as pure functions (OCPP 2.0.1 block J): samples for 1.6, and the energy register in whole Wh."""

import json
from collections.abc import Iterable, Sequence
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
_BY_SMALL_NAME: Final = {unit.casefold(): unit for unit in UNITS}
_IMPLIED: Final = {"Frequency": frozenset({"hz", "hertz"})}
"""Units that 1.6 has no word for and needs none, by measurand."""
_ENERGY_EXPONENTS: Final = {"wh": 0, "kwh": 3}


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


def meter_values(values: Iterable[Json], note: Note) -> list[Json]:
    """Translate MeterValue elements; samples of measurands that 1.6 doesn't know are left out, empty elements too.

    What can't be said in 1.6 goes to ``note``. Raises :class:`CallError` for a timestamp or a number that can't be.
    """
    translated = []
    for value in values:
        timestamp = utc(value["timestamp"], "meterValue.timestamp")
        samples = [sample for raw in value["sampledValue"] for sample in sampled_values(raw, note)]
        if samples:
            translated.append({"timestamp": timestamp, "sampledValue": samples})
    return translated


def sampled_values(sample: Json, note: Note) -> list[Json]:
    """Translate one SampledValue: to one, or to two where the meter signed it.

    To none where 1.6 has no such measurand, or where it would read an energy of unknown unit as Wh. Without a unit
    that 1.6 knows, any other value goes without one.
    """
    measurand: str = sample.get("measurand", REGISTER)
    if measurand not in MEASURANDS:
        note("measurand", f"samples of {measurand} are left out: 1.6 has no such measurand")
        return []
    unit = _unit(sample)
    if unit is None and measurand.startswith("Energy."):
        note("energy-unit", f"samples of {measurand} are left out: 1.6 would read their unit as Wh")
        return []
    if unit is None and _is_lost(sample, measurand):
        note("unit", f"samples of {measurand} go without a unit: 1.6 doesn't know theirs")
    context: Json = {name: sample[name] for name in ("context", "measurand", "phase", "location") if name in sample}
    raw: Json = {"value": decimal_text(_scaled(sample)), **context}
    if unit is not None:
        raw["unit"] = unit
    signed = sample.get("signedMeterValue")
    if signed is None:
        return [raw]
    return [{**raw, "format": "Raw"}, {**raw, "format": "SignedData", "value": _signed_text(signed)}]


def registers(values: Sequence[Json]) -> Registers:
    """Return what the energy register of the EVSE's outlet says in ``values``.

    Raises :class:`CallError` for a timestamp or a number that can't be.
    """
    found: list[tuple[str, str, int]] = []
    for value in values:
        timestamp = utc(value["timestamp"], "meterValue.timestamp")
        for sample in value["sampledValue"]:
            wh = register(sample)
            if wh is not None:
                found.append((timestamp, sample.get("context", "Sample.Periodic"), wh))
    if not found:
        return Registers()
    found.sort(key=lambda reading: in_order(reading[0]))
    begins = [(at, wh) for at, context, wh in found if context == "Transaction.Begin"]
    ends = [wh for _, context, wh in found if context == "Transaction.End"]
    begin_at, begin = begins[0] if begins else (None, None)
    return Registers(begin, begin_at, ends[-1] if ends else None, first=found[0][2], last=found[-1][2])


def register(sample: Json) -> int | None:
    """Return the energy register in whole Wh, rounded half up, when ``sample`` is one and in a known unit.

    Raises :class:`CallError` PropertyConstraintViolation for a value that no meter has.
    """
    if sample.get("measurand", REGISTER) != REGISTER or "phase" in sample:
        return None
    exponent = _ENERGY_EXPONENTS.get(sample.get("unitOfMeasure", {}).get("unit", "Wh").casefold())
    if sample.get("location", "Outlet") != "Outlet" or exponent is None:
        return None
    wh = _scaled(sample).scaleb(exponent)
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


def _scaled(sample: Json) -> Decimal:
    """Return value x 10^multiplier as the decimal number that the station wrote."""
    multiplier: int = sample.get("unitOfMeasure", {}).get("multiplier", 0)
    if abs(multiplier) > MULTIPLIER_MAX:
        raise CallError(ErrorCode.PROPERTY_CONSTRAINT_VIOLATION, f"unitOfMeasure.multiplier is beyond {MULTIPLIER_MAX}")
    number = Decimal(str(sample["value"]))
    return number.scaleb(multiplier) if multiplier else number


def _unit(sample: Json) -> str | None:
    """Return the unit for 1.6. Where the station names none, energy is in Wh and anything else needs no unit."""
    unit: str | None = sample.get("unitOfMeasure", {}).get("unit")
    if unit is None:
        return "Wh" if sample.get("measurand", REGISTER).startswith("Energy.") else None
    return _BY_SMALL_NAME.get(unit.casefold())


def _is_lost(sample: Json, measurand: str) -> bool:
    """True where the station names a unit that 1.6 has no word for, and needs one."""
    unit = sample.get("unitOfMeasure", {}).get("unit")
    return unit is not None and unit.casefold() not in _IMPLIED.get(measurand, ())
