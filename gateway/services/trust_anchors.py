"""One visit to a station: which roots it has, which it lacks, what is done about it (OCPP 2.0.1 M03 to M05).

First is installed what is missing, one root at a time, then deleted what must go, each time after the station has said
what it has. What it refuses is kept with its words, and asked again ever more seldom.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import structlog

from gateway.bridge.ports import PeerUnavailable
from gateway.services import trust_commands as commands
from gateway.services.station_commands import WORDS_MAX, ConnectedStation, Outcome, Reply
from gateway.services.trust_plan import Wanted, is_installed, may_delete, missing, unwanted
from gateway.session.trust import Action, AnchorType, Installed, Missing, Ours, Refusal, StationTrust
from pki.anchors import Anchor, Chain, RotationRoots, is_issued_by, read_anchors

ASKED_AGAIN: Final = timedelta(hours=1)
"""From a first refusal to the next try; four times as long from each to the one after it."""
NO_ANSWER_AGAIN: Final = timedelta(minutes=5)
"""The same, where the station gave no answer."""
VISITED_AGAIN: Final = timedelta(days=7)
"""Between two visits to a station that has what it should, and the longest wait of all."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RotationHere:
    """A rotation of the CSMS root that concerns this station."""

    id: int
    roots: RotationRoots
    may_drop_old: bool
    """It has connected over TLS since the gateway's certificates lead to the new root."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What a station is visited for."""

    wanted: Wanted
    rotation: RotationHere | None = None

    @property
    def digest(self) -> str:
        """Names it: a station that was visited for something else is visited again."""
        here = self.rotation
        return self.wanted.digest + (f" {here.id} {here.may_drop_old}" if here is not None else "")


class TrustBook(Protocol):
    """What the stations trust, as it is kept. Both raise StoreAway."""

    async def find(self, identity: str) -> StationTrust | None:
        """Return what is known of a station, or None."""

    async def save(self, trust: StationTrust) -> None:
        """Keep it; durable on return. A station that isn't registered any more is passed over."""


