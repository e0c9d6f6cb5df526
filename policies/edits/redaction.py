r"""Patterns whose matches may be replaced: such that no text, however hostile, makes the search slow.

The regex engine of the ``pattern`` test is linear in time but can't replace; Python's can, but backtracks. So only
patterns are taken in which there is nothing to go back for: a row of characters, character classes (``[a-z]``, ``\d``,
``.``) and the marks ``^`` ``$`` ``\b``, each with one repeat (``?`` ``*`` ``+`` ``{n}`` ``{n,m}``) at most.

Refused, because time could grow with a power of the length: groups, alternation, back references and repeats of
repeats; and a repeat behind which may stand what it takes itself (``.*@``: write ``[^@]*@``). Such a pattern tries each
place of the text once, and goes no further from there than its repeats count. So the work is known beforehand, and
bounded for a text (:data:`WORK_MAX`, some 3 ms) and for a message (:data:`MESSAGE_WORK_MAX`). A text beyond that is
replaced whole; a repeat with an end, ``[a-z]{1,64}@``, leaves room for longer ones. ``\d``, ``\w``, ``\s`` mean ASCII.
"""

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

PATTERN_MAX: Final = 200
"""Characters of a pattern."""
REPEAT_MAX: Final = 1000
"""The highest number in ``{n,m}``."""
WORK_MAX: Final = 1_000_000
"""Characters of a text that is searched, times those that one try of the pattern may look at in vain."""
MESSAGE_WORK_MAX: Final = 4 * WORK_MAX
"""The same, of all texts of a message that one transform searches."""

_CLASSES: Final = r"\\[dDwWsS]|\\[^a-zA-Z0-9\s]|\\[tnr]"
_TOKEN: Final = re.compile(
    rf"(?P<set>\[\^?(?:{_CLASSES}|[^\[\]\\])+\]|{_CLASSES}|[^\\\[\](){{}}|^$*+?])"
    r"(?P<repeat>[?*+]|\{(?P<low>\d{1,4})(?:(?P<comma>,)(?P<high>\d{1,4})?)?\})?"
    r"|(?P<edge>\\b)"
)
_SET_OPERATION: Final = re.compile(r"&&|\|\||~~|--")
"""What Python may read as one some day."""
_WORD: Final = re.compile(r"\w", re.ASCII)


class UnsafePattern(ValueError):
    """A pattern isn't one of those that are taken; the text says why, and what to write instead."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A set of characters and how often it stands there; ``high`` None: without end. An edge has no set."""

    text: str
    takes: Callable[[str], object]
    low: int = 1
    high: int | None = 1
    is_edge: bool = False


@dataclass(frozen=True, slots=True)
class _Search:
    """A pattern that is taken."""

    compiled: re.Pattern[str]
    in_vain: int | None
    """How many characters one try may look at without a match; None: all of the text."""

    def work(self, length: int) -> int:
        """Return what it takes to search a text of this length, at worst."""
        return length * (length if self.in_vain is None else min(length, self.in_vain))


