"""Stations that are local controllers themselves: what they say of an operator's PublishFirmware (L03)."""

from collections.abc import Sequence
from typing import Final, Protocol

from gateway.bridge.books import Json
from gateway.services.peer_text import printable
from gateway.session.firmware import PublicationState
from gateway.session.ports import Bridge

ACTION: Final = "PublishFirmwareStatusNotification"
REQUEST_ID_MAX: Final = 2**31 - 1
"""A requestId above it is none that anybody gave the station."""
URL_MAX: Final = 512
"""Characters of a location (PublishFirmwareStatusNotificationRequest)."""


class PublicationBook(Protocol):
    """The publications on file."""

    async def heard(
        self, identity: str, request_id: int, state: PublicationState, published: Sequence[str] = ()
    ) -> object:
        """Keep what a station says of its publication ``request_id``. Raises StoreAway."""


class PublishingStation(Protocol):
    """A station's runtime, as far as its own publications need it."""

    bridge: Bridge

    @property
    def identity(self) -> str:
        """The identity in the station's URL."""


class StationPublications:
    """The publications of all stations."""

    def __init__(self, book: PublicationBook) -> None:
        self._book = book

    async def notified(self, station: PublishingStation, payload: Json) -> Json:
        """Handle PublishFirmwareStatusNotification: it is kept, and goes on to the backend if that has asked.

        Raises StoreAway, CallError.
        """
        request_id = payload.get("requestId")
        if request_id is not None and 0 <= request_id <= REQUEST_ID_MAX:
            urls = [printable(each, URL_MAX) for each in payload.get("location", ())]
            await self._book.heard(station.identity, request_id, PublicationState(payload["status"]), urls)
        return await station.bridge.from_station(ACTION, payload)
