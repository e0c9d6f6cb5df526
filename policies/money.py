"""Which messages move money: of these none is ever dropped (design: Nothing lost)."""

from collections.abc import Mapping
from typing import Any, Final

MOVES_MONEY: Final = frozenset({"TransactionEvent", "StartTransaction", "StopTransaction"})
"""Actions that a station gives up after some CALLERRORs (MessageAttempts of 2.0.1, TransactionMessageAttempts of 1.6):
it gets none for our own faults, and queues instead."""


def moves_money(action: str, payload: Mapping[str, Any]) -> bool:
    """Return whether a station's CALL belongs to a charging transaction; 1.6 says it of MeterValues by a field."""
    return action in MOVES_MONEY or (action == "MeterValues" and "transactionId" in payload)
