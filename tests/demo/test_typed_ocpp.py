"""What `ocpp` only logs is handed on; its schema checks are on."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.demo.typed_ocpp import FAULT_MAX, ChargePoint16, FaultHandler, OCPPError, after, call16, on, result16


class Wire:
    """A connection that keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def send(self, text: str) -> None:
        self.sent.append(text)


class Peer(ChargePoint16):  # type: ignore[misc]  # `ocpp` ships no types: its class is Any
    answered = False

    @on("Heartbeat")
    def heartbeat(self) -> Any:
        return result16.Heartbeat(current_time="2025-11-22T10:00:00Z")

    @after("Heartbeat")
    def note(self) -> None:
        self.answered = True


@pytest.fixture
def faults() -> Iterator[list[str]]:
    told: list[str] = []
    handler = FaultHandler(told.append)
    handler.install()
    yield told
    logger = logging.getLogger("ocpp")
    logger.removeHandler(handler)
    logger.propagate = True


async def test_a_good_call_is_no_fault(faults: list[str]) -> None:
    peer, wire = Peer("CS001", Wire()), Wire()
    peer._connection = wire

    await peer.route_message('[2,"1","Heartbeat",{}]')

    assert wire.sent == ['[3,"1",{"currentTime":"2025-11-22T10:00:00Z"}]']
    assert peer.answered
    assert faults == []


@pytest.mark.parametrize(
    ("frame", "fault"),
    [
        ('[2,"1","Heartbeat",{"extra":1}]', "extra"),
        ('[2,"1","Reset",{"type":"Hard"}]', "No handler for Reset"),
        ("not JSON", "Unable to parse"),
    ],
)
async def test_what_breaks_a_rule_is_a_fault(faults: list[str], frame: str, fault: str) -> None:
    await Peer("CS001", Wire()).route_message(frame)

    assert len(faults) == 1
    assert fault in faults[0]


async def test_a_fault_has_its_bound(faults: list[str]) -> None:
    logging.getLogger("ocpp").warning("x" * (FAULT_MAX + 1))

    assert faults == ["x" * FAULT_MAX]


async def test_an_outgoing_call_is_checked_too() -> None:
    wire = Wire()

    with pytest.raises(OCPPError, match="is too long"):
        await Peer("CS001", wire).call(call16.Authorize(id_tag="x" * 21))

    assert wire.sent == []
