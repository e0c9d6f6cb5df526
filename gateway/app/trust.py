"""Trust anchors on stations, put together: what is declared, who is visited, which root is being rotated."""

import asyncio
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import structlog

from gateway.admin.ports import Refused
from gateway.app.clock import now
from gateway.app.tasks import Tasks
from gateway.app.trust_files import TrustFiles
from gateway.app.trust_overview import NAMED_MAX, TrustOverview, selected_by
from gateway.config import Config
from gateway.services.root_rotation import InForce, roots_of, rotation_at
from gateway.services.station_commands import ConnectedStation
from gateway.services.trust_anchors import Goal, TrustVisits
from gateway.services.trust_overview import trust_shown
from gateway.services.trust_plan import wanted_for
from gateway.services.trust_rounds import NotVisited, TrustRounds
from gateway.session.ports import StoreAway
from gateway.session.trust import RootRotation, RotationState
from gateway.store.database import Database
from pki.anchors import Chain, RotationRefused

FOLLOW_EVERY: Final = 5.0
"""Seconds between two looks at the files, the listeners' certificates and the rotation."""
LOOKS_TO_A_COUNT: Final = 12
"""Of these looks, each so many one counts the stations."""
ADMISSION_GRACE: Final = 5.0
"""Seconds from the end of a station's HTTP head to its admission."""

log = structlog.get_logger(__name__)


class TrustServices:
    """What a running gateway does about it."""

    def __init__(self, config: Config, database: Database, tasks: Tasks) -> None:
        """Raises StartFailed for a file that can't be read."""
        self._tasks = tasks
        self._files = TrustFiles(config)
        self.overview = TrustOverview(lambda: self._files, database)
        self.chains: Callable[[], Sequence[Chain]] = lambda: ()
        """Returns what the listeners show now; set when there are any."""
        self.is_upgrading: Callable[[str], bool] = lambda _: False
        self.settled = 0
        self.unsettled = 0
        self.locked_out = 0
        """Stations that can't verify what the listeners show, by what they have said themselves."""
        self._rotation: RootRotation | None = None
        self._in_force = InForce(
            lambda: self.chains(),  # noqa: PLW0108 - it is set later
            lambda: asyncio.get_running_loop().time(),
            grace=2 * config.limits.handshake_timeout + ADMISSION_GRACE,
        )
        visits = TrustVisits(self.overview.book, known=lambda: self._files.known, chains=self._in_force.look, now=now)
        self.rounds = TrustRounds(
            visits,
            self.goal,
            is_upgrading=lambda identity: self.is_upgrading(identity),  # noqa: PLW0108 - the same
            spawn=tasks.spawn,
            now=now,
        )

    @property
    def levels(self) -> Mapping[str, int]:
        """Stations, by how far they are, as of the last minute."""
        return {"settled": self.settled, "unsettled": self.unsettled, "locked_out": self.locked_out}

    async def load(self) -> None:
        """Take up what an earlier run left. Raises StoreAway."""
        self._rotation = await self.overview.rotations.open()
        self.settled, self.unsettled = await self.overview.book.counts()

    def start(self) -> None:
        """Begin to visit stations, and to follow what changes."""
        self._in_force.look()
        self._tasks.spawn(self.rounds.run(), "trust anchors")
        self._tasks.spawn(self._follow(), "trust anchors' files")

    async def declared(self) -> list[dict[str, Any]]:
        """Return the declared roots, with how many stations have them. Raises StoreAway."""
        return await self.overview.declared()

    async def of(self, identity: str) -> dict[str, Any]:
        """Return where one station stands. Raises StoreAway, LookupError for one that isn't registered."""
        return await self.overview.of(identity)

    async def visit_now(self, identity: str) -> dict[str, Any]:
        """Visit a station at once and return where it stands then. Raises Refused, StoreAway, LookupError."""
        await self.overview.of(identity)
        try:
            return trust_shown(identity, await self.rounds.visit_now(identity))
        except NotVisited as why:
            raise Refused(str(why)) from None

    async def rotation(self) -> dict[str, Any]:
        """Return where the rotation of the CSMS root stands. Raises StoreAway, NoRotation."""
        return await self.overview.rotation(self._in_force.look())

    async def goal(self, station: ConnectedStation, joined_at: float) -> Goal:
        """Return what a station is visited for. Raises StoreAway."""
        record = await self.overview.stations.find(station.identity) or station.record
        wanted = wanted_for(self._files.declared, record.identity, record.group)
        rotation = self._rotation
        if rotation is None or not selected_by(rotation).matches(record.identity, record.group):
            return Goal(wanted)
        return Goal(wanted, rotation_at(rotation, self._in_force, station.proof.profile, joined_at))

    async def look(self, *, count: bool) -> None:
        """Look once at what may have changed. Raises StoreAway."""
        before, shown = self._rotation, self._in_force.shown
        changed = await self._files.reload()
        self._rotation = await self.overview.rotations.open()
        self._in_force.look()
        if changed or before != self._rotation or shown != self._in_force.shown:
            self.rounds.everybody()
        if count:
            await self._count()

    async def _follow(self) -> None:
        for number in itertools.count():
            try:
                await self.look(count=number % LOOKS_TO_A_COUNT == 0)
            except StoreAway as away:
                log.error("trust_not_followed", reason=str(away))  # noqa: TRY400 - it says it all
            except Exception:
                log.exception("trust_not_followed")
            await asyncio.sleep(FOLLOW_EVERY)

    async def _count(self) -> None:
        self.settled, self.unsettled = await self.overview.book.counts()
        if self._rotation is None:
            self.locked_out = 0
            return
        try:
            stands = await self.overview.progress(self._rotation, self._in_force.look())
        except RotationRefused as refused:
            log.error("rotation_unusable", reason=str(refused))  # noqa: TRY400 - it says it all
            return
        names = [each.identity for each in stands.locked_out]
        if names and len(names) != self.locked_out:
            log.warning("stations_without_the_root_in_force", count=len(names), stations=names[:NAMED_MAX])
        self.locked_out = len(names)
        if stands.is_over:
            await self.overview.rotations.end(self._rotation.id, RotationState.DONE)
            log.info("root_rotation_done", new=roots_of(self._rotation).new.subject)
