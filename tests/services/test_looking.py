"""Looks that fail, and are taken again."""

import asyncio

import pytest
from structlog.testing import capture_logs

from gateway.services.looking import look_once
from gateway.session.ports import StoreAway


async def test_what_was_seen() -> None:
    async def look() -> int:
        return 7

    assert await look_once(look, "look_failed") == 7


@pytest.mark.parametrize(
    ("failure", "logged"),
    [
        (StoreAway("locked"), {"event": "store_unavailable", "reason": "locked"}),
        (RuntimeError("a defect"), {"event": "look_failed", "what": "CRLs"}),
    ],
)
async def test_a_look_that_fails_is_logged_and_not_the_last(failure: Exception, logged: dict[str, str]) -> None:
    async def look() -> int:
        raise failure

    with capture_logs() as lines:
        assert await look_once(look, "look_failed", what="CRLs") is None
    (line,) = lines
    assert line["log_level"] == "error"
    assert {name: line[name] for name in logged} == logged


async def test_whoever_is_cancelled_ends() -> None:
    async def look() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await look_once(look, "look_failed")