class Meter:
    """What the searches of one transform may still do to a message."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = MESSAGE_WORK_MAX

    def reset(self) -> None:
        """Begin with the next message."""
        self._left = MESSAGE_WORK_MAX

    def takes(self, work: int) -> bool:
        """Return whether so much may be done, and count it."""
        if work > min(WORK_MAX, self._left):
            return False
        self._left -= work
        return True


def replacer(pattern: str, instead: str, meter: Meter) -> Callable[[str], str]:
    """Return what replaces every match of ``pattern`` in a text by ``instead``, as it stands.

    Raises :class:`UnsafePattern`.
    """
    search = _search(pattern)
    template = instead.replace("\\", "\\\\")

    def replaced(text: str) -> str:
        return search.compiled.sub(template, text) if meter.takes(search.work(len(text))) else instead

    return replaced


@functools.lru_cache(maxsize=256)
def _search(pattern: str) -> _Search:
    """Read a pattern. Cached: it is compiled for every field of every message that a rule is for."""
    if not 0 < len(pattern) <= PATTERN_MAX:
        raise UnsafePattern(f"a pattern has 1 to {PATTERN_MAX} characters")
    is_anchored = pattern.startswith("^")
    pieces = _pieces(pattern.removeprefix("^"))
    if all(piece.is_edge or not piece.low for piece in pieces):
        raise UnsafePattern("matches the empty text")
    samples = _samples(pattern)
    for place, piece in enumerate(pieces):
        if piece.low != piece.high:
            _check_no_way_back(piece, pieces[place + 1 :], samples)
    in_vain = 1 if is_anchored else _in_vain(pieces, is_at_end=_ends_with_mark(pattern))
    return _Search(_compiled(("\\A" if is_anchored else "") + _body(pattern)), in_vain)


def _in_vain(pieces: list[_Piece], *, is_at_end: bool) -> int | None:
    """Return how many characters a try may look at in vain. What nothing is needed behind is never looked at so."""
    in_vain = 1
    is_needed = is_at_end
    for piece in reversed(pieces):
        if is_needed:
            if piece.high is None:
                return None
            in_vain += piece.high
        is_needed = is_needed or piece.is_edge or piece.low > 0
    return in_vain


def _body(pattern: str) -> str:
    """Return a pattern without its ``^``, its last ``$`` meaning the end and not the newline before it."""
    body = pattern.removeprefix("^")
    return f"{body[:-1]}\\Z" if _ends_with_mark(body) else body


def _ends_with_mark(body: str) -> bool:
    before = body[:-1]
    return body.endswith("$") and (len(before) - len(before.rstrip("\\"))) % 2 == 0


def _pieces(body: str) -> list[_Piece]:
    text = body[:-1] if _ends_with_mark(body) else body
    found, at = [], 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise UnsafePattern(
                f"{text[at]!r} at character {at + 1} isn't taken: a row of characters and classes such as [a-z], "
                "each with one of ? * + {n} {n,m}; a backslash makes a sign a character"
            )
        found.append(_piece(token))
        at = token.end()
    return found


def _piece(token: re.Match[str]) -> _Piece:
    if token["edge"]:
        return _Piece("\\b", bool, is_edge=True)
    low, high = {"?": (0, 1), "*": (0, None), "+": (1, None)}.get(token["repeat"] or "", (1, 1))
    if token["low"]:
        low = int(token["low"])
        high = low if not token["comma"] else int(token["high"]) if token["high"] else None
        if (high is not None and low > high) or max(low, high or 0) > REPEAT_MAX:
            raise UnsafePattern(f"{token['repeat']}: must count up, and to {REPEAT_MAX} at most")
    if token["set"].startswith("[") and _SET_OPERATION.search(token["set"]):
        raise UnsafePattern(f"{token['set']}: a sign stands twice, write it once")
    return _Piece(token["set"], _compiled(token["set"]).fullmatch, low, high)


def _compiled(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text, re.ASCII)
    except re.error as error:
        raise UnsafePattern(f"is no regular expression: {error}") from None


def _samples(pattern: str) -> list[str]:
    """Return characters of which each set in the pattern takes one, if it takes any: its edges, and those of ASCII."""
    points = {*range(256), 0x10FFFF}
    for character in pattern:
        points.update((ord(character) - 1, ord(character), ord(character) + 1))
    return [chr(point) for point in points if 0 <= point <= 0x10FFFF]


def _check_no_way_back(repeat: _Piece, following: list[_Piece], samples: list[str]) -> None:
    """Raise :class:`UnsafePattern` unless what was taken in one go never has to be given back."""
    taken = [sample for sample in samples if repeat.takes(sample)]
    for piece in following:
        if piece.is_edge:
            if not repeat.low or len({bool(_WORD.match(sample)) for sample in taken}) > 1:
                raise UnsafePattern(
                    f"\\b behind a repeat of {repeat.text}: that must take word characters only, or none"
                )
            return
        if any(piece.takes(sample) for sample in taken):
            raise UnsafePattern(
                f"the repeat of {repeat.text} may take what {piece.text} behind it takes: exclude it there ([^...])"
            )
        if piece.low:
            return
