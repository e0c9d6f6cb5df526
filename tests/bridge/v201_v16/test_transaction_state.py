"""What the books learn: bounds, reused ids, what becomes of a transaction that never began."""

from typing import TYPE_CHECKING

import pytest

from gateway.bridge.books import Page, Transaction, TransactionState
from gateway.bridge.v201_v16 import transaction_state
from gateway.bridge.v201_v16.transaction_event import TransactionEvent, read_event
from gateway.bridge.v201_v16.transaction_state import (
    DELIVERED_MAX,
    account_for,
    entry_of,
    has_delivered,
    is_repeat,
    learn,
    recall_start,
)
from gateway.wire.errors import CallError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.bridge.books import Json
    from tests.bridge.v201_v16.conftest import World

CARD = "04A2B3C4"
HELD, OPEN, STOPPING, ENDED = (
    TransactionState.HELD,
    TransactionState.OPEN,
    TransactionState.STOPPING,
    TransactionState.ENDED,
)


@pytest.fixture
def event(new_event: "Callable[..., Json]") -> "Callable[..., TransactionEvent]":
    return lambda *args, **fields: read_event(new_event(*args, **fields), dict[str, str]().__setitem__)


@pytest.mark.parametrize(
    ("kind", "seq_no", "state", "expected"),
    [
        ("Started", 0, HELD, False),
        ("Started", 0, OPEN, True),
        ("Started", 0, TransactionState.STARTING, True),
        ("Started", 0, ENDED, True),
        ("Updated", 3, OPEN, False),
        ("Updated", 2, OPEN, True),
        ("Updated", 1, HELD, False),
        ("Updated", 3, STOPPING, True),
        ("Ended", 3, OPEN, False),
        ("Ended", 0, OPEN, False),
        ("Ended", 3, STOPPING, True),
        ("Ended", 3, ENDED, True),
    ],
)
def test_what_is_a_repetition_after_a_restart(
    world: "World",
    event: "Callable[..., TransactionEvent]",
    kind: str,
    seq_no: int,
    state: TransactionState,
    expected: bool,
) -> None:
    assert is_repeat(world.context, Transaction("TX-1", state, last_seq_no=2), event(kind, seq_no)) is expected


def test_what_was_delivered_is_known_by_its_number_and_time(
    world: "World", event: "Callable[..., TransactionEvent]"
) -> None:
    tx = Transaction("TX-1", OPEN, last_seq_no=0)
    for minute in range(DELIVERED_MAX + 1):
        has_delivered(world.context, tx, event("Updated", 0, at=f"2026-05-01T09:{minute:02}:00Z"))

    again = [event("Updated", 0, at=f"2026-05-01T09:{minute:02}:00Z") for minute in (0, 1, 16, 17)]
    assert [is_repeat(world.context, tx, each) for each in again] == [False, True, True, False]


def test_of_what_is_over_no_event_is_known_by_itself(world: "World", event: "Callable[..., TransactionEvent]") -> None:
    tx, memory = Transaction("TX-1", OPEN, last_seq_no=0), world.context.memory
    has_delivered(world.context, tx, event("Updated", 1))
    memory.counted["TX-1"] = None
    tx.state = STOPPING
    has_delivered(world.context, tx, event("Ended", 2))

    assert (memory.delivered, memory.counted) == ({}, {})
    assert is_repeat(world.context, tx, event("Updated", 1))
    assert is_repeat(world.context, tx, event("Ended", 2))


