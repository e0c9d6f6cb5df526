"""Which part of a file a request asks for (RFC 9110 14)."""

import re
from dataclasses import dataclass
from typing import Final

_RANGE: Final = re.compile(
    r"bytes[ \t]*=[ \t]*(?:([0-9]{1,18})-([0-9]{1,18})?|-([0-9]{1,18}))[ \t]*", re.ASCII | re.IGNORECASE
)


class Unsatisfiable(Exception):
    """There is nothing of the file in the range that is asked for: 416."""


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Octets ``first`` to ``last``, both included."""

    first: int
    last: int

    @property
    def length(self) -> int:
        """Return how many octets it has."""
        return self.last - self.first + 1


def byte_range(header: str | None, size: int) -> ByteRange | None:
    """Return the part of a file of ``size`` octets that ``Range`` asks for; None: all of it.

    What isn't one range of bytes is ignored, as RFC 9110 14.2 allows: more than one, another unit, nonsense. Raises
    Unsatisfiable.
    """
    found = _RANGE.fullmatch(header) if header is not None else None
    if found is None:
        return None
    start, end, suffix = found.groups()
    if suffix is not None:
        if int(suffix) == 0 or size == 0:
            raise Unsatisfiable
        return ByteRange(max(0, size - int(suffix)), size - 1)
    first, last = int(start), int(end) if end is not None else size - 1
    if end is not None and last < first:
        return None
    if first >= size:
        raise Unsatisfiable
    return ByteRange(first, min(last, size - 1))
