"""TransactionEvents when something fails: repetitions, a ledger that raises, a backend that is away."""

from typing import TYPE_CHECKING, Any

import pytest

from gateway.bridge.books import Json, TransactionState
from gateway.wire.errors import CallError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bridge.v201_v16.conftest import World

CARD = "04A2B3C4"
ACCEPTED = {"idTokenInfo": {"status": "Accepted"}}


def conf(status: str, number: int = 1001) -> Json:
    return {"transactionId": number, "idTagInfo": {"status": status}}


def start(**fields: Any) -> tuple[str, Json]:
    at = "2026-05-01T09:00:00Z"
    return "StartTransaction", {"connectorId": 1, "idTag": CARD, "meterStart": 1000, "timestamp": at, **fields}


async def begun(world: "World") -> None:
    """A session at EVSE 1 that is charging."""
    await world.event("Started", 0, evse=1, token=CARD, wh=1000, state="Charging")


class TestRepeats:
    @pytest.mark.parametrize("status_", ["Accepted", "Blocked"])
    async def test_nothing_is_delivered_twice_and_the_answers_are_the_same(self, world: "World", status_: str) -> None:
        world.backend.answers["StartTransaction"] = conf(status_)
        calls: list[Callable[[], Any]] = [
            lambda: world.event("Started", 0, evse=1, token=CARD, wh=1000),
            lambda: world.event("Updated", 1, wh=1100),
            lambda: world.event("Ended", 2, token=CARD, wh=1200),
        ]
        for call in calls:
            answer = await call()
            world.dialogue.clear()
            assert [await call(), await call()] == [answer, answer]
            assert world.heard() == []

        assert [await call() for call in calls][1] == {}
        assert world.heard() == []

    async def test_a_held_start_is_not_judged_twice(self, world: "World") -> None:
        first = await world.event("Started", 0, trigger="Authorized", token=CARD)
        assert await world.event("Started", 0, trigger="Authorized", token=CARD) == first

        assert world.actions() == ["Authorize"]

    async def test_a_start_that_was_answered_without_a_verdict_gets_one_later(self, world: "World") -> None:
        world.backend.up = False
        assert await world.event("Started", 0, evse=1, token=CARD, wh=1000) == {}
        assert await world.event("Started", 0, evse=1, token=CARD, wh=1000) == {}
        world.backend.up = True
        await world.ledger.drain()

        assert await world.event("Started", 0, evse=1, token=CARD, wh=1000) == ACCEPTED
        assert world.actions() == ["StartTransaction", "Authorize"]

    async def test_a_verdict_that_does_not_come_is_left_out(self, world: "World") -> None:
        await world.event("Started", 0, evse=1, token=CARD, wh=1000)
        world.context.memory.answers.clear()
        world.backend.up = False

        assert await world.event("Started", 0, evse=1, token=CARD, wh=1000) == {}

    async def test_an_update_after_the_end_is_swallowed(self, world: "World") -> None:
        await begun(world)
        await world.event("Ended", 1, wh=1500)
        world.dialogue.clear()

        assert await world.event("Updated", 2, wh=1600) == {}
        assert world.heard() == []


