"""The words that a rule may use: the actions of the official schemas, and the fields of each, with their types.

What a rule names and no schema has is a mistake of its author: it is refused at load, with what may have been meant.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, Final

from policies.paths import EACH, WITHIN, Path, PathError, Steps, parse, spell
from policies.rules import Rule
from policies.words import Kind, RuleError, Schemas, Target

ANY: Final = "any"
"""The type of what no schema describes: ``data``, and everything within ``customData`` and ``errorDetails``."""
OBJECT: Final = "object"
ARRAY: Final = "array"
STRING: Final = "string"
NUMBERS: Final = frozenset({"integer", "number"})

_GLOB: Final = frozenset("*?[")
_ERROR_DESCRIPTION_MAX: Final = 255
"""Characters (OCPP-J 2.0.1 Part 4, 4.2.3)."""
_DEFINITION: Final = "#/definitions/"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a payload, or each of those in a list, as its schema describes it."""

    steps: Steps
    type: str
    """string, integer, number, boolean, object, array or any."""
    max_length: int | None = None
    """Characters of a string."""
    enum: tuple[Any, ...] | None = None
    format: str | None = None
    """``date-time`` or ``uri``."""
    is_required: bool = False
    """The object that holds it must have it; False for the elements of a list."""
    schema: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """Its own schema, references resolved at this level only."""

    @property
    def path(self) -> str:
        return spell(self.steps)

    @property
    def is_list(self) -> bool:
        return self.type == ARRAY

    @property
    def is_open(self) -> bool:
        """True where it may hold what no schema describes."""
        return self.type == ANY or (self.type == OBJECT and self.schema.get("additionalProperties", True) is not False)

    @property
    def is_free_text(self) -> bool:
        """True for a string that its schema leaves to the sender, but for its length."""
        return self.type == STRING and self.enum is None and self.format is None

    @property
    def holder(self) -> Steps:
        """The way to the element of the innermost list that the field is in, or to the object that holds it."""
        above = self.steps[:-1]
        while EACH in above and above[-1] is not EACH:
            above = above[:-1]
        return above

    def __str__(self) -> str:
        kinds = {ARRAY: "a list", OBJECT: "an object", ANY: "of any type", "integer": "an integer"}
        if self.enum is not None:
            return f"{self.path} is one of a list of words"
        if self.format == "date-time":
            return f"{self.path} is a timestamp"
        return f"{self.path} is {kinds.get(self.type, f'a {self.type}')}"


@dataclass(frozen=True, slots=True)
class _Words:
    """All fields of one payload, by their steps."""

    fields: Mapping[Steps, Field]

    def find(self, steps: Steps) -> Field | None:
        found = self.fields.get(steps)
        if found is not None:
            return found
        for length in range(len(steps) - 1, 0, -1):
            above = self.fields.get(steps[:length])
            if above is not None:
                is_inside = above.is_open and (above.type == ANY or steps[length] is not EACH)
                return (
                    Field(steps, ANY) if is_inside and steps[length] not in above.schema.get("properties", ()) else None
                )
        return None

    def resolve(self, path: Path) -> tuple[Field, ...]:
        if not path.is_anywhere:
            found = self.find(path.steps)
            return () if found is None else (found,)
        if not path.steps:
            return tuple(self._free_texts())
        length = len(path.steps)
        return tuple(each for steps, each in self.fields.items() if steps[-length:] == path.steps)

    def _free_texts(self) -> Iterator[Field]:
        opened: list[Steps] = []
        for steps, each in self.fields.items():
            if any(steps[: len(above)] == above for above in opened):
                continue
            if each.is_open:
                opened.append(steps)
                yield Field((*steps, WITHIN), STRING)
            elif each.is_free_text:
                yield each


