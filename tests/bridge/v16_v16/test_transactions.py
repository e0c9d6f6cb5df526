"""Transactions as dialogues: once each at the backend, whoever repeats what and whoever goes away."""

from typing import TYPE_CHECKING

import pytest

from gateway.bridge.books import Books, Json, TransactionState
from gateway.bridge.ports import FOREIGN_TRANSACTION, PeerUnavailable
from gateway.bridge.v16_v16 import transactions as module
from gateway.wire.errors import CallError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bridge.v16_v16.conftest import World

ACCEPTED: Json = {"idTagInfo": {"status": "Accepted"}}


def money(world: "World") -> list[tuple[str, int | None]]:
    """Return what the backend has heard of transactions: the action and the transactionId in it."""
    return [(action, payload.get("transactionId")) for action, payload in world.heard()]


class TestASession:
    async def test_passes_as_it_is(self, world: "World") -> None:
        world.backend.answers["StartTransaction"] = start = {
            "transactionId": 17,
            "idTagInfo": {"status": "Accepted", "parentIdTag": "P", "expiryDate": "2027-01-01T00:00:00"},
        }
        stop = {"transactionId": 17, "meterStop": 5000, "timestamp": "2026-05-01T10:00:00", "reason": "Local"}

        assert await world.start() == start
        assert await world.meter(17) == {}
        assert await world.from_station("StopTransaction", stop) == ACCEPTED

        (_, begun), (_, metered), stopped = world.heard()
        assert begun == {"connectorId": 1, "idTag": "TAG", "meterStart": 1000, "timestamp": "2026-05-01T09:00:00Z"}
        assert metered["transactionId"] == 17
        assert stopped == ("StopTransaction", stop)
        assert (world.ledger.aside, world.reports, world.notes) == ([], [], {})

    async def test_is_on_disk_before_the_station_hears_its_number(self, world: "World") -> None:
        world.ledger.fails = [OSError("disk full")]

        with pytest.raises(OSError, match="disk full"):
            await world.start()

        assert world.books.transactions == {}

    async def test_the_books(self, world: "World") -> None:
        await world.from_station(
            "StartTransaction",
            {
                "connectorId": 2,
                "idTag": "T",
                "meterStart": 7,
                "timestamp": "2026-05-01T09:00:00",
                "reservationId": 3,
            },
        )

        (tx,) = world.ledger.saved.values()
        assert (tx.station_tx, tx.backend_tx, tx.state) == ("1001", 1001, TransactionState.OPEN)
        assert (tx.connector_id, tx.id_tag, tx.meter_start, tx.started_at) == (2, "T", 7, "2026-05-01T09:00:00")
        assert (tx.reservation_id, tx.deauthorized) == (3, False)

    async def test_survives_a_restart(self, world: "World") -> None:
        await world.start()
        world.restart()
        await world.meter(1001)
        await world.stop(1001)

        assert money(world) == [("StartTransaction", None), ("MeterValues", 1001), ("StopTransaction", 1001)]

    async def test_a_refused_token_is_refused_and_its_stop_delivered(self, world: "World") -> None:
        refusal = {"transactionId": 0, "idTagInfo": {"status": "Blocked"}}
        world.backend.answers["StartTransaction"] = refusal

        assert await world.start() == refusal
        assert world.books.transactions["0"].deauthorized
        await world.stop(0)

        assert money(world) == [("StartTransaction", None), ("StopTransaction", 0)]

    async def test_a_start_that_the_backend_finds_fault_with_is_the_stations_to_repeat(self, world: "World") -> None:
        world.backend.answers["StartTransaction"] = CallError(ErrorCode.INTERNAL_ERROR, "database down")

        with pytest.raises(CallError, match="database down"):
            await world.start()

        assert world.books.transactions == {}


