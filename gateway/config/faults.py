"""What the type check says of a configuration, in words for the person who wrote it."""

import difflib
import types
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Union, get_args, get_origin

from pydantic import BaseModel

from gateway.config.source import KeyPath

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_WORDS: Final = {
    "missing": "is missing; add it",
    "string_type": "must be text; put it in quotes",
    "tuple_type": "must be a list",
    "model_type": "must be a mapping of keys",
    "mapping_type": "must be a mapping of keys",
    "dict_type": "must be a mapping of keys",
    "string_too_short": "must not be empty",
}


def describe(model: type[BaseModel], detail: "ErrorDetails") -> tuple[KeyPath, str]:
    """Turn one of pydantic's errors into the key path and the words for it. The value itself is never repeated."""
    path, kind = detail["loc"], detail["type"]
    context: dict[str, Any] = detail.get("ctx", {})
    if kind == "extra_forbidden":
        text = _unknown(model, path)
    elif kind == "literal_error":
        text = f"must be {context['expected']}"
    elif kind == "value_error":
        text = str(context["error"])
    else:
        text = _WORDS.get(kind) or detail["msg"].replace("Input should", "must").replace("String should", "must")
    return path, text


def _unknown(model: type[BaseModel], path: KeyPath) -> str:
    section = annotation_at(model, path[:-1])
    known = list(section.model_fields) if isinstance(section, type) and issubclass(section, BaseModel) else []
    near = difflib.get_close_matches(str(path[-1]).lower(), known, n=1)
    if near:
        return f"isn't a key here; did you mean {near[0]}?"
    return f"isn't a key here; the keys are {', '.join(known)}"


def annotation_at(model: type[BaseModel], path: KeyPath) -> Any:
    """Return the type that ``model`` declares at ``path``, or None where it declares nothing."""
    here: Any = model
    for key in path:
        origin = get_origin(here)
        if isinstance(here, type) and origin is None and issubclass(here, BaseModel):
            field = here.model_fields.get(str(key))
            here = field.annotation if field else None
        elif origin is tuple and isinstance(key, int):
            here = get_args(here)[0]
        elif origin is not None and origin is not tuple and issubclass(origin, Mapping):
            here = get_args(here)[1]
        else:
            return None
        here = _bare(here)
    return here


def _bare(annotation: Any) -> Any:
    """Take the metadata and the ``| None`` off a type."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in {Union, types.UnionType}:
        kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
        return _bare(kinds[0]) if len(kinds) == 1 else annotation
    return annotation
