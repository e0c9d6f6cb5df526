"""One registered station while it is connected, or while its journal is being delivered: the road of a frame.

station's peer (schema, policy) -> boot gate -> the gateway's own services | the bridge -> backend's peer (policy,
schema), and the answer back the same way. A backend's CALL walks the mirror image.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import structlog

from gateway.bridge.books import Books, Json
from gateway.bridge.ports import Clock, PeerUnavailable
from gateway.session import departed
from gateway.session.answer_time import ANSWER_WITHIN, AnswerTime
from gateway.session.boot import BootGate
from gateway.session.boot_notification import BootNotifications, BootRules
from gateway.session.peer import TRY_LATER, Peer, Unanswerable
from gateway.session.ports import (
    Backend,
    BootStatus,
    Bridge,
    JournalFull,
    Proof,
    Provisional,
    StaleEpoch,
    StationRecord,
    StationRegistry,
    StoreAway,
)
from gateway.session.stages import NotSendable
from gateway.session.turn import Turn
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.versions import Version
from policies.answers import neutral_answer
from policies.money import moves_money
from policies.words import Verdict

if TYPE_CHECKING:
    from gateway.session.stages import Inspector
    from gateway.session.station_quarantine import StationQuarantine

DECIDED_BY_THE_BACKEND: Final = frozenset({"Authorize", "StartTransaction"})
"""Actions to which nobody else has an answer: they wait for a backend's leg that is only being opened. So does an event
of a transaction that shows a token, whose status would come too late otherwise (OCPP 2.0.1 E02)."""
QUEUED: Final = frozenset({"SecurityEventNotification"})
"""Actions whose delivery a station guarantees by its queue (A04.FR.02): answered when they are kept, or not at all."""
NOBODY: Final = Proof(0)
"""The proof of a station that isn't connected."""

log = structlog.get_logger(__name__)


Service = Callable[["Station", Json], Awaitable[Json]]
"""An action that the gateway answers itself."""


