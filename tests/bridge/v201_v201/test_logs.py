"""GetLog: relayed to a file server, refused to anywhere else."""

from typing import TYPE_CHECKING, Any

import pytest

from gateway.bridge.ports import UNSAFE_LOCATION, LogOrdered
from gateway.bridge.v201_v201.relaying import OWN_REQUESTS
from gateway.wire.errors import CallError, ErrorCode
from tests.bridge.log_desk import OURS, FakeLogDesk

if TYPE_CHECKING:
    from tests.bridge.v201_v201.conftest import World


def log_of(location: str, request_id: int = 5) -> Any:
    return {"logType": "SecurityLog", "requestId": request_id, "log": {"remoteLocation": location}}


@pytest.mark.parametrize("answer", [{"status": "Accepted", "filename": "log.zip"}, {"status": "Rejected"}])
async def test_a_log_is_relayed(world: "World", answer: Any) -> None:
    world.station.answers["GetLog"] = answer

    assert await world.from_backend("GetLog", log_of("sftp://files.example.com/in")) == answer
    assert world.heard("station") == [("GetLog", log_of("sftp://files.example.com/in"))]


@pytest.mark.parametrize("location", ["file:///etc/shadow", "gopher://u:secret@h/", "https://h/`reboot`", "nonsense"])
async def test_an_unfit_location_never_reaches_the_station(world: "World", location: str) -> None:
    assert await world.from_backend("GetLog", log_of(location)) == {"status": "Rejected"}

    assert world.dialogue == []
    ((kind, detail),) = world.reports
    assert kind == UNSAFE_LOCATION
    assert location not in detail


async def test_our_own_numbers_stay_ours(world: "World") -> None:
    with pytest.raises(CallError) as refused:
        await world.from_backend("GetLog", log_of("ftp://h/", OWN_REQUESTS[0]))

    assert refused.value.code is ErrorCode.PROPERTY_CONSTRAINT_VIOLATION
    assert world.dialogue == []


async def test_where_the_gateway_receives_it_it_comes_there(world: "World") -> None:
    desk = world.context.logs = FakeLogDesk()

    await world.from_backend("GetLog", log_of("ftp://u:secret@files.example.com/in"))

    assert world.heard("station") == [("GetLog", log_of(OURS))]
    assert desk.placed == [LogOrdered("GetLog", "SecurityLog", "ftp://u:secret@files.example.com/in", 5, 5)]


async def test_a_number_of_ours_is_not_placed(world: "World") -> None:
    desk = world.context.logs = FakeLogDesk()

    with pytest.raises(CallError):
        await world.from_backend("GetLog", log_of("ftp://h/", OWN_REQUESTS[0]))

    assert desk.placed == []
