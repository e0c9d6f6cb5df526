"""The values of configuration keys: the same things in other words in 1.6 and 2.0.1."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from gateway.bridge.v201_v16.samples import MEASURANDS as KNOWN_MEASURANDS
from gateway.bridge.v201_v16.samples import REGISTER


class NotSayable(ValueError):
    """A value that has no form in the other version."""


@dataclass(frozen=True, slots=True)
class Words:
    """How a value is said on either side; ``to_station`` raises :class:`NotSayable`."""

    to_backend: Callable[[str], str]
    to_station: Callable[[str], str]


_RATE_UNITS: Final = {"A": "Current", "W": "Power"}
_BOOLEANS: Final = frozenset({"true", "false"})
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}")


def items(text: str) -> list[str]:
    """Split a comma separated list; empty items are dropped."""
    return [item for item in (part.strip() for part in text.split(",")) if item]


def join(parts: Iterable[str]) -> str:
    """Write a comma separated list, every item once."""
    return ",".join(dict.fromkeys(parts))


def _same(text: str) -> str:
    return text


def _boolean(text: str) -> str:
    """1.6 ignores the case of a boolean, 2.0.1 writes it small."""
    small = text.strip().casefold()
    if small not in _BOOLEANS:
        raise NotSayable("a boolean is true or false")
    return small


def _integer(text: str) -> str:
    """A decimal number in ASCII, as the types of 1.6 have it."""
    found = _INTEGER.fullmatch(text.strip())
    if found is None:
        raise NotSayable("an integer is written in decimal digits")
    return found[0]


def _known_measurands(text: str) -> str:
    """Leave out the measurands that 1.6 doesn't know."""
    return join(item for item in items(text) if item in KNOWN_MEASURANDS)


def _measurands(text: str) -> str:
    """Leave out a phase (``Voltage.L1``): 2.0.1 always samples all phases. Temperature and RPM can't be asked for."""
    return join(_measurand(item) for item in items(text))


def _measurands_with_register(text: str) -> str:
    """The energy register is kept whatever is asked for: without it the session's energy isn't known."""
    return join([REGISTER, *(_measurand(item) for item in items(text))])


def _measurand(item: str) -> str:
    name, _, _ = item.rpartition(".") if item not in KNOWN_MEASURANDS else (item, "", "")
    if name not in KNOWN_MEASURANDS:
        raise NotSayable("a measurand that OCPP 2.0.1 doesn't know")
    return name


def is_exact(words: Words, said: str, translated: str) -> bool:
    """Return whether a list of measurands is the same on both sides, in whatever order; of other words it always is."""
    lists = words is MEASURANDS or words is WITH_REGISTER
    return not lists or set(items(said)) == set(items(translated))


def _rate_units(text: str) -> str:
    return join(_RATE_UNITS[item] for item in items(text) if item in _RATE_UNITS)


PLAIN: Final = Words(to_backend=_same, to_station=_same)
BOOLEAN: Final = Words(to_backend=_same, to_station=_boolean)
INTEGER: Final = Words(to_backend=_same, to_station=_integer)
MEASURANDS: Final = Words(to_backend=_known_measurands, to_station=_measurands)
WITH_REGISTER: Final = Words(to_backend=_known_measurands, to_station=_measurands_with_register)
RATE_UNITS: Final = Words(to_backend=_rate_units, to_station=_same)
BY_DATA_TYPE: Final = {"boolean": BOOLEAN, "integer": INTEGER}
"""DataEnumType -> the words of a variable that no key of 1.6 stands for; of any other type: ``PLAIN``."""
