"""TransactionEvent as dialogues: once each at the backend, in order, and answered with the backend's own words."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from gateway.bridge.books import Json, Page, TransactionState
from gateway.bridge.v201_v201.context import EVENTS_MAX
from gateway.bridge.v201_v201.transactions import ENDED_IN_DETAIL, ENDED_MAX, RUNNING_MAX
from gateway.wire.errors import CallError, ErrorCode

if TYPE_CHECKING:
    from tests.bridge.v201_v201.conftest import World

ACCEPTED = {"idTokenInfo": {"status": "Accepted"}}
BLOCKED = {"idTokenInfo": {"status": "Blocked"}}
STOP = ("RequestStopTransaction", {"transactionId": "TX-1"})


def seen(world: "World") -> list[tuple[str, int]]:
    return [
        (payload["eventType"], payload["seqNo"]) for action, payload in world.heard() if action == "TransactionEvent"
    ]


async def test_a_session_is_told_as_it_is(world: "World", new_event: Callable[..., Json]) -> None:
    answers: list[Json] = [{**ACCEPTED, "chargingPriority": 1}, {"totalCost": 0.5}, {"totalCost": 1.5}]
    world.backend.answers["TransactionEvent"] = lambda event: answers[event["seqNo"]]
    assert await world.event("Started", token="T", trigger="Authorized") == answers[0]
    assert await world.event("Updated", 1) == answers[1]
    assert await world.event("Ended", 2) == answers[2]
    assert world.heard() == [
        ("TransactionEvent", new_event("Started", token="T", trigger="Authorized")),
        ("TransactionEvent", new_event("Updated", 1)),
        ("TransactionEvent", new_event("Ended", 2)),
    ]
    assert world.books.transactions["TX-1"].state is TransactionState.ENDED


async def test_a_remote_start_whose_transaction_has_begun_speaks_for_its_token_no_more(
    world: "World", new_event: Callable[..., Json]
) -> None:
    world.books.page(Page.REMOTE_STARTS).update({"7": "DE8EXC12345678", "8": "DE8EXC00000008"})
    started = new_event("Started", token="T", trigger="RemoteStart")
    started["transactionInfo"]["remoteStartId"] = 7
    await world.from_station("TransactionEvent", started)
    assert world.books.page(Page.REMOTE_STARTS) == {"8": "DE8EXC00000008"}


@pytest.mark.parametrize("kind", ["Started", "Ended"])
async def test_a_start_and_an_end_are_on_disk_before_they_are_sent(world: "World", kind: str) -> None:
    world.backend.before_answer = lambda: on_disk.append("TX-1" in world.ledger.saved)
    on_disk: list[bool] = []
    await world.event(kind, 3)
    assert on_disk == [True]


async def test_an_update_of_a_known_transaction_costs_no_write(world: "World") -> None:
    await world.event("Started")
    world.ledger.saved.clear()
    await world.event("Updated", 1)
    assert world.ledger.saved == {}


async def test_while_the_backend_is_away_each_event_is_kept_and_answered(world: "World") -> None:
    world.backend.up = False
    for kind, seq_no in (("Started", 0), ("Updated", 1), ("Ended", 2)):
        assert await world.event(kind, seq_no, token="T") == {}
    world.restart()
    world.backend.up = True
    await world.drain()
    assert seen(world) == [("Started", 0), ("Updated", 1), ("Ended", 2)]


@pytest.mark.parametrize(("kind", "seq_no"), [("Started", 0), ("Updated", 1), ("Ended", 1)])
async def test_a_repetition_is_answered_again_and_not_delivered(world: "World", kind: str, seq_no: int) -> None:
    world.backend.answers["TransactionEvent"] = {**ACCEPTED, "totalCost": 2.5}
    if seq_no:
        await world.event("Started")
    first = await world.event(kind, seq_no, token="T")
    world.heard()
    assert await world.event(kind, seq_no, token="T") == first
    assert world.heard() == []


@pytest.mark.parametrize("kind", ["Started", "Updated", "Ended"])
async def test_a_repetition_over_a_restart_of_what_is_in_the_journal(world: "World", kind: str) -> None:
    world.backend.up = False
    await world.event("Started")
    if kind != "Started":
        await world.event(kind, 1)
    world.restart()
    count = len(world.ledger.journal)
    assert await world.event(kind, 0 if kind == "Started" else 1) == {}
    assert len(world.ledger.journal) == count


async def test_what_is_repeated_after_a_restart_is_told_once(world: "World") -> None:
    """Whatever else is told of the transaction before."""
    for kind, seq_no in (("Started", 0), ("Updated", 1)):
        await world.event(kind, seq_no)
    world.restart()
    for kind, seq_no in (("Updated", 2), ("Started", 0), ("Ended", 4)):
        await world.event(kind, seq_no)
    world.restart()
    for kind, seq_no in (("Updated", 3), ("Started", 0), ("Ended", 4), ("Updated", 3)):
        await world.event(kind, seq_no)
    assert seen(world) == [("Started", 0), ("Updated", 1), ("Updated", 2), ("Ended", 4), ("Updated", 3)]


async def test_an_older_repetition_with_a_token_is_judged_anew(world: "World") -> None:
    await world.event("Started", token="T")
    await world.event("Updated", 1)
    world.heard()
    world.backend.answers["Authorize"] = BLOCKED
    assert await world.event("Started", token="T") == BLOCKED
    assert world.heard() == [("Authorize", {"idToken": {"idToken": "T", "type": "ISO14443"}})]
    world.backend.up = False
    assert await world.event("Started", token="T") == {}


async def test_a_station_that_does_not_count_loses_nothing(world: "World") -> None:
    for kind, minute in (("Started", 0), ("Updated", 1), ("Updated", 2), ("Ended", 3)):
        await world.event(kind, 0, at=f"2026-05-01T10:0{minute}:00Z")
        if minute == 1:
            world.restart()
    assert [kind for kind, _ in seen(world)] == ["Started", "Updated", "Updated", "Ended"]


async def test_events_out_of_their_order_are_told_all_the_same(world: "World") -> None:
    for kind, seq_no in (("Ended", 3), ("Started", 0), ("Updated", 2), ("Updated", 1)):
        await world.event(kind, seq_no)
    assert seen(world) == [("Ended", 3), ("Started", 0), ("Updated", 2), ("Updated", 1)]
    assert world.books.transactions["TX-1"].is_over


async def test_a_transaction_that_began_before_us_is_passed_on_and_can_be_stopped_after_a_restart(
    world: "World",
) -> None:
    await world.event("Updated", 7)
    assert "unseen-start" in world.notes
    world.restart()
    world.heard()
    assert await world.from_backend(*STOP) == {"status": "Accepted"}


@pytest.mark.parametrize("kind", ["Started", "Updated", "Ended"])
async def test_what_the_ledger_could_not_keep_comes_again_and_is_delivered(world: "World", kind: str) -> None:
    if kind != "Started":
        await world.event("Started")
    seq_no = 0 if kind == "Started" else 1
    world.heard()
    world.ledger.fails = [RuntimeError("disk full")]
    with pytest.raises(RuntimeError, match="disk full"):
        await world.event(kind, seq_no)
    assert world.heard() == []
    await world.event(kind, seq_no)
    assert seen(world) == [(kind, seq_no)]


async def test_an_id_that_is_used_again_is_another_session(world: "World") -> None:
    await world.event("Started")
    await world.event("Ended", 1)
    await world.event("Started", 0, at="2026-05-02T09:00:00Z")
    assert world.books.transactions["TX-1"].state is TransactionState.OPEN
    await world.event("Ended", 1, at="2026-05-02T10:00:00Z")
    assert seen(world) == [("Started", 0), ("Ended", 1), ("Started", 0), ("Ended", 1)]


async def test_but_not_before_the_old_one_is_settled(world: "World") -> None:
    await world.event("Started")
    world.backend.up = False
    await world.event("Ended", 1)
    with pytest.raises(CallError) as refused:
        await world.event("Started", 0, at="2026-05-02T09:00:00Z")
    assert refused.value.code is ErrorCode.GENERIC_ERROR
    assert len(world.ledger.journal) == 1


@pytest.mark.parametrize("accepts", [True, False])
async def test_a_refusal_that_comes_late_is_carried_out_by_command(world: "World", accepts: bool) -> None:
    world.backend.up = False
    await world.event("Started", token="T", trigger="Authorized")
    world.backend.up = True
    world.backend.answers["TransactionEvent"] = BLOCKED
    world.station.answers["RequestStopTransaction"] = {"status": "Accepted" if accepts else "Rejected"}
    await world.drain()
    assert world.heard("station") == [STOP]
    world.backend.answers["TransactionEvent"] = {}
    await world.event("Updated", 1)
    assert world.heard("station") == ([] if accepts else [STOP])
    assert ("refused-start" in world.notes) is not accepts
    await world.event("Ended", 2)
    assert world.heard("station") == []
    assert world.context.memory.to_stop == set()


@pytest.mark.parametrize(("trigger", "said"), [("Authorized", ACCEPTED), ("StopAuthorized", BLOCKED)])
async def test_what_stops_nothing(world: "World", trigger: str, said: Json) -> None:
    world.backend.up = False
    await world.event("Started")
    await world.event("Updated", 1, token="T", trigger=trigger)
    world.backend.up = True
    world.backend.answers["TransactionEvent"] = lambda event: said if "idToken" in event else {}
    await world.drain()
    assert world.heard("station") == []


async def test_who_has_ended_by_then_is_not_stopped(world: "World") -> None:
    world.backend.up = False
    await world.event("Started", token="T")
    await world.event("Ended", 1)
    world.backend.up = True
    world.backend.answers["TransactionEvent"] = BLOCKED
    await world.drain()
    assert world.heard("station") == []


async def test_a_station_that_is_away_is_asked_again_with_its_next_event(world: "World") -> None:
    world.backend.up = world.station.up = False
    await world.event("Started", token="T")
    world.backend.up = True
    world.backend.answers["TransactionEvent"] = BLOCKED
    await world.drain()
    world.station.up = True
    await world.event("Updated", 1)
    assert world.heard("station") == [STOP]


async def test_the_books_stay_bounded(world: "World") -> None:
    for number in range(RUNNING_MAX + 1):
        await world.event("Started", tx=f"R{number}")
    assert world.books.transactions["R0"].state is TransactionState.ENDED
    assert "never-ended" in world.notes
    for number in range(ENDED_MAX + 1):
        await world.event("Ended", tx=f"E{number}")
    await world.event("Started", tx="last")
    over = [tx for tx in world.books.transactions.values() if tx.is_over]
    assert len(over) == ENDED_MAX
    assert len(world.context.memory.events) == ENDED_IN_DETAIL + RUNNING_MAX


async def test_of_what_ended_some_time_ago_little_is_told_twice(world: "World") -> None:
    """What the store says of it: what came last isn't new, an event that was never seen is."""
    for kind, seq_no in (("Started", 0), ("Updated", 1), ("Ended", 3)):
        await world.event(kind, seq_no, tx="old")
    for number in range(ENDED_IN_DETAIL):
        await world.event("Ended", tx=f"E{number}")
    assert "old" not in world.context.memory.events

    seen(world)
    for kind, seq_no in (("Started", 0), ("Updated", 2), ("Ended", 3)):
        await world.event(kind, seq_no, tx="old")
    assert seen(world) == [("Updated", 2)]


