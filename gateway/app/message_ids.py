"""messageIds of our own CALLs."""

import itertools
import secrets

_PROCESS = secrets.token_hex(6)
"""Tells the messageIds of this run from those of every other."""
_CONNECTIONS = itertools.count(1)


class MessageIds:
    """A source of messageIds that no other connection of this identity has used (OCPP-J 2.0.1 Part 4, 4.1.4)."""

    __slots__ = ("_connection", "_last")

    def __init__(self) -> None:
        self._connection = next(_CONNECTIONS)
        self._last = 0

    def __call__(self) -> str:
        """Return the next."""
        self._last += 1
        return f"{_PROCESS}-{self._connection:x}-{self._last}"
