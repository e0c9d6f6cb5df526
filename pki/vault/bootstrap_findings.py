"""What the setting-up finds: right already, to be changed, or for a person to look at."""

import enum
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

_DURATION: Final = re.compile(r"(?=[0-9])(?:([0-9]{1,9})d)?(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9})s?)?")
_SECONDS: Final = (86_400, 3_600, 60, 1)


class State(enum.Enum):
    """How a thing was found."""

    RIGHT = "right"
    CHANGED = "changed"
    ATTENTION = "attention"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing in Vault: what it is, how it was found, and how to change it where that is needed."""

    subject: str
    """``role voltgate-stations/charging_station``"""
    state: State
    text: str
    apply: Callable[[], None] | None = None
    """Only of a change."""

    def __str__(self) -> str:
        return f"{self.subject}: {self.text}" if self.text else self.subject


Findings = Iterator[Finding]


def right(subject: str, text: str = "") -> Finding:
    """Return what needs nothing."""
    return Finding(subject, State.RIGHT, text)


def change(subject: str, text: str, apply: Callable[[], None]) -> Finding:
    """Return what is to be changed by ``apply``."""
    return Finding(subject, State.CHANGED, text, apply)


def attention(subject: str, text: str) -> Finding:
    """Return what a person must look at: nothing is changed."""
    return Finding(subject, State.ATTENTION, text)


def settled(
    subject: str,
    wanted: Mapping[str, Any],
    found: Mapping[str, Any] | None,
    apply: Callable[[], None],
    *,
    done: str = "created",
) -> Finding:
    """Compare settings; one that this server doesn't have is passed over.

    ``found`` is None where nothing is yet: ``done`` says what becomes of it then.
    """
    if found is None:
        return change(subject, done, apply)
    differences = different(wanted, found)
    if not differences:
        return right(subject)
    words = ", ".join(f"{key} {shown(found[key])} -> {shown(wanted[key])}" for key in differences)
    return change(subject, words, apply)


def different(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Return the keys whose values mean different things: ``1h`` and 3600, none and empty are the same."""
    return [key for key, value in wanted.items() if key in found and _meant(value) != _meant(found[key])]


def seconds(text: str) -> int | None:
    """Read a duration as Vault writes it (``71h45m0s``, ``90d``, ``3600``); None: it is none."""
    found = _DURATION.fullmatch(text)
    if found is None:
        return None
    return sum(int(part) * size for part, size in zip(found.groups(), _SECONDS, strict=True) if part)


def _meant(value: Any) -> Any:
    if value is None or value == "":
        return []
    if isinstance(value, str):
        duration = seconds(value)
        return value.strip() if duration is None else duration
    if isinstance(value, list | tuple):
        return sorted(str(each) for each in value)
    return value


def shown(value: Any) -> str:
    """Return a setting as it is written."""
    if isinstance(value, list | tuple):
        return "[" + ", ".join(str(each) for each in value) + "]"
    if value == "":
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)