async def test_what_the_journal_refers_to_stays_in_the_books(world: "World") -> None:
    world.backend.up = False
    for number in range(ENDED_MAX + 5):
        await world.event("Ended", tx=f"E{number}")
    assert len(world.books.transactions) == ENDED_MAX + 5


async def test_what_ended_at_the_backend_of_before_is_not_news_to_this_one(world: "World") -> None:
    for kind, seq_no in (("Started", 0), ("Updated", 1), ("Ended", 3)):
        await world.event(kind, seq_no)
    world.restart()
    world.books.pages[Page.BEFORE] = {tx.station_tx: tx.started_at for tx in world.books.transactions.values()}
    world.heard()

    assert await world.event("Ended", 3) == {}
    assert world.ledger.aside == []
    assert await world.event("Updated", 2) == {}
    assert world.heard() == []
    assert [payload["seqNo"] for _, payload, _ in world.ledger.aside] == [2]
    assert set(world.notes) == {"former-transaction"}


async def test_of_sessions_that_overlap_the_one_that_ended_last_is_known_best(world: "World") -> None:
    world.backend.answers["TransactionEvent"] = {**ACCEPTED, "totalCost": 12.5}
    for kind, seq_no in (("Started", 0), ("Updated", 1), ("Updated", 2)):
        await world.event(kind, seq_no, tx="long")
    for number in range(ENDED_IN_DETAIL):
        await world.event("Started", tx=f"S{number}")
        await world.event("Ended", 1, tx=f"S{number}")
    end = await world.event("Ended", 3, tx="long", token="T")
    world.heard()

    assert await world.event("Ended", 3, tx="long", token="T") == end
    await world.event("Updated", 2, tx="long")
    assert world.heard() == []


