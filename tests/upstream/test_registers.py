"""The registers that are newer than the store's."""

import pytest

from gateway.bridge.books import Transaction
from gateway.session.ports import Register
from gateway.upstream.registers import Registers


@pytest.fixture
def tx() -> Transaction:
    return Transaction("t1", last_register=1500)


@pytest.fixture
def registers(tx: Transaction) -> Registers:
    return Registers("CS1", lambda: 3, {"t1": tx})


def test_each_is_taken_once(registers: Registers, tx: Transaction) -> None:
    assert registers.take() == []
    registers.went_through(tx)
    registers.went_through(tx)
    assert registers.take() == [Register("CS1", 3, "t1", 1500)]
    assert registers.take() == []


def test_there_is_none_of_a_transaction_that_has_told_none(registers: Registers, tx: Transaction) -> None:
    tx.last_register = None
    registers.went_through(tx)
    assert registers.take() == []


def test_what_the_store_has_is_not_taken(registers: Registers, tx: Transaction) -> None:
    registers.went_through(tx)
    registers.saved(tx)
    assert registers.take() == []


def test_one_that_is_given_back_is_taken_again_as_it_is_then(registers: Registers, tx: Transaction) -> None:
    registers.went_through(tx)
    (taken,) = registers.take()
    tx.last_register = 1700
    registers.give_back(taken)
    assert registers.take() == [Register("CS1", 3, "t1", 1700)]


def test_one_of_a_transaction_that_is_forgotten_meanwhile_is_not_taken_again(tx: Transaction) -> None:
    transactions = {"t1": tx}
    registers = Registers("CS1", lambda: 3, transactions)
    registers.went_through(tx)
    (taken,) = registers.take()
    transactions.clear()
    registers.give_back(taken)
    assert registers.take() == []
