"""The backend's books: in sequence, once, and adding up."""

from typing import Any

import pytest

from gateway.demo.accounts import AccountFault, Accounts

START = ("CS001", 1, "TAG", 1_000, "2025-11-22T10:00:00Z")


def sampled(*samples: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"timestamp": "2025-11-22T10:00:00Z", "sampled_value": list(samples)}]


def test_a_session() -> None:
    accounts = Accounts()

    opened = accounts.start(*START)
    accounts.sample("CS001", opened.number, sampled({"value": "1.25", "unit": "kWh"}))
    closed = accounts.stop("CS001", opened.number, 1_300)

    assert closed.account() == {"id_tag": "TAG", "start": 1_000, "samples": [1_250], "stop": 1_300}


def test_numbers_are_sequential_and_an_identical_start_is_the_same_session() -> None:
    accounts = Accounts()

    first = accounts.start(*START)
    again = accounts.start(*START)
    other = accounts.start("CS002", 1, "TAG", 5, "2025-11-22T10:00:00Z")

    assert again is first
    assert (first.number, other.number) == (1, 2)


@pytest.mark.parametrize(
    ("sample", "wh"),
    [
        ({"value": "1234567"}, [1_234_567]),
        ({"value": "1234.567", "unit": "kWh", "measurand": "Energy.Active.Import.Register"}, [1_234_567]),
        ({"value": "7", "unit": "Wh", "context": "Sample.Periodic"}, [7]),
        ({"value": "11000", "unit": "W", "measurand": "Power.Active.Import"}, []),
        ({"value": "7", "context": "Transaction.Begin"}, []),
    ],
)
def test_which_samples_are_booked(sample: dict[str, str], wh: list[int]) -> None:
    accounts = Accounts()
    opened = accounts.start(*START)

    assert accounts.sample("CS001", opened.number, sampled(sample)) == wh
    assert opened.samples == wh


def test_what_does_not_fit_the_books() -> None:
    accounts = Accounts()
    number = accounts.start(*START).number

    with pytest.raises(AccountFault, match="connector 0"):
        accounts.start("CS001", 0, "TAG", 1, "2025-11-22T10:01:00Z")
    with pytest.raises(AccountFault, match="while transaction 1 runs"):
        accounts.start("CS001", 1, "TAG", 1, "2025-11-22T10:01:00Z")
    with pytest.raises(AccountFault, match="CS002 has no transaction 1"):
        accounts.stop("CS002", number, 2_000)
    with pytest.raises(AccountFault, match="CS001 has no transaction 9"):
        accounts.sample("CS001", 9, [])
    with pytest.raises(AccountFault, match="before its start at 1000"):
        accounts.stop("CS001", number, 999)
    accounts.stop("CS001", number, 1_000)
    with pytest.raises(AccountFault, match="ended already"):
        accounts.stop("CS001", number, 1_000)


def test_a_backend_that_loses_energy() -> None:
    accounts = Accounts(lose=7)

    assert accounts.stop("CS001", accounts.start(*START).number, 2_000).stop == 1_993
