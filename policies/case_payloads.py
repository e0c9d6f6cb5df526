"""The payload of a case: a base, what differs from it, and what stands there many times."""

import copy
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from itertools import pairwise
from typing import Any, Final

from policies.words import Payload

LENGTH_MAX: Final = 1_000_000
"""Characters, or elements, that one `repeat` makes: more than any message within the limits of a frame has."""
_STEP: Final = re.compile(r"\.?([^.\[\]]+)|\[(\d{1,6})\]")


class _Absent(Enum):
    ABSENT = "absent"

    def __repr__(self) -> str:
        return "nothing"


ABSENT: Final = _Absent.ABSENT
"""What stands where a field isn't."""

Steps = tuple[str | int, ...]


class PathRefused(ValueError):
    """A path in a case's `with` or `repeat` leads nowhere; the text says why."""


def changed(
    payload: Mapping[str, Any], overrides: Mapping[str, Any], repeats: Mapping[str, int] | None = None
) -> Payload:
    """Return a copy of ``payload`` with the values of ``overrides`` (None: without the field), then the repeats.

    What isn't there on the way to a field is made: an object, or the next element of a list. Raises
    :class:`PathRefused`.
    """
    result = copy.deepcopy(dict(payload))
    for path, value in overrides.items():
        if value is None:
            _remove(result, path)
        else:
            _put(result, path, copy.deepcopy(value))
    for path, times in (repeats or {}).items():
        _put(result, path, _repeated(_value(result, path), path, times))
    return result


def steps_of(path: str) -> Steps:
    """Return ``("a", 0, "b")`` for ``a[0].b``. Raises :class:`PathRefused`."""
    steps: list[str | int] = []
    end = 0
    while end < len(path):
        found = _STEP.match(path, end)
        if found is None or (found[0].startswith(".") is not bool(steps) and found[2] is None):
            break
        steps.append(found[1] if found[2] is None else int(found[2]))
        end = found.end()
    if end < len(path) or not steps:
        raise PathRefused(f"{path!r} is no path; write it as in meterValue[0].timestamp")
    return tuple(steps)


def _value(payload: Any, path: str) -> Any:
    value = payload
    for step in steps_of(path):
        if not _has(value, step):
            raise PathRefused(f"{path!r}: there is nothing there")
        value = value[step]
    return value


def _has(holder: Any, step: str | int) -> bool:
    if isinstance(step, int):
        return isinstance(holder, list) and step < len(holder)
    return isinstance(holder, dict) and step in holder


def _put(payload: Any, path: str, value: Any) -> None:
    steps = steps_of(path)
    holder = payload
    for step, following in pairwise(steps):
        if not _has(holder, step):
            _set(holder, step, [] if isinstance(following, int) else {}, path)
        holder = holder[step]
    _set(holder, steps[-1], value, path)


def _set(holder: Any, step: str | int, value: Any, path: str) -> None:
    if isinstance(step, str):
        if not isinstance(holder, dict):
            raise PathRefused(f"{path!r}: what holds {step!r} is no object")
        holder[step] = value
    elif not isinstance(holder, list) or step > len(holder):
        raise PathRefused(f"{path!r}: there is no list with an element before [{step}]")
    else:
        holder[step : step + 1] = [value]


def _remove(payload: Any, path: str) -> None:
    *way, last = steps_of(path)
    holder = payload
    for step in way:
        holder = holder[step] if _has(holder, step) else None
    if not _has(holder, last):
        raise PathRefused(f"{path!r}: there is nothing to take out")
    del holder[last]


def _repeated(value: Any, path: str, times: int) -> Any:
    if not isinstance(value, str | list):
        raise PathRefused(f"{path!r}: only a text or a list can be repeated")
    if len(value) * times > LENGTH_MAX:
        raise PathRefused(f"{path!r}: would be longer than {LENGTH_MAX}; repeat it less often")
    return value * times


def differing(expected: Any, actual: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield (path, expected, actual) for what differs; :data:`ABSENT` stands for a field that isn't there."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in dict.fromkeys((*expected, *actual)):
            here = f"{path}.{key}" if path else str(key)
            yield from differing(expected.get(key, ABSENT), actual.get(key, ABSENT), here)
    elif isinstance(expected, list) and isinstance(actual, list):
        for index in range(max(len(expected), len(actual))):
            one, other = (side[index] if index < len(side) else ABSENT for side in (expected, actual))
            yield from differing(one, other, f"{path}[{index}]")
    elif expected != actual or isinstance(expected, bool) is not isinstance(actual, bool):  # to Python, True is 1
        yield path, expected, actual
