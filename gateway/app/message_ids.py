"""messageIds of our own CALLs."""

import itertools
import secrets
from collections.abc import Callable

_PROCESS = secrets.token_hex(6)
"""Tells the messageIds of this run from those of every other."""
_CONNECTIONS = itertools.count(1)


def message_ids() -> Callable[[], str]:
    """Return a source of messageIds that no other connection of this identity has used (OCPP-J 2.0.1 Part 4, 4.1.4)."""
    prefix = f"{_PROCESS}-{next(_CONNECTIONS):x}"
    counter = itertools.count(1)
    return lambda: f"{prefix}-{next(counter)}"
