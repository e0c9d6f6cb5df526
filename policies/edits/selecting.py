"""``where``: which elements of a list, or which objects, a step is for."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from policies.edits.branches import Check
from policies.matchers import compile_field, compile_tests
from policies.paths import EACH, Steps
from policies.vocabulary import Field, Vocabulary
from policies.words import RuleError, Target

ITSELF: Final = "."
"""In place of a field: the element itself, of a list of texts or numbers."""

Where = tuple[str | int, ...]


def selected_at(field: Field) -> Steps:
    """Return where ``where`` looks from: the innermost list's element, or the object that holds the field."""
    return field.steps if field.steps[-1] is EACH else field.holder


def compile_where(
    spec: Any, field: Field, targets: Sequence[Target], target: Target, vocabulary: Vocabulary, where: Where
) -> Check:
    """Compile ``{field: tests}``, all of which must hold of what is at :func:`selected_at`.

    Raises :class:`RuleError`.
    """
    if not isinstance(spec, Mapping) or not spec:
        raise RuleError(where, "must be a mapping of fields to tests")
    checks: list[Check] = []
    for name, tests in spec.items():
        place = (*where, name)
        if not isinstance(tests, Mapping) or not tests or "path" in tests:
            raise RuleError(place, "must be a mapping of tests")
        if name == ITSELF:
            checks.append(_check_itself(tests, field, place))
        else:
            entry = {"path": name, **tests}
            checks.append(compile_field(entry, targets, target, vocabulary, place, selected_at(field)).holds)
    return checks[0] if len(checks) == 1 else lambda value, around: all(check(value, around) for check in checks)


def _check_itself(tests: Mapping[str, Any], field: Field, where: Where) -> Check:
    if field.steps[-1] is not EACH:
        raise RuleError(where, f"{ITSELF!r} stands for the elements of a list: the step's path must end in `[]`")
    return compile_tests(tests, field, where)