class Vocabulary:
    """What the official schemas know. Each payload's schema is read once, when a rule first asks for it."""

    def __init__(self, schemas: Schemas) -> None:
        self.tests: dict[object, Any] = {}
        """What was compiled of the same tests for fields of the same kind: shared by all rules that ask the same."""
        self._schemas = schemas
        self._protocols = sorted(schemas.protocols())
        self._words: dict[tuple[str, str, Kind], _Words] = {}
        self._resolved: dict[tuple[str, str, str, Kind], tuple[Field, ...]] = {}

    def targets(self, rule: Rule) -> tuple[Target, ...]:
        """Return every stage, kind, protocol and action that a rule is for; no kind means CALL.

        Raises :class:`RuleError` for a protocol or an action that isn't known, and for a glob that matches none.
        """
        match = rule.match
        protocols = self._protocols_of(match.protocols)
        known = {protocol: sorted(self._schemas.actions(protocol)) for protocol in protocols}
        for place, glob in enumerate(match.actions):
            _check_known(glob, set().union(*known.values()), ("match", "action", place), "action", protocols)
        for place, glob in enumerate(match.exceptions):
            _check_known(glob, set().union(*known.values()), ("match", "except", place), "action", protocols)
        actions = match.actions or ("*",)
        return tuple(
            Target(stage, kind, protocol, action)
            for stage in dict.fromkeys(rule.stages)
            for kind in dict.fromkeys(match.kinds or (Kind.CALL,))
            for protocol in protocols
            for action in known[protocol]
            if _is_among(action, actions) and not _is_among(action, match.exceptions)
        )

    def resolve(self, path: str, target: Target, where: tuple[str | int, ...] = ("path",)) -> tuple[Field, ...]:
        """Return the fields at ``path`` in a payload: none where it has no such field, several for ``**``.

        Raises :class:`RuleError` for a text that isn't a path.
        """
        key = (path, target.protocol, target.action, target.kind)
        found = self._resolved.get(key)
        if found is None:
            found = self._resolved[key] = self._words_of(target).resolve(_parsed(path, where))
        return found

    def require(self, path: str, targets: Sequence[Target], where: tuple[str | int, ...], below: Steps = ()) -> None:
        """Return when ``path`` exists at one of ``targets`` at least, ``below`` these steps.

        Raises :class:`RuleError` that says what may have been meant.
        """
        if not any(self.beneath(path, target, below, where) for target in targets):
            raise RuleError(where, self._unknown_field(_parsed(path, where), targets, below))

    def beneath(self, path: str, target: Target, below: Steps, where: tuple[str | int, ...]) -> tuple[Field, ...]:
        """Resolve a path that starts at ``below`` (see ``Field.holder``); the steps of its fields start there too.

        Raises :class:`RuleError` for a text that isn't a path, and for one with ``**``.
        """
        if not below:
            return self.resolve(path, target, where)
        parsed = _parsed(path, where)
        if parsed.is_anywhere:
            raise RuleError(where, f"path {path!r}: `**` can't be used here; name the field")
        found = self._words_of(target).find(below + parsed.steps)
        if found is None:
            return ()
        return (replace(found, steps=parsed.steps),)

    def fields(self, target: Target) -> tuple[Field, ...]:
        """Return every field of a payload, at every depth, those above before those below."""
        return tuple(self._words_of(target).fields.values())

    def _protocols_of(self, wanted: tuple[str, ...]) -> list[str]:
        for place, protocol in enumerate(wanted):
            _check_known(protocol, self._protocols, ("match", "protocol", place), "protocol", ())
        return [protocol for protocol in self._protocols if not wanted or _is_among(protocol, wanted)]

    def _words_of(self, target: Target) -> _Words:
        key = (target.protocol, target.action, target.kind)
        words = self._words.get(key)
        if words is None:
            words = self._words[key] = _Words({each.steps: each for each in _fields_of(self._document(target))})
        return words

    def _document(self, target: Target) -> Mapping[str, Any]:
        if target.kind is not Kind.ERROR:
            return self._schemas.document(target.protocol, target.action, target.kind) or {"type": OBJECT}
        return {
            "type": OBJECT,
            "additionalProperties": False,
            "required": ["errorCode", "errorDescription", "errorDetails"],
            "properties": {
                "errorCode": {"type": STRING, "enum": sorted(self._schemas.errors(target.protocol))},
                "errorDescription": {"type": STRING, "maxLength": _ERROR_DESCRIPTION_MAX},
                "errorDetails": {"type": OBJECT},
            },
        }

    def _unknown_field(self, path: Path, targets: Sequence[Target], below: Steps) -> str:
        known: dict[Steps, Field] = {}
        for target in targets:
            for steps, each in self._words_of(target).fields.items():
                if steps[: len(below)] == below and len(steps) > len(below):
                    known.setdefault(steps[len(below) :], each)
        of = targets[0].action if len({target.action for target in targets}) == 1 else "any action of the rule"
        text = f"no such field in {of}: {path}"
        if path.is_anywhere and not path.steps:
            return f"no free text in {of}"
        bare = tuple(step for step in path.steps if step is not EACH)
        for steps in known:
            if tuple(step for step in steps if step is not EACH) == bare:
                return f"{text} (did you mean {spell(steps)}? `[]` stands behind a list, and nowhere else)"
        name = path.steps[-1] if isinstance(path.steps[-1], str) else path.steps[-2]
        return text + (_suggestion(spell(path.steps), name, known))


