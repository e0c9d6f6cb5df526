"""An OPCP provider, asked within what a vehicle waits for; every way in which it fails in words that say what to do."""

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Literal

from pki.client_tls import CredentialMissing, TlsTrust
from pki.iso15118.opcp.circuit import Circuit
from pki.iso15118.opcp.exchange import CONNECTIONS_MAX, Exchange, Reply
from pki.iso15118.opcp.token import AccessToken, AccessTokens, OAuthClient
from pki.iso15118.provisioning import ProvisioningRefused, Refusal

WAITING_MAX: Final = 64
"""Requests that were begun and not ended; more are refused at once."""
TOO_SLOW: Final = 0.5
"""Of its time, after which a provider counts as one that didn't answer though who asked gave up before: what it signs
was issued first, and that took some of the vehicle's time, too."""
WORDS_MAX: Final = 200
"""Characters of a provider's own words in an error."""

_DENIED: Final = frozenset({401, 403})
_AWAY: Final = frozenset({408, 425, 429})
_NO_ANSWER: Final = frozenset({Refusal.PROVIDER_UNAVAILABLE, Refusal.PROVIDER_TIMEOUT})
_UNPRINTABLE: Final = re.compile(r"[^ -~]+")

Headers = Callable[[], Mapping[str, str]]
"""Gives further headers, such as an API key. Blocks. Raises CredentialMissing."""


