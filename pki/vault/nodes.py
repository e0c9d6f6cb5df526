"""The nodes of one cluster: which of them serves now."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final

import structlog

from pki.vault.failures import NoAnswer, NotSent, VaultUnavailable
from pki.vault.transport import Transport

HEALTHY: Final = 200
FORWARDING: Final = (429, 473)
"""A standby, and a performance standby: they pass requests on to the active node."""
NOT_VAULT: Final = 0
"""In place of a status: what answers there is something else."""
STATES: Final = {
    NOT_VAULT: "isn't a Vault: sys/health is answered with something else",
    429: "is a standby",
    472: "is a disaster recovery secondary; name the primary",
    473: "is a performance standby",
    501: "isn't initialised; run `vault operator init`",
    503: "is sealed; unseal it",
}
"""Status of sys/health -> what to say of the node."""

Probe = Callable[[Transport], Awaitable[int]]
"""Returns the status of sys/health. Raises NotSent, NoAnswer."""

log = structlog.get_logger(__name__)


class Nodes:
    """Remembers the node that served last, and looks for another when it doesn't."""

    def __init__(
        self, transports: Sequence[Transport], probe: Probe, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._transports = transports
        self._probe = probe
        self._clock = clock
        self._lock = asyncio.Lock()
        self._good: Transport | None = None
        self._next = 0
        """Where the search begins."""
        self._failed = (float("-inf"), "")
        """When the last search failed, and what it found."""

    async def current(self) -> Transport:
        """Return a node that serves. However many ask, one search is made. Raises VaultUnavailable."""
        if (known := self._known()) is not None:
            return known
        asked = self._clock()
        async with self._lock:
            return self._known() or await self._search(asked)

    def doubt(self, node: Transport) -> None:
        """Look for a node before the next request, beginning behind this one."""
        if self._good is node:
            self._good = None
            self._next = self._transports.index(node) + 1

    def _known(self) -> Transport | None:
        return self._good

    async def _search(self, asked: float) -> Transport:
        failed, reason = self._failed
        if failed >= asked:
            raise VaultUnavailable(reason)
        said, spare = [], None
        for transport in self._ring():
            try:
                status = await self._probe(transport)
            except (NotSent, NoAnswer) as error:
                said.append(str(error))
                continue
            if status == HEALTHY:
                return self._found(transport)
            if status in FORWARDING and spare is None:
                spare = transport
            said.append(f"{transport.address} {STATES.get(status, f'answers HTTP {status} to sys/health')}")
        if spare is not None:
            return self._found(spare)
        self._failed = (self._clock(), "; ".join(said))
        raise VaultUnavailable(self._failed[1])

    def _ring(self) -> Iterator[Transport]:
        count = len(self._transports)
        yield from (self._transports[(self._next + step) % count] for step in range(count))

    def _found(self, transport: Transport) -> Transport:
        log.info("vault_node", address=transport.address)
        self._good = transport
        self._next = self._transports.index(transport)
        return transport
