"""How the API says no: one JSON shape for every error."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web


class ApiRefusal(Exception):
    """A request that can't be done. ``code`` is stable for scripts, the text is for people."""

    def __init__(self, status: int, code: str, text: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.details = dict(details or {})


def problem(status: int, code: str, text: str, details: Mapping[str, Any] | None = None) -> web.Response:
    """Return ``{"error": {"code", "message", ...details}}``."""
    return web.json_response({"error": {"code": code, "message": text, **(details or {})}}, status=status)
