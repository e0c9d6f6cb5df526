"""What a backend has asked of a station that takes a while: its messages about it are that backend's business.

Kept on ``Page.REQUESTS`` under the station's requestId. A request of Voltgate's own is not here, nor is an unknown one.
"""

import enum
from dataclasses import dataclass
from typing import Final

from gateway.bridge.books import Books, Json, Page

UNDER_WAY_MAX: Final = 16
"""Requests of one kind that are remembered of one station; the oldest is forgotten."""


class Work(enum.Enum):
    """Each has requestIds of its own, firmware in the store. The value is its place on the page."""

    LOG = "logs"


@dataclass(frozen=True, slots=True)
class Request:
    """One request of the backend."""

    action: str
    """The backend's: GetDiagnostics or GetLog."""
    request_id: int | None = None
    """The backend's own requestId; GetDiagnostics has none."""


def begin(books: Books, work: Work, station_id: int, request: Request) -> None:
    """The station is asked, under the requestId ``station_id``."""
    under_way = _under_way(books, work)
    under_way.pop(str(station_id), None)
    while len(under_way) >= UNDER_WAY_MAX:
        del under_way[next(iter(under_way))]
    under_way[str(station_id)] = [request.action, request.request_id]
    books.changed(Page.REQUESTS)


def find(books: Books, work: Work, station_id: int | None) -> Request | None:
    """Return the backend's request that the station tells of under ``station_id``, or None."""
    kept = _under_way(books, work).get(str(station_id))
    return None if kept is None else Request(*kept)


def end(books: Books, work: Work, station_id: int | None) -> None:
    """Nothing more is to be told of it."""
    if _under_way(books, work).pop(str(station_id), None) is not None:
        books.changed(Page.REQUESTS)


def end_older(books: Books, work: Work, station_id: int) -> None:
    """The station has dropped what it did for requests of the same action, to do the one of ``station_id``."""
    newest = find(books, work, station_id)
    for older in [each for each in _under_way(books, work) if each != str(station_id)]:
        kept = find(books, work, int(older))
        if newest is not None and kept is not None and kept.action == newest.action:
            end(books, work, int(older))


def told(request: Request | None, payload: Json) -> Json:
    """Return status and requestId of a station's notification as the backend is told them, where it is to be told.

    Of a request that isn't its own it hears Idle: nothing is done for it.
    """
    if request is None:
        return {"status": "Idle" if "requestId" in payload else payload["status"]}
    fields: Json = {"status": payload["status"]}
    return fields if request.request_id is None else {**fields, "requestId": request.request_id}


def _under_way(books: Books, work: Work) -> Json:
    under_way: Json = books.page(Page.REQUESTS).setdefault(work.value, {})
    return under_way