class TestLedgerFailure:
    """A ledger that raises has kept nothing: the station's repetition is then the first delivery."""

    @pytest.mark.parametrize("error", [OSError("disk full"), CallError(ErrorCode.INTERNAL_ERROR)])
    async def test_of_every_step(self, world: "World", error: Exception) -> None:
        calls: list[Callable[[], Any]] = [
            lambda: world.event("Started", 0, trigger="CablePluggedIn", evse=1, wh=1000),
            lambda: world.event("Updated", 1, trigger="Authorized", token=CARD, wh=1000),
            lambda: world.event("Updated", 2, wh=1100),
            lambda: world.event("Ended", 3, wh=1200),
        ]
        for call in calls:
            world.ledger.fails = [error]
            with pytest.raises(type(error)):
                await call()
            await call()

        money = [action for action, _ in world.heard() if action != "StatusNotification"]
        assert money == ["StartTransaction", "MeterValues", "MeterValues", "StopTransaction"]

    async def test_between_start_and_meter_values(self, world: "World", monkeypatch: pytest.MonkeyPatch) -> None:
        await world.event("Started", 0, trigger="CablePluggedIn", evse=1, wh=1000)
        monkeypatch.setattr(world.ledger, "meter", failing)
        with pytest.raises(OSError, match="disk full"):
            await world.event("Updated", 1, trigger="Authorized", token=CARD, wh=1000)
        monkeypatch.undo()

        await world.event("Updated", 1, trigger="Authorized", token=CARD, wh=1000)

        money = [action for action, _ in world.heard() if action != "StatusNotification"]
        assert money == ["StartTransaction", "MeterValues", "Authorize"]

    async def test_of_a_close(self, world: "World") -> None:
        await world.event("Started", 0, trigger="CablePluggedIn", evse=1, wh=1000)
        world.ledger.fails = [OSError("disk full")]
        with pytest.raises(OSError, match="disk full"):
            await world.event("Ended", 1, wh=1000)
        assert world.books.transactions["TX-1"].state is TransactionState.HELD

        await world.event("Ended", 1, wh=1500)

        assert "StopTransaction" in world.actions()

    async def test_of_a_stop_while_the_start_is_in_the_journal(self, world: "World") -> None:
        world.backend.up = False
        await world.event("Started", 0, evse=1, token=CARD, wh=1000)
        world.ledger.fails = [OSError("disk full")]

        with pytest.raises(OSError, match="disk full"):
            await world.event("Ended", 1, wh=1500)

        assert world.books.transactions["TX-1"].state is TransactionState.STARTING


async def failing(*_: object) -> None:
    raise OSError("disk full")


class TestBackendAway:
    async def test_a_whole_session_is_delivered_later_in_order(self, world: "World") -> None:
        world.backend.up = False
        answers = [
            await world.event("Started", 0, evse=1, token=CARD, wh=1000, state="Charging"),
            await world.event("Updated", 1, wh=1100),
            await world.event("Ended", 2, token=CARD, wh=1200, context="Transaction.End"),
        ]
        assert answers == [{}, {}, {}]
        world.backend.up = True

        await world.ledger.drain()
        await world.bridge.backend_connected()

        heard = world.heard()
        assert [a for a, _ in heard] == ["StartTransaction", "MeterValues", "StopTransaction", "StatusNotification"]
        assert heard[0] == start()
        assert heard[2][1]["meterStop"] == 1200
        assert heard[3][1]["status"] == "Finishing"

    @pytest.mark.parametrize(("late_status", "commands"), [("Accepted", []), ("Blocked", ["RequestStopTransaction"])])
    async def test_a_late_refusal_stops_by_command(self, world: "World", late_status: str, commands: list[str]) -> None:
        world.backend.up = False
        await world.event("Started", 0, evse=1, token=CARD, wh=1000)
        world.backend.up = True
        world.backend.answers["StartTransaction"] = conf(late_status)

        for tx, late in await world.ledger.drain():
            await world.bridge.started_late(tx, late)

        assert world.actions("station") == commands

    async def test_a_late_refusal_of_what_is_over_needs_no_command(self, world: "World") -> None:
        world.backend.up = False
        await world.event("Started", 0, evse=1, token=CARD, wh=1000)
        await world.event("Ended", 1, wh=1100)
        world.backend.up = True
        world.backend.answers["StartTransaction"] = conf("Blocked")

        for tx, late in await world.ledger.drain():
            await world.bridge.started_late(tx, late)

        assert world.actions("station") == []

    async def test_a_station_that_is_away_then_is_asked_again_with_its_next_event(self, world: "World") -> None:
        world.backend.up = False
        await world.event("Started", 0, evse=1, token=CARD, wh=1000)
        world.backend.up = True
        world.backend.answers["StartTransaction"] = conf("Blocked")
        world.station.up = False
        for tx, late in await world.ledger.drain():
            await world.bridge.started_late(tx, late)
        world.station.up = True

        await world.event("Updated", 1, wh=1100)

        assert world.actions("station") == ["RequestStopTransaction"]
