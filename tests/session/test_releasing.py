"""Only what is said while a released message is delivered counts as released, in its own task."""

import asyncio

from gateway.session.releasing import is_released, releasing


async def test_it_holds_while_it_is_open_and_in_this_task_only() -> None:
    async def elsewhere() -> bool:
        await asyncio.sleep(0)
        return is_released()

    other = asyncio.create_task(elsewhere())
    assert not is_released()
    with releasing():
        assert is_released()
        inherited = asyncio.create_task(elsewhere())
        with releasing(is_so=False):
            assert not is_released()
        assert is_released()
    assert not is_released()
    assert (await other, await inherited) == (False, True)