class Station:
    """The runtime of one station; its peers come and go."""

    knows_contracts: bool = False
    """True when its backend is to hear what proves a contract: by OCPP 2.0.1 C07, or by the Plug & Charge note."""
    note_vendor: str | None = None
    """1.6: the vendorId under which the station last sent a message of that note, as it wrote it."""

    def __init__(
        self,
        record: StationRecord,
        *,
        version: Version,
        books: Books,
        registry: StationRegistry,
        services: Mapping[str, Service],
        boot_rules: BootRules,
        clock: Clock,
    ) -> None:
        self.record = record
        self.version = version
        """The OCPP version that it speaks, or spoke last."""
        self.books = books
        self.epoch = 0
        self.proof = NOBODY
        """How the present, or last, connection proved to be this station."""
        self.remote = ""
        """The address of the present, or last, connection."""
        self.gate = BootGate(record.boot_status)
        self.boot = record.boot_payload
        """What it last said of itself in a BootNotification, be it accepted or not; None: nothing that is known."""
        self.is_refused = record.boot_status is BootStatus.REJECTED
        """True when the backend's own last word on this station's boot was Pending or Rejected."""
        self.when_accepted: Callable[[], None] = lambda: None
        """Called when the backend itself accepts the station."""
        self.when_open: Callable[[], None] = lambda: None
        """Called when it has been accepted, and when it comes back as one that was."""
        self.when_regrouped: Callable[[], None] = lambda: None
        """Called when it is in another group of stations than before."""
        self.when_provisional: Callable[[], None] = lambda: None
        """Called when a provisional station has been answered Pending: its certificate is to be renewed now."""
        self.reports: Callable[[Station, str, str], None] = lambda _, __, ___: None
        """``reports(station, kind, detail)`` hears what :meth:`report` is told."""
        self.peer: Peer | None = None
        self.guard: Inspector
        """The policy as it meets this station, on both its legs."""
        self.quarantine: StationQuarantine
        self.bridge: Bridge
        self.backend: Backend
        self._services = services
        self._registry = registry
        self._boot_rules = boot_rules
        self._clock = clock
        self.turn: Final = Turn()
        """Held while a CALL of the station is in hand, or one that a person has released."""
        self._answer_time = AnswerTime()
        self._from_backend_turn = Turn()

    def __repr__(self) -> str:
        return f"<Station {self.identity} epoch={self.epoch} {self.gate} {self.peer}>"

    @property
    def identity(self) -> str:
        """The identity in the station's URL."""
        return self.record.identity

    @property
    def profile(self) -> int:
        """The security profile of the present, or last, connection."""
        return self.proof.profile

    @property
    def provisional(self) -> Provisional | None:
        """Why it was let in only to get a new certificate, if it was."""
        return self.proof.provisional

    @property
    def is_connected(self) -> bool:
        """True while the station's WebSocket is open."""
        return self.peer is not None and self.peer.is_open

    def owned(self, record: StationRecord, epoch: int) -> None:
        """This process owns the station under ``epoch``; ``record`` is what the registry says of it now.

        But for its boot: the registry was read before the newcomer was let in, and what this runtime has saved of a
        boot since is newer.
        """
        known = self.record
        self.record = replace(
            record,
            boot_status=known.boot_status,
            boot_interval=known.boot_interval,
            boot_payload=known.boot_payload,
            boot_reported=known.boot_reported,
        )
        self.epoch = epoch
        if record.group != known.group:
            self.when_regrouped()

    def regroup(self, group: str | None) -> None:
        """The registry has the station in this group, or in none."""
        if group != self.record.group:
            self.record = replace(self.record, group=group)
            self.when_regrouped()

    def joined(self, peer: Peer, proof: Proof, remote: str = "") -> None:
        """The station's WebSocket is open, from the address ``remote``.

        Its boot is what it was, but for a factory certificate: that is how a station comes that was never here, or was
        reset to what its manufacturer gave it (A00.FR.806). One whose certificate has expired goes on with what it was
        accepted for, so that its sessions are not lost, until it boots (A00.FR.429).
        """
        self.peer = peer
        self.proof = proof
        self.remote = remote
        status = self.record.boot_status
        if proof.provisional is Provisional.FACTORY and status is BootStatus.ACCEPTED:
            status = BootStatus.PENDING
        if status is not self.gate.status:
            self.gate.answered(status)
        if self.gate.is_open:
            self.when_open()

    @property
    def is_handling(self) -> bool:
        """True while a CALL of the station is in hand, be it one of a connection that is gone."""
        return self.turn.locked()

    def service(self, action: str) -> Service | None:
        """Return what answers an action in the backend's place, or None."""
        return self._services.get(action)

    def report(self, kind: str, detail: str) -> None:
        """Say what deserves a security event (``security.Kind``)."""
        self.reports(self, kind, detail)

    def has_left(self) -> None:
        """The runtime is taken apart: part from what knows the station, so that all of it is free at once."""
        self.when_accepted = self.when_open = self.when_regrouped = self.when_provisional = departed.nothing
        self.guard, self.quarantine = departed.GUARD, departed.QUARANTINE
        self.bridge, self.backend = departed.BRIDGE, departed.LEG

    # --- the two legs

    async def call_station(self, action: str, payload: Json) -> Json:
        """Send a CALL to the station.

        Raises PeerUnavailable while it isn't connected or its boot state forbids the CALL, and when a CALL of its own
        has to be answered first; CallError as the peer does.
        """
        peer = self.peer
        if peer is None:
            raise PeerUnavailable("the station is not connected")
        if not self.gate.may_send(action):
            raise PeerUnavailable(f"the station's BootNotification is {self.gate.status.value}")
        answer = await self._answer_time.ask(action, peer.call(action, payload))
        if answer.get("status") == "Accepted":
            self.gate.agreed(action, payload)
        return answer

    async def call_backend(self, action: str, payload: Json) -> Json:
        """Send a CALL to the backend; one that a policy has kept for a person is answered in its place.

        Raises PeerUnavailable and CallError. Where a CALL of the station waits for it, no longer than until that has to
        be answered.
        """
        try:
            return await self._answer_time.ask(action, self.backend.call(action, payload))
        except NotSendable as error:
            # What moves money is kept by who knows its order: the ledger, or the station's own message is.
            if (verdict := error.withheld) is None or moves_money(action, payload):
                raise
            return await self.quarantine.withhold(action, payload, verdict)

    async def begun(self) -> None:
        """Wait for a backend's leg that is only being opened; not for one that is away."""
        await self.backend.begun(self._boot_rules.backend_wait)

    async def settle_in(self) -> bool:
        """The station has been quiet for a while: let the bridge ask what it doesn't know of it.

        False: try again in a while. Never while another CALL of ours waits for an answer. Raises StoreAway.
        """
        peer = self.peer
        if peer is None or not self.gate.is_open:
            return True
        return not peer.is_asking and await self.bridge.settle_in(self.record.boot_payload)

    def disconnect(self, code: int, reason: str) -> None:
        """Close the station's WebSocket, if there is one."""
        if self.peer is not None:
            self.peer.close(code, reason)

    def cut(self, code: int, reason: str) -> None:
        """Close the station's WebSocket, if there is one, and hear nothing more of it: it may not be here any more."""
        peer = self.peer
        if peer is not None:
            peer.close(code, reason)
            peer.give_up(reason)

    # --- the road

    async def from_station(self, action: str, payload: Json) -> Json:
        """Handle a CALL of the station that passed schema and policy, and return the answer's payload.

        One at a time, over reconnects too: a CALL that was in hand when its connection was lost is finished first. Its
        repetition would else be answered as a known one, before anything of it is safe. And within ``ANSWER_WITHIN``
        seconds.
        """
        answer_by = self._answer_time.loop.time() + ANSWER_WITHIN
        if not self.turn.take():
            await self.turn.wait()
        self._answer_time.begin(answer_by)
        try:
            self.gate.check_from_station(action)
            return await self._handle(action, payload)
        except (PeerUnavailable, JournalFull, StaleEpoch, StoreAway) as error:
            raise self._excuse(action, payload, error) from None
        finally:
            self._answer_time.end()
            self.turn.give()

    async def keep(self, action: str, payload: Json, verdict: Verdict) -> Json:
        """Keep a CALL of the station for a person, as the policy has it, and return the answer's payload.

        Raises :class:`Unanswerable` when it can't be kept now: the station queues it.
        """
        async with self.turn:
            self.gate.check_from_station(action)
            return await self.quarantine.keep(action, payload, verdict, verdict.payload or {})

    def _excuse(
        self, action: str, payload: Json, error: PeerUnavailable | JournalFull | StaleEpoch | StoreAway
    ) -> CallError | Unanswerable:
        """Return with what the station's CALL ends, for want of what it needs."""
        match error:
            case PeerUnavailable():
                if moves_money(action, payload):
                    return Unanswerable(TRY_LATER, f"the backend gave no answer: {error}")
                return CallError(ErrorCode.GENERIC_ERROR, f"the backend gave no answer: {error}")
            case JournalFull():
                return Unanswerable(TRY_LATER, "the journal of this station is full")
            case StaleEpoch():
                return Unanswerable(TRY_LATER, "this station has another owner by now")
            case StoreAway():
                log.error("store_unavailable", identity=self.identity, action=action, reason=str(error))
                if moves_money(action, payload) or action in QUEUED:
                    return Unanswerable(TRY_LATER, "nothing can be kept safe now")
                return CallError(ErrorCode.INTERNAL_ERROR, "internal error")

    async def _handle(self, action: str, payload: Json) -> Json:
        if self.books.quarantined and self.quarantine.follows(action, payload):
            answer = await self.quarantine.follow(action, payload)
            if answer is not None:
                return answer
        if action == "BootNotification":
            return await self._boots().notified(payload)
        service = self._services.get(action)
        if service is not None:
            return await service(self, payload)
        if action in DECIDED_BY_THE_BACKEND or "idToken" in payload:
            await self.begun()
        try:
            return await self.bridge.from_station(action, payload)
        except NotSendable as error:
            if (verdict := error.withheld) is None or not moves_money(action, payload):
                raise
            answer = neutral_answer(self.version.value, action, payload)
            return await self.quarantine.keep(action, payload, verdict, answer)

    async def report_boot(self) -> None:
        """The backend is back: it hears of a boot that it missed. Raises PeerUnavailable and CallError."""
        await self._boots().report()

    def _boots(self) -> BootNotifications:
        return BootNotifications(self, self._registry, self._boot_rules, self._clock)

    async def from_backend(self, action: str, payload: Json) -> Json:
        """Handle a CALL of the backend that passed schema and policy, and return the answer's payload.

        One at a time, as :meth:`from_station`.
        """
        try:
            async with self._from_backend_turn:
                return await self.bridge.from_backend(action, payload)
        except PeerUnavailable as away:
            raise CallError(ErrorCode.GENERIC_ERROR, f"the station gave no answer: {away}") from None
