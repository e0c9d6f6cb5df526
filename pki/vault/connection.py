"""A connection to one cluster: finds the node that serves, keeps a token, and repeats what may be repeated."""

import asyncio
import contextlib
import functools
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from hvac.api.auth_methods import Token as TokenApi
from hvac.api.system_backend import Health

from pki.client_tls import CredentialMissing, TlsTrust
from pki.vault.adapter import VaultAdapter
from pki.vault.backoff import Backoff
from pki.vault.failures import NoAnswer, NotSent, StatusError, VaultRefused, VaultUnavailable
from pki.vault.logins import Grant, Login
from pki.vault.nodes import HEALTHY, NOT_VAULT, Nodes
from pki.vault.threads import RequestThreads
from pki.vault.tokens import Token, Tokens
from pki.vault.transport import Answer, Attempt, Transport
from pki.vault.verdicts import Verdict, explained, verdict

IN_FLIGHT_MAX: Final = 32
"""Requests of callers at one time; the others wait for their turn."""
BESIDE_MAX: Final = 8
"""Threads for what goes on beside them: looking for a node, logins, renewals."""
TRIES: Final = 5
"""Of one call."""
PATIENCE: Final = 3
"""Times the timeout of a request: until then a call has ended, its waiting, its login and its tries included."""
PROBE_TIMEOUT: Final = 2.0
"""Seconds for sys/health, at most."""
PAUSE: Final = 0.1
"""Seconds before the second try of what failed; each further pause is twice as long."""

T = TypeVar("T")
Work = Callable[[VaultAdapter], T]
"""Asks by hvac's API classes. Runs in a thread."""


