"""What is waited for: as ``asyncio.Event`` does it."""

import asyncio

from gateway.upstream.signals import Signal


async def test_all_that_wait_go_on() -> None:
    signal = Signal()
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        waiting = [group.create_task(signal.wait()) for _ in range(2)]
        await asyncio.sleep(0)
        assert not any(each.done() for each in waiting)
        signal.set()
    assert signal.is_set
    await signal.wait()


async def test_one_that_gives_up_takes_nobody_with_it() -> None:
    signal = Signal()
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        gives_up, stays = (group.create_task(signal.wait()) for _ in range(2))
        await asyncio.sleep(0)
        gives_up.cancel()
        await asyncio.wait([gives_up])
        assert gives_up.cancelled()
        assert not stays.done()
        signal.set()


async def test_what_has_happened_reaches_who_waited_although_it_may_happen_again() -> None:
    signal = Signal()
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        waiting = group.create_task(signal.wait())
        await asyncio.sleep(0)
        signal.set()
        signal.set()
        signal.clear()
        again = group.create_task(signal.wait())
        await waiting
        assert not again.done()
        signal.set()
