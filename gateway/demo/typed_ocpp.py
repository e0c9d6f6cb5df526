"""The `ocpp` package, which ships no types, as far as the demo speaks through it.

Its ChargePoint checks every message in both directions against the official JSON schema; nothing here turns that off.
"""

import logging
from collections.abc import Callable
from typing import Any, Final, TypeVar

from ocpp.exceptions import OCPPError  # type: ignore[import-untyped]  # it ships no types
from ocpp.routing import after as _after  # type: ignore[import-untyped]  # it ships no types
from ocpp.routing import on as _on
from ocpp.v16 import ChargePoint as ChargePoint16  # type: ignore[import-untyped]  # it ships no types
from ocpp.v16 import call as call16
from ocpp.v16 import call_result as result16
from ocpp.v201 import ChargePoint as ChargePoint201  # type: ignore[import-untyped]  # it ships no types
from ocpp.v201 import call as call201
from ocpp.v201 import call_result as result201

__all__ = [
    "ChargePoint16",
    "ChargePoint201",
    "FaultHandler",
    "OCPPError",
    "after",
    "call16",
    "call201",
    "on",
    "result16",
    "result201",
]

FAULT_MAX: Final = 600
"""Characters of a protocol fault that are told."""

Handler = TypeVar("Handler", bound=Callable[..., Any])


def on(action: str) -> Callable[[Handler], Handler]:
    """Mark the method that answers CALLs of ``action``."""
    mark: Callable[[Handler], Handler] = _on(action)
    return mark


def after(action: str) -> Callable[[Handler], Handler]:
    """Mark the method that runs when the answer to ``action`` was sent; it may not be a coroutine."""
    mark: Callable[[Handler], Handler] = _after(action)
    return mark


class FaultHandler(logging.Handler):
    """Hands on what `ocpp` only logs: a message that broke a schema or the RPC rules, a handler that failed."""

    def __init__(self, tell_fault: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._tell_fault = tell_fault

    def emit(self, record: logging.LogRecord) -> None:
        """Tell one fault, with what caused it."""
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text = f"{text}: {record.exc_info[1]}"
        self._tell_fault(text[:FAULT_MAX])

    def install(self) -> None:
        """Listen to what `ocpp` logs in this process."""
        logger = logging.getLogger("ocpp")
        logger.addHandler(self)
        logger.propagate = False