class TestTheBackendIsAway:
    async def test_a_start_waits_at_the_station(self, world: "World") -> None:
        world.backend.up = False

        with pytest.raises(PeerUnavailable):
            await world.start()

        assert (world.books.transactions, world.ledger.journal) == ({}, [])

    async def test_a_start_waits_for_what_is_older(self, world: "World") -> None:
        await world.start()
        world.backend.up = False
        await world.stop(1001)
        world.backend.up = True
        with pytest.raises(PeerUnavailable):
            await world.start(at="2026-05-01T11:00:00Z")

        await world.ledger.drain()
        await world.start(at="2026-05-01T11:00:00Z")

        assert money(world) == [("StartTransaction", None), ("StopTransaction", 1001), ("StartTransaction", None)]

    @pytest.mark.parametrize("killed", [False, True])
    async def test_the_rest_of_a_transaction_is_journalled(self, world: "World", killed: bool) -> None:
        await world.start()
        world.heard()
        world.backend.up = False
        assert await world.meter(1001) == {}
        assert await world.stop(1001) == {}
        if killed:
            world.restart()
        assert await world.stop(1001) == {}
        world.backend.up = True
        await world.ledger.drain()

        assert money(world) == [("MeterValues", 1001), ("StopTransaction", 1001)]

    async def test_a_start_without_an_answer_is_repeated_identically(self, world: "World") -> None:
        original = world.backend.answers["StartTransaction"]
        world.backend.answers["StartTransaction"] = PeerUnavailable("no answer in time")
        with pytest.raises(PeerUnavailable):
            await world.start()
        world.backend.answers["StartTransaction"] = original
        await world.start()

        first, second = world.heard()
        assert first == second


class TestRepetitions:
    async def test_a_known_start_is_answered_as_before_and_not_delivered_again(self, world: "World") -> None:
        world.backend.answers["StartTransaction"] = conf = {
            "transactionId": 17,
            "idTagInfo": {"status": "Accepted", "parentIdTag": "P"},
        }
        await world.start()
        world.heard()
        world.backend.up = False

        assert await world.start() == conf
        assert world.heard() == []

    @pytest.mark.parametrize(("said", "again"), [("Accepted", "Accepted"), ("Expired", "Invalid")])
    async def test_after_a_restart_too(self, world: "World", said: str, again: str) -> None:
        world.backend.answers["StartTransaction"] = {"transactionId": 17, "idTagInfo": {"status": said}}
        await world.start()
        world.heard()
        world.restart()

        assert await world.start() == {"transactionId": 17, "idTagInfo": {"status": again}}
        assert world.heard() == []

    @pytest.mark.parametrize(
        "other", [{"connector": 2}, {"tag": "OTHER"}, {"wh": 1001}, {"at": "2026-05-01T09:00:01Z"}]
    )
    async def test_what_differs_is_another_start(self, world: "World", other: Json) -> None:
        await world.start()

        assert (await world.start(**other))["transactionId"] == 1002

    async def test_an_ended_transaction_is_begun_anew(self, world: "World") -> None:
        await world.start()
        await world.stop(1001)

        assert (await world.start())["transactionId"] == 1002

    async def test_a_stop_is_answered_as_before_and_not_delivered_again(self, world: "World") -> None:
        await world.start()
        assert await world.stop(1001) == ACCEPTED
        assert await world.stop(1001) == ACCEPTED
        world.restart()
        assert await world.stop(1001) == {}

        assert money(world) == [("StartTransaction", None), ("StopTransaction", 1001)]
        assert world.ledger.aside == []

    async def test_a_second_stop_with_another_register_is_news_to_the_backend(self, world: "World") -> None:
        await world.start()
        await world.stop(1001, wh=5000)
        await world.stop(1001, wh=9000)
        world.restart()
        await world.stop(1001, wh=9000)

        stops = [payload["meterStop"] for action, payload in world.heard() if action == "StopTransaction"]
        assert stops == [5000, 9000]
        assert (set(world.notes), world.reports, world.ledger.aside) == ({"stopped-twice"}, [], [])

    @pytest.mark.parametrize("what", ["stop", "meter"])
    async def test_what_could_not_be_kept_is_as_if_never_said(self, world: "World", what: str) -> None:
        await world.start()
        world.heard()
        world.ledger.fails = [OSError("disk full")]
        say: Callable[[int], object] = getattr(world, what)
        with pytest.raises(OSError, match="disk full"):
            await say(1001)  # type: ignore[misc]  # either is a coroutine function

        (tx,) = world.books.transactions.values()
        assert (tx.state, tx.last_register) == (TransactionState.OPEN, None)
        await say(1001)  # type: ignore[misc]  # as above
        assert len(world.heard()) == 1

    async def test_late_meter_values_are_relayed_as_far_as_there_is_a_backend(self, world: "World") -> None:
        await world.start()
        await world.stop(1001)
        world.heard()

        assert await world.meter(1001) == {}
        world.backend.up = False
        assert await world.meter(1001) == {}

        assert money(world) == [("MeterValues", 1001)]
        assert world.ledger.journal == []


