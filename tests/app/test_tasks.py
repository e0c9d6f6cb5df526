"""Background tasks have an owner."""

import asyncio

from structlog.testing import capture_logs

from gateway.app.tasks import Tasks


async def test_close_ends_what_still_runs() -> None:
    tasks = Tasks()
    ended = asyncio.Event()

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    task = tasks.spawn(endless(), "endless")
    await asyncio.sleep(0)
    assert task.get_name() == "endless"
    await tasks.close()
    assert ended.is_set()
    await tasks.close()


async def test_a_failure_is_logged_with_its_name() -> None:
    async def failing() -> None:
        raise RuntimeError("a defect")

    tasks = Tasks()
    with capture_logs() as logs:
        task = tasks.spawn(failing(), "failing")
        await asyncio.wait([task])
        await asyncio.sleep(0)
    assert [(line["event"], line["task"]) for line in logs] == [("task_failed", "failing")]
