"""Who may enter: one chain from the address to the registered station, every link of which must hold.

    network, Host, Origin -> path = identity -> registered and proven (proofs.py) -> not below the station's minimum
    profile -> OCPP version -> nobody else holds the identity

What doesn't hold is told whole to the log and to nobody else: an unknown station and a wrong password get the same
answer after the same work (attack A1).
"""

from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import Final

import structlog

from gateway.edge.entry_rules import EntryRules, check_origin, choose_version
from gateway.edge.failures import Failures, TooManyFailures
from gateway.edge.passwords import PasswordChecker
from gateway.edge.proofs import Pending, Prover, shown_certificate
from gateway.edge.refusals import NoCommonVersion, NotAdmitted, Reason, presented
from gateway.session.directory import Directory, Entry, Held
from gateway.session.identity import IdentityRejected, identity_from_path
from gateway.session.ports import Proof, Provisional, RecordChanged, StationRecord, StationRegistry, StoreAway
from gateway.session.security import Kind, SecurityEvent, SecurityLog
from gateway.session.standing import may_use
from gateway.session.tally import Tally
from gateway.transport import Accept, AcceptThenClose, MessageSink, Refuse, UpgradeRequest
from gateway.wire.versions import Version

__all__ = ["Door", "EntryRules"]

TARGET_LOGGED: Final = 80
"""Characters of a refused request target that the log gets."""
STORE_RETRY: Final = 10.0
"""Seconds after which a station may come again when the store was away."""

Verdict = Accept | AcceptThenClose | Refuse
Decision = tuple[StationRecord, Proof, Version]
"""What the registry says of a station, how the newcomer proved to be it, and what it is to speak."""

log = structlog.get_logger(__name__)


