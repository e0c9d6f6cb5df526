"""hvac's way to a node: its API classes speak, our transport carries."""

import contextlib
import json
from typing import Any
from urllib.parse import urlencode

from hvac.adapters import Adapter

from pki.vault.failures import NoAnswer, StatusError
from pki.vault.transport import ANSWER_MAX, Answer, Attempt, Transport

RETRY_AFTER_MAX = 3600.0
"""Seconds that a Retry-After is taken for at most."""


class VaultAdapter(Adapter):  # type: ignore[misc]  # hvac ships no types
    """Carries the requests of one try, to one node, as the holder of one token."""

    def __init__(  # hvac's own would open a requests session for each
        self, transport: Transport, attempt: Attempt, *, token: str = "", namespace: str | None = None
    ) -> None:
        self.token = token
        self.namespace = namespace
        self._transport = transport
        self._attempt = attempt

    def __repr__(self) -> str:
        return f"VaultAdapter({self._transport.address})"

    def get_login_token(self, response: Any) -> str:
        """Return the token of a login's answer."""
        return str(response["auth"]["client_token"])

    def request(  # hvac's signature
        self,
        method: str,
        url: str,
        headers: dict[str, str] | None = None,
        raise_exception: bool = True,  # noqa: FBT001, FBT002, RUF100  # as above
        *,
        answer_max: int = ANSWER_MAX,
        **kwargs: Any,
    ) -> Any:
        """Return what a 200 holds, decoded, or an :class:`Answer` of any other kind.

        Raises :class:`StatusError` (unless ``raise_exception`` is False), NotSent, NoAnswer.
        """
        path = "/" + "/".join(part for part in url.split("/") if part)
        query = urlencode(kwargs.get("params") or {})
        body = json.dumps(kwargs["json"]).encode() if kwargs.get("json") is not None else None
        answer = self._transport.exchange(
            method.upper(),
            f"{path}?{query}" if query else path,
            self._headers() | (headers or {}),
            body,
            self._attempt,
            answer_max,
        )
        if answer.ok:
            return _decoded(answer, path)
        if raise_exception:
            plain = path.removeprefix("/v1/")
            raise StatusError(answer.status_code, answer.words(), method.upper(), plain, _retry_after(answer))
        return answer

    def _headers(self) -> dict[str, str]:
        found = {"X-Vault-Request": "true"}
        if self.token:
            found["X-Vault-Token"] = self.token
        if self.namespace:
            found["X-Vault-Namespace"] = self.namespace
        return found


def _decoded(answer: Answer, path: str) -> Any:
    if answer.status_code != 200 or not answer.headers.get("Content-Type", "").startswith("application/json"):
        return answer
    try:
        return answer.json()
    except (ValueError, RecursionError):
        raise NoAnswer(f"{path} is answered with what isn't JSON") from None


def _retry_after(answer: Answer) -> float | None:
    """Return the seconds of Retry-After (RFC 9110 10.2.3), where it names seconds."""
    with contextlib.suppress(ValueError):
        seconds = float(answer.headers.get("Retry-After", ""))
        if seconds >= 0:
            return min(seconds, RETRY_AFTER_MAX)
    return None
