"""The token that the gateway holds: renewed before it ends, replaced when it is over, by one login at a time."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog

from pki.vault.backoff import Backoff
from pki.vault.failures import VaultError, VaultRefused, VaultUnavailable
from pki.vault.logins import Grant

DUE: Final = 2 / 3
"""Of a lease, after which it is renewed."""
SHRUNK: Final = 1 / 2
"""Of its first lease: a renewal that gives less shows that the token nears its max TTL."""
RETRY: Final = 1 / 10
"""Of a lease, after which a renewal that failed is tried again; RETRY_MAX seconds at most."""
RETRY_MAX: Final = 30.0
PAUSE_MIN: Final = 0.25
"""Seconds between two looks at the token."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """A token, until when it is good, and when to do something about it (monotonic seconds)."""

    value: str
    first_lease: float
    ends: float
    due: float
    is_renewable: bool

    def __repr__(self) -> str:
        return f"Token(first_lease={self.first_lease:g}, is_renewable={self.is_renewable})"

    @classmethod
    def of(cls, grant: Grant, now: float, first_lease: float | None = None) -> "Token":
        """Take what a login or a renewal gave."""
        lease = grant.lease or float("inf")
        first = first_lease or lease
        return cls(grant.token, first, now + lease, now + DUE * lease, grant.is_renewable)


class Tokens:
    """Holds one token."""

    def __init__(
        self,
        log_in: Callable[[], Awaitable[Grant]],
        renew: Callable[[Token], Awaitable[Grant]],
        *,
        is_static: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log_in = log_in
        self._renew = renew
        self._is_static = is_static
        self._clock = clock
        self._lock = asyncio.Lock()
        self._backoff = Backoff()
        self._failed = (float("-inf"), "")
        """When the last login failed, and why: whoever has waited for it needn't try it again."""
        self._token: Token | None = None
        self._changed = asyncio.Event()

    def __repr__(self) -> str:
        return f"Tokens({self._token!r})"

    async def current(self) -> Token:
        """Return a token that isn't over as far as is known; log in if there is none. Raises VaultUnavailable."""
        token = self._token
        if token is not None and self._clock() < token.ends:
            return token
        return await self.replace(token)

    async def replace(self, dead: Token | None) -> Token:
        """Return another token than ``dead``: the one that somebody else got meanwhile, or that of a login."""
        asked = self._clock()
        async with self._lock:
            token = self._token
            if token is not None and token is not dead and self._clock() < token.ends:
                return token
            failed, reason = self._failed
            if failed >= asked:
                raise VaultUnavailable(reason)
            if wait := self._backoff.waits(self._clock()):
                raise VaultUnavailable(f"{self._backoff.reason}; tried again in {wait:.0f} s")
            try:
                grant = await self._log_in()
            except VaultError as error:
                self._failed = (self._clock(), str(error))
                if isinstance(error, VaultRefused):
                    self._backoff.failed(*self._failed)
                    log.error("vault_login_refused", reason=str(error))  # noqa: TRY400  # its own words say it
                raise VaultUnavailable(str(error)) from None
            self._backoff.succeeded()
            return self._take(Token.of(grant, self._clock()))

    async def keep(self) -> None:
        """Renew for as long as this runs."""
        while True:
            self._changed.clear()
            await self._rest()
            await self.tend()

    async def tend(self) -> None:
        """Do what is due."""
        token = self._token
        if token is not None and self._clock() < token.due:
            return
        try:
            if token is not None and token.is_renewable:
                await self._prolong(token)
            else:
                await self.replace(token)
                if self._is_static:
                    self._warn("can't be renewed")
        except VaultError as error:
            log.warning("vault_token_not_renewed", reason=str(error))
            if self._token is token is not None:
                self._put_off(token)

    async def _prolong(self, token: Token) -> None:
        try:
            grant = await self._renew(token)
        except VaultRefused:
            await self.replace(token)
            return
        if self._token is not token:
            return
        renewed = self._take(Token.of(grant, self._clock(), token.first_lease))
        if grant.lease and grant.lease < SHRUNK * token.first_lease:
            if self._is_static:
                self._warn("nears its max TTL")
            else:
                await self.replace(renewed)

    def _take(self, token: Token) -> Token:
        if self._is_static and self._token is None and not token.is_renewable and token.ends != float("inf"):
            self._token = token
            self._warn("can't be renewed")
        self._token = token
        self._changed.set()
        return token

    def _warn(self, what: str) -> None:
        token = self._token
        if token is not None:
            left = max(0.0, token.ends - self._clock())
            log.warning("vault_token_ends", reason=f"the token {what}; put a new one in its place", seconds=round(left))

    def _put_off(self, token: Token) -> None:
        pause = min(RETRY_MAX, RETRY * token.first_lease)
        due = self._clock() + max(PAUSE_MIN, pause)
        self._token = Token(token.value, token.first_lease, token.ends, due, token.is_renewable)

    async def _rest(self) -> None:
        """Wait until something is due, or the token is another."""
        now = self._clock()
        token = self._token
        pause = (self._backoff.waits(now) or RETRY_MAX) if token is None else token.due - now
        with contextlib.suppress(TimeoutError):
            # Not wait_for: that of Python 3.11 loses a cancellation that comes just when the token changes.
            async with asyncio.timeout(max(PAUSE_MIN, pause) if pause != float("inf") else None):
                await self._changed.wait()
