"""JSON as strict as a security edge needs it: nothing ambiguous, nothing unbounded.

What the library (jiter) already refuses: duplicate keys, NaN and Infinity, lone surrogates, invalid UTF-8, control
characters in strings, trailing text, a byte order mark. What is refused here: depth, numbers that don't fit.
"""

import re
from typing import Any, Final

import jiter
import orjson

MAX_DEPTH: Final = 32
"""Nested arrays and objects of one frame; the deepest official schema needs 12."""
MAX_INTEGER: Final = 2**63 - 1
"""Largest magnitude of a number; OCPP's own integers are 32 bits wide."""
_MIN_INTEGER: Final = -MAX_INTEGER
_MAX_FLOAT: Final = float(MAX_INTEGER)
_MIN_FLOAT: Final = -_MAX_FLOAT
_NUL: Final = rb"\u0000"
"""Escaped in a string. No honest peer sends it, and not every database can keep it."""
_ESCAPED_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""Behind a pair of backslashes it is only text about it, as in JSON within a string."""


class JsonRejected(ValueError):
    """The text isn't JSON, or is JSON that no honest peer sends. The message never repeats the peer's text."""


def loads(text: bytes) -> Any:
    """Parse one JSON document. A number without a fraction is an int, however it was spelt: ``1.0`` and ``1e0`` are 1.

    Raises :class:`JsonRejected`; nothing else, whatever ``text`` holds.
    """
    if text.find(_NUL) >= 0 and _ESCAPED_NUL.search(text):  # `in` first makes a TypeError
        raise JsonRejected("a NUL character")
    try:
        value = jiter.from_json(text, allow_inf_nan=False, catch_duplicate_keys=True, cache_mode="keys")
    except ValueError as error:
        raise JsonRejected(_without_peer_text(str(error))) from None
    if type(value) is dict or type(value) is list:
        _check(value)
        return value
    alone = [value]
    _check(alone)
    return alone[0]


def dumps(value: Any) -> bytes:
    """Serialise checked values, compactly, as UTF-8. Raises TypeError for what JSON, or 64 bits, can't hold."""
    return orjson.dumps(value)


def _check(container: Any, levels: int = MAX_DEPTH) -> None:  # noqa: C901 - every value of every frame goes through
    """Look at all that a container holds. The recursion ends with the levels that are left: it can't be exhausted."""
    if not levels:
        raise JsonRejected(f"nested deeper than {MAX_DEPTH} levels")
    is_respelt = False
    for value in container.values() if type(container) is dict else container:
        kind = type(value)
        if kind is str:
            continue
        if kind is dict or kind is list:
            _check(value, levels - 1)
        elif kind is int:
            if not _MIN_INTEGER <= value <= MAX_INTEGER:
                raise JsonRejected("a number of more than 63 bits")
        elif kind is float:
            # Infinity, which 1e400 is to a float, is out of bounds too.
            if not _MIN_FLOAT < value < _MAX_FLOAT:
                raise JsonRejected("a number of more than 63 bits")
            if value.is_integer():
                is_respelt = True
    if is_respelt:
        _spell_integers(container)


def _spell_integers(container: Any) -> None:
    """To JSON Schema 1.0 is an integer (draft 6), to our code and to an OCPP 1.6 peer (draft 4) only 1 is."""
    for place, value in container.items() if type(container) is dict else enumerate(container):
        if type(value) is float and value.is_integer():
            container[place] = int(value)


def _without_peer_text(message: str) -> str:
    """jiter quotes a duplicate key; what a peer wrote stays out of our errors and logs."""
    if message.startswith("Detected duplicate key"):
        return "duplicate key" + message[message.rindex(" at line") :]
    return message
