"""``register``: whether what a meter counts is plausible against what it said before.

A register never falls within a transaction, isn't negative beyond the tolerance (a meter at rest drifts) or beyond what
counts exactly, and grows no faster than power allows. What was plausible is remembered per station, in
``Surroundings.memory.registers``; what wasn't is not, so that a lie doesn't become what the next one is measured by.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

from policies.matchers.arguments import Where, amount, keys_of
from policies.matchers.predicates import Marks, Predicate
from policies.matchers.readings import OUTLET, REGISTER, REGISTERS, Register, reading_of, register_of
from policies.matchers.timestamps import seconds
from policies.vocabulary import Field
from policies.words import RuleError, Surroundings, Target

TRACKS_MAX: Final = 256
"""Registers that are remembered for one station and rule; the one that was heard of least recently goes first."""
ENDED_MAX: Final = 8
"""Ended transactions of which they are: for what is said once more, or late. A station would have as many as fit else,
75 KiB of them, whether it is here or not."""
AHEAD_MAX: Final = 86_400.0
"""Seconds that a reading may be ahead of the time here: a later one would keep all others from being compared."""
STEADY_MAX: Final = TRACKS_MAX // 2
"""Registers up to which it doesn't matter yet which was heard of least recently."""
REGISTER_MAX: Final = 2.0**53
"""Wh or varh: beyond it not every JSON reader takes the same number, and no translation writes one."""
GRANULARITY: Final = 1.0
"""Seconds that timestamps may be short of: most are whole ones."""

_STOP: Final = "meterStop"
_OF_THE_END: Final = ("transactionData", _STOP)
"""What StopTransaction has."""
_NAMES: Final = ("meterValue", *_OF_THE_END)
_IN_WH: Final = {"unit": "Wh"}
"""unitOfMeasure of a value that is in Wh as it stands."""
_HOUR: Final = 3600.0

Track = tuple[object, Register]
"""A transaction, or the place where there is none, and a register there."""
Account = tuple[float, float, float, float, float]
"""What is kept of a register: the time of its last reading, in seconds since 1970; the least value of that time (Wh or
varh), and the greatest so far; time and value of its first reading, so that no tolerance adds up."""


class Accounts(dict[Track, Account]):
    """What one rule remembers of one station."""

    __slots__ = ("ended",)

    def __init__(self) -> None:
        super().__init__()
        self.ended: dict[object, None] = {}
        """The transactions that have ended, the first one first."""


_METER: Final[Register] = (REGISTER, OUTLET, None)
_NOTHING: Final = Accounts()
_ENDED: Final = "Ended"
_TIME_AND_VALUE: Final = itemgetter(0, 1)

_NOT_READ: Final = (0.0, -math.inf, _METER)
"""In place of a reading without a time or a number: as little plausible as a negative one."""
_OF_NO_TRANSACTION: Final = frozenset({None, 0, -1})
"""transactionId by which some charge points of 1.6 say that there is none: connectors have meters of their own."""


@dataclass(frozen=True, slots=True)
class _Register:
    """The test of one path. It takes the whole payload: the transaction stands beside the meter values."""

    name: str
    tolerance: float
    """Wh."""
    power: float | None
    """W; None: any."""
    step: float
    """Wh by which it may run ahead of that power, over all readings of a track."""
    key: str
    """What the rule asks for, and where: the same after a reload."""

    def is_plausible(self, payload: Mapping[str, Any], surroundings: Surroundings) -> bool:
        """Return whether all readings are plausible; then they are remembered, unless one only looks.

        First what nearly every event says, in one go: one register, in Wh, later than before, risen by little.
        """
        known: Accounts | None = surroundings.memory.registers.get(self.key)
        info = payload.get("transactionInfo")
        if info is not None and known is not None and len(known) <= STEADY_MAX and surroundings.remembers:
            found, moment, count = None, None, 0
            for each in payload[self.name]:
                for sample in each["sampledValue"]:
                    if "measurand" not in sample or sample["measurand"] in REGISTERS:
                        found, moment, count = sample, seconds(each["timestamp"]), count + 1
            if found is None:
                return self._is_plausible(payload, surroundings) if self.is_of_the_end(payload) else True
            track = (
                info["transactionId"],
                (found.get("measurand", REGISTER), found.get("location", OUTLET), found.get("phase")),
            )
            before, value = known.get(track), found["value"]
            if (
                count == 1
                and before is not None
                and moment is not None
                and before[0] < moment <= surroundings.now() + AHEAD_MAX
                and before[2] <= value <= min(before[4] + self.step, REGISTER_MAX)
                and found.get("unitOfMeasure", _IN_WH) == _IN_WH
                and payload.get("eventType") != _ENDED
                and track[0] not in known.ended
            ):
                known[track] = moment, value, value, before[3], before[4]
                return True
        return self._is_plausible(payload, surroundings)

    def _is_plausible(self, payload: Mapping[str, Any], surroundings: Surroundings) -> bool:
        transaction = _transaction(payload)
        known: Accounts = surroundings.memory.registers.get(self.key, _NOTHING)
        heard: dict[Track, Account] = {}
        latest = surroundings.now() + AHEAD_MAX
        for moment, value, register in self._readings(payload):
            if not -self.tolerance <= value <= REGISTER_MAX or moment > latest:
                return False
            track = (transaction, register)
            before = heard.get(track) or known.get(track)
            if before is None:
                heard[track] = (moment, value, value, moment, value)
            elif moment < before[0]:
                if self._leaps_behind(track, before, moment, value):
                    return False
            elif not self._follows(track, before, moment, value):
                return False
            else:
                heard[track] = _continued(track, before, moment, value)
        is_over = self.is_of_the_end(payload)
        if surroundings.remembers and (heard or (is_over and known)):
            if known is _NOTHING:
                known = surroundings.memory.registers[self.key] = Accounts()
            _remember(known, heard)
            _note_end(known, transaction, is_over=is_over)
        return True

    def is_of_the_end(self, payload: Mapping[str, Any]) -> bool:
        """Return whether the message is the last one of its transaction."""
        return self.name in _OF_THE_END or payload.get("eventType") == _ENDED

    def is_missing(self, payload: Mapping[str, Any], surroundings: Surroundings) -> None:
        """The message doesn't have the field: a transaction may end without."""
        known: Accounts | None = surroundings.memory.registers.get(self.key)
        if known is not None and surroundings.remembers and self.is_of_the_end(payload):
            _note_end(known, _transaction(payload), is_over=True)

    def _readings(self, payload: Mapping[str, Any]) -> list[tuple[float, float, Register]]:
        """Return time, value and register of each reading, in the order of time; what can't be read as _NOT_READ."""
        if self.name == _STOP:
            moment = seconds(payload["timestamp"])
            return [(moment, payload[_STOP], _METER) if moment is not None else _NOT_READ]
        found = []
        for each in payload[self.name]:
            for sample in each["sampledValue"]:
                # Asked here too: most sampled values are of something else.
                if sample.get("measurand", REGISTER) in REGISTERS and (register := register_of(sample)) is not None:
                    moment, value = seconds(each["timestamp"]), reading_of(sample)
                    found.append(_NOT_READ if moment is None or value is None else (moment, value, register))
        if len(found) > 1:
            found.sort(key=_TIME_AND_VALUE)
        return found

    def _follows(self, track: Track, before: Account, moment: float, value: float) -> bool:
        then, least, most, beginning, first = before
        if _is_transaction(track) and value < (least if moment == then else most) - self.tolerance:
            return False
        if self.power is None or not track[1][0].startswith("Energy.Active."):
            return True
        power, grace = self.power / _HOUR, self.step
        return (
            value - most <= power * (moment - then + GRANULARITY) + grace
            and value - first <= power * (moment - beginning + GRANULARITY) + grace
        )

    def _leaps_behind(self, track: Track, before: Account, moment: float, value: float) -> bool:
        """Return whether a reading of an earlier time is beyond all that came later: one time is a lie, or the value.

        A clock that was set back goes on counting, so an hour of the power is allowed.
        """
        if self.power is None or not _is_transaction(track) or not track[1][0].startswith("Energy.Active."):
            return False
        behind = min(before[0] - moment, _HOUR) + GRANULARITY
        return value - before[2] > self.power / _HOUR * behind + self.step


