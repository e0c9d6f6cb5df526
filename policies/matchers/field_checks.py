"""One entry of a rule's ``fields`` or ``any``: a path, or several, and the tests of what lies there."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from policies.matchers.arguments import Where, text, texts, truth
from policies.matchers.predicates import Marks, Predicate
from policies.matchers.registers import compile_register
from policies.matchers.specs import NOT, PRESENT, REGISTER, compile_predicate
from policies.matchers.walks import Leaf, walk
from policies.paths import Steps
from policies.vocabulary import ANY, Field, Vocabulary
from policies.words import RuleError, Surroundings, Target

PATH: Final = "path"

_ALWAYS: Final = Predicate(lambda yes, _: lambda _value, _surroundings: yes)


class FieldCheck:
    """An entry, compiled for one target."""

    __slots__ = ("_marks", "leaves", "wants_absence")

    def __init__(self, leaves: Sequence[Leaf], *, wants_absence: bool = False) -> None:
        self.leaves = tuple(leaves)
        """Some value at one of them must pass; none where the target has no such field."""
        self.wants_absence = wants_absence
        """``present: false``: it holds when no value passes."""
        self._marks: Marks | None = None

    @property
    def can_hold(self) -> bool:
        """False where the target has no such field: a rule that asks for it never applies there."""
        return self.wants_absence or bool(self.leaves)

    @property
    def of_whole(self) -> Marks | None:
        """The test, where it takes the payload itself: true of one of which the check holds."""
        is_so = len(self.leaves) == 1 and not self.leaves[0].steps and not self.wants_absence
        return self.leaves[0].predicate.marks(1) if is_so else None

    def holds(self, payload: Mapping[str, Any], surroundings: Surroundings) -> bool:
        if self._marks is None:  # made when it is first needed: most are asked by the screen alone
            self._marks = self.of_whole or walk(self.leaves)
        return (self._marks(payload, surroundings) == 0) is self.wants_absence


def compile_field(
    entry: Mapping[str, Any],
    targets: Sequence[Target],
    target: Target,
    vocabulary: Vocabulary,
    where: Where,
    below: Steps = (),
) -> FieldCheck:
    """Compile one entry for ``target``, which is one of the ``targets`` of its rule.

    With ``below`` the paths start at these steps (``Field.holder``), and ``holds`` takes the value there. Raises
    :class:`RuleError` for a path that exists at none of the targets, and for a test that can't be or can't fit.
    """
    paths = _paths(entry, where)
    for way, path in paths:
        vocabulary.require(path, targets, way, below)
    fields = [each for way, path in paths for each in vocabulary.beneath(path, target, below, way)]
    spec = {name: argument for name, argument in entry.items() if name != PATH}
    if not spec:
        raise RuleError(where, "an entry needs a test beside `path`, such as `present: true`")
    try:
        return _compile(spec, fields, target, vocabulary, where)
    except RuleError as error:
        raise RuleError(error.where, f"{error} (in {target.action} of {target.protocol})") from None


def _paths(entry: Mapping[str, Any], where: Where) -> list[tuple[Where, str]]:
    if PATH not in entry:
        raise RuleError(where, "an entry needs a `path`")
    path = entry[PATH]
    if isinstance(path, list | tuple):
        return [((*where, PATH, place), each) for place, each in enumerate(texts(path, (*where, PATH)))]
    return [((*where, PATH), text(path, (*where, PATH)))]


def _compile(
    spec: dict[str, Any], fields: Sequence[Field], target: Target, vocabulary: Vocabulary, where: Where
) -> FieldCheck:
    if PRESENT in spec and not truth(spec.pop(PRESENT), (*where, PRESENT)):
        if spec:
            raise RuleError((*where, PRESENT), "`present: false` stands alone: what isn't there passes no other test")
        return FieldCheck([_leaf(each, _ALWAYS) for each in fields], wants_absence=True)
    if _is_of_register(spec):
        return FieldCheck([_register_leaf(spec, each, target, where) for each in fields])
    if not spec:
        return FieldCheck([_leaf(each, _ALWAYS) for each in fields])
    written, leaves = repr(spec), []
    for each in fields:
        key = (written, each.type, each.enum, each.format)
        predicate = vocabulary.tests.get(key)
        if predicate is None:
            predicate = vocabulary.tests[key] = compile_predicate(spec, each, where)
        leaves.append(_leaf(each, predicate))
    return FieldCheck(leaves)


def _leaf(found: Field, predicate: Predicate) -> Leaf:
    return Leaf(found.steps, predicate, is_described=found.type != ANY)


def _is_of_register(spec: Mapping[str, Any]) -> bool:
    return spec.keys() == {REGISTER} or (spec.keys() == {NOT} and _is_mapping_of_register(spec[NOT]))


def _is_mapping_of_register(spec: object) -> bool:
    return isinstance(spec, Mapping) and _is_of_register(spec)


def _register_leaf(
    spec: Mapping[str, Any], found: Field, target: Target, where: Where, *, is_wanted: bool = True
) -> Leaf:
    """Return a leaf at the payload itself: the transaction stands beside the meter values."""
    if NOT in spec:
        return _register_leaf(spec[NOT], found, target, (*where, NOT), is_wanted=not is_wanted)
    predicate = compile_register(spec[REGISTER], found, target, (*where, REGISTER), is_wanted=is_wanted)
    return Leaf((), predicate)