class TestNumbersGivenTwice:
    """There are backends that give everybody 0, or a number again."""

    async def test_the_one_that_has_ended_makes_room(self, world: "World") -> None:
        world.backend.answers["StartTransaction"] = {"transactionId": 0, **ACCEPTED}
        for hour in range(3):
            await world.start(at=f"2026-05-01T0{hour}:00:00Z")
            await world.meter(0)
            await world.stop(0, wh=2000 + hour)
            await world.stop(0, wh=2000 + hour)

        assert list(world.books.transactions) == ["0"]
        assert money(world) == [("StartTransaction", None), ("MeterValues", 0), ("StopTransaction", 0)] * 3
        assert world.ledger.aside == []

    @pytest.mark.parametrize("killed", [False, True])
    async def test_two_that_run_at_once_are_both_stopped(self, world: "World", killed: bool) -> None:
        world.backend.answers["StartTransaction"] = {"transactionId": 7, **ACCEPTED}
        await world.start(1)
        await world.start(2)
        assert list(world.books.transactions) == ["7", "7/2"]
        if killed:
            world.restart()
        await world.meter(7, 1)
        await world.meter(7, 2)
        await world.stop(7, wh=2000)
        await world.stop(7, wh=2000)
        await world.stop(7, wh=3000)

        stops = [payload["meterStop"] for action, payload in world.heard() if action == "StopTransaction"]
        assert stops == [2000, 3000]
        assert all(tx.is_over for tx in world.books.transactions.values())
        assert world.ledger.aside == []

    async def test_a_repeated_start_gets_its_own_transaction(self, world: "World") -> None:
        world.backend.answers["StartTransaction"] = {"transactionId": 7, **ACCEPTED}
        await world.start(1)
        await world.start(2)
        world.heard()

        assert (await world.start(1))["transactionId"] == 7
        assert world.heard() == []


class TestForeignTransactions:
    @pytest.mark.parametrize(("what", "action"), [("stop", "StopTransaction"), ("meter", "MeterValues")])
    async def test_never_reach_the_backend_and_are_never_lost(self, world: "World", what: str, action: str) -> None:
        await world.start()
        world.heard()

        assert await getattr(world, what)(4711) == {}

        assert world.heard() == []
        ((kept, payload, reason),) = world.ledger.aside
        assert (kept, payload["transactionId"]) == (action, 4711)
        assert "was not opened by this station" in reason
        assert "before Voltgate" in world.notes["foreign-transaction"]
        assert world.reports == [(FOREIGN_TRANSACTION, f"{action}: {reason}")]

    async def test_a_repeated_stop_is_kept_once(self, world: "World") -> None:
        await world.stop(4711)
        await world.stop(4711)

        assert len(world.ledger.aside) == 1

    async def test_what_can_not_be_kept_is_not_answered(self, world: "World") -> None:
        world.ledger.fails = [OSError("disk full")]

        with pytest.raises(OSError, match="disk full"):
            await world.stop(4711)

        assert (world.ledger.aside, world.reports) == ([], [])
        assert await world.stop(4711) == {}
        assert len(world.ledger.aside) == 1

    @pytest.mark.parametrize("number", [0, -1])
    async def test_0_is_a_number_like_any_other_in_a_stop(self, world: "World", number: int) -> None:
        await world.stop(number)

        assert bool(world.ledger.aside) is (number == 0)