async def test_a_station_that_counts_anew_or_not_at_all_loses_nothing_of_a_long_session(world: "World") -> None:
    await world.event("Started", 0)
    numbers = [*range(1, EVENTS_MAX + 9), *range(1, EVENTS_MAX + 11), *[1] * 9]
    for minute, seq_no in enumerate(numbers):
        await world.event("Updated", seq_no, at=f"2026-05-01T{10 + minute // 60}:{minute % 60:02}:00Z")
    assert [seq_no for _, seq_no in seen(world)] == [0, *numbers]


@pytest.mark.parametrize("updates", [0, EVENTS_MAX + 1])
async def test_the_end_of_one_that_was_given_up_is_told(world: "World", updates: int) -> None:
    await world.event("Started", tx="lost")
    for number in range(1, updates + 1):
        await world.event("Updated", number, tx="lost")
    for number in range(RUNNING_MAX):
        await world.event("Started", tx=f"R{number}")
    for number in range(ENDED_IN_DETAIL):
        await world.event("Ended", 1, tx=f"R{number}")
    assert world.books.transactions["lost"].is_over

    seen(world)
    await world.event("Ended", updates + 1, tx="lost")
    assert seen(world) == [("Ended", updates + 1)]


async def test_a_start_that_is_repeated_after_many_events_is_told_once(world: "World") -> None:
    await world.event("Started", 0)
    for number in range(1, EVENTS_MAX + 2):
        await world.event("Updated", number)
    seen(world)
    await world.event("Started", 0)
    assert seen(world) == []
