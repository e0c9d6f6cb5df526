"""What becomes of a message that is offered to a backend, and when one that it refuses (CALLERROR) is offered again."""

import asyncio
import enum
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final

import structlog

from gateway.bridge.books import Json, Transaction
from gateway.bridge.ledger_words import Step, enter_refusal, version_of
from gateway.bridge.ports import PeerUnavailable
from gateway.session.ports import JournalEntry, JournalFull
from gateway.session.quarantine import FOLLOWS, FOLLOWS_ITS_START, REFUSED, Why
from gateway.session.stages import NotSendable
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.versions import Version

MESSAGE_ATTEMPTS: Final = 3
"""Times that a message is offered to a backend that finds fault with it (TransactionMessageAttempts of 1.6)."""
TROUBLE_ATTEMPTS: Final = 300
"""Times that a message is offered to a backend that has trouble of its own: about a day."""
TROUBLE: Final = frozenset({ErrorCode.INTERNAL_ERROR, ErrorCode.GENERIC_ERROR})
"""Codes of a CALLERROR that say nothing of the message: its database is down, say."""
RETRY_WAIT: Final = 10.0
"""Seconds between two attempts of one message while the backend is up (TransactionMessageRetryInterval of 1.6)."""
RETRY_WAIT_MAX: Final = 300.0
"""Seconds up to which that wait doubles from one CALLERROR to the next."""
REFUSALS_MAX: Final = 10
"""Messages that a backend refuses in one drain; then it refuses everything, and the rest isn't offered now."""
NO_ROOM: Final = 5
"""In place of a count of attempts, where the quarantine is full: it is asked again after ``RETRY_WAIT_MAX``."""
LOSSES_MAX: Final = 5
"""Times in a row that a message may be offered at once although the backend gave no answer to it."""
TIMER_SLACK: Final = 0.1
"""Seconds by which a timer may come early."""

log = structlog.get_logger(__name__)

LateAnswer = Callable[[Transaction, Json], Awaitable[None]]
"""Told of an answer that says who may charge and came after the station had been answered without it."""
SetAside = Callable[[str, Json, str], Awaitable[None]]
"""``await set_aside(action, payload, reason)`` keeps for a person what must not reach the backend."""


class Outcome(enum.Enum):
    """What became of an entry that was offered to the backend."""

    ANSWERED = "answered"
    SET_ASIDE = "set aside"
    REFUSED = "refused"
    """It stays in the journal: the backend may take it another time."""
    UNKNOWN = "unknown"
    """It stays in the journal: nobody knows whether the backend has it."""


class KeptBack:
    """The transactions whose oldest message the backend has refused, by the station's name for them.

    Each has the time of the event loop when its message is offered again. So it is with one whose message never gets an
    answer, because the backend closes each time or is silent: it must not hold up all others, and be booked anew by a
    backend that doesn't compare, every few seconds for ever.
    """

    __slots__ = ("_due", "_losses")

    def __init__(self) -> None:
        self._due: dict[str, float] = {}
        self._losses: dict[str, int] = {}
        """Times in a row that a transaction's oldest message was sent and not answered."""

    def __contains__(self, station_tx: str) -> bool:
        return station_tx in self._due

    def __len__(self) -> int:
        return len(self._due)

    @property
    def names(self) -> list[str]:
        """All of them."""
        return list(self._due)

    @property
    def wait(self) -> float:
        """Seconds until the first is due; there must be one."""
        return max(0.0, min(self._due.values()) - asyncio.get_running_loop().time())

    def add(self, station_tx: str, attempts: int) -> None:
        """Its oldest message was refused, as it had been ``attempts`` times before."""
        wait = min(RETRY_WAIT * 2.0**attempts, RETRY_WAIT_MAX)
        self._due[station_tx] = asyncio.get_running_loop().time() + wait

    def release_due(self) -> None:
        """Those whose time has come are kept back no longer."""
        now = asyncio.get_running_loop().time() + TIMER_SLACK
        self._due = {station_tx: due for station_tx, due in self._due.items() if due > now}

    def release_all(self) -> None:
        """The backend is there anew: none is kept back any longer but those that it has never answered."""
        self._due = {station_tx: due for station_tx, due in self._due.items() if self._is_ignored(station_tx)}
        self.release_due()

    @contextmanager
    def offering(self, station_tx: str, is_up: Callable[[], bool]) -> Iterator[None]:
        """Watch how one offer of a transaction's oldest message ends."""
        was_up = is_up()
        try:
            yield
        except PeerUnavailable:
            if was_up:
                losses = self._losses[station_tx] = self._losses.get(station_tx, 0) + 1
                if self._is_ignored(station_tx):
                    self.add(station_tx, losses - LOSSES_MAX)
            raise
        except CallError:
            self._losses.pop(station_tx, None)
            raise
        self._losses.pop(station_tx, None)

    def _is_ignored(self, station_tx: str) -> bool:
        return self._losses.get(station_tx, 0) >= LOSSES_MAX


def may_be_taken(code: ErrorCode, attempt: int) -> bool:
    """Return whether a message that was refused with ``code``, the ``attempt``-th time now, is offered once more."""
    return attempt < (TROUBLE_ATTEMPTS if code in TROUBLE else MESSAGE_ATTEMPTS)


async def moved(entry: JournalEntry, tx: Transaction, moving: Awaitable[None]) -> bool:
    """Enter into the books that ``entry`` is refused for good while ``moving`` takes it into the quarantine.

    False: there is no room, so it stays in the journal, and the books as they were.
    """
    before = tx.state
    enter_refusal(entry.action, entry.payload, tx)
    try:
        await moving
    except JournalFull:
        tx.state = before
        return False
    return True


async def to_its_end(work: Coroutine[Any, Any, None], name: str) -> None:
    """Do ``work`` whole; a caller that is cancelled meanwhile is so when that is done."""
    doing = asyncio.get_running_loop().create_task(work, name=name)
    try:
        await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.wait([doing])
        if not doing.cancelled() and (error := doing.exception()) is not None:  # nobody else hears of it
            log.warning("not_done_at_its_end", task=name, reason=str(error))
        raise


def why_refused(error: CallError, step: Step) -> Why:
    """Return why a message can't be delivered, for the person who looks at it: the policy's rule, if it was one.

    Where a policy keeps a begin from the backend, nothing that comes after it may go there before it.
    """
    verdict = error.verdict if isinstance(error, NotSendable) else None
    return Why(REFUSED, str(error)) if verdict is None else Why(verdict.rule, verdict.text, step is Step.START)


def why_not_offered(entry: JournalEntry, withheld: Collection[str], spoken: Version) -> Why | None:
    """Return why an entry of the journal is for a person to look at before any backend is, or None.

    What is in the words of another OCPP version, which the backend spoke before, or of a transaction that is withheld.
    """
    if version_of(entry.action) is not spoken:
        return Why(REFUSED, "the backend speaks another OCPP version by now")
    if entry.station_tx in withheld and not entry.released:
        return Why(FOLLOWS, FOLLOWS_ITS_START)
    return None