class TestWithoutATransaction:
    @pytest.mark.parametrize("number", [None, 0, -1])
    async def test_meter_values_are_relayed_without_a_number(self, world: "World", number: int | None) -> None:
        assert await world.meter(number, connector=0) == {}

        ((action, payload),) = world.heard()
        assert (action, payload["connectorId"], "transactionId" in payload) == ("MeterValues", 0, False)

    @pytest.mark.parametrize("number", [None, 0, -1])
    async def test_while_the_backend_is_away_they_are_answered_and_dropped(
        self, world: "World", number: int | None
    ) -> None:
        world.backend.up = False

        assert await world.meter(number) == {}
        assert world.ledger.journal == []

    async def test_a_backend_that_refuses_them_is_quoted(self, world: "World") -> None:
        world.backend.answers["MeterValues"] = CallError(ErrorCode.NOT_SUPPORTED, "no meters")

        with pytest.raises(CallError, match="no meters"):
            await world.meter(None)

    @pytest.mark.parametrize("killed", [False, True])
    @pytest.mark.parametrize("away", [False, True])
    async def test_a_stop_whose_start_never_got_through_is_delivered_once(
        self, world: "World", away: bool, killed: bool
    ) -> None:
        """OCPP 1.6 errata: it goes with -1."""
        world.backend.up = not away
        await world.stop(-1)
        if killed:
            world.restart()
        await world.stop(-1)
        world.backend.up = True
        await world.ledger.drain()

        assert money(world) == [("StopTransaction", -1)]
        assert world.ledger.aside == []

    async def test_one_that_could_not_be_kept_is_delivered_when_it_comes_again(self, world: "World") -> None:
        world.ledger.fails = [OSError("disk full")]
        with pytest.raises(OSError, match="disk full"):
            await world.stop(-1)
        await world.stop(-1)

        assert money(world) == [("StopTransaction", -1)]

    async def test_two_of_them_are_two(self, world: "World") -> None:
        await world.stop(-1, wh=1)
        await world.stop(-1, wh=2)

        assert money(world) == [("StopTransaction", -1)] * 2


class TestBounds:
    async def test_ended_transactions(self, world: "World", monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "ENDED_MAX", 2)
        for number in range(1001, 1005):
            await world.start(at=f"2026-05-01T09:00:{number % 60:02}Z")
            await world.stop(number)
        await world.stop(-1)

        assert list(world.books.transactions)[:2] == ["1003", "1004"]

    async def test_running_transactions(self, world: "World", monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "RUNNING_MAX", 2)
        for connector in (1, 2):
            await world.start(connector)
        assert world.notes == {}
        await world.start(3)

        assert set(world.notes) == {"never-stopped"}
        assert world.ledger.saved["1001"].state is TransactionState.ENDED
        world.heard()
        await world.stop(1001)
        assert money(world) == [("StopTransaction", 1001)]

    async def test_a_full_journal_is_no_time_to_forget(
        self, new_world: "Callable[..., World]", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "ENDED_MAX", 0)
        world = new_world(Books())
        await world.start()
        world.backend.up = False
        await world.stop(1001)
        await world.stop(-1)

        assert "1001" in world.books.transactions
        world.backend.up = True
        await world.ledger.drain()
        assert world.ledger.journal == []
