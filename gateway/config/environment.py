"""The environment's ``VOLTGATE__SECTION__KEY`` variables, laid over what was read from the file."""

import copy
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, Final

from gateway.config.source import ConfigError, KeyPath, Reading, Source, printable, spell

VARIABLE_PREFIX: Final = "VOLTGATE__"
"""What an override begins with; its segments are parted by two underscores."""


def override(
    source: Source,
    environ: Mapping[str, str],
    *,
    defaults: Mapping[str, Any],
    is_text: Callable[[KeyPath], bool],
) -> None:
    """Lay the ``VOLTGATE__SECTION__KEY`` variables of ``environ`` over ``source``. Raises :class:`ConfigError`.

    A key of ``defaults`` that the file leaves out is put in first when a variable reaches into it. Values are read as
    YAML; where ``is_text`` says that a key takes text, what YAML doesn't read as text is taken as it stands.
    """
    overriding = _Overriding(source, defaults, is_text)
    named = [
        (name.removeprefix(VARIABLE_PREFIX).split("__"), name) for name in environ if name.startswith(VARIABLE_PREFIX)
    ]
    # Whole sections before the keys inside them, list items in their order.
    for segments, name in sorted(named, key=lambda item: (len(item[0]), [_order(part) for part in item[0]], item[1])):
        try:
            overriding.apply(segments, name, environ[name])
        except _Misplaced as error:
            overriding.faults.append(f"{name}: {error}")
    if overriding.faults:
        raise ConfigError(overriding.faults)


def _order(segment: str) -> tuple[int, str]:
    return (int(segment), "") if segment.isdecimal() else (-1, segment.lower())


class _Misplaced(Exception):
    """An override that points nowhere; ``str`` says why."""


class _Overriding:
    """The environment's variables on their way into a source."""

    def __init__(self, source: Source, defaults: Mapping[str, Any], is_text: Callable[[KeyPath], bool]) -> None:
        self.source = source
        self.defaults = defaults
        self.is_text = is_text
        self.faults: list[str] = []
        self.set_by: dict[KeyPath, str] = {}

    def apply(self, segments: list[str], variable: str, raw: str) -> None:
        """Set one value. Raises :class:`_Misplaced`."""
        if not all(segments):
            raise _Misplaced(f"isn't a key path; write {VARIABLE_PREFIX}SECTION__KEY")
        path: KeyPath = ()
        container: Any = self.source.data
        for segment, following in pairwise(segments):
            key = _find(container, segment, path)
            path = (*path, key)
            self.seed(container, path, variable, [] if following.isdecimal() else {})
            container = container[key]
        path = (*path, _find(container, segments[-1], path))
        if path in self.set_by:
            raise _Misplaced(f"sets the same key as {self.set_by[path]}; unset one of them")
        self.set_by[path] = variable
        self.source.forget(path)
        self.source.places[path] = variable
        _put(container, path[-1], self.parse(path, variable, raw))

    def seed(self, container: Any, path: KeyPath, variable: str, empty: Any) -> None:
        """Make sure that something lies at ``path`` that the variable can reach into."""
        key = path[-1]
        present = key < len(container) if isinstance(key, int) else container.get(key) is not None
        if present:
            return
        value = copy.deepcopy(self.defaults[str(key)]) if len(path) == 1 and key in self.defaults else empty
        _put(container, key, value)
        self.source.places[path] = variable

    def parse(self, path: KeyPath, variable: str, raw: str) -> Any:
        places: dict[KeyPath, str] = {}
        reading = Reading(lambda _line: variable, places)
        value = reading.run(raw)
        if self.is_text(path) and not (isinstance(value, str) and not reading.faults):
            return raw
        self.faults += reading.faults
        return value


def _find(container: Any, segment: str, path: KeyPath) -> str | int:
    """Return the key of ``container`` that a segment names: names whatever their case, list items by number."""
    if isinstance(container, list):
        if not segment.isdecimal() or int(segment) > len(container):
            raise _Misplaced(f"{spell(path)} is a list of {len(container)}; its items are numbered from 0")
        return int(segment)
    if not isinstance(container, dict):
        raise _Misplaced(f"{spell(path)} is a single value and has no key {printable(segment.lower())!r}")
    found = [key for key in container if key.lower() == segment.lower()]
    if len(found) > 1:
        raise _Misplaced(f"fits several keys of {spell(path)}: {', '.join(found)}; change it in the file instead")
    return found[0] if found else segment.lower()


def _put(container: Any, key: str | int, value: Any) -> None:
    if isinstance(container, list) and key == len(container):
        container.append(value)
    else:
        container[key] = value