async def test_ended_transactions_are_bounded(
    world: "World", event: "Callable[..., TransactionEvent]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction_state, "ENDED_MAX", 2)
    books = world.books.transactions
    for name, state in [("a", ENDED), ("b", OPEN), ("c", ENDED), ("d", STOPPING), ("e", ENDED)]:
        books[name] = Transaction(name, state)
    world.context.memory.answers["a"] = (1, {})

    await entry_of(world.context, event("Started", tx="new"))

    assert list(books) == ["b", "c", "d", "e", "new"]
    assert world.context.memory.answers == {}


async def test_held_transactions_are_bounded(
    world: "World", event: "Callable[..., TransactionEvent]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction_state, "HELD_MAX", 2)

    for number in range(3):
        await entry_of(world.context, event("Started", tx=f"TX-{number}"))

    assert [tx.state for tx in world.books.transactions.values()] == [ENDED, HELD, HELD]
    assert "held-too-long" in world.notes


class TestReusedId:
    """A station that counts its transactions anew after a reset."""

    LATER = "2026-05-01T10:00:00Z"

    async def test_of_a_settled_transaction_is_a_new_one(
        self, world: "World", event: "Callable[..., TransactionEvent]"
    ) -> None:
        old = world.books.transactions["TX-1"] = Transaction("TX-1", ENDED, started_at="2026-05-01T09:00:00Z")

        new = await entry_of(world.context, event("Started", at=self.LATER))

        assert new is not old
        assert world.books.transactions == {"TX-1": new}
        assert "transaction-id-reused" in world.notes

    async def test_of_one_that_is_not_settled_must_wait(
        self, world: "World", event: "Callable[..., TransactionEvent]"
    ) -> None:
        world.books.transactions["TX-1"] = Transaction("TX-1", STOPPING, started_at="2026-05-01T09:00:00Z")

        with pytest.raises(CallError) as refused:
            await entry_of(world.context, event("Started", at=self.LATER))

        assert refused.value.code is ErrorCode.GENERIC_ERROR

    @pytest.mark.parametrize(
        ("kind", "at", "started_at"),
        [
            ("Started", "2026-05-01T09:00:00Z", "2026-05-01T09:00:00Z"),
            ("Started", "2026-05-01T08:00:00Z", "2026-05-01T09:00:00Z"),
            ("Started", "2026-05-01T10:00:00Z", None),
            ("Ended", "2026-05-01T10:00:00Z", "2026-05-01T09:00:00Z"),
        ],
    )
    async def test_is_not_what_a_repetition_is(
        self,
        world: "World",
        event: "Callable[..., TransactionEvent]",
        kind: str,
        at: str,
        started_at: str | None,
    ) -> None:
        old = world.books.transactions["TX-1"] = Transaction("TX-1", ENDED, started_at=started_at)

        assert await entry_of(world.context, event(kind, at=at)) is old


async def test_learning_twice_is_learning_once(world: "World", event: "Callable[..., TransactionEvent]") -> None:
    started = event("Started", 0, evse=1, token=CARD, wh=1000, context="Transaction.Begin", state="Charging")
    once, twice = Transaction("TX-1"), Transaction("TX-1")

    await learn(world.context, once, started)
    for _ in range(2):
        await learn(world.context, twice, started)

    assert once == twice
    assert (once.evse_id, once.connector_id, once.id_tag, once.meter_start) == (1, 1, CARD, 1000)
    assert (once.energy_flowed, once.charging_state, once.last_register) == (True, "Charging", 1000)
    assert world.books.page(Page.REGISTERS) == {"1": 1000}


async def test_the_begin_register_outranks_an_earlier_sample(
    world: "World", event: "Callable[..., TransactionEvent]"
) -> None:
    tx = Transaction("TX-1")

    await learn(world.context, tx, event("Updated", 1, wh=1100))
    assert tx.meter_start == 1100
    await learn(world.context, tx, event("Updated", 2, wh=1000, context="Transaction.Begin"))
    await learn(world.context, tx, event("Updated", 3, wh=1200))

    assert tx.meter_start == 1000


async def test_a_gap_in_the_sequence_is_noted(world: "World", event: "Callable[..., TransactionEvent]") -> None:
    tx = Transaction("TX-1", OPEN, last_seq_no=3)

    await learn(world.context, tx, event("Updated", 4))
    assert "sequence-gap" not in world.notes
    await learn(world.context, tx, event("Updated", 5))

    assert "sequence-gap" in world.notes


@pytest.mark.parametrize(
    ("evse_id", "seen", "ledger", "expected"),
    [
        (1, 1500, 1400, 1500),
        (1, None, 1400, 1400),
        (1, None, None, 0),
        (None, 1500, 1400, 0),
    ],
)
def test_the_register_that_is_recalled(
    world: "World", evse_id: int | None, seen: int | None, ledger: int | None, expected: int
) -> None:
    if seen is not None:
        world.books.page(Page.REGISTERS)["1"] = seen
    world.books.transactions = {
        "old": Transaction("old", ENDED, evse_id=1, last_register=ledger),
        "silent": Transaction("silent", ENDED, evse_id=1),
        "elsewhere": Transaction("elsewhere", ENDED, evse_id=2, last_register=9999),
    }
    tx = Transaction("TX-1", evse_id=evse_id)

    recall_start(world.context, tx)

    assert tx.meter_start == expected
    assert ("meter-start" in world.notes) == (expected == 0)


@pytest.mark.parametrize(
    ("id_tag", "connector_id", "meter_start", "wh", "expected"),
    [
        (CARD, 1, None, None, True),
        (CARD, 1, 1000, 1000, True),
        (CARD, None, 1000, 1000, False),
        (None, 1, 1000, 1000, False),
        (None, 1, None, 1500, False),
        (None, 1, 1000, 1500, True),
        (CARD, None, 1000, 1500, True),
        (None, None, 1000, 1500, True),
        (None, 1, 1000, 900, False),
    ],
)
def test_what_becomes_of_a_transaction_that_never_began(
    world: "World",
    event: "Callable[..., TransactionEvent]",
    id_tag: str | None,
    connector_id: int | None,
    meter_start: int | None,
    wh: int | None,
    expected: bool,
) -> None:
    tx = Transaction("TX-1", id_tag=id_tag, connector_id=connector_id, meter_start=meter_start)

    assert account_for(world.context, tx, event("Ended", 1, wh=wh)) is expected

    if expected:
        assert (tx.id_tag, tx.connector_id) == (id_tag or "VOLTGATE", connector_id or 1)
