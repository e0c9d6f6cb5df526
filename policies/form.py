"""The form of a policy file: what the published schema (``policy.schema.json``) says of it, in a person's words."""

import difflib
import functools
import importlib.resources
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import jsonschema_rs

from policies.documents import Where

SCHEMA: Final = "policy.schema.json"
CASES: Final = "cases.schema.json"

_RULE: Final = {"$ref": "#/$defs/rule"}
_INTO: Final = frozenset({"$defs", "properties", "items", "additionalProperties", "propertyNames"})
"""Keywords behind which a schema speaks of another value."""
_TYPES: Final[Mapping[str, str]] = {
    "object": "a mapping",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
}
_SAYS: Final[Mapping[str, Callable[[Any], str]]] = {
    "const": lambda _: "not allowed",
    "dependentSchemas": lambda _: "not allowed",
    "enum": lambda kind: f"must be one of {_listed(kind.options)}",
    "falseSchema": lambda _: "doesn't go with what stands beside it",
    "maxItems": lambda kind: f"more than {kind.limit} elements",
    "maxLength": lambda kind: f"longer than {kind.limit} characters",
    "maximum": lambda kind: f"more than {kind.limit}",
    "minItems": lambda _: "is an empty list",
    "minLength": lambda _: "is empty",
    "minProperties": lambda _: "says too little",
    "minimum": lambda kind: f"less than {kind.limit}",
    "not": lambda _: "not allowed",
    "oneOf": lambda _: "wants exactly one",
    "pattern": lambda _: "not of the right form",
    "propertyNames": lambda _: "a name is not of the right form",
    "type": lambda kind: f"must be {_listed(_TYPES.get(each, each) for each in kind.types)}",
}


def faults(data: Any, schema: str = SCHEMA) -> Iterator[tuple[Where, str]]:
    """Yield what is wrong with the form of a whole file: the path and what is wrong there."""
    return _faults(schema, _validator(schema, whole=True), data)


def rule_faults(rule: Any) -> Iterator[tuple[Where, str]]:
    """Yield what is wrong with the form of one rule, by paths within it."""
    return _faults(SCHEMA, _validator(SCHEMA, whole=False), rule)


@functools.cache
def _schema(name: str) -> dict[str, Any]:
    text = (importlib.resources.files("policies") / name).read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


@functools.cache
def _validator(name: str, *, whole: bool) -> Any:
    schema = _schema(name)
    return jsonschema_rs.Draft202012Validator(schema if whole else {"$defs": schema["$defs"], **_RULE})


def _faults(name: str, validator: Any, data: Any) -> Iterator[tuple[Where, str]]:
    for error in validator.iter_errors(data):
        where = tuple(error.instance_path)
        path = list(error.schema_path)
        schema, description = _around(name, path)
        wanted = f": {description}" if description else ""
        if error.kind.name == "additionalProperties":
            for key in error.kind.unexpected:
                yield (*where, key), f"unknown key {key!r}{_meant(key, schema)}"
        elif error.kind.name == "required":
            yield where, f"`{error.kind.property}` is missing{wanted}"
        elif error.kind.name == "oneOf":
            if isinstance(error.instance, dict):  # of anything else, `type` says it
                names = [key for each in schema["oneOf"] for key in each["required"]]
                yield where, f"exactly one of {_listed(names)}, not {_listed(n for n in names if n in error.instance)}"
        else:
            yield where, _said(error.kind, description)


def _said(kind: Any, description: str) -> str:
    if kind.name == "type" and description:
        return f"must be {description}"
    said = _SAYS.get(kind.name, lambda kind: f"breaks the rule {kind.name}")(kind)
    return said if kind.name == "enum" or not description else f"{said}: {description}"


def _around(name: str, path: list[str | int]) -> tuple[Mapping[str, Any], str]:
    """Return the schema that holds the broken keyword, and what the file's author reads of the value it is about."""
    node: Any = _schema(name)
    description = node.get("description", "")
    for step in path[:-1]:
        node = node[step]
        if step in _INTO:
            description = ""
        if isinstance(node, dict):
            said = node.get("description", description)
            description = said if isinstance(said, str) else ""
    return node, description


def _meant(name: str, schema: Mapping[str, Any]) -> str:
    known = list(schema.get("properties", ()))
    close = difflib.get_close_matches(name.lower(), known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {_listed(known)}"


def _listed(values: Any) -> str:
    return ", ".join(map(str, values)) or "none"
