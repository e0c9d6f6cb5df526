"""Regular expressions and globs that take linear time, whatever a peer sends: Rust's regex, by way of jsonschema_rs."""

import functools
import re
from collections.abc import Callable, Sequence
from typing import Final

import jsonschema_rs

from policies.matchers.arguments import Where
from policies.words import RuleError

PATTERN_MAX: Final = 1000
"""Characters of a regular expression or a glob."""
PROGRAM_MAX: Final = 1 << 20
"""Bytes that one compiled expression may take: a counted repetition of a large class is what reaches it."""

Finds = Callable[[str], bool]
"""Tells whether an expression is found in a text."""


def search(pattern: str, where: Where) -> Finds:
    """Compile a regular expression that is searched for; ``^`` and ``$`` are the ends of the text.

    Raises :class:`RuleError` for what isn't one: look-around and back-references have no linear time.
    """
    if len(pattern) > PATTERN_MAX:
        raise RuleError(where, f"a pattern has at most {PATTERN_MAX} characters")
    try:
        re.compile(pattern)
        reason = "it needs look-around, a back-reference, or too much memory (a{1000} within another {1000})"
    except (re.error, RecursionError, OverflowError) as error:
        reason = str(error)
    try:
        return _compile(pattern)
    except jsonschema_rs.ValidationError:
        raise RuleError(where, f"not a regular expression that runs in linear time: {reason}") from None


def any_glob(globs: Sequence[str], where: Where) -> Finds:
    """Compile globs: ``*`` any text, ``?`` one character, ``[ab]`` and ``[!ab]`` one of a few; the whole text must fit.

    Raises :class:`RuleError`.
    """
    if "*" in globs:
        return lambda _: True
    plain = frozenset(glob for glob in globs if not _is_glob(glob))
    if len(plain) == len(globs):
        return plain.__contains__
    pattern = "|".join(_as_pattern(glob, (*where, place)) for place, glob in enumerate(globs))
    return _compile(f"^(?:{pattern})$")


@functools.lru_cache(maxsize=256)
def _compile(pattern: str) -> Finds:
    """Cached: ``**`` stands for hundreds of fields, and a program takes kilobytes."""
    options = jsonschema_rs.RegexOptions(size_limit=PROGRAM_MAX)
    is_valid: Finds = jsonschema_rs.validator_for({"pattern": pattern}, pattern_options=options).is_valid
    return is_valid


def _is_glob(glob: str) -> bool:
    return not set("*?[").isdisjoint(glob)


_PART: Final = re.compile(r"(?P<any>\*+)|(?P<one>\?)|\[(?P<not>!?)(?P<of>\]?[^\]]*)\]|(?P<other>.)", re.DOTALL)
"""One part of a glob; a ``[`` that isn't closed stands for itself."""


def _as_pattern(glob: str, where: Where) -> str:
    if len(glob) > PATTERN_MAX:
        raise RuleError(where, f"a glob has at most {PATTERN_MAX} characters")
    written = ""
    for part in _PART.finditer(glob):
        if part["any"]:
            written += r"[\s\S]*"
        elif part["one"]:
            written += r"[\s\S]"
        elif part["other"]:
            written += re.escape(part["other"])
        else:
            members = re.sub(r"([\\\[\]^&~])", r"\\\1", part["of"])
            written += f"[{'^' if part['not'] else ''}{members}]"
    try:
        _compile(written)
    except jsonschema_rs.ValidationError:
        raise RuleError(where, f"{glob!r} isn't a glob") from None
    return written
