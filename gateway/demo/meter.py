"""The station's energy meter, and the ways in which OCPP 2.0.1 lets it be told."""

from dataclasses import dataclass
from typing import Any, Final

REGISTER: Final = "Energy.Active.Import.Register"


@dataclass(frozen=True, slots=True)
class Spelling:
    """One way to write the register: number x 10^multiplier in a unit. The default unit is Wh."""

    wh_per_digit: int
    unit: str | None = None
    multiplier: int | None = None

    def unit_of_measure(self) -> dict[str, Any] | None:
        """Return UnitOfMeasureType, or None where the defaults say it all."""
        parts = {"unit": self.unit, "multiplier": self.multiplier}
        return {name: value for name, value in parts.items() if value is not None} or None


SPELLINGS: Final = (
    Spelling(1000, unit="kWh"),
    Spelling(1000, unit="Wh", multiplier=3),
    Spelling(1),
    Spelling(1, unit="kWh", multiplier=-3),
)
"""Four that mean the same: 1234.567 kWh, 1234.567 x 10^3 Wh, 1234567 (Wh), 1234567 x 10^-3 kWh."""


class Meter:
    """Counts energy in whole Wh; it never counts backwards."""

    def __init__(self, register: int) -> None:
        self.register = register

    def __repr__(self) -> str:
        return f"<Meter {self.register} Wh>"

    def deliver(self, energy: int) -> None:
        """Count ``energy`` Wh more. Raises ValueError for less than nothing."""
        if energy < 0:
            raise ValueError(f"a meter can't count {energy} Wh")
        self.register += energy

    def sampled_value(self, context: str, spelling: Spelling) -> dict[str, Any]:
        """Return a SampledValueType (keys as `ocpp` wants them) of the register."""
        exact = self.register % spelling.wh_per_digit == 0
        value = self.register // spelling.wh_per_digit if exact else self.register / spelling.wh_per_digit
        sample: dict[str, Any] = {"value": value, "context": context, "measurand": REGISTER, "location": "Outlet"}
        unit = spelling.unit_of_measure()
        return sample if unit is None else sample | {"unit_of_measure": unit}