class TrustVisits:
    """Visits stations. One at a time visits a station: its caller sees to that."""

    def __init__(
        self,
        book: TrustBook,
        *,
        known: Callable[[], Sequence[Anchor]],
        chains: Callable[[], Sequence[Chain]],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """``known``: roots by which a station's hashes are understood. ``chains``: what the listeners show now."""
        self._book = book
        self._known = known
        self._chains = chains
        self._now = now

    async def waits_until(self, identity: str, goal: Goal) -> datetime | None:
        """Return None when the station is to be visited now, else when. Raises StoreAway."""
        record = await self._book.find(identity)
        if record is None or record.again_at is None or record.wanted != goal.digest:
            return None
        return record.again_at if self._now() < record.again_at else None

    async def visit(self, station: ConnectedStation, goal: Goal, *, force: bool = False) -> StationTrust:
        """Bring the station nearer to ``goal`` and return where it stands then, as it is kept.

        ``force``: ask again what it has refused, however short ago. Raises StoreAway.
        """
        record = await self._book.find(station.identity) or StationTrust(station.identity)
        known = [*self._known(), *(anchor for each in record.ours for anchor in read_anchors(each.pem.encode()))]
        if goal.rotation is not None:
            known += [goal.rotation.roots.old, *goal.rotation.roots.new_ones]
        visit = _Visit(self._book, station, goal, record, known, self._chains, self._now(), force=force)
        try:
            problem = await visit.run()
        except PeerUnavailable as away:
            problem = f"no answer: {away}"
        trust = visit.outcome(problem)
        await self._book.save(trust)
        return trust


class _Visit:
    """One of them."""

    def __init__(  # noqa: PLR0913 - what a visit takes along; made in one place
        self,
        book: TrustBook,
        station: ConnectedStation,
        goal: Goal,
        record: StationTrust,
        known: Sequence[Anchor],
        chains: Callable[[], Sequence[Chain]],
        now: datetime,
        *,
        force: bool,
    ) -> None:
        self._book = book
        self._station = station
        self._goal = goal
        self._record = record
        self._known = known
        self._chains = chains
        self._now = now
        self._force = force
        self._types = goal.wanted.types | {each.type for each in record.ours}
        if goal.rotation is not None:
            self._types |= {AnchorType.CSMS}
        self._listing = commands.Listing()
        self._has_listed = False
        self._has_asked = False
        """Whether it checks new roots, in this visit."""
        self._refused: dict[tuple[Action, AnchorType, str], Refusal] = {
            (each.action, each.type, each.key): each for each in record.refusals
        }
        self._open: set[tuple[Action, AnchorType, str]] = set()
        """What is still to be done, as far as it is known."""
        self._accepted: dict[tuple[Action, AnchorType, str], str] = {}
        """What the station says it has done since it last said what it has, with the root's subject."""
        self._log = log.bind(identity=station.identity)

    async def run(self) -> str:
        """Do what can be done; return what stands in the way of knowing more. Raises PeerUnavailable, StoreAway."""
        if not self._types:
            self._has_listed = True
            return ""
        await self._list()
        if await self._install_missing():
            await self._list()
        if await self._delete_unwanted():
            # There may be room now for what a full store refused.
            await self._install_missing(once_more=True)
            await self._list()
        return self._listing.problem

    def outcome(self, problem: str) -> StationTrust:
        """Return where the station stands."""
        seen, listing = self._has_listed, self._listing
        installed = self._described(listing.installed) if seen else self._record.installed
        lacking = self._missing(installed) if seen else []
        refusals = tuple(each for key, each in self._refused.items() if key in self._open or problem)
        shown = tuple(Missing(type_, anchor.fingerprint, anchor.subject) for type_, anchor in lacking)
        is_settled = seen and not problem and not lacking and not refusals
        attempts = self._record.attempts + 1 if problem else 0
        return replace(
            self._record,
            installed=installed,
            missing=shown if seen else self._record.missing,
            refusals=refusals,
            ours=self._ours(installed) if seen else self._record.ours,
            problem=problem[:WORDS_MAX],
            attempts=attempts,
            again_at=self._again_at(refusals, attempts, is_settled=is_settled),
            wanted=self._goal.digest,
            is_settled=is_settled,
            seen_at=self._now if seen else self._record.seen_at,
            changed_at=self._now,
        )

    # --- installing

    async def _install_missing(self, *, once_more: bool = False) -> bool:
        """Install what is missing; return whether anything was. ``once_more``: what was refused just now, too."""
        done = False
        for type_, anchor in self._missing(self._listing.installed):
            key = (Action.INSTALL, type_, anchor.fingerprint)
            self._open.add(key)
            just_refused = once_more and key in self._refused and self._refused[key].at == self._now
            if not just_refused and not self._is_due(key):
                continue
            why_not = await self._why_not_install(type_, anchor)
            if why_not is not None:
                self._refuse(key, anchor.subject, why_not)
                continue
            await self._note_as_ours(type_, anchor)
            reply = await commands.install(self._station, type_, anchor.pem)
            if reply.is_accepted:
                self._log.info("root_installed", type=type_.value, root=anchor.subject)
                self._accepted[key] = anchor.subject
                done = True
            else:
                words = await self._with_store_size(reply)
                self._refuse(key, anchor.subject, words, is_final=reply.outcome is Outcome.NOT_SUPPORTED)
        return done

    def _missing(self, installed: Sequence[Installed]) -> list[tuple[AnchorType, Anchor]]:
        found = missing(self._goal.wanted, self._listing.answered, installed)
        here = self._goal.rotation
        if here is not None and AnchorType.CSMS in self._listing.answered:
            # Declared or not, the new root comes by the rotation: it may have to be the cross-signed one.
            found = [each for each in found if each[1].certificate != here.roots.new.certificate]
            if not any(is_installed(each, AnchorType.CSMS, installed) for each in here.roots.new_ones):
                cross = here.roots.cross if self._record.checks_roots else None
                found.append((AnchorType.CSMS, cross or here.roots.new))
        return found

    async def _why_not_install(self, type_: AnchorType, anchor: Anchor) -> str | None:
        """Return why a root isn't even sent: a station that checks would refuse it, or give up another one for it."""
        if type_ is not AnchorType.CSMS:
            return None
        has = [each for each in self._listing.installed if each.type is AnchorType.CSMS]
        if not has:
            return None
        if not self._record.checks_roots:
            return None
        if len(has) > 1:
            return (
                f"not sent: it checks new roots (AdditionalRootCertificateCheck), has {len(has)} CSMS roots, and would "
                "drop one of them"
            )
        by_name = {name: each.certificate for each in self._known for name in each.names}
        signer = by_name.get(has[0].name) if has[0].name is not None else None
        if signer is None or not is_issued_by(anchor.certificate, signer):
            return (
                "not sent: it takes a new CSMS root only as signed by the one it has (AdditionalRootCertificateCheck): "
                "voltgate trust rotate with --cross-signed"
            )
        return None

    async def _note_as_ours(self, type_: AnchorType, anchor: Anchor) -> None:
        """Before it is sent: what comes because it was declared may be deleted when nothing names it any more."""
        ours = Ours(type_, anchor.pem)
        if self._goal.wanted.names(type_, anchor) and ours not in self._record.ours:
            self._record = replace(self._record, ours=(*self._record.ours, ours))
            await self._book.save(self._record)

    async def _with_store_size(self, reply: Reply) -> str:
        """Add to the words of a refusal how full the station's store is (M05.FR.07), where it says so."""
        if reply.status != "Rejected":
            return reply.words
        size = await commands.store_size(self._station)
        return f"{reply.words}; {size}" if size else reply.words

    # --- deleting

    async def _delete_unwanted(self) -> bool:
        done = False
        csms: tuple[Installed, ...] | None = None
        for root in self._to_delete():
            key = (Action.DELETE, root.type, _key(root))
            self._open.add(key)
            if not self._is_due(key):
                continue
            # Asked just before it is sent: the listeners may show other certificates than at the visit's beginning.
            if csms is None:
                csms = await self._csms_beside()
            why_not = may_delete(root, (*self._listing.installed, *csms), self._known, self._chains())
            if why_not is not None:
                self._refuse(key, root.subject, f"not asked: {why_not}")
                continue
            reply = await commands.delete(self._station, root)
            if reply.is_accepted:
                self._log.info("root_deleted", type=root.type.value, serial=root.reported.get("serialNumber"))
                self._accepted[key] = root.subject
                left = tuple(each for each in self._listing.installed if each != root)
                self._listing = replace(self._listing, installed=left)
                done = True
            else:
                self._refuse(key, root.subject, reply.words, is_final=reply.outcome is Outcome.NOT_SUPPORTED)
        return done

    async def _csms_beside(self) -> tuple[Installed, ...]:
        """Return its CSMS roots where it wasn't asked for them: what is deleted as another type may be one of them."""
        if AnchorType.CSMS in self._types:
            return ()
        return (await commands.installed_roots(self._station, {AnchorType.CSMS})).installed

    def _to_delete(self) -> list[Installed]:
        wanted, here = self._goal.wanted, self._goal.rotation
        installed = self._described(self._listing.installed)
        found = unwanted(wanted, installed, self._record.ours)
        if here is None:
            return found
        new_ones = {name for each in here.roots.new_ones for name in each.names}
        spared = new_ones | here.roots.old.names
        found = [each for each in found if each.type is not AnchorType.CSMS or each.name not in spared]
        has_new = any(each.type is AnchorType.CSMS and each.name in new_ones for each in installed)
        if here.may_drop_old and has_new and not wanted.names(AnchorType.CSMS, here.roots.old):
            is_old = (each for each in installed if each.type is AnchorType.CSMS and each.name in here.roots.old.names)
            found.extend(is_old)
        return found

    # --- the parts

    async def _list(self) -> None:
        self._listing = await commands.installed_roots(self._station, self._types)
        self._has_listed = bool(self._listing.answered)
        self._hold_to_its_word()
        lacks_csms = any(type_ is AnchorType.CSMS for type_, _ in self._missing(self._listing.installed))
        if lacks_csms and not self._has_asked:
            self._record = replace(self._record, checks_roots=await commands.checks_roots(self._station))
            self._has_asked = True

    def _hold_to_its_word(self) -> None:
        """What it has accepted and doesn't show is a refusal: else it is asked for ever, or called settled."""
        lacking = ((Action.INSTALL, type_, each.fingerprint) for type_, each in self._missing(self._listing.installed))
        too_many = ((Action.DELETE, root.type, _key(root)) for root in self._to_delete())
        not_so = {**dict.fromkeys(lacking, "but doesn't list it"), **dict.fromkeys(too_many, "but still lists it")}
        for key, subject in self._accepted.items():
            if key in not_so:
                self._refuse(key, subject, f"it says that it did {key[0].value} it, {not_so[key]}")
            else:
                self._refused.pop(key, None)
        self._accepted.clear()

    def _described(self, installed: Sequence[Installed]) -> tuple[Installed, ...]:
        subjects = {name: each.subject for each in self._known for name in each.names}
        subjects |= {name: each.subject for _, each in self._goal.wanted.install for name in each.names}
        return tuple(replace(each, subject=subjects.get(each.name, "") if each.name else "") for each in installed)

    def _ours(self, installed: Sequence[Installed]) -> tuple[Ours, ...]:
        """Return what Voltgate has installed, without what the station has no more and nothing names."""
        kept = []
        for each in self._record.ours:
            (anchor,) = read_anchors(each.pem.encode())
            is_there = each.type not in self._listing.answered or is_installed(anchor, each.type, installed)
            if is_there or self._goal.wanted.names(each.type, anchor):
                kept.append(each)
        return tuple(kept)

    def _is_due(self, key: tuple[Action, AnchorType, str]) -> bool:
        refusal = self._refused.get(key)
        return self._force or refusal is None or refusal.again_at <= self._now

    def _refuse(self, key: tuple[Action, AnchorType, str], subject: str, words: str, *, is_final: bool = False) -> None:
        before = self._refused.get(key)
        attempts = before.attempts + 1 if before is not None else 1
        wait = VISITED_AGAIN if is_final else _wait(ASKED_AGAIN, attempts)
        self._refused[key] = Refusal(*key, subject, words[:WORDS_MAX], attempts, self._now, self._now + wait)
        self._log.warning("root_not_taken", action=key[0].value, type=key[1].value, root=subject, reason=words)

    def _again_at(self, refusals: Sequence[Refusal], attempts: int, *, is_settled: bool) -> datetime:
        if is_settled:
            return self._now + VISITED_AGAIN
        times = [each.again_at for each in refusals]
        if attempts:
            times.append(self._now + _wait(NO_ANSWER_AGAIN, attempts))
        return max(min(times, default=self._now + ASKED_AGAIN), self._now + NO_ANSWER_AGAIN)


def _wait(first: timedelta, attempts: int) -> timedelta:
    """Return the wait after so many tries: four times as long from each to the next."""
    return min(first * int(4 ** min(attempts - 1, 16)), VISITED_AGAIN)


def _key(root: Installed) -> str:
    """Name a root that a station has, as it has named it."""
    name = root.name
    if name is None:
        return str(root.reported)[:WORDS_MAX]
    return f"{name.algorithm.value} {name.serial} {name.issuer_key}"
