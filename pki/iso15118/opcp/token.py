"""The access token of an OPCP provider: OAuth 2.0 client credentials (RFC 6749 4.4).

It is fetched once for all who wait, in a task of its own: a vehicle that gives up takes nobody else's token with it,
and a token that came too late for one is there for the next. It is renewed in the background before it ends, so that
only the first vehicle ever waits for one.
"""

import asyncio
import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import structlog

from pki.client_tls import CredentialMissing
from pki.iso15118.opcp.exchange import Exchange, Reply
from pki.iso15118.provisioning import ProvisioningRefused, Refusal

FETCH_TIMEOUT: Final = 10.0
"""Seconds for one fetch: longer than any vehicle waits."""
LIFETIME_MAX: Final = 86_400.0
"""Seconds; a token that is good for longer is renewed each day all the same."""
LIFETIME_UNSAID: Final = 300.0
"""Seconds, where the server doesn't say (RFC 6749 5.1 recommends that it does)."""
DUE: Final = 0.8
"""Of its life, after which another one is fetched while it still serves."""
MARGIN: Final = 30.0
"""Seconds before its end, after which it doesn't serve any more; a tenth of its life at most."""
REFUSED_PAUSE: Final = 10.0
"""Seconds for which credentials that were refused aren't tried again: servers lock clients out."""
TOKEN_MAX: Final = 16 * 1024
"""Characters of a token."""

_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_ERROR_CODE: Final = re.compile(r"[a-z_]{1,40}")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """Who we are at the token endpoint."""

    url: str
    client_id: str
    secret: Callable[[], str]
    """Read anew for each fetch. Blocks. Raises CredentialMissing."""
    scope: str | None = None
    audience: str | None = None
    """For which provider the token is to be good; OPCP's own token service wants it."""


@dataclass(frozen=True, slots=True, repr=False)
class AccessToken:
    """A token, when another one is to be fetched, and until when it serves (monotonic seconds)."""

    value: str
    due: float
    ends: float

    def __repr__(self) -> str:
        return f"AccessToken(ends={self.ends:g})"

    @classmethod
    def of(cls, value: str, lifetime: float, now: float) -> "AccessToken":
        """Take what the endpoint gave; ``lifetime`` in seconds."""
        lifetime = min(lifetime, LIFETIME_MAX)
        return cls(value, now + DUE * lifetime, now + lifetime - min(MARGIN, lifetime / 10))


class AccessTokens:
    """Holds one token. Close it."""

    def __init__(self, client: OAuthClient, exchange: Exchange, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._exchange = exchange
        self._clock = clock
        self._token: AccessToken | None = None
        self._fetching: asyncio.Task[AccessToken] | None = None
        self._refused: tuple[float, str] = (float("-inf"), "")
        """Until when the credentials aren't tried again, and what the endpoint said."""

    def __repr__(self) -> str:
        return f"AccessTokens({self._client.url})"

    async def current(self) -> AccessToken:
        """Return a token that serves. Raises ProvisioningRefused. When who waits is cancelled, the fetch goes on."""
        token, now = self._token, self._clock()
        if token is None or now >= token.ends:
            return await asyncio.shield(self._fetch())
        if now >= token.due and now >= self._refused[0]:
            self._fetch()
        return token

    def forget(self, token: AccessToken) -> None:
        """Have another one fetched than this, which the provider doesn't take."""
        if self._token is token:
            self._token = None

    async def close(self) -> None:
        """End what is under way."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])

    def _fetch(self) -> asyncio.Task[AccessToken]:
        if self._fetching is None:
            self._fetching = asyncio.get_running_loop().create_task(
                self._fetched(), name=f"token of {self._client.url}"
            )
            self._fetching.add_done_callback(self._ended)
        return self._fetching

    def _ended(self, task: "asyncio.Task[AccessToken]") -> None:
        self._fetching = None
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            self._token = task.result()
        elif isinstance(error, ProvisioningRefused):
            # Who waits for it hears it, too; a renewal in the background has nobody else to tell.
            log.warning("opcp_token_not_fetched", reason=str(error))
        else:
            log.error("task_failed", task=task.get_name(), exc_info=error)

    async def _fetched(self) -> AccessToken:
        until, words = self._refused
        if self._clock() < until:
            raise ProvisioningRefused(Refusal.PROVIDER_REFUSED, words)
        url = self._client.url
        try:
            async with asyncio.timeout(FETCH_TIMEOUT):
                asked = self._clock()
                reply = await self._exchange.ask(
                    "POST",
                    url,
                    headers={"Content-Type": "application/x-www-form-urlencoded"},
                    body=await asyncio.to_thread(self._form),
                )
        except TimeoutError:
            raise ProvisioningRefused(Refusal.PROVIDER_TIMEOUT, f"{url}: no token within {FETCH_TIMEOUT:g} s") from None
        except CredentialMissing as error:
            raise ProvisioningRefused(Refusal.PROVIDER_UNAVAILABLE, f"{url}: {error}") from None
        if reply.status != 200:
            raise self._failure(reply)
        try:
            value, lifetime = read_token(reply.read_object())
        except ValueError as error:
            raise ProvisioningRefused(Refusal.PROVIDER_ANSWER, f"{url}: the token's answer {error}") from None
        return AccessToken.of(value, lifetime, asked)

    def _form(self) -> bytes:
        client = self._client
        fields = {
            "grant_type": "client_credentials",
            "client_id": client.client_id,
            "client_secret": client.secret(),
            "scope": client.scope,
            "audience": client.audience,
        }
        return urlencode({name: value for name, value in fields.items() if value is not None}).encode()

    def _failure(self, reply: Reply) -> ProvisioningRefused:
        url, status = self._client.url, reply.status
        if status in {400, 401, 403}:
            words = (
                f"{url} refuses our client ({status}{_error_code(reply)}); see token.client_id, token.client_secret, "
                "token.scope and token.audience"
            )
            self._refused = (self._clock() + REFUSED_PAUSE, words)
            return ProvisioningRefused(Refusal.PROVIDER_REFUSED, words)
        if 300 <= status < 400:
            words = f"{url} answers with a redirect ({status}), which isn't followed; name its target in token.url"
        elif status in {404, 405}:
            words = f"{url} isn't served ({status}); see token.url"
        else:
            words = f"{url} gives no token now ({status})"
        return ProvisioningRefused(Refusal.PROVIDER_UNAVAILABLE, words)


def read_token(answer: dict[str, Any]) -> tuple[str, float]:
    """Return token and lifetime in seconds (RFC 6749 5.1). Raises ValueError; its text holds nothing of the answer."""
    value, kind, lifetime = answer.get("access_token"), answer.get("token_type"), answer.get("expires_in")
    if not isinstance(value, str) or len(value) > TOKEN_MAX or not _TOKEN.fullmatch(value):
        raise ValueError("has no access_token that can be sent (RFC 6750 2.1)")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise ValueError("has another token_type than Bearer")
    if lifetime is None:
        return value, LIFETIME_UNSAID
    if isinstance(lifetime, bool) or not isinstance(lifetime, int | float) or not 0 < lifetime < math.inf:
        raise ValueError("has an expires_in that isn't a number of seconds")
    return value, float(min(lifetime, LIFETIME_MAX))


def _error_code(reply: Reply) -> str:
    """Return the endpoint's own word, such as invalid_client (RFC 6749 5.2)."""
    try:
        code = reply.read_object().get("error")
    except ValueError:
        return ""
    return f" {code}" if isinstance(code, str) and _ERROR_CODE.fullmatch(code) else ""
