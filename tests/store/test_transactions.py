"""Transactions come back from the store as the bridge left them."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from gateway.bridge.books import Transaction, TransactionState
from gateway.store.database import Database
from gateway.store.journal import Journal
from gateway.store.models import TransactionRow
from gateway.store.transactions import ENDED_KEPT_IN_BOOKS, row_of, write_row

FULL = Transaction(
    station_tx="T1",
    state=TransactionState.OPEN,
    backend_tx=2**40,
    evse_id=1,
    connector_id=2,
    id_tag="TAG",
    started_at="2026-03-01T12:00:00Z",
    meter_start=0,
    last_register=123_456_789_012,
    last_seq_no=7,
    charging_state="Charging",
    remote_start_id=5,
    reservation_id=6,
    energy_flowed=True,
    deauthorized=True,
)


async def test_every_field_is_kept(journal: Journal, epoch: int) -> None:
    await journal.save("CS1", epoch, FULL)
    assert await journal.transactions("CS1") == [FULL]


async def test_a_later_state_replaces_the_earlier(journal: Journal, epoch: int) -> None:
    await journal.save("CS1", epoch, FULL)
    await journal.save("CS1", epoch, Transaction("T1", TransactionState.STOPPING))
    assert await journal.transactions("CS1") == [Transaction("T1", TransactionState.STOPPING)]


async def test_each_state_is_read_back(journal: Journal, epoch: int) -> None:
    for state in TransactionState:
        await journal.save("CS1", epoch, Transaction(state.value, state))
    assert [tx.state for tx in await journal.transactions("CS1")] == list(TransactionState)


@pytest.mark.usefixtures("epoch")
async def test_of_the_ended_ones_the_newest_are_read_back_and_of_the_live_ones_all(
    journal: Journal, database: Database
) -> None:
    ended = [Transaction(str(number), TransactionState.ENDED) for number in range(ENDED_KEPT_IN_BOOKS + 1)]

    def write(connection: Connection) -> None:
        for tx in [Transaction("live"), *ended]:
            write_row(connection, "CS1", row_of(tx))

    await database.write(write)
    names = [tx.station_tx for tx in await journal.transactions("CS1")]
    assert names == ["live", *map(str, range(1, ENDED_KEPT_IN_BOOKS + 1))]


async def test_a_station_sees_its_own_transactions_only(journal: Journal, epoch: int) -> None:
    await journal.save("CS1", epoch, FULL)
    assert await journal.transactions("CS2") == []


def test_the_table_has_a_column_for_each_field() -> None:
    assert {column.name for column in TransactionRow.__table__.columns} - {"id", "identity"} == {
        field.name for field in fields(Transaction)
    }


@given(st.sampled_from(TransactionState))
def test_a_row_is_a_copy_of_the_moment(state: TransactionState) -> None:
    tx = Transaction("T1", state)
    row = row_of(tx)
    tx.last_seq_no = 9
    assert row["last_seq_no"] == -1
    assert row["state"] == state.value
