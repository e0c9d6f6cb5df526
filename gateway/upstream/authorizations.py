"""What the backends say of idTags, remembered beside their answers: never in a message's way, and not for long."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from datetime import timedelta
from typing import Final

import structlog

from gateway.bridge.books import Json
from gateway.bridge.ports import Call, Clock
from gateway.session.ports import Authorization, AuthorizationStore, StoreAway

REMEMBERED_FOR: Final = timedelta(days=30)
"""So long a backend's word stands in for it; then it is deleted."""
WRITE_EVERY: Final = 1.0
"""Seconds from an answer to its row."""
FORGET_EVERY: Final = 3600
"""Rounds of ``WRITE_EVERY`` between two deletions of what is too old or too much."""
WAITING_MAX: Final = 10_000
"""Answers that wait for the store; beyond them the oldest are forgotten, and only what is remembered suffers."""
BATCH_MAX: Final = 500
"""Rows looked at in one database transaction."""

_SPEAK_OF_TAGS: Final = frozenset({"Authorize", "StartTransaction", "StopTransaction"})
_OF_THE_MOMENT: Final = "ConcurrentTx"
"""Says that the idTag is in use elsewhere now, and nothing of what it may do another day."""

log = structlog.get_logger(__name__)

_Key = tuple[str, str]


class RememberedAuthorizations:
    """The memory of one process. Only of ``backends``, those with ``authorize_offline: cache``, is anything kept."""

    def __init__(
        self,
        store: AuthorizationStore,
        backends: Collection[str],
        *,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._backends = frozenset(backends)
        self._clock = clock
        self._sleep = sleep
        self._waiting: dict[_Key, Authorization] = {}
        self._is_away = False

    def listening(self, backend: str, call: Call) -> Call:
        """Return ``call``, whose answers are heard."""
        if backend not in self._backends:
            return call

        async def heard(action: str, payload: Json) -> Json:
            conf = await call(action, payload)
            if action in _SPEAK_OF_TAGS:
                self._hear(backend, payload, conf)
            return conf

        return heard

    async def recall(self, backend: str, id_tag: str) -> Json | None:
        """Return the IdTagInfo last heard of ``id_tag``, in any letter case; None when there is none, or too old.

        None too when the store can't say.
        """
        key = backend, id_tag.casefold()
        try:
            found = self._waiting.get(key) or await self._store.find(*key)
        except StoreAway as away:
            log.error("authorization_not_recalled", backend=backend, reason=str(away))  # noqa: TRY400 - the text says it
            return None
        is_recent = found is not None and self._clock() - found.heard_at < REMEMBERED_FOR
        return found.info if found is not None and is_recent else None

    async def run(self) -> None:
        """Write what was heard, again and again. Never returns; to be cancelled, and :meth:`flush` called after it."""
        rounds = 0
        while True:
            await self._guarded(self._forget if rounds % FORGET_EVERY == 0 else self._write)
            rounds += 1
            await self._sleep(WRITE_EVERY)

    async def flush(self) -> None:
        """Write all that was heard: the end."""
        await self._guarded(self._write)

    def _hear(self, backend: str, payload: Json, conf: Json) -> None:
        id_tag, info = payload.get("idTag"), conf.get("idTagInfo")
        if id_tag is None or info is None or info["status"] == _OF_THE_MOMENT:
            return
        if not id_tag.isprintable():  # no card's, and PostgreSQL can't hold all of it
            return
        key = backend, id_tag.casefold()
        self._waiting.pop(key, None)  # to the end of the line
        if len(self._waiting) >= WAITING_MAX:
            del self._waiting[next(iter(self._waiting))]
        self._waiting[key] = Authorization(*key, info, self._clock())

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        """Whatever the store says, the next round tries again; it is said once."""
        try:
            await work()
        except StoreAway as away:
            if not self._is_away:
                log.error("authorizations_wait", count=len(self._waiting), reason=str(away))  # noqa: TRY400 - it says it
            self._is_away = True
        except Exception:
            log.exception("authorizations_not_kept", count=len(self._waiting))
            self._waiting.clear()
        else:
            self._is_away = False

    async def _write(self) -> None:
        """What is being written stays findable until the store has it; what is heard meanwhile is written next."""
        while batch := list(self._waiting.items())[:BATCH_MAX]:
            await self._store.keep([heard for _, heard in batch])
            for key, heard in batch:
                if self._waiting.get(key) is heard:
                    del self._waiting[key]

    async def _forget(self) -> None:
        await self._store.forget(self._backends, self._clock() - REMEMBERED_FOR)
