"""A coming station's row, epoch and books in one trip to the store."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from gateway.bridge.books import Books
from gateway.session.ports import RecordChanged, StationRecord, Taken
from gateway.store.books import StoredBooks
from gateway.store.stations import Stations
from gateway.wire.versions import Version

REMEMBERED_MAX: Final = 20_000
"""Stations whose row is remembered when they come back."""
BY_CERTIFICATE: Final = 3
"""The security profile whose stations are remembered: a password is compared with what the registry holds now."""


class Takings:
    """The directory's registry: who takes a station that has no runtime here gets its books at once.

    A runtime is built right after a station was let in, before any other one: what it finds here is what was read then,
    and never older.
    """

    def __init__(self, stations: Stations, books: StoredBooks, has_runtime: Callable[[str], bool]) -> None:
        self._stations = stations
        self._books = books
        self._has_runtime = has_runtime
        self._taken: dict[str, tuple[Books, int]] = {}
        self._remembered: OrderedDict[str, StationRecord] = OrderedDict()

    def remembered(self, identity: str) -> StationRecord | None:
        """Return what a station was let in by before, without its boot: the registry may have another word by now.

        Who is decided on by it is let in by ``let_in`` only if that is the registry's word still.
        """
        return self._remembered.get(identity)

    async def take(self, identity: str, profile: int, version: Version | None = None) -> int:
        """Make the caller the owner and return the epoch, as ``Stations.take`` does."""
        self._taken.pop(identity, None)
        return await self._stations.take(identity, profile, version)

    async def confirm(self, record: StationRecord) -> None:
        """Return when the registry still lets in whom ``record`` does. Raises RecordChanged."""
        await self._stations.confirm(record)

    async def let_in(self, record: StationRecord, profile: int, version: Version) -> Taken:
        """Make the caller the owner of a newcomer's station, as ``Stations.let_in`` does."""
        identity = record.identity
        self._taken.pop(identity, None)
        try:
            if self._has_runtime(identity):  # it has the books, and may still write them
                taken = await self._stations.let_in(record, profile, version)
            else:
                taken, books, depth = await self._books.let_in(record, profile, version)
                self._taken[identity] = books, depth
        except RecordChanged:
            self._remembered.pop(identity, None)
            raise
        if profile == BY_CERTIFICATE:
            self._remember(taken.record, profile)
        return taken

    async def books(self, identity: str) -> tuple[Books, int]:
        """Return the books of a station that has just been let in, and how many messages of it wait."""
        return self._taken.pop(identity, None) or await self._books.load(identity)

    def _remember(self, record: StationRecord, profile: int) -> None:
        """Keep the row as it was left: letting a station in has raised its minimum."""
        minimum = max(record.minimum_profile, profile)
        self._remembered[record.identity] = replace(record, minimum_profile=minimum, boot_payload=None)
        self._remembered.move_to_end(record.identity)
        while len(self._remembered) > REMEMBERED_MAX:
            self._remembered.popitem(last=False)