class Door:
    """Admits stations through any listener."""

    def __init__(  # noqa: PLR0913  # the part where all others meet
        self,
        *,
        registry: StationRegistry,
        directory: Directory,
        passwords: PasswordChecker,
        make_sink: Callable[[Entry], MessageSink],
        tally: Tally,
        security: SecurityLog,
        failures: Failures,
        may_speak: Callable[[StationRecord], Awaitable[Collection[Version]]],
        pending: Pending | None = None,
        remembered: Callable[[str], StationRecord | None] = lambda _: None,
    ) -> None:
        """``may_speak`` says which versions can be bridged to a station's backend.

        ``remembered`` gives what a station was let in by before: by its certificate it is let in by that again, if the
        registry still says so when it is taken, and never refused. ``pending`` hears of identities that aren't
        registered; it lets nobody in.
        """
        self._registry = registry
        self._directory = directory
        self._prover = Prover(registry, passwords, failures, pending)
        self._make_sink = make_sink
        self._tally = tally
        self._security = security
        self._failures = failures
        self._may_speak = may_speak
        self._remembered = remembered

    async def admit(self, rules: EntryRules, request: UpgradeRequest) -> Verdict:
        """Decide on one upgrade request."""
        try:
            return await self._admit(rules, request)
        except NotAdmitted as refusal:
            return self._refuse(rules, request, refusal)
        except StoreAway as error:
            return self._refuse(rules, request, NotAdmitted(Reason.STORE, str(error), retry_after=STORE_RETRY))

    async def _admit(self, rules: EntryRules, request: UpgradeRequest) -> Verdict:
        check_origin(rules, request)
        try:
            identity = identity_from_path(request.target, rules.path)
        except IdentityRejected as error:
            raise NotAdmitted(Reason.PATH, str(error)) from None
        entry, version = await self._let_in(rules, request, identity)
        proof = entry.proof
        log.info(
            "admitted",
            identity=identity,
            profile=proof.profile,
            version=version.subprotocol,
            remote=request.remote[0],
            listener=rules.name,
        )
        if proof.provisional is Provisional.EXPIRED:
            text = "an expired certificate, let in to be renewed (A00.FR.429)"
            self._note(Kind.INVALID_CERTIFICATE, text, identity, request)
        return Accept(self._make_sink(entry), version.subprotocol)

    async def _let_in(self, rules: EntryRules, request: UpgradeRequest, identity: str) -> tuple[Entry, Version]:
        """Decide by what is remembered, where that lets it in, and once more when the registry has changed meanwhile.

        What is compared in the store's own transaction that takes the station is what was decided by.
        """
        remote = request.remote[0]
        try:
            decided = await self._recall(rules, request, identity) or await self._decide(rules, request, identity)
            return await self._enter(*decided, remote), decided[-1]
        except RecordChanged:
            decided = await self._decide(rules, request, identity)
        try:
            return await self._enter(*decided, remote), decided[-1]
        except RecordChanged:
            text = f"{identity}: the registry changes while it is asked"
            raise NotAdmitted(Reason.STORE, text, retry_after=STORE_RETRY) from None

    async def _recall(self, rules: EntryRules, request: UpgradeRequest, identity: str) -> Decision | None:
        """Decide by what the station was let in by before; None where nothing is known, or that doesn't let it in."""
        if shown_certificate(rules, request) is None or (known := self._remembered(identity)) is None:
            return None
        record, proof = await self._prover.prove(rules, request, identity, known)
        with suppress(NotAdmitted):
            return record, proof, await self._version(rules, request, record, proof)
        return None

    async def _decide(self, rules: EntryRules, request: UpgradeRequest, identity: str) -> Decision:
        """Decide by what the registry says."""
        record, proof = await self._prover.prove(rules, request, identity)
        return record, proof, await self._version(rules, request, record, proof)

    async def _version(
        self, rules: EntryRules, request: UpgradeRequest, record: StationRecord, proof: Proof
    ) -> Version:
        """Return the OCPP version that who has proven to be the station is to speak. Raises NotAdmitted."""
        if not may_use(proof.profile, record):
            raise NotAdmitted(
                Reason.DOWNGRADE,
                f"security profile {proof.profile}, but {record.identity} may not go below {record.minimum_profile}",
            )
        return _agree(rules, request, record, await self._may_speak(record))

    async def _enter(self, record: StationRecord, proof: Proof, version: Version, remote: str) -> Entry:
        """Take the identity, and settle which of two passwords holds: not before the newcomer has won it."""
        try:
            self._failures.count_admission(record.identity)
            entry = await self._directory.enter(record, proof, version, remote)
            if proof.password_hash is not None and record.next_password_hash is not None:
                await self._settle_password(entry, proof.password_hash)
        except TooManyFailures as limit:
            raise NotAdmitted(Reason.LIMITED, f"{record.identity}: {limit}", retry_after=limit.wait) from None
        except Held as held:
            raise NotAdmitted(Reason.HELD, str(held)) from None
        return entry

    async def _settle_password(self, entry: Entry, password_hash: str) -> None:
        """Note which of two passwords was used. Who hangs up meanwhile, or meets a store that is away, isn't let in."""
        try:
            await self._registry.password_used(entry.station.identity, password_hash)
        except BaseException:
            self._directory.withdraw(entry)
            raise

    def _refuse(self, rules: EntryRules, request: UpgradeRequest, refusal: NotAdmitted) -> Verdict:
        """Count the refusal, tell log and security log of it, and return what the peer hears."""
        reason = refusal.reason
        self._tally.refused_entries[reason.label] += 1
        if reason.is_a_failure:
            self._failures.connection_failed(request.remote[0])
        log.warning(
            "not_admitted",
            listener=rules.name,
            remote=request.remote[0],
            reason=reason.label,
            detail=str(refusal),
            target=_fit_for_a_log(request.target, rules.path),
            presented=presented(request),
        )
        if reason.kind is not None:
            self._note(reason.kind, f"{reason.label}: {refusal}", _identity(rules, request), request)
        return refusal.answer

    def _note(self, kind: str, detail: str, identity: str | None, request: UpgradeRequest) -> None:
        self._security.note(SecurityEvent(kind, detail, identity, request.remote[0], presented(request)))


def _agree(rules: EntryRules, request: UpgradeRequest, record: StationRecord, bridged: Collection[Version]) -> Version:
    """Return the OCPP version to speak, one of those that can be ``bridged``. Raises :class:`NoCommonVersion`."""
    spoken = [version for version in rules.versions if version in bridged]
    version = choose_version(request.offered, spoken, record.pinned_version)
    if version is not None:
        return version
    close = rules.no_common_subprotocol == "close"
    unbridged = choose_version(request.offered, rules.versions, record.pinned_version)
    if unbridged is not None:
        text = f"{record.identity} speaks {unbridged.subprotocol}, which can't be bridged to its backend's version"
        raise NoCommonVersion(Reason.SUBPROTOCOL, text, close=close)
    if record.pinned_version is not None and choose_version(request.offered, rules.versions) is not None:
        text = f"{record.identity} is pinned to {record.pinned_version.subprotocol}, which it didn't offer here"
        raise NoCommonVersion(Reason.PINNED_VERSION, text, close=close)
    text = f"{record.identity}: none of the offered OCPP versions is spoken here"
    raise NoCommonVersion(Reason.SUBPROTOCOL, text, close=close)


def _identity(rules: EntryRules, request: UpgradeRequest) -> str | None:
    try:
        return identity_from_path(request.target, rules.path)
    except IdentityRejected:
        return None


def _fit_for_a_log(target: str, path: str) -> str:
    """Return as much of a request target as may name the station: what follows can be a password (attack A6)."""
    segments = target.partition("?")[0].split("/")
    return "/".join(segments[: path.count("/") + 1])[:TARGET_LOGGED]
