"""Who is accepted, and isn't a WebSocket yet: places by address, and by all of them together."""

from typing import Protocol

from gateway.transport.addresses import household


class Guest(Protocol):
    """A connection that waits."""

    def give_way(self) -> None:
        """Leave the room and end: the place is needed for an address with fewer guests."""


class WaitingRoom:
    """Holds the connections that wait, by address; an IPv6 address counts with all of its /64.

    An address without a connection costs nothing.
    """

    __slots__ = ("_count", "_places", "_present", "_together")

    def __init__(self, places: int, together: int = 0) -> None:
        """At most ``places`` connections of one address may wait, and ``together`` of all (0: no bound)."""
        self._places = places
        self._together = together
        self._present: dict[str | bytes, dict[Guest, None]] = {}
        self._count = 0

    def __len__(self) -> int:
        """Return the number of all connections that wait."""
        return self._count

    def enter(self, address: str, guest: Guest) -> bool:
        """Take a place; False when there is none. Whoever got one gives it back by :meth:`leave`.

        When all places are taken, the last guest of the address that has most gives way to one that has fewer.
        """
        key = household(address)
        own = len(self._present.get(key, ()))
        if own >= self._places or (self._together and self._count >= self._together and not self._make_room(own)):
            return False
        self._present.setdefault(key, {})[guest] = None
        self._count += 1
        return True

    def leave(self, address: str, guest: Guest) -> None:
        """Give back the place that ``enter`` gave to ``guest``. Raises KeyError when it has none."""
        key = household(address)
        guests = self._present[key]
        del guests[guest]
        self._count -= 1
        if not guests:
            del self._present[key]

    def _make_room(self, own: int) -> bool:
        most = max(self._present.values(), key=len)
        if own + 1 >= len(most):
            return False
        next(reversed(most)).give_way()
        return True
