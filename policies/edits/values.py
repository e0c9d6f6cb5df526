"""What a transform may do to one value: set, truncate, redact, hash, map. All of it is checked at load.

Each compiler takes the step as it is written, the field that it is for and the step's place in the rule, and raises
:class:`RuleError` for what could never fit the field.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from policies.edits.branches import DROPPED, Edit
from policies.edits.redaction import Meter, UnsafePattern, replacer
from policies.literals import is_same
from policies.vocabulary import ANY, ARRAY, STRING, Field
from policies.words import RuleError, RuleFailed, Surroundings

Where = tuple[str | int, ...]

WITH_DEFAULT: Final = "***"
WITH_MAX: Final = 64
"""Characters that stand in place of what is redacted: a text may have many matches."""
TABLE_MAX: Final = 1000
"""Entries of a table."""


def drop(value: Any, _: Surroundings) -> Any:  # noqa: ARG001 - the form of every edit
    """Drop a value, whatever it is."""
    return DROPPED


def truncate(spec: Mapping[str, Any], field: Field, where: Where) -> Edit:
    """Cut a text or a list ``to`` so many characters or elements; other values of an untyped field stay."""
    to = spec.get("to")
    if isinstance(to, bool) or not isinstance(to, int) or to < 0:
        raise RuleError((*where, "to"), "must be a whole number of characters or elements, 0 or more")
    if field.type not in {STRING, ARRAY, ANY} or field.enum is not None or field.format == "date-time":
        raise RuleError((*where, "truncate"), f"{field}: only text and lists can be cut")
    if field.is_list and to < field.schema.get("minItems", 0):
        raise RuleError((*where, "to"), f"{field} of at least {field.schema['minItems']} elements")

    def cut(value: Any, _: Surroundings) -> Any:
        return value[:to] if isinstance(value, str | list) and len(value) > to else value

    return cut


def redact(spec: Mapping[str, Any], field: Field, where: Where, meter: Meter) -> Edit:
    """Put ``with`` in place of the whole value, or of each match of ``pattern`` in it, cut to what the field holds.

    ``meter`` bounds the searches of the transform that the step is of.
    """
    instead = spec.get("with", WITH_DEFAULT)
    if not isinstance(instead, str) or len(instead) > WITH_MAX:
        raise RuleError((*where, "with"), f"must be text of at most {WITH_MAX} characters")
    if field.type not in {STRING, ANY} or field.enum is not None or field.format == "date-time":
        raise RuleError((*where, "redact"), f"{field}: only free text can be redacted; use set or drop")
    if field.max_length is not None and len(instead) > field.max_length:
        raise RuleError((*where, "with"), f"{field} of at most {field.max_length} characters")
    if "pattern" not in spec:
        return lambda value, _: value if value == instead else instead
    replaced, longest = _replacer(spec["pattern"], instead, meter, (*where, "pattern")), field.max_length

    def redacted(value: Any, _: Surroundings) -> Any:
        if not isinstance(value, str):
            return value
        text = replaced(value)
        return value if text == value else text[:longest]

    return redacted


def _replacer(pattern: Any, instead: str, meter: Meter, where: Where) -> Callable[[str], str]:
    if not isinstance(pattern, str):
        raise RuleError(where, "must be text")
    try:
        return replacer(pattern, instead, meter)
    except UnsafePattern as error:
        raise RuleError(where, f"pattern {pattern!r}: {error}") from None


def digest(spec: Mapping[str, Any], field: Field, where: Where) -> Edit:  # noqa: ARG001 - the form of every compiler
    """Put the hex SHA-256 of a text in its place, cut to what the field holds."""
    if field.type not in {STRING, ANY} or field.enum is not None or field.format is not None:
        raise RuleError((*where, "hash"), f"{field}: only free text can be hashed")
    longest = field.max_length

    def hashed(value: Any, _: Surroundings) -> Any:
        if not isinstance(value, str):
            raise RuleFailed("the value to be hashed is no text")
        return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:longest]

    return hashed


def mapped(spec: Mapping[str, Any], field: Field, where: Where) -> Edit:
    """Put another value in the place of each that stands in ``table``; of the rest ``other``, where it is given."""
    table = spec.get("table")
    if not isinstance(table, Mapping) or not 0 < len(table) <= TABLE_MAX:
        raise RuleError((*where, "table"), f"must be a mapping of 1 to {TABLE_MAX} values")
    if field.type not in {STRING, ANY} or field.format is not None:
        raise RuleError((*where, "map"), f"{field}: only words can be mapped")
    for key in table:
        if not isinstance(key, str):
            raise RuleError((*where, "table"), f"{key!r} must be text: put it in quotation marks")
        if field.enum is not None and key not in field.enum:
            raise RuleError((*where, "table", key), f"{field.path} is never {key!r}: {', '.join(field.enum)}")
    to = dict(table)
    other = spec.get("other")
    has_other = "other" in spec

    def looked_up(value: Any, _: Surroundings) -> Any:
        if isinstance(value, str) and value in to:
            new = to[value]
        elif has_other:
            new = other
        else:
            return value
        return value if is_same(value, new) else new

    return looked_up
