"""Ids for what the bridge asks of a station by itself: 1.6 has none where 2.0.1 wants one."""

from datetime import datetime
from typing import Final

from gateway.bridge.books import Books, Page

EPOCH: Final = 1_735_689_600
"""2025-01-01T00:00:00Z. Ids count the seconds since: no earlier run has used one, and no operator by hand; 31 bits last
to 2093."""


def next_id(last: int, now: datetime) -> int:
    """Return an id above ``last`` and above all of the time before ``now``."""
    return max(last + 1, int(now.timestamp()) - EPOCH)


def next_request(books: Books, name: str, now: datetime) -> int:
    """Return the next requestId of those that are counted under ``name`` on the page of requests."""
    page = books.page(Page.REQUESTS)
    request_id: int = next_id(page.get(name, 0), now)
    page[name] = request_id
    books.changed(Page.REQUESTS)
    return request_id
