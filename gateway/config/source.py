"""One YAML file -> one plain tree, each value with the place that it came from.

Knows nothing of Voltgate's keys: :mod:`gateway.config` gives them their meaning. YAML is read by the safe loader alone,
without aliases, without duplicate keys, and within bounds of size and depth.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn

import yaml

FILE_SIZE_MAX: Final = 256 * 1024
"""Bytes of a configuration file."""
DEPTH_MAX: Final = 16
"""Levels of nesting; the deepest key of Voltgate lies at 6."""
ECHO_MAX: Final = 60
"""Characters of a user's own text that an error repeats."""

KeyPath = tuple[str | int, ...]
"""The way to a value: ``("listeners", 0, "bind")``."""
Fault = tuple[KeyPath, str]
"""Where something is wrong, and the words for it."""


class ConfigError(Exception):
    """The configuration can't be used. ``str`` has one line per error: place, key path, what is wrong, what to do."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


@dataclass(slots=True)
class Source:
    """What was read: ``data`` as plain Python values, ``places`` by key path (``voltgate.yaml:12`` or a variable)."""

    name: str
    data: dict[str, Any] = field(default_factory=dict)
    places: dict[KeyPath, str] = field(default_factory=dict)

    def place(self, path: KeyPath) -> str:
        """Return where ``path`` was written, or the nearest key above it that was written anywhere."""
        return next((self.places[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.places), self.name)

    def forget(self, path: KeyPath) -> None:
        """Drop the places at and below ``path``: its value is about to be replaced."""
        for known in [known for known in self.places if known[: len(path)] == path]:
            del self.places[known]


def spell(path: KeyPath) -> str:
    """Write a key path as a person would: ``listeners[0].tls.certificates[1].key``."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{printable(key)}" for key in path)
    return text.removeprefix(".")


def printable(text: str) -> str:
    """Escape what a terminal or a log would obey, and cut what is long."""
    safe = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
    return safe if len(safe) <= ECHO_MAX else f"{safe[:ECHO_MAX]}..."


def read(path: Path) -> Source:
    """Read the file at ``path``. Raises :class:`ConfigError`."""
    name = str(path)
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_SIZE_MAX + 1)
    except FileNotFoundError:
        raise ConfigError([f"{name}: there is no such file; `voltgate init DIR` writes one"]) from None
    except OSError as error:
        raise ConfigError([f"{name}: can't be read: {error.strerror}"]) from error
    if len(raw) > FILE_SIZE_MAX:
        raise ConfigError([f"{name}: is larger than {FILE_SIZE_MAX} bytes; this can't be a Voltgate configuration"])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"{name}:{line}: isn't UTF-8 text; save the file as UTF-8"]) from None
    source = Source(name)
    reading = Reading(lambda line: f"{name}:{line}", source.places)
    data = reading.run(text)
    if data is None:
        data = {}
    if not isinstance(data, dict):
        reading.faults.append(f"{name}:1: must be a mapping of keys (`backends:` and so on)")
    if reading.faults:
        raise ConfigError(reading.faults)
    source.data = data
    return source


class _StrictLoader(yaml.SafeLoader):
    """The safe loader without anchors and aliases (no "billion laughs") and with bounded nesting."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]  # types-PyYAML leaves it bare
        if getattr(event, "anchor", None) is not None:
            _refuse(event.start_mark, "anchors (&) and aliases (*) aren't read; write the value out")
        self.depth += 1
        if self.depth > DEPTH_MAX:
            _refuse(event.start_mark, f"is nested deeper than {DEPTH_MAX} levels")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Refused(yaml.MarkedYAMLError):
    """Valid YAML that Voltgate doesn't read; the problem is in words of our own."""


def _refuse(mark: yaml.Mark, problem: str) -> NoReturn:
    raise _Refused(problem=problem, problem_mark=mark)


class Reading:
    """One YAML text on its way into plain values; collects what is wrong instead of stopping at the first."""

    def __init__(self, place: Callable[[int], str], places: dict[KeyPath, str]) -> None:
        self.place = place
        self.places = places
        self.faults: list[str] = []

    def run(self, text: str) -> Any:
        """Return the text's value; None for an empty text. Every fault found is in ``faults``."""
        loader: _StrictLoader | None = None
        try:
            loader = _StrictLoader(text)
            node = loader.get_single_node()
            return None if node is None else self.value(loader, node, ())
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self.fault(mark.line + 1 if mark else 1, f"{_reason(error)}")
        except yaml.reader.ReaderError as error:
            self.fault(text.count("\n", 0, error.position) + 1, "holds a control character; remove it")
        finally:
            if loader is not None:
                loader.dispose()
        return None

    def value(self, loader: _StrictLoader, node: yaml.Node, path: KeyPath) -> Any:
        if isinstance(node, yaml.MappingNode) and node.tag == loader.DEFAULT_MAPPING_TAG:
            return dict(self.entries(loader, node, path))
        if isinstance(node, yaml.SequenceNode) and node.tag == loader.DEFAULT_SEQUENCE_TAG:
            return [self.item(loader, child, (*path, index)) for index, child in enumerate(node.value)]
        if not isinstance(node, yaml.ScalarNode):
            _refuse(node.start_mark, f"the tag {printable(node.tag)} isn't read; write a plain value")
        try:
            return loader.construct_object(node)
        except ValueError:
            _refuse(node.start_mark, "isn't a valid number or date; put it in quotes if it is text")

    def entries(self, loader: _StrictLoader, node: yaml.MappingNode, path: KeyPath) -> Iterator[tuple[str, Any]]:
        lines: dict[str, int] = {}
        for key_node, child in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode) or not isinstance(
                key := self.value(loader, key_node, path), str
            ):
                self.fault(line, "a key must be text; put it in quotes", path)
                continue
            here = (*path, key)
            if key in lines:
                self.fault(line, f"stands here twice (first in line {lines[key]}); remove one", here)
                continue
            lines[key] = line
            self.places[here] = self.place(line)
            yield key, self.value(loader, child, here)

    def item(self, loader: _StrictLoader, node: yaml.Node, path: KeyPath) -> Any:
        self.places[path] = self.place(node.start_mark.line + 1)
        return self.value(loader, node, path)

    def fault(self, line: int, text: str, path: KeyPath = ()) -> None:
        self.faults.append(": ".join(filter(None, (self.place(line), spell(path), text))))


def _reason(error: yaml.MarkedYAMLError) -> str:
    if isinstance(error, _Refused):
        return str(error.problem)
    if isinstance(error, yaml.constructor.ConstructorError):
        return "holds a YAML tag that isn't read; write a plain value"
    problem = printable(error.problem or "can't be read")
    return f"isn't valid YAML: {problem} (a value that begins with [ {{ * & ! @ or % needs quotes)"
