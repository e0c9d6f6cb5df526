"""Numbers that a 1.6 station is given for a transaction which its backend has not taken yet.

The begin is in the quarantine, and the station needs a transactionId in its answer. They come from the top of what
``transactionId`` can hold at every station (a positive int32), where no backend that counts gets to.
"""

from typing import Final

LAST: Final = 2**31 - 1
"""The number of the first row; each later row has a lower one."""
COUNT: Final = 1_000_000
"""How many there are before they begin again at the top."""
FIRST: Final = LAST - COUNT + 1


def is_given(number: int) -> bool:
    """Return whether a station may have ``number`` from the quarantine, and not from its backend."""
    return FIRST <= number <= LAST


def given(row: int) -> int:
    """Return the number that goes with a row of the quarantine; that of another row a million rows later."""
    return LAST - row % COUNT


def after(number: int) -> int:
    """Return the number to try next when ``number`` is taken."""
    return number - 1 if number > FIRST else LAST
