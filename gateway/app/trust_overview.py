"""What is told of trust anchors and of the rotation of a root, out of the files and the store; and how one begins."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from cryptography import x509

from gateway.app.clock import now
from gateway.app.problems import StartFailed
from gateway.app.trust_files import TrustFiles
from gateway.config import Config
from gateway.config.problems import Problem
from gateway.config.routes import Selection
from gateway.config.secrets import SecretError
from gateway.services.root_rotation import Progress, progress, roots_of
from gateway.services.trust_overview import declared_shown, rotation_shown, trust_shown
from gateway.services.trust_plan import wanted_for
from gateway.session.ports import StationRecord
from gateway.session.trust import AnchorType, NoRotation, RootRotation, RotationState
from gateway.store.database import Database
from gateway.store.root_rotations import RootRotations
from gateway.store.station_trust import StationTrusts
from gateway.store.stations import Stations
from gateway.store.unavailable import StoreUnavailable
from pki.anchors import Chain, RotationRefused, read_rotation
from pki.pair_folder import PairFolder, PairUnusable

NAMED_MAX: Final = 10
"""Stations that one line names."""


class TrustOverview:
    """What is told of trust anchors, out of the files and the store; for the commands and the API."""

    def __init__(self, files: Callable[[], TrustFiles], database: Database) -> None:
        """``files`` raises StartFailed where one can't be read."""
        self._files = files
        self.book = StationTrusts(database)
        self.rotations = RootRotations(database)
        self.stations = Stations(database)

    async def declared(self) -> list[dict[str, Any]]:
        """Return the declared roots, with how many stations have them. Raises StoreAway."""
        stations, trust = await self.stations.list(), await self.book.all()
        by_identity = {each.identity: each for each in trust}
        return await asyncio.to_thread(declared_shown, self._files().declared, stations, by_identity)

    async def of(self, identity: str) -> dict[str, Any]:
        """Return where one station stands. Raises StoreAway, LookupError for one that isn't registered."""
        if await self.stations.find(identity) is None:
            raise LookupError(f"station {identity[:60]!r} is not registered")
        return trust_shown(identity, await self.book.find(identity))

    async def all(self) -> list[dict[str, Any]]:
        """Return where the stations stand that were visited. Raises StoreAway."""
        return [trust_shown(each.identity, each) for each in await self.book.all()]

    async def progress(self, rotation: RootRotation, chains: Sequence[Chain]) -> Progress:
        """Return where a rotation stands. Raises StoreAway."""
        stations, trust = await self.stations.list(), await self.book.all()
        by_identity = {each.identity: each for each in trust}
        selection = selected_by(rotation)
        return await asyncio.to_thread(
            progress,
            rotation,
            stations,
            by_identity,
            chains,
            selects=lambda each: selection.matches(each.identity, each.group),
            keeps_old=lambda each: self._keeps_old(rotation, each),
        )

    async def rotation(self, chains: Sequence[Chain]) -> dict[str, Any]:
        """Return where the rotation stands that is under way or was the last. Raises StoreAway, NoRotation."""
        last = await self.rotations.last()
        if last is None:
            raise NoRotation("no root was ever rotated here; voltgate trust rotate begins it")
        return rotation_shown(await self.progress(last, chains))

    async def begin(
        self, old_pem: bytes, new_pem: bytes, cross_pem: bytes | None, *, identity: str | None, group: str | None
    ) -> RootRotation:
        """Begin the rotation of the CSMS root for the stations that are selected, both None: for all.

        Raises RotationRefused, RotationUnderWay, StoreAway.
        """
        roots = read_rotation(old_pem, new_pem, cross_pem, now())
        try:
            selection = Selection(identity=identity, group=group)
        except ValueError:
            raise RotationRefused("the pattern or the group isn't one; see routes in docs/configuration.md") from None
        if not any(selection.matches(each.identity, each.group) for each in await self.stations.list()):
            raise RotationRefused("no registered station is selected; look at --group and --identity")
        return await self.rotations.begin(
            old_pem=roots.old.pem,
            new_pem=roots.new.pem,
            cross_pem=roots.cross.pem if roots.cross is not None else None,
            identity=identity,
            group=group,
        )

    async def exclude(self, identity: str) -> RootRotation:
        """Wait for this station no longer. Raises LookupError, StoreAway."""
        if await self.stations.find(identity) is None:
            raise LookupError(f"station {identity[:60]!r} is not registered")
        return await self.rotations.exclude(identity)

    async def abort(self) -> RootRotation:
        """End the rotation where it stands: nothing is deleted, both roots stay. Raises NoRotation, StoreAway."""
        return await self.rotations.end(None, RotationState.ABORTED)

    def _keeps_old(self, rotation: RootRotation, station: StationRecord) -> bool:
        wanted = wanted_for(self._files().declared, station.identity, station.group)
        return wanted.names(AnchorType.CSMS, roots_of(rotation).old)


def selected_by(rotation: RootRotation) -> Selection:
    """Return the stations that a rotation is for."""
    return Selection(identity=rotation.identity, group=rotation.group)


def configured_chains(config: Config) -> list[Chain]:
    """Return what the listeners are configured to show, issued to them or not; what can't be read is left out."""
    found: list[Chain] = []
    for listener in config.listeners:
        if listener.tls is not None and listener.tls.issued is not None:
            with suppress(OSError, PairUnusable), PairFolder(listener.tls.issued.dir).held(now()) as pairs:
                found += [each.chain for each in pairs]
        for each in listener.tls.certificates if listener.tls is not None else ():
            try:
                found.append(tuple(x509.load_pem_x509_certificates(each.chain.read_bytes())))
            except (OSError, ValueError):
                continue  # named by who looks at the listeners
    return found


async def rotation_problems(config: Config) -> list[Problem]:
    """Return whom the configured certificates would lock out while a rotation is under way.

    Nothing is made or changed: a store that isn't there, or not this version's, says nothing.
    """
    path = config.store.sqlite_path
    if path is not None and not (path.exists() and path.stat().st_size):
        return []
    try:
        database = await Database.open(config.store.connect_url(), exclusive=False, migrate=False)
    except (StoreUnavailable, SecretError):
        return []
    try:
        overview = TrustOverview(lambda: TrustFiles(config), database)
        rotation = await overview.rotations.open()
        if rotation is None:
            return []
        names = [each.identity for each in (await overview.progress(rotation, configured_chains(config))).locked_out]
    except (StoreUnavailable, StartFailed, RotationRefused):
        return []
    finally:
        await database.close()
    if not names:
        return []
    more = f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
    text = (
        f"a certificate leads to the new root, which {', '.join(names[:NAMED_MAX])}{more} can't be said to have: "
        "they would be locked out (voltgate trust rotation)"
    )
    return [Problem.warning("listeners", text)]