class OpcpClient:
    """One provider. Close it."""

    def __init__(
        self,
        url: str,
        trust: TlsTrust,
        *,
        oauth: OAuthClient | None = None,
        headers: Headers | None = None,
        timeout: float = 4.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``url``: https://host[/path]; ``timeout``: seconds for one :meth:`ask`, token and second try included."""
        self.base = url.rstrip("/")
        self._exchange = Exchange(trust)
        self._tokens = AccessTokens(oauth, self._exchange, clock) if oauth is not None else None
        self._headers = headers
        self._read_headers: Mapping[str, str] | None = None
        self._timeout = timeout
        self._clock = clock
        self._circuit = Circuit(clock)
        self._turn = asyncio.Semaphore(CONNECTIONS_MAX)
        self._begun = 0

    def __repr__(self) -> str:
        return f"OpcpClient({self.base})"

    async def close(self) -> None:
        """End what is under way, and close what is open."""
        if self._tokens is not None:
            await self._tokens.close()
        await self._exchange.close()

    def check(self) -> None:
        """Return when a provider would be asked, for who has something to do before that is dear. Raises as `ask`."""
        with self._named():
            self._circuit.check()

    async def ask(
        self,
        method: Literal["GET", "POST", "PUT"],
        path: str,
        content: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        expect: frozenset[int] = frozenset({200}),
    ) -> Reply:
        """Return an answer whose status is one of ``expect``; ``content`` is sent as JSON.

        401 and 403 are tried once more, with a new token and the headers read anew, if there is time. Raises
        ProvisioningRefused.
        """
        where = f"{self.base}{path}"
        if self._begun >= WAITING_MAX:
            raise ProvisioningRefused(
                Refusal.PROVIDER_UNAVAILABLE, f"{where}: {WAITING_MAX} requests are under way already"
            )
        with self._named():
            self._circuit.pass_one()
        body = None if content is None else json.dumps(content).encode()
        self._begun += 1
        try:
            return await self._ask(method, where, dict(headers or {}), body, expect)
        finally:
            self._begun -= 1

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except ProvisioningRefused as refused:
            raise ProvisioningRefused(refused.refusal, f"{self.base} {refused}") from None

    async def _ask(
        self, method: str, where: str, headers: dict[str, str], body: bytes | None, expect: frozenset[int]
    ) -> Reply:
        deadline = self._clock() + self._timeout
        try:
            async with asyncio.timeout(self._timeout), self._turn:
                reply = await self._tried(method, where, headers, body, deadline)
            if reply.status not in expect:
                raise _failure(where, reply)
        except TimeoutError:
            words = f"{where}: no answer within {self._timeout:g} s"
            self._circuit.failed(words)
            raise ProvisioningRefused(Refusal.PROVIDER_TIMEOUT, words) from None
        except asyncio.CancelledError:
            waited = self._clock() - (deadline - self._timeout)
            if waited >= TOO_SLOW * self._timeout:
                self._circuit.failed(f"{where}: no answer within {waited:.1f} s, and nobody waited any longer")
            raise
        except ProvisioningRefused as refused:
            if refused.refusal in _NO_ANSWER:
                self._circuit.failed(str(refused))
            else:
                self._circuit.succeeded()
            raise
        self._circuit.succeeded()
        return reply

    async def _tried(
        self, method: str, where: str, headers: dict[str, str], body: bytes | None, deadline: float
    ) -> Reply:
        if body is not None:
            headers["Content-Type"] = "application/json"
        began = self._clock()
        token, ours = await self._credentials()
        reply = await self._exchange.ask(method, where, headers=headers | ours, body=body)
        if reply.status not in _DENIED or not ours:
            return reply
        if self._tokens is not None and token is not None:
            self._tokens.forget(token)
        self._read_headers = None
        # The second try takes as long as the first, and a new token: what can't be done in time isn't begun.
        if self._clock() + (self._clock() - began) > deadline:
            return reply
        _, ours = await self._credentials()
        return await self._exchange.ask(method, where, headers=headers | ours, body=body)

    async def _credentials(self) -> tuple[AccessToken | None, dict[str, str]]:
        """Return the token, and all headers by which we prove who we are."""
        headers: dict[str, str] = {}
        if self._headers is not None:
            read = self._read_headers
            if read is None:
                try:
                    read = self._read_headers = await asyncio.to_thread(self._headers)
                except CredentialMissing as error:
                    raise ProvisioningRefused(Refusal.PROVIDER_UNAVAILABLE, f"{self.base}: {error}") from None
            headers |= read
        if self._tokens is None:
            return None, headers
        token = await self._tokens.current()
        return token, headers | {"Authorization": f"Bearer {token.value}"}


def _failure(where: str, reply: Reply) -> ProvisioningRefused:
    """Say what an answer that wasn't expected means; 404 of a pool is no contract, as OPCP has it."""
    status, words = reply.status, _words(reply)
    refusal, what = Refusal.PROVIDER_ANSWER, f"answers with {status}, which OPCP doesn't know"
    if status in _DENIED:
        # Its words aren't repeated: they may repeat our token.
        refusal = Refusal.PROVIDER_REFUSED
        what = f"doesn't let us in ({status}); see opcp.token and opcp.headers, and which role we have there"
    elif status == 404 and words is not None:
        refusal, what = Refusal.NO_CONTRACT, f"knows no such contract or vehicle (404){words}"
    elif status in {404, 405}:
        what = f"isn't served ({status}); see opcp.url"
    elif 300 <= status < 400:
        what = f"answers with a redirect ({status}), which isn't followed; name its target in opcp.url"
    elif status >= 500 or status in _AWAY:
        refusal, what = Refusal.PROVIDER_UNAVAILABLE, f"can't do it now ({status}){words or ''}"
    elif 400 <= status < 500:
        refusal, what = Refusal.PROVIDER_REFUSED, f"refuses it ({status}){words or ''}"
    return ProvisioningRefused(refusal, f"{where} {what}")


def _words(reply: Reply) -> str | None:
    """Return what the provider says in ``errorMessages``, where it is meant for people; None: it isn't OPCP at all."""
    try:
        messages = reply.read_object().get("errorMessages", [])
    except ValueError:
        return None
    texts = [each[:WORDS_MAX] for each in messages[:5] if isinstance(each, str)] if isinstance(messages, list) else []
    text = _UNPRINTABLE.sub(" ", "; ".join(texts)).strip()[:WORDS_MAX]
    return f": {text}" if text else ""
