"""Paths into a payload: ``a.b``, ``a[].b``, ``**.name``, ``**``, and how they are written.

A path is written by a person and resolved by :mod:`policies.vocabulary` into steps that start at the payload.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

PATH_MAX: Final = 256
"""Characters of a path."""
STEPS_MAX: Final = 14
"""Names and ``[]`` of a path; the deepest field of the official schemas is 13 deep. A walk nests as deep, which Python
bounds."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_EACH: Final = "[]"
_ANYWHERE: Final = "**"


class Mark(Enum):
    """A step that isn't a field's name."""

    EACH = _EACH
    """Every element of a list."""
    WITHIN = _ANYWHERE
    """Every text within a value that no schema describes (``customData``, ``data``), the names of its fields too."""


EACH: Final = Mark.EACH
WITHIN: Final = Mark.WITHIN

Step = str | Mark
"""A field's name, or a mark."""
Steps = tuple[Step, ...]
"""The way from a payload to a value."""


class PathError(ValueError):
    """A text isn't a path. Its own text says what is wrong and at which character, from 1."""


@dataclass(frozen=True, slots=True)
class Path:
    """A path as it is written. ``**`` alone has no steps, and is anywhere."""

    steps: Steps
    is_anywhere: bool = False
    """It begins with ``**``: its steps may begin at any depth."""

    def __str__(self) -> str:
        if self.is_anywhere:
            return f"{_ANYWHERE}.{spell(self.steps)}" if self.steps else _ANYWHERE
        return spell(self.steps)


def spell(steps: Steps) -> str:
    """Write steps as a path: ``meterValue[].timestamp``."""
    text = ""
    for step in steps:
        if step is EACH:
            text += _EACH
        else:
            text += f".{step.value if isinstance(step, Mark) else step}"
    return text.removeprefix(".")


def parse(text: str) -> Path:
    """Read a path. Raises :class:`PathError`."""
    if not text or len(text) > PATH_MAX:
        raise PathError(f"a path has 1 to {PATH_MAX} characters")
    if text == _ANYWHERE:
        return Path((), is_anywhere=True)
    is_anywhere = text.startswith(f"{_ANYWHERE}.")
    at = len(f"{_ANYWHERE}.") if is_anywhere else 0
    steps: list[Step] = []
    while True:
        name = _NAME.match(text, at)
        if name is None:
            raise _fault(text, at, "a field's name was expected")
        steps.append(name.group())
        at = name.end()
        while text.startswith(_EACH, at):
            steps.append(EACH)
            at += len(_EACH)
        if len(steps) > STEPS_MAX:
            raise PathError(f"a path has at most {STEPS_MAX} names and []")
        if at == len(text):
            return Path(tuple(steps), is_anywhere)
        if text[at] != ".":
            raise _fault(text, at, "`.` and a name, or `[]`, was expected")
        at += 1


def _fault(text: str, at: int, expected: str) -> PathError:
    found = repr(text[at]) if at < len(text) else "its end"
    hint = ""
    if text.startswith("[", at):
        hint = "; `[]` stands for every element, a single one can't be named"
    elif text.startswith(_ANYWHERE, at):
        hint = "; `**` may only begin a path: `**.customData`"
    return PathError(f"path {text!r}: {expected} at character {at + 1}, where {found} stands{hint}")


def texts_within(value: Any) -> Iterator[str]:
    """Yield every string in a JSON value, at any depth, the names of fields too."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            waiting.extend(each)
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)