class VaultConnection:
    """Shared by whoever speaks to this cluster with these credentials."""

    def __init__(
        self,
        addresses: Sequence[str],
        login: Login,
        *,
        trust: TlsTrust | None = None,
        namespace: str | None = None,
        timeout: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._login = login
        self._trust = trust or TlsTrust()
        self._namespace = namespace
        self._timeout = timeout
        self._clock = clock
        self._transports = [Transport(address, self._trust.context) for address in addresses]
        self._nodes = Nodes(self._transports, self._probe, clock)
        self._tokens = Tokens(self._log_in, self._renew, is_static=login.kind == "token", clock=clock)
        self._threads = RequestThreads(IN_FLIGHT_MAX + BESIDE_MAX)
        self._slots = asyncio.Semaphore(IN_FLIGHT_MAX)
        self._cures = Backoff()
        """After logins that didn't help against a 403."""

    def __repr__(self) -> str:
        return f"VaultConnection({', '.join(each.address for each in self._transports)}, {self._login.kind})"

    async def call(self, work: Work[T], *, is_repeatable: bool = True) -> T:
        """Return what ``work`` returns; it is asked anew of another node, or with another token, where that is safe.

        ``is_repeatable=False``: not when it may have been done already. Raises :class:`VaultUnavailable`,
        :class:`VaultRefused`.
        """
        seconds = PATIENCE * self._timeout
        try:
            async with asyncio.timeout(seconds) as limit:
                return await self._tried(work, limit, is_repeatable)
        except TimeoutError:
            raise VaultUnavailable(
                f"Vault hasn't done it within {seconds:g} s; it is slow or overloaded",
                is_outcome_unknown=not is_repeatable,
            ) from None

    async def keep_alive(self) -> None:
        """Keep the token renewed, for as long as this runs: the owner of the connection makes it a task."""
        await self._tokens.keep()

    async def close(self) -> None:
        """Close the connections. Requests that are under way come to no end."""
        self._threads.close()
        for transport in self._transports:
            transport.drop()

    async def _tried(self, work: Work[T], limit: asyncio.Timeout, is_repeatable: bool) -> T:
        """Ask as the holder of the token."""
        dead: Token | None = None
        failure = VaultUnavailable("Vault wasn't asked")
        for turn in range(TRIES):
            token = await self._tokens.current()
            node = await self._nodes.current()
            try:
                async with self._slots:
                    answer = await self._ask(node, work, token.value)
            except (NotSent, NoAnswer, StatusError) as error:
                if isinstance(error, StatusError) and verdict(error) is Verdict.DENIED:
                    await self._cure(error, token, is_second=dead is not None)
                    dead = token
                    continue
                failure = await self._judged(error, node, turn, limit, is_repeatable)
                continue
            if dead is not None:
                self._cures.succeeded()
            return answer
        raise failure

    async def _beside(self, work: Work[T], token: str) -> T:
        """Ask as the holder of another token, or of none: logins, renewals, looking a token up. All repeatable."""
        failure = VaultUnavailable(f"Vault doesn't answer within {PATIENCE * self._timeout:g} s")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE * self._timeout) as limit:
                for turn in range(TRIES):
                    node = await self._nodes.current()
                    try:
                        return await self._ask(node, work, token)
                    except (NotSent, NoAnswer, StatusError) as error:
                        failure = await self._judged(error, node, turn, limit, is_repeatable=True)
        raise failure

    async def _judged(
        self,
        error: NotSent | NoAnswer | StatusError,
        node: Transport,
        turn: int,
        limit: asyncio.Timeout,
        is_repeatable: bool,
    ) -> VaultUnavailable:
        """Return when there may be another try, with what to say if there is none. Raises what is final."""
        if isinstance(error, NotSent):
            self._nodes.doubt(node)
            return VaultUnavailable(str(error))
        if isinstance(error, NoAnswer):
            kind, text = Verdict.FAILED, str(error)
        else:
            kind, text = verdict(error), explained(error)
            if kind in {Verdict.REFUSED, Verdict.DENIED}:
                raise VaultRefused(text, status=error.status, words=error.words)
        if kind is not Verdict.LIMITED:
            self._nodes.doubt(node)
        failure = VaultUnavailable(text, is_outcome_unknown=kind is Verdict.FAILED and not is_repeatable)
        if failure.is_outcome_unknown:
            raise failure
        if kind is not Verdict.NOT_SERVING:
            asked_for = error.retry_after if isinstance(error, StatusError) else None
            await self._pause(PAUSE * 2**turn if asked_for is None else asked_for, limit, failure)
        return failure

    async def _pause(self, seconds: float, limit: asyncio.Timeout, failure: VaultUnavailable) -> None:
        ends = limit.when()
        if ends is not None and asyncio.get_running_loop().time() + seconds >= ends:
            raise failure
        await asyncio.sleep(seconds)

    async def _cure(self, error: StatusError, token: Token, *, is_second: bool) -> None:
        """Return when there is another token than the one that was denied. Raises VaultRefused."""
        refused = VaultRefused(explained(error), status=error.status, words=error.words)
        now = self._clock()
        if is_second:
            self._cures.failed(now)
            raise refused
        if await self._tokens.current() is not token:
            return
        try:
            await self._beside(lambda adapter: TokenApi(adapter).lookup_self(), token.value)
        except VaultRefused:
            # It is over, or was revoked; or nobody may look itself up, which a login in vain will show.
            if self._cures.waits(now):
                raise refused from None
            await self._tokens.replace(token)
        else:
            raise refused

    async def _log_in(self) -> Grant:
        """Raises VaultRefused when the credential isn't good."""
        try:
            if self._trust.forget():
                for transport in self._transports:
                    transport.drop()
            return await self._beside(self._login.log_in, "")
        except VaultRefused as error:
            text = f"the login ({self._login.kind}) is refused: {error.words or error.status}; check its credential"
            raise VaultRefused(text, status=error.status, words=error.words) from None

    async def _renew(self, token: Token) -> Grant:
        increment = None if token.first_lease == float("inf") else f"{max(1, round(token.first_lease))}s"
        answer = await self._beside(lambda adapter: TokenApi(adapter).renew_self(increment), token.value)
        with contextlib.suppress(NoAnswer):
            return Grant.of_login(answer)
        raise VaultUnavailable("the renewal of the token is answered without one")

    async def _probe(self, transport: Transport) -> int:
        """Ask for sys/health: without a token, and in the root namespace, which alone has it."""
        return await self._run(transport, _health, "", None, min(self._timeout, PROBE_TIMEOUT))

    async def _ask(self, node: Transport, work: Work[T], token: str) -> T:
        return await self._run(node, work, token, self._namespace, self._timeout)

    async def _run(self, node: Transport, work: Work[T], token: str, namespace: str | None, seconds: float) -> T:
        try:
            return await self._threads.run(functools.partial(_work, work, node, token, namespace), seconds)
        except CredentialMissing as error:
            raise VaultUnavailable(str(error)) from None


def _work(work: Work[T], node: Transport, token: str, namespace: str | None, attempt: Attempt) -> T:
    return work(VaultAdapter(node, attempt, token=token, namespace=namespace))


def _health(adapter: VaultAdapter) -> int:
    answer: Any = Health(adapter).read_health_status(method="GET")
    if isinstance(answer, Answer):
        return answer.status_code if not answer.ok else NOT_VAULT
    return HEALTHY if isinstance(answer, dict) and "sealed" in answer else NOT_VAULT
