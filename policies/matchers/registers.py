"""``register``: whether what a meter counts is plausible against what it said before.

A register never falls within a transaction, is never negative, and grows no faster than power allows. What was
plausible is remembered per station, in ``Surroundings.memory.registers``; what wasn't is not, so that a lie doesn't
become what the next one is measured by.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from policies.matchers.arguments import Where, amount, keys_of
from policies.matchers.predicates import Marks, Predicate
from policies.matchers.readings import OUTLET, REGISTER, Register, reading_of, register_of
from policies.matchers.timestamps import seconds
from policies.vocabulary import Field
from policies.words import RuleError, Surroundings, Target

TRACKS_MAX: Final = 256
"""Registers that are remembered for one station and rule; the one that was heard of least recently goes first."""
AHEAD_MAX: Final = 86_400.0
"""Seconds that a reading may be ahead of the time here: a later one would keep all others from being compared."""
GRANULARITY: Final = 1.0
"""Seconds that timestamps may be short of: most are whole ones."""

_STOP: Final = "meterStop"
_NAMES: Final = ("meterValue", "transactionData", _STOP)
_HOUR: Final = 3600.0

Track = tuple[object, Register]
"""A transaction, or the place where there is none, and a register there."""
Readings = dict[Track, tuple[float, float]]
"""Time in seconds since 1970, and Wh or varh."""
Reading = tuple[float | None, Register, float | None]
"""The same as a message has it, and of which register; None for what can't be read."""

_METER: Final[Register] = (REGISTER, OUTLET, None)
_NOTHING: Final[Readings] = {}


@dataclass(frozen=True, slots=True)
class _Register:
    """The test of one path. It takes the whole payload: the transaction stands beside the meter values."""

    name: str
    tolerance: float
    """Wh."""
    power: float | None
    """W; None: any."""
    key: str
    """What the rule asks for, and where: the same after a reload."""

    def is_plausible(self, payload: Mapping[str, Any], surroundings: Surroundings) -> bool:
        transaction = _transaction(payload)
        known: Readings = surroundings.memory.registers.get(self.key, _NOTHING)
        heard: Readings = {}
        latest = surroundings.now() + AHEAD_MAX
        for moment, register, value in self._readings(payload):
            if moment is None or value is None or value < 0 or moment > latest:
                return False
            track = (transaction, register)
            before = heard.get(track) or known.get(track)
            if before is not None:
                if moment < before[0]:
                    continue
                if not self._follows(register, transaction, before, (moment, value)):
                    return False
            heard[track] = (moment, value)
        if heard and surroundings.remembers:
            _remember(surroundings.memory.registers.setdefault(self.key, {}), heard)
        return True

    def _readings(self, payload: Mapping[str, Any]) -> list[Reading]:
        if self.name == _STOP:
            return [(seconds(payload["timestamp"]), _METER, payload[_STOP])]
        found: list[Reading] = []
        for each in payload[self.name]:
            for sample in each["sampledValue"]:
                register = register_of(sample)
                if register is not None:
                    found.append((seconds(each["timestamp"]), register, reading_of(sample)))
        return found

    def _follows(
        self, register: Register, transaction: object, before: tuple[float, float], now: tuple[float, float]
    ) -> bool:
        step = now[1] - before[1]
        if step < -self.tolerance and _is_transaction(transaction):
            return False
        if self.power is None or not register[0].startswith("Energy.Active."):
            return True
        return step <= self.power * (now[0] - before[0] + GRANULARITY) / _HOUR + self.tolerance


def _remember(known: Readings, heard: Readings) -> None:
    for track, reading in heard.items():
        known.pop(track, None)
        known[track] = reading
    while len(known) > TRACKS_MAX:
        del known[next(iter(known))]


def _transaction(payload: Mapping[str, Any]) -> object:
    """Return the transactionId of a payload; without one ``(connector,)``: MeterValues between transactions."""
    info = payload.get("transactionInfo")
    if info is not None:
        return info["transactionId"]
    found = payload.get("transactionId")
    return found if found is not None else (payload.get("evseId", payload.get("connectorId")),)


def _is_transaction(transaction: object) -> bool:
    return not isinstance(transaction, tuple)


def compile_register(argument: object, field: Field, target: Target, where: Where, *, is_wanted: bool) -> Predicate:
    """``register``: meter values, or ``meterStop`` of 1.6, are plausible.

    The test takes the whole payload, and holds when the field is there and plausible, or with ``is_wanted=False`` there
    and not plausible.
    """
    keys = keys_of(argument, ("tolerance_wh", "max_power_w"), where)
    tolerance = float(amount(keys.get("tolerance_wh", 0), (*where, "tolerance_wh")))
    power = float(amount(keys["max_power_w"], (*where, "max_power_w"))) if "max_power_w" in keys else None
    name = field.path
    if name not in _NAMES:
        raise RuleError(where, f"`register` is for {', '.join(_NAMES)}; {field}")
    key = f"{target.stage.value} {target.protocol} {tolerance} {power}"
    register = _Register(name, tolerance, power, key)

    def is_there(yes: int, no: int) -> Marks:
        return lambda payload, s: yes if name in payload and register.is_plausible(payload, s) is is_wanted else no

    return Predicate(is_there)
