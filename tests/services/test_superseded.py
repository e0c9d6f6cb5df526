"""The end of certificates that were replaced."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from gateway.services.clock_watch import HOLD
from gateway.services.superseded import BATCH, LOOK_EVERY, SupersededRevocation
from gateway.session.ports import StoreAway

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Inventory:
    def __init__(self, *counts: int | Exception) -> None:
        self.counts = [*counts]
        self.asked: list[tuple[datetime, int]] = []

    async def revoke_superseded(self, since: datetime, at_most: int) -> int:
        self.asked.append((since, at_most))
        count = self.counts.pop(0) if self.counts else 0
        if isinstance(count, Exception):
            raise count
        return count


async def test_all_whose_grace_is_over() -> None:
    inventory = Inventory(BATCH, BATCH, 3)
    service = SupersededRevocation(inventory, after=timedelta(hours=24), now=lambda: NOW)
    assert await service.revoke_due() == 2 * BATCH + 3
    assert set(inventory.asked) == {(NOW - timedelta(hours=24), BATCH)}


async def test_a_clock_a_year_ahead_ends_nobodys_grace() -> None:
    inventory, now, seconds = Inventory(), NOW, 0.0
    service = SupersededRevocation(inventory, after=timedelta(hours=24), now=lambda: now, monotonic=lambda: seconds)
    await service.revoke_due()

    def pass_by(span: float, ahead: timedelta = timedelta(0)) -> None:
        nonlocal now, seconds
        seconds += span
        now += timedelta(seconds=span) + ahead

    pass_by(LOOK_EVERY, ahead=timedelta(days=365))
    await service.revoke_due()
    pass_by(LOOK_EVERY)
    await service.revoke_due()
    assert [since for since, _ in inventory.asked] == [NOW - timedelta(hours=24)]
    pass_by(HOLD)  # nobody has set it back: it is right, and was wrong before
    await service.revoke_due()
    assert len(inventory.asked) == 2


async def test_a_look_that_fails_is_not_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    looks, told = 0, list[int]()

    async def sleep(_: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            raise asyncio.CancelledError

    monkeypatch.setattr("gateway.services.superseded.asyncio.sleep", sleep)
    inventory = Inventory(StoreAway("locked"), RuntimeError("a mistake of ours"), 1)
    with pytest.raises(asyncio.CancelledError):
        await SupersededRevocation(inventory, after=timedelta(), now=lambda: NOW, revoked=lambda: told.append(1)).run()
    assert len(inventory.asked) == 4
    assert told == [1], "once, after the look that revoked one"