def _continued(track: Track, before: Account, moment: float, value: float) -> Account:
    """Return the account after a plausible reading.

    Of one time the least value is kept, so that the same message is plausible once more. A register that fell between
    transactions is another meter, and begins anew.
    """
    then, least, most, beginning, first = before
    if moment == then:
        return then, min(least, value), max(most, value), beginning, first
    if value < most and not _is_transaction(track):
        return moment, value, value, moment, value
    return moment, value, max(most, value), beginning, first


def _is_transaction(track: Track) -> bool:
    return not isinstance(track[0], tuple)


def _remember(known: Accounts, heard: dict[Track, Account]) -> None:
    for track, reading in heard.items():
        known.pop(track, None)
        known[track] = reading
    while len(known) > TRACKS_MAX:
        del known[next(iter(known))]


def _note_end(known: Accounts, transaction: object, *, is_over: bool) -> None:
    """Forget the registers of the transaction that ended first, if more have. One that goes on after all is running."""
    known.ended.pop(transaction, None)
    if not is_over:
        return
    known.ended[transaction] = None
    if len(known.ended) > ENDED_MAX:
        first = next(iter(known.ended))
        del known.ended[first]
        for track in [each for each in known if each[0] == first]:
            del known[track]


def _transaction(payload: Mapping[str, Any]) -> object:
    """Return the transactionId of a payload; without one ``(connector,)``: MeterValues between transactions."""
    info = payload.get("transactionInfo")
    if info is not None:
        return info["transactionId"]
    found = payload.get("transactionId")
    return (payload.get("evseId", payload.get("connectorId")),) if found in _OF_NO_TRANSACTION else found


def compile_register(argument: object, field: Field, target: Target, where: Where, *, is_wanted: bool) -> Predicate:
    """``register``: meter values, or ``meterStop`` of 1.6, are plausible.

    The test takes the whole payload, and holds when the field is there and plausible, or with ``is_wanted=False`` there
    and not plausible.
    """
    keys = keys_of(argument, ("tolerance_wh", "max_power_w", "step_wh"), where)
    tolerance = float(amount(keys.get("tolerance_wh", 0), (*where, "tolerance_wh")))
    power = float(amount(keys["max_power_w"], (*where, "max_power_w"))) if "max_power_w" in keys else None
    step = float(amount(keys.get("step_wh", tolerance), (*where, "step_wh")))
    name = field.path
    if name not in _NAMES:
        raise RuleError(where, f"`register` is for {', '.join(_NAMES)}; {field}")
    key = f"{target.stage.value} {target.protocol} {tolerance} {power} {step}"
    register = _Register(name, tolerance, power, step, key)

    def is_there(yes: int, no: int) -> Marks:
        plausible, doubtful = (yes, no) if is_wanted else (no, yes)

        def marks(payload: Mapping[str, Any], surroundings: Surroundings) -> int:
            if name in payload:
                return plausible if register.is_plausible(payload, surroundings) else doubtful
            register.is_missing(payload, surroundings)
            return no

        return marks

    return Predicate(is_there)
