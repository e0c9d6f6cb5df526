"""The books: which transaction is meant."""

import pytest

from gateway.bridge.books import Books, Page, Transaction, TransactionState
from gateway.bridge.given_numbers import FIRST, LAST


def books() -> Books:
    return Books(
        {
            "lost": Transaction("lost", TransactionState.OPEN, backend_tx=1001, connector_id=1),
            "held": Transaction("held", TransactionState.HELD, connector_id=2),
            "open": Transaction("open", TransactionState.OPEN, backend_tx=1001, connector_id=1),
            "stopping": Transaction("stopping", TransactionState.STOPPING, backend_tx=1001, connector_id=1),
            "over": Transaction("over", TransactionState.ENDED, backend_tx=1000, connector_id=3),
        }
    )


@pytest.mark.parametrize(
    ("state", "is_over"),
    [
        (TransactionState.HELD, False),
        (TransactionState.STARTING, False),
        (TransactionState.OPEN, False),
        (TransactionState.UNSTARTED, False),
        (TransactionState.STOPPING, True),
        (TransactionState.ENDED, True),
    ],
)
def test_when_a_transaction_is_over(state: TransactionState, is_over: bool) -> None:
    assert Transaction("TX", state).is_over is is_over


@pytest.mark.parametrize(("number", "name"), [(1001, "open"), (1000, None), (1002, None)])
def test_the_transaction_behind_a_backends_number(number: int, name: str | None) -> None:
    found = books().by_backend_tx(number)

    assert (found and found.station_tx) == name


@pytest.mark.parametrize(("number", "name"), [(1, "open"), (2, "held"), (3, None), (4, None)])
def test_the_transaction_that_runs_on_a_connector(number: int, name: str | None) -> None:
    found = books().on_connector(number)

    assert (found and found.station_tx) == name


@pytest.mark.parametrize(
    ("state", "began", "is_former"),
    [
        (TransactionState.ENDED, "2026-01-01T00:00:00Z", True),
        (TransactionState.ENDED, "2026-02-01T00:00:00Z", False),  # the number was given again
        (TransactionState.OPEN, "2026-01-01T00:00:00Z", False),
    ],
)
def test_what_ended_at_the_backend_of_before(state: TransactionState, began: str, is_former: bool) -> None:
    books = Books(pages={Page.BEFORE: {"1": "2026-01-01T00:00:00Z", "2": None}})

    assert books.belongs_before(Transaction("1", state, started_at=began)) is is_former
    assert books.belongs_before(Transaction("2", TransactionState.ENDED))
    assert not books.belongs_before(Transaction("3", TransactionState.ENDED))


def test_books_begin_empty_and_are_not_shared() -> None:
    one, other = Books(), Books()
    one.page(Page.ALIASES)["a"] = {}
    one.changed(Page.ALIASES)

    assert other == Books({}, {}, {}, set())
    assert other.page(Page.ALIASES) == {}
    assert (one.page(Page.ALIASES), one.unsaved) == ({"a": {}}, {Page.ALIASES})


@pytest.mark.parametrize(
    ("states", "running"),
    [
        ([], 0),
        ([TransactionState.ENDED], 0),
        ([TransactionState.OPEN, TransactionState.ENDED], 1),
        ([TransactionState.HELD, TransactionState.UNSTARTED, TransactionState.STOPPING], 3),
    ],
)
def test_those_whose_end_the_backend_has_not_heard(states: list[TransactionState], running: int) -> None:
    books = Books({str(number): Transaction(str(number), state) for number, state in enumerate(states)})
    assert (books.running, books.has_running) == (running, running > 0)


@pytest.mark.parametrize(
    ("station_tx", "backend_tx", "number"),
    [
        ("17", 17, 17),
        ("17/2", 17, 17),
        (str(LAST), 17, LAST),
        (str(FIRST - 1), 17, 17),
        ("TX-1", 17, 17),
        ("TX", None, None),
    ],
)
def test_the_number_that_a_1_6_station_knows(station_tx: str, backend_tx: int | None, number: int | None) -> None:
    assert Transaction(station_tx, backend_tx=backend_tx).station_number == number


def test_a_number_that_was_given_means_its_transaction_while_it_runs() -> None:
    given = Transaction(str(LAST), TransactionState.OPEN, backend_tx=17)
    other = Transaction("18", TransactionState.OPEN, backend_tx=18)
    known = Books({given.station_tx: given, other.station_tx: other})
    assert [known.by_station_number(number) for number in (LAST, 17, 18, LAST - 1)] == [given, given, other, None]
    given.state = TransactionState.ENDED
    assert known.by_station_number(LAST) is None
