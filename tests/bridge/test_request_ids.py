"""Ids that grow, over restarts too, and fit into 31 bits."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.bridge.books import Books, Page
from gateway.bridge.request_ids import EPOCH, next_id, next_request

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("last", "now", "expected"),
    [
        (0, datetime(2025, 1, 1, tzinfo=UTC), 1),
        (0, datetime(2025, 1, 1, 0, 1, tzinfo=UTC), 60),
        (60, datetime(2025, 1, 1, 0, 1, tzinfo=UTC), 61),
        (500, datetime(2025, 1, 1, 0, 1, tzinfo=UTC), 501),
        (7, datetime(1999, 1, 1, tzinfo=UTC), 8),
    ],
)
def test_the_next_id(last: int, now: datetime, expected: int) -> None:
    assert next_id(last, now) == expected


def test_one_a_second_is_forgotten_by_nobody() -> None:
    assert next_id(0, NOON + timedelta(seconds=1)) == next_id(0, NOON) + 1


def test_ids_of_one_name_are_counted_on_the_page() -> None:
    books = Books()
    first = next_request(books, "a", NOON)

    assert books.unsaved == {Page.REQUESTS}
    assert [next_request(books, name, NOON) - first for name in ("a", "b", "a")] == [1, 0, 2]
    again = Books(pages={Page.REQUESTS: dict(books.page(Page.REQUESTS))})
    assert next_request(again, "a", datetime(1999, 1, 1, tzinfo=UTC)) == first + 3


def test_it_fits_as_long_as_it_says() -> None:
    assert next_id(0, datetime(2093, 1, 1, tzinfo=UTC)) < 2**31
    assert datetime.fromtimestamp(EPOCH, UTC) == datetime(2025, 1, 1, tzinfo=UTC)
