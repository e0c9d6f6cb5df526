"""Whether a value that a rule writes fits the field that it is written to: said at load, with the place in the rule."""

from typing import Any, Final

import jsonschema_rs

from policies.paths import EACH, spell
from policies.vocabulary import ARRAY, OBJECT, Field, Vocabulary
from policies.words import RuleError, Target

_BELOW: Final = frozenset({"$ref", "items", "properties", "required", "additionalProperties", "additionalItems"})
"""What a schema says of the parts of a value: looked at part by part."""


def check_fits(value: Any, field: Field, target: Target, vocabulary: Vocabulary, where: tuple[str | int, ...]) -> None:
    """Return when ``value`` fits ``field``. Raises :class:`RuleError`."""
    rules = {key: rule for key, rule in field.schema.items() if key not in _BELOW}
    for fault in jsonschema_rs.validator_for(rules, validate_formats=True).iter_errors(value):
        raise RuleError(where, f"does not fit {field.path} of {target.action} ({target.protocol}): {fault.message}")
    if isinstance(value, dict) and field.type == OBJECT:
        _check_object(value, field, target, vocabulary, where)
    elif isinstance(value, list) and field.type == ARRAY:
        [each] = vocabulary.resolve(spell((*field.steps, EACH)), target, where)
        for place, element in enumerate(value):
            check_fits(element, each, target, vocabulary, (*where, place))


def _check_object(
    value: dict[str, Any], field: Field, target: Target, vocabulary: Vocabulary, where: tuple[str | int, ...]
) -> None:
    properties = field.schema.get("properties", {})
    for name in field.schema.get("required", ()):
        if name not in value:
            raise RuleError(where, f"{field.path} needs the field {name}")
    for name, part in value.items():
        if name in properties:
            [below] = vocabulary.resolve(spell((*field.steps, name)), target, where)
            check_fits(part, below, target, vocabulary, (*where, name))
        elif not field.is_open:
            raise RuleError((*where, name), f"no such field in {field.path}; it has {', '.join(sorted(properties))}")
