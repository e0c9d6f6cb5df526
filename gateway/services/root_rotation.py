"""Where a rotation of the CSMS root stands: who has the new one, whether the gateway's certificate may change.

The rotation itself holds nothing of it: it is seen from what each station has said it has, so that no restart and no
order of events can make it say more than is so.
"""

import enum
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.services.trust_anchors import RotationHere
from gateway.session.ports import StationRecord
from gateway.session.trust import Action, AnchorType, RootRotation, StationTrust
from pki.anchors import Chain, RotationRoots, leads_to, read_rotation

ROOTS_REMEMBERED: Final = 8
"""Rotations whose certificates aren't verified again."""


class Standing(enum.Enum):
    """What one station has of it."""

    DONE = "has the new root only"
    READY = "has the new root"
    WAITING = "waits for the new root"
    REFUSED = "does not take the new root"
    UNKNOWN = "has not said what it has"
    EXCLUDED = "excluded by the operator"
    WITHOUT_TLS = "has never used TLS"
    OUTSIDE = "isn't of the selection, and can't be said to have the new root"

    @property
    def is_waited_for(self) -> bool:
        """True when the gateway's certificate may not change because of this station."""
        return self in {Standing.WAITING, Standing.REFUSED, Standing.UNKNOWN, Standing.OUTSIDE}


@dataclass(frozen=True, slots=True)
class StationStanding:
    """One station of the rotation."""

    identity: str
    standing: Standing
    words: str
    """For a person: why, where there is something to say."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a rotation stands."""

    rotation: RootRotation
    stations: Sequence[StationStanding]
    is_switched: bool
    """Each certificate that the listeners show leads to the new root."""
    shows_new: bool
    """One of them does."""

    @property
    def waited_for(self) -> list[StationStanding]:
        return [each for each in self.stations if each.standing.is_waited_for]

    @property
    def is_safe_to_switch(self) -> bool:
        """True when every station that isn't excluded has said that it has the new root, selected or not.

        They all come to the same listeners.
        """
        return not self.waited_for

    @property
    def locked_out(self) -> list[StationStanding]:
        """Those that can't verify a certificate that is shown already."""
        return self.waited_for if self.shows_new else []

    @property
    def is_over(self) -> bool:
        """True when the certificates have changed and no station has the old root but those that aren't waited for."""
        left = {Standing.DONE, Standing.EXCLUDED, Standing.WITHOUT_TLS}
        return self.is_switched and all(each.standing in left for each in self.stations)


@functools.lru_cache(maxsize=ROOTS_REMEMBERED)
def roots_of(rotation: RootRotation) -> RotationRoots:
    """Return the roots of a rotation, for what they were when it began. Raises RotationRefused."""
    cross = rotation.cross_pem.encode() if rotation.cross_pem is not None else None
    return read_rotation(rotation.old_pem.encode(), rotation.new_pem.encode(), cross, rotation.started_at)


def rotation_at(rotation: RootRotation, in_force: "InForce", profile: int, joined_at: float) -> RotationHere:
    """Return what a rotation means for a station that joined then under a security profile.

    The old root may be deleted from one that has verified a certificate under the new one: it has connected over TLS
    since all that is shown leads there. Raises RotationRefused.
    """
    roots = roots_of(rotation)
    is_switched = all(any(leads_to(chain, each.certificate) for each in roots.new_ones) for chain in in_force.look())
    may_drop = is_switched and profile >= 2 and in_force.came_under(joined_at)
    return RotationHere(rotation.id, roots, may_drop_old=may_drop)


def progress(
    rotation: RootRotation,
    stations: Iterable[StationRecord],
    trust: Mapping[str, StationTrust],
    chains: Sequence[Chain],
    *,
    selects: Callable[[StationRecord], bool],
    keeps_old: Callable[[StationRecord], bool],
) -> Progress:
    """Return where a rotation stands for the stations that it selects, and whom else the switch would lock out.

    ``keeps_old(station)``: the old root is declared for it (trust_anchors), and stays for that.
    """
    roots = roots_of(rotation)
    shown = [any(leads_to(chain, each.certificate) for each in roots.new_ones) for chain in chains]
    found = []
    for station in stations:
        stands = _standing(rotation, roots, station, trust.get(station.identity), keeps_old=keeps_old(station))
        if selects(station) or stands.standing is Standing.EXCLUDED:
            found.append(stands)
        elif stands.standing.is_waited_for:
            found.append(StationStanding(station.identity, Standing.OUTSIDE, ""))
    return Progress(rotation, found, bool(shown) and all(shown), any(shown))


def _standing(
    rotation: RootRotation,
    roots: RotationRoots,
    station: StationRecord,
    trust: StationTrust | None,
    *,
    keeps_old: bool,
) -> StationStanding:
    csms = [] if trust is None else [each.name for each in trust.installed if each.type is AnchorType.CSMS]
    words = trust.problem if trust is not None else ""
    if any(name in each.names for each in roots.new_ones for name in csms):
        has_old = any(name in roots.old.names for name in csms)
        standing = Standing.READY if has_old and not keeps_old else Standing.DONE
        words = "keeps the old root, which trust_anchors names" if has_old and keeps_old else ""
    elif station.identity in rotation.excluded:
        standing = Standing.EXCLUDED
    elif station.minimum_profile < 2:
        standing = Standing.WITHOUT_TLS
    elif trust is None or trust.seen_at is None:
        standing = Standing.UNKNOWN
    else:
        found = (trust.refusal(Action.INSTALL, AnchorType.CSMS, each.fingerprint) for each in roots.new_ones)
        refusal = next((each for each in found if each is not None), None)
        standing, words = (Standing.WAITING, words) if refusal is None else (Standing.REFUSED, refusal.words)
    return StationStanding(station.identity, standing, words)


class InForce:
    """Since when the listeners show the certificates that they show."""

    def __init__(self, chains: Callable[[], Sequence[Chain]], clock: Callable[[], float], *, grace: float) -> None:
        """``grace``: seconds that a connection may take from its handshake to its admission."""
        self._chains = chains
        self._clock = clock
        self._grace = grace
        self.shown: tuple[Chain, ...] | None = None
        """What was shown at the last look."""
        self._since = float("-inf")

    def look(self) -> tuple[Chain, ...]:
        """Return the chains; to be called before the first station comes, and often from then on."""
        chains = tuple(self._chains())
        if self.shown is not None and chains != self.shown:
            self._since = self._clock()
        self.shown = chains
        return chains

    def came_under(self, joined_at: float) -> bool:
        """Return whether a station that joined then, by the clock, has verified one of the chains shown now."""
        return bool(self.look()) and joined_at >= self._since + self._grace
