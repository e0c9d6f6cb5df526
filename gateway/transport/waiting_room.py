"""How many connections of each address are accepted, and aren't WebSockets yet."""

from gateway.transport.addresses import household


class WaitingRoom:
    """Counts the connections that wait, by address; an IPv6 address counts with all of its /64.

    An address without a connection costs nothing.
    """

    __slots__ = ("_places", "_present")

    def __init__(self, places: int) -> None:
        """At most ``places`` connections of one address may wait."""
        self._places = places
        self._present: dict[str | bytes, int] = {}

    def __len__(self) -> int:
        """Return the number of all connections that wait."""
        return sum(self._present.values())

    def enter(self, address: str) -> bool:
        """Take a place; False when those of ``address`` are taken. Whoever got one gives it back by :meth:`leave`."""
        key = household(address)
        count = self._present.get(key, 0)
        if count >= self._places:
            return False
        self._present[key] = count + 1
        return True

    def leave(self, address: str) -> None:
        """Give back the place that ``enter`` gave to ``address``. Raises KeyError when it has none."""
        key = household(address)
        count = self._present[key] - 1
        if count:
            self._present[key] = count
        else:
            del self._present[key]
