"""Requests of the backend that are under way at a station: kept, found, forgotten, and bounded."""

import copy
import json

import pytest

from gateway.bridge.books import Books, Json, Page
from gateway.bridge.requests import UNDER_WAY_MAX, Request, Work, begin, end, end_older, find, told

DIAGNOSTICS = Request("GetDiagnostics")


def test_what_is_begun_is_found_until_it_ends() -> None:
    books = Books()
    begin(books, Work.LOG, 5, Request("GetLog", 7))
    assert find(books, Work.LOG, 5) == Request("GetLog", 7)
    assert books.unsaved == {Page.REQUESTS}

    books.unsaved.clear()
    end(books, Work.LOG, 5)
    assert find(books, Work.LOG, 5) is None
    assert books.unsaved == {Page.REQUESTS}


def test_to_end_what_is_not_there_costs_no_write() -> None:
    books = Books()

    end(books, Work.LOG, 5)
    end(books, Work.LOG, None)

    assert books.unsaved == set()


def test_they_survive_the_store() -> None:
    books = Books()
    begin(books, Work.LOG, 5, DIAGNOSTICS)
    begin(books, Work.LOG, 6, Request("GetLog", 0))

    again = Books(pages={Page.REQUESTS: json.loads(json.dumps(copy.deepcopy(books.page(Page.REQUESTS))))})

    assert [find(again, Work.LOG, each) for each in (5, 6)] == [DIAGNOSTICS, Request("GetLog", 0)]


def test_the_oldest_is_forgotten() -> None:
    books = Books()
    for number in range(UNDER_WAY_MAX + 1):
        begin(books, Work.LOG, number, DIAGNOSTICS)

    known = [number for number in range(UNDER_WAY_MAX + 1) if find(books, Work.LOG, number)]
    assert known == list(range(1, UNDER_WAY_MAX + 1))


def test_one_that_is_begun_again_is_the_newest() -> None:
    books = Books()
    for number in [*range(UNDER_WAY_MAX), 0, UNDER_WAY_MAX]:
        begin(books, Work.LOG, number, DIAGNOSTICS)

    assert find(books, Work.LOG, 0) == DIAGNOSTICS
    assert find(books, Work.LOG, 1) is None


def test_older_ones_of_the_same_action_end() -> None:
    books = Books()
    begin(books, Work.LOG, 1, DIAGNOSTICS)
    begin(books, Work.LOG, 2, Request("GetLog", 2))
    begin(books, Work.LOG, 3, DIAGNOSTICS)

    end_older(books, Work.LOG, 3)

    assert [each for each in (1, 2, 3) if find(books, Work.LOG, each)] == [2, 3]


@pytest.mark.parametrize(
    ("request_", "payload", "expected"),
    [
        (Request("GetLog", 7), {"status": "Uploading", "requestId": 5}, {"status": "Uploading", "requestId": 7}),
        (Request("GetLog", 0), {"status": "Uploaded", "requestId": 5}, {"status": "Uploaded", "requestId": 0}),
        (DIAGNOSTICS, {"status": "Uploaded", "requestId": 5}, {"status": "Uploaded"}),
        (None, {"status": "Uploading", "requestId": 5}, {"status": "Idle"}),
        (None, {"status": "Idle"}, {"status": "Idle"}),
        (None, {"status": "Uploading"}, {"status": "Uploading"}),
    ],
)
def test_what_the_backend_is_told(request_: Request | None, payload: Json, expected: Json) -> None:
    assert told(request_, payload) == expected