def _suggestion(text: str, name: object, known: Mapping[Steps, Field]) -> str:
    """Say which fields are written alike, or bear the same name elsewhere."""
    spelt = [spell(steps) for steps in known]
    near = [spell(steps) for steps in known if steps[-1] == name]
    near = near or difflib.get_close_matches(text, spelt, n=3, cutoff=0.7)
    return f" (did you mean {' or '.join(near[:3])}?)" if near else ""


def _parsed(path: str, where: tuple[str | int, ...]) -> Path:
    try:
        return parse(path)
    except PathError as error:
        raise RuleError(where, str(error)) from None


def _is_among(name: str, globs: Iterable[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


def _check_known(
    glob: str, known: Iterable[str], where: tuple[str | int, ...], noun: str, protocols: Sequence[str]
) -> None:
    """Raise :class:`RuleError` when ``glob`` matches none of ``known``."""
    names = sorted(known)
    if any(fnmatchcase(name, glob) for name in names):
        return
    of = f" of {' or '.join(protocols)}" if protocols else ""
    if not _GLOB.isdisjoint(glob):
        raise RuleError(where, f"{glob!r} matches no {noun}{of}")
    near = difflib.get_close_matches(glob, names, n=1, cutoff=0.6) or [n for n in names if n.lower() == glob.lower()]
    hint = f" (did you mean {near[0]}?)" if near else ""
    raise RuleError(where, f"no such {noun}{of}: {glob!r}{hint}")


def _fields_of(document: Mapping[str, Any]) -> Iterator[Field]:
    definitions = document.get("definitions", {})

    def resolved(schema: Mapping[str, Any]) -> tuple[Mapping[str, Any], str | None]:
        reference = schema.get("$ref")
        if reference is None:
            return schema, None
        return definitions[reference.removeprefix(_DEFINITION)], reference

    def below(schema: Mapping[str, Any], steps: Steps, references: frozenset[str]) -> Iterator[Field]:
        required = schema.get("required", ())
        inner = [((*steps, name), each, name in required) for name, each in schema.get("properties", {}).items()]
        if schema.get("type") == ARRAY:
            inner = [((*steps, EACH), schema.get("items", {}), False)]
        for way, each, is_required in inner:
            own, reference = resolved(each)
            if reference in references:
                continue  # a type within itself: OCPP has none, and `**` couldn't end
            yield _field(way, own, is_required=is_required)
            yield from below(own, way, references | {reference} if reference else references)

    return below(document, (), frozenset())


def _field(steps: Steps, schema: Mapping[str, Any], *, is_required: bool) -> Field:
    kind, words = schema.get("type"), schema.get("enum")
    return Field(
        steps,
        kind if isinstance(kind, str) else ANY,
        schema.get("maxLength"),
        None if words is None else tuple(words),
        schema.get("format"),
        is_required,
        schema,
    )
