"""Where log lines go: stderr, one event a line, control characters escaped (attack C7)."""

import logging
import sys
import warnings
from typing import Any, Final

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

WARNING_MAX: Final = 300
"""Characters of a library's warning: it may be a peer's text."""

_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure(level: str, form: str) -> None:
    """Set structlog up. ``form``: ``json``, ``console``, or ``auto``: console on a terminal, JSON elsewhere."""
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    renderer: Processor
    if console:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    else:
        renderer = structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _printable,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    warnings.showwarning = _warned


def _warned(message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: Any, **__: Any) -> None:
    """Log what a library warns of as any other event."""
    where = f"{filename}:{lineno}"
    structlog.get_logger(__name__).warning("warned", of=category.__name__, text=str(message)[:WARNING_MAX], where=where)


def _printable(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Escape what a peer's text could do to a terminal or to a reader that splits lines."""
    for key, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            lines = value.split("\n") if key == "exception" else [value]
            event[key] = "\n".join(map(_escaped, lines))
    return event


def _escaped(text: str) -> str:
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
