"""Transforms: the steps that a rule takes a message through on its way.

A step names an effect, a path or several, and what the effect wants::

    - {drop: "**.customData"}
    - {clamp: "meterValue[].timestamp", past: 86400, future: 300}
    - {set: "meterValue[].sampledValue[].value", to: "0", where: {measurand: {one_of: [Temperature]}}}

Every step is checked at load against the schema of each message that the rule may meet. A message is never changed in
place: what changes is copied, the rest is shared.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from policies.edits.branches import Branch, Edit, Make
from policies.edits.clamping import clamp
from policies.edits.fitting import check_fits
from policies.edits.redaction import Meter
from policies.edits.selecting import compile_where, selected_at
from policies.edits.values import digest, drop, mapped, redact, truncate
from policies.literals import SAMPLE_TIME, filled, has_now, is_same, plain
from policies.paths import EACH, WITHIN, Steps, spell
from policies.vocabulary import Field, Vocabulary
from policies.words import Payload, RuleError, Surroundings, Target

Where = tuple[str | int, ...]

STEPS_MAX: Final = 100
"""Steps of one transform."""

KEYS: Final[Mapping[str, frozenset[str]]] = {
    "drop": frozenset(),
    "set": frozenset({"to"}),
    "truncate": frozenset({"to"}),
    "redact": frozenset({"pattern", "with"}),
    "hash": frozenset(),
    "clamp": frozenset({"min", "max", "past", "future"}),
    "map": frozenset({"table", "other"}),
}
"""What each effect takes beside its path and ``where``."""
_COMPILERS: Final[Mapping[str, Callable[[Mapping[str, Any], Field, Where], Edit]]] = {
    "drop": lambda _spec, _field, _where: drop,
    "truncate": truncate,
    "hash": digest,
    "clamp": clamp,
}
_OF_FREE_TEXT: Final = frozenset({"redact", "truncate", "hash"})
"""Effects that ``**`` alone may stand with."""


@dataclass(frozen=True, slots=True)
class Transform:
    """The steps of one rule for one target."""

    branches: tuple[Branch, ...]
    """Empty: nothing of it concerns this target."""
    meter: Meter
    """Of the searches in one message."""

    def apply(self, payload: Payload, surroundings: Surroundings) -> Payload:
        """Return the payload as it goes on: the same object when nothing changed. ``payload`` isn't changed.

        Raises :class:`~policies.words.RuleFailed`.
        """
        self.meter.reset()
        result = payload
        for branch in self.branches:
            result = branch.apply(result, surroundings)
        # One step may take back what another did.
        return payload if result is payload or result == payload else result


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where the steps are compiled for."""

    target: Target
    targets: Sequence[Target]
    """All of the rule's: a path must exist at one of them."""
    vocabulary: Vocabulary
    dropped: frozenset[Steps]
    """What the transform drops whatever it holds."""
    meter: Meter = field(default_factory=Meter)


def compile_transform(
    steps: Any, target: Target, vocabulary: Vocabulary, where: Where, targets: Sequence[Target] = ()
) -> Transform:
    """Compile the steps of one rule for one of its ``targets``; those whose path it hasn't are left out.

    Raises :class:`RuleError`: for the first step that is wrong, with those for the ``further`` ones.
    """
    if not isinstance(steps, list | tuple) or not 0 < len(steps) <= STEPS_MAX:
        raise RuleError(where, f"must be a list of 1 to {STEPS_MAX} steps")
    for place, step in enumerate(steps):
        _check_form(step, (*where, place))
    scope = _Scope(target, targets or (target,), vocabulary, frozenset(_dropped(steps, target, vocabulary, where)))
    branches: list[Branch] = []
    faults: list[RuleError] = []
    for place, step in enumerate(steps):
        try:
            branches += _compile(step, scope, (*where, place))
        except RuleError as fault:
            faults.append(fault)
    if faults:
        first, *further = faults
        first.further = tuple(further)
        raise first
    return Transform(tuple(branches), scope.meter)


def effect_of(step: Mapping[str, Any]) -> str:
    """Return what a step does: the one of its keys that is an effect."""
    return next(key for key in step if key in KEYS)


