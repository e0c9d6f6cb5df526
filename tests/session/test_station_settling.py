"""What a station's acceptance sets going: the bridge hears of the boot, and may ask when it is quiet."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from gateway.bridge.books import Json
from gateway.session.ports import BootStatus, Proof, StoreAway
from gateway.wire.errors import CallError

if TYPE_CHECKING:
    from tests.session.conftest import House, Talk

NewHouse = Callable[..., "House"]
BOOT: Json = {"reason": "PowerUp", "chargingStation": {"model": "AC", "vendorName": "Example"}}


def counted(home: "House") -> list[str]:
    """Return what grows with each time that the station's gate is open."""
    opened: list[str] = []
    home.station.when_open = lambda: opened.append("open")
    return opened


@pytest.mark.parametrize("status", ["Accepted", "Pending", "Rejected"])
async def test_every_boot_is_heard_of_and_the_accepted_one_opens(house: NewHouse, status: str) -> None:
    home = house()
    opened = counted(home)
    home.backend.answers_boot(status)

    await home.station.from_station("BootNotification", BOOT)

    assert home.bridge.boots == [BOOT]
    assert opened == (["open"] if status == "Accepted" else [])


async def test_a_boot_that_the_bridge_can_not_keep_is_not_accepted(
    house: NewHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(_: Json) -> None:
        raise StoreAway("disk full")

    home = house()
    home.backend.answers_boot("Accepted")
    monkeypatch.setattr(home.bridge, "booted", failing)

    with pytest.raises(CallError, match="InternalError"):
        await home.station.from_station("BootNotification", BOOT)
    assert not home.station.gate.is_open


@pytest.mark.parametrize(("status", "expected"), [(BootStatus.ACCEPTED, ["open"]), (BootStatus.PENDING, [])])
async def test_who_comes_back_accepted_opens_too(
    house: NewHouse, talk: "Talk", status: BootStatus, expected: list[str]
) -> None:
    home = house(status)
    opened = counted(home)

    home.station.joined(talk.peer, Proof(2))

    assert opened == expected


async def test_the_bridge_is_let_ask_with_the_last_boot(house: NewHouse, talk: "Talk") -> None:
    home = house(BootStatus.ACCEPTED, boot_payload=BOOT)
    home.station.joined(talk.peer, Proof(2))

    assert await home.station.settle_in()
    home.bridge.is_settled = False
    assert not await home.station.settle_in()

    assert home.bridge.settles == [BOOT, BOOT]


@pytest.mark.parametrize("status", [BootStatus.NONE, BootStatus.PENDING, BootStatus.REJECTED])
async def test_who_is_not_accepted_is_not_asked(house: NewHouse, talk: "Talk", status: BootStatus) -> None:
    home = house(status)
    home.station.joined(talk.peer, Proof(2))

    assert await home.station.settle_in()
    assert home.bridge.settles == []


async def test_who_is_away_is_not_asked(house: NewHouse) -> None:
    home = house(BootStatus.ACCEPTED)

    assert await home.station.settle_in()
    assert home.bridge.settles == []


async def test_not_while_a_call_of_ours_waits(house: NewHouse, talk: "Talk") -> None:
    home = house(BootStatus.ACCEPTED)
    home.station.joined(talk.peer, Proof(2))
    task, _ = await talk.calls("Reset", {"type": "OnIdle"})
    asking = [talk.peer.is_asking]

    assert not await home.station.settle_in()
    assert home.bridge.settles == []

    await talk.hears([3, "own-1", {"status": "Accepted"}])
    await task
    asking.append(talk.peer.is_asking)
    assert asking == [True, False]
    assert await home.station.settle_in()
