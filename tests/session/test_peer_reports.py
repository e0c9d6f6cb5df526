"""What a peer does that deserves a security event, and what a peer that is refused for ever may write into the log."""

from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from gateway.session.peer import RECENT_MAX
from gateway.session.security import Kind
from gateway.session.strikes import STRIKES_MAX
from gateway.session.tally import Leg, Outcome

if TYPE_CHECKING:
    from tests.session.conftest import Talk

HEARTBEAT = {"currentTime": "2026-03-01T12:00:00Z"}


def beat(message_id: str) -> list[Any]:
    return [2, message_id, "Heartbeat", {}]


@pytest.mark.parametrize("frame", [b"{}", b"[2]", b'[3,"nobody-asked",{}]', b'[2,"1","Heartbeat",{},"more"]'])
async def test_a_message_that_is_none_is_reported(talk: "Talk", frame: bytes) -> None:
    await talk.hears(frame)
    assert [kind for kind, _ in talk.reported] == [Kind.INVALID_MESSAGES]


async def test_a_late_answer_is_not(talk: "Talk") -> None:
    task, frames = await talk.calls("Reset", {"type": "OnIdle"})
    task.cancel()
    await talk.hears([3, frames[0][1], {"status": "Accepted"}])
    assert talk.reported == []


async def test_a_message_id_that_is_used_again_for_another_message_is_reported_and_handled(talk: "Talk") -> None:
    talk.handler.answers = {"Heartbeat": HEARTBEAT, "Authorize": {"idTokenInfo": {"status": "Accepted"}}}
    await talk.hears(beat("1"))
    await talk.hears(beat("1"))
    assert talk.reported == []

    await talk.hears([2, "1", "Authorize", {"idToken": {"idToken": "A", "type": "Central"}}])
    assert [kind for kind, _ in talk.reported] == [Kind.ATTEMPTED_REPLAY]
    assert [action for action, _ in talk.handler.calls] == ["Heartbeat", "Heartbeat", "Authorize"]


async def test_only_the_last_message_ids_are_remembered(talk: "Talk") -> None:
    talk.handler.answers["Heartbeat"] = HEARTBEAT
    for number in range(RECENT_MAX + 1):
        await talk.hears(beat(str(number)))
    await talk.hears([2, "0", "Heartbeat", {"customData": {"vendorId": "x"}}])
    assert talk.reported == []


async def test_a_station_that_is_refused_for_ever_fills_no_log(talk: "Talk") -> None:
    with capture_logs() as lines:
        for number in range(STRIKES_MAX + 5):
            await talk.hears([2, str(number), "Reset", {"type": "nonsense"}])
    assert len([line for line in lines if line["event"] == "call_refused"]) == STRIKES_MAX
    assert talk.tally.calls[Leg.STATION, "in", "Reset", Outcome.REFUSED] == STRIKES_MAX + 5
    assert talk.socket.closed == []
