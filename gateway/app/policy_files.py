"""One policy out of its files, and out of them again when they change: the last good one stays in force."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from gateway.app.clock import now
from gateway.session.tally import Tally
from policies.documents import contents
from policies.engine import BUNDLED, Policy, PolicyError, load
from policies.words import Memory, Schemas

if TYPE_CHECKING:
    from datetime import datetime

RETRY: Final = 30.0
"""Seconds after which one that could not be loaded is tried again, though no file that is known of has changed."""
TOLD_MAX: Final = 50
"""Faults of one policy that the log names."""

Stamp = tuple[int, int, int] | None
"""What tells that a file isn't what it was: mtime_ns, size, inode; None for one that isn't there."""

log = structlog.get_logger(__name__)


class PolicyFiles:
    """One policy as it is in force: which is the last that could be loaded."""

    def __init__(
        self,
        key: str,
        policy: Policy,
        source: str | Path,
        *,
        schemas: Schemas,
        tally: Tally,
        objection: Callable[[Policy], str | None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``key`` names it in the configuration. ``objection`` says why a new one can't take the place of this one."""
        self.key = key
        self.source = source
        self.policy = policy
        self.shared = Memory()
        """What its rules remember over all stations."""
        self.loaded_at = now()
        self.faults: Sequence[str] = ()
        """What is wrong with the files as they are now, each with its line; empty while they are in force."""
        self.refused_at: datetime | None = None
        """When the files last could not be taken over."""
        self._schemas = schemas
        self._tally = tally
        self._objection = objection
        self._clock = clock
        self._looking = asyncio.Lock()
        self._files = _files_of(source, (each.name for each in policy.sources))
        self._seen: tuple[Stamp, ...] = ()
        self._tried: tuple[Stamp, ...] = ()
        """How the files were before they were last read; empty: they are still to be compared with what is in force."""
        self._tried_at = clock()

    @property
    def is_stale(self) -> bool:
        """True while its files say something else, with which something is wrong."""
        return bool(self.faults)

    def place_of(self, rule: str) -> str:
        """Return the file and line of a rule; empty for one that it hasn't."""
        return next((str(each.place) for each in self.policy.rules if each.id == rule), "")

    @property
    def name(self) -> str:
        """The policy's own name."""
        return self.policy.name

    def announce(self) -> None:
        """Say in the log what is in force."""
        log.info("policy_in_force", key=self.key, **self._about())

    async def look(self, *, at_once: bool = False) -> None:
        """Look at the files, and take over what is new and in order.

        At the second look that finds the same, unless ``at_once``: a file that is being written may be one that loads
        and lacks the rules at its end.
        """
        async with self._looking:
            stamps = await asyncio.to_thread(_stamps, self._files)
            is_settled, self._seen = at_once or stamps == self._seen, stamps
            is_due = stamps != self._tried or (self.is_stale and self._clock() - self._tried_at >= RETRY)
            if is_due and is_settled:
                await self._reload(stamps)

    async def _reload(self, stamps: tuple[Stamp, ...]) -> None:
        is_news = stamps != self._tried
        self._tried, self._tried_at = stamps, self._clock()
        if not self.is_stale and await asyncio.to_thread(_is_unchanged, self.policy):
            return
        try:
            policy = await asyncio.to_thread(load, self.source, self._schemas)
        except PolicyError as error:
            files = _files_of(self.source, (*map(str, self._files), *(each.place.source for each in error.problems)))
            if files != self._files:
                self._files = files
                self._seen = self._tried = await asyncio.to_thread(_stamps, files)
            self._refuse([str(each) for each in error.problems], is_news=is_news)
            return
        if not await asyncio.to_thread(_is_unchanged, policy):
            self._tried = ()  # read while its files were replaced: it may be half of the old and half of the new
            return
        objection = self._objection(policy)
        if objection is None:
            self._take(policy)
        else:
            self._refuse([objection], is_news=is_news)

    def _take(self, policy: Policy) -> None:
        files = _files_of(self.source, (each.name for each in policy.sources))
        if files != self._files:
            self._files, self._seen, self._tried = files, (), ()
        self.policy, self.loaded_at, self.faults = policy, now(), ()
        self._tally.policy_reloads[policy.name, "taken"] += 1
        log.info("policy_reloaded", key=self.key, **self._about())

    def _refuse(self, faults: Sequence[str], *, is_news: bool) -> None:
        if not is_news and faults == self.faults:
            return
        self.faults, self.refused_at = faults, now()
        self._tally.policy_reloads[self.name, "refused"] += 1
        told = list(faults[:TOLD_MAX])
        log.error("policy_not_reloaded", key=self.key, policy=self.name, faults=told, count=len(faults))

    def _about(self) -> dict[str, object]:
        sources = {each.name: each.sha256 for each in self.policy.sources}
        return {
            "policy": self.name,
            "sha256": self.policy.sha256,
            "rules": len(self.policy.rules),
            "mode": self.policy.mode.value,
            **({"sources": sources} if len(sources) > 1 else {}),
        }


def _files_of(source: str | Path, names: Iterable[str]) -> tuple[Path, ...]:
    """Return the files that are looked at; bundled policies are part of the program."""
    return tuple(dict.fromkeys(Path(name) for name in (str(source), *names) if name not in BUNDLED))


def _stamps(files: Iterable[Path]) -> tuple[Stamp, ...]:
    """Blocks. A link is followed: Kubernetes swaps the folder behind it."""
    return tuple(_stamp(file) for file in files)


def _stamp(file: Path) -> Stamp:
    try:
        found = file.stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _is_unchanged(policy: Policy) -> bool:
    """Return whether the files hold what ``policy`` was made of. Blocks."""
    files = {each.name: each.sha256 for each in policy.sources if each.name not in BUNDLED}
    try:
        return all(hashlib.sha256(contents(Path(name))).hexdigest() == digest for name, digest in files.items())
    except OSError:
        return False
