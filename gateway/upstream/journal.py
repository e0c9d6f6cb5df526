"""What moves money on its way to the backend: in order, at least once, and durable before the station hears of it.

A start or a stop is written to the journal before it is sent, and removed when the backend has answered. Meter values
are sent straight away while the backend is up (the station's own unanswered message is the journal then) and written
only when they can't be. What has no known outcome is sent again, identically.

What the backend refuses (CALLERROR), and may take another time, keeps back the rest of its own transaction alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import structlog

from gateway.bridge.books import Json, Transaction, TransactionState
from gateway.bridge.ledger_words import ACTIONS, Step, addressed, enter_answer, judges_late, step_of
from gateway.bridge.ports import NotSent, PeerUnavailable
from gateway.session.ports import JournalEntry, JournalStore, StaleEpoch, StoreAway
from gateway.session.quarantine import Why
from gateway.session.releasing import is_released, releasing
from gateway.session.stages import NotSendable
from gateway.upstream import offers
from gateway.upstream.draining import Drains
from gateway.upstream.offers import REFUSALS_MAX, KeptBack, LateAnswer, Outcome, SetAside
from gateway.upstream.registers import Registers
from gateway.wire.errors import CallError
from gateway.wire.versions import Version

_METER = Step.METER

log = structlog.get_logger(__name__)


class JournaledLedger:
    """The ledger of one station, on the journal and its backend leg. Fulfils ``bridge.ports.Ledger``."""

    def __init__(  # noqa: PLR0913 - a seam of the composition root: all that a ledger may touch
        self,
        identity: str,
        journal: JournalStore,
        transactions: dict[str, Transaction],
        *,
        call: Callable[[str, Json], Awaitable[Json]],
        is_up: Callable[[], bool],
        epoch: Callable[[], int],
        late_answer: LateAnswer,
        depth: int,
        backend: Version = Version.V16,
        emptied: Callable[[], None] = lambda: None,
        set_aside: SetAside,
        kept: Callable[[str, str], None] = lambda _, __: None,
        withheld: set[str],
    ) -> None:
        """Begin with ``depth`` entries in the journal, for a backend that speaks ``backend``.

        ``emptied`` is called when a drain has delivered the last entry, ``kept(rule, action)`` for each message that
        has gone to the quarantine instead; ``withheld`` names the transactions that are there from their begin on.
        """
        self._identity = identity
        self._journal = journal
        self._transactions = transactions
        self.registers: Final = Registers(identity, epoch, transactions)
        """What went straight to the backend."""
        self._call = call
        self._is_up = is_up
        self._epoch = epoch
        self._late_answer = late_answer
        self._depth = depth
        self._backend, self._actions = backend, ACTIONS[backend]
        self._emptied = emptied
        self._set_aside = set_aside
        self._kept = kept
        self._withheld = withheld
        self._kept_back = KeptBack()
        self._only_kept_back = not depth
        """True while no entry waits but those of transactions that are kept back, or none at all."""
        self._rests = False
        """True while the journal is left alone until the retry: the backend or the store gave no answer."""
        self._answered: dict[int, Json] = {}
        """By id: what the backend has answered to entries that could not be taken out of the journal yet."""
        self._sending = asyncio.Lock()
        """Held by whoever talks to the backend; others append behind it instead of waiting."""
        self._stale: int | None = None
        """The last epoch under which a drain met a newer one in the store."""
        self._drains = Drains(identity, self._drain, self._retry_now, is_up)

    @property
    def _log(self) -> Any:
        return log.bind(identity=self._identity)

    @property
    def depth(self) -> int:
        """Entries that the backend has not answered yet."""
        return self._depth

    @property
    def is_clear(self) -> bool:
        """True when nothing older waits and the backend is there: the order is kept by sending at once."""
        return self._depth == 0 and self._can_send

    @property
    def _can_send(self) -> bool:
        return self._is_up() and not self._sending.locked()

    @property
    def may_begin(self) -> bool:
        """True when a new transaction need not wait for what is older.

        That is so too when the backend is there and has refused what waits: it will be offered again for up to a day,
        and no session after it shall be kept from beginning for so long.
        """
        return self._can_send and (self._depth == 0 or bool(self._kept_back))

    def _is_clear_for(self, tx: Transaction) -> bool:
        """True when a message of ``tx`` that is sent now overtakes none but those of refused transactions."""
        return self._can_send and self._only_kept_back and not self._is_behind(tx)

    def _is_behind(self, tx: Transaction) -> bool:
        """True when what is older of its transaction waits for the backend's trouble to end, or for a person."""
        return tx.station_tx in self._kept_back or tx.station_tx in self._withheld

    # --- the bridge's ledger

    async def hold(self, tx: Transaction) -> None:
        """Persist a transaction as it is, and send nothing."""
        await self._journal.save(self._identity, self._epoch(), tx)

    async def start(self, tx: Transaction, payload: Json) -> Json | None:
        """Deliver the message that begins a transaction; return the answer, or None when the backend has given none."""
        tx.state = TransactionState.STARTING
        return await self._deliver(tx, self._actions[Step.START], payload, at_once=self.may_begin)

    async def stop(self, tx: Transaction, payload: Json) -> Json | None:
        """Deliver the message that ends a transaction; return the answer, or None when the backend has given none."""
        tx.state = TransactionState.STOPPING
        return await self._deliver(tx, self._actions[Step.STOP], payload, at_once=self._is_clear_for(tx))

    async def meter(self, tx: Transaction, payload: Json) -> Json | None:
        """Deliver a message of a running transaction; return the answer, or None when the backend has given none."""
        action = self._actions[_METER]
        if not self._is_clear_for(tx):
            await self._append(tx, action, payload)
            self._drain_soon()
            return None
        async with self._sending:
            try:
                answer = await self._call(action, addressed(action, payload, tx))
            except (PeerUnavailable, CallError) as error:
                self._log.warning("meter_values_journalled", reason=str(error))
                failed = error
            else:
                self.registers.went_through(tx)
                return answer
            is_done = self._only_kept_back
            entry = await self._append(tx, action, payload)
            if isinstance(failed, NotSendable):  # what our own side doesn't let out, it doesn't the next time either
                outcome = await self._give_up(entry, tx, offers.why_refused(failed, _METER))
            elif isinstance(failed, CallError):
                outcome = Outcome.REFUSED
                self._kept_back.add(tx.station_tx, attempts=0)
            else:
                outcome = Outcome.UNKNOWN
            self._offered(outcome, is_done=is_done)
        return None

    async def close(self, tx: Transaction) -> None:
        """Persist that a transaction ended which the backend never had to hear of."""
        tx.state = TransactionState.ENDED
        await self._journal.save(self._identity, self._epoch(), tx)

    async def set_aside(self, action: str, payload: Json, reason: str) -> None:
        """Keep for a person what must not reach the backend; nothing waits for it."""
        await self._set_aside(action, payload, reason)

    # --- delivery

    async def release(self, tx: Transaction | None, action: str, payload: Json) -> None:
        """Send what a person has released straight to the backend: all that waits of its transaction came after it.

        Raises PeerUnavailable, and CallError for a refusal; StaleEpoch and StoreAway, when it is to be sent again.
        """
        if not self._is_up():
            raise NotSent("it is away")
        async with self._sending:
            with releasing():
                conf = await self._call(action, payload if tx is None else addressed(action, payload, tx))
        if tx is not None:
            enter_answer(action, payload, conf, tx)
            await self._journal.save(self._identity, self._epoch(), tx)

    async def _deliver(self, tx: Transaction, action: str, payload: Json, *, at_once: bool) -> Json | None:
        if not at_once:
            await self._append(tx, action, payload)
            self._drain_soon()
            return None
        async with self._sending:
            is_done = self._only_kept_back
            entry = await self._append(tx, action, payload)
            epoch = self._epoch()
            try:
                outcome, answer = await self._offer(entry, tx)
            except StaleEpoch:
                # In the journal it stays; where a newcomer's epoch has become this owner's, it is settled at once.
                self._drain_later(None if self._epoch() == epoch else 0.0)
                answer = self._answered.get(entry.id)
                if answer is None:
                    raise
                return answer
            except Exception:
                # It is in the journal, and nobody else would look there before the next message of this station.
                self._drain_later()
                raise
            self._offered(outcome, is_done=is_done)
        return answer

    def _offered(self, outcome: Outcome, *, is_done: bool) -> None:
        """A message was offered at once. ``is_done``: before it, nothing waited but what is refused."""
        if outcome is Outcome.UNKNOWN:
            self._drain_later()
        self._only_kept_back = is_done and not self._rests
        if self._kept_back:
            self._drains.after(self._kept_back.wait)  # nothing else waits for that

    async def _append(self, tx: Transaction, action: str, payload: Json) -> JournalEntry:
        try:
            epoch, released = self._epoch(), is_released()
            entry = await self._journal.append(self._identity, epoch, tx, action, payload, released=released)
        except StoreAway:
            # It may be there all the same: whether it is, the next drain sees. A count that is too high mends itself.
            self._appended(tx)
            self._drain_later()
            raise
        self._appended(tx)
        self.registers.saved(tx)
        return entry

    def _appended(self, tx: Transaction) -> None:
        """One entry more waits: a drain that has ended while it was written saw nothing of it."""
        self._depth += 1
        self._only_kept_back = self._only_kept_back and tx.station_tx in self._kept_back

    async def _offer(self, entry: JournalEntry, tx: Transaction) -> tuple[Outcome, Json | None]:
        """Send one entry and settle it when the backend answers; None when it stays in the journal or was refused.

        What was answered before, and could not be settled then, isn't sent again.
        """
        conf = self._answered.get(entry.id)
        if conf is None:
            if (why := offers.why_not_offered(entry, self._withheld, self._backend)) is not None:
                return await self._give_up(entry, tx, why), None
            try:
                with self._kept_back.offering(tx.station_tx, self._is_up), releasing(entry.released):
                    conf = await self._call(entry.action, addressed(entry.action, entry.payload, tx))
            except PeerUnavailable as away:
                self._log.warning("delivery_unknown", action=entry.action, entry=entry.id, reason=str(away))
                return Outcome.UNKNOWN, None
            except CallError as error:
                return await self._refused(entry, tx, error), None
            self._answered[entry.id] = conf
        enter_answer(entry.action, entry.payload, conf, tx)
        try:
            await self._remove(entry, self._journal.settle(entry, self._epoch(), tx))
        except StoreAway as away:
            # The backend has it, so the station may hear. The entry stays; should this process die, it is sent again.
            self._log.error("not_settled", action=entry.action, entry=entry.id, reason=str(away))
            self._drain_later()
        return Outcome.ANSWERED, conf

    async def _refused(self, entry: JournalEntry, tx: Transaction, error: CallError) -> Outcome:
        attempt = entry.attempts + 1
        self._log.warning("delivery_refused", action=entry.action, entry=entry.id, attempt=attempt, reason=str(error))
        # What breaks the schema or the policy on our own side breaks it the next time too.
        if not isinstance(error, NotSendable) and offers.may_be_taken(error.code, attempt):
            await self._journal.retry(entry, self._epoch())
            self._kept_back.add(entry.station_tx, entry.attempts)
            return Outcome.REFUSED
        return await self._give_up(entry, tx, offers.why_refused(error, step_of(entry.action, entry.payload)))

    async def _give_up(self, entry: JournalEntry, tx: Transaction, why: Why) -> Outcome:
        if not await offers.moved(entry, tx, self._remove(entry, self._journal.refuse(entry, self._epoch(), tx, why))):
            self._log.error("quarantine_full", action=entry.action, entry=entry.id, rule=why.rule)
            self._kept_back.add(tx.station_tx, offers.NO_ROOM)
            return Outcome.REFUSED
        if why.gathers:
            self._withheld.add(tx.station_tx)
        self._log.error("quarantined", action=entry.action, message=entry.id, rule=why.rule, reason=why.reason)
        self._kept(why.rule, entry.action)
        return Outcome.SET_ASIDE

    async def _remove(self, entry: JournalEntry, write: Coroutine[Any, Any, None]) -> None:
        """Take one entry out of the journal and off the count: both or neither, though a lost leg cancels its drain."""

        async def counted() -> None:
            await write
            self._depth -= 1
            self._answered.pop(entry.id, None)

        await offers.to_its_end(counted(), f"journal entry {self._identity}")

    async def drain(self) -> None:
        """Deliver the journal, oldest first, until it is empty or the backend leaves; what it refuses stays.

        When the store fails, it is tried again in a while. A newer epoch in the store is mostly that of a newcomer of
        the station, and becomes this owner's in a moment: then the delivery goes on; where it isn't, it is tried once.
        """
        self._offer_all_again()
        await self._drain()

    async def _drain(self) -> None:
        while True:
            epoch = self._epoch()
            self._rests = False
            try:
                async with self._sending:
                    await self._deliver_pending()
            except StaleEpoch:
                if self._epoch() != epoch:
                    continue
                if epoch != self._stale:
                    self._stale = epoch
                    self._drain_later()
                raise
            except Exception:
                self._drain_later()
                raise
            if not self._depth:
                self._emptied()
            return

    async def _deliver_pending(self) -> None:
        refusals = 0
        while (counted := self._depth) and self._may_go_on(refusals):
            entries = await self._journal.pending(self._identity, beside=self._kept_back.names)
            if not entries and self._depth > counted:
                continue  # appended since it was read
            if not entries and self._kept_back:
                self._only_kept_back = True
                break
            if not entries:
                # Counted here, but gone from the store: another owner has delivered them.
                self._log.warning("journal_emptied_elsewhere", entries=counted)
                self._depth -= counted
                self._answered.clear()
            for entry in entries:
                if entry.station_tx in self._kept_back:
                    continue
                outcome = await self._redeliver(entry)
                refusals += outcome is Outcome.REFUSED
                if outcome is Outcome.UNKNOWN:
                    self._drain_later()
                if not self._may_go_on(refusals):
                    break
        self._only_kept_back = self._only_kept_back or not self._depth
        if self._kept_back:
            self._drains.after(self._kept_back.wait)  # nothing else waits for that

    def _may_go_on(self, refusals: int) -> bool:
        return self._is_up() and not self._rests and refusals < REFUSALS_MAX

    async def _redeliver(self, entry: JournalEntry) -> Outcome:
        """Offer one entry of the journal again."""
        tx = self._transactions[entry.station_tx]
        outcome, conf = await self._offer(entry, tx)
        if conf is not None:
            self._log.info("delivered_late", action=entry.action, entry=entry.id)
            if judges_late(entry.action, entry.payload, conf):
                await self._late_answer(tx, conf)
        return outcome

    def nudge(self) -> None:
        """Something that kept the journal from being delivered is over: deliver it."""
        if self._depth:
            self._offer_all_again()
            self._drain_soon()

    def _offer_all_again(self) -> None:
        self._kept_back.release_all()
        self._only_kept_back, self._rests = not self._depth, False

    def _drain_soon(self) -> None:
        """Deliver what was appended: the drain under way does it, the retry that is due, or a drain of its own."""
        if not self._rests and not self._only_kept_back and self._can_send:
            self._drains.now()

    def _drain_later(self, wait: float | None = None) -> None:
        """Try again in a while, should the backend stay up; when it comes back, its link drains anyway."""
        self._rests = True
        self._drains.after(offers.RETRY_WAIT if wait is None else wait)

    def _retry_now(self) -> None:
        self._kept_back.release_due()
        self._only_kept_back = not self._depth

    async def quiesce(self) -> None:
        """Begin nothing more; what is undelivered stays in the journal."""
        await self._drains.stop()