def paths_of(step: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the paths of a step."""
    paths = step[effect_of(step)]
    return (paths,) if isinstance(paths, str) else tuple(paths)


def _check_form(step: Any, where: Where) -> None:
    names = ", ".join(KEYS)
    if not isinstance(step, Mapping):
        raise RuleError(where, f"must be a mapping with one of {names}")
    effects = [key for key in step if key in KEYS]
    if len(effects) != 1:
        raise RuleError(where, f"must have exactly one of {names}")
    [effect] = effects
    for key in step:
        if key not in KEYS[effect] | {effect, "where"}:
            known = ", ".join(sorted(KEYS[effect] | {"where"}))
            raise RuleError((*where, key), f"unknown key {key!r} of {effect}; known: {known}")
    paths = step[effect]
    if not isinstance(paths, str) and not (
        isinstance(paths, list | tuple) and paths and all(isinstance(path, str) for path in paths)
    ):
        raise RuleError((*where, effect), "must be a path or a list of paths")


def _dropped(
    steps: Sequence[Mapping[str, Any]], target: Target, vocabulary: Vocabulary, where: Where
) -> Iterator[Steps]:
    for place, step in enumerate(steps):
        if "drop" in step and "where" not in step:
            for path in paths_of(step):
                yield from (found.steps for found in vocabulary.resolve(path, target, (*where, place, "drop")))


def _compile(step: Mapping[str, Any], scope: _Scope, where: Where) -> Iterator[Branch]:
    """Yield the tree of a step; with ``where``, one for each field: what is looked at first differs."""
    shared = Branch()
    is_concerned = False
    for each in _edits(step, scope, where):
        if "where" in step:
            root = Branch()
            each.graft(root)
            place = (*where, "where")
            check = compile_where(step["where"], each.field, scope.targets, scope.target, scope.vocabulary, place)
            root.at(selected_at(each.field)).checks(check)
            yield root
        else:
            each.graft(shared)
            is_concerned = True
    if is_concerned:
        yield shared


def _edits(step: Mapping[str, Any], scope: _Scope, where: Where) -> Iterator["_Editing"]:
    effect = effect_of(step)
    for path in paths_of(step):
        scope.vocabulary.require(path, scope.targets, (*where, effect))
        for found in scope.vocabulary.resolve(path, scope.target, (*where, effect)):
            if found.steps[-1] is WITHIN and effect not in _OF_FREE_TEXT:
                raise RuleError((*where, effect), f"`**` alone can't be used with {effect}: name the fields")
            yield _Editing(effect, step, found, path.startswith("**"), scope, where)


@dataclass(frozen=True, slots=True)
class _Editing:
    """One field that a step edits."""

    effect: str
    step: Mapping[str, Any]
    field: Field
    is_anywhere: bool
    """It was found at some depth, by a path with ``**``: then it isn't made where it is missing."""
    scope: _Scope
    where: Where

    def graft(self, root: Branch) -> None:
        """Have the field edited in the tree ``root``. Raises :class:`RuleError`."""
        branch = root.at(self.field.steps)
        if self.effect == "set":
            edit, make = _setter(self.step, self.field, self.scope, self.where)
            branch.edits(edit, None if self.is_anywhere or self.field.steps[-1] is EACH else make)
        elif self.effect == "map":
            branch.edits(_mapper(self.step, self.field, self.scope, self.where))
        elif self.effect == "redact":
            branch.edits(redact(self.step, self.field, self.where, self.scope.meter))
        else:
            if self.effect == "drop":
                _check_droppable(self.field, self.scope, (*self.where, "drop"))
                _let_fall(root, self.field, self.scope)
            branch.edits(_COMPILERS[self.effect](self.step, self.field, self.where))


def _let_fall(root: Branch, field: Field, scope: _Scope) -> None:
    """Have a list that loses its last element fall with it, where its schema wants it filled or absent."""
    above = field.steps[:-1]
    if field.steps[-1] is not EACH or above[-1] is EACH:
        return
    [elements] = scope.vocabulary.resolve(spell(above), scope.target)
    if elements.schema.get("minItems", 0) and not elements.is_required:
        root.at(above).falls_when_empty()


def _setter(step: Mapping[str, Any], field: Field, scope: _Scope, where: Where) -> tuple[Edit, Make]:
    if "to" not in step:
        raise RuleError(where, "`to` is missing: the value to set")
    where = (*where, "to")
    pattern = plain(step["to"], where)
    check_fits(filled(pattern, SAMPLE_TIME), field, scope.target, scope.vocabulary, where)
    is_timed = has_now(pattern)

    def make(surroundings: Surroundings) -> Any:
        return filled(pattern, surroundings.now() if is_timed else SAMPLE_TIME)

    def edit(value: Any, surroundings: Surroundings) -> Any:
        made = make(surroundings)
        return value if is_same(value, made) else made

    return edit, make


def _mapper(step: Mapping[str, Any], field: Field, scope: _Scope, where: Where) -> Edit:
    edit = mapped(step, field, where)
    for key, value in step["table"].items():
        check_fits(plain(value, (*where, "table", key)), field, scope.target, scope.vocabulary, (*where, "table", key))
    if "other" in step:
        check_fits(plain(step["other"], (*where, "other")), field, scope.target, scope.vocabulary, (*where, "other"))
    return edit


def _check_droppable(field: Field, scope: _Scope, where: Where) -> None:
    """Raise :class:`RuleError` for a field that the schema requires, unless what holds it is dropped as well."""
    if field.is_required and not any(field.steps[:length] in scope.dropped for length in range(1, len(field.steps))):
        target = scope.target
        raise RuleError(where, f"{field.path} is required in {target.action} of {target.protocol}: it can't be dropped")
