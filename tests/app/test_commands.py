"""The services' refusals, in the API's terms."""

from typing import Any

import pytest

from gateway.admin.ports import Refused, StationRefused
from gateway.app.commands import Commands
from gateway.bridge.ports import PeerUnavailable
from gateway.services.certificates import TriggerRefused
from gateway.services.credentials import RotationRefused, RotationRejected, RotationUnanswered
from gateway.services.upgrades import UpgradeRefused
from gateway.session.upgrades import UpgradeRecord, UpgradeUnderWay


class Service:
    """Any of the three services: notes what it was asked, or raises."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.asked: list[Any] = []

    async def _do(self, *asked: Any) -> None:
        if self.failure is not None:
            raise self.failure
        self.asked.append(asked)

    async def renew(self, station: Any, usage: str) -> None:
        await self._do(station, usage)

    async def rotate(self, station: Any, *, force: bool) -> None:
        await self._do(station, force)

    async def begin(self, station: Any, target: int, *, interface: str) -> None:
        await self._do(station, target, interface)


async def _all(service: Any, station: Any) -> list[Exception | None]:
    commands = Commands(service, service, service)
    ends: list[Exception | None] = []
    for asking in (
        commands.renew_certificate(station, "v2g"),
        commands.rotate_password(station, force=True),
        commands.upgrade(station, 3, interface="Wired0"),
    ):
        try:
            await asking
        except Exception as error:  # noqa: BLE001 - what it is, is what is tested
            ends.append(error)
        else:
            ends.append(None)
    return ends


async def test_what_is_passed_on() -> None:
    service = Service()
    assert await _all(service, "CS1") == [None, None, None]
    assert service.asked == [("CS1", "v2g"), ("CS1", True), ("CS1", 3, "Wired0")]


@pytest.mark.parametrize(
    ("failure", "which", "becomes"),
    [
        (TriggerRefused("no"), 0, StationRefused),
        (RotationRefused("no"), 1, Refused),
        (RotationRejected("no"), 1, StationRefused),
        (RotationUnanswered("no"), 1, PeerUnavailable),
        (UpgradeRefused("no"), 2, Refused),
    ],
)
async def test_a_refusal(failure: Exception, which: int, becomes: type[Exception]) -> None:
    end = (await _all(Service(failure), "CS1"))[which]
    assert (type(end), str(end)) == (becomes, "no")


async def test_what_the_api_knows_itself_passes() -> None:
    under_way = UpgradeUnderWay(UpgradeRecord("CS1", 3, 2, "roots", None, "", {}, False, None, None))  # type: ignore[arg-type]  # no time takes part
    for failure in (PeerUnavailable("away"), under_way):
        assert await _all(Service(failure), "CS1") == [failure, failure, failure]
