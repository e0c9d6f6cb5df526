"""A coming station's epoch and its books in one trip to the store."""

from collections.abc import Callable

from gateway.bridge.books import Books
from gateway.store.books import StoredBooks
from gateway.store.stations import Stations
from gateway.wire.versions import Version


class Takings:
    """The directory's registry: who takes a station that has no runtime here gets its books at once.

    A runtime is built right after a ``take`` of the same station, before any other one: what it finds here is what that
    ``take`` read, and never older.
    """

    def __init__(self, stations: Stations, books: StoredBooks, has_runtime: Callable[[str], bool]) -> None:
        self._stations = stations
        self._books = books
        self._has_runtime = has_runtime
        self._taken: dict[str, tuple[Books, int]] = {}

    async def take(self, identity: str, profile: int, version: Version | None = None) -> int:
        """Make the caller the owner and return the epoch, as ``Stations.take`` does."""
        self._taken.pop(identity, None)
        if version is None or self._has_runtime(identity):  # its runtime has the books, and may still write them
            return await self._stations.take(identity, profile, version)
        epoch, books, depth = await self._books.take(identity, profile, version)
        self._taken[identity] = books, depth
        return epoch

    async def books(self, identity: str) -> tuple[Books, int]:
        """Return the books of a station that has just been taken, and how many messages of it wait."""
        return self._taken.pop(identity, None) or await self._books.load(identity)
