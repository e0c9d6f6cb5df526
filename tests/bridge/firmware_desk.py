"""A desk that takes orders of firmware, for the bridges' tests: it writes down what it was asked and told."""

from gateway.bridge.books import Json
from gateway.bridge.ports import UpdateHeard, UpdateOrdered


class FakeFirmwareDesk:
    """Fulfils :class:`gateway.bridge.ports.FirmwareDesk`: answers each order with ``status``."""

    def __init__(self, status: str = "Accepted", known: dict[int | None, UpdateHeard] | None = None) -> None:
        self.status = status
        self.known = known or {}
        """By the station's requestId: whose update it is."""
        self.orders: list[UpdateOrdered] = []
        self.told: list[Json] = []
        self.proceeded = 0

    async def order(self, ordered: UpdateOrdered) -> str:
        self.orders.append(ordered)
        return self.status

    async def proceed(self) -> None:
        self.proceeded += 1

    async def heard(self, payload: Json) -> UpdateHeard | None:
        self.told.append(payload)
        return self.known.get(payload.get("requestId"))

    async def publish(self, payload: Json) -> str:
        self.told.append(payload)
        return "Rejected"

    async def unpublish(self, payload: Json) -> str:
        self.told.append(payload)
        return "NoFirmware"

    async def publication(self) -> Json:
        return {"status": "Idle"}
